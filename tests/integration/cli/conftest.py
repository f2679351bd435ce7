"""Real desks as processes: `mqd` called as a person would, each test in a folder of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mqd_core.testing.distributions import make_distribution

SECONDS_MAX = 120
VARIABLES = ("BROKER_API_KEY", "BROKER_API_SECRET", "PAPER_TRADING", "MQD_DEBUG", "NO_COLOR", "PYTHONPATH")

CONFIG = """\
desk: {{id: tested, state_dir: var}}
broker: {{name: mock, starting_cash: 1000{broker}}}
data: {{name: synthetic, symbols: [SPHD], seed: 7, days: {days}{data}}}
sizer: {{name: notional}}
store: {{name: sqlite, path: tested.db}}
strategies:
  - name: {strategy}
    symbols: [SPHD]
    lookback_bars: {lookback_bars}
logging: {{log_dir: logs}}
"""

HOLD = '''
from mqd_core.api import Signal, SignalAction


class Hold:
    """Buys once and holds."""

    def __init__(self, settings, context):
        self.asked = False

    def on_bar(self, bar, view):
        if self.asked or view.book.quantity:
            return ()
        self.asked = True
        return (Signal(action=SignalAction.ENTER, symbol=bar.symbol, reason=(("close", bar.close),)),)

    def on_fill(self, fill, view):
        pass
'''


@dataclass
class Process:
    """A running `mqd`, ended with the test."""

    popen: subprocess.Popen[str]

    def wait_for(self, words: str) -> str:
        """Read stderr up to a line with these words; fails if it ends before."""
        seen = []
        assert self.popen.stderr is not None
        for line in self.popen.stderr:
            seen.append(line)
            if words in line:
                return line
        raise AssertionError(f"it ended without {words!r}:\n{''.join(seen)}")

    def interrupt(self) -> None:
        """What Ctrl-C does."""
        if os.name == "nt":
            self.popen.send_signal(signal.CTRL_BREAK_EVENT)  # type: ignore[attr-defined,unused-ignore]
        else:
            self.popen.send_signal(signal.SIGINT)

    def end(self) -> tuple[int, str, str]:
        """Wait for its end; exit code and what it still wrote."""
        stdout, stderr = self.popen.communicate(timeout=SECONDS_MAX)
        return self.popen.returncode, stdout, stderr


@dataclass
class Desk:
    """A folder with a configuration, and calls of `mqd` in it."""

    folder: Path
    site: Path
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def configure(
        self,
        *,
        strategy: str = "VWAPMeanReversionStrategy",
        days: int = 1,
        data: str = "",
        broker: str = "",
        lookback_bars: int = 50,
        source: str | None = None,
    ) -> None:
        """Write config/config.yaml, and the strategy's file if it has one."""
        if source is not None:
            (self.folder / "mine.py").write_text(source, encoding="utf-8", newline="\n")
        path = self.folder / "config" / "config.yaml"
        path.parent.mkdir(exist_ok=True)
        text = CONFIG.format(strategy=strategy, days=days, data=data, broker=broker, lookback_bars=lookback_bars)
        path.write_text(text, encoding="utf-8", newline="\n")

    def call(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Call `mqd` and wait for its end."""
        return subprocess.run(
            self._command(arguments),
            cwd=self.folder,
            env=self._environment(variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=SECONDS_MAX,
        )

    def answer(self, *arguments: str) -> Any:
        """The object that a call with --json prints, which must exit 0 and print nothing else on stdout."""
        done = self.call(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def start(self, *arguments: str) -> Process:
        """Start `mqd` and go on."""
        group = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP} if os.name == "nt" else {}
        popen = subprocess.Popen(
            self._command(arguments),
            cwd=self.folder,
            env=self._environment({}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            **group,
        )
        self.started.append(popen)
        return Process(popen)

    def log_lines(self, stream: str) -> list[dict[str, Any]]:
        """What stands in a log stream's files."""
        files = sorted((self.folder / "logs" / stream).glob("*.jsonl"))
        return [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]

    @staticmethod
    def _command(arguments: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "mqd_core", *arguments]

    def _environment(self, variables: dict[str, str]) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in VARIABLES}
        return {**kept, "PYTHONPATH": str(self.site), "PYTHONUTF8": "1", **variables}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A desk with the usual configuration; processes that a test leaves behind are ended."""
    folder, site = tmp_path / "desk", tmp_path / "site"
    folder.mkdir()
    site.mkdir()
    made = Desk(folder, site)
    made.configure()
    yield made
    for popen in made.started:
        if popen.poll() is None:
            popen.kill()
        popen.communicate()


@dataclass(frozen=True)
class Venue:
    """The orders of a broker that outlives the desk, as files; see `emergency_plugin`."""

    desk: Desk

    def use(self, broker: str) -> None:
        """Let the desk's configuration name this broker."""
        path = self.desk.folder / "config" / "config.yaml"
        text = path.read_text(encoding="utf-8").replace("name: mock", f"name: {broker}")
        path.write_text(text, encoding="utf-8", newline="\n")

    def lay_down(self, name: str, **order: Any) -> None:
        """An open order."""
        path = self.desk.folder / "venue" / f"{name}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"status": "new", **order}), encoding="utf-8", newline="\n")

    @property
    def statuses(self) -> list[str]:
        """What has become of the orders, by name."""
        paths = sorted((self.desk.folder / "venue").glob("*.json"))
        return [json.loads(path.read_text(encoding="utf-8"))["status"] for path in paths]

    @property
    def flattened(self) -> bool:
        """Whether the positions were closed."""
        return (self.desk.folder / "venue" / "flattened").exists()


@pytest.fixture
def venue(desk: Desk) -> Venue:
    """Installs the brokers of `emergency_plugin`; the desk uses `outliving`."""
    target = "emergency_plugin_under_test.plugin"
    source = Path(__file__).with_name("emergency_plugin.py").read_text(encoding="utf-8")
    make_distribution(
        desk.site,
        "mqd-plugin-emergency",
        entry_points={"mqd.brokers": {"outliving": target, "blocking": target}},
        modules={"emergency_plugin_under_test/plugin.py": source},
    )
    made = Venue(desk)
    made.use("outliving")
    return made


@pytest.fixture
def holding(desk: Desk) -> Callable[[], Process]:
    """Start a desk that buys on its first bar, on slow data, and wait until it holds."""

    def start() -> Process:
        desk.configure(strategy='"./mine.py:Hold"', data=", pace: 20", lookback_bars=0, source=HOLD)
        process = desk.start("run")
        process.wait_for("Order filled")
        return process

    return start
