"""A desk on a live feed, end to end: real store, real broker, killed in the middle, and asked to stop at last."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mqd_core.api import DataProviderRecord, NoSettings, ObserverRecord, hookimpl
from mqd_core.app.running import RunRequest, run_desk
from mqd_core.config import Config, parse_config
from mqd_core.domain.events import FeedStatus
from mqd_core.errors import ConfigError
from mqd_core.registry.loader import Registry
from mqd_core.runtime.stopping import StopRequest

TIMEOUT_SECONDS = 120.0
PROCESS = Path(__file__).with_name("live_desk_process.py")
#: What must not depend on whether a desk was killed.
SAME = ("bars", "cash", "trips", "hash", "drawdown", "state")


@contextmanager
def process(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A desk in a process that does not outlive the block."""
    with subprocess.Popen(
        [sys.executable, str(PROCESS), str(folder), *arguments],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as started:
        try:
            yield started
        finally:
            started.kill()


def finish(folder: Path) -> dict[str, Any]:
    with process(folder) as started:
        out, _ = started.communicate(timeout=TIMEOUT_SECONDS)
    ending: dict[str, Any] = json.loads(out)
    return ending


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The end of a desk that nobody kills."""
    return finish(tmp_path_factory.mktemp("undisturbed"))


@pytest.mark.slow
def test_a_live_desk_trades_until_it_is_asked_to_stop(undisturbed: dict[str, Any]) -> None:
    """It takes its bars by value, opens and closes positions, and leaves in order, ready for more."""
    kinds = undisturbed["kinds"]
    assert undisturbed["reason"] == "signal"
    assert undisturbed["state"] == "ready"
    assert undisturbed["trips"] >= 5
    assert kinds.count("Bar") == undisturbed["bars"] > 700
    assert kinds.count("Approved") == kinds.count("SubmitOutcome")
    # Stops that were canceled for an exit are the orders that did not fill.
    assert kinds.count("Fill") == kinds.count("Approved") - kinds.count("CancelOutcome")
    assert (kinds[0], kinds[-1]) == ("RunStarted", "RunEnded")


@pytest.mark.slow
def test_a_live_desk_decides_as_a_finite_one_does(
    undisturbed: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same bars as history lead to the same decisions, to the last digit."""
    monkeypatch.chdir(tmp_path)
    config = desk(tmp_path, {"name": "synthetic", "symbols": ["SPHD"], "seed": "7", "days": "2"}, traded=True)
    result = run_desk(RunRequest(config=config, mode="run"), Registry(), StopRequest()).result
    assert result["decision_hash"] == undisturbed["hash"]
    assert result["bars"] == undisturbed["bars"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("moment", "times"), [("submit:before", 3), ("submit:after", 3), ("commit:before", 9), ("step:after", 400)]
)
def test_a_killed_desk_goes_on_as_if_nothing_had_been(
    undisturbed: dict[str, Any], tmp_path: Path, moment: str, times: int
) -> None:
    """A process that is killed, whatever it was doing, and started again, ends where one that lived ends."""
    with process(tmp_path, moment, str(times)) as first:
        assert first.stdout is not None
        assert json.loads(first.stdout.readline()) == {"moment": moment}
    ending = finish(tmp_path)
    assert {name: ending[name] for name in SAME} == {name: undisturbed[name] for name in SAME}
    assert ending["kinds"].count("RunStarted") == 2
    assert ending["kinds"].count("RunEnded") == 1
    assert ending["kinds"].count("Approved") == undisturbed["kinds"].count("Approved")


# By the code that the command line calls


class Watcher:
    """Keeps the kinds of the records that it was shown."""

    def __init__(self) -> None:
        self.kinds: list[str] = []

    def on_record(self, record: Any) -> None:
        self.kinds.append(type(record).__name__)


class Plugins:
    """A live source that has nothing to say but that it is there, after which the run is asked to stop; an observer."""

    def __init__(self, stop: StopRequest, fault: Exception | None = None) -> None:
        self.watcher = Watcher()
        self._stop = stop
        self._fault = fault

    def history(self, *_asked: Any) -> Iterator[Any]:
        return iter(())

    def live(self, _symbols: Any, _timeframe: Any, sink: Any) -> None:
        sink(FeedStatus(ts=1, code="connected"))
        self._stop.ask("signal")
        if self._fault is not None:
            raise self._fault

    def close(self) -> None:
        """Nothing is open."""

    @hookimpl
    def mqd_data_providers(self) -> Iterator[DataProviderRecord[NoSettings]]:
        yield DataProviderRecord(
            name="quiet",
            summary="Live, and silent",
            settings=NoSettings,
            factory=lambda _settings, _context: self,
            has_history=False,
            has_live=True,
        )

    @hookimpl
    def mqd_observers(self) -> Iterator[ObserverRecord[NoSettings]]:
        yield ObserverRecord(
            name="watcher",
            summary="Remembers",
            settings=NoSettings,
            factory=lambda _settings, _context: self.watcher,
        )


def desk(folder: Path, data: dict[str, Any], *, traded: bool = False) -> Config:
    parameters = {"vwap_window": "20", "entry_threshold": "0.01", "stop_loss_pct": "0.01", "take_profit_pct": "0.005"}
    strategy = {
        "name": "VWAPMeanReversionStrategy",
        "symbols": ["SPHD"],
        "lookback_bars": "50",
        "parameters": parameters,
    }
    return parse_config(
        {
            "desk": {"id": "live", "state_dir": str(folder / "var")},
            "broker": {"name": "mock", "starting_cash": "1000"},
            "data": data,
            "sizer": {"name": "notional"},
            "store": {"name": "sqlite", "path": "live.db"},
            "strategies": [strategy],
            **({} if traded else {"observers": [{"name": "watcher"}]}),
        }
    )


def test_a_run_takes_live_bars_where_its_source_has_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`mqd run` on a live source goes on until it is asked to stop, and shows its observers what it commits."""
    monkeypatch.chdir(tmp_path)
    stop, registry = StopRequest(), Registry()
    plugins = Plugins(stop)
    registry.register(plugins, distribution="mqd-plugin-quiet")
    outcome = run_desk(RunRequest(config=desk(tmp_path, {"name": "quiet"}), mode="run"), registry, stop)
    assert outcome.stopped == outcome.result["stopped"] == "signal"
    assert outcome.exit_code == 0
    assert (outcome.result["bars"], outcome.result["end_equity"]) == (0, "1000.00")
    assert plugins.watcher.kinds[:2] == ["DeskMoved", "BookMoved"]
    assert "DeskMoved" in plugins.watcher.kinds[2:]


def test_an_observer_sees_a_finite_run_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both loops of `mqd run` tell their observers; the result is that of a run without them."""
    monkeypatch.chdir(tmp_path)
    stop, registry = StopRequest(), Registry()
    plugins = Plugins(stop)
    registry.register(plugins, distribution="mqd-plugin-quiet")
    data = {"name": "synthetic", "symbols": ["SPHD"], "seed": "7", "days": "1"}
    watched = run_desk(RunRequest(config=desk(tmp_path / "watched", data), mode="run"), registry, stop)
    alone = run_desk(RunRequest(config=desk(tmp_path / "alone", data, traded=True), mode="run"), registry, stop)
    assert watched.result["decision_hash"] == alone.result["decision_hash"]
    assert plugins.watcher.kinds.count("Approved") == watched.result["orders"] > 0


def test_a_live_book_does_not_go_on_with_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A desk that has traded live would go back in time: it says how to go on instead. Live after live is fine."""
    monkeypatch.chdir(tmp_path)
    stop, registry = StopRequest(), Registry()
    registry.register(Plugins(stop), distribution="mqd-plugin-quiet")
    live = desk(tmp_path, {"name": "quiet"})
    run_desk(RunRequest(config=live, mode="run"), registry, stop)
    assert run_desk(RunRequest(config=live, mode="run"), registry, stop).exit_code == 0
    finite = desk(tmp_path, {"name": "synthetic", "symbols": ["SPHD"], "seed": "7", "days": "1"})
    with pytest.raises(ConfigError, match="in the middle of another feed"):
        run_desk(RunRequest(config=finite, mode="run"), registry, StopRequest())
