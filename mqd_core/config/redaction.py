"""What looks like a secret, and what is shown in its stead.

Judges names and texts only; may not read a file, the environment or a secret's true value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from mqd_core.config.document import Document, KeyPath

MASK: Final = "***"

#: Broker key ids start with PK (paper), AK (live) or CK (broker API) and go on in capitals and digits.
_BROKER_KEY: Final = re.compile(r"(?<![A-Za-z0-9])(?:PK|AK|CK)[A-Z0-9]{16,26}(?![A-Za-z0-9])")
#: A long run in which letters and digits keep changing, or a very long one: nothing that a person chose as a name.
_OPAQUE: Final = re.compile(
    r"(?<![A-Za-z0-9+=])(?:(?=(?:[A-Za-z+=]*[0-9]+[A-Za-z+=]+){3})[A-Za-z0-9+=]{20,}|[A-Za-z0-9+=]{32,})"
)
_USER_IN_URL: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://[^/\s:@]*:[^/\s@]+@")
_SECRET_NAME: Final = re.compile(r"key|secret|token|passw|passphrase|credential", re.IGNORECASE)
#: Under these names nothing but a placeholder belongs into a file that is shown around, however short it is.
_ALWAYS_SECRET: Final = frozenset(
    {"api_key", "api_secret", "secret", "secret_key", "access_key", "private_key", "password", "passphrase"}
)
_REFERENCE: Final = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")
_PLACEHOLDER: Final = re.compile(r"YOUR_([A-Z][A-Z0-9_]*)")
_LONG_FOR_A_NAME: Final = 20
_LONGEST_SHOWN: Final = 60


def is_secret_name(name: str) -> bool:
    """Whether a key of that name may hold a secret, so that its value is never shown."""
    return _SECRET_NAME.search(name) is not None


def reference(text: str) -> str | None:
    """The name in `${NAME}`, or None when the text is not such a reference."""
    found = _REFERENCE.fullmatch(text)
    return found.group(1) if found else None


def placeholder(text: str) -> str | None:
    """The name in `YOUR_NAME`, or None when the text is not such a placeholder."""
    found = _PLACEHOLDER.fullmatch(text)
    return found.group(1) if found else None


def is_stand_in(text: str) -> bool:
    """Whether a text stands for a secret that is kept elsewhere."""
    return reference(text) is not None or placeholder(text) is not None


def scrubbed(text: str) -> str:
    """A message without anything in it that is shaped like a key."""
    return _USER_IN_URL.sub(f"{MASK}@", _BROKER_KEY.sub(MASK, text))


def shown(path: KeyPath, value: object) -> str:
    """What a message says was read at a path; never the value of something that may be a secret."""
    if value is None:
        return "nothing was read"
    if isinstance(value, Mapping):
        return "a section was read"
    if isinstance(value, list | tuple):
        return "a list was read"
    text = str(value)
    if is_secret_name(last_name(path)) and not is_stand_in(text):
        return "a value was read (not shown)"
    text = _OPAQUE.sub(MASK, scrubbed(text))
    if len(text) > _LONGEST_SHOWN:
        text = text[:_LONGEST_SHOWN] + "..."
    return f"{text!r} was read"


def last_name(path: KeyPath) -> str:
    """The name of the key that a path ends in or under: an item of a list goes by the list's name."""
    return next((part for part in reversed(path) if isinstance(part, str)), "")


def masked_section(section: Mapping[str, object]) -> dict[str, Any]:
    """A copy of a section in which nothing is left that may be a secret."""
    return {key: _masked(value, key) for key, value in section.items()}


def _masked(value: object, name: str) -> object:
    if isinstance(value, Mapping):
        return masked_section(value)
    if isinstance(value, list | tuple):
        return [_masked(inner, name) for inner in value]
    if not isinstance(value, str):
        return value
    if is_secret_name(name) and value and not is_stand_in(value):
        return MASK
    return scrubbed(value)


def secrets_in(document: Document) -> Iterator[tuple[KeyPath, str]]:
    """Every place in a document where a real secret seems to stand, with what is wrong, in no order."""
    for path, text in _texts(document.content, ()):
        if _is_real_secret(last_name(path), text):
            yield path, _ADVICE.format(name=_name_for(path))
        elif _BROKER_KEY.search(last_name(path)):
            yield path[:-1], "one of its keys looks like a broker's key. " + _ADVICE.format(name="BROKER_API_KEY")
        elif "${" in text and reference(text) is None:
            yield path, "a reference must be the whole value and in capitals, such as ${BROKER_API_KEY}"


_ADVICE: Final = (
    "looks like a real secret, which may not stand in this file (its value is not repeated here). Write ${{{name}}} "
    "instead, and {name}=<the value> into .env.local beside this file, or into the environment"
)


def _is_real_secret(name: str, text: str) -> bool:
    if not text or is_stand_in(text):
        return False
    if _BROKER_KEY.search(text) or _USER_IN_URL.search(text):
        return True
    return name.lower() in _ALWAYS_SECRET or (is_secret_name(name) and len(text) >= _LONG_FOR_A_NAME)


def _name_for(path: KeyPath) -> str:
    name = re.sub(r"[^A-Za-z0-9]+", "_", last_name(path)).strip("_").upper() or "SECRET"
    return f"BROKER_{name}" if path and path[0] in {"broker", "data", "backtest"} else name


def _texts(node: object, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(node, Mapping):
        for key, inner in node.items():
            yield from _texts(inner, (*path, str(key)))
    elif isinstance(node, list | tuple):
        for index, inner in enumerate(node):
            yield from _texts(inner, (*path, index))
    else:
        yield path, node if isinstance(node, str) else ""
