"""Two journals by hand, side by side: what differs, when it first shows, why, and what it cost, to the last digit."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from mqd_core.app.comparing import BarDifference, Comparison, compare
from mqd_core.app.trail import Trail
from mqd_core.domain.events import TimerFired
from mqd_core.domain.journal import encode_body, kind_of
from mqd_core.domain.market import MINUTE_NS, SECOND_NS
from mqd_core.domain.signals import SignalAction
from mqd_core.ports import JournalRow

NOTHING: dict[str, Any] = {}


def trail_of(journal: Any) -> Trail:
    """The journal as a comparison reads it."""
    return Trail(
        JournalRow(sequence=one.sequence, ordinal=one.ordinal, kind=kind_of(one.body), body=encode_body(one.body))
        for one in journal.entries
    )


def no_bar(_until_ns: int) -> None:
    """The bars of both were the same."""


def trade(journal: Any, key: str, quantity: str = "2", prices: tuple[str, str] = ("100", "101"), **options: Any) -> Any:
    """One round trip: `late_ns` puts the exit's fill off, `fee` is the entry's."""
    for part, side, price in (("in", "buy", prices[0]), ("out", "sell", prices[1])):
        journal.event(TimerFired)
        action = SignalAction.ENTER if part == "in" else SignalAction.EXIT
        journal.signal(f"c-{key}-{part}", action=action)
        journal.approve(f"{key}-{part}", quantity=Decimal(quantity))
        journal.event(TimerFired, ts=journal.now_ns + 1)
        journal.now_ns += options.get("late_ns", 0) if part == "out" else 0
        fee = options.get("fee", "0") if part == "in" else "0"
        journal.fill(side, quantity, price, correlation_id=f"c-{key}-{part}", fee=fee)
    return journal


def compared(a: Any, b: Any, **options: Any) -> Comparison:
    """The comparison of two journals with the same bars and configuration."""
    return compare(trail_of(a), trail_of(b), options.get("configs", (NOTHING, NOTHING)), options.get("bars", no_bar))


@pytest.fixture
def pair(new_journal: Callable[[], Any]) -> tuple[Any, Any]:
    """Two journals with one round trip each, the same."""
    return trade(new_journal(), "first"), trade(new_journal(), "first")


def test_equal_journals_are_equal(pair: tuple[Any, Any]) -> None:
    """Every decision agrees, and no bar was asked for."""
    found = compared(*pair, bars=lambda _until: pytest.fail("nothing differs: no bar has to be read"))
    assert found.is_equal
    assert (found.agree, found.divergences, found.trips, found.cause) == (2, (), (), None)


def test_a_dearer_fill_costs_exactly_what_it_cost(pair: tuple[Any, Any]) -> None:
    """A fill at another price is the first difference, at its time, and its money is that of its round trip."""
    a, b = trade(pair[0], "second"), trade(pair[1], "second", prices=("100.03", "101"))
    found = compared(a, b)
    assert [one.kind for one in found.divergences] == ["fill"]
    assert (found.divergences[0].text_a, found.divergences[0].text_b) == ("2 at 100 USD", "2 at 100.03 USD")
    assert (found.cause, found.agree) == ("fill", 3)
    (trip,) = found.trips
    assert (trip.profit_a, trip.profit_b, trip.difference) == (Decimal(2), Decimal("1.94"), Decimal("-0.06"))
    assert (trip.cause, found.difference) == ("entry: fill", Decimal("-0.06"))


def test_a_fee_is_money_too(pair: tuple[Any, Any]) -> None:
    """The same fill with a fee is another fill."""
    found = compared(trade(pair[0], "second"), trade(pair[1], "second", fee="0.01"))
    assert found.cause == "fill"
    assert found.divergences[0].text_b == "2 at 100 USD, fees 0.01 USD"
    assert found.difference == Decimal("-0.01")


@pytest.mark.parametrize(("late_ns", "kinds"), [(59 * SECOND_NS, []), (MINUTE_NS, ["time"])])
def test_a_fill_is_late_from_a_minute_on(new_journal: Callable[[], Any], late_ns: int, kinds: list[str]) -> None:
    """A live venue's milliseconds are no difference; a fill in another minute is, though no money is in it."""
    found = compared(trade(new_journal(), "one"), trade(new_journal(), "one", late_ns=late_ns))
    assert [one.kind for one in found.divergences] == kinds
    assert found.is_equal is not bool(kinds)
    assert found.difference == 0


def test_another_quantity_is_another_size(pair: tuple[Any, Any]) -> None:
    """Another quantity is the same decision of another size, and its money that of its round trip."""
    found = compared(trade(pair[0], "second"), trade(pair[1], "second", quantity="3"))
    assert [one.kind for one in found.divergences] == ["size", "size"]
    assert (found.divergences[0].text_a, found.divergences[0].text_b) == ("quantity 2", "quantity 3")
    assert (found.trips[0].cause, found.difference) == ("entry: size", Decimal(1))


def test_another_limit_price_is_another_decision(pair: tuple[Any, Any]) -> None:
    """Terms but the size make a decision another one, and say which they are."""
    a, b = pair
    for journal, limit in ((a, "99"), (b, "98")):
        journal.event(TimerFired)
        journal.signal("c-limited")
        journal.approve("limited", limit_price=Decimal(limit))
    found = compared(a, b)
    assert (found.cause, found.divergences[0].text_b) == ("decision", "limit_price 98")


def test_what_one_run_did_alone(pair: tuple[Any, Any]) -> None:
    """A round trip that only one run made is its own profit, and both of its decisions differ."""
    a, b = pair[0], trade(pair[1], "second")
    found = compared(a, b)
    assert [(one.kind, one.text_a) for one in found.divergences] == [("decision", "no decision")] * 2
    (trip,) = found.trips
    assert (trip.profit_a, trip.profit_b, trip.difference) == (None, Decimal(2), Decimal(2))
    back = compared(b, a)
    assert (back.trips[0].difference, back.difference) == (Decimal(-2), Decimal(-2))


def test_a_denial_names_its_code(pair: tuple[Any, Any]) -> None:
    """One was allowed what the other was denied."""
    a, b = pair
    for journal in pair:
        journal.event(TimerFired)
        journal.signal("c-more")
    a.approve("more")
    b.deny("c-more", "max_positions")
    found = compared(a, b)
    assert (found.cause, found.divergences[0].text_b) == ("denial", "enter denied: max_positions")
    a.deny("c-early", "stale")
    assert compared(a, a).is_equal


def test_bars_and_settings_explain_before_decisions_do(pair: tuple[Any, Any]) -> None:
    """A bar that differs before the first difference is its cause; then a setting that decides; a store is none."""
    a, b = pair[0], trade(pair[1], "second")
    asked: list[int] = []
    bar = BarDifference(1, "SPY", "open 1.0", "no bar")

    def first_bar(until_ns: int) -> BarDifference:
        asked.append(until_ns)
        return bar

    settings = {"risk": {"max_open_positions": 1}}, {"risk": {"max_open_positions": 2}}
    found = compared(a, b, bars=first_bar, configs=settings)
    assert (found.cause, found.bar, asked) == ("bar", bar, [found.divergences[0].ts])
    found = compared(a, b, configs=settings)
    assert found.cause == "configuration"
    assert found.configuration == ("risk.max_open_positions: 1 then, 2 now",)
    stores = {"store": {"path": "a.db"}}, {"store": {"path": "b.db"}}
    assert compared(a, b, configs=stores).cause == "decision"


def test_a_window_leaves_out_what_is_outside(pair: tuple[Any, Any]) -> None:
    """Of two runs of which one went on, the time that both lived through can be equal."""
    end = pair[0].now_ns
    a, b = trail_of(pair[0]), trail_of(trade(pair[1], "second"))
    assert compare(a, b, (NOTHING, NOTHING), no_bar, (a.first_ns, end)).is_equal
    assert (a.profit, b.profit, a.fills, b.fills) == (Decimal(2), Decimal(4), 2, 4)
