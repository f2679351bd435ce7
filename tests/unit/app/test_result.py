"""The result object: exact keys, plain numbers, valid JSON; and the rows that a person reads."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqd_core.app.notation import cents_text, decimal_text, rounded, time_text
from mqd_core.app.result import TRADES_MIN, RunFacts, result_object, summary_rows
from mqd_core.app.trades import TradeWalk
from mqd_core.domain.events import FeedStatus
from mqd_core.domain.ledger import BookView
from mqd_core.domain.records import Denied, DeskMoved, DeskState
from mqd_core.domain.signals import SignalAction

KEYS = [
    "schema",
    "run_id",
    "mode",
    "bars",
    "signals",
    "orders",
    "fills",
    "trades",
    "denied",
    "rejected",
    "start_equity",
    "end_equity",
    "cash",
    "fees",
    "net_profit",
    "net_profit_pct",
    "max_drawdown_pct",
    "win_rate",
    "sharpe",
    "positions",
    "first_bar",
    "last_bar",
    "wall_seconds",
    "load_seconds",
    "bars_per_second",
    "decision_hash",
    "report",
]


def facts_of(walk: TradeWalk | None = None, **changes) -> RunFacts:
    """Facts of a run that did nothing, but for `changes`."""
    facts = RunFacts(
        run_id="20250106T143000Z-backtest-0a1b2c",
        mode="backtest",
        bars=390,
        walk=walk or TradeWalk(),
        start_equity=Decimal(1000),
        end_equity=Decimal(1000),
        cash=Decimal(1000),
        deposits=Decimal(0),
        positions=(),
        max_drawdown_pct=0.0,
        sharpe=None,
        buy_and_hold_pct=None,
        first_bar_ns=1_736_173_800_000_000_000,
        last_bar_ns=1_736_197_140_000_000_000,
        wall_seconds=0.25,
        load_seconds=0.125,
        bars_per_second=1_560.0,
        decision_hash="ab" * 32,
        reason="finished",
        rejected_bars={},
        is_synthetic=False,
    )
    return replace(facts, **changes)


def walk_of(journal) -> TradeWalk:
    walk = TradeWalk()
    for entry in journal.entries:
        walk.take(entry)
    return walk


def held(symbol: str, quantity: str, cost: str, strategy_id: str = "one") -> BookView:
    return BookView(strategy_id=strategy_id, symbol=symbol, quantity=Decimal(quantity), cost=Decimal(cost))


def test_the_keys_are_those_of_schema_1() -> None:
    """Every key, in its order; a run that finished has no other, one that did not says so behind them."""
    result = result_object(facts_of())
    assert list(result) == KEYS
    assert result["schema"] == 1
    assert result["report"] is None
    assert list(result_object(facts_of(reason="signal"))) == [*KEYS, "stopped", "reason"]


def test_a_run_with_trades(journal) -> None:
    """Counts, money in cents, per cent with four decimals, and the win rate as a fraction of the trades."""
    journal.event(FeedStatus, code="up")
    for correlation in ("a", "b", "c"):
        journal.signal(correlation)
    journal.record(
        Denied, correlation_id="c", strategy_id="one", symbol="SPY", action=SignalAction.ENTER, code="x", text=""
    )
    for exit_price in ("11", "12", "9"):
        journal.fill("buy", "3", "10", fee="0.005")
        journal.fill("sell", "3", exit_price)
    facts = facts_of(walk_of(journal), end_equity=Decimal("1005.985"), cash=Decimal("1005.985"), max_drawdown_pct=2 / 3)

    result = result_object(facts)

    counts = {key: result[key] for key in ("signals", "orders", "fills", "trades", "denied", "rejected")}
    assert counts == {"signals": 3, "orders": 0, "fills": 6, "trades": 3, "denied": 1, "rejected": 0}
    # Half a cent goes to the even one.
    assert (result["end_equity"], result["net_profit"], result["fees"]) == ("1005.98", "5.98", "0.02")
    assert (result["net_profit_pct"], result["max_drawdown_pct"], result["win_rate"]) == (0.5985, 0.6667, 0.6667)
    assert (result["first_bar"], result["last_bar"]) == ("2025-01-06T14:30:00Z", "2025-01-06T20:59:00Z")


def test_deposits_are_no_profit() -> None:
    """Net profit is the change of equity less what was paid in."""
    result = result_object(facts_of(end_equity=Decimal("1090.50"), deposits=Decimal(100)))
    assert (result["net_profit"], result["net_profit_pct"]) == ("-9.50", -0.95)


def test_positions_are_those_of_the_account() -> None:
    """Books of several strategies are one position of their symbol, or none; digits are plain, whatever they were."""
    positions = (
        (held("SPY", "1E+2", "59845"), Decimal("600.125")),
        (held("QQQ", "0.000000001", "0.00000005"), Decimal(60)),
        (held("SPY", "50.000000000", "30000", "two"), Decimal("600.125")),
        (held("IWM", "2", "400"), Decimal(200)),
        (held("IWM", "-2", "-400", "two"), Decimal(200)),
    )
    assert result_object(facts_of(positions=positions))["positions"] == [
        {"symbol": "SPY", "quantity": "150", "average_price": "598.966666667", "market_value": "90018.75"},
        {"symbol": "QQQ", "quantity": "0.000000001", "average_price": "50", "market_value": "0.00"},
    ]


def test_nothing_to_say_is_null() -> None:
    """Without trades there is no win rate, without bars no first and last; statistics that are no number are null."""
    result = result_object(facts_of(bars=0, sharpe=float("nan"), bars_per_second=float("inf"), last_bar_ns=-1))
    for key in ("win_rate", "sharpe", "first_bar", "last_bar", "bars_per_second", "report"):
        assert result[key] is None
    assert result["net_profit_pct"] == 0.0


NUMBERS = st.floats(allow_nan=True, allow_infinity=True)
MONEY = st.decimals("-1000000", "1000000", places=18)


@given(
    statistics=st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS),
    money=st.tuples(MONEY, MONEY, MONEY),
    quantity=st.decimals("0.000000001", "100000", places=9),
)
def test_it_is_always_json_without_surprises(statistics, money, quantity) -> None:
    """Whatever was measured, the result is valid JSON: no NaN, no negative zero, no exponent in any text."""
    drawdown, sharpe, gain, speed = statistics
    start, end, cash = money
    facts = facts_of(
        max_drawdown_pct=drawdown,
        sharpe=sharpe,
        buy_and_hold_pct=gain,
        bars_per_second=speed,
        start_equity=start,
        end_equity=end,
        cash=cash,
        positions=((held("SPY", str(quantity), str(quantity)), Decimal("1E+1")),),
    )

    result = result_object(facts)

    assert json.loads(json.dumps(result, allow_nan=False)) == result
    for key in ("start_equity", "end_equity", "cash", "fees", "net_profit"):
        assert re.fullmatch(r"-?\d+\.\d\d", result[key])
        assert result[key] != "-0.00"
    assert "-0.0" not in re.findall(r"[-\d.]+", json.dumps(list(result.values())))
    (position,) = result["positions"]
    assert Decimal(position["quantity"]) == quantity
    assert re.fullmatch(r"\d+(\.\d*[1-9])?", position["quantity"])
    assert all(isinstance(name, str) and isinstance(text, str) for name, text in summary_rows(facts))


def test_why_a_run_did_not_finish(journal) -> None:
    """A halted run says why it was halted, a stopped one that it was asked to."""
    journal.event(FeedStatus, code="up")
    journal.record(
        DeskMoved, before=DeskState.READY, after=DeskState.HALTED, code="person", text="the market looks wrong"
    )
    halted = result_object(facts_of(walk_of(journal), reason="halted"))
    assert (halted["stopped"], halted["reason"]) == ("halted", "the market looks wrong")
    stopped = result_object(facts_of(reason="signal"))
    assert (stopped["stopped"], stopped["reason"]) == (
        "signal",
        "it was asked to stop; what is open goes on with the next start",
    )


def test_the_rows_that_a_person_reads(journal) -> None:
    """The result beside buying and holding, trades, costs, refusals by frequency, bars; and how little it means."""
    journal.event(FeedStatus, code="up")
    for code in ("size_zero", "duplicate", "cash", "duplicate"):
        journal.signal(code)
        journal.record(
            Denied, correlation_id=code, strategy_id="one", symbol="SPY", action=SignalAction.ENTER, code=code, text=""
        )
    journal.fill("buy", "3", "10", fee="0.25")
    journal.fill("sell", "3", "12", fee="0.25")
    facts = facts_of(
        walk_of(journal),
        end_equity=Decimal("1055.50"),
        deposits=Decimal(50),
        buy_and_hold_pct=-0.001,
        max_drawdown_pct=1.236,
        rejected_bars={"gap": 3, "bad_prices": 1, "out_of_order": 1_200},
        positions=((held("SPY", "0.5", "50"), Decimal(101)),),
        reason="signal",
    )
    assert summary_rows(facts) == [
        ("net profit", "+5.50 USD, +0.55 %"),
        ("buy and hold", "+0.00 %"),
        ("equity", "1000.00 to 1055.50 USD, +50.00 USD of that paid in or out"),
        ("max drawdown", "1.24 %"),
        ("trades", "1 closed, 100.0 % of them with a profit"),
        ("orders", "0 sent, 2 fills, 0 rejected by the broker"),
        ("costs", "0.50 USD of fees"),
        ("signals", "4, refused 4 (duplicate 2, cash 1, size_zero 1)"),
        ("bars", "390, rejected 1,201 (out_of_order 1,200, bad_prices 1), gaps 3"),
        ("still held", "0.5 SPY bought at 100, now worth 50.50 USD"),
        ("stopped", "signal: it was asked to stop; what is open goes on with the next start"),
        ("remark", "fewer than 30 trades: chance alone can explain this result"),
    ]


def test_a_run_without_anything_has_short_rows() -> None:
    """What there is nothing to say of is left out or said in a word."""
    rows = dict(summary_rows(facts_of(max_drawdown_pct=float("nan"))))
    assert rows["trades"] == "none closed"
    assert rows["signals"] == "0, refused none"
    assert rows["bars"] == "390, rejected none"
    assert rows["max drawdown"] == "not known"
    assert not {"buy and hold", "still held", "stopped"} & set(rows)


@pytest.mark.parametrize(("trades", "remarks"), [(TRADES_MIN - 1, 1), (TRADES_MIN, 0)])
def test_few_trades_mean_little(journal, trades, remarks) -> None:
    """The remark stands from none to 29 trades."""
    journal.event(FeedStatus, code="up")
    for _ in range(trades):
        journal.fill("buy", "1", "10")
        journal.fill("sell", "1", "10")
    rows = summary_rows(facts_of(walk_of(journal)))
    assert sum(name == "remark" for name, _ in rows) == remarks


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0E-9", "0"),
        ("-0.000", "0"),
        ("1E+3", "1000"),
        ("100", "100"),
        ("10.500", "10.5"),
        ("-0.00000001", "-0.00000001"),
    ],
)
def test_decimals_in_plain_digits(value, text) -> None:
    """No exponent, no trailing zeros, no negative zero; zeros before the point stay."""
    assert decimal_text(Decimal(value)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [("0.005", "0.00"), ("0.015", "0.02"), ("-0.004", "0.00"), ("1E+3", "1000.00"), ("-1.5", "-1.50")],
)
def test_cents(value, text) -> None:
    """Half a cent goes to the even cent, and nothing is a negative zero."""
    assert cents_text(Decimal(value)) == text


@given(value=st.decimals(allow_nan=False, allow_infinity=False, places=18, min_value=-(10**18), max_value=10**18))
def test_plain_digits_lose_nothing(value) -> None:
    """A decimal's text reads back as that decimal."""
    assert Decimal(decimal_text(value)) == value


def test_times_and_statistics() -> None:
    """Whole seconds have no fraction; a statistic that is no number is none."""
    assert time_text(1_737_311_445_123_456_789) == "2025-01-19T18:30:45.123456Z"
    assert time_text(1_737_311_445_000_000_000) == "2025-01-19T18:30:45Z"
    assert [rounded(value, 2) for value in (None, float("nan"), float("-inf"), Decimal("0.125"), 1.006)] == [
        None,
        None,
        None,
        0.12,
        1.01,
    ]
