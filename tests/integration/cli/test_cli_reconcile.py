"""What `mqd reconcile`, `mqd status` and `mqd positions` say of an account that differs, and of a missing stop."""

from __future__ import annotations

import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mqd_core.testing.distributions import make_distribution

HALTED = 5
SECONDS_MAX = 60.0
#: Buys once, asks for a stop, and holds.
HOLD = '''
from decimal import Decimal

from mqd_core.api import Signal, SignalAction


class Hold:
    """Buys once and holds."""

    def __init__(self, settings, context):
        self.asked = False

    def on_bar(self, bar, view):
        if self.asked or view.book.quantity:
            return ()
        self.asked = True
        return (Signal(action=SignalAction.ENTER, symbol=bar.symbol, stop_loss=Decimal("0.5")),)

    def on_fill(self, fill, view):
        pass
'''


@pytest.fixture
def doubtful(desk: Any) -> Any:
    """A desk with the broker of `doubtful_plugin`, on data that do not end while the test looks."""
    target = "doubtful_plugin_under_test.plugin"
    source = Path(__file__).with_name("doubtful_plugin.py").read_text(encoding="utf-8")
    make_distribution(
        desk.site,
        "mqd-plugin-doubtful",
        entry_points={"mqd.brokers": {"doubtful": target}},
        modules={"doubtful_plugin_under_test/plugin.py": source},
    )
    desk.configure(strategy='"./mine.py:Hold"', days=40, data=", pace: 20", lookback_bars=0, source=HOLD)
    path = desk.folder / "config" / "config.yaml"
    text = path.read_text(encoding="utf-8").replace("name: mock", "name: doubtful")
    path.write_text(text, encoding="utf-8", newline="\n")
    return desk


def lay_down(desk: Any, name: str, text: str = "") -> None:
    """A file for the broker, which may look at any moment: whole, or not there."""
    folder = desk.folder / "venue"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.new").write_text(text, encoding="utf-8", newline="\n")
    (folder / f"{name}.new").rename(folder / name)


def wait_for(found: Callable[[], Any]) -> Any:
    """What is found in the end; fails when the time is over."""
    deadline = time.monotonic() + SECONDS_MAX
    while not (one := found()):
        assert time.monotonic() < deadline, "waited in vain"
    return one


def test_a_difference_is_shown_until_a_person_has_accepted_it(doubtful: Any) -> None:
    """Halted for shares that nobody traded, the desk says which; resumed and accepted, books and broker are one."""
    process = doubtful.start("run")
    process.wait_for("Order filled")
    assert doubtful.answer("reconcile")["differences"] == []
    lay_down(doubtful, "extra", "SPHD 2")
    assert process.end()[0] == HALTED
    answer = doubtful.answer("reconcile")
    (difference,) = answer["differences"]
    assert (difference["symbol"], difference["state"]) == ("SPHD", "position_unexplained")
    assert Decimal(difference["broker"]) - Decimal(difference["books"]) == 2
    assert answer["frozen_symbols"] == ["SPHD (position_differs)"]
    shown = doubtful.call("reconcile").stdout
    assert f"SPHD: books {difference['books']}, broker {difference['broker']} (position_unexplained" in shown
    assert "`mqd resume --reason TEXT`; `mqd reconcile --accept --reason TEXT`" in shown
    for command in ("status", "positions"):
        assert doubtful.answer(command)["frozen_symbols"] == ["SPHD (position_differs)"]
        assert "frozen symbols" in doubtful.call(command).stdout
    assert doubtful.answer("resume", "--reason", "they are a gift")["state"] == "ready"
    again = doubtful.start("run")
    again.wait_for("Run started")
    assert doubtful.answer("reconcile", "--accept", "--reason", "a gift")["taken_by"] == "desk"
    after = wait_for(lambda: (one := doubtful.answer("reconcile"))["differences"] == [] and one)
    assert (after["state"], after["frozen_symbols"], after["freezes"]) == ("ready", [], [])
    (position,) = doubtful.answer("positions")["positions"]
    assert position["quantity"] == difference["broker"]
    assert "nothing, as last compared" in doubtful.call("reconcile").stdout
    again.interrupt()
    assert again.end()[0] == 0


def test_a_position_without_its_stop_is_shown(doubtful: Any) -> None:
    """Where the broker refuses every stop, all three commands name the position as unprotected."""
    lay_down(doubtful, "no_stops")
    process = doubtful.start("run")
    process.wait_for("Order filled")
    (name,) = wait_for(lambda: doubtful.answer("status")["unprotected"])
    process.interrupt()
    assert process.end()[0] == 0
    assert name.endswith(":SPHD")
    for command in ("status", "positions", "reconcile"):
        assert doubtful.answer(command)["unprotected"] == [name]
        assert name in doubtful.call(command).stdout
