"""What a log line of each journal entry says: one function a line, from the entry and what the caller remembers.

May not remember, write or change anything: `journal_log` does. A line has its entry's time and correlation id.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from mqd_core.app.notation import decimal_text, rounded, time_text
from mqd_core.app.trades import Trade
from mqd_core.domain import events, records
from mqd_core.domain.market import MINUTE_NS
from mqd_core.domain.money import average_price
from mqd_core.domain.records import DeskState, Severity
from mqd_core.domain.sessions import Session, xnys
from mqd_core.logging import LogEvent, catalogue, write_record
from mqd_core.runtime.validator import Gap, Rejection

_ALERT_LEVELS: Final = {Severity.NOTICE: "INFO", Severity.WARNING: "WARNING", Severity.CRITICAL: "CRITICAL"}
_DESK_LEVELS: Final = {DeskState.FROZEN: "WARNING", DeskState.HALTED: "CRITICAL"}
_ENDS: Final = {
    "filled": catalogue.ORDER_FILLED,
    "canceled": catalogue.ORDER_CANCELED,
    "expired": catalogue.ORDER_EXPIRED,
    "rejected": catalogue.ORDER_REJECTED,
    "unknown": catalogue.ORDER_OUTCOME_UNKNOWN,
}
#: An order's lives before and after the broker's first word of it.
_UNANSWERED: Final = frozenset({"submitting", "unknown"})
_ANSWERED: Final = frozenset({"pending", "working", "paused"})


class LogLine(NamedTuple):
    """A line to be written. An empty level means its event's; fields that are None or empty are left out."""

    event: LogEvent
    ts: int
    fields: Mapping[str, object]
    correlation_id: str = ""
    level: str = ""

    def write(self, run_id: str) -> None:
        """Hand the line to the log, as one of that run; decimals in plain digits."""
        event = self.event
        extra = {
            name: decimal_text(value) if isinstance(value, Decimal) else value
            for name, value in (*self.fields.items(), ("run_id", run_id))
            if value is not None and value != ""
        }
        write_record(
            event.stream, self.level or event.level, event.message, self.correlation_id or None, self.ts, extra
        )


# The run


def run_started(event: events.RunStarted) -> LogLine:
    """A process has taken the desk."""
    versions = dict(event.versions)
    fields = {
        "desk_id": event.desk_id,
        "mode": event.mode,
        "version": versions.get("mqd-core"),
        "configuration": event.configuration,
        "feed": event.feed,
        "strategies": dict(event.strategies),
        "versions": versions,
        "protection": event.protection,
    }
    return LogLine(catalogue.RUN_STARTED, event.ts, fields)


def run_ended(event: events.RunEnded, done: Mapping[str, int]) -> LogLine:
    """The process leaves it; `done` is what this process counted."""
    return LogLine(catalogue.RUN_ENDED, event.ts, {"reason": event.reason, **done})


def session_opened(ts: int, session: Session) -> LogLine:
    """A trading session began."""
    fields = {"session_date": session.date, "closes_at": time_text(session.close_ns)}
    return LogLine(catalogue.SESSION_OPENED, ts, fields)


def session_closed(ts: int, session: Session, following: Session | None) -> LogLine:
    """A trading session ended."""
    opens_at = None if following is None else time_text(following.open_ns)
    return LogLine(catalogue.SESSION_CLOSED, ts, {"session_date": session.date, "next_open_at": opens_at})


def bar_revised(event: events.BarRevised) -> LogLine:
    """A source corrected a bar."""
    bar = event.bar
    fields = {"symbol": bar.symbol, "bar_at": time_text(bar.start_ns), "close": bar.close}
    return LogLine(catalogue.BAR_REVISED, event.ts, fields)


def bar_rejected(rejection: Rejection) -> LogLine:
    """A bar broke the contract and reached no strategy."""
    at = time_text(rejection.start_ns)
    fields = {"symbol": rejection.symbol, "bar_at": at, "code": rejection.code, "reason": rejection.text}
    return LogLine(catalogue.BAR_REJECTED, rejection.start_ns, fields)


def data_gap(gap: Gap) -> LogLine:
    """Bars are missing between two that came."""
    fields = {
        "symbol": gap.symbol,
        "gap_from": time_text(_first_missing_ns(gap)),
        "gap_until": time_text(gap.start_ns),
        "bars": gap.missing,
    }
    return LogLine(catalogue.DATA_GAP, gap.start_ns, fields)


def feed_status(event: events.FeedStatus) -> LogLine:
    """The feed's own news; a feed that is down or silent warns."""
    level = "WARNING" if event.code in ("down", "silent") else ""
    fields = {"code": event.code, "symbol": event.symbol, "reason": event.text}
    return LogLine(catalogue.FEED_STATUS, event.ts, fields, level=level)


def connection_moved(event: events.StreamStatus) -> LogLine:
    """A live connection went up, or warns that it did not stay there."""
    level = "" if event.state == "up" else "WARNING"
    fields = {"connection": event.stream, "state": event.state, "reason": event.text}
    return LogLine(catalogue.CONNECTION_MOVED, event.ts, fields, level=level)


def command_taken(event: events.Command) -> LogLine:
    """A person has ordered something."""
    fields = {"command_id": event.command_id, "command": event.name, "person": event.person, "reason": event.reason}
    return LogLine(catalogue.COMMAND_TAKEN, event.ts, fields)


# Signals and orders


def signal_made(record: records.SignalMade) -> LogLine:
    """A strategy asked for something, by these indicator values."""
    fields = {
        **_signal_fields(record),
        "order_type": record.order_type.value,
        "price": record.price,
        "stop_loss": record.stop_loss,
        "take_profit": record.take_profit,
        "indicators": dict(record.reason),
    }
    return LogLine(catalogue.SIGNAL_MADE, record.ts, fields, record.correlation_id)


def signal_sized(record: records.Sized, signal: records.SignalMade | None) -> LogLine:
    """The sizer's answer; the record itself does not say to whom."""
    fields = {
        **({} if signal is None else _signal_fields(signal)),
        "quantity": record.quantity,
        "notional": record.notional,
        "reason": record.reason,
    }
    return LogLine(catalogue.SIGNAL_SIZED, record.ts, fields, record.correlation_id)


def order_denied(record: records.Denied) -> LogLine:
    """Something was refused before it could become an order."""
    fields = {**_signal_fields(record), "code": record.code, "reason": record.text}
    return LogLine(catalogue.ORDER_DENIED, record.ts, fields, record.correlation_id)


def order_approved(record: records.Approved) -> LogLine:
    """The gate let an order through."""
    fields = {
        **_order_fields(record),
        "purpose": record.purpose.value,
        "order_type": record.order_type.value,
        "time_in_force": record.time_in_force.value,
        "limit_price": record.limit_price,
        "stop_price": record.stop_price,
        "entry_price": record.reference_price,
    }
    return LogLine(catalogue.ORDER_APPROVED, record.ts, fields, record.correlation_id)


def order_submitted(order: records.Approved, ts: int, attempt: int) -> LogLine:
    """The order is on its way."""
    fields = {**_order_fields(order), "entry_price": order.reference_price, "attempt": attempt}
    return LogLine(catalogue.ORDER_SUBMITTED, ts, fields, order.correlation_id)


def order_moved(record: records.OrderMoved, order: records.Approved | None, fill: events.Fill | None) -> LogLine:
    """An order changed, by this execution if it was one; `order` is None where an earlier process approved it."""
    known = {"order_id": record.client_order_id, "symbol": record.symbol}
    fields = {
        **(known if order is None else _order_fields(order)),
        "broker_order_id": record.broker_order_id,
        "previous_state": record.before,
        "state": record.after,
        "filled_quantity": record.cumulative,
        "request": record.request,
        "code": record.code,
        "reason": record.text,
    }
    if fill is not None:
        fields |= {"fill_quantity": fill.quantity, "fill_price": fill.price, "fee": fill.fee}
    event = _event_of_move(record.before, record.after, is_fill=fill is not None)
    level = "WARNING" if record.after == "abandoned" else ""
    return LogLine(event, record.ts, fields, record.correlation_id, level)


# Books and trades


def book_moved(record: records.BookMoved, realized: Decimal | None) -> LogLine:
    """A book and the cash changed; `realized` is the profit of this change, None where that is not known."""
    fields: dict[str, object] = {"cause": record.cause, "fee": record.fee, "cash": record.cash}
    if record.symbol:
        fields |= {
            "strategy_id": record.strategy_id,
            "symbol": record.symbol,
            "change": record.change,
            "price": record.price,
            "quantity": record.quantity,
            "average_price": average_price(record.cost, record.quantity) if record.quantity else None,
            "realized_profit": realized,
        }
    elif record.change:
        fields["amount"] = record.change
    return LogLine(catalogue.BOOK_MOVED, record.ts, fields, record.correlation_id)


def trade_closed(trade: Trade) -> LogLine:
    """A round trip ended."""
    fields = {
        **_trade_fields(trade),
        "quantity": trade.quantity,
        "entry_price": trade.entry_price,
        "exit_price": trade.exit_price,
        "profit": trade.profit,
        "profit_pct": rounded(trade.profit_pct, 4),
        "fees": trade.fees,
        "seconds_held": trade.seconds_held,
    }
    return LogLine(catalogue.TRADE_CLOSED, trade.closed_ns, fields, trade.correlation_out)


def trade_reopened(trade: Trade, ts: int) -> LogLine:
    """A bust took back what had closed it."""
    return LogLine(catalogue.TRADE_REOPENED, ts, _trade_fields(trade), trade.correlation_out)


# What watches


def limit_moved(record: records.LimitMoved) -> LogLine:
    """A loss limit opened, fired or was lifted."""
    fields = {
        "limit": record.limit,
        "state": record.state,
        "loss": record.loss,
        "level": record.level,
        "until": None if record.until_ns is None else time_text(record.until_ns),
        "session_date": record.session,
    }
    if record.state != "fired":
        return LogLine(catalogue.LIMIT_MOVED, record.ts, fields, level="INFO")
    return LogLine(catalogue.BREAKER_TRIPPED if record.limit == "breaker" else catalogue.LIMIT_MOVED, record.ts, fields)


def protection_moved(record: records.ProtectionMoved) -> LogLine:
    """What protects a position has changed; a position without protection is an error."""
    fields = {
        "strategy_id": record.strategy_id,
        "symbol": record.symbol,
        "state": record.state.value,
        "quantity": record.quantity,
        "stop_price": record.stop_price,
        "order_id": record.client_order_id,
        "code": record.code,
        "reason": record.text,
    }
    level = "ERROR" if record.state is records.CoverState.UNPROTECTED else ""
    return LogLine(catalogue.PROTECTION_MOVED, record.ts, fields, level=level)


def desk_moved(record: records.DeskMoved) -> LogLine:
    """What the desk may do has changed."""
    before, after = record.before.value, record.after.value
    fields = {"previous_state": before, "state": after, "code": record.code, "reason": record.text}
    return LogLine(catalogue.DESK_STATE_MOVED, record.ts, fields, level=_DESK_LEVELS.get(record.after, "INFO"))


def symbol_moved(record: records.SymbolMoved) -> LogLine:
    """A symbol was frozen, or set free again."""
    fields = {"symbol": record.symbol, "state": record.state, "code": record.code, "reason": record.text}
    level = "WARNING" if record.state == "frozen" else "INFO"
    return LogLine(catalogue.SYMBOL_MOVED, record.ts, fields, level=level)


def difference_moved(record: records.DifferenceMoved) -> LogLine:
    """What books and broker differ in has changed; where they agree now it is no warning."""
    fields = {"symbol": record.symbol, "state": record.state, "books": record.books, "broker": record.broker}
    level = "INFO" if record.books == record.broker else "WARNING"
    return LogLine(catalogue.DIFFERENCE_MOVED, record.ts, fields, level=level)


def plugin_moved(record: records.PluginMoved) -> LogLine:
    """A plugin failed, or was taken out of service."""
    fields = {
        "plugin": record.plugin,
        "symbol": record.symbol,
        "state": record.state,
        "error_type": record.error_type,
        "place": record.place,
        "reason": record.text,
    }
    return LogLine(catalogue.PLUGIN_MOVED, record.ts, fields)


def alert_raised(record: records.Alert) -> LogLine:
    """Something a person should know of now."""
    severity = record.severity
    fields = {"severity": severity.value, "code": record.code, "subject": record.subject, "reason": record.text}
    return LogLine(catalogue.ALERT_RAISED, record.ts, fields, level=_ALERT_LEVELS[severity])


#: Lines that an entry makes by itself.
PLAIN: Final[Mapping[type, Callable[[Any], LogLine]]] = MappingProxyType(
    {
        events.BarRevised: bar_revised,
        events.FeedStatus: feed_status,
        events.StreamStatus: connection_moved,
        events.Command: command_taken,
        records.SignalMade: signal_made,
        records.Denied: order_denied,
        records.LimitMoved: limit_moved,
        records.ProtectionMoved: protection_moved,
        records.DeskMoved: desk_moved,
        records.SymbolMoved: symbol_moved,
        records.DifferenceMoved: difference_moved,
        records.PluginMoved: plugin_moved,
        records.Alert: alert_raised,
    }
)


def _first_missing_ns(gap: Gap) -> int:
    """As many minutes of sessions back as bars are missing: a gap may reach over a night."""
    sessions, at_ns, missing = xnys(), gap.start_ns, gap.missing
    while missing:
        session = sessions.session_at(at_ns - 1) or sessions.previous_session(at_ns)
        if session is None:
            break
        end_ns = min(at_ns, session.close_ns)
        here = min(missing, -((session.open_ns - end_ns) // MINUTE_NS))
        at_ns, missing = end_ns - here * MINUTE_NS, missing - here
    return at_ns


def _event_of_move(before: str, after: str, *, is_fill: bool) -> LogEvent:
    if is_fill:
        return catalogue.ORDER_FILLED if after == "filled" else catalogue.ORDER_PARTIALLY_FILLED
    if before == after:
        return catalogue.ORDER_MOVED
    if before in _UNANSWERED and after in _ANSWERED:
        return catalogue.ORDER_ACKNOWLEDGED
    return _ENDS.get(after, catalogue.ORDER_MOVED)


def _signal_fields(signal: records.SignalMade | records.Denied) -> dict[str, object]:
    return {"strategy_id": signal.strategy_id, "symbol": signal.symbol, "action": signal.action.value}


def _order_fields(order: records.Approved) -> dict[str, object]:
    return {
        "order_id": order.client_order_id,
        "symbol": order.symbol,
        "quantity": order.quantity,
        "notional": order.notional,
        "side": order.side.value,
        "strategy_id": order.strategy_id,
    }


def _trade_fields(trade: Trade) -> dict[str, object]:
    return {
        "strategy_id": trade.strategy_id,
        "symbol": trade.symbol,
        "side": trade.side,
        "opened_at": time_text(trade.opened_ns),
        "entry_correlation_id": trade.correlation_in,
        "exit_correlation_id": trade.correlation_out,
    }
