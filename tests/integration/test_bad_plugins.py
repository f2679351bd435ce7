"""Plugins that are not there, claimed twice, broken, or answer nonsense: who it was, where, and what goes on."""

from __future__ import annotations

import json
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


def test_a_plugin_of_this_repository_that_is_not_installed(finished: Any) -> None:
    """It comes with the command that installs it from its folder; an installation without entry points has none."""
    finished.install("mqd-plugin-vwap", {}, {})
    message = finished.refused(3)
    assert message.startswith(finished.place(f"name: {VWAP}"))
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


def test_a_strategy_file_that_is_not_there(finished: Any) -> None:
    """A file that does not exist is told with the line that names it, and with one of nearly that name; exit 3."""
    finished.file("mine.py", STRATEGY.format(fault="pass"))
    add_strategy(finished, "./mien.py:Mine")
    message = finished.refused(3)
    assert message.startswith(f"{finished.place('name: ./mien.py:Mine')}: strategy file './mien.py' does not exist")
    assert message.endswith("did you mean 'mine.py'?")


def test_strategy_files_that_cannot_be_loaded(finished: Any) -> None:
    """Each is a line with the place in the configuration and the place in the file; exit 3."""
    broken = {
        "none.py:Mien": (STRATEGY.format(fault="pass"), "did you mean 'Mine'?"),
        "syntax.py:Syntax": ("class Syntax:\n    def on_bar(self, bar, view)\n", "syntax.py:2: SyntaxError"),
        "imports.py:Imports": ("import nonsense_of_mine\n", "imports.py:1: ModuleNotFoundError"),
        "half.py:Half": ("class Half:\n    def on_bar(self, bar, view):\n        ...\n", "on_fill(self, fill, view)"),
        "quits.py:Quits": ("import sys\nsys.exit(0)\n", "quits.py:2: SystemExit"),
    }
    for name, (source, _) in broken.items():
        finished.file(name.partition(":")[0], source)
        add_strategy(finished, f"./{name}")
    lines = finished.refused(3).splitlines()
    said = {line.partition(": ")[0]: line for line in lines}
    assert len(lines) == len(said) == len(broken)
    assert [name for name, (_, words) in broken.items() if words not in said[finished.place(f"name: ./{name}\n")]] == []


@pytest.mark.parametrize("error", ["ValueError('no window')", "SystemExit(0)"])
def test_a_strategy_that_cannot_be_made(finished: Any, error: str) -> None:
    """What its constructor raises is told with both places; exit 3, and the book that is over stays where it is."""
    finished.file("mine.py", STRATEGY.format(fault="pass").replace("self.bars = 0", f"raise {error}"))
    add_strategy(finished)
    message = finished.refused(3)
    assert "\n" not in message
    assert message.startswith(finished.place("name: ./mine.py:Mine\n"))
    assert f"could not be built: it raised at mine.py:8: {error.partition('(')[0]}: " in message


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("__import__('statistics').mean([])", f"raised StatisticsError at mine.py:{FAULT_LINE}: mean requires"),
        ("raise SystemExit(0)", f"raised SystemExit at mine.py:{FAULT_LINE}: 0"),
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


def test_a_strategy_that_quits_alone(desk: Any) -> None:
    """sys.exit() of the only strategy ends the strategy, not the desk: the data are read to their end; exit 1."""
    desk.file("mine.py", STRATEGY.format(fault="raise SystemExit(0)"))
    desk.change((f"name: {VWAP}", "name: ./mine.py:Mine "), ("  days: 2", "  days: 1"))
    before, _, after = desk.text.partition("    parameters:")
    desk.write(before + after[after.index("# Here `_pct`") :])
    ended = desk.run("--json")
    assert (ended.code, ended.message) == (1, "")
    assert ended.result["bars"] > 300
    assert f"strategy:Mine raised SystemExit at mine.py:{FAULT_LINE}: 0" in ended.warnings


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
    """A plugin that fails to import disturbs no desk but the one that names it, which is told whose it is; exit 3."""
    desk.install("broken-sizer", {"mqd.sizers": {"broken": "broken_sizer"}}, {"broken_sizer.py": "raise RuntimeError"})
    desk.change(("  days: 2", "  days: 1"))
    desk.finish()
    desk.change(("name: notional ", "name: broken "))
    message = desk.refused(3)
    assert "sizer plugin 'broken' (broken-sizer 1.0)" in message
    assert "broken_sizer.py:1: RuntimeError" in message
