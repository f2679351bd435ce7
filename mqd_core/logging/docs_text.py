"""Writes docs/LOGGING.md from the catalogue: `python -m mqd_core.logging.docs_text [--check] [FILE]`.

Streams, events and fields come from what the desk is held to when it logs, the example from the code that encodes
lines. May not describe an event by hand.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from mqd_core.domain.identity import client_order_id
from mqd_core.logging.catalogue import ORDER_SUBMITTED, catalogue_markdown
from mqd_core.logging.files import KEPT_ARCHIVES, LIMIT_BYTES
from mqd_core.logging.levels import LEVELS
from mqd_core.logging.line import LineBody, encode_line, timestamp_text

DEFAULT_FILE: Final = Path("docs/LOGGING.md")

_OPENING: Final = """\
<!-- Made by `python -m mqd_core.logging.docs_text`. Edit the catalogue, not this page: a test compares the two. -->
# Logging

A desk writes seven streams of JSON lines, each into a folder of its own under `logging.log_dir`: `orders/orders.jsonl`
and so on. A file is rotated before it grows beyond {megabytes} MB; `orders.jsonl.1.gz` is the newest of at most
{archives} compressed ones. With `json_logs: false` the same lines are readable text in `orders/orders.log`.

The log is for people and for analysis. The truth is the journal in the store: the log is written from what was
committed there, so a line about an order never tells of something that a crash could undo. Should the disk be full,
lines may be missing from the log (it says so itself), never from the journal.

## A line

    {example}

| key | meaning |
|---|---|
| `timestamp` | when it happened, UTC, microseconds; of trading: the event's time, which in a backtest is the data's |
| `level` | {levels} |
| `logger` | `miniquantdesk.` and the stream |
| `correlation_id` | one for each signal, kept through size, order and fills; null for what no signal caused |
| `message` | a constant: search for it |
| `extra` | what changes: the fields below. Not every line has every field, but none has another one |

Prices, quantities and money are decimal strings, so that no digit is lost: read them with `Decimal`, not with `float`.
Durations name their unit. Secrets are masked by value before a line is written.

The level that stands with an event below is the usual one; alerts, states and limits are as loud as what they tell of.

## From a signal to its outcome

All lines from `Signal made` to the last fill of its order share one `correlation_id`. An entry and the exit that ends
it are two signals, so `Trade closed` names both: `entry_correlation_id` and `exit_correlation_id`. Joined by them, the
log alone is a table for training a model: the `indicators` of the entry, what the sizer and the risk gate made of it,
the prices of its fills, and the `profit` it ended with. Signals that were refused end in `Order denied`.

```python
import json
from decimal import Decimal
from pathlib import Path

signals = {{}}
with Path("logs/trading/trading.jsonl").open(encoding="utf-8") as file:
    for line in map(json.loads, file):
        extra = line["extra"]
        if line["message"] == "Signal made":
            signals[line["correlation_id"]] = extra["indicators"]
        elif line["message"] == "Trade closed":
            print(signals[extra["entry_correlation_id"]], Decimal(extra["profit"]))
```

A correlation id is unique within a book: the same decision in another backtest has the same id, so that two runs can be
compared. Where several backtests share a log folder, join by `run_id` and `correlation_id`; a `mqd run` that was
stopped goes on in its book with another `run_id`.

# Events

"""


def logging_page() -> str:
    """The page as it should be committed."""
    opening = _OPENING.format(
        megabytes=LIMIT_BYTES // 1024**2, archives=KEPT_ARCHIVES, example=_example(), levels=_levels()
    )
    return opening + catalogue_markdown().rstrip("\n") + "\n"


def _levels() -> str:
    *names, last = (f"`{name}`" for name in LEVELS)
    return f"{', '.join(names)} or {last}"


def _example() -> str:
    body = LineBody(
        timestamp=timestamp_text(1_737_311_445_123_456_000),
        level=ORDER_SUBMITTED.level,
        logger=ORDER_SUBMITTED.stream.logger_name,
        correlation_id="abcdef-1742-1",
        message=ORDER_SUBMITTED.message,
        extra={
            "order_id": client_order_id("abcdef", 1742, 3),
            "symbol": "SPY",
            "quantity": "0.166",
            "side": "buy",
            "strategy_id": "vwap",
            "entry_price": "598.45",
            "attempt": 1,
            "run_id": "20250119T182900Z-run-1f0c2a",
        },
    )
    return encode_line(body).decode()


def main(arguments: Sequence[str]) -> int:
    """Write the page, or with --check say whether the file is as it should be: 0 if it is, 1 if it is stale."""
    named = [Path(argument) for argument in arguments if argument != "--check"]
    file = named[0] if named else DEFAULT_FILE
    page = logging_page()
    if "--check" in arguments:
        current = file.read_text(encoding="utf-8") if file.is_file() else ""
        if current == page:
            return 0
        sys.stderr.write(f"{file} is stale; run: python -m mqd_core.logging.docs_text\n")
        return 1
    file.write_text(page, encoding="utf-8", newline="\n")
    sys.stdout.write(f"{file}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
