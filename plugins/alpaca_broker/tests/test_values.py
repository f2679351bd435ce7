"""Numbers, times and words of Alpaca's as the desk's values, and the budget of requests."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from mqd_core.api import OrderStatus
from mqd_plugin_alpaca.budget import RateBudget, Use
from mqd_plugin_alpaca.faults import Unreadable
from mqd_plugin_alpaca.hosts import LIVE, PAPER, api_url, check_override, stream_url
from mqd_plugin_alpaca.parsing import optional_decimal, report_of, time_ns, time_text
from mqd_plugin_alpaca.statuses import STATUSES, TERMINAL, status_of


@given(some.integers(min_value=0, max_value=4_000_000_000 * 10**9))
def test_a_time_survives_its_text(at_ns: int) -> None:
    """Nanoseconds are kept to the last one."""
    assert time_ns(time_text(at_ns)) == at_ns


@pytest.mark.parametrize("text", ["", "2026-09-18", "2026-13-18T00:00:00Z", "2026-09-18T00:00:00", None, 5])
def test_what_is_no_time_is_unreadable(text: object) -> None:
    """No time is made up."""
    with pytest.raises(Unreadable):
        time_ns(text)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "x", "1_000", True, [1], {}, "1e999999999", "9" * 50, 0.5])
def test_what_is_no_exact_number_is_unreadable(value: Any) -> None:
    """Neither NaN nor a float nor a number beyond any account gets in."""
    with pytest.raises(Unreadable):
        optional_decimal({"qty": value}, "qty")


@pytest.mark.parametrize(("value", "number"), [("0.300000001", "0.300000001"), (3, "3"), (None, None), ("", None)])
def test_a_number_is_what_is_written(value: Any, number: str | None) -> None:
    """Strings and whole numbers are exact; null and empty are none."""
    assert optional_decimal({"qty": value}, "qty") == (None if number is None else Decimal(number))


def test_every_word_of_alpacas_is_known() -> None:
    """All statuses of the published list have a meaning; only the five final ones are final."""
    published = (
        "new partially_filled filled done_for_day canceled expired replaced pending_cancel pending_replace accepted "
        "pending_new accepted_for_bidding stopped rejected suspended calculated held pending_review"
    )
    assert set(STATUSES) == set(published.split())
    final = {word for word in STATUSES if status_of(word, Decimal(0)) in TERMINAL}
    assert final == {"filled", "canceled", "expired", "rejected", "replaced"}


@given(some.text(max_size=30))
def test_no_unknown_word_is_an_end(word: str) -> None:
    """Whatever a new status is called, the order counts as open, and it is told."""
    told: list[tuple[str, str]] = []
    order = {"id": "x", "client_order_id": "c", "symbol": "SPY", "side": "buy", "status": word, "filled_qty": "0"}
    report = report_of(order, 0, lambda *what: told.append(what))
    if word not in STATUSES:
        assert report.status is OrderStatus.PAUSED
        assert told == [("x", word[:40])]


@pytest.mark.parametrize(
    "url",
    [
        "https://api.alpaca.markets",
        "http://example.com",
        "http://127.0.0.1.example.com",
        "http://user@127.0.0.1",
        "https://127.0.0.1",
        "ftp://127.0.0.1",
        "http://127.0.0.1/v3",
        "",
    ],
)
def test_only_this_machine_may_stand_in_for_alpaca(url: str) -> None:
    """Keys go nowhere else by a slip or by somebody else's configuration."""
    with pytest.raises(ValueError, match="on this machine"):
        check_override(url)


def test_where_requests_go() -> None:
    """Paper and live by the one switch; a server of this machine has no real money."""
    assert api_url(None, paper_trading=True) == PAPER
    assert api_url(None, paper_trading=False) == LIVE
    assert stream_url(PAPER) == "wss://paper-api.alpaca.markets/stream"
    assert stream_url(check_override("http://localhost:8080/")) == "ws://localhost:8080/stream"
    with pytest.raises(ValueError, match="paper_trading"):
        api_url("http://127.0.0.1:8080", paper_trading=False)


class Steady:
    seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_orders_leave_the_last_requests_alone() -> None:
    """150 orders at once, then none; questions have the rest, and cancels go out even after that."""
    steady = Steady()
    budget = RateBudget(200, 50, steady)
    assert [budget.take(Use.ORDER) for _ in range(150)] == [0.0] * 150
    assert budget.take(Use.ORDER) == pytest.approx(0.3)
    assert [budget.take(Use.QUERY) for _ in range(50)] == [0.0] * 50
    assert budget.take(Use.QUERY) > 0
    assert budget.take(Use.CANCEL) == 0.0
    steady.seconds += 60
    assert budget.take(Use.ORDER) == 0.0


def test_a_refusal_for_the_rate_closes_until_its_reset() -> None:
    """As long as Alpaca says, a minute at most, and never for cancels."""
    steady = Steady()
    budget = RateBudget(200, 50, steady)
    budget.hear({"X-RateLimit-Reset": "1010"}, 1000.0, is_refused=True)
    assert budget.take(Use.QUERY) == pytest.approx(10.0)
    assert budget.take(Use.CANCEL) == 0.0
    steady.seconds += 10
    assert budget.take(Use.QUERY) == 0.0
    budget.hear({"X-RateLimit-Reset": "9999"}, 1000.0, is_refused=True)
    assert budget.take(Use.QUERY) == pytest.approx(60.0)
    budget.hear({"X-RateLimit-Remaining": "many"}, 1000.0, is_refused=False)
