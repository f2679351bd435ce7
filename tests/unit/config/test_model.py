"""The loaded configuration: its plugins, its secrets, what it shows of itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mqd_core.config import Config, Secrets, parse_config
from mqd_core.errors import ConfigError
from mqd_core.registry.kinds import Kind

Load = Callable[..., Config]
Faults = Callable[..., list[str]]

FULL = """\
risk_rules:
  - {name: calm, after_losses: 3}
observers:
  - name: telegram
    token: ${TELEGRAM_TOKEN}
    chats: [{id: 7}, YOUR_CHAT]
backtest:
  broker: {name: mock, starting_cash: 500}
  data: {name: files, path: bars}
"""


def test_plugins_are_listed_in_the_order_in_which_they_are_built(load: Load) -> None:
    """Store, data, broker, sizer, strategies, rules, observers: each with its place and its raw settings."""
    uses = load(FULL).plugin_uses()

    assert [(use.kind, use.name) for use in uses] == [
        (Kind.STORE, "sqlite"),
        (Kind.DATA_PROVIDER, "synthetic"),
        (Kind.BROKER, "mock"),
        (Kind.SIZER, "notional"),
        (Kind.STRATEGY, "Vwap"),
        (Kind.RISK_RULE, "calm"),
        (Kind.OBSERVER, "telegram"),
    ]
    assert uses[4].where == ("strategies", 0)
    assert uses[4].settings_at == ("strategies", 0, "parameters")
    assert uses[5].where == uses[5].settings_at == ("risk_rules", 0)
    assert uses[5].settings == {"after_losses": "3"}


def test_backtest_plugins_are_listed_apart(load: Load) -> None:
    """They replace a slot for one command, so `mqd run` never loads them."""
    config = load(FULL)

    assert [(use.kind, use.name, use.where, dict(use.settings)) for use in config.backtest_uses()] == [
        (Kind.DATA_PROVIDER, "files", ("backtest", "data"), {"path": "bars"}),
        (Kind.BROKER, "mock", ("backtest", "broker"), {"starting_cash": "500"}),
    ]
    assert load().backtest_uses() == ()


def test_a_slot_keeps_the_core_s_keys_from_the_plugin(load: Load) -> None:
    """The plugin gets every key but the core's own, as written: no number is guessed for it."""
    text = (
        "broker: {name: mock, paper_trading: true, starting_cash: 010, settings: x, copy: [ON, null]}\n"
        "data: {name: a, pace: 20.5, days: 5}\n"
        "sizer: {name: b}\nstore: {name: c}\nstrategies: [{name: V, symbols: [A]}]\n"
    )
    config = load(whole=text)

    assert config.broker.settings == {"starting_cash": "010", "settings": "x", "copy": ["ON", None]}
    assert config.data.pace == Decimal("20.5")
    assert config.data.settings == {"days": "5"}


def test_settings_are_copies(load: Load) -> None:
    """Whoever changes what it got changes nothing for the next."""
    config = load(FULL)
    config.observers[0].settings["chats"].append("more")
    config.strategies[0].settings["new"] = 1

    assert len(config.observers[0].settings["chats"]) == 2
    assert config.strategies[0].settings == {}


def test_the_configuration_is_frozen(load: Load) -> None:
    """Nothing that was checked can be changed afterwards."""
    config = load()
    with pytest.raises(ValidationError):
        config.risk.max_open_positions = 9


def test_a_disabled_strategy_needs_no_plugin(load: Load) -> None:
    """`enabled: false` is as if the entry were not written, except for its id."""
    text = "broker: {name: a}\ndata: {name: a}\nsizer: {name: b}\nstore: {name: c}\n"
    config = load(whole=text + "strategies: [{name: V, symbols: [A], enabled: false}, {name: W, symbols: [A]}]\n")

    assert [use.where for use in config.plugin_uses() if use.kind is Kind.STRATEGY] == [("strategies", 1)]


@pytest.mark.parametrize(
    ("name", "expected", "default_id"),
    [
        ("VWAPMeanReversionStrategy", None, "VWAPMeanReversionStrategy"),
        ("./my_strategy.py:MyStrategy", ("./my_strategy.py", "MyStrategy"), "MyStrategy"),
        ("C:\\desk\\mine.py:Mine", ("C:\\desk\\mine.py", "Mine"), "Mine"),
        ("a:b.py:C", ("a:b.py", "C"), "C"),
    ],
)
def test_a_strategy_may_be_a_local_file(
    smallest: dict[str, Any], name: str, expected: tuple[str, str] | None, default_id: str
) -> None:
    """The last colon splits file and class; the class is the id where none is given."""
    smallest["strategies"] = [{"name": name, "symbols": ["A"]}]
    config = parse_config(smallest)

    use = next(use for use in config.plugin_uses() if use.kind is Kind.STRATEGY)
    assert use.local_file == expected
    assert config.strategies[0].id == default_id


def test_ids_are_required_where_names_repeat(faults: Faults, load: Load) -> None:
    """Books are kept by id, so that two entries may not share one, whether written or taken from the name."""
    text = "broker: {name: a}\ndata: {name: a}\nsizer: {name: b}\nstore: {name: c}\nstrategies:\n"
    entry = "- {name: V, symbols: [A]}\n"
    assert faults(whole=text + entry + entry + "- {name: W, symbols: [A], id: V}\n") == [
        "config.yaml:7:3: strategies[1].id: 'V' is also the id of strategies[0]; give each entry an `id` of its own",
        "config.yaml:8:27: strategies[2].id: 'V' is also the id of strategies[0]; give each entry an `id` of its own",
    ]
    assert load(whole=text + entry + "- {name: V, symbols: [A], id: V-2}\n").strategies[1].id == "V-2"


def test_the_book_of_others_is_no_strategy(faults: Faults) -> None:
    """`external` is the book of what others trade: no strategy may have that id, written or taken from its name."""
    text = "broker: {name: a}\ndata: {name: a}\nsizer: {name: b}\nstore: {name: c}\nstrategies:\n"
    entries = "- {name: V, symbols: [A], id: external}\n- {name: external, symbols: [A]}\n"
    words = "'external' is the book of what others trade in the account; give the strategy another `id`"
    assert faults(whole=text + entries) == [
        f"config.yaml:6:27: strategies[0].id: {words}",
        f"config.yaml:7:3: strategies[1].id: {words}",
    ]


def test_placeholders_become_secrets_when_asked(load: Load) -> None:
    """Resolved settings hold SecretStr where `${NAME}` or `YOUR_NAME` stood, at any depth; the rest is untouched."""
    config = load(FULL, {"TELEGRAM_TOKEN": "tell-no-one", "CHAT": "x", "CHAT_KEY": "x"})
    observer = config.plugin_uses()[-1]

    with pytest.raises(ConfigError) as refused:
        config.resolved_settings(observer)
    (line,) = refused.value.problems
    assert "config.yaml:13:22: the secret CHAT is not set; add the line CHAT=<the value> to " in line
    assert "tell-no-one" not in line

    config = load(FULL.replace("YOUR_CHAT", "YOUR_CHAT_KEY"), {"TELEGRAM_TOKEN": "tell-no-one", "CHAT_KEY": "seven"})
    settings = config.resolved_settings(config.plugin_uses()[-1])
    assert settings["token"].get_secret_value() == "tell-no-one"
    assert settings["chats"][0] == {"id": "7"}
    assert settings["chats"][1].get_secret_value() == "seven"
    assert "tell-no-one" not in repr(settings)


@pytest.mark.parametrize(
    ("section", "environment", "expected"),
    [
        ("broker", {"BROKER_API_KEY": "of-broker", "API_KEY": "of-another-tool"}, "of-broker"),
        ("data", {"BROKER_API_KEY": "of-broker"}, "of-broker"),
        ("data", {"BROKER_API_KEY": "of-broker", "DATA_API_KEY": "of-data"}, "of-data"),
        ("broker", {"API_KEY": "of-another-tool", "DATA_API_KEY": "of-data"}, None),
    ],
)
def test_the_generic_placeholder_means_the_slot_s_own_secret(
    load: Load, section: str, environment: dict[str, str], expected: str | None
) -> None:
    """YOUR_API_KEY under `broker:` is BROKER_API_KEY; a data source falls back on the broker's."""
    slots = {"broker": "{name: a}", "data": "{name: a}", "sizer": "{name: b}", "store": "{name: c}"}
    slots[section] = "{name: a, api_key: YOUR_API_KEY}"
    text = "".join(f"{key}: {value}\n" for key, value in slots.items()) + "strategies: [{name: V, symbols: [A]}]\n"
    config = load(whole=text, environment=environment)
    use = next(use for use in config.plugin_uses() if use.where == (section,))

    if expected is None:
        with pytest.raises(ConfigError, match="the secret BROKER_API_KEY is not set"):
            config.resolved_settings(use)
    else:
        assert config.resolved_settings(use)["api_key"].get_secret_value() == expected


def test_what_is_shown_holds_defaults_and_no_secret(smallest: dict[str, Any]) -> None:
    """`mqd config show` prints what is in effect as JSON; placeholders stay, values under secret names do not."""
    smallest["broker"] |= {"api_key": "YOUR_API_KEY", "access_tokens": ["short"], "note": "user"}
    shown = parse_config(smallest, secrets=Secrets({"BROKER_API_KEY": "hidden-value"})).masked()

    assert shown["broker"] == {
        "name": "mock",
        "paper_trading": True,
        "api_key": "YOUR_API_KEY",
        "access_tokens": ["***"],
        "note": "user",
    }
    assert shown["risk"]["max_position_size_pct"] == "10"
    assert shown["desk"]["state_dir"] == "var"
    assert "hidden-value" not in json.dumps(shown)


def test_what_is_shown_can_be_loaded_again(load: Load, smallest: dict[str, Any]) -> None:
    """The printed configuration is a configuration, and means the same."""
    shown = load("risk: {daily_loss_limit_usd: 12.50}\nobservers: [{name: x, deep: [{a: null}]}]\n").masked()

    assert parse_config(shown).masked() == shown


def test_the_digest_is_of_meaning(load: Load) -> None:
    """Layout, order and trailing zeros do not change it; any value does."""
    one = load("risk: {price_collar_pct: 4, daily_loss_limit_usd: 20.0}\n").digest()
    same = load("# remark\nrisk:\n  daily_loss_limit_usd: 20\n  price_collar_pct: 4.00\n").digest()
    other = load("risk: {price_collar_pct: 4, daily_loss_limit_usd: 20.01}\n").digest()

    assert one == same
    assert one != other
    assert len(one) == 64


def test_the_digest_does_not_depend_on_secrets(load: Load) -> None:
    """A digest is written down; it may not be a way to guess at a key."""
    assert load(FULL, {"TELEGRAM_TOKEN": "one-token"}).digest() == load(FULL, {"TELEGRAM_TOKEN": "another"}).digest()


@given(
    st.decimals(min_value=Decimal("0.01"), max_value=Decimal(50), places=2),
    st.integers(min_value=1, max_value=100),
    st.booleans(),
)
def test_text_and_python_values_mean_the_same(percent: Decimal, count: int, flag: bool) -> None:
    """A value written in a file and the same value handed in by a program give one configuration."""
    slots: dict[str, Any] = {name: {"name": "a"} for name in ("broker", "data", "sizer", "store")}
    slots["strategies"] = [{"name": "V", "symbols": ["A"]}]
    typed = {"price_collar_pct": percent, "max_open_positions": count, "circuit_breaker_enabled": flag}
    texts = {name: str(value).lower() for name, value in typed.items()}

    assert parse_config({**slots, "risk": typed}).digest() == parse_config({**slots, "risk": texts}).digest()


def test_a_configuration_without_a_file_has_places_in_words(smallest: dict[str, Any]) -> None:
    """Messages about it name the key alone."""
    config = parse_config(smallest)

    assert config.source.path is None
    assert config.source.locate(("risk",)) == "configuration"
