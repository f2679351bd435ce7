"""The gate's rules: each allows at its exact boundary, denies one step beyond it, and says so by its code."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from mqd_core.domain.market import MINUTE_NS, SECOND_NS, Asset
from mqd_core.domain.orders import OrderType, Side
from mqd_core.domain.records import DeskState
from mqd_core.risk import rules
from mqd_core.risk.rules import Denial, GateSettings, Rule

D = Decimal
Make = Callable[..., Any]

SETTINGS = GateSettings(
    max_open_positions=2,
    max_position_size_pct=D(10),
    max_gross_exposure_pct=D(50),
    max_order_value_usd=D(80),
    price_collar_pct=D(5),
    max_bar_age_ns=120 * SECOND_NS,
    max_orders_per_minute=3,
    max_orders_per_session=7,
    duplicate_window_ns=5 * SECOND_NS,
    cash_reserve_usd=D(20),
)
OK = None
# What a rule that looks at the draft alone is handed.
NO_FACTS: Any = None


def code(denial: Denial | None) -> str | None:
    """The code of a denial, which always comes with words."""
    assert denial is None or denial.text
    return None if denial is None else denial.code


class TestForm:
    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({"quantity": "0.000000001"}, OK),
            ({"quantity": "100000000"}, OK),
            ({"quantity": "100000000.000000001"}, "malformed"),
            ({"quantity": "0.0000000001"}, "malformed"),
            ({"quantity": "0"}, "malformed"),
            ({"quantity": "-1"}, "malformed"),
            ({"quantity": "NaN"}, "malformed"),
            ({"quantity": "Infinity"}, "malformed"),
            ({"quantity": "1e40"}, "malformed"),
            ({"quantity": "1" * 19 + "." + "1" * 9}, "malformed"),
            ({"quantity": None, "notional": "10.01"}, OK),
            ({"quantity": None, "notional": "10.001"}, "malformed"),
            ({"quantity": None, "notional": "0"}, "malformed"),
            ({"quantity": None, "notional": "NaN"}, "malformed"),
            ({"quantity": "1", "notional": "10"}, "malformed"),
            ({"quantity": None}, "malformed"),
        ],
    )
    def test_amount(self, facts: Make, draft: Make, changes: dict[str, Any], expected: str | None) -> None:
        """An order has one amount: finite, above zero, in steps of a billionth of a share or of a cent."""
        assert code(rules.well_formed(draft(**changes), facts(), SETTINGS)) == expected

    @pytest.mark.parametrize(
        ("kind", "limit", "stop", "expected"),
        [
            (OrderType.MARKET, None, None, OK),
            (OrderType.MARKET, "100", None, "malformed"),
            (OrderType.MARKET, None, "100", "malformed"),
            (OrderType.LIMIT, "100.01", None, OK),
            (OrderType.LIMIT, "100.001", None, "malformed"),
            (OrderType.LIMIT, "0.9999", None, OK),
            (OrderType.LIMIT, "0.99999", None, "malformed"),
            (OrderType.LIMIT, "0", None, "malformed"),
            (OrderType.LIMIT, "-1", None, "malformed"),
            (OrderType.LIMIT, "NaN", None, "malformed"),
            (OrderType.LIMIT, "1e40", None, "malformed"),
            (OrderType.LIMIT, None, None, "malformed"),
            (OrderType.LIMIT, "100", "99", "malformed"),
            (OrderType.STOP, None, "99.5", OK),
            (OrderType.STOP, "100", None, "malformed"),
            (OrderType.STOP_LIMIT, "100", "99", OK),
            (OrderType.STOP_LIMIT, "100", None, "malformed"),
        ],
    )
    def test_prices(
        self, draft: Make, kind: OrderType, limit: str | None, stop: str | None, expected: str | None
    ) -> None:
        """An order has the prices that its type needs, each on its tick, and no other."""
        order = draft(order_type=kind, limit_price=limit, stop_price=stop)
        assert code(rules.well_formed(order, NO_FACTS, SETTINGS)) == expected


class TestDesk:
    @pytest.mark.parametrize("state", list(DeskState))
    def test_enter(self, facts: Make, draft: Make, state: DeskState) -> None:
        """Only a READY desk raises exposure."""
        expected = OK if state is DeskState.READY else f"desk_{state.value}"
        assert code(rules.desk_may_enter(draft(), facts(desk_state=state), SETTINGS)) == expected

    @pytest.mark.parametrize("state", list(DeskState))
    def test_exit(self, facts: Make, draft: Make, state: DeskState) -> None:
        """An exit is held back only while the desk does not yet know what it holds."""
        expected = f"desk_{state.value}" if state in (DeskState.STARTING, DeskState.RECOVERING) else OK
        assert code(rules.desk_may_exit(draft(), facts(desk_state=state), SETTINGS)) == expected

    @pytest.mark.parametrize(
        ("session", "entering", "leaving"),
        [(None, OK, OK), ("no_entry_window", "no_entry_window", OK), ("session_closed",) * 3],
    )
    def test_session(
        self, facts: Make, draft: Make, session: str | None, entering: str | None, leaving: str | None
    ) -> None:
        """No entry outside of the session or in its windows; no exit once the session is over."""
        assert code(rules.session_may_enter(draft(), facts(session=session), SETTINGS)) == entering
        assert code(rules.session_may_exit(draft(), facts(session=session), SETTINGS)) == leaving

    def test_loss_limits(self, facts: Make, draft: Make) -> None:
        """What a loss limit says is the answer."""
        denial = Denial(code="daily_loss", text="enough")
        assert rules.loss_limits(draft(), facts(limit=denial), SETTINGS) is denial
        assert rules.loss_limits(draft(), facts(), SETTINGS) is None

    @pytest.mark.parametrize(("age_s", "expected"), [(0, OK), (120, OK), (120.000000001, "stale_data")])
    def test_fresh_data(self, facts: Make, draft: Make, age_s: float, expected: str | None) -> None:
        """A price may be as old as the limit says, and not a nanosecond older."""
        age_ns = round(age_s * SECOND_NS)
        assert code(rules.fresh_data(draft(), facts(age_ns=age_ns), SETTINGS)) == expected


class TestAsset:
    @pytest.mark.parametrize(
        ("asset", "changes", "expected"),
        [
            ({}, {"quantity": "0.01"}, OK),
            ({}, {"quantity": "0.009999999"}, "below_minimum"),
            ({}, {"quantity": None, "notional": "1"}, OK),
            ({}, {"quantity": None, "notional": "0.99"}, "below_minimum"),
            ({"minimum_notional_usd": D(5)}, {"quantity": "0.05"}, OK),
            ({"minimum_notional_usd": D(5)}, {"quantity": "0.049"}, "below_minimum"),
            ({"tradable": False}, {}, "not_tradable"),
            ({"fractionable": False}, {"quantity": "2"}, OK),
            ({"fractionable": False}, {"quantity": "2.000000000"}, OK),
            ({"fractionable": False}, {"quantity": "2.000000001"}, "whole_shares_only"),
            ({"fractionable": False}, {"quantity": None, "notional": "200"}, "whole_shares_only"),
        ],
    )
    def test_tradable(
        self, facts: Make, draft: Make, asset: dict[str, Any], changes: dict[str, Any], expected: str | None
    ) -> None:
        """The broker has to trade the symbol, in fractions where there are any, and for its minimum."""
        desk = facts(broker_asset=Asset(symbol="SPY", **asset))
        assert code(rules.tradable(draft(**changes), desk, SETTINGS)) == expected

    @pytest.mark.parametrize(("quantity", "expected"), [("0.01", OK), ("0.009999999", "dust")])
    def test_dust(self, facts: Make, draft: Make, quantity: str, expected: str | None) -> None:
        """A remainder worth a dollar can be sold; one worth less is dust."""
        assert code(rules.not_dust(draft(quantity), facts(), SETTINGS)) == expected


class TestRepetition:
    def test_working(self, facts: Make, draft: Make) -> None:
        """One order a book at a time, and no two strategies on the two sides of a symbol."""
        assert code(rules.no_duplicate(draft(), facts(), SETTINGS)) is OK
        assert code(rules.no_duplicate(draft(), facts(working=True), SETTINGS)) == "duplicate"
        assert code(rules.no_opposite(draft(), facts(), SETTINGS)) is OK
        assert code(rules.no_opposite(draft(), facts(opposite=True), SETTINGS)) == "opposite_side"

    @pytest.mark.parametrize(("ago_ns", "expected"), [(5 * SECOND_NS, OK), (5 * SECOND_NS - 1, "duplicate")])
    def test_alike(self, facts: Make, draft: Make, ago_ns: int, expected: str | None) -> None:
        """The same order may be sent again once the window has passed whole."""
        desk = facts()
        desk.alike_ns = (desk.now_ns - ago_ns,)
        assert code(rules.no_repeat(draft(), desk, SETTINGS)) == expected

    @pytest.mark.parametrize(("count", "expected"), [(6, OK), (7, "order_rate")])
    def test_session_count(self, facts: Make, draft: Make, count: int, expected: str | None) -> None:
        """As many orders in a session as the limit says, and none more."""
        assert code(rules.order_rate(draft(), facts(orders_this_session=count), SETTINGS)) == expected

    @pytest.mark.parametrize(
        ("ages_ns", "expected"),
        [
            ((1, 2), OK),
            ((1, 2, 3), "order_rate"),
            ((1, 2, MINUTE_NS - 1), "order_rate"),
            ((1, 2, MINUTE_NS), OK),
        ],
    )
    def test_minute_count(self, facts: Make, draft: Make, ages_ns: tuple[int, ...], expected: str | None) -> None:
        """As many orders in any minute as the limit says; one sent a minute ago no longer counts."""
        desk = facts()
        desk.sent_ns = tuple(desk.now_ns - age for age in ages_ns)
        assert code(rules.order_rate(draft(), desk, SETTINGS)) == expected


class TestValues:
    @pytest.mark.parametrize(
        ("side", "limit", "expected"),
        [
            (Side.BUY, None, OK),
            (Side.BUY, "105", OK),
            (Side.BUY, "105.01", "price_collar"),
            (Side.BUY, "1", OK),
            (Side.SELL, "95", OK),
            (Side.SELL, "94.99", "price_collar"),
            (Side.SELL, "500", OK),
        ],
    )
    def test_collar(self, facts: Make, draft: Make, side: Side, limit: str | None, expected: str | None) -> None:
        """A limit may go through the market as far as the collar, and as far the other way as it likes."""
        kind = OrderType.MARKET if limit is None else OrderType.LIMIT
        order = draft(side=side, limit_price=limit, order_type=kind)
        assert code(rules.price_collar(order, facts(), SETTINGS)) == expected

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({"quantity": "0.8"}, OK),
            ({"quantity": "0.800000001"}, "order_value"),
            ({"quantity": None, "notional": "80"}, OK),
            ({"quantity": None, "notional": "80.01"}, "order_value"),
        ],
    )
    def test_order_value(self, facts: Make, draft: Make, changes: dict[str, Any], expected: str | None) -> None:
        """An order may be worth the limit; without a limit, anything."""
        assert code(rules.order_value(draft(**changes), facts(), SETTINGS)) == expected
        unlimited = GateSettings(
            **{name: getattr(SETTINGS, name) for name in GateSettings.__struct_fields__} | {"max_order_value_usd": None}
        )
        assert rules.order_value(draft("1000000"), facts(), unlimited) is None

    @pytest.mark.parametrize(
        ("held", "quantity", "expected"),
        [("0", "1", OK), ("0", "1.000000001", "position_limit"), ("60", "0.4", OK), ("60.01", "0.4", "position_limit")],
    )
    def test_position(self, facts: Make, draft: Make, held: str, quantity: str, expected: str | None) -> None:
        """A symbol may make up the limit's part of equity, what is held and pending included."""
        assert code(rules.position_limit(draft(quantity), facts(held_value=D(held)), SETTINGS)) == expected

    @pytest.mark.parametrize(
        ("occupied", "expected"),
        [
            (set(), OK),
            ({"QQQ"}, OK),
            ({"QQQ", "IWM"}, "max_open_positions"),
            ({"QQQ", "SPY"}, OK),
            ({"QQQ", "IWM", "SPY"}, OK),
        ],
    )
    def test_positions(self, facts: Make, draft: Make, occupied: set[str], expected: str | None) -> None:
        """As many symbols as the limit says; a symbol that is there already needs no new place."""
        assert code(rules.open_positions(draft(), facts(occupied=frozenset(occupied)), SETTINGS)) == expected

    @pytest.mark.parametrize(("exposure", "expected"), [("400", OK), ("400.01", "gross_exposure")])
    def test_gross(self, facts: Make, draft: Make, exposure: str, expected: str | None) -> None:
        """Everything held and pending may come to the limit's part of equity."""
        assert code(rules.gross_exposure(draft(), facts(gross_exposure=D(exposure)), SETTINGS)) == expected

    @pytest.mark.parametrize(
        ("changes", "free", "expected"),
        [
            ({"quantity": "1"}, "123", OK),
            ({"quantity": "1"}, "122.99", "cash"),
            ({"quantity": "1", "limit_price": "101", "order_type": OrderType.LIMIT}, "121", OK),
            ({"quantity": "1", "limit_price": "101", "order_type": OrderType.LIMIT}, "120.99", "cash"),
            ({"quantity": None, "notional": "50"}, "70", OK),
            ({"quantity": None, "notional": "50"}, "69.99", "cash"),
        ],
    )
    def test_cash(self, facts: Make, draft: Make, changes: dict[str, Any], free: str, expected: str | None) -> None:
        """An order may cost what is free above the reserve: 3 % over the close, its limit, or its notional."""
        assert code(rules.enough_cash(draft(**changes), facts(cash_free=D(free)), SETTINGS)) == expected

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({"quantity": "10"}, OK),
            ({"quantity": "10.000000001"}, "beyond_book"),
            ({"quantity": None, "notional": "10"}, "beyond_book"),
        ],
    )
    def test_book(self, facts: Make, draft: Make, changes: dict[str, Any], expected: str | None) -> None:
        """An exit may sell its whole book, and nothing that it does not hold."""
        assert code(rules.within_book(draft(side=Side.SELL, **changes), facts(), SETTINGS)) == expected


@pytest.mark.parametrize("changes", [{"quantity": None}, {"quantity": None, "limit_price": "3"}])
def test_an_order_of_nothing_is_worth_nothing(draft: Make, changes: dict[str, Any]) -> None:
    """An order without an amount, which no rule lets pass, is worth and costs nothing."""
    assert not rules.draft_value(draft(**changes))
    assert not rules.draft_cost(draft(**changes))


def test_every_rule_has_its_place() -> None:
    """Every rule of the module is asked of entries, of exits or of both; entries are screened before they are sized."""
    asked = {*rules.ENTRY_RULES, *rules.EXIT_RULES}
    written = {
        value
        for name, value in vars(rules).items()
        if callable(value) and getattr(value, "__module__", "") == rules.__name__ and not isinstance(value, type)
        if not name.startswith("draft_")
    }
    assert written == asked
    assert [*rules.SCREEN_RULES, *rules.SIZED_RULES] == [*rules.ENTRY_RULES]
    forms: tuple[Rule, ...] = (rules.well_formed, rules.no_duplicate, rules.no_opposite, rules.price_collar)
    assert all(rule in rules.ENTRY_RULES and rule in rules.EXIT_RULES for rule in (*forms, rules.order_rate))
