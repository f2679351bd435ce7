"""`mqd --help` and `mqd plugins list` answer at once: they import no plugin and nothing heavy."""

from __future__ import annotations

import json
from typing import Any

import pytest

HEAVY = {"alpaca", "msgspec", "numpy", "pandas", "pluggy", "pyarrow", "pydantic", "rich", "stevedore", "structlog"}
#: Runs a command in this process and writes the names of all loaded modules behind what it printed.
REPORT = """
import json, sys
from mqd_core.cli import main
try:
    main()
except SystemExit as error:
    code = error.code
print()
print(json.dumps([code, sorted(sys.modules)]))
"""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--help"], "Trade by the configuration"),
        (["--version"], "mqd "),
        (["plugins", "--help"], "imports no plugin"),
        (["plugins", "list", "--config", "config.yaml"], "VWAPMeanReversionStrategy"),
        (["plugins", "list", "--config", "config.yaml", "--json"], '"VWAPMeanReversionStrategy"'),
    ],
)
def test_what_must_answer_at_once_is_light(desk: Any, arguments: list[str], said: str) -> None:
    """No plugin, not even one that is configured or broken, and none of the heavy libraries is imported."""
    desk.install("broken-sizer", {"mqd.sizers": {"broken": "broken_sizer"}}, {"broken_sizer.py": "raise RuntimeError"})
    ended = desk.mqd(*arguments, launcher=("-c", REPORT))
    assert ended.err == ""
    assert said in ended.out
    code, modules = json.loads(ended.out.splitlines()[-1])
    assert code == 0
    loaded = {name.partition(".")[0] for name in modules}
    assert loaded & HEAVY == set()
    assert [name for name in loaded if name.startswith("mqd_plugin_") or name == "broken_sizer"] == []
    assert [name for name in modules if name.startswith(("mqd_core.engine", "mqd_core.runtime", "mqd_core.app"))] == []


def test_the_report_would_find_what_is_heavy(desk: Any) -> None:
    """The same report of a command that checks settings finds pydantic and the plugin: the test can fail."""
    ended = desk.mqd("plugins", "show", "strategy", "VWAPMeanReversionStrategy", launcher=("-c", REPORT))
    _, modules = json.loads(ended.out.splitlines()[-1])
    assert {"pydantic", "mqd_plugin_vwap"} <= set(modules)
