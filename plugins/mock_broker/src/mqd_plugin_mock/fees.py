"""What trading costs besides the price: commission, and the regulatory fees of a US stock account by date.

Sources of the table. SEC: Section 31 of the Exchange Act, of the proceeds of sales; rates by the SEC's fee rate
advisories (the one of 2026-04-06 as retail brokers list it). TAF: FINRA's By-Laws, Schedule A, section 1, of shares
sold, capped for each trade (2026 as announced). CAT: the upper end of what Alpaca states for a share bought or sold;
charged since the first prospective fee, September 2024 (FINRA rule 6897). Each fee is kept by the day and its total
rounded up to the cent, as Alpaca does: it is this rounding that a small account pays for. May not touch an account.
"""

from __future__ import annotations

from bisect import bisect_right
from decimal import Decimal
from typing import Final

import msgspec

from mqd_core.api import EXACT, ZERO, Activity, Session, Side, cents_up
from mqd_plugin_mock.settings import MockBrokerSettings


class FeeRates(msgspec.Struct, frozen=True):
    """Rates from a date on: SEC per USD of proceeds, TAF per share sold and at most per trade, CAT per share."""

    since: str
    sec_per_usd: Decimal
    taf_per_share: Decimal
    taf_per_trade_max: Decimal
    cat_per_share: Decimal


def _rates(since: str, sec_per_million: str, taf: str, taf_max: str, cat: str) -> FeeRates:
    sec = Decimal(sec_per_million).scaleb(-6, EXACT)
    return FeeRates(since, sec, Decimal(taf), Decimal(taf_max), Decimal(cat))


#: In order of date; before the first row its rates are used.
TABLE: Final = (
    _rates("2023-02-27", "8.00", "0.000145", "7.27", "0"),
    _rates("2024-01-01", "8.00", "0.000166", "8.30", "0"),
    _rates("2024-05-22", "27.80", "0.000166", "8.30", "0"),
    _rates("2024-09-01", "27.80", "0.000166", "8.30", "0.000053"),
    _rates("2025-05-14", "0", "0.000166", "8.30", "0.000053"),
    _rates("2026-01-01", "0", "0.000195", "9.79", "0.000053"),
    _rates("2026-04-06", "20.60", "0.000195", "9.79", "0.000053"),
)
_DATES: Final = [row.since for row in TABLE]


def rates_of(date: str) -> FeeRates:
    """The rates in force on an ISO date."""
    return TABLE[max(bisect_right(_DATES, date) - 1, 0)]


class FeeDay(msgspec.Struct, frozen=True, array_like=True):
    """Regulatory fees of one session, exact and not yet charged."""

    date: str
    close_ns: int
    sec: Decimal = ZERO
    taf: Decimal = ZERO
    cat: Decimal = ZERO

    def with_trade(self, side: Side, quantity: Decimal, value: Decimal) -> FeeDay:
        """The day with one more execution, of that value."""
        rates = rates_of(self.date)
        cat = EXACT.add(self.cat, EXACT.multiply(quantity, rates.cat_per_share))
        if side is Side.BUY:
            return FeeDay(self.date, self.close_ns, self.sec, self.taf, cat)
        sec = EXACT.add(self.sec, EXACT.multiply(value, rates.sec_per_usd))
        taf = min(EXACT.multiply(quantity, rates.taf_per_share), rates.taf_per_trade_max)
        return FeeDay(self.date, self.close_ns, sec, EXACT.add(self.taf, taf), cat)

    def charges(self) -> list[Activity]:
        """One activity for each fee that is due, rounded up to the cent, stamped with the close."""
        fees = (("SEC", self.sec), ("TAF", self.taf), ("CAT", self.cat))
        return [
            Activity(
                ts=self.close_ns,
                activity_id=f"fee-{self.date}-{name.lower()}",
                kind="FEE",
                amount=cents_up(exact).copy_negate(),
                text=f"{name} fee of {self.date}",
            )
            for name, exact in fees
            if exact
        ]


def fee_day(session: Session) -> FeeDay:
    """A session on which nothing has been traded yet."""
    return FeeDay(session.date, session.close_ns)


class Commission:
    """Commission of the configuration: an amount with an order's first execution, and one for each share."""

    __slots__ = ("is_charged", "per_order", "per_share")

    def __init__(self, settings: MockBrokerSettings) -> None:
        self.per_order = settings.commission_per_order_usd
        self.per_share = settings.commission_per_share_usd
        self.is_charged = bool(self.per_order or self.per_share)

    def of(self, quantity: Decimal, *, is_first: bool) -> Decimal:
        """The commission of an execution, exact."""
        if not self.is_charged:
            return ZERO
        by_share = EXACT.multiply(quantity, self.per_share)
        return EXACT.add(by_share, self.per_order) if is_first else by_share
