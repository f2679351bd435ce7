"""Where prices come from: bars shown as trades, pace, nights, and the command that runs it all."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mqd_core.api import MINUTE_NS, SECOND_NS, Bar, DataMissing
from mqd_plugin_alpaca_sandbox.command import sandbox
from mqd_plugin_alpaca_sandbox.market.bar_feed import BarFeed
from mqd_plugin_alpaca_sandbox.market.source import open_bars
from mqd_plugin_alpaca_sandbox.plugin import mqd_commands

START_NS = 1_789_000_000 * SECOND_NS // MINUTE_NS * MINUTE_NS
NIGHT_NS = 17 * 60 * MINUTE_NS


class Wall:
    """A wall clock that a test turns."""

    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns


def bars(*starts_ns: int, symbol: str = "SPY") -> Iterator[Bar]:
    """Bars that fall, then rise above their open."""
    for start_ns in starts_ns:
        yield Bar(symbol, start_ns, 10.0, 12.0, 9.0, 11.0, 100.0)


def test_a_bar_is_shown_as_four_trades() -> None:
    """Open, the turn away from the close, the other one, close: each at its time, scaled by the speed."""
    wall = Wall()
    feed = BarFeed({"SPY": bars(START_NS)}, 60.0, wall)
    assert feed.step() == (START_NS - MINUTE_NS, [])
    wall.now_ns = 2 * SECOND_NS
    now_ns, prints = feed.step()
    assert now_ns == START_NS + MINUTE_NS
    assert [row.price for row in prints] == [Decimal(10), Decimal(9), Decimal(12), Decimal(11)]
    assert [(row.ts_ns - START_NS) // SECOND_NS for row in prints] == [0, 20, 40, 59]


def test_symbols_are_shown_in_order_of_time() -> None:
    """Trades of one minute are mixed by time, and a bar is told once it is over."""
    wall, told = Wall(), []
    feed = BarFeed({"SPY": bars(START_NS), "QQQ": bars(START_NS, symbol="QQQ")}, 1.0, wall)
    feed.subscribe(told.append)
    wall.now_ns = 2 * MINUTE_NS - 1
    times = [row.ts_ns for row in feed.step()[1]]
    assert times == sorted(times)
    assert len(times) == 8
    assert told == []
    wall.now_ns += 1
    feed.step()
    assert [bar.symbol for bar in told] == ["QQQ", "SPY"]


def test_nights_are_passed_over() -> None:
    """Two minutes after the last trade it is a minute before the next one."""
    wall = Wall()
    feed = BarFeed({"SPY": bars(START_NS, START_NS + NIGHT_NS)}, 1.0, wall)
    wall.now_ns = 2 * MINUTE_NS
    feed.step()
    wall.now_ns = 5 * MINUTE_NS
    assert feed.step()[0] == START_NS + NIGHT_NS - MINUTE_NS


def test_earlier_bars_are_history() -> None:
    """The market begins where it was told to, and knows what was before."""
    feed = BarFeed({"SPY": bars(START_NS, START_NS + NIGHT_NS)}, 1.0, Wall(), START_NS + MINUTE_NS)
    assert feed.start_ns == START_NS + NIGHT_NS - MINUTE_NS
    assert [bar.start_ns for bar in feed.history["SPY"]] == [START_NS]
    assert feed.known_prices() == {"SPY": Decimal(11)}


def test_a_market_without_bars_is_refused() -> None:
    """There is no time to begin at."""
    with pytest.raises(ValueError, match="no bars"):
        BarFeed({"SPY": bars()}, 1.0, Wall())
    with pytest.raises(ValueError, match="speed was 0"):
        BarFeed({"SPY": bars(START_NS)}, 0, Wall())


def test_bars_come_from_an_installed_provider() -> None:
    """The synthetic market, found as mqd finds it."""
    try:
        found = open_bars("synthetic", ("SPY",), 7, 1)
    except DataMissing as error:
        pytest.skip(str(error))
    first = next(found["SPY"])
    assert (first.symbol, first.low <= first.open <= first.high) == ("SPY", True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--symbols", "spy"], "symbols are capitals"),
        (["--cash", "ten"], "is no amount"),
        (["--data", "nowhere-at-all"], "nowhere-at-all"),
    ],
)
def test_the_command_says_what_was_wrong(arguments: list[str], message: str) -> None:
    """Nothing is served, and the words name the option."""
    result = CliRunner().invoke(sandbox, ["--port", "0", *arguments])
    assert result.exit_code != 0
    assert message in result.output


def test_the_command_is_offered_to_mqd() -> None:
    """One record, whose command is loaded late."""
    (record,) = mqd_commands()
    assert record.load() is sandbox


def test_the_command_serves_an_account(tmp_path: Path) -> None:
    """As a process of its own: an order is filled at a price of the synthetic market."""
    try:
        open_bars("synthetic", ("SPY",), 7, 1)
    except DataMissing as error:
        pytest.skip(str(error))
    program = "from mqd_plugin_alpaca_sandbox.command import sandbox; sandbox()"
    arguments = [sys.executable, "-u", "-c", program, "--port", "0", "--speed", "600", "--days", "1"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, encoding="utf-8", cwd=tmp_path) as process:
        try:
            assert process.stdout is not None
            port = re.fullmatch(r"trading  http://127\.0\.0\.1:(\d+)\n", process.stdout.readline())
            assert port is not None
            account = _ask(port.group(1), "account")
            assert account["cash"] == "1000"
            order = _ask(port.group(1), "orders", {"notional": "100"})
            for _ in range(100):
                if _ask(port.group(1), f"orders/{order['id']}")["status"] == "filled":
                    break
                threading.Event().wait(0.05)
            assert _ask(port.group(1), "positions")[0]["symbol"] == "SPY"
        finally:
            process.terminate()
            process.wait(timeout=10)


def _ask(port: str, path: str, order: dict[str, str] | None = None) -> Any:
    """Send a request and take the JSON of its answer, a refusal's too; a moment's pause between them."""
    usual = {"symbol": "SPY", "side": "buy", "type": "market", "time_in_force": "day"}
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v2/{path}",
        None if order is None else json.dumps({**usual, **order}).encode(),
        {"APCA-API-KEY-ID": "sandbox-key", "APCA-API-SECRET-KEY": "sandbox-secret"},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return json.load(error)
