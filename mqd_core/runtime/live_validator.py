"""LiveValidator: the market data contract on the bars of a live feed, one by one as they come, in the loop's thread.

A bar passes as it is or is kept out, counted and told of; what is remarkable about one that passes is said with it.
May not change a value, nor decide what the desk does about a late bar.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec

from mqd_core.domain.contract import MarketDataContract, Violation, utc_text
from mqd_core.domain.market import Bar, Timeframe
from mqd_core.domain.sessions import SessionTable
from mqd_core.runtime.validator import REJECTIONS_KEPT, Gap, Rejection

# Codes of a live feed, beside those of the contract.
UNKNOWN_SYMBOL: Final = "unknown_symbol"
FUTURE: Final = "future"


class Verdict(msgspec.Struct, frozen=True):
    """Whether a bar passes; `code` says why not, or what is remarkable about it (`stale`), and is empty otherwise."""

    passes: bool
    code: str = ""
    text: str = ""


_PASSES: Final = Verdict(True)


def _ignored(_told: Sequence[object]) -> None:
    """Nobody wants to be told."""


class LiveValidator:
    """Judges bars of these symbols, each symbol's against the one before it. Not thread-safe.

    `counts` holds rejections by code, and under `gap` the number of gaps; `missing` is how many bars those left out,
    and `late` how many came later than `stale_after_ns` after their end. Rejections and gaps are told of one by one,
    of each code of rejection no more than are kept in full of a finite feed.
    """

    def __init__(
        self,
        symbols: Sequence[str],
        timeframe: Timeframe,
        sessions: SessionTable,
        *,
        stale_after_ns: int,
        on_rejected: Callable[[Sequence[Rejection]], None] = _ignored,
        on_gaps: Callable[[Sequence[Gap]], None] = _ignored,
    ) -> None:
        self._contract = MarketDataContract(timeframe, sessions, stale_after_ns)
        self._on_rejected = on_rejected
        self._on_gaps = on_gaps
        self._bars = 0
        # Of each symbol the start of the last bar, None before any, and the bar itself where it is known.
        self._last: dict[str, tuple[int | None, Bar | None]] = dict.fromkeys(symbols, (None, None))
        self.counts: dict[str, int] = {}
        self.missing = 0
        self.late = 0
        #: Gaps that nobody was told of yet: none, since each is told of as it is found.
        self.gaps: tuple[Gap, ...] = ()

    def know(self, bars: Iterable[Bar]) -> None:
        """Take bars for known that the desk has from elsewhere: what comes live has to be later."""
        for bar in bars:
            self.resume(bar.symbol, bar.start_ns, bar)

    def resume(self, symbol: str, start_ns: int, bar: Bar | None = None) -> None:
        """Go on after a symbol's bar of that start, if it is later than what is known of it."""
        known_ns = self._last.get(symbol, (start_ns, None))[0]
        if known_ns is None or start_ns > known_ns:
            self._last[symbol] = start_ns, bar

    def check(self, bar: Bar, now_ns: int) -> Verdict:
        """Judge a bar that is taken now; one that passes is what later bars are judged by."""
        self._bars += 1
        violation = self._violation(bar, now_ns)
        if violation is not None:
            self._reject(bar, violation)
            return Verdict(False, violation.code, violation.text)
        self._note_gap(bar)
        self._last[bar.symbol] = bar.start_ns, bar
        late = self._contract.stale(bar, now_ns)
        if late is None:
            return _PASSES
        self.late += 1
        return Verdict(True, late.code, late.text)

    def is_revision(self, bar: Bar) -> bool:
        """Whether a source may correct a bar to this: a known symbol, and numbers that a bar may have. Counted."""
        violation = self._contract.check(bar, None, None) if bar.symbol in self._last else self._unknown(bar)
        if violation is not None:
            self._reject(bar, violation)
        return violation is None

    def reached(self, start_ns: int) -> bool:
        """Whether every symbol has its bar of that start, or a later one."""
        return all(last_ns is not None and last_ns >= start_ns for last_ns, _ in self._last.values())

    def _violation(self, bar: Bar, now_ns: int) -> Violation | None:
        if bar.symbol not in self._last:
            return self._unknown(bar)
        if bar.start_ns > now_ns:
            # Time that the engine has seen cannot be taken back.
            return Violation(FUTURE, f"it started {utc_text(bar.start_ns)}, which is after {utc_text(now_ns)}, now")
        return self._contract.check(bar, *self._last[bar.symbol])

    def _unknown(self, bar: Bar) -> Violation:
        return Violation(UNKNOWN_SYMBOL, f"no strategy trades {bar.symbol}; the desk asked for {', '.join(self._last)}")

    def _note_gap(self, bar: Bar) -> None:
        last_ns = self._last[bar.symbol][0]
        gap = self._contract.gap(bar.start_ns, last_ns)
        if gap is None or last_ns is None:
            return
        self._count(gap.code)
        self.missing += gap.missing
        self._on_gaps((Gap(bar.symbol, bar.start_ns, gap.missing),))

    def _reject(self, bar: Bar, violation: Violation) -> None:
        """Count a bar that is kept out; its place in the source is the number of bars that came so far."""
        if self._count(violation.code) <= REJECTIONS_KEPT:
            self._on_rejected((Rejection(bar.symbol, bar.start_ns, self._bars, violation.code, violation.text),))

    def _count(self, code: str) -> int:
        count = self.counts[code] = self.counts.get(code, 0) + 1
        return count
