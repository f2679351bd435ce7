"""What strategies answer: every kind of garbage quarantines, names itself, and changes nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from enum import Enum
from typing import Any

import msgspec
import pytest

from mqd_core.domain.journal import decode_body, encode_body
from mqd_core.domain.orders import OrderType, TimeInForce
from mqd_core.domain.records import Alert, Approved, Denied, PluginMoved, SignalMade
from mqd_core.domain.signals import Signal, SignalAction
from mqd_core.engine.effects import SubmitOrder
from mqd_core.testing.bars import make_bars, merge
from mqd_core.testing.engines import (
    AnsweringStrategy,
    ScriptedStrategy,
    Workbench,
    enter,
    leave,
    make_settings,
    make_slot,
)

D = Decimal
FLAT = [100.0] * 6


class Word(str, Enum):
    """A word that is equal to another."""

    BUY = "enter"


class Unclear:
    """An answer that will not say whether it is one."""

    def __bool__(self) -> bool:
        raise ValueError("the truth value of an array is ambiguous")


def raising() -> Iterator[Signal]:
    """A generator that fails after its first signal."""
    yield enter()
    raise LookupError("halfway")


def answering(answer: Any, others: int = 0) -> Workbench:
    """A desk whose first strategy gives this answer to its third bar, beside others that do nothing."""
    seen: list[object] = []

    def on_bar(bar: object, _view: object) -> Any:
        seen.append(bar)
        return answer() if len(seen) == 3 else ()

    slots = [make_slot(AnsweringStrategy(on_bar), strategy_id="wild")]
    slots += [make_slot(ScriptedStrategy({5: enter()}), strategy_id="calm")] * others
    return Workbench(make_settings(slots)).start().play(make_bars(FLAT))


@pytest.mark.parametrize("others", [0, 1])
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (enter(), "on_bar returned Signal; a sequence of Signal"),
        (5, "on_bar returned int"),
        ("buy", "a sequence with str in it"),
        ([None], "a sequence with NoneType in it"),
        ([enter(), "sell"], "a sequence with str in it"),
        ({"action": "enter"}, "a sequence with str in it"),
        ([enter("QQQ")], "the signal is for 'QQQ'; this strategy trades SPY"),
        ([enter(None)], "the signal is for None"),  # type: ignore[arg-type]
        ([Signal(action="enter", symbol="SPY")], "action is 'enter'; a SignalAction is allowed"),  # type: ignore[arg-type]
        ([Signal(action=Word.BUY, symbol="SPY")], "a SignalAction is allowed"),  # type: ignore[arg-type]
        ([enter(order_type="limit")], "order_type is 'limit'; a OrderType is allowed"),
        ([enter(time_in_force="gtc")], "a TimeInForce is allowed"),
        ([enter(stop_loss=D(0))], "stop_loss is Decimal('0'); a Decimal fraction between 0 and 1"),
        ([enter(stop_loss=D(1))], "a Decimal fraction between 0 and 1"),
        ([enter(stop_loss=0.02)], "a Decimal fraction between 0 and 1"),
        ([enter(take_profit=D("NaN"))], "take_profit is Decimal('NaN')"),
        ([enter(order_type=OrderType.LIMIT, limit_price=99.5)], "limit_price is 99.5; a Decimal above 0"),
        ([enter(order_type=OrderType.LIMIT, limit_price=D("1e40"))], "limit_price is Decimal('1E+40')"),
        ([enter(order_type=OrderType.STOP, stop_price=D(-1))], "stop_price is Decimal('-1')"),
        ([enter(reason=(("a",),))], "not enough values"),
        ([enter(reason=5)], "not iterable"),
        ([enter(reason={"a": 1})], "not enough values"),
        ([enter(reason=((1, "a"),))], "pairs of a name and a str, int or float"),
        ([enter(reason=(("a", None),))], "the reason holds ('a', None)"),
        ([enter(reason=(("a", D(1)),))], "pairs of a name and a str, int or float"),
    ],
    ids=lambda value: repr(value)[:40] if not isinstance(value, int) else str(value),
)
def test_garbage(answer: Any, words: str, others: int) -> None:
    """It is quarantined with words that name what was wrong; nothing is recorded of its wishes, others trade on."""
    bench = answering(lambda: answer, others)
    (fault,) = bench.of(PluginMoved)
    assert (fault.plugin, fault.symbol, fault.state) == ("strategy:wild", "SPY", "quarantined")
    assert words in fault.text
    assert [signal.strategy_id for signal in bench.of(SignalMade)] == ["calm"] * others
    assert len(bench.sent(SubmitOrder)) == others
    (alert,) = [alert for alert in bench.of(Alert) if alert.code == "strategy_quarantined"]
    assert words in alert.text
    assert bench.engine.quarantined
    assert bench.engine.bars == len(FLAT)


@pytest.mark.parametrize("others", [0, 1])
@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (lambda: 1 / 0, "ZeroDivisionError"),
        (raising, "LookupError"),
        (Unclear, "ValueError"),
        (lambda: (_ for _ in ()).throw(SystemExit(3)), "SystemExit"),
        (lambda: __import__("sys").exit("bye"), "SystemExit"),
    ],
)
def test_raising(answer: Any, kind: str, others: int) -> None:
    """What it raises, at once, by its truth value or while it is read, quarantines it; a call to exit does too."""
    bench = answering(answer, others)
    (fault,) = bench.of(PluginMoved)
    assert (fault.error_type, fault.state) == (kind, "quarantined")
    assert fault.place.startswith("test_answers.py:")
    assert [signal.strategy_id for signal in bench.of(SignalMade)] == ["calm"] * others


def test_a_process_may_still_end() -> None:
    """Ctrl-C is no fault of a strategy."""

    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        answering(interrupted)


def test_working_entry_is_canceled() -> None:
    """The entry of a strategy that is quarantined is canceled; what it holds stays, and a person is told of it."""
    strategy = ScriptedStrategy({1: enter(), 3: enter(), 4: ValueError("x")})
    bench = Workbench(make_settings([make_slot(strategy)])).start()
    bench.play(make_bars(FLAT)[:2])
    bench.venue.is_holding = True
    bench.play(make_bars(FLAT)[2:])
    assert [order.status.value for order in bench.venue.orders.values()] == ["filled", "canceled"]
    (alert,) = [alert for alert in bench.of(Alert) if alert.code == "strategy_quarantined"]
    assert "its position of 1 SPY" in alert.text


def test_other_symbols_go_on() -> None:
    """A strategy that is one object a symbol loses the symbol in which it failed, and only that."""
    broken, sound = ScriptedStrategy({2: ValueError("x")}), ScriptedStrategy({4: enter("QQQ")})
    slots = [make_slot(broken, "SPY", strategy_id="pair"), make_slot(sound, "QQQ", strategy_id="pair")]
    bench = Workbench(make_settings(slots)).start()
    bench.play(merge(make_bars(FLAT), make_bars(FLAT, symbol="QQQ")))
    assert [len(strategy.bars) for strategy in (broken, sound)] == [2, 6]
    assert [order.symbol for order in bench.of(Approved)] == ["QQQ"]


def test_exit_in_flight_goes_on() -> None:
    """An exit that its strategy had asked for is not canceled with it."""
    strategy = ScriptedStrategy({1: enter(), 3: leave(), 4: ValueError("x")})
    bench = Workbench(make_settings([make_slot(strategy)])).start()
    bench.play(make_bars(FLAT)[:3])
    bench.venue.is_holding = True
    bench.play(make_bars(FLAT)[3:5])
    bench.venue.is_holding = False
    bench.play(make_bars(FLAT)[5:])
    assert bench.account.positions == ()


class TestReason:
    @pytest.mark.parametrize(
        ("value", "written"),
        [
            (1.5, 1.5),
            (3, 3),
            ("word", "word"),
            (True, 1),
            (float("nan"), "nan"),
            (float("-inf"), "-inf"),
            (10**30, 10**30),
        ],
    )
    def test_values(self, value: Any, written: Any) -> None:
        """Numbers and words are kept; what a journal cannot hold is written in words. It reads back as it was."""
        bench = answering(lambda: [enter(reason=(("x", value),))])
        (signal,) = bench.of(SignalMade)
        assert signal.reason == (("x", written),)
        assert type(signal.reason[0][1]) is type(written)
        assert decode_body(encode_body(signal)) == signal

    def test_floats_of_a_library(self) -> None:
        """A library's own float is kept as the float that it is, one that is no number in words."""
        numpy = pytest.importorskip("numpy")
        pairs = [("a", numpy.float64(1.5)), ["b", numpy.float64("nan")]]
        (signal,) = answering(lambda: [enter(reason=pairs)]).of(SignalMade)
        assert signal.reason == (("a", 1.5), ("b", "nan"))
        assert [type(value) for _, value in signal.reason] == [float, str]
        msgspec.json.encode(signal)

    def test_later_change(self) -> None:
        """What a strategy does to the list it handed over changes no record."""
        pairs: list[Any] = [["a", 1]]
        bench = answering(lambda: [enter(reason=pairs)])
        pairs[0][1] = 2
        assert bench.of(SignalMade)[0].reason == (("a", 1),)


def test_everything_that_is_allowed() -> None:
    """A signal with every field that there is becomes an order, or a denial that names a rule; never a fault."""
    full = Signal(
        action=SignalAction.ENTER,
        symbol="SPY",
        order_type=OrderType.STOP_LIMIT,
        time_in_force=TimeInForce.GTC,
        limit_price=D("100.123"),
        stop_price=D("100.1"),
        stop_loss=D("0.999"),
        take_profit=D("0.001"),
        reason=(("a", 1), ("b", "c")),
    )
    wrong = Signal(action=SignalAction.ENTER, symbol="SPY", limit_price=D(100))
    bench = answering(lambda: (full, wrong))
    assert bench.of(PluginMoved) == []
    assert bench.of(Approved)[0].limit_price == D("100.12")
    assert [denied.code for denied in bench.of(Denied)] == ["duplicate"]
    assert [denied.code for denied in answering(lambda: (wrong,)).of(Denied)] == ["malformed"]
