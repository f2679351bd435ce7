"""What the distribution announces, and that announcing it costs nothing."""

from __future__ import annotations

import logging
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

import pluggy
import pytest
from pydantic import ValidationError

from mqd_core.api import HookSpecs, StoreContext, StoreRecord
from mqd_plugin_sqlite import plugin
from mqd_plugin_sqlite.reader import SqliteReader
from mqd_plugin_sqlite.store import SqliteStore


def test_the_entry_point_leads_to_one_record_of_its_name() -> None:
    """The entry point's name, the record's name and the hook are the same, and the hook fits its specification."""
    (point,) = (point for point in entry_points(group="mqd.stores") if point.name == "sqlite")
    manager = pluggy.PluginManager("mqd")
    manager.add_hookspecs(HookSpecs)
    manager.register(point.load())
    manager.check_pending()
    ((record,),) = (list(records) for records in manager.hook.mqd_stores())
    assert isinstance(record, StoreRecord)
    assert record.name == point.name


def test_the_module_that_is_listed_does_not_load_sqlite() -> None:
    """Importing the plugin's module loads neither sqlite3 nor the store."""
    code = (
        "import sys, mqd_core.api; before = set(sys.modules); import mqd_plugin_sqlite.plugin; "
        "print(sorted(set(sys.modules) - before))"
    )
    listing = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert listing.stdout.strip() == "['mqd_plugin_sqlite', 'mqd_plugin_sqlite.plugin']"


def test_the_factories_build_both_halves_on_one_file(tmp_path: Path, trading: ModuleType) -> None:
    """The store is made in the desk's folder, and the reader of the same settings sees what it commits."""
    (record,) = plugin.mqd_stores()
    context = StoreContext(log=logging.getLogger("test"), directory=tmp_path / "var" / "demo")
    settings = record.settings(path=Path("demo.db"))
    store = record.factory(settings, context)
    assert isinstance(store, SqliteStore)
    store.commit(trading.batch(trading.trade(1)))
    assert record.reader is not None
    reader = record.reader(settings, context)
    assert isinstance(reader, SqliteReader)
    assert reader.view() == store.view()
    assert (tmp_path / "var" / "demo" / "demo.db").is_file()
    store.close()


def test_an_absolute_path_stays_where_it_is(tmp_path: Path) -> None:
    """A store may lie outside of the desk's folder, on another disk."""
    (record,) = plugin.mqd_stores()
    context = StoreContext(log=logging.getLogger("test"), directory=tmp_path / "var")
    record.factory(record.settings(path=tmp_path / "disk" / "desk.db"), context).close()
    assert (tmp_path / "disk" / "desk.db").is_file()
    assert not (tmp_path / "var").exists()


@pytest.mark.parametrize("path", ["", ".", "..", "var/.."])
def test_a_path_that_names_no_file_is_refused(path: str) -> None:
    """A setting that cannot be a file is found with the configuration, before anything is made."""
    with pytest.raises(ValidationError, match=r"must name a file, for example demo\.db"):
        plugin.SqliteSettings(path=Path(path))


def test_every_setting_is_described_and_others_are_refused() -> None:
    """`mqd plugins show` has a text for each key; a misspelt one is an error."""
    assert plugin.SqliteSettings().path == Path("desk.db")
    assert all(field.description for field in plugin.SqliteSettings.model_fields.values())
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        plugin.SqliteSettings.model_validate({"pth": "demo.db"})
