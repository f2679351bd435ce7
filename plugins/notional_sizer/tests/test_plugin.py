"""What the distribution announces, and which settings it takes."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal
from importlib.metadata import entry_points

import pytest
from pydantic import ValidationError

from mqd_core.api import SizerContext
from mqd_plugin_notional.plugin import NotionalSettings, mqd_sizers
from mqd_plugin_notional.sizer import NotionalPositionSizer


def test_the_record_is_named_as_the_entry_point():
    """The configuration's name leads to the record, and the record's factory builds the sizer."""
    (record,) = mqd_sizers()
    (point,) = entry_points(group="mqd.sizers", name=record.name)
    assert point.load().mqd_sizers is mqd_sizers
    assert isinstance(record.factory(NotionalSettings(), SizerContext()), NotionalPositionSizer)


def test_the_module_that_is_announced_is_light():
    """Importing it brings in pydantic, pluggy and the core's api, and not the sizer itself."""
    code = (
        "import sys, mqd_plugin_notional.plugin;"
        "print(*sorted({'numpy', 'pyarrow', 'pandas', 'mqd_plugin_notional.sizer'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert result.stdout.strip() == ""


def test_the_default_minimum_is_a_dollar():
    """Without settings, entries worth less than $1 are not made."""
    assert NotionalSettings().minimum_order_usd == Decimal(1)


@pytest.mark.parametrize(("key", "value"), [("minimum_order_usd", "-1"), ("minimum_order_usd", "x"), ("minimum", "1")])
def test_bad_settings_are_refused(key, value):
    """Negative minima, words and unknown keys are refused by name."""
    with pytest.raises(ValidationError, match=key):
        NotionalSettings.model_validate({key: value})
