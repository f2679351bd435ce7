"""The plugin as the desk finds it: light to list, honest about what it can, and live only by consent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from mqd_core.api import Secret, Support, TimeInForce
from mqd_plugin_alpaca.connector import AlpacaConnector
from mqd_plugin_alpaca.hosts import LIVE, PAPER
from mqd_plugin_alpaca.plugin import mqd_brokers
from mqd_plugin_alpaca.settings import AlpacaSettings
from mqd_plugin_alpaca.setup import WrongAccount, check_account, trading_url


def test_listing_it_loads_nothing_heavy() -> None:
    """Neither alpaca-py nor pandas, numpy, requests or websockets is imported before a factory runs."""
    program = (
        "import sys\n"
        "from mqd_plugin_alpaca.plugin import mqd_brokers\n"
        "(record,) = mqd_brokers()\n"
        "record.settings.model_json_schema()\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=True, timeout=60
    )
    loaded = set(result.stdout.split())
    assert "mqd_plugin_alpaca" in loaded
    assert loaded.isdisjoint({"alpaca", "pandas", "numpy", "requests", "websockets", "urllib3"})


def test_what_it_says_of_itself() -> None:
    """A real venue: not found proves nothing, an id may be free again, and no replacing."""
    (record,) = mqd_brokers()
    stated = record.capabilities
    assert (stated.simulated, stated.not_found_is_final, stated.own_record) == (False, False, True)
    assert stated.client_id_unique == "unknown"
    assert stated.replace is Support.NOT_IMPLEMENTED
    assert TimeInForce.GTC in stated.times_in_force
    assert record.emergency is not None


def test_the_factories_build(made, tmp_path: Path) -> None:
    """Both, without a network: nothing is asked before `open`."""
    (record,) = mqd_brokers()
    settings, context = made.settings("http://127.0.0.1:9"), made.context(tmp_path)
    connector = record.factory(settings, context)
    assert isinstance(connector, AlpacaConnector)
    connector.close()
    assert record.emergency is not None
    assert record.emergency(settings, context) is not None


@pytest.mark.parametrize(
    "changes",
    [
        {"requests_kept": 200},
        {"url": "https://example.com"},
        {"deadline_seconds": 0},
        {"connect_timeout_seconds": float("inf")},
        {"paper": True},
    ],
)
def test_settings_that_make_no_sense_are_refused(changes) -> None:
    """No order could be sent, keys would go elsewhere, no time or all time, a key that is none."""
    keys = {"api_key": Secret("k"), "api_secret": Secret("s")}
    with pytest.raises(ValidationError):
        AlpacaSettings(**{**keys, **changes})


def test_real_money_needs_the_named_account(made, tmp_path: Path) -> None:
    """Without a number nothing is built; with one, that account and no other is traded, at the live host."""
    settings = made.settings(None)
    assert trading_url(settings, made.context(tmp_path)) == PAPER
    with pytest.raises(ValueError, match="--live"):
        AlpacaConnector(settings, made.context(tmp_path, paper_trading=False))
    live = made.context(tmp_path, paper_trading=False, live_account="123456789")
    assert trading_url(settings, live) == LIVE
    with pytest.raises(ValueError, match="another account"):
        trading_url(made.settings(None, account_number="987654321"), live)
    with pytest.raises(ValueError, match="paper_trading"):
        trading_url(made.settings("http://127.0.0.1:9"), live)


@pytest.mark.parametrize(
    ("number", "is_paper", "live", "is_right"),
    [
        ("PA3XYZ000001", True, None, True),
        ("123456789", False, "123456789", True),
        ("123456789", True, None, False),
        ("PA3XYZ000001", False, "PA3XYZ000001", False),
        ("555", False, "123456789", False),
    ],
)
def test_keys_of_the_wrong_kind_are_refused(
    alpaca, made, tmp_path: Path, *, number: str, is_paper: bool, live: str | None, is_right: bool
) -> None:
    """Paper keys for live trading and the reverse, and another account than the one that was named."""
    alpaca.say("GET", "/account", (200, made.account_json(account_number=number)))
    connector = AlpacaConnector(made.settings(alpaca.url), made.context(tmp_path))
    account = connector.account()
    connector.close()
    context = made.context(tmp_path, paper_trading=is_paper, live_account=live)
    if is_right:
        check_account(made.settings(None), context, account)
        return
    with pytest.raises(WrongAccount, match="keys open"):
        check_account(made.settings(None), context, account)
