"""Canary secrets sent down every path to the log: none arrives, in any file, archive or console."""

from __future__ import annotations

import base64
import gzip
import logging
import warnings
from pathlib import Path

import pytest
import structlog

from mqd_core.logging import (
    LogContext,
    LogStream,
    StreamLogger,
    flush_logging,
    get_logger,
    register_secret,
    shutdown_logging,
    write_record,
)
from mqd_core.logging.files import LIMIT_BYTES

CANARY = 'hX3+"vQ9\\pL7/zR2 kW5=mT8é'
TOKEN = "Gd8Wn3Rk6Ys1Lb9Fq4Jt7Xp2Hv5Cm0Z"
ENCODED = (
    CANARY,
    TOKEN,
    TOKEN.lower(),
    TOKEN.encode().hex(),
    TOKEN.encode().hex().upper(),
    base64.b64encode(TOKEN.encode()).decode(),
    base64.b64encode(CANARY.encode()).decode(),
    CANARY.encode().hex(),
)


class Response:
    """What an SDK's error may carry."""

    def __repr__(self) -> str:
        return f"Response(headers={{'Authorization': 'Basic {TOKEN}'}}, body={CANARY!r})"


def send_everywhere() -> None:
    """Log the canaries on every path there is."""
    logger = get_logger(LogStream.ORDERS).bind(bound=TOKEN)
    with LogContext(f"id-{TOKEN}"):
        for text in ENCODED:
            logger.warning("Sent %s", text, extra={"value": text, text: 1, "response": Response()}, named=[text])
            logging.getLogger(f"sdk.{TOKEN}").warning("Sent %s", text, extra={"value": text})
            structlog.get_logger("plugin").warning(text, value={"deep": (text,)})
            warnings.warn(text, stacklevel=1)
            write_record(LogStream.RISK, "WARNING", "Order denied", text, 0, {"reason": text, "bytes": text.encode()})
            fail(text, logger)


def fail(text: str, logger: StreamLogger) -> None:
    """Log an error that holds the text in its own words, in its cause's, and in the line that raises it."""
    try:
        raise_from_cause(text)
    except ValueError:
        logger.exception("Failed")


def raise_from_cause(text: str) -> None:
    """Raise an error that was caused by another one, both with the text in them."""
    try:
        raise ConnectionError(text, {"APCA-API-SECRET-KEY": text})  # noqa: TRY301 - the chain is what is tested
    except ConnectionError as error:
        raise ValueError(f"while sending {text}") from error


@pytest.mark.parametrize("json_logs", [True, False])
def test_no_secret_reaches_a_file_or_the_console(logs, capsys: pytest.CaptureFixture[str], json_logs: bool) -> None:
    """At DEBUG, from loggers of all kinds, in every part of a line, no form and no piece of a canary is left."""
    register_secret(CANARY)
    register_secret(TOKEN)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logs.set_up(log_level="DEBUG", console="DEBUG", json_logs=json_logs)
        send_everywhere()
        shutdown_logging()
    written = "".join(
        path.read_text(encoding="utf-8") for path in logs.folder.rglob("*.*") if path.suffix in {".jsonl", ".log"}
    )
    shown = capsys.readouterr()
    assert written.count("Sent") == 2 * len(ENCODED)
    assert shown.out == ""
    for text in (written, shown.err):
        assert "***" in text
        assert not [piece for piece in pieces() if piece.lower() in text.lower()]


def pieces() -> list[str]:
    """Every canary, encoded, and every run of eight characters of the token."""
    return [*ENCODED, *(TOKEN[at : at + 8] for at in range(len(TOKEN) - 7))]


def test_no_secret_reaches_an_archive(logs) -> None:
    """What is compressed was scrubbed before."""
    register_secret(TOKEN)
    logs.set_up()
    (logs.folder / "orders" / "orders.jsonl").write_bytes(b"\n" * (LIMIT_BYTES - 1_000))
    for _ in range(20):
        get_logger(LogStream.ORDERS).info("Sent", extra={"token": TOKEN, "padding": "x" * 100})
    assert flush_logging()
    files = [gzip.decompress(path.read_bytes()) for path in Path(logs.folder).rglob("*.gz")]
    assert len(files) == 1
    assert b"Sent" in files[0]
    assert TOKEN.encode() not in files[0]


def test_a_secret_is_scrubbed_before_any_set_up(capsys: pytest.CaptureFixture[str]) -> None:
    """A warning of a desk that has not set logging up yet is as clean as a log line."""
    register_secret(TOKEN)
    get_logger(LogStream.SYSTEM).warning("Sent", extra={"token": TOKEN})
    assert capsys.readouterr().err.endswith(" Sent token=***\n")
