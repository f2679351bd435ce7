"""What strategies and sizers answered, checked before anything acts on it: a plugin may return anything.

Raises TypeError or ValueError that says what was wrong and what is allowed; the orchestrator quarantines the strategy
or denies the order. May not act on an answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from math import isfinite
from typing import Any

from mqd_core.domain.money import AMOUNT_MAX, CENT, ONE, SHARE_STEP, ZERO, is_amount
from mqd_core.domain.orders import OrderType, TimeInForce
from mqd_core.domain.signals import Reason, Signal, SignalAction, Size
from mqd_core.engine.instruments import Lane

#: Fields of a signal that are told apart by identity: a string that only looks like one would pass for another.
_KINDS = (("action", SignalAction), ("order_type", OrderType), ("time_in_force", TimeInForce))


def signals_of(answer: Any) -> Iterable[Any]:
    """What on_bar returned, one by one; a generator runs the strategy's code only now."""
    if type(answer) is tuple or isinstance(answer, Iterable):
        return answer
    if not answer:
        return ()
    message = f"on_bar returned {type(answer).__name__}; a sequence of Signal, () for none, is allowed"
    raise TypeError(message)


def checked_signal(signal: Any, lane: Lane) -> Signal:
    """Refuse what is no signal, one of a foreign symbol, and one with levels that are none."""
    if not isinstance(signal, Signal):
        message = f"on_bar returned a sequence with {type(signal).__name__} in it; a sequence of Signal is allowed"
        raise TypeError(message)
    if signal.symbol not in lane.slot.symbols:
        message = f"the signal is for {signal.symbol!r}; this strategy trades {', '.join(lane.slot.symbols)}"
        raise ValueError(message)
    for name, kind in _KINDS:
        if type(getattr(signal, name)) is not kind:
            message = f"{name} is {getattr(signal, name)!r}; a {kind.__name__} is allowed"
            raise TypeError(message)
    _check_fraction("stop_loss", signal.stop_loss)
    _check_fraction("take_profit", signal.take_profit)
    if signal.limit_price is not None:
        _check_price("limit_price", signal.limit_price)
    if signal.stop_price is not None:
        _check_price("stop_price", signal.stop_price)
    return signal


def _check_fraction(name: str, level: Any) -> None:
    if level is not None and not (isinstance(level, Decimal) and level.is_finite() and ZERO < level < ONE):
        message = f"{name} is {level!r}; a Decimal fraction between 0 and 1 is allowed"
        raise ValueError(message)


def _check_price(name: str, level: Any) -> None:
    if not (isinstance(level, Decimal) and level.is_finite() and ZERO < level <= AMOUNT_MAX):
        message = f"{name} is {level!r}; a Decimal above 0 and at most {AMOUNT_MAX} is allowed"
        raise ValueError(message)


def written_reason(signal: Signal) -> Reason:
    """A signal's reason as the journal keeps it: numpy's floats as Python's, NaN and infinities in words."""
    return tuple([_written(pair) for pair in signal.reason])


def _written(pair: Any) -> tuple[str, str | float | int]:
    name, value = pair
    if type(name) is str:
        kind = type(value)
        if kind is str or kind is int or (kind is float and isfinite(value)):
            return name, value
        if isinstance(value, float):
            return name, float(value) if isfinite(value) else str(float(value))
        if isinstance(value, int):
            return name, int(value)
    message = f"the reason holds {pair!r}; pairs of a name and a str, int or float are allowed"
    raise TypeError(message)


def checked_size(size: Any) -> Size:
    """Refuse what is no size: the wrong type, both amounts, a negative, infinite, huge or too fine one."""
    if not isinstance(size, Size):
        message = f"size() returned {type(size).__name__}; a Size is allowed"
        raise TypeError(message)
    if size.quantity is not None and size.notional is not None:
        message = "size() returned a quantity and a notional; one of them is allowed"
        raise ValueError(message)
    for name, amount, step in (("quantity", size.quantity, SHARE_STEP), ("notional", size.notional, CENT)):
        if amount is not None and not (isinstance(amount, Decimal) and is_amount(amount, step)):
            message = f"size() returned a {name} of {amount!r}; a Decimal above 0 in steps of {step} is allowed"
            raise ValueError(message)
    if type(size.reason) is not str:
        message = f"size() gave {type(size.reason).__name__} as its reason; words are allowed"
        raise TypeError(message)
    return size
