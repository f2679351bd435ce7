"""Takes secrets out of text: those that were registered, by value, and what has the shape of a broker's key.

What is looked for is computed once for each secret, kept for the life of the process and never shown. May not know
log lines (`line_scrubbing` does), so that error output can use it as well. A registered value is replaced wherever it
stands, in any of its forms (`secret_forms`), and so are pieces of it that are eight characters or longer.
"""

from __future__ import annotations

import re
import struct
import threading
from collections.abc import Iterator
from typing import Final

from mqd_core.errors import ConfigError
from mqd_core.logging.secret_forms import WINDOW, whole_forms, windows

#: Shorter than anything that is replaced by it, so that replacing until nothing is found comes to an end.
MASK: Final = "***"
_MASK: Final = MASK.encode()
#: A shorter value would blank out ordinary words.
SHORTEST_SECRET: Final = 4
_WORD: Final = 4
#: A text that holds a form this long holds one of its four-byte words at a multiple of four.
_SURELY_HAS_A_WORD: Final = 2 * _WORD - 1

_BROKER_KEY: Final = re.compile(r"(?:PK|AK|CK)[A-Z0-9]{16,}")
_HEADER: Final = r"""(?i)(%s\\*["']?\s*[:=]\s*|%s\\*["']\s*,\s*)(?:b?(\\*["']).*?\2|%s)"""
_KEY_NAME: Final = "APCA-API-[A-Z-]+"
_KEY_HEADER: Final = re.compile(_HEADER % (_KEY_NAME, _KEY_NAME, r"""[^\s"',;)}\]\\]+"""))
#: Everything to the end of the line: a scheme, a space and then the secret, in as many forms as there are schemes.
_AUTHORIZATION: Final = re.compile(_HEADER % ("Authorization", "Authorization", r"[^\r\n]+"))
_SENSITIVE_NAME: Final = re.compile(r"(?i)\W*(?:APCA-API-[A-Z-]+|(?:Proxy-)?Authorization)\W*")
_MAY_MATCH: Final = re.compile(rb"apca-api|authorization|[pac]k[a-z0-9]{16}")


class Scrubber:
    """A set of secrets and the search for them. The process has one; tests make their own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._forms: tuple[bytes, ...] = ()
        self._windows: frozenset[bytes] = frozenset()
        self._short_forms: tuple[bytes, ...] = ()
        self._words: frozenset[int] = frozenset()

    def register(self, secret: str) -> None:
        """Keep a secret out of every text from now on.

        Raises ConfigError for one of fewer than 4 characters, without saying it.
        """
        if len(secret.strip()) < SHORTEST_SECRET:
            raise ConfigError(
                f"a secret of {len(secret.strip())} characters cannot be kept out of the logs: it needs at least "
                f"{SHORTEST_SECRET}; check the value in the environment or in .env.local"
            )
        with self._lock:
            forms = frozenset(self._forms) | whole_forms(secret) | whole_forms(secret.strip())
            long_forms = [form for form in forms if len(form) >= _SURELY_HAS_A_WORD]
            self._short_forms = tuple(sorted(form for form in forms if len(form) < _SURELY_HAS_A_WORD))
            self._windows |= windows(secret.strip())
            self._forms = tuple(sorted(forms))
            # Last: a search that runs meanwhile and meets a new word finds the new forms.
            self._words = frozenset(word for form in long_forms for word in _words_at_every_place(form))

    def scrub(self, text: str) -> str:
        """The text without any registered secret and without anything that has the shape of a key."""
        data = text.encode("utf-8", "surrogatepass")
        if not self.may_hold_one(data):
            return text
        return self.without_values(without_patterns(text))

    def may_hold_one(self, data: bytes) -> bool:
        """Whether it is worth looking closer; False is certain. One line costs a few microseconds."""
        low = data.lower()
        return _MAY_MATCH.search(low) is not None or self._may_hold_a_value(low)

    def holds_one(self, data: bytes) -> bool:
        """Whether a registered secret, or a piece of one, stands in these bytes."""
        low = data.lower()
        return self._may_hold_a_value(low) and next(self._spans(low), None) is not None

    def without_values(self, text: str) -> str:
        """The text without any registered secret."""
        data = text.encode("utf-8", "surrogatepass")
        while True:
            spans = _merged(sorted(self._spans(data.lower())))
            if not spans:
                return data.decode("utf-8", "surrogatepass")
            pieces: list[bytes] = []
            end = 0
            for start, stop in spans:
                pieces += (data[end:start], _MASK)
                end = stop
            data = b"".join((*pieces, data[end:]))

    def _may_hold_a_value(self, low: bytes) -> bool:
        words = memoryview(low)[: len(low) // _WORD * _WORD].cast("I")
        return not self._words.isdisjoint(words) or any(form in low for form in self._short_forms)

    def _spans(self, low: bytes) -> Iterator[tuple[int, int]]:
        """Where registered secrets stand in lower-case bytes: start and end of each, overlapping, in no order."""
        for form in self._forms:
            start = low.find(form)
            while start >= 0:
                yield start, start + len(form)
                start = low.find(form, start + 1)
        pieces = self._windows
        if pieces:
            for start in range(len(low) - WINDOW + 1):
                if low[start : start + WINDOW] in pieces:
                    yield start, start + WINDOW


def without_patterns(text: str) -> str:
    """The text without broker keys and the values of headers that hold credentials, whoever's they are."""
    text = _KEY_HEADER.sub(_masked_value, text)
    text = _AUTHORIZATION.sub(_masked_value, text)
    return _BROKER_KEY.sub(MASK, text)


def is_sensitive_name(name: str) -> bool:
    """Whether a name is that of a header whose value is a credential."""
    return _SENSITIVE_NAME.fullmatch(name) is not None


def _masked_value(found: re.Match[str]) -> str:
    quote = found.group(2) or ""
    return f"{found.group(1)}{quote}{MASK}{quote}"


def _words_at_every_place(form: bytes) -> Iterator[int]:
    for start in range(len(form) - _WORD + 1):
        yield struct.unpack_from("@I", form, start)[0]


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, stop in spans:
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(stop, merged[-1][1])
        else:
            merged.append((start, stop))
    return merged


_PROCESS: Final = Scrubber()


def process_scrubber() -> Scrubber:
    """The one whose secrets are kept out of every log line and error of this process."""
    return _PROCESS


def register_secret(value: str) -> None:
    """Keep a secret out of every log line and of all scrubbed text of this process, from now on.

    Call it as soon as the value is read. Raises ConfigError for one of fewer than 4 characters, without saying it.
    """
    _PROCESS.register(value)


def scrub(text: str) -> str:
    """The text without any registered secret, in whatever form, and without what has the shape of a broker's key."""
    return _PROCESS.scrub(text)
