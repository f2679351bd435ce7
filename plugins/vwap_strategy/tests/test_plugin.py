"""What the distribution announces, and which parameters it takes."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal
from importlib.metadata import entry_points

import pytest
from pydantic import ValidationError

from mqd_core.api import StrategyContext, Timeframe
from mqd_plugin_vwap.plugin import VWAPSettings, mqd_strategies
from mqd_plugin_vwap.strategy import VWAPMeanReversionStrategy


def test_the_record_is_named_as_the_entry_point():
    """The configuration's name leads to the record, and the record's factory builds the strategy."""
    (record,) = mqd_strategies()
    (point,) = entry_points(group="mqd.strategies", name=record.name)
    assert point.load().mqd_strategies is mqd_strategies
    context = StrategyContext(id="vwap", symbols=("SPHD",), timeframe=Timeframe.MINUTE_1)
    assert isinstance(record.factory(VWAPSettings(), context), VWAPMeanReversionStrategy)
    assert record.scope == "symbol"


def test_the_module_that_is_announced_is_light():
    """Importing it brings in pydantic, pluggy and the core's api, and neither the strategy nor numpy."""
    code = (
        "import sys, mqd_plugin_vwap.plugin;"
        "print(*sorted({'numpy', 'pyarrow', 'pandas', 'mqd_plugin_vwap.strategy'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert result.stdout.strip() == ""


def test_defaults_are_those_of_the_example_configuration():
    """Without parameters: 20 bars, two per cent below, stop at two, profit at one."""
    settings = VWAPSettings()
    assert settings.vwap_window == 20
    assert settings.entry_threshold == Decimal("0.02")
    assert settings.stop_loss_pct == Decimal("0.02")
    assert settings.take_profit_pct == Decimal("0.01")


def test_parameters_are_read_from_text_exactly():
    """The configuration's values are text, and become exactly the decimals that were written."""
    settings = VWAPSettings.model_validate({"vwap_window": "50", "entry_threshold": "0.015"})
    assert (settings.vwap_window, str(settings.entry_threshold)) == (50, "0.015")


@pytest.mark.parametrize("field", ["entry_threshold", "stop_loss_pct", "take_profit_pct"])
@pytest.mark.parametrize("value", ["2", "1", "0", "-0.01", "1.5"])
def test_a_percentage_in_place_of_a_fraction_is_refused(field, value):
    """2 would be 200 %: the error says what it was, what is allowed, and how two per cent is written."""
    with pytest.raises(ValidationError, match=rf"was {value}: a fraction .* two per cent is 0\.02"):
        VWAPSettings.model_validate({field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("vwap_window", "1"),
        ("vwap_window", "10001"),
        ("vwap_window", "2.5"),
        ("entry_threshold", "nan"),
        ("entry_threshold", "two"),
        ("stop_loss_pct", "0.0000000001"),
        ("window", "20"),
    ],
)
def test_parameters_out_of_range_or_unknown_are_refused(field, value):
    """Windows have 2 to 10,000 bars, fractions nine decimals, and other keys do not exist."""
    with pytest.raises(ValidationError, match=field):
        VWAPSettings.model_validate({field: value})


def test_every_parameter_is_described_and_bounded_in_the_schema():
    """An editor that reads the schema can tell what each parameter is, and its bounds."""
    properties = VWAPSettings.model_json_schema()["properties"]
    assert all(field["description"] for field in properties.values())
    number = next(form for form in properties["entry_threshold"]["anyOf"] if form["type"] == "number")
    bounds = {**number, **properties["entry_threshold"]}
    assert (bounds["exclusiveMinimum"], bounds["exclusiveMaximum"]) == (0, 1)
