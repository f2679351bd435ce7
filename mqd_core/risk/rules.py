"""The gate's rules, one small function each, and the protocol of rules that plugins add.

A rule gets a draft and the facts of the desk and says a denial or nothing; each has one code. May not change
anything, nor know how a fact was found.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final, TypeAlias

from mqd_core.domain.market import MINUTE_NS, SECOND_NS
from mqd_core.domain.money import (
    AMOUNT_MAX,
    CENT,
    SHARE_STEP,
    ZERO,
    add,
    is_amount,
    is_on_tick,
    multiply,
    percent_of,
    subtract,
    whole_down,
)
from mqd_core.domain.orders import OrderDraft, OrderType, Side
from mqd_core.domain.records import DeskState
from mqd_core.risk.facts import Denial, GateFacts, GateSettings

#: Market orders are charged this much more than the last close against the cash: what the venue reserves.
CASH_COLLAR: Final = Decimal("1.03")
#: No tick is finer: a price below one dollar moves in hundredths of a cent.
_LEAST_TICK: Final = Decimal("0.0001")


Rule: TypeAlias = Callable[[OrderDraft, GateFacts, GateSettings], Denial | None]


def draft_value(draft: OrderDraft) -> Decimal:
    """What an order is worth at its reference price: the measure of every value limit."""
    if draft.notional is not None:
        return draft.notional
    return multiply(draft.quantity or ZERO, draft.reference_price)


def draft_cost(draft: OrderDraft) -> Decimal:
    """The most cash a buy may take: at its limit where it has one, else 3 % above the reference price."""
    if draft.notional is not None:
        return draft.notional
    quantity = draft.quantity or ZERO
    if draft.limit_price is not None:
        return multiply(quantity, draft.limit_price)
    return multiply(multiply(quantity, draft.reference_price), CASH_COLLAR)


def well_formed(draft: OrderDraft, _facts: GateFacts, _settings: GateSettings) -> Denial | None:
    """Exactly one positive, finite amount; nine decimals of a share, two of a notional; prices on their tick."""
    amount = draft.quantity if draft.notional is None else draft.notional
    if amount is None or (draft.quantity is not None and draft.notional is not None):
        return Denial(code="malformed", text="an order has either a quantity or a notional")
    step = SHARE_STEP if draft.notional is None else CENT
    if not is_amount(amount, step):
        return Denial(code="malformed", text=f"{amount} is no amount above 0 and up to {AMOUNT_MAX} in steps of {step}")
    for price in (draft.limit_price, draft.stop_price):
        if price is not None and not (is_amount(price, _LEAST_TICK) and is_on_tick(price)):
            return Denial(code="malformed", text=f"{price} is not a price on its tick (SEC Rule 612)")
    needs_limit = draft.order_type in (OrderType.LIMIT, OrderType.STOP_LIMIT)
    needs_stop = draft.order_type in (OrderType.STOP, OrderType.STOP_LIMIT)
    if needs_limit != (draft.limit_price is not None) or needs_stop != (draft.stop_price is not None):
        return Denial(code="malformed", text=f"a {draft.order_type.value} order's prices do not fit its type")
    return None


def desk_may_enter(_draft: OrderDraft, facts: GateFacts, _settings: GateSettings) -> Denial | None:
    """Only a READY desk raises exposure."""
    state = facts.desk_state
    if state is DeskState.READY:
        return None
    return Denial(code=f"desk_{state.value}", text=f"the desk is {state.value}: nothing may raise exposure")


def desk_may_exit(_draft: OrderDraft, facts: GateFacts, _settings: GateSettings) -> Denial | None:
    """Before recovery is over nothing is sent at all; after it, exits always are."""
    state = facts.desk_state
    if state in (DeskState.STARTING, DeskState.RECOVERING):
        return Denial(code=f"desk_{state.value}", text=f"the desk is {state.value}: it does not yet know what it holds")
    return None


def session_may_enter(_draft: OrderDraft, facts: GateFacts, _settings: GateSettings) -> Denial | None:
    """Regular session only, outside the no-entry windows."""
    code = facts.session_code()
    return None if code is None else Denial(code=code, text="no entry is allowed at this time of the session")


def session_may_exit(_draft: OrderDraft, facts: GateFacts, _settings: GateSettings) -> Denial | None:
    """An exit decided at a close could only fill in another session, at a price nobody decided on."""
    if facts.session_code() == "session_closed":
        return Denial(code="session_closed", text="the session is over; the exit is asked for again in the next")
    return None


def symbol_may_enter(draft: OrderDraft, facts: GateFacts, _settings: GateSettings) -> Denial | None:
    """Nothing is bought in a symbol whose position is in doubt, or that somebody else trades."""
    text = facts.freeze_text(draft.symbol)
    return None if text is None else Denial(code="symbol_frozen", text=f"{draft.symbol} is frozen, {text}")


def loss_limits(_draft: OrderDraft, facts: GateFacts, _settings: GateSettings) -> Denial | None:
    """Daily and weekly loss, circuit breaker."""
    return facts.limit_denial()


def fresh_data(draft: OrderDraft, facts: GateFacts, settings: GateSettings) -> Denial | None:
    """No entry on a price older than `max_bar_age_seconds`."""
    age = facts.bar_age_ns(draft.symbol)
    if age > settings.max_bar_age_ns:
        allowed = settings.max_bar_age_ns // SECOND_NS
        text = f"the last bar of {draft.symbol} ended {age // SECOND_NS} s ago; {allowed} s are allowed"
        return Denial(code="stale_data", text=text)
    return None


def tradable(draft: OrderDraft, facts: GateFacts, _settings: GateSettings) -> Denial | None:
    """The broker trades the symbol, in the amount asked for."""
    asset = facts.asset(draft.symbol)
    if not asset.tradable:
        return Denial(code="not_tradable", text=f"the broker does not trade {draft.symbol}")
    fraction = draft.quantity is None or draft.quantity != whole_down(draft.quantity)
    if fraction and not asset.fractionable:
        return Denial(code="whole_shares_only", text=f"{draft.symbol} trades in whole shares only")
    value = draft_value(draft)
    if value < asset.minimum_notional_usd:
        text = f"the order is worth ${value}; the least is ${asset.minimum_notional_usd}"
        return Denial(code="below_minimum", text=text)
    return None


def not_dust(draft: OrderDraft, facts: GateFacts, _settings: GateSettings) -> Denial | None:
    """A remainder worth less than the minimum waits until it is worth it: the broker would refuse the order."""
    asset, value = facts.asset(draft.symbol), draft_value(draft)
    if value < asset.minimum_notional_usd:
        return Denial(
            code="dust", text=f"the position is worth ${value}; the least to sell is ${asset.minimum_notional_usd}"
        )
    return None


def no_duplicate(draft: OrderDraft, facts: GateFacts, _settings: GateSettings) -> Denial | None:
    """One working order a book."""
    if facts.has_working(draft.strategy_id, draft.symbol):
        return Denial(code="duplicate", text=f"an order of {draft.strategy_id} in {draft.symbol} is still working")
    return None


def no_repeat(draft: OrderDraft, facts: GateFacts, settings: GateSettings) -> Denial | None:
    """Not the same order twice within `duplicate_window_seconds`."""
    last = facts.last_like(draft, facts.now_ns - settings.duplicate_window_ns)
    if last is not None:
        text = f"the same order was sent {(facts.now_ns - last) // SECOND_NS} s ago"
        return Denial(code="duplicate", text=text)
    return None


def no_opposite(draft: OrderDraft, facts: GateFacts, _settings: GateSettings) -> Denial | None:
    """Brokers refuse both sides of one symbol at once as a wash trade."""
    if facts.has_opposite(draft.strategy_id, draft.symbol, draft.side):
        text = f"another strategy's order on the other side of {draft.symbol} is working"
        return Denial(code="opposite_side", text=text)
    return None


def price_collar(draft: OrderDraft, _facts: GateFacts, settings: GateSettings) -> Denial | None:
    """A limit further through the market than the collar is a mistyped price."""
    if draft.limit_price is None:
        return None
    width = percent_of(draft.reference_price, settings.price_collar_pct)
    buying = draft.side is Side.BUY
    bound = add(draft.reference_price, width) if buying else subtract(draft.reference_price, width)
    if (draft.limit_price > bound) if buying else (draft.limit_price < bound):
        collar = f"{settings.price_collar_pct} % from {draft.reference_price}"
        text = f"the limit {draft.limit_price} is beyond {bound} ({collar})"
        return Denial(code="price_collar", text=text)
    return None


def order_value(draft: OrderDraft, _facts: GateFacts, settings: GateSettings) -> Denial | None:
    """`risk.max_order_value_usd`."""
    limit = settings.max_order_value_usd
    if limit is not None and draft_value(draft) > limit:
        return Denial(code="order_value", text=f"the order is worth ${draft_value(draft)}; ${limit} are allowed")
    return None


def position_limit(draft: OrderDraft, facts: GateFacts, settings: GateSettings) -> Denial | None:
    """`risk.max_position_size_pct` of equity in one symbol, pending orders included."""
    limit = percent_of(facts.equity, settings.max_position_size_pct)
    value = add(facts.value_held(draft.symbol), draft_value(draft))
    if value > limit:
        return Denial(code="position_limit", text=f"{draft.symbol} would be worth ${value}; ${limit} are allowed")
    return None


def open_positions(draft: OrderDraft, facts: GateFacts, settings: GateSettings) -> Denial | None:
    """`risk.max_open_positions`: the account's symbols, pending entries included."""
    symbols = facts.occupied_symbols()
    if draft.symbol not in symbols and len(symbols) >= settings.max_open_positions:
        text = f"{len(symbols)} positions are open or pending; {settings.max_open_positions} are allowed"
        return Denial(code="max_open_positions", text=text)
    return None


def gross_exposure(draft: OrderDraft, facts: GateFacts, settings: GateSettings) -> Denial | None:
    """Everything held and pending, worst case, against equity."""
    limit = percent_of(facts.equity, settings.max_gross_exposure_pct)
    value = add(facts.gross_exposure, draft_value(draft))
    if value > limit:
        return Denial(code="gross_exposure", text=f"exposure would be ${value}; ${limit} are allowed")
    return None


def enough_cash(draft: OrderDraft, facts: GateFacts, settings: GateSettings) -> Denial | None:
    """Cash less what open buys may cost, with 3 % to spare on a market order: no borrowing, ever."""
    free = subtract(facts.cash_free, settings.cash_reserve_usd)
    cost = draft_cost(draft)
    if cost > free:
        return Denial(code="cash", text=f"the order may cost ${cost}; ${free} are free")
    return None


def order_rate(_draft: OrderDraft, facts: GateFacts, settings: GateSettings) -> Denial | None:
    """A strategy gone wild is stopped by a count, whatever it believes."""
    if facts.orders_this_session >= settings.max_orders_per_session:
        text = (
            f"{facts.orders_this_session} orders were sent this session; {settings.max_orders_per_session} are allowed"
        )
        return Denial(code="order_rate", text=text)
    recent = facts.orders_since(facts.now_ns - MINUTE_NS)
    if recent >= settings.max_orders_per_minute:
        text = f"{recent} orders were sent within a minute; {settings.max_orders_per_minute} are allowed"
        return Denial(code="order_rate", text=text)
    return None


def within_book(draft: OrderDraft, facts: GateFacts, _settings: GateSettings) -> Denial | None:
    """An exit sells no more than its own book holds: no short by accident."""
    held = facts.book_quantity(draft.strategy_id, draft.symbol)
    if draft.quantity is None or draft.quantity > held:
        return Denial(
            code="beyond_book", text=f"the book holds {held} {draft.symbol}; the exit asks for {draft.quantity}"
        )
    return None


#: What can deny an entry whatever its size: asked before the sizer, so that a denial names its real cause.
SCREEN_RULES: Final[tuple[Rule, ...]] = (
    desk_may_enter,
    session_may_enter,
    symbol_may_enter,
    loss_limits,
    no_duplicate,
    no_opposite,
    fresh_data,
    open_positions,
)
#: What depends on the size.
SIZED_RULES: Final[tuple[Rule, ...]] = (
    well_formed,
    no_repeat,
    tradable,
    price_collar,
    order_value,
    position_limit,
    gross_exposure,
    enough_cash,
    order_rate,
)
#: In this order; the first denial is the answer. What is cheap and says most comes first.
ENTRY_RULES: Final[tuple[Rule, ...]] = SCREEN_RULES + SIZED_RULES
#: Whatever lowers exposure skips the limits, never the checks of form, session and rate.
EXIT_RULES: Final[tuple[Rule, ...]] = (
    desk_may_exit,
    session_may_exit,
    no_duplicate,
    no_opposite,
    well_formed,
    no_repeat,
    within_book,
    not_dust,
    price_collar,
    order_rate,
)
#: Before a resting stop is canceled for an exit: whatever would deny the exit then, but for the stop itself.
EXIT_SCREEN_RULES: Final[tuple[Rule, ...]] = tuple(rule for rule in EXIT_RULES if rule is not no_duplicate)
#: What the desk sends to close a position by itself, or by a person's order. It may be the same as lately: a stop that
#: was canceled is sent again. Limits of form, side, book, price and rate hold as for any exit.
PROTECTIVE_RULES: Final[tuple[Rule, ...]] = tuple(rule for rule in EXIT_RULES if rule is not no_repeat)
