"""`mqd compare`: two past runs read, compared, and told as JSON and as lines. May not judge: `comparing` does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from mqd_core.app.bar_pairs import BarPairs
from mqd_core.app.comparing import Comparison, Divergence, TripDifference, compare
from mqd_core.app.notation import decimal_text, time_text
from mqd_core.app.past_runs import PastRun
from mqd_core.app.trail import Key, Trail
from mqd_core.domain.money import subtract
from mqd_core.errors import ConfigError, StoreCorrupt

SCHEMA: Final = 1
_KINDS: Final = ("decision", "denial", "size", "fill", "time")


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRuns:
    """Two runs and what was found."""

    a: tuple[PastRun, Trail]
    b: tuple[PastRun, Trail]
    comparison: Comparison

    @property
    def cash_difference(self) -> Decimal:
        """What B's account holds more in cash than A's, in USD."""
        return subtract(self.b[1].cash, self.a[1].cash)


def compare_runs(a: PastRun, b: PastRun, *, common: bool = False) -> ComparedRuns:
    """Read and compare two runs; `common`: only the time that both lived through. Raises ConfigError, StoreCorrupt."""
    one, other = _read(a), _read(b)
    window = (max(one.first_ns, other.first_ns), min(one.last_ns, other.last_ns)) if common else None
    pairs = BarPairs((a, one), (b, other))
    found = compare(one, other, (_config(a, one), _config(b, other)), pairs.first_difference, window)
    return ComparedRuns(a=(a, one), b=(b, other), comparison=found)


def _read(run: PastRun) -> Trail:
    trail = Trail(run.rows())
    if not trail.starts:
        raise StoreCorrupt(f"{run.source}: the journal does not begin with the start of a run")
    return trail


def _config(run: PastRun, trail: Trail) -> dict[str, Any]:
    """What the run was last started with; nothing where that is not known any more."""
    try:
        return run.config_of(trail.starts[-1].run_id).masked()
    except ConfigError:
        return {}


def compared_object(found: ComparedRuns) -> dict[str, Any]:
    """The comparison as JSON knows it; money as exact decimals in USD."""
    comparison = found.comparison
    first = comparison.divergences[0] if comparison.divergences else None
    counts = {kind: sum(one.kind == kind for one in comparison.divergences) for kind in _KINDS}
    bar = comparison.bar
    return {
        "schema": SCHEMA,
        "equal": comparison.is_equal,
        "a": _side(*found.a),
        "b": _side(*found.b),
        "agree": comparison.agree,
        "differ": len(comparison.divergences),
        "differ_by_kind": counts,
        "cause": comparison.cause,
        "first": None if first is None else _divergence(first),
        "first_bar": bar and {"start": time_text(bar.start_ns), "symbol": bar.symbol, "a": bar.text_a, "b": bar.text_b},
        "configuration": list(comparison.configuration),
        "divergences": [_divergence(one) for one in comparison.divergences],
        "trades": [_trip(one) for one in comparison.trips],
        "profit_difference": decimal_text(comparison.difference),
        "cash_difference": decimal_text(found.cash_difference),
    }


def compared_pairs(found: ComparedRuns) -> Iterator[tuple[str, str]]:
    """What a person reads above the table: names and texts, the verdict first."""
    comparison = found.comparison
    yield "compare", "equal" if comparison.is_equal else "DIFFERENT"
    for name, (run, trail) in (("A", found.a), ("B", found.b)):
        counts = f"{len(trail.decisions):,} decisions, {trail.fills:,} fills, {len(trail.trades):,} round trips"
        yield name, f"{run.label}: {counts}, profit {decimal_text(trail.profit)} USD"
    kinds = {kind: sum(one.kind == kind for one in comparison.divergences) for kind in _KINDS}
    differ = ", ".join(f"{kind} {count:,}" for kind, count in kinds.items() if count)
    yield (
        "decisions",
        f"{comparison.agree:,} agree, {len(comparison.divergences):,} do not" + (differ and f" ({differ})"),
    )
    if comparison.divergences:
        first = comparison.divergences[0]
        yield "first", f"{first.kind} of {first.key[0]} in {first.key[1]}, {time_text(first.ts)}"
        yield "  A", first.text_a
        yield "  B", first.text_b
        yield "cause", _CAUSES[comparison.cause or first.kind]
    if comparison.bar is not None:
        yield "bar", f"{comparison.bar.symbol}, {time_text(comparison.bar.start_ns)}"
        yield "  A", comparison.bar.text_a
        yield "  B", comparison.bar.text_b
    if not comparison.is_equal:
        for change in comparison.configuration:
            yield "configuration", change.replace(" then, ", " in A, ").removesuffix(" now") + " in B"
        yield "profit", f"{_signed(comparison.difference)} USD in B, over {len(comparison.trips):,} round trips"
        yield "cash", f"{_signed(found.cash_difference)} USD in B at the end"


_CAUSES: Final = {
    "bar": "different bars: the strategies did not see the same",
    "configuration": "different configurations",
    "decision": "the same bars and settings led to another decision",
    "denial": "one was allowed what the other was denied",
    "size": "the same decision, of another size",
    "fill": "a different fill",
    "time": "the same fill, a minute or more apart",
}


def trip_cells(found: ComparedRuns) -> Iterator[tuple[str, ...]]:
    """The table's rows: opened, strategy, symbol, profit of A and B, B less A, cause."""
    for trip in found.comparison.trips:
        strategy, symbol, minute, _ = trip.key
        yield (
            time_text(minute),
            strategy,
            symbol,
            _money(trip.profit_a),
            _money(trip.profit_b),
            _signed(trip.difference),
            trip.cause,
        )


def _side(run: PastRun, trail: Trail) -> dict[str, Any]:
    started = trail.starts[-1]
    return {
        "run": run.label,
        "mode": started.mode,
        "configuration": started.configuration,
        "feed": started.feed,
        "decisions": len(trail.decisions),
        "fills": trail.fills,
        "trades": len(trail.trades),
        "profit": decimal_text(trail.profit),
        "cash": decimal_text(trail.cash),
        "positions": {f"{key[0]} {key[1]}": decimal_text(held) for key, held in trail.open.items() if held},
    }


def _divergence(one: Divergence) -> dict[str, Any]:
    return {"kind": one.kind, "time": time_text(one.ts), **_place(one.key), "a": one.text_a, "b": one.text_b}


def _trip(one: TripDifference) -> dict[str, Any]:
    return {
        **_place(one.key),
        "profit_a": None if one.profit_a is None else decimal_text(one.profit_a),
        "profit_b": None if one.profit_b is None else decimal_text(one.profit_b),
        "difference": decimal_text(one.difference),
        "cause": one.cause,
    }


def _place(key: Key) -> dict[str, Any]:
    return {"decided": time_text(key[2]), "strategy": key[0], "symbol": key[1]}


def _money(value: Decimal | None) -> str:
    return "none" if value is None else decimal_text(value)


def _signed(value: Decimal) -> str:
    text = decimal_text(value)
    return text if text.startswith("-") else f"+{text}"
