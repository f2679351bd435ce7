"""Laws of protection: whatever a venue does, once nothing is in flight a position is covered whole, or somebody knows.

Sequences of wishes, prices, refusals, lost answers, cancels by others and halts are drawn; after each step both sides
of a symbol may not work at once, and what works to sell is never more than the book.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from mqd_core.domain.events import Command, Outcome
from mqd_core.domain.market import SECOND_NS
from mqd_core.domain.order_state import Life
from mqd_core.domain.orders import Purpose, Side
from mqd_core.testing.bars import make_bars
from mqd_core.testing.engines import AnsweringStrategy, FixedSizer, Workbench, enter, leave, make_settings, make_slot
from mqd_core.testing.venues import ObedientVenue

D = Decimal
LOSS = D("0.02")
DEEDS = ("bar", "fall", "rise", "enter", "leave", "refuse", "lose", "answer", "keep", "let go", "cancel", "halt",
         "flatten", "wait")  # fmt: skip


class Play:
    """A desk that wishes what it is told, and a venue that does what is drawn."""

    def __init__(self, parts: int) -> None:
        self.wish = ""
        strategy = AnsweringStrategy(self.answer)
        self.venue = ObedientVenue("1000", parts=parts)
        self.bench = Workbench(make_settings([make_slot(strategy)], FixedSizer("3"), protection="broker"), self.venue)
        self.bench.start()
        self.closes = [100.0]

    def answer(self, _bar: Any, _view: Any) -> Any:
        wish, self.wish = self.wish, ""
        return (enter(stop_loss=LOSS),) if wish == "enter" else (leave(),) if wish == "leave" else ()

    @property
    def open(self) -> list[Any]:
        return list(self.bench.engine._desk.orders.open_orders())

    @property
    def held(self) -> Decimal:
        return self.bench.engine.facts.book_quantity("scripted", "SPY")

    def bar(self, change: float = 1.0) -> None:
        self.closes.append(round(self.closes[-1] * change, 2))
        self.bench.play(make_bars(self.closes)[len(self.closes) - 1 :])

    def command(self, name: str) -> None:
        arguments = (("symbol", "all"),)
        self.bench.enter(Command(ts=self.bench.engine.now_ns, command_id="1", name=name, arguments=arguments))

    def cancel_by_hand(self) -> None:
        for known in tuple(self.venue.orders.values()):
            if known.is_open and known.order.side is Side.SELL:
                known.status = type(known.status).CANCELED
                self.bench.enter(known.report(self.bench.engine.now_ns))

    def do(self, deed: str) -> None:
        venue = self.venue
        if deed in ("enter", "leave"):
            self.wish = deed
            self.bar()
        elif deed in ("bar", "fall", "rise"):
            self.bar({"bar": 1.0, "fall": 0.985, "rise": 1.01}[deed])
        elif deed in ("halt", "flatten"):
            self.command(deed)
        elif deed == "cancel":
            self.cancel_by_hand()
        elif deed == "wait":
            self.bench.wait(self.bench.engine.now_ns + 30 * SECOND_NS)
        elif deed == "answer":
            venue.outcome, venue.query_outcome = Outcome.ACCEPTED, None
        elif deed == "lose":
            venue.outcome = venue.query_outcome = Outcome.UNKNOWN
        elif deed == "refuse":
            venue.outcome = Outcome.REFUSED
        else:
            venue.cancel_outcome = Outcome.UNKNOWN if deed == "keep" else Outcome.ACCEPTED

    def check(self) -> None:
        """What holds at every moment."""
        sides = {order.approved.side for order in self.open}
        assert len(sides) <= 1
        selling = sum((order.machine.leaves for order in self.open if order.approved.side is Side.SELL), D(0))
        assert selling <= self.held

    def settle(self) -> None:
        """The venue behaves again, and time passes."""
        self.do("answer")
        self.do("let go")
        for _ in range(5):
            self.bench.wait(self.bench.engine.now_ns + 300 * SECOND_NS)


@settings(max_examples=150, deadline=None)
@example(1, ["enter", "refuse", "bar", "bar", "leave"])
@given(st.integers(1, 3), st.lists(st.sampled_from(DEEDS), max_size=25))
def test_covered_or_told(parts: int, deeds: list[str]) -> None:
    """Never both sides, never more than the book; in the end a stop for all of it, a sale, or a word to a person."""
    play = Play(parts)
    for deed in deeds:
        play.do(deed)
        play.check()
    play.settle()
    play.check()
    if not play.held:
        assert all(order.purpose is Purpose.ENTRY for order in play.open)
        return
    cover = play.bench.engine._desk.protection.covers["scripted", "SPY"]
    working = [order for order in play.open if order.machine.life is Life.WORKING]
    if cover.state.value in ("waived", "unprotected"):
        assert cover.told
    else:
        assert cover.state.value in ("armed", "exiting")
        assert [order.machine.leaves for order in working] == [play.held]
