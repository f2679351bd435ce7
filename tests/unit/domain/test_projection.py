"""The projection: readers see orders, positions, limits and cash as of a commit, folded from entries alone."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from mqd_core.domain.events import Bar, RunEnded, RunStarted
from mqd_core.domain.journal import Body, Entry, Mark
from mqd_core.domain.orders import OrderType, Purpose, Side, TimeInForce
from mqd_core.domain.projection import DeskView, PositionView, Projection
from mqd_core.domain.records import (
    Approved,
    BookMoved,
    CoverState,
    DeskMoved,
    DeskState,
    DifferenceMoved,
    LimitMoved,
    OrderMoved,
    ProtectionMoved,
    SymbolMoved,
)

D = Decimal


def approved(identifier: str = "order-1", ts: int = 10) -> Approved:
    """An intent to buy two shares."""
    return Approved(
        5,
        3,
        ts,
        correlation_id="c-1",
        client_order_id=identifier,
        strategy_id="s",
        symbol="SPY",
        purpose=Purpose.ENTRY,
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.DAY,
        quantity=D(2),
        notional=None,
        limit_price=D("99.50"),
        stop_price=None,
        reference_price=D(100),
    )


def order_moved(after: str, *, identifier: str = "order-1", broker: str = "", cumulative: str = "0") -> OrderMoved:
    """A move of an order."""
    return OrderMoved(
        6,
        1,
        20,
        correlation_id="c-1",
        client_order_id=identifier,
        broker_order_id=broker,
        symbol="SPY",
        before="submitting",
        after=after,
        cumulative=D(cumulative),
        code="fill" if cumulative != "0" else "",
        text="a word",
    )


def book_moved(quantity: str, cost: str, cash: str, symbol: str = "SPY") -> BookMoved:
    """A move of the only book, or, without a symbol, of the cash alone."""
    return BookMoved(
        7,
        1,
        30,
        correlation_id="c-1",
        strategy_id="s" if symbol else "",
        symbol=symbol,
        cause="fill",
        change=D(1),
        price=D(100),
        fee=D(0),
        quantity=D(quantity),
        cost=D(cost),
        realized=D("1.25"),
        cash=D(cash),
    )


def started(run_id: str = "run-1") -> RunStarted:
    """The start of a run."""
    return RunStarted(ts=1, run_id=run_id, desk_id="d", mode="run", book=1, configuration="", feed="")


def folded(*bodies: Body) -> Projection:
    """A projection of these bodies."""
    projection = Projection()
    for number, body in enumerate(bodies):
        projection.apply(Entry(number, 0, body))
    return projection


class TestOrders:
    def test_intent(self) -> None:
        """An intent is an order that is being submitted, with everything that was decided."""
        (order,) = folded(approved()).view().orders
        assert (order.client_order_id, order.state, order.filled_quantity) == ("order-1", "submitting", D(0))
        assert (order.side, order.order_type, order.time_in_force) == ("buy", "limit", "day")
        assert (order.quantity, order.limit_price, order.reference_price) == (D(2), D("99.50"), D(100))
        assert (order.created_ns, order.updated_ns) == (10, 10)

    def test_moves(self) -> None:
        """Moves bring state, filled quantity and the broker's id, which a later move without one does not erase."""
        projection = folded(approved(), order_moved("working", broker="b-1"), order_moved("filled", cumulative="2"))
        (order,) = projection.view().orders
        assert (order.state, order.filled_quantity, order.broker_order_id) == ("filled", D(2), "b-1")
        assert (order.updated_ns, order.code, order.text) == (20, "fill", "a word")

    def test_order_of_appearance(self) -> None:
        """Orders are listed as they were decided; a move of an order that was never approved is left out."""
        projection = folded(
            approved("b"), approved("a"), order_moved("filled", identifier="x"), order_moved("", identifier="a")
        )
        assert [order.client_order_id for order in projection.view().orders] == ["b", "a"]


class TestPositions:
    def test_book(self) -> None:
        """A book is a position with its average price; cash is the account's."""
        view = folded(book_moved("2", "201", "799")).view()
        (position,) = view.positions
        assert (position.quantity, position.cost, position.average_price) == (D(2), D(201), D("100.5"))
        assert (position.realized, position.market_value, view.cash) == (D("1.25"), D(201), D(799))
        assert view.equity == D(1000)

    def test_marks(self) -> None:
        """A mark values the positions in its symbol, stays through the next move, and touches no other symbol."""
        other = msgspec.structs.replace(book_moved("0", "0", "1000"), symbol="IWM")
        projection = folded(other, book_moved("2", "201", "799"))
        projection.mark((Mark(symbol="SPY", start_ns=1, close=102.5), Mark(symbol="QQQ", start_ns=1, close=1.0)))
        assert projection.view().equity == D(1004)
        projection.apply(Entry(9, 1, book_moved("1", "100.5", "901.5")))
        assert projection.view().positions[0].market_value == D("102.5")

    def test_protection(self) -> None:
        """What protects a position stays through the moves of its book, until that is empty; no book, no protection."""
        told = ProtectionMoved(8, 1, 40, strategy_id="s", symbol="SPY", state=CoverState.ARMED, quantity=D(2))
        projection = folded(told, book_moved("2", "201", "799"))
        assert projection.view().positions[0].protection == ""
        projection.apply(Entry(9, 1, told))
        projection.apply(Entry(10, 1, book_moved("1", "100.5", "901.5")))
        assert projection.view().positions[0].protection == "armed"
        assert list(projection.changed_positions) == [("s", "SPY")]
        projection.apply(Entry(11, 1, book_moved("0", "0", "1000")))
        projection.apply(Entry(12, 1, book_moved("2", "201", "799")))
        assert projection.view().positions[0].protection == ""

    def test_empty_book(self) -> None:
        """A book that came to zero is no position any more, but a change that a store has to write down."""
        projection = folded(book_moved("2", "201", "799"), book_moved("0", "0", "1003"))
        assert projection.view().positions == []
        assert projection.changed_positions["s", "SPY"].quantity == D(0)

    def test_cash_alone(self) -> None:
        """A move without a symbol, as of a fee, changes the cash and no position."""
        view = folded(book_moved("2", "201", "799"), book_moved("0", "0", "798.5", symbol="")).view()
        assert (view.cash, len(view.positions)) == (D("798.5"), 1)


class TestDesk:
    def test_state(self) -> None:
        """The desk is in its last state, for the reason given in words, or else by code."""
        moved = DeskMoved(1, 1, 1, before=DeskState.READY, after=DeskState.HALTED, code="person", text="enough")
        assert folded(moved).view().desk_reason == "enough"
        view = folded(moved, msgspec.structs.replace(moved, after=DeskState.FROZEN, text="")).view()
        assert (view.desk_state, view.desk_reason) == ("frozen", "person")

    def test_run(self) -> None:
        """A run runs from its start to its end."""
        assert folded(started()).view().running
        view = folded(started(), RunEnded(ts=2, reason="finished"), started("run-2"), RunEnded(ts=3, reason="x")).view()
        assert (view.run_id, view.mode, view.running) == ("run-2", "run", False)

    def test_limits(self) -> None:
        """Each limit is as it last moved."""
        opened = LimitMoved(1, 1, 5, limit="daily", state="opened", loss=D(0), level=D(950), session="2025-01-06")
        fired = msgspec.structs.replace(opened, state="fired", loss=D(51), until_ns=9)
        (limit,) = folded(opened, fired).view().limits
        assert (limit.limit, limit.state, limit.loss, limit.level) == ("daily", "fired", D(51), D(950))
        assert (limit.until_ns, limit.session, limit.updated_ns) == (9, "2025-01-06", 5)

    def test_frozen_symbols(self) -> None:
        """A symbol is frozen for each of its causes, until that one has ended."""
        frozen = SymbolMoved(1, 1, 5, symbol="SPY", state="frozen", code="external", text="t")
        free = msgspec.structs.replace(frozen, state="free", ordinal=3)
        other = msgspec.structs.replace(frozen, code="position_differs", ordinal=2)
        view = folded(frozen, other).view()
        assert view.frozen_symbols == ["SPY (external, position_differs)"]
        assert [(one.code, one.text, one.updated_ns) for one in view.freezes] == [
            ("external", "t", 5),
            ("position_differs", "t", 5),
        ]
        projection = folded(frozen, other, free)
        assert projection.view().frozen_symbols == ["SPY (position_differs)"]
        assert [one.state for one in projection.changed_freezes.values()] == ["free", "frozen"]

    def test_differences(self) -> None:
        """What books and broker differ in is as last read, by symbol, until they agree; cash has no symbol."""
        cash = DifferenceMoved(1, 1, 5, symbol="", state="read", books=D(10), broker=D(9))
        read = DifferenceMoved(1, 2, 5, symbol="SPY", state="read", books=D(1), broker=D(2))
        judged = msgspec.structs.replace(read, ts=7, state="position_unexplained")
        agreed = msgspec.structs.replace(cash, state="agreed", books=D(9))
        (one,) = folded(cash, read, judged, agreed).view().differences
        assert (one.symbol, one.state, one.books, one.broker, one.updated_ns) == (
            "SPY",
            "position_unexplained",
            D(1),
            D(2),
            7,
        )

    def test_unprotected(self) -> None:
        """Positions that should have a stop and have none are named as alerts name them."""
        projection = folded(book_moved("2", "201", "799"))
        assert projection.view().unprotected == []
        bare = {"strategy_id": "s", "symbol": "SPY", "quantity": D(2)}
        projection.apply(Entry(9, 1, ProtectionMoved(9, 1, 9, state=CoverState.UNPROTECTED, **bare)))
        assert projection.view().unprotected == ["s:SPY"]

    def test_what_it_does_not_need_passes(self) -> None:
        """Bodies that no reader asks for change nothing."""
        assert folded(Bar("SPY", 1, 1.0, 1.0, 1.0, 1.0, 1.0)).view() == DeskView()


class TestBatches:
    def test_settle(self) -> None:
        """A settled projection says as of when it is, and counts nothing as changed."""
        projection = folded(approved(), book_moved("2", "201", "799"))
        assert list(projection.changed_orders) == ["order-1"]
        assert not projection.changed_limits
        projection.settle(17, 99)
        view = projection.view()
        assert (view.as_of_sequence, view.as_of_ns) == (17, 99)
        assert (projection.changed_orders, projection.changed_positions, projection.changed_limits) == ({}, {}, {})
        assert (projection.changed_freezes, projection.changed_differences) == ({}, {})

    def test_goes_on_from_a_view(self) -> None:
        """A projection that begins with the view of another goes on as that one would."""
        first = folded(started(), approved(), book_moved("2", "201", "799"))
        first.settle(3, 9)
        stored = msgspec.json.decode(msgspec.json.encode(first.view()), type=DeskView)
        second = Projection(stored)
        for projection in (first, second):
            projection.apply(Entry(4, 1, order_moved("filled", cumulative="2")))
            projection.apply(Entry(4, 2, book_moved("1", "100.5", "901")))
        assert second.view() == first.view()

    def test_position_without_mark_is_worth_its_cost(self) -> None:
        """Where no close is known a position is worth what it cost."""
        position = PositionView(
            strategy_id="s", symbol="SPY", quantity=D(2), cost=D(9), average_price=D("4.5"), realized=D(0), updated_ns=1
        )
        assert position.market_value == D(9)
