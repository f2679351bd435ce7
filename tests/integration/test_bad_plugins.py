"""Plugins that are not there, claimed twice, broken, or answer nonsense: who it was, where, and what goes on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

VWAP = "VWAPMeanReversionStrategy "
ENTRY = "  - name: {name}\n    symbols: [SPHD]\nrisk:\n"
STRATEGY = '''"""A strategy of one's own."""


class Mine:
    """Looks at a hundred bars, then does what it should not."""

    def __init__(self, settings, context):
        self.bars = 0

    def on_bar(self, bar, view):
        self.bars += 1
        if self.bars == 100:
            {fault}
        return ()

    def on_fill(self, fill, view):
        """Nothing to do."""
'''
FAULT_LINE = STRATEGY[: STRATEGY.index("{fault}")].count("\n") + 1
SIZER = """from decimal import Decimal

from mqd_core.api import PluginSettings, SizerRecord, Size, hookimpl


class Settings(PluginSettings):
    pass


class Mad:
    def __init__(self, settings, context):
        pass

    def size(self, signal, view):
        {fault}


@hookimpl
def mqd_sizers():
    yield SizerRecord(name="mad", summary="Answers nonsense", settings=Settings, factory=Mad)
"""


def add_strategy(desk: Any, name: str = "./mine.py:Mine") -> None:
    """Add a second strategy to the configuration."""
    desk.change(("\nrisk:\n", "\n" + ENTRY.format(name=name)))


NEAR = {
    "name: mock ": ("name: mokc ", "mock"),
    "name: synthetic ": ("name: synthetics ", "synthetic"),
    "name: notional ": ("name: Notional ", "notional"),
    "name: sqlite ": ("name: sqllite ", "sqlite"),
    f"name: {VWAP}": ("name: VWPMeanReversionStrategy ", VWAP.strip()),
}


def test_names_that_nothing_has(finished: Any) -> None:
    """Each unknown plugin is a line with its place and the nearest name, and no command is made up; exit 3."""
    finished.change(*((old, new) for old, (new, _) in NEAR.items()))
    lines = finished.refused(3).splitlines()
    said = {line.partition(": ")[0]: line for line in lines}
    assert len(lines) == len(said) == len(NEAR)
    for wrong, near in NEAR.values():
        assert said[finished.place(wrong)].endswith(f"; did you mean '{near}'?")
    assert "pip" not in "".join(lines)


def test_names_that_resemble_nothing(finished: Any) -> None:
    """They come with the two ways out, and with no command that would install a stranger's work; exit 3."""
    finished.change(("name: mock ", "name: interactive_brokers "), ("name: sqlite ", "name: postgres "))
    lines = finished.refused(3).splitlines()
    places = [finished.place("name: postgres"), finished.place("name: interactive_brokers")]
    assert sorted(line.partition(": ")[0] for line in lines) == sorted(places)
    assert all("name one that is installed, or install the distribution that has it" in line for line in lines)
    assert "pip" not in "".join(lines)


@pytest.mark.parametrize("name", ["VWAPMeanReversionStrategy", "VWAPMeanReversion"])
def test_a_plugin_of_this_repository_that_is_not_installed(finished: Any, name: str) -> None:
    """It comes with the command that installs it from its folder; an installation without entry points has none."""
    finished.install("mqd-plugin-vwap", {}, {})
    finished.change((f"name: {VWAP}", f"name: {name} "))
    message = finished.refused(3)
    assert message.startswith(finished.place(f"name: {name} "))
    assert message.endswith("pip install ./plugins/vwap_strategy")


def test_two_plugins_of_one_name(finished: Any) -> None:
    """Both distributions are named with their versions, neither is imported, and the listing says it too; exit 3."""
    finished.install("rival-sizer", {"mqd.sizers": {"notional": "rival_sizer"}}, {"rival_sizer.py": "raise SystemExit"})
    message = finished.refused(3)
    assert message.startswith(f"{finished.place('name: notional ')}: sizer plugin name 'notional' is claimed by ")
    assert "mqd-plugin-notional 0." in message
    assert "and rival-sizer 1.0; uninstall all but one" in message
    rows = finished.mqd("plugins", "list", "--config", "config.yaml", "--json").result["plugins"]
    assert [row["distribution"] for row in rows if row["status"] == "conflict"] == [
        "mqd-plugin-notional",
        "rival-sizer",
    ]


@pytest.mark.parametrize(
    ("source", "name", "words"),
    [
        (None, "./mine.py:Mine", ["'./mine.py' does not exist"]),
        ("", "./mine.py", ["'./mine.py' was read", "./my_strategy.py:MyStrategy"]),
        (STRATEGY.format(fault="pass"), "./mine.py:Mien", ["did you mean 'Mine'?"]),
        (
            "class Mine:\n    def on_bar(self, bar, view)\n        return ()\n",
            "./mine.py:Mine",
            ["mine.py:2: SyntaxError"],
        ),
        ("import nonsense_of_mine\n", "./mine.py:Mine", ["mine.py:1: ModuleNotFoundError", "nonsense_of_mine"]),
        (
            "class Mine:\n    def on_bar(self, bar, view):\n        return ()\n",
            "./mine.py:Mine",
            ["on_fill(self, fill, view)"],
        ),
        (
            STRATEGY.format(fault="pass").replace("self.bars = 0", "raise ValueError('no window')"),
            "./mine.py:Mine",
            ["mine.py:8: ValueError: no window"],
        ),
        (
            STRATEGY.format(fault="pass").replace("self.bars = 0", "raise SystemExit(0)"),
            "./mine.py:Mine",
            ["mine.py:8: SystemExit: 0"],
        ),
    ],
)
def test_a_strategy_file_that_cannot_be_used(
    finished: Any, source: str | None, name: str, words: Sequence[str]
) -> None:
    """The message has the line of the configuration and the line of the file; exit 3, and the old book stays."""
    if source is not None:
        finished.file("mine.py", source)
    add_strategy(finished, name)
    message = finished.refused(3)
    assert "\n" not in message
    assert message.startswith(finished.place(f"name: {name}\n"))
    assert [word for word in words if word not in message] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("raise ValueError('no idea')", f"raised ValueError at mine.py:{FAULT_LINE}: no idea"),
        ("__import__('statistics').mean([])", f"raised StatisticsError at mine.py:{FAULT_LINE}: mean requires"),
        ("raise SystemExit(0)", f"raised SystemExit at mine.py:{FAULT_LINE}: 0"),
        (
            "return 'buy'",
            "raised TypeError: on_bar returned a sequence with str in it; a sequence of Signal is allowed",
        ),
        ("return 5", "raised TypeError: on_bar returned int; a sequence of Signal, () for none, is allowed"),
    ],
)
def test_a_strategy_that_fails(desk: Any, undisturbed: Any, fault: str, words: str) -> None:
    """It is quarantined and told with its own line; the others trade as if it had never been; exit 1."""
    desk.file("mine.py", STRATEGY.format(fault=fault))
    add_strategy(desk)
    ended = desk.run("--json")
    assert (ended.code, ended.message) == (1, "")
    assert ended.result["decision_hash"] == undisturbed[1]["decision_hash"]
    assert ended.result["bars"] == undisturbed[1]["bars"]
    told = [text for text in ended.warnings if text.startswith("strategy:Mine ")]
    assert len(told) == 1
    assert told[0].removeprefix("strategy:Mine ").startswith(words)
    logged = (desk.folder / "logs" / "system" / "system.jsonl").read_text(encoding="utf-8").splitlines()
    alerts = [line["extra"] for line in map(json.loads, logged) if line["message"] == "Alert raised"]
    assert [alert["code"] for alert in alerts if alert["subject"] == "strategy:Mine"] == ["strategy_quarantined"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("return None", "raised TypeError: size() returned NoneType; a Size is allowed"),
        ("return Size(quantity=Decimal('NaN'), reason='')", "raised ValueError: size() returned a quantity of Decimal"),
        ("raise RuntimeError('out of mind')", "raised RuntimeError at mad_sizer.py:15: out of mind"),
    ],
)
def test_a_sizer_that_answers_nonsense(desk: Any, fault: str, words: str) -> None:
    """Each entry is denied with `sizer_error`, no order is sent, the run goes on to the end of its data; exit 1."""
    desk.install("mad-sizer", {"mqd.sizers": {"mad": "mad_sizer"}}, {"mad_sizer.py": SIZER.format(fault=fault)})
    desk.change(("name: notional ", "name: mad "), ("  days: 2", "  days: 1"), ("log_level: ERROR", "log_level: INFO"))
    ended = desk.run("--json")
    assert (ended.code, ended.message) == (1, "")
    assert ended.result["denied"] == ended.result["signals"] > 10
    assert (ended.result["orders"], ended.result["cash"]) == (0, "1000.00")
    told = [text for text in ended.warnings if text.startswith("sizer:mad ")]
    assert len(told) == 1
    assert told[0].removeprefix("sizer:mad ").startswith(words)
    assert told[0].endswith(f"({ended.result['denied']} times)")
    logged = (desk.folder / "logs" / "risk" / "risk.jsonl").read_text(encoding="utf-8").splitlines()
    codes = [line["extra"]["code"] for line in map(json.loads, logged) if "code" in line["extra"]]
    assert set(codes) == {"sizer_error"}


def test_a_broken_plugin_that_nobody_names_costs_nothing(desk: Any) -> None:
    """A plugin that fails to import is listed, and a desk that does not name it runs as ever."""
    desk.install("broken-sizer", {"mqd.sizers": {"broken": "broken_sizer"}}, {"broken_sizer.py": "raise RuntimeError"})
    desk.change(("  days: 2", "  days: 1"))
    desk.finish()
    listed = desk.mqd("plugins", "list", "--config", "config.yaml", "--json").result["plugins"]
    assert [row["status"] for row in listed if row["name"] == "broken"] == ["ok"]
    desk.change(("name: notional ", "name: broken "))
    message = desk.refused(3)
    assert "sizer plugin 'broken' (broken-sizer 1.0)" in message
    assert "broken_sizer.py:1: RuntimeError" in message
