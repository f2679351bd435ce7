"""`mqd watchdog`: notices a desk that hangs or died with orders open, and does what `mqd kill` does."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from typing import Any

import pytest

from mqd_core.runtime.halt_file import HaltFile
from mqd_core.runtime.heartbeat import HeartbeatFile

HALTED = 5

WAITING = '''
from decimal import Decimal

from mqd_core.api import OrderType, Signal, SignalAction


class Waiting:
    """Bids far below the market, and waits."""

    def __init__(self, settings, context):
        self.asked = False

    def on_bar(self, bar, view):
        if self.asked:
            return ()
        self.asked = True
        price = Decimal(repr(round(bar.close * 0.97, 2)))
        return (Signal(action=SignalAction.ENTER, symbol=bar.symbol, order_type=OrderType.LIMIT, limit_price=price),)

    def on_fill(self, fill, view):
        pass
'''


@pytest.fixture
def waiting(desk: Any, venue: Any) -> Callable[..., Any]:
    """Start a desk with an order that rests, and wait until it says so by its heartbeat."""

    def start(*options: str) -> Any:
        desk.configure(strategy='"./mine.py:Waiting"', data=", pace: 4", lookback_bars=0, source=WAITING)
        venue.use("outliving")
        process = desk.start("run", *options)
        process.wait_for("Order acknowledged")
        return process

    return start


def folder(desk: Any) -> Any:
    return desk.folder / "var" / "tested"


def orders_in_heartbeat(desk: Any) -> int:
    beat = HeartbeatFile(folder(desk)).read()
    return 0 if beat is None else beat.open_orders


def test_a_desk_that_died_with_an_order_open_is_looked_after(
    desk: Any, venue: Any, waiting: Callable[..., Any]
) -> None:
    """Nobody stops the desk in order: after the silence its orders are canceled, it is halted, and somebody is told."""
    process = waiting()
    venue.lay_down("resting")
    watchdog = desk.start("watchdog", "--after", "1")
    process.popen.kill()
    process.end()
    code, _, err = watchdog.end()
    assert code == HALTED, err
    assert "no sign of life of process" in err
    assert venue.statuses == ["canceled"]
    note = HaltFile(folder(desk)).read()
    assert note is not None
    assert note.person == "watchdog"
    assert desk.call("run").returncode == HALTED


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot be stopped there")
def test_a_desk_that_hangs_is_halted_and_stays_so(desk: Any, venue: Any, waiting: Callable[..., Any]) -> None:
    """A stopped process is as silent as a dead one; when it wakes up it finds itself halted."""
    process = waiting()
    venue.lay_down("resting")
    process.popen.send_signal(signal.SIGSTOP)
    done = desk.call("watchdog", "--after", "1")
    assert done.returncode == HALTED, done.stderr
    assert venue.statuses == ["canceled"]
    process.popen.send_signal(signal.SIGCONT)
    assert process.end()[0] == HALTED


def test_a_watchdog_leaves_with_its_desk(desk: Any, venue: Any, waiting: Callable[..., Any]) -> None:
    """`mqd run --watchdog` starts one that ends when the desk is stopped in order, and does nothing to it."""
    process = waiting("--watchdog")
    venue.lay_down("resting")
    # Two calls of mqd take longer than the watchdog's start.
    assert desk.answer("status")["open_orders"] == len(desk.answer("orders")["orders"]) == 1
    process.interrupt()
    # The watchdog shares this desk's stderr: that it can be read to its end says that both are gone.
    code, _, err = process.end()
    assert code == 0, err
    assert venue.statuses == ["new"]
    assert orders_in_heartbeat(desk) == 0
    assert not HaltFile(folder(desk)).is_set
