"""Secrets in text: found by value in every form, by shape where they are not known, and never left behind."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from mqd_core.errors import ConfigError
from mqd_core.logging.line import LineBody, decode_line, encode_line
from mqd_core.logging.line_scrubbing import scrub_line
from mqd_core.logging.scrubbing import MASK, Scrubber, register_secret, scrub

KEY = "PKTB6Q2W9E4R7T1Y5U3I"
SECRET = "wq/8Zr4+TnB6kXfP2mVd7sLjH9cYgA3eRu5tKo1N"
CHARACTERS = st.characters(exclude_categories=["Cs"])
SECRETS = st.one_of(
    st.text(CHARACTERS, min_size=4, max_size=30),
    st.text("ab\"\\/+=\n*'é", min_size=4, max_size=12),
    st.from_regex(r"[A-Za-z0-9+/]{16,40}", fullmatch=True),
).filter(lambda secret: len(secret.strip()) >= 4)

#: How a secret may stand in a text: each is computed here, by the standard library, not by the code under test.
FORMS: dict[str, Callable[[str], str]] = {
    "raw": lambda secret: secret,
    "upper": lambda secret: "".join(each.upper() if each.isascii() else each for each in secret),
    "hex": lambda secret: secret.encode().hex(),
    "upper hex": lambda secret: secret.encode().hex().upper(),
    "base64": lambda secret: base64.b64encode(secret.encode()).decode(),
    "base64 for addresses": lambda secret: base64.urlsafe_b64encode(secret.encode()).decode().rstrip("="),
    "quoted": quote,
    "quoted whole": lambda secret: quote(secret, safe=""),
    "form": quote_plus,
    "json": lambda secret: json.dumps(secret)[1:-1],
    "json, not ASCII": lambda secret: json.dumps(secret, ensure_ascii=False)[1:-1],
    "json in json": lambda secret: json.dumps(json.dumps(secret))[1:-1],
    "repr": lambda secret: repr(secret)[1:-1],
    "repr of bytes": lambda secret: repr(secret.encode())[2:-1],
    "repr in json": lambda secret: json.dumps(repr(secret))[2:-2],
}


def scrubber(*secrets: str) -> Scrubber:
    """A scrubber that knows these secrets."""
    made = Scrubber()
    for secret in secrets:
        made.register(secret)
    return made


def leaks(text: str, secret: str) -> list[str]:
    """The forms of a secret that stand in a text."""
    low = text.lower()
    return [name for name, form in FORMS.items() if form(secret).lower() in low]


def texts(value: object) -> list[str]:
    """Every text in a decoded value, names included."""
    if isinstance(value, dict):
        return texts([*value, *value.values()])
    if isinstance(value, list):
        return [text for inner in value for text in texts(inner)]
    return [] if value is None else [str(value)]


@given(SECRETS, st.text(CHARACTERS), st.text(CHARACTERS), st.sampled_from(sorted(FORMS)))
@example("a***b", "a", "b", "raw")
@example("abc\\", "", "n", "json")
@example("\\\\\\\\", "\\", "\\", "raw")
def test_no_text_keeps_a_secret(secret: str, before: str, after: str, form: str) -> None:
    """Whatever stands around it and in whatever form it comes, the secret is gone, and so is every other form of it."""
    text = f"{before}{FORMS[form](secret)}{after}"
    clean = scrubber(secret).scrub(text)
    assert leaks(clean, secret) == []
    assert scrubber(secret).scrub(clean) == clean


@given(SECRETS, SECRETS, st.text(CHARACTERS, max_size=8))
def test_secrets_that_overlap_are_both_gone(first: str, second: str, between: str) -> None:
    """Two secrets, one inside the other or side by side, leave nothing of either."""
    clean = scrubber(first, second).scrub(f"{first}{second}{between}{first[:-1]}{second}")
    assert leaks(clean, first) == leaks(clean, second) == []


@given(SECRETS, st.text(CHARACTERS, max_size=9), st.text(CHARACTERS, max_size=9))
@example("hunter22abc", "u", "x")
@example("hunter22abc", "u:", "")
def test_base64_of_a_longer_text_keeps_no_secret(secret: str, before: str, after: str) -> None:
    """Inside `user:secret`, at any offset, the part that is the secret's own is cut out of the base64."""
    assume(len(secret.encode()) >= 7)
    whole = base64.b64encode(f"{before}{secret}{after}".encode()).decode()
    clean = scrubber(secret).scrub(f"Basic {whole}")
    for piece in re.findall(r"[A-Za-z0-9+/]+", clean):
        for skipped in range(4):
            whole_quads = piece[skipped:][: (len(piece) - skipped) // 4 * 4]
            assert secret.encode() not in base64.b64decode(whole_quads)


@given(st.from_regex(r"[A-Za-z0-9+/]{16,40}", fullmatch=True), st.data())
def test_no_piece_of_a_key_of_eight_characters_is_kept(secret: str, data: st.DataObject) -> None:
    """A key that was cut, by a log line's length limit for one, is gone as far as eight characters of it are left."""
    start = data.draw(st.integers(0, len(secret) - 8))
    stop = data.draw(st.integers(start + 8, len(secret)))
    clean = scrubber(secret).scrub(f"...{secret[start:stop]}...")
    assert all(secret[at : at + 8].lower() not in clean.lower() for at in range(len(secret) - 7))


@given(st.text(CHARACTERS))
def test_text_without_secrets_is_left_as_it_is(text: str) -> None:
    """Where nothing is registered and nothing looks like a key, not a character changes."""
    assume(not re.search(r"(?i)apca|authorization|[PAC]K[A-Z0-9]{16}", text))
    assert Scrubber().scrub(text) == text
    assert scrubber(SECRET).scrub(text) == text


@given(
    SECRETS,
    st.sampled_from(sorted(FORMS)),
    st.text(CHARACTERS, max_size=5),
    st.sampled_from(["message", "correlation_id", "logger", "name", "value", "nested", "number"]),
)
@example("00\r0", "json in json", "", "message")
@example("12345678", "raw", "", "number")
def test_no_log_line_keeps_a_secret(secret: str, form: str, around: str, place: str) -> None:
    """In whichever part of a line it stands, the secret is gone and the line is still one, of the same shape."""
    text = f"{around}{FORMS[form](secret)}{around}"
    parts: dict[str, object] = {"message": "m", "correlation_id": None, "logger": "l"}
    extra: dict[str, object] = {"symbol": "SPY"}
    if place in parts:
        parts[place] = text
    elif place == "name":
        extra[text] = 1
    elif place == "number" and secret.isdecimal() and secret.isascii():
        extra["number"] = int(f"1{secret}")
    else:
        extra["value"] = [{"deep": text}] if place == "nested" else text
    stamp = "2025-01-19T18:30:45.123456Z"
    empty = encode_line(LineBody(stamp, "INFO", "l", None, MASK, {}))
    known = scrubber(secret)
    assume(not known.holds_one(empty))

    line = scrub_line(encode_line(LineBody(stamp, "INFO", extra=extra, **parts)), known)  # type: ignore[arg-type]
    assert leaks(line.decode(), secret) == []
    body = decode_line(line)
    assert (body.timestamp, body.level) == (stamp, "INFO")
    assert [text for text in texts([body.message, body.correlation_id, body.extra]) if leaks(text, secret)] == []


def test_a_clean_line_is_the_same_bytes() -> None:
    """A line without a secret is not taken apart."""
    data = b'{"timestamp":"t","level":"INFO","logger":"l","correlation_id":null,"message":"m","extra":{"a":1.50}}'
    assert scrub_line(data, scrubber(SECRET, KEY)) is data


def test_a_value_whose_escape_completes_a_secret_is_masked_alone() -> None:
    """A line feed is written as a backslash and an n; where that n completes a secret, its value goes, others stay."""
    data = encode_line(LineBody("t", "INFO", "l", "c", "left", {"value": "\nabcdefg", "symbol": "SPY"}))
    clean = decode_line(scrub_line(data, scrubber("nabcdefg")))
    assert (clean.message, clean.extra) == ("left", {"value": MASK, "symbol": "SPY"})


def test_a_secret_made_of_the_parts_of_a_line_leaves_a_bare_line() -> None:
    """What only the putting together of a line makes up is cut out with all that a caller filled."""
    data = encode_line(LineBody("t", "INFO", "l", "c", "left", {"right": 1}))
    clean = decode_line(scrub_line(data, scrubber('left","extra')))
    assert (clean.correlation_id, clean.message, clean.extra) == (None, MASK, {})


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("APCA-API-KEY-ID: abc123, x", "APCA-API-KEY-ID: ***, x"),
        ("{'APCA-API-SECRET-KEY': 'abc 123', 'a': 1}", "{'APCA-API-SECRET-KEY': '***', 'a': 1}"),
        ('{\\"apca-api-secret-key\\": \\"abc\\", \\"a\\": 1}', '{\\"apca-api-secret-key\\": \\"***\\", \\"a\\": 1}'),
        ("[(b'Apca-Api-Key-Id', b'abc')]", "[(b'Apca-Api-Key-Id', '***')]"),
        ("apca-api-key-id=abc&x=1", "apca-api-key-id=***"),
        ("Authorization: Basic dXNlcjpwYXNz\nHost: x", "Authorization: ***\nHost: x"),
        ("{'Authorization': 'Bearer abc', 'a': 1}", "{'Authorization': '***', 'a': 1}"),
        ("Proxy-Authorization: Digest a=b, c=d", "Proxy-Authorization: ***"),
        ("Authorization failed for this account", "Authorization failed for this account"),
        ("key PKABCDEFGHIJKLMNOP12 is known", "key *** is known"),
        ("AK0123456789ABCDEF,CK0123456789ABCDEF", "***,***"),
        ("PKABCDEFGHIJKLM is too short, pkabcdefghijklmnopqr is no key", None),
    ],
)
def test_what_looks_like_a_credential_is_masked(text: str, clean: str | None) -> None:
    """Headers that carry credentials and broker's key ids are masked, known or not; nothing else is."""
    assert Scrubber().scrub(text) == (text if clean is None else clean)


def test_headers_in_extra_are_masked() -> None:
    """A header's value is masked as the value of a mapping and as the second of a pair, whatever it is."""
    extra = {
        "headers": {"APCA-API-SECRET-KEY": "short", "authorization": ["Basic x"], "Accept": "json"},
        "pairs": [["Proxy-Authorization", "Basic x"], ["Accept", "json"]],
    }
    line = scrub_line(encode_line(LineBody("t", "INFO", "l", None, "m", extra)), Scrubber())
    assert decode_line(line).extra == {
        "headers": {"APCA-API-SECRET-KEY": MASK, "authorization": MASK, "Accept": "json"},
        "pairs": [["Proxy-Authorization", MASK], ["Accept", "json"]],
    }


@pytest.mark.parametrize("secret", ["", "abc", "  abc  "])
def test_a_secret_that_is_too_short_is_refused(secret: str) -> None:
    """Three characters would blank out half of every log; the error does not say them."""
    with pytest.raises(ConfigError, match="at least 4") as caught:
        Scrubber().register(secret)
    assert "abc" not in str(caught.value)


def test_surrounding_white_space_of_a_secret_does_not_matter() -> None:
    """A value that was read with its end of line is found without it."""
    known = scrubber("hunter22abc\n")
    assert known.scrub(f"x hunter22abc y {b'hunter22abc'.hex()}") == f"x {MASK} y {MASK}"


def test_the_lines_of_a_key_file_are_found_one_by_one() -> None:
    """Of a secret of several words, each word that is a token is found by itself, and ordinary words are not."""
    known = scrubber(
        "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\nAgEGCCqGSM49AwEHBG0w\n-----END PRIVATE KEY-----"
    )
    assert known.scrub("PRIVATE MIGHAgEAMBMGByqGSM49 AgEGCCqGSM49AwEHBG0w") == f"PRIVATE {MASK} {MASK}"


def test_a_phrase_is_found_whole_only() -> None:
    """An address with a secret in it does not blank out every other address."""
    known = scrubber("https://hooks.example.com/T0/B0/Zk3q")
    assert known.scrub("see https://hooks.example.com/other") == "see https://hooks.example.com/other"
    assert known.scrub("post https://hooks.example.com/T0/B0/Zk3q") == f"post {MASK}"


def test_the_process_has_one_set_of_secrets() -> None:
    """What is registered once is scrubbed everywhere from then on."""
    secret = "Yb4Kq9Vw2Xr7Zt5Lp8Nd"
    assert scrub(f"x {secret}") == f"x {secret}"
    register_secret(secret)
    assert scrub(f"x {secret} y") == f"x {MASK} y"
