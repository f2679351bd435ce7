"""Records and contexts: what is wrong with one is told when it is made, naming record, field and what is allowed."""

from __future__ import annotations

import logging
from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqd_core.api import (
    BrokerCapabilities,
    BrokerContext,
    BrokerRecord,
    Clock,
    CommandRecord,
    DataContext,
    DataProviderRecord,
    ExecutorContext,
    ExecutorRecord,
    Log,
    NoSettings,
    ObserverContext,
    ObserverRecord,
    OrderType,
    PluginContext,
    PluginSettings,
    RiskRuleContext,
    RiskRuleRecord,
    Secret,
    SizerContext,
    SizerRecord,
    StoreContext,
    StoreRecord,
    StrategyContext,
    StrategyRecord,
    Timeframe,
)
from mqd_core.api.records import NAME, NamedRecord, PluginRecord


def factory(settings: Any, context: Any) -> Any:
    return settings, context


def command() -> Any:
    return None


COMMON: dict[str, Any] = {"name": "mine", "summary": "One line", "settings": NoSettings, "factory": factory}
EXTRA: dict[type[NamedRecord], dict[str, Any]] = {
    BrokerRecord: {"capabilities": BrokerCapabilities(simulated=True)},
    DataProviderRecord: {"has_history": True, "has_live": False},
    StrategyRecord: {},
    SizerRecord: {},
    StoreRecord: {},
    RiskRuleRecord: {},
    ObserverRecord: {},
    ExecutorRecord: {},
    CommandRecord: {},
}


def made(record: type[Any], **changes: Any) -> Any:
    if record is CommandRecord:
        return record(**{"name": "mine", "summary": "One line", "load": command, **changes})
    return record(**{**COMMON, **EXTRA[record], **changes})


@pytest.mark.parametrize("record", list(EXTRA))
def test_a_good_record_is_made_frozen_and_without_a_dictionary(record: type[Any]) -> None:
    """Every kind's record can be made by keyword, never changed, and says briefly what it is."""
    one = made(record)

    assert [field.name for field in fields(record)][:2] == ["name", "summary"]
    assert str(one) == f"{record.__name__} 'mine'"
    assert not hasattr(one, "__dict__")
    assert one == made(record)
    with pytest.raises(FrozenInstanceError):
        one.name = "other"
    with pytest.raises(TypeError):
        record("mine", "One line")


@pytest.mark.parametrize("record", list(EXTRA))
@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("name", 7, "name must be a string, was int"),
        ("name", "my-broker", "name was 'my-broker': letters, digits and underscores, beginning with a letter"),
        ("name", "", "name was '': letters"),
        ("summary", 7, "summary must be a string"),
        ("summary", " ", "summary must be one line of text, was ' '"),
        ("summary", "a\nb", r"summary must be one line of text, was 'a\\nb'"),
    ],
)
def test_a_wrong_name_or_summary_is_refused(record: type[Any], field: str, value: object, told: str) -> None:
    """Names and summaries are checked for every kind."""
    with pytest.raises((TypeError, ValueError), match=rf"^{record.__name__}.*{told}"):
        made(record, **{field: value})


@given(st.text(max_size=12))
def test_a_name_is_ascii_letters_digits_and_underscores(text: str) -> None:
    """Exactly the texts that can stand as a Python identifier of ASCII, not beginning with an underscore, are names."""
    allowed = text.isascii() and text.isidentifier() and not text.startswith("_")

    assert bool(NAME.fullmatch(text)) is allowed


@pytest.mark.parametrize("record", [record for record in EXTRA if issubclass(record, PluginRecord)])
@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("settings", dict, "settings must be a class derived from PluginSettings, was <class 'dict'>"),
        ("settings", NoSettings(), r"settings must be a class derived from PluginSettings, was NoSettings\(\)"),
        ("factory", None, r"factory must be callable: factory\(settings, context\)"),
    ],
)
def test_wrong_settings_and_factories_are_refused(record: type[Any], field: str, value: object, told: str) -> None:
    """Settings are a class of the right base and the factory can be called."""
    with pytest.raises(TypeError, match=rf"^{record.__name__} 'mine'\.{told}$"):
        made(record, **{field: value})


@pytest.mark.parametrize(
    ("record", "changes", "told"),
    [
        (BrokerRecord, {"capabilities": None}, "capabilities must be a BrokerCapabilities, was None"),
        (BrokerRecord, {"emergency": 1}, "emergency must be a factory or None"),
        (DataProviderRecord, {"has_live": 1}, "has_live must be True or False"),
        (DataProviderRecord, {"synthetic": None}, "synthetic must be True or False"),
        (DataProviderRecord, {"has_history": False}, "neither history nor live data"),
        (StrategyRecord, {"scope": "all"}, 'scope must be "symbol" or "portfolio", was \'all\''),
        (CommandRecord, {"load": None}, "load must be callable: it returns the click command"),
    ],
)
def test_what_a_kind_states_is_checked(record: type[Any], changes: dict[str, Any], told: str) -> None:
    """The fields that only one kind has are checked like the common ones."""
    with pytest.raises((TypeError, ValueError), match=told):
        made(record, **changes)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"simulated": 1}, "simulated must be True or False"),
        ({"own_record": "no"}, "own_record must be True or False"),
        ({"replace": True}, "replace must be a Support"),
        ({"fractional": "full"}, "fractional must be a Support"),
        ({"order_types": ()}, "order_types must be a tuple with members"),
        ({"order_types": [OrderType.MARKET]}, "order_types must be a tuple with members"),
        ({"order_types": ("market",)}, "order_types must hold OrderType only"),
        ({"times_in_force": (OrderType.MARKET,)}, "times_in_force must hold TimeInForce only"),
        ({"client_id_unique": "always"}, 'client_id_unique must be "open", "forever" or "unknown"'),
        (
            {"simulated": False, "not_found_is_final": True},
            "not_found_is_final may be True only of a simulated venue",
        ),
    ],
)
def test_capabilities_are_checked(changes: dict[str, Any], told: str) -> None:
    """A capability of the wrong type, or one that could double an order, is refused with the record's name."""
    stated = BrokerCapabilities(**{"simulated": True, **changes})

    with pytest.raises((TypeError, ValueError), match=rf"^BrokerRecord 'mine'\.capabilities\.{told}$"):
        made(BrokerRecord, capabilities=stated)


class StillClock:
    def now_ns(self) -> int:
        return 0


def test_each_kind_is_built_with_its_own_narrow_context(tmp_path: Path) -> None:
    """A context holds exactly what the kind may have: no strategy sees a clock, no sizer anything."""
    held = {
        context: tuple(field.name for field in fields(context))
        for context in (
            BrokerContext,
            DataContext,
            StoreContext,
            ObserverContext,
            ExecutorContext,
            StrategyContext,
            SizerContext,
            RiskRuleContext,
        )
    }

    assert held == {
        BrokerContext: ("clock", "log", "directory", "secrets", "paper_trading", "live_account"),
        DataContext: ("clock", "log", "directory", "secrets"),
        StoreContext: ("log", "directory"),
        ObserverContext: ("log", "directory"),
        ExecutorContext: ("log", "directory"),
        StrategyContext: ("id", "symbols", "timeframe"),
        SizerContext: (),
        RiskRuleContext: (),
    }
    assert all(issubclass(context, PluginContext) for context in held)


def test_a_context_is_frozen_and_never_prints_secrets(tmp_path: Path) -> None:
    """Neither the context nor what it holds shows a secret, in any of the ways Python prints."""
    log: Log = logging.getLogger("test")
    clock: Clock = StillClock()
    secrets = {"BROKER_API_KEY": Secret("hunter2")}
    context = BrokerContext(clock=clock, log=log, directory=tmp_path, secrets=secrets)

    assert "hunter2" not in f"{context!r} {context} {context.secrets}"
    assert "BROKER_API_KEY" not in repr(context)
    assert context.secrets["BROKER_API_KEY"].get_secret_value() == "hunter2"
    with pytest.raises(FrozenInstanceError):
        context.log = log  # type: ignore[misc]


def test_a_strategy_context_is_a_value() -> None:
    """Two contexts of one content are equal and can be keys."""
    one, two = (StrategyContext(id="a", symbols=("SPY",), timeframe=Timeframe.HOUR_1) for _ in range(2))

    assert {one: 1}[two] == 1


def test_a_factory_gets_settings_and_context() -> None:
    """The record holds the factory as it was given, to be called with two arguments."""
    record: SizerRecord[PluginSettings] = made(SizerRecord)

    assert record.factory(NoSettings(), SizerContext()) == (NoSettings(), SizerContext())  # type: ignore[comparison-overlap]
