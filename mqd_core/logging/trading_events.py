"""Events of trading: the streams trading, orders, positions and risk.

See `catalogue` for the whole. May import nothing but what an event is.
"""

from __future__ import annotations

from typing import Final

from mqd_core.logging.event import RUN, LogEvent
from mqd_core.logging.streams import LogStream

_ORDER: Final = {
    "order_id": "the desk's own id of the order (client order id)",
    "symbol": "symbol",
    "quantity": "shares ordered; absent for an order by notional",
    "notional": "USD ordered; absent for an order by quantity",
    "side": "side of the order",
    "strategy_id": "id of the strategy's entry in the configuration",
    **RUN,
}
_ORDER_MOVE: Final = {
    **_ORDER,
    "broker_order_id": "the broker's id of the order, once known",
    "previous_state": "state before",
    "state": "state after",
    "filled_quantity": "shares filled so far",
    "request": "what is outstanding: none, cancel or replace",
    "code": "why, for machines",
    "reason": "why, in words (a broker's text is quoted as it came)",
}
_FILL: Final = {
    **_ORDER_MOVE,
    "fill_quantity": "shares of this fill",
    "fill_price": "price of this fill, USD a share",
    "fee": "fees of this fill, USD",
}
_SIGNAL: Final = {
    "strategy_id": "id of the strategy's entry in the configuration",
    "symbol": "symbol",
    "action": "enter or exit",
    **RUN,
}
_TRADE: Final = {
    "strategy_id": "id of the strategy's entry in the configuration",
    "symbol": "symbol",
    "side": "long or short",
    "opened_at": "when the book was opened",
    "entry_correlation_id": "correlation id of the signal that opened it",
    "exit_correlation_id": "correlation id of the signal that closed it",
    **RUN,
}
_LIMIT: Final = {
    "limit": "daily, weekly or breaker",
    "state": "state after",
    "loss": "loss measured, USD",
    "level": "equity at which the limit fires or fired, USD",
    "until": "when it ends by itself; absent when it waits for a session or a person",
    "session_date": "exchange date it counts for",
    **RUN,
}

SIGNAL_MADE: Final = LogEvent(
    LogStream.TRADING,
    "INFO",
    "Signal made",
    "A strategy asked for something.",
    {
        **_SIGNAL,
        "order_type": "market, limit, stop or stop_limit",
        "price": "close of the signal's bar, USD",
        "stop_loss": "stop as a fraction of the fill price",
        "take_profit": "target as a fraction of the fill price",
        "indicators": "the values the signal was made of",
    },
)
SIGNAL_SIZED: Final = LogEvent(
    LogStream.TRADING,
    "INFO",
    "Signal sized",
    "The sizer's answer to an entry: a quantity, a notional, or nothing.",
    {
        **_SIGNAL,
        "quantity": "shares; absent when sized by notional or not at all",
        "notional": "USD; absent when sized by quantity or not at all",
        "reason": "why this size",
    },
)
TRADE_CLOSED: Final = LogEvent(
    LogStream.TRADING,
    "INFO",
    "Trade closed",
    "A round trip ended: the strategy's book in the symbol is flat again.",
    {
        **_TRADE,
        "quantity": "shares traded",
        "entry_price": "average price paid, USD a share",
        "exit_price": "average price received, USD a share",
        "profit": "profit or loss after fees, USD",
        "profit_pct": "the same in per cent of what the entry was worth",
        "fees": "fees of the round trip, USD",
        "seconds_held": "from the first fill to the last, seconds",
    },
)
TRADE_REOPENED: Final = LogEvent(
    LogStream.TRADING,
    "WARNING",
    "Trade reopened",
    "A fill of a closed round trip was busted: its 'Trade closed' no longer counts, another one may follow.",
    _TRADE,
)

ORDER_APPROVED: Final = LogEvent(
    LogStream.ORDERS,
    "INFO",
    "Order approved",
    "The risk gate let an order through; its intent is durable, nothing is sent yet.",
    {
        **_ORDER,
        "purpose": "entry, exit, protect (a protective stop) or flatten (a person's order to sell)",
        "order_type": "market, limit, stop or stop_limit",
        "time_in_force": "day, gtc or ioc",
        "limit_price": "limit, USD a share",
        "stop_price": "stop, USD a share",
        "entry_price": "close of the signal's bar, at which limits were measured, USD a share",
    },
)
ORDER_SUBMITTED: Final = LogEvent(
    LogStream.ORDERS,
    "INFO",
    "Order submitted",
    "The order is on its way to the broker.",
    {
        **_ORDER,
        "entry_price": "close of the signal's bar, USD a share",
        "attempt": "which attempt to send it this is, from 1",
    },
)
ORDER_ACKNOWLEDGED: Final = LogEvent(
    LogStream.ORDERS, "INFO", "Order acknowledged", "The broker has the order.", _ORDER_MOVE
)
ORDER_FILLED: Final = LogEvent(
    LogStream.ORDERS, "INFO", "Order filled", "The last fill: the whole quantity is done.", _FILL
)
ORDER_PARTIALLY_FILLED: Final = LogEvent(
    LogStream.ORDERS, "INFO", "Order partially filled", "A fill that leaves some of the quantity open.", _FILL
)
ORDER_CANCELED: Final = LogEvent(
    LogStream.ORDERS, "INFO", "Order canceled", "The broker took the order back; fills before it stand.", _ORDER_MOVE
)
ORDER_EXPIRED: Final = LogEvent(
    LogStream.ORDERS, "INFO", "Order expired", "The order's time in force ran out.", _ORDER_MOVE
)
ORDER_REJECTED: Final = LogEvent(
    LogStream.ORDERS, "WARNING", "Order rejected", "The broker refused the order.", _ORDER_MOVE
)
ORDER_OUTCOME_UNKNOWN: Final = LogEvent(
    LogStream.ORDERS,
    "WARNING",
    "Order outcome unknown",
    "The order may or may not have reached the broker; the desk asks and does not send it again.",
    _ORDER_MOVE,
)
ORDER_MOVED: Final = LogEvent(
    LogStream.ORDERS, "INFO", "Order moved", "Any other change of an order's state.", _ORDER_MOVE
)

BOOK_MOVED: Final = LogEvent(
    LogStream.POSITIONS,
    "INFO",
    "Book moved",
    "A strategy's book in one symbol changed, and the account's cash with it.",
    {
        **RUN,
        "strategy_id": "id of the strategy's entry in the configuration",
        "symbol": "symbol",
        "cause": "opening, fill, bust, fill_corrected, external, the kind of activity, or adjust with its reason",
        "change": "shares added, negative when taken away",
        "amount": "USD that came in (negative: went out) by an activity that no fill explains",
        "price": "price of the change, USD a share",
        "fee": "fees of the change, USD",
        "quantity": "shares held after it",
        "average_price": "cost / quantity after it, USD a share",
        "realized_profit": "profit realized by the change, USD",
        "cash": "the account's cash after it, USD",
    },
)

ORDER_DENIED: Final = LogEvent(
    LogStream.RISK,
    "WARNING",
    "Order denied",
    "Something was refused before it could become an order.",
    {**_SIGNAL, "code": "which check refused it", "reason": "what was measured against which limit"},
)
LIMIT_MOVED: Final = LogEvent(
    LogStream.RISK, "WARNING", "Limit moved", "A loss limit opened, fired or was lifted.", _LIMIT
)
BREAKER_TRIPPED: Final = LogEvent(
    LogStream.RISK,
    "ERROR",
    "Circuit breaker tripped",
    "Equity fell too far from the session's peak; entries are denied for a while.",
    _LIMIT,
)
PROTECTION_MOVED: Final = LogEvent(
    LogStream.RISK,
    "INFO",
    "Protection moved",
    "What stands between a position and a fall of its price has changed.",
    {
        **RUN,
        "strategy_id": "id of the strategy",
        "symbol": "symbol",
        "state": "arming, armed, waived, asleep (until the open), exiting, unprotected, or empty",
        "quantity": "what the book holds, in shares",
        "stop_price": "level of the stop, USD a share",
        "order_id": "the protective order",
        "code": "why, for machines",
        "reason": "why, in words",
    },
)
SYMBOL_MOVED: Final = LogEvent(
    LogStream.RISK,
    "WARNING",
    "Symbol moved",
    "A symbol was frozen, so that nothing is bought in it, or set free again.",
    {
        **RUN,
        "symbol": "symbol",
        "state": "frozen or free",
        "code": "the cause: external, position_differs or corporate_action; a symbol may have several",
        "reason": "what was found, or why it has ended",
    },
)
DIFFERENCE_MOVED: Final = LogEvent(
    LogStream.RISK,
    "WARNING",
    "Difference moved",
    "Books and the broker's account differ, differ by another amount, were judged, or agree again.",
    {
        **RUN,
        "symbol": "symbol; empty for cash",
        "state": "read, the verdict (position_unexplained, position_sign, cash_unexplained, cash_differs, awaits_fees),"
        " or the end: agreed, accepted",
        "books": "what the desk's books say, in shares or USD",
        "broker": "what the broker says",
    },
)

EVENTS: Final = (
    SIGNAL_MADE,
    SIGNAL_SIZED,
    TRADE_CLOSED,
    TRADE_REOPENED,
    ORDER_APPROVED,
    ORDER_SUBMITTED,
    ORDER_ACKNOWLEDGED,
    ORDER_FILLED,
    ORDER_PARTIALLY_FILLED,
    ORDER_CANCELED,
    ORDER_EXPIRED,
    ORDER_REJECTED,
    ORDER_OUTCOME_UNKNOWN,
    ORDER_MOVED,
    BOOK_MOVED,
    ORDER_DENIED,
    LIMIT_MOVED,
    SYMBOL_MOVED,
    DIFFERENCE_MOVED,
    BREAKER_TRIPPED,
    PROTECTION_MOVED,
)
