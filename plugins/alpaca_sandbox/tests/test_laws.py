"""What holds after any sequence of requests and prices: money and shares add up, what is over stays over."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mqd_core.api import MINUTE_NS, SECOND_NS, xnys
from mqd_plugin_alpaca_sandbox.exchange.assets import ListedAsset
from mqd_plugin_alpaca_sandbox.exchange.errors import ApiError
from mqd_plugin_alpaca_sandbox.exchange.exchange import Exchange
from mqd_plugin_alpaca_sandbox.exchange.order import TERMINAL, Update
from mqd_plugin_alpaca_sandbox.exchange.order_request import read_order
from mqd_plugin_alpaca_sandbox.exchange.quotes import Print
from mqd_plugin_alpaca_sandbox.exchange.replacement import read_change
from mqd_plugin_alpaca_sandbox.exchange.settings import ExchangeSettings

# 14:30 UTC on 2026-09-18, a Friday.
START_NS = 1_789_741_800 * SECOND_NS
CENTS = st.integers(9_000, 11_000).map(lambda cents: str(Decimal(cents).scaleb(-2)))
SIDES = st.sampled_from(["buy", "sell"])


def order(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[str, Any]]:
    """A request for an order, whether or not it may be sent."""
    usual = {"symbol": st.just("SPY"), "side": SIDES, "time_in_force": st.sampled_from(["day", "gtc", "ioc"])}
    return st.tuples(st.just("submit"), st.fixed_dictionaries({**usual, **members}))


QUANTITIES = st.sampled_from(["1", "2", "3", "0.5", "0.123456789"])
STEPS = st.one_of(
    order(type=st.just("market"), qty=QUANTITIES),
    order(type=st.just("market"), notional=st.sampled_from(["1.00", "25.50", "333.33"])),
    order(type=st.just("limit"), qty=QUANTITIES, limit_price=CENTS),
    order(type=st.just("stop"), qty=QUANTITIES, stop_price=CENTS),
    st.tuples(st.just("price"), CENTS),
    st.tuples(st.just("cancel"), st.integers(0, 30)),
    st.tuples(st.just("replace"), st.tuples(st.integers(0, 30), CENTS)),
    st.tuples(st.just("wait"), st.sampled_from([1, 60, 7 * 60, 3 * 24 * 60])),
)


def do(exchange: Exchange, action: str, what: Any) -> None:
    """One step; a refusal is an answer like any other."""
    known = list(exchange.book)
    try:
        if action == "submit":
            exchange.submit(read_order(what))
        elif action == "cancel" and known:
            exchange.cancel(known[what % len(known)].id)
        elif action == "replace" and known:
            exchange.replace(known[what[0] % len(known)].id, read_change({"limit_price": what[1]}))
    except ApiError:
        return
    later = exchange.now_ns + (what * MINUTE_NS if action == "wait" else SECOND_NS)
    shown = [Print(ts_ns=later, symbol="SPY", price=Decimal(what))] if action == "price" else []
    exchange.advance(later, shown)


@given(st.lists(STEPS, max_size=40), st.integers(0, 3))
def test_books_are_kept_whatever_happens(steps: list[tuple[str, Any]], seed: int) -> None:
    """Cash, shares and the sums of each order follow from the executions; no order lives on after its end."""
    settings = ExchangeSettings(seed=seed, partial_fill_pct=50, acknowledge_ns=SECOND_NS // 2, cancel_ns=SECOND_NS)
    exchange = Exchange(settings, [ListedAsset(symbol="SPY")], xnys(), START_NS)
    told: list[Update] = []
    exchange.subscribe(told.append)
    exchange.advance(START_NS, [Print(ts_ns=START_NS, symbol="SPY", price=Decimal(100))])
    for action, what in steps:
        do(exchange, action, what)
    cash, shares = settings.cash_usd, Decimal(0)
    filled: dict[str, Decimal] = {}
    ended: set[str] = set()
    for update in told:
        if update.event not in {"order_cancel_rejected", "order_replace_rejected"}:
            assert update.order.id not in ended
        if update.order.status in TERMINAL:
            ended.add(update.order.id)
        if update.execution is not None:
            qty = update.execution.qty if update.order.is_buy else -update.execution.qty
            cash, shares = cash - qty * update.execution.price, shares + qty
            filled[update.order.id] = filled.get(update.order.id, Decimal(0)) + update.execution.qty
            assert update.execution.position_qty == shares >= 0
    assert (exchange.account.cash, exchange.account.held("SPY")) == (cash, shares)
    for each in exchange.book:
        assert each.filled_qty == filled.get(each.id, Decimal(0))
        assert each.qty is None or each.filled_qty <= each.qty
        assert each.notional is None or each.filled_value <= each.notional
        assert (each.id in ended) == (each.status in TERMINAL)
    assert [update.event_id for update in told] == sorted(update.event_id for update in told)
    assert len(exchange.activities) == sum(update.execution is not None for update in told)
