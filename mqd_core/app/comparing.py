"""Two trails side by side: which decisions agree, which is the first that does not, and what each difference cost.

Pure but for the bars, which a caller reads when they are asked for. Equal means equal decisions, terms, fills (their
times to the minute: a live venue answers some milliseconds later than a simulated one) and round trips. May not print.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal

from mqd_core.app.notation import decimal_text, time_text
from mqd_core.app.rebuild import changed_keys
from mqd_core.app.trades import Trade
from mqd_core.app.trail import Decision, Key, Trail
from mqd_core.domain.market import MINUTE_NS
from mqd_core.domain.money import ZERO, add, subtract

#: `size`: the same decision of another quantity or amount, as any difference of cash leaves behind.
Kind = Literal["decision", "denial", "size", "fill", "time"]
Cause = Literal["bar", "configuration", "decision", "denial", "size", "fill", "time"]

#: Sections of a configuration that decide nothing: two modes of one desk differ in these.
NEUTRAL: Final = frozenset({"desk", "store", "data", "broker", "backtest", "logging", "observers", "plugins"})
_SIZE: Final = frozenset({"quantity", "notional"})


@dataclass(frozen=True, slots=True)
class Divergence:
    """One decision that is not the same in both, in words; `ts` is when it shows (UTC nanoseconds)."""

    kind: Kind
    ts: int
    key: Key
    text_a: str
    text_b: str


@dataclass(frozen=True, slots=True)
class TripDifference:
    """A round trip of which the runs made different money: profits in USD, exact; None where a run does not have it."""

    key: Key
    profit_a: Decimal | None
    profit_b: Decimal | None
    cause: str

    @property
    def difference(self) -> Decimal:
        """What B made more than A."""
        return subtract(self.profit_b or ZERO, self.profit_a or ZERO)


@dataclass(frozen=True, slots=True)
class BarDifference:
    """The first bar that is not the same in both; empty for a run that does not have it."""

    start_ns: int
    symbol: str
    text_a: str
    text_b: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Everything that was found, in the order of time."""

    agree: int
    divergences: tuple[Divergence, ...]
    trips: tuple[TripDifference, ...]
    cause: Cause | None
    bar: BarDifference | None
    configuration: tuple[str, ...]
    difference: Decimal

    @property
    def is_equal(self) -> bool:
        """Whether the two runs did the same."""
        return not self.divergences and not self.trips


#: What reads the first bar that differs and was known by a time.
FirstBar = Callable[[int], BarDifference | None]


def compare(
    a: Trail,
    b: Trail,
    configurations: tuple[Mapping[str, Any], Mapping[str, Any]],
    first_bar: FirstBar,
    window_ns: tuple[int, int] | None = None,
) -> Comparison:
    """Compare two trails; in a window, what was decided from its first to its last nanosecond."""
    keys = sorted({*a.decisions, *b.decisions}, key=lambda key: (key[2], key))
    if window_ns is not None:
        keys = [key for key in keys if window_ns[0] <= key[2] <= window_ns[1]]
    pairs = ((key, _differ(key, a.decisions.get(key), b.decisions.get(key))) for key in keys)
    found = {key: divergence for key, divergence in pairs if divergence is not None}
    divergences = tuple(sorted(found.values(), key=lambda one: one.ts))
    trips = tuple(_trips(a, b, set(keys), found))
    bar = first_bar(divergences[0].ts) if divergences else None
    configuration = tuple(changed_keys(*configurations))
    total = ZERO
    for trip in trips:
        total = add(total, trip.difference)
    return Comparison(
        agree=len(keys) - len(found),
        divergences=divergences,
        trips=trips,
        cause=_cause(divergences[0], bar, configuration) if divergences else None,
        bar=bar,
        configuration=configuration,
        difference=total,
    )


def _cause(first: Divergence, bar: BarDifference | None, configuration: tuple[str, ...]) -> Cause:
    """The earliest thing that explains the first divergence: other bars, then other settings, then itself."""
    if bar is not None:
        return "bar"
    deciding = [change for change in configuration if change.partition(".")[0].partition(":")[0] not in NEUTRAL]
    if deciding and first.kind in ("decision", "denial", "size"):
        return "configuration"
    return first.kind


def _differ(key: Key, a: Decision | None, b: Decision | None) -> Divergence | None:
    if a is None or b is None:
        return Divergence("decision", key[2], key, _text(a), _text(b))
    if (a.action, a.code) != (b.action, b.code):
        kind: Kind = "decision" if a.action != b.action else "denial"
        return Divergence(kind, key[2], key, _text(a), _text(b))
    if a.terms != b.terms:
        names = [name for name in {**a.terms, **b.terms} if a.terms.get(name) != b.terms.get(name)]
        sized: Kind = "size" if _SIZE.issuperset(names) else "decision"
        return Divergence(sized, key[2], key, _terms(a, names), _terms(b, names))
    one, other = a.filled, b.filled
    ts = min(one.last_ns or other.last_ns, other.last_ns or one.last_ns)
    if (one.quantity, one.value, one.fees) != (other.quantity, other.value, other.fees):
        return Divergence("fill", ts, key, _fill(a), _fill(b))
    if abs(one.last_ns - other.last_ns) >= MINUTE_NS:
        return Divergence("time", ts, key, time_text(one.last_ns), time_text(other.last_ns))
    return None


def _text(decision: Decision | None) -> str:
    if decision is None:
        return "no decision"
    if decision.is_approved:
        return f"{decision.action} approved"
    return f"{decision.action} {'undecided' if not decision.code else f'denied: {decision.code}'}"


def _terms(decision: Decision, names: list[str]) -> str:
    return ", ".join(f"{name} {decision.terms.get(name, 'none')}" for name in names)


def _fill(decision: Decision) -> str:
    filled = decision.filled
    if not filled.quantity:
        return "not filled"
    fees = f", fees {decimal_text(filled.fees)} USD" if filled.fees else ""
    return f"{decimal_text(filled.quantity)} at {decimal_text(filled.price)} USD{fees}"


def _trips(a: Trail, b: Trail, keys: set[Key], found: Mapping[Key, Divergence]) -> Iterator[TripDifference]:
    """Round trips that brought other money, each with what differs of its entry or exit."""
    ours, theirs = a.trades, b.trades
    for key in sorted({*ours, *theirs} & keys, key=lambda key: (key[2], key)):
        one, other = ours.get(key), theirs.get(key)
        if one is not None and other is not None and one.profit == other.profit:
            continue
        yield TripDifference(
            key, None if one is None else one.profit, None if other is None else other.profit,
            _trip_cause(key, (a, one), (b, other), found),
        )  # fmt: skip


def _trip_cause(
    key: Key, one: tuple[Trail, Trade | None], other: tuple[Trail, Trade | None], found: Mapping[Key, Divergence]
) -> str:
    if key in found:
        return f"entry: {found[key].kind}"
    for trail, trade in (one, other):
        exit_key = None if trade is None else trail.key_of(trade.correlation_out)
        if exit_key is not None and exit_key in found:
            return f"exit: {found[exit_key].kind}"
    return "only in A" if other[1] is None else "only in B" if one[1] is None else "between entry and exit"
