"""Laws that hold whatever is ordered and whatever the market does."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from mqd_core.api import ZERO, Activity, Fill, OrderReport, OrderStatus, Refused, Side

SYMBOLS = ("AAA", "BBB", "CCC")
TERMINAL = {OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.EXPIRED}

prices = st.integers(8_000, 12_000).map(lambda cents: cents / 100)
quantities = st.one_of(
    st.integers(1, 8).map(str), st.integers(10_000_000, 8_000_000_000).map(lambda units: str(Decimal(units).scaleb(-9)))
)


@st.composite
def terms(draw):
    """An order's terms; many of them will be refused, as they should."""
    kind = draw(st.sampled_from(["market", "market", "limit", "stop", "stop_limit"]))
    level = draw(st.integers(9_000, 11_000).map(lambda cents: str(Decimal(cents).scaleb(-2))))
    other = draw(st.integers(9_000, 11_000).map(lambda cents: str(Decimal(cents).scaleb(-2))))
    result = {
        "side": draw(st.sampled_from(["buy", "buy", "sell"])),
        "kind": kind,
        "symbol": draw(st.sampled_from(SYMBOLS)),
        "quantity": draw(quantities),
        "tif": draw(st.sampled_from(["day", "day", "day", "gtc", "ioc"])),
        "limit": level if "limit" in kind else None,
        "stop": other if "stop" in kind else None,
    }
    if kind == "market" and draw(st.booleans()):
        result |= {"notional": draw(st.integers(100, 60_000).map(lambda cents: str(Decimal(cents).scaleb(-2))))}
        result["tif"] = "day"
    return result


@st.composite
def candles(draw):
    """Open, high, low, close and volume that fit each other."""
    opened, close, *others = draw(st.tuples(prices, prices, prices, prices))
    return opened, max(opened, close, *others), min(opened, close, *others), close, float(draw(st.integers(0, 400)))


minutes = st.lists(
    st.tuples(
        st.lists(terms(), max_size=3),
        st.dictionaries(st.sampled_from(SYMBOLS), candles(), max_size=3),
        st.booleans(),
    ),
    max_size=12,
)
configurations = st.fixed_dictionaries(
    {
        "slippage_bps": st.sampled_from(["0", "1.25", "30"]),
        "spread_bps": st.sampled_from(["0", "2.5"]),
        "participation_pct": st.sampled_from(["0", "1", "12.5"]),
        "partial_fill_pct": st.sampled_from(["0", "50"]),
        "commission_per_share_usd": st.sampled_from(["0", "0.005"]),
        "limit_fill": st.sampled_from(["touch", "through"]),
        "regulatory_fees": st.booleans(),
        "whole_share_symbols": st.sampled_from([[], ["CCC"]]),
        "latency_ms": st.sampled_from([0, 250]),
        "seed": st.integers(0, 3),
    }
)


def bars_of(bench, minute: int, candles) -> list:
    """One bar for each (symbol, candle)."""
    return [bench.bar(minute, *prices, volume=volume, symbol=symbol) for symbol, (*prices, volume) in candles]


def live(bench, venue, story, first_minute: int = 0) -> list:
    """Send the orders and show the bars of every minute; what the venue said, cancels included."""
    said: list = []
    for offset, (orders, bars, cancels) in enumerate(story):
        minute = first_minute + offset
        for number, order in enumerate(orders):
            try:
                said.append(venue.submit(bench.order(f"m{minute}n{number}", minute=minute, **order)))
            except Refused:
                continue
        if bars:
            said += bench.show(venue, *bars_of(bench, minute, bars.items()))
        if cancels:
            working = [report for report in venue.orders(0) if report.status not in TERMINAL]
            said += [venue.cancel(report.client_order_id, bench.at(minute + 1)) for report in working[:1]]
    return said


@given(story=minutes, configuration=configurations)
def test_the_books_balance(bench, story, configuration):
    """Cash and positions are exactly the start and all fills, fees and charges; positions are never negative."""
    venue = bench.venue(**configuration)
    said = live(bench, venue, story) + list(venue.advance(bench.session.close_ns, ()))
    cash, held = Decimal(1000), dict.fromkeys(SYMBOLS, ZERO)
    for event in said:
        if isinstance(event, Fill):
            sign = 1 if event.side is Side.BUY else -1
            held[event.symbol] += sign * event.quantity
            cash -= sign * event.quantity * event.price + event.fee
            assert all(quantity >= 0 for quantity in held.values())
        elif isinstance(event, Activity):
            cash += event.amount
    account = venue.account(0)
    assert account.cash == cash
    assert {position.symbol: position.quantity for position in account.positions} == {
        symbol: quantity for symbol, quantity in held.items() if quantity
    }


@given(story=minutes, configuration=configurations)
def test_fills_of_an_order_add_up(bench, story, configuration):
    """An order's cumulative quantity grows with every fill by just that fill, and never past what was asked for."""
    venue = bench.venue(**configuration)
    said = live(bench, venue, story)
    reached: dict[str, Decimal] = {}
    for event in said:
        if isinstance(event, Fill):
            before = reached.get(event.client_order_id, ZERO)
            assert event.quantity > 0
            assert event.cumulative_quantity == before + event.quantity
            reached[event.client_order_id] = event.cumulative_quantity
    for report in venue.orders(0):
        assert report.filled_quantity == reached.get(report.client_order_id, ZERO)
        if report.quantity is not None:
            assert report.filled_quantity <= report.quantity
            assert (report.filled_quantity == report.quantity) is (report.status is OrderStatus.FILLED)


@given(story=minutes, configuration=configurations)
def test_an_order_ends_once_and_is_silent_afterwards(bench, story, configuration):
    """Nothing is said of an order after its end, and every order has ended after enough closes."""
    venue = bench.venue(**configuration)
    said = live(bench, venue, story)
    said += venue.advance(bench.session.close_ns + 100 * 24 * 3600 * 10**9, ())
    assert venue.working == 0
    ended: set[str] = set()
    for event in said:
        if isinstance(event, Fill | OrderReport):
            assert event.client_order_id not in ended
        if isinstance(event, OrderReport) and event.status in TERMINAL:
            ended.add(event.client_order_id)


@given(story=minutes, configuration=configurations, cut=st.integers(0, 12))
def test_a_restored_venue_goes_on_identically(bench, story, configuration, cut):
    """Taken at any point, the state makes another venue that says the same and ends the same."""
    cut = min(cut, len(story))
    venue = bench.venue(**configuration)
    live(bench, venue, story[:cut])
    other = bench.venue(**configuration)
    other.restore(venue.state())
    assert live(bench, other, story[cut:], cut) == live(bench, venue, story[cut:], cut)
    assert other.state() == venue.state()


@given(story=minutes, configuration=configurations, turn=st.randoms(use_true_random=False))
def test_symbols_do_not_disturb_each_other(bench, story, configuration, turn):
    """With cash for all of them, the order of calls for different symbols changes nothing about any one symbol."""
    rich = configuration | {"starting_cash": 10_000_000}

    def by_symbol(is_turned: bool) -> dict[str, list]:
        venue = bench.venue(**rich)
        said: list = []
        for minute, (orders, bars, _) in enumerate(story):
            numbered, shown = list(enumerate(orders)), list(bars.items())
            if is_turned:
                # The order of calls within one symbol stays.
                numbered.sort(key=lambda item: (SYMBOLS[::-1].index(item[1]["symbol"]), item[0]))
                turn.shuffle(shown)
            for number, order in numbered:
                try:
                    said.append(venue.submit(bench.order(f"m{minute}n{number}", minute=minute, **order)))
                except Refused:
                    continue
            if shown:
                said += bench.show(venue, *bars_of(bench, minute, shown))
        orders_said = [event for event in said if not isinstance(event, Activity)]
        return {symbol: [event for event in orders_said if event.symbol == symbol] for symbol in SYMBOLS}

    assert by_symbol(is_turned=False) == by_symbol(is_turned=True)


@given(story=minutes, configuration=configurations)
def test_fills_keep_their_orders_word(bench, story, configuration):
    """No limit is filled at a worse price than it says, and no fill comes from before its order."""
    venue = bench.venue(**configuration)
    sent = {}
    for minute, (orders, _, _) in enumerate(story):
        for number, order in enumerate(orders):
            sent[f"m{minute}n{number}"] = bench.order(f"m{minute}n{number}", minute=minute, **order)
    for event in live(bench, venue, story):
        if not isinstance(event, Fill):
            continue
        order = sent[event.client_order_id]
        assert event.ts >= order.submitted_ns
        if order.limit_price is not None:
            assert event.price <= order.limit_price if order.side is Side.BUY else event.price >= order.limit_price
