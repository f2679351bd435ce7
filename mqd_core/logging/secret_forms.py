"""The shapes in which a secret turns up in text: as it is, escaped, quoted, in hex, in base64, cut short.

May not keep anything: it computes what `scrubbing` looks for. All forms are bytes of UTF-8 in lower case, because
letters A to Z are compared without case (hex and percent-encoding come in both, and bytes keep their length).
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote, quote_plus

from mqd_core.logging.line import escape_unsafe

#: Shorter pieces of a secret are not looked for: eight characters of one are no accident in ordinary text.
WINDOW: Final = 8
#: Pieces are looked for in keys and tokens only: words of these characters, at least this long. The pieces of a
#: sentence or an address ("https://") would blank out half of every log.
_TOKEN: Final = re.compile(rb"[a-z0-9+/=_.~-]{16,}")
#: Base64 text of fewer characters than this is too likely to be something else.
_SHORTEST_BASE64: Final = 8


def whole_forms(secret: str) -> frozenset[bytes]:
    """Every form of the whole secret, lower-case."""
    raw = secret.encode("utf-8", "surrogatepass")
    plain = {secret, secret.strip(), quote(raw, safe=""), quote(raw), quote_plus(raw)}
    for _ in range(2):  # a text inside a JSON text inside a JSON line
        plain |= {escaped for text in plain for escaped in _escaped(text)}
    forms = {text.encode("utf-8", "surrogatepass") for text in plain}
    forms |= {raw.hex().encode(), *_base64_forms(raw)}
    return frozenset(form.lower() for form in forms if form)


def windows(secret: str) -> frozenset[bytes]:
    """Every piece of WINDOW characters of those words of a secret that are keys or tokens, lower-case."""
    return frozenset(
        word[start : start + WINDOW]
        for word in secret.encode("utf-8", "surrogatepass").lower().split()
        if _TOKEN.fullmatch(word)
        for start in range(len(word) - WINDOW + 1)
    )


def _escaped(text: str) -> Iterator[str]:
    yield json.dumps(text)[1:-1]
    yield json.dumps(text, ensure_ascii=False)[1:-1]
    yield escape_unsafe(json.dumps(text, ensure_ascii=False)[1:-1])
    yield repr(text)[1:-1]
    yield repr(text.encode("utf-8", "surrogatepass"))[2:-1]


def _base64_forms(raw: bytes) -> Iterator[bytes]:
    """Base64 of the secret alone, and the part of it that is the same whatever stands before and after it.

    Three bytes are four characters, so a secret inside a longer text ("user:secret") has one of three forms.
    """
    for whole in (base64.b64encode(raw), base64.urlsafe_b64encode(raw)):
        yield whole
        yield whole.rstrip(b"=")
    for before in range(3):
        padded = b"\0" * before + raw
        first = -(-8 * before // 6)
        last = 8 * len(padded) // 6
        for whole in (base64.b64encode(padded), base64.urlsafe_b64encode(padded)):
            core = whole[first:last]
            if len(core) >= _SHORTEST_BASE64:
                yield core
