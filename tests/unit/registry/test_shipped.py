"""The table of this repository's plugins, and the helper that makes distributions of files."""

from __future__ import annotations

import base64
import csv
import hashlib
import importlib
import importlib.metadata
import sys
from pathlib import Path

import pytest

from mqd_core.registry.kinds import Kind
from mqd_core.registry.shipped import SHIPPED, install_command
from mqd_core.testing.distributions import make_distribution

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = None


@pytest.mark.skipif(tomllib is None, reason="reads TOML with the standard library, which Python 3.10 cannot")
def test_the_table_holds_exactly_the_plugins_of_this_repository(project_root: Path) -> None:
    """Every entry point of every folder under plugins/ that exists is in the table, with its folder, and no other."""
    groups = {kind.group: kind for kind in Kind}
    declared: dict[tuple[Kind, str], str] = {}
    for file in sorted((project_root / "plugins").glob("*/pyproject.toml")):
        entry_points = tomllib.loads(file.read_text(encoding="utf-8"))["project"].get("entry-points", {})
        for group, entries in entry_points.items():
            for name in entries:
                declared[groups[group], name] = f"./plugins/{file.parent.name}"

    assert declared == SHIPPED


def test_no_command_is_made_up_for_a_stranger() -> None:
    """A name outside of the table has no command: mistyped names must not install what a stranger published."""
    assert install_command(Kind.BROKER, "mock") == "pip install ./plugins/mock_broker"
    assert install_command(Kind.BROKER, "mock2") == ""
    assert install_command(Kind.STORE, "mock") == ""


def test_a_made_distribution_is_one_to_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python itself sees name, version, requirements, entry points and files, and can import the modules."""
    info = make_distribution(
        tmp_path,
        "MQD-Plugin.Made",
        "2.1",
        entry_points={"mqd.brokers": {"made": "made_package.inner.plugin"}},
        modules={"made_package/inner/plugin.py": "ANSWER = 42\n", "made_package/__init__.py": "HERE = 1\n"},
        requires=["mqd-core>=1", "other"],
    )
    monkeypatch.syspath_prepend(str(tmp_path))

    distribution = importlib.metadata.distribution("mqd-plugin-made")

    assert info == tmp_path / "mqd_plugin_made-2.1.dist-info"
    assert (distribution.metadata["Name"], distribution.version) == ("MQD-Plugin.Made", "2.1")
    assert distribution.requires == ["mqd-core>=1", "other"]
    (entry_point,) = distribution.entry_points
    assert entry_point.load().ANSWER == 42
    assert importlib.import_module("made_package").HERE == 1
    with (info / "RECORD").open(encoding="utf-8", newline="") as file:
        recorded = {path: (digest, size) for path, digest, size in csv.reader(file)}
    content = (tmp_path / "made_package/inner/plugin.py").read_bytes()
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    assert recorded["made_package/inner/plugin.py"] == (f"sha256={digest}", str(len(content)))
    assert recorded[f"{info.name}/RECORD"] == ("", "")
    for name in [name for name in sys.modules if name.startswith("made_package")]:
        del sys.modules[name]


def test_a_distribution_is_written_over_an_older_one(tmp_path: Path) -> None:
    """Making it again with other contents replaces them, as a reinstallation would."""
    for target in ("old.plugin", "new.plugin"):
        info = make_distribution(tmp_path, "again", entry_points={"mqd.brokers": {"again": target}})

    assert (info / "entry_points.txt").read_text(encoding="utf-8") == "[mqd.brokers]\nagain = new.plugin\n"
