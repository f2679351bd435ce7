"""Loss limits that survive restarts: daily, weekly, and a circuit breaker with a timed halt.

A fold over what the journal holds: session changes, transfers, and equity at bar closes. The tracker is asked only
when a float guard says that a level may have been crossed (`engine.loss_guard`), so everything here is exact.
May not read a clock or know positions.

Session loss = equity at the open (marked at the last closes known then) - equity now + net deposits; the week's is
the same from its first session. A limit fires at loss >= limit. The breaker measures the fall from the session's peak.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from mqd_core.domain.money import ZERO, add, percent_of, subtract
from mqd_core.risk.facts import Denial


class LimitSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The loss part of the `risk:` section; None switches a limit off."""

    daily_loss_limit_usd: Decimal | None
    weekly_loss_limit_usd: Decimal | None
    circuit_breaker_loss_pct: Decimal | None
    halt_ns: int


class LimitState(msgspec.Struct, frozen=True, kw_only=True):
    """The tracker as plain values, for snapshots."""

    session: str = ""
    week: str = ""
    day_base: Decimal = ZERO
    week_base: Decimal = ZERO
    peak: Decimal = ZERO
    daily_fired: bool = False
    weekly_fired: bool = False
    halted_until_ns: int = 0


class LimitChange(msgspec.Struct, frozen=True, kw_only=True):
    """One limit moved: opened, fired or lifted; `level` is the equity at which it fires or fired."""

    limit: str
    state: str
    loss: Decimal
    level: Decimal
    until_ns: int | None = None


class PersistentLimitTracker:
    """What has been lost this session and week, and what that forbids."""

    def __init__(self, settings: LimitSettings) -> None:
        self._settings = settings
        self._session = ""
        self._week = ""
        # Bases are equity at the open plus net deposits since: loss is base less equity.
        self._day_base = ZERO
        self._week_base = ZERO
        self._peak = ZERO
        self._daily_fired = False
        self._weekly_fired = False
        self._halted_until_ns = 0

    @property
    def session(self) -> str:
        """ISO date of the session being measured; empty before the first."""
        return self._session

    def open_session(self, date: str, week: str, equity: Decimal) -> tuple[LimitChange, ...]:
        """Begin a session; the week too, when it is another one. Asked for the same session again, change nothing."""
        if date == self._session:
            return ()
        changes = []
        self._session, self._day_base, self._peak, self._daily_fired = date, equity, equity, False
        if self._settings.daily_loss_limit_usd is not None:
            level = subtract(equity, self._settings.daily_loss_limit_usd)
            changes.append(LimitChange(limit="daily", state="opened", loss=ZERO, level=level))
        if week != self._week:
            self._week, self._week_base, self._weekly_fired = week, equity, False
            if self._settings.weekly_loss_limit_usd is not None:
                level = subtract(equity, self._settings.weekly_loss_limit_usd)
                changes.append(LimitChange(limit="weekly", state="opened", loss=ZERO, level=level))
        return tuple(changes)

    def transfer(self, amount: Decimal) -> None:
        """Take a deposit (or, negative, a withdrawal): neither profit nor loss."""
        self._day_base = add(self._day_base, amount)
        self._week_base = add(self._week_base, amount)
        self._peak = add(self._peak, amount)

    def note_peak(self, equity: Decimal) -> None:
        """Take a higher equity that was seen at a bar's close and could fire nothing."""
        self._peak = max(self._peak, equity)

    def lift(self, equity: Decimal, now_ns: int) -> tuple[LimitChange, ...]:
        """End the breaker's halt if its time has come; the fall is measured anew from what equity is then.

        Asked by a timer alone: a bar that ends at that very time is judged before it, looked at closely or not.
        """
        if not self._halted_until_ns or now_ns < self._halted_until_ns:
            return ()
        self._halted_until_ns, self._peak = 0, equity
        return (LimitChange(limit="breaker", state="lifted", loss=ZERO, level=self._breaker_level()),)

    def judge(self, equity: Decimal, now_ns: int) -> tuple[LimitChange, ...]:
        """Measure equity at a bar's close; returns what fired."""
        changes: list[LimitChange] = []
        settings = self._settings
        if settings.circuit_breaker_loss_pct is not None and not self._halted_until_ns:
            self._peak = max(self._peak, equity)
        if not self._session:
            return ()
        daily, weekly = settings.daily_loss_limit_usd, settings.weekly_loss_limit_usd
        if daily is not None and not self._daily_fired and subtract(self._day_base, equity) >= daily:
            self._daily_fired = True
            changes.append(self._fired("daily", self._day_base, equity, daily))
        if weekly is not None and not self._weekly_fired and subtract(self._week_base, equity) >= weekly:
            self._weekly_fired = True
            changes.append(self._fired("weekly", self._week_base, equity, weekly))
        if settings.circuit_breaker_loss_pct is not None and not self._halted_until_ns:
            level = self._breaker_level()
            if equity <= level and self._peak > ZERO:
                self._halted_until_ns = now_ns + settings.halt_ns
                loss = subtract(self._peak, equity)
                until = self._halted_until_ns
                changes.append(LimitChange(limit="breaker", state="fired", loss=loss, level=level, until_ns=until))
        return tuple(changes)

    def denial(self, now_ns: int) -> Denial | None:
        """Why no entry is allowed now, if one is not."""
        if self._daily_fired:
            return Denial(
                code="daily_loss", text=f"the daily loss limit was reached; entries resume after {self._session}"
            )
        if self._weekly_fired:
            return Denial(
                code="weekly_loss", text=f"the weekly loss limit was reached; entries resume after {self._week}"
            )
        if self._halted_until_ns > now_ns:
            return Denial(code="circuit_breaker", text="the circuit breaker tripped; entries wait for its halt to pass")
        return None

    @property
    def peak(self) -> Decimal:
        """Highest equity at a bar close of this session."""
        return self._peak

    @property
    def lift_ns(self) -> int:
        """When the breaker's halt passes; 0 when it has not tripped."""
        return self._halted_until_ns

    def fixed_level(self) -> Decimal | None:
        """The highest equity at which the daily or weekly limit, if it has not fired, would; None when none can."""
        settings, levels = self._settings, []
        if settings.daily_loss_limit_usd is not None and not self._daily_fired:
            levels.append(subtract(self._day_base, settings.daily_loss_limit_usd))
        if settings.weekly_loss_limit_usd is not None and not self._weekly_fired:
            levels.append(subtract(self._week_base, settings.weekly_loss_limit_usd))
        return max(levels) if levels and self._session else None

    def state(self) -> LimitState:
        """The tracker as plain values."""
        return LimitState(
            session=self._session,
            week=self._week,
            day_base=self._day_base,
            week_base=self._week_base,
            peak=self._peak,
            daily_fired=self._daily_fired,
            weekly_fired=self._weekly_fired,
            halted_until_ns=self._halted_until_ns,
        )

    def restore(self, state: LimitState) -> None:
        """Become what `state` was taken of."""
        self._session, self._week = state.session, state.week
        self._day_base, self._week_base, self._peak = state.day_base, state.week_base, state.peak
        self._daily_fired, self._weekly_fired = state.daily_fired, state.weekly_fired
        self._halted_until_ns = state.halted_until_ns

    def _breaker_level(self) -> Decimal:
        percent = self._settings.circuit_breaker_loss_pct
        return self._peak if percent is None else subtract(self._peak, percent_of(self._peak, percent))

    @staticmethod
    def _fired(limit: str, base: Decimal, equity: Decimal, allowed: Decimal) -> LimitChange:
        level = subtract(base, allowed)
        return LimitChange(limit=limit, state="fired", loss=subtract(base, equity), level=level)
