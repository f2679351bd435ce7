"""From a signal to an order: recorded, sized, judged, sent; exits and dust; faults of strategies, sizers and rules."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from mqd_core.domain.events import Command
from mqd_core.domain.market import Asset
from mqd_core.domain.orders import OrderType
from mqd_core.domain.records import (
    Alert,
    Approved,
    BookMoved,
    Denied,
    OrderMoved,
    PluginMoved,
    Record,
    SignalMade,
    Sized,
)
from mqd_core.domain.signals import Signal, SignalAction, Size
from mqd_core.engine.effects import CancelOrder, SubmitOrder
from mqd_core.risk.rules import Denial
from mqd_core.testing.bars import make_bars, merge
from mqd_core.testing.engines import (
    FixedSizer,
    ScriptedStrategy,
    Workbench,
    enter,
    leave,
    make_gate,
    make_settings,
    make_slot,
)
from mqd_core.testing.venues import ObedientVenue

D = Decimal
FLAT = [100.0] * 12


def played(
    script: dict[int, Any],
    closes: Sequence[float] = FLAT,
    sizer: Any = None,
    venue: ObedientVenue | None = None,
    **changes: Any,
) -> Workbench:
    """A desk with one scripted strategy in SPY, after these closes."""
    settings = make_settings([make_slot(ScriptedStrategy(script))], sizer, **changes)
    return Workbench(settings, venue).start().play(make_bars(closes))


def codes(bench: Workbench) -> list[str]:
    """The verdicts of the gate, in order."""
    return [
        record.code if isinstance(record, Denied) else "approved"
        for record in bench.records
        if isinstance(record, (Denied, Approved))
    ]


def kinds(records: Sequence[Record]) -> list[str]:
    """The records' types, in order."""
    return [type(record).__name__ for record in records]


class TestEntry:
    def test_walk(self) -> None:
        """One correlation id leads from the signal over size, approval and order to the book; each says its part."""
        bench = played({1: enter(stop_loss=D("0.02"), reason=(("vwap", 99.5),))}, FLAT[:2])
        signal, sized, approved = bench.of(SignalMade)[0], bench.of(Sized)[0], bench.of(Approved)[0]
        book = bench.of(BookMoved)[-1]
        names = {record.correlation_id for record in (signal, sized, approved, *bench.of(OrderMoved), book)}
        assert names == {signal.correlation_id}
        assert (signal.action, signal.price, signal.stop_loss) == (SignalAction.ENTER, D(100), D("0.02"))
        assert signal.reason == (("vwap", 99.5),)
        assert (sized.quantity, sized.reason, approved.quantity) == (D(1), "fixed", D(1))
        assert [move.after for move in bench.of(OrderMoved)] == ["working", "filled"]
        assert (book.cause, book.quantity, book.cash) == ("fill", D(1), D(900))

    @pytest.mark.parametrize(
        ("signal", "limit", "stop"),
        [
            (enter(order_type=OrderType.LIMIT, limit_price=D("99.999")), "99.99", None),
            (enter(order_type=OrderType.STOP, stop_price=D("101.009")), None, "101.00"),
            (enter(order_type=OrderType.STOP_LIMIT, limit_price=D("101.009"), stop_price=D("101.001")), "101", "101"),
        ],
    )
    def test_prices_round_for_the_trader(self, signal: Signal, limit: str | None, stop: str | None) -> None:
        """A buy limit rounds down, never worse; a buy stop rounds down too, never later."""
        (order,) = played({1: signal}, FLAT[:1]).of(Approved)
        assert order.limit_price == (None if limit is None else D(limit))
        assert order.stop_price == (None if stop is None else D(stop))

    def test_exit_limit_rounds_up(self) -> None:
        """A sell limit rounds up, never worse; a sell stop rounds up too, never later."""
        sell = leave(order_type=OrderType.STOP_LIMIT, limit_price=D("99.001"), stop_price=D("99.001"))
        order = played({1: enter(), 3: sell}, FLAT[:3]).of(Approved)[-1]
        assert (order.limit_price, order.stop_price) == (D("99.01"), D("99.01"))

    def test_while_one_works(self) -> None:
        """A second entry while the first works is denied before it is sized."""
        venue = ObedientVenue()
        venue.is_holding = True
        bench = played({1: enter(), 2: enter()}, FLAT[:2], venue=venue)
        assert codes(bench) == ["approved", "duplicate"]
        assert len(bench.of(Sized)) == 1

    def test_on_the_last_bar(self) -> None:
        """What is decided at the close could fill only at a price nobody decided on: denied, in and out."""
        bench = Workbench(make_settings([make_slot(ScriptedStrategy({1: enter(), 2: leave(), 390: leave()}))]))
        bench.start().play(make_bars(FLAT[:1] * 390))
        assert codes(bench) == ["approved", "approved", "nothing_held"]
        late = Workbench(make_settings([make_slot(ScriptedStrategy({1: enter(), 389: enter(), 390: enter()}))]))
        late.start().play(make_bars(FLAT[:1] * 390))
        assert codes(late) == ["approved", "approved", "session_closed"]

    def test_several_signals(self) -> None:
        """Signals of one answer are acted upon in order."""
        bench = played({3: (enter(), enter())}, FLAT[:3])
        assert codes(bench) == ["approved", "duplicate"]


class TestExit:
    def test_sells_the_whole_book(self) -> None:
        """An exit is for all that the strategy's own book holds, and asks no sizer."""
        bench = played({1: enter(), 3: enter(), 7: leave()}, FLAT[:8], FixedSizer("0.123456789"))
        assert bench.of(Approved)[-1].quantity == D("0.246913578")
        assert len(bench.of(Sized)) == 2
        assert bench.engine.facts.book_quantity("scripted", "SPY") == 0

    def test_nothing_held(self) -> None:
        """An exit of an empty book is denied."""
        assert codes(played({1: leave()}, FLAT[:1])) == ["nothing_held"]

    def test_waits_for_its_entry(self) -> None:
        """An exit while the entry works cancels it first, and sells what it filled once it is over."""
        venue = ObedientVenue(parts=3)
        bench = played({1: enter(), 3: leave()}, FLAT, FixedSizer("3"), venue)
        sells = [order for order in bench.of(Approved) if order.side.value == "sell"]
        assert len(bench.sent(CancelOrder)) == 1
        assert [order.quantity for order in sells] == [D(2)]
        assert sells[0].correlation_id == bench.of(SignalMade)[1].correlation_id
        cancel = next(index for index, effect in enumerate(bench.effects) if isinstance(effect, CancelOrder))
        assert isinstance(bench.effects[cancel + 1], SubmitOrder)
        assert bench.account.positions == ()

    def test_entry_never_filled(self) -> None:
        """An exit of an entry that had not filled cancels it, and there is nothing to sell."""
        venue = ObedientVenue()
        venue.is_holding = True
        bench = played({1: enter(), 3: leave()}, FLAT[:4], venue=venue)
        assert codes(bench) == ["approved"]
        assert bench.engine.working == 0

    def test_second_exit_meanwhile(self) -> None:
        """A second exit while the first waits, or works, is denied; nothing is sold twice."""
        venue = ObedientVenue(parts=2)
        venue.cancel_outcome = venue.cancel_outcome.UNKNOWN
        bench = played({1: enter(), 2: leave(), 3: leave()}, FLAT[:3], FixedSizer("2"), venue)
        assert codes(bench)[-1] == "duplicate"
        slow = ObedientVenue(parts=2)
        bench = played({1: enter(), 4: leave(), 5: leave()}, FLAT[:5], FixedSizer("2"), slow)
        assert codes(bench) == ["approved", "approved", "duplicate"]

    def test_from_halted_desk(self) -> None:
        """A halted desk still lets a strategy out."""
        bench = played({1: enter(), 4: enter(), 5: leave()}, FLAT[:3])
        bench.enter(Command(ts=bench.engine.now_ns, command_id="c", name="halt"))
        bench.play(make_bars(FLAT[:6])[3:])
        assert codes(bench)[1:] == ["desk_halted", "approved"]
        assert bench.engine.facts.book_quantity("scripted", "SPY") == 0


class TestDust:
    def test_told_once(self) -> None:
        """A remainder worth less than a dollar is told of once; exits of it are left alone until it is worth one."""
        closes = [*[100.0] * 3, *[9.0] * 4, 10.0, 10.0, 10.0]
        script = {1: enter(), 4: leave(), 5: leave(), 6: leave(), 8: leave()}
        bench = played(script, closes, FixedSizer("0.1"))
        assert codes(bench) == ["approved", "dust", "approved"]
        assert [alert.code for alert in bench.of(Alert)].count("dust") == 1
        assert len(bench.of(SignalMade)) == 3
        assert bench.account.positions == ()

    def test_a_fill_makes_it_news_again(self) -> None:
        """What was dust before more was bought is told of anew when it is dust again."""
        closes = [100.0, 100.0, 100.0, 1.5, 3.0, 3.0, 0.9, 0.9]
        script = {1: enter(), 4: leave(), 5: enter(), 7: leave(), 8: leave()}
        bench = played(script, closes, FixedSizer("0.5"))
        assert codes(bench) == ["approved", "dust", "approved", "dust"]
        assert [alert.code for alert in bench.of(Alert)].count("dust") == 2


class TestTwoStrategies:
    def bench(self, first: dict[int, Any], second: dict[int, Any], **changes: Any) -> Workbench:
        """Two strategies in one symbol."""
        slots = [
            make_slot(ScriptedStrategy(first), strategy_id="one"),
            make_slot(ScriptedStrategy(second), strategy_id="two"),
        ]
        return Workbench(make_settings(slots, **changes)).start().play(make_bars(FLAT))

    def test_books_are_their_own(self) -> None:
        """Each sells its own book; the account holds the sum."""
        bench = self.bench({1: enter(), 5: leave()}, {1: enter()})
        quantities = {book.strategy_id: book.quantity for book in bench.engine.facts.books}
        assert quantities == {"two": D(1)}
        assert bench.account.positions[0].quantity == D(1)

    def test_opposite_sides(self) -> None:
        """When two want opposite sides of a symbol at once, the later is denied: brokers refuse it as a wash trade."""
        assert codes(self.bench({1: enter(), 5: leave()}, {5: enter()})) == ["approved", "approved", "opposite_side"]
        assert codes(self.bench({5: enter()}, {1: enter(), 5: leave()})) == ["approved", "approved", "opposite_side"]

    def test_one_raises(self) -> None:
        """What one raises quarantines it alone; the other sees every bar, this one included, and trades on."""
        bench = self.bench({3: ZeroDivisionError("one"), 5: enter()}, {3: enter()})
        assert [record.plugin for record in bench.of(PluginMoved)] == ["strategy:one"]
        assert codes(bench) == ["approved"]
        slots = bench.engine._desk.settings.slots
        assert [len(slot.strategy.bars) for slot in slots] == [3, 12]

    def test_limits_count_both(self) -> None:
        """Limits are the account's: what one strategy holds leaves less for the other."""
        bench = self.bench({1: enter()}, {1: enter()}, gate=make_gate(max_position_size_pct=D(15)))
        assert codes(bench) == ["approved", "position_limit"]


class TestPortfolio:
    def test_one_object_for_several_symbols(self) -> None:
        """A strategy of several symbols may signal any of them on any bar; its books are kept by symbol."""
        strategy = ScriptedStrategy({2: (enter("QQQ"), enter("SPY")), 9: (leave("QQQ"),)})
        bench = Workbench(make_settings([make_slot(strategy, "SPY", "QQQ")])).start()
        bench.play(merge(make_bars(FLAT), make_bars([200.0] * 12, symbol="QQQ")))
        assert [(order.symbol, order.reference_price) for order in bench.of(Approved)] == [
            ("QQQ", D(200)),
            ("SPY", D(100)),
            ("QQQ", D(200)),
        ]
        assert [book.symbol for book in bench.engine.facts.books] == ["SPY"]

    def test_quarantine_takes_all_symbols(self) -> None:
        """When it raises, it is called for none of its symbols, its entries are canceled, and positions are named."""
        strategy = ScriptedStrategy({2: (enter("QQQ"),), 5: (enter("SPY"),), 6: KeyError("gone")})
        venue = ObedientVenue()
        bench = Workbench(make_settings([make_slot(strategy, "SPY", "QQQ")]), venue).start()
        bars = merge(make_bars(FLAT), make_bars([200.0] * 12, symbol="QQQ"))
        bench.play(bars[:4])
        venue.is_holding = True
        bench.play(bars[4:])
        assert len(strategy.bars) == 6
        assert len(bench.sent(CancelOrder)) == 1
        (alert,) = [alert for alert in bench.of(Alert) if alert.code == "strategy_quarantined"]
        assert "nobody manages its position of 1 QQQ now" in alert.text
        assert bench.engine.quarantined
        assert bench.account.positions[0].symbol == "QQQ"

    def test_symbol_without_a_price(self) -> None:
        """A symbol that has had no bar yet has no price to trade at."""
        strategy = ScriptedStrategy({1: (enter("QQQ"),)})
        bench = Workbench(make_settings([make_slot(strategy, "SPY", "QQQ")])).start().play(make_bars(FLAT))
        assert codes(bench) == ["stale_data"]


class TestSizer:
    @pytest.mark.parametrize(
        "size",
        [
            None,
            "1",
            D(1),
            Size(reason="both", quantity=D(1), notional=D(1)),
            Size(reason="negative", quantity=D(-1)),
            Size(reason="zero", quantity=D(0)),
            Size(reason="nan", quantity=D("NaN")),
            Size(reason="inf", notional=D("Infinity")),
            Size(reason="fine", quantity=D("0.0000000001")),
            Size(reason="cents", notional=D("10.001")),
            Size(reason="huge", quantity=D("1e30")),
            Size(reason="long", quantity=D("1234567890123456789.123456789")),
            Size(reason="float", quantity=1.5),  # type: ignore[arg-type]
            Size(reason="text", quantity="1"),  # type: ignore[arg-type]
            Size(reason=None, quantity=D(1)),  # type: ignore[arg-type]
            ZeroDivisionError("no"),
        ],
        ids=repr,
    )
    def test_garbage(self, size: Any) -> None:
        """Whatever a sizer answers but a size, or raises, denies the order; nothing is sent, a person is told once."""

        class Sizer:
            def size(self, _signal: Signal, _view: object) -> Any:
                if isinstance(size, Exception):
                    raise size
                return size

        bench = played({1: enter(), 2: enter()}, FLAT[:2], Sizer())
        assert codes(bench) == ["sizer_error", "sizer_error"]
        assert (bench.sent(SubmitOrder), bench.of(Sized)) == ([], [])
        faults = bench.of(PluginMoved)
        assert [(fault.plugin, fault.state) for fault in faults] == [("sizer:fixed", "failed")] * 2
        assert all(fault.error_type and fault.text for fault in faults)
        assert [alert.code for alert in bench.of(Alert)].count("plugin_fault") == 1

    def test_nothing(self) -> None:
        """A sizer may say nothing: the entry is denied with its words."""

        class Sizer:
            def size(self, _signal: Signal, _view: object) -> Size:
                return Size(reason="too little cash")

        bench = played({1: enter()}, FLAT[:1], Sizer())
        assert [(denied.code, denied.text) for denied in bench.of(Denied)] == [("size_zero", "too little cash")]

    def test_view(self) -> None:
        """A sizer sees exact numbers at the close of the signal's bar, pending orders and the reserve counted."""
        seen: list[Any] = []

        class Sizer:
            def size(self, _signal: Signal, view: Any) -> Size:
                names = [name for name in dir(view) if not name.startswith("_")]
                seen.append({name: getattr(view, name) for name in names})
                return Size(reason="x", quantity=D(1))

        gate = make_gate(cash_reserve_usd=D(10))
        played({1: enter(), 3: enter()}, [100.0, 100.0, 110.0], Sizer(), gate=gate, order_value_limit=D(500))
        assert seen[1] == {
            "price": D(110),
            "equity": D(1010),
            "cash_free": D(890),
            "value_held": D(110),
            "position_limit_pct": D(100),
            "risk_per_trade_pct": D(1),
            "order_value_limit": D(500),
            "asset": Asset(symbol="SPY"),
        }


class TestRules:
    def test_denies(self) -> None:
        """A plugin's rule sees draft and account, and its denial stands in the journal in its own words."""
        seen: list[Any] = []

        class Rule:
            def check(self, draft: Any, view: Any) -> Denial:
                seen.append(
                    (draft.quantity, view.cash, view.equity, view.session, view.trips, view.books, view.working)
                )
                return Denial(code="full_moon", text="not today")

        bench = played({1: enter()}, FLAT[:1], rules=(("moon", Rule()),))
        assert [(denied.code, denied.text) for denied in bench.of(Denied)] == [("full_moon", "not today")]
        assert seen == [(D(1), D(1000), D(1000), "2025-01-06", 0, (), ())]

    def test_fault(self) -> None:
        """A rule that raises denies, is counted with its place, and told of once."""

        class Rule:
            def check(self, _draft: object, _view: object) -> None:
                raise LookupError("lost")

        bench = played({1: enter(), 2: enter()}, FLAT[:2], rules=(("moon", Rule()),))
        assert codes(bench) == ["rule_error", "rule_error"]
        assert [(fault.plugin, fault.error_type) for fault in bench.of(PluginMoved)] == [
            ("rule:moon", "LookupError")
        ] * 2
        assert bench.of(PluginMoved)[0].place.startswith("test_orchestrator.py:")
        assert [alert.code for alert in bench.of(Alert)].count("plugin_fault") == 1
