"""`mqd compare` on what real commands have left behind: a backtest beside a run, and beside another backtest."""

from __future__ import annotations

from decimal import Decimal
from typing import Any


def backtest(desk: Any, config: str = "config.yaml") -> str:
    """The run id of a new backtest."""
    ended = desk.mqd("backtest", "--config", config, "--json")
    assert ended.code == 0, ended.err
    run_id: str = ended.result["run_id"]
    return run_id


def compare(desk: Any, a: str, b: str, code: int) -> Any:
    """`mqd compare --json` with the exit code that it must have."""
    ended = desk.mqd("compare", a, b, "--json")
    assert ended.code == code, ended.out + ended.err
    return ended.result


def test_a_run_equals_the_backtest_over_the_same_bars(finished: Any) -> None:
    """One engine: every decision, fill and round trip of the two modes is the same, to the last digit."""
    run, other = finished.runs()[-1], backtest(finished)
    found = compare(finished, run, other, 0)
    assert (found["equal"], found["differ"], found["trades"]) == (True, 0, [])
    assert found["agree"] == found["a"]["decisions"] == found["b"]["decisions"] > 10
    assert (found["a"]["mode"], found["b"]["mode"]) == ("run", "backtest")
    assert found["a"]["profit"] == found["b"]["profit"]
    told = finished.mqd("compare", run, other)
    assert (told.code, told.out.splitlines()[0].split()) == (0, ["compare", "equal"])


def test_another_setting_is_the_cause_and_its_money_adds_up(desk: Any) -> None:
    """What the round trips differ by is, exactly, what the profits and the cash differ by."""
    desk.file("other.yaml", desk.text.replace("take_profit_pct: 0.01 ", "take_profit_pct: 0.012 "))
    one, other = backtest(desk), backtest(desk, "other.yaml")
    found = compare(desk, one, other, 1)
    assert (found["equal"], found["cause"], found["first_bar"]) == (False, "configuration", None)
    assert found["configuration"] == ["strategies[0].parameters.take_profit_pct: 0.01 then, 0.012 now"]
    assert found["agree"] > 0
    total = sum((Decimal(trip["difference"]) for trip in found["trades"]), Decimal(0))
    assert total == Decimal(found["profit_difference"]) != 0
    assert total == Decimal(found["b"]["profit"]) - Decimal(found["a"]["profit"])
    assert total == Decimal(found["cash_difference"])
    told = desk.mqd("compare", one, other)
    assert told.code == 1
    assert "B less A USD" in told.out


def test_another_market_shows_its_first_bar(desk: Any) -> None:
    """Two seeds are two markets: the first bar that differs is the cause, whatever else does."""
    desk.file("other.yaml", desk.text.replace("seed: 7", "seed: 8"))
    found = compare(desk, backtest(desk), backtest(desk, "other.yaml"), 1)
    assert found["cause"] == "bar"
    assert (found["first_bar"]["symbol"], found["first_bar"]["start"]) == ("SPHD", "2024-01-08T14:30:00Z")
    assert found["first_bar"]["a"] != found["first_bar"]["b"]


def test_a_run_that_is_not_there(desk: Any) -> None:
    """Exit 3, naming what was looked for."""
    assert "there is no run nothing" in compare(desk, "nothing", "nothing", 3)["error"]["problems"][0]
