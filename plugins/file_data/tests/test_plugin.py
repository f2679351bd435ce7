"""What the distribution announces, and which settings it takes."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points

import pytest
from pydantic import ValidationError

from mqd_core.api import DataFault, Timeframe
from mqd_plugin_files.plugin import mqd_data_providers
from mqd_plugin_files.provider import FileDataProvider
from mqd_plugin_files.settings import FilesSettings

SPY = {"symbols": ["SPY"], "path": "bars"}


def test_the_record_is_named_as_the_entry_point(kit):
    """The configuration's name leads to the record, which has history and nothing live, and builds the provider."""
    (record,) = mqd_data_providers()
    (point,) = entry_points(group="mqd.data_providers", name=record.name)
    assert point.load().mqd_data_providers is mqd_data_providers
    assert (record.has_history, record.has_live, record.synthetic) == (True, False, False)
    assert isinstance(record.factory(FilesSettings.model_validate(SPY), kit.context()), FileDataProvider)


def test_the_module_that_is_announced_is_light():
    """Importing it brings in neither pyarrow nor numpy, nor the provider: those come when it is built."""
    code = (
        "import sys, mqd_plugin_files.plugin;"
        "print(*sorted({'numpy', 'pyarrow', 'pandas', 'mqd_plugin_files.provider'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert result.stdout.strip() == ""


def test_nothing_is_live(kit):
    """Asked for live bars, the provider says what to configure instead."""
    with pytest.raises(DataFault, match="configure another data provider"):
        kit.provider().live(["SPY"], Timeframe.MINUTE_1, print)


def test_other_timeframes_are_made_by_the_desk(kit):
    """Asked for five-minute bars, the provider says what the files hold."""
    with pytest.raises(DataFault, match="files hold 1Min bars, 5Min was asked for"):
        kit.provider().history("SPY", Timeframe.MINUTE_5, None, None)


def test_settings_are_read_from_text():
    """The configuration's values are text; dates, choices and nested names are understood."""
    texts = {**SPY, "from": "2013-10-04", "session": "all", "columns": {"close": "last"}, "timestamp_unit": "ms"}
    settings = FilesSettings.model_validate(texts)
    assert settings.from_date is not None
    assert settings.from_date.isoformat() == "2013-10-04"
    assert settings.columns.close == "last"
    assert settings.columns.open == "open"


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"symbols": ["SPY"]}, "there is neither a path nor an entry under files for SPY"),
        ({"symbols": ["SPY", "IBM"], "files": {"SPY": "a.csv"}}, "for IBM"),
        ({**SPY, "symbols": []}, "at least 1 item"),
        ({**SPY, "symbols": ["spy"]}, "'spy' is no symbol"),
        ({**SPY, "symbols": ["../x"]}, "'../x' is no symbol"),
        ({**SPY, "symbols": ["SPY", "SPY"]}, "SPY stands there twice"),
        ({**SPY, "files": {"spy": "a.csv"}}, "'spy' is no symbol"),
        ({**SPY, "format": "excel"}, "'auto', 'csv' or 'parquet'"),
        ({**SPY, "timestamp_unit": "min"}, "'s', 'ms', 'us' or 'ns'"),
        ({**SPY, "timezone": "America/New_Yorc"}, "did you mean 'America/New_York'"),
        ({**SPY, "timezone": "/etc/passwd"}, "is no time zone"),
        ({**SPY, "timezone": "Qqqqqq"}, "such as America/New_York or UTC"),
        ({**SPY, "stamp": "middle"}, "'start' or 'end'"),
        ({**SPY, "from": "2013-10-05", "to": "2013-10-04"}, "from 2013-10-05 is after to 2013-10-04"),
        ({**SPY, "from": "yesterday"}, "from"),
        ({**SPY, "columns": {"price": "x"}}, "columns.price"),
        ({**SPY, "columns": {"open": "p", "close": "p"}}, "two of the columns are called 'p'"),
        ({**SPY, "columns": {"open": ""}}, "at least 1 character"),
        ({**SPY, "folder": "x"}, "folder"),
    ],
)
def test_settings_that_cannot_be_are_refused_in_words(settings, text):
    """Each mistake is refused before any file is looked for, and named."""
    with pytest.raises(ValidationError) as caught:
        FilesSettings.model_validate(settings)
    assert text in str(caught.value)


def test_every_setting_is_described():
    """`mqd plugins show` can say what each key is."""
    schema = FilesSettings.model_json_schema()
    properties = [*schema["properties"].values(), *schema["$defs"]["Columns"]["properties"].values()]
    assert all(field["description"] for field in properties)
    assert {"from", "to"} <= set(schema["properties"])
