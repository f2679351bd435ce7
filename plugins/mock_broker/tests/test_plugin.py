"""What the distribution announces: light to import, two records, settings that explain themselves."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points

import pytest
from pydantic import ValidationError

from mqd_core.api import BrokerRecord, DataProviderRecord
from mqd_plugin_mock import plugin
from mqd_plugin_mock.connector import MockBrokerConnector
from mqd_plugin_mock.remote.connector import RemoteBrokerConnector
from mqd_plugin_mock.remote.settings import MockVenueSettings
from mqd_plugin_mock.settings import MockBrokerSettings, SyntheticSettings
from mqd_plugin_mock.synthetic import SyntheticMarket

ALLOWED = {
    "annotated_types",
    "mqd_core",
    "mqd_plugin_mock",
    "msgspec",
    "pluggy",
    "pydantic",
    "pydantic_core",
    "typing_extensions",
    "typing_inspection",
}


def test_importing_it_is_light():
    """Listing the plugin imports no numpy and no file lock: only what mqd's api itself needs."""
    script = "import sys, mqd_plugin_mock.plugin; print(*{name.partition('.')[0] for name in sys.modules})"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    imported = {name for name in run.stdout.split() if not name.startswith("_")}
    foreign = imported - set(sys.stdlib_module_names)
    before = subprocess.run(
        [sys.executable, "-c", "import sys; print(*{name.partition('.')[0] for name in sys.modules})"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert foreign - set(before.stdout.split()) <= ALLOWED


@pytest.mark.parametrize(
    ("group", "name"),
    [
        ("mqd.brokers", "mock"),
        ("mqd.brokers", "mock_venue"),
        ("mqd.commands", "venue"),
        ("mqd.data_providers", "synthetic"),
    ],
)
def test_entry_points_name_the_records(group, name):
    """Each record is announced under its own name by an entry point that leads to this module."""
    (entry,) = [entry for entry in entry_points(group=group) if entry.name == name]
    assert entry.load() is plugin


@pytest.mark.parametrize(
    ("name", "settings", "connector"),
    [("mock", MockBrokerSettings, MockBrokerConnector), ("mock_venue", MockVenueSettings, RemoteBrokerConnector)],
)
def test_broker_records(bench, tmp_path, name, settings, connector):
    """Each broker is simulated, and its factory makes a connector with the stated capabilities, starting nothing."""
    (record,) = [record for record in plugin.mqd_brokers() if record.name == name]
    assert isinstance(record, BrokerRecord)
    assert (record.name, record.settings) == (name, settings)
    broker = record.factory(record.settings(), bench.context(tmp_path))
    assert isinstance(broker, connector)
    assert broker.capabilities == record.capabilities
    assert [*tmp_path.iterdir()] == []


def test_the_way_out():
    """Only an account that a process of its own keeps can be ended beside its desk; the command is a group."""
    ways = {record.name: record.emergency is not None for record in plugin.mqd_brokers()}
    assert ways == {"mock": False, "mock_venue": True}
    (record,) = plugin.mqd_commands()
    assert (record.name, sorted(record.load().commands)) == ("venue", ["status", "stop"])


def test_data_provider_record(bench, tmp_path):
    """The provider has history only, and says that its bars are made up."""
    (record,) = plugin.mqd_data_providers()
    assert isinstance(record, DataProviderRecord)
    assert (record.name, record.has_history, record.has_live, record.synthetic) == ("synthetic", True, False, True)
    assert "synthetic" in record.summary.lower()
    assert isinstance(record.factory(record.settings(), bench.data_context(tmp_path)), SyntheticMarket)


@pytest.mark.parametrize("settings", [MockBrokerSettings, MockVenueSettings, SyntheticSettings])
def test_every_setting_is_explained_and_has_a_default(settings):
    """A newcomer need set nothing, and can read what each setting does."""
    settings()
    for name, field in settings.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name


@pytest.mark.parametrize(
    ("settings", "wrong", "words"),
    [
        (MockBrokerSettings, {"starting_cash": 0}, "greater than 0"),
        (MockBrokerSettings, {"starting_cash": "0.001"}, "decimal"),
        (MockBrokerSettings, {"slippage_bps": "0.001"}, "decimal"),
        (MockBrokerSettings, {"slippage_bps": -1}, "greater than or equal to 0"),
        (MockBrokerSettings, {"participation_pct": 101}, "less than or equal to 100"),
        (MockBrokerSettings, {"limit_fill": "maybe"}, "'touch' or 'through'"),
        (MockBrokerSettings, {"untradable": ["spy"]}, "untradable: .spy. is no symbol"),
        (MockBrokerSettings, {"account": "two words"}, "pattern"),
        (MockBrokerSettings, {"record": ""}, "at least 1 character"),
        (MockBrokerSettings, {"leverage": 2}, "Extra inputs"),
        (MockVenueSettings, {"not_found": "maybe"}, "'final' or 'doubtful'"),
        (MockVenueSettings, {"timeout_ms": 1}, "greater than or equal to 10"),
        (SyntheticSettings, {"symbols": []}, "at least 1 item"),
        (SyntheticSettings, {"symbols": ["SPY", "SPY"]}, "differ from each other"),
        (SyntheticSettings, {"symbols": ["../x"]}, "is no symbol"),
        (SyntheticSettings, {"days": 0}, "greater than or equal to 1"),
        (SyntheticSettings, {"start_price": 1}, "greater than or equal to 5"),
        (SyntheticSettings, {"start": "soon"}, "date"),
    ],
)
def test_wrong_settings_are_refused(settings, wrong, words):
    """A wrong value is refused in words that name what is allowed."""
    with pytest.raises(ValidationError, match=words):
        settings(**wrong)
