"""Progress is shown where somebody looks, and nowhere else; a request to stop is answered at once."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest

from mqd_core.cli.progress import shown_progress
from mqd_core.runtime.simulated_run import Progress

SECOND_NS = 1_000_000_000
DAY_NS = 86_400 * SECOND_NS
START_NS = 1_737_288_000 * SECOND_NS  # 2025-01-19T12:00:00Z


class Terminal(io.StringIO):
    """A stream that says it is a terminal, wide enough for one line."""

    def isatty(self) -> bool:
        return True


def terminal_on_stderr(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Put a terminal in the place of stderr; inside the test, since pytest puts its own there before."""
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("COLUMNS", "150")
    monkeypatch.setenv("TERM", "xterm")
    return stream


def progress(days: float) -> Progress:
    """How far a run is after some days of engine time."""
    return Progress(bars=1_950, now_ns=START_NS + int(days * DAY_NS), trips=7, equity=1_012.345)


def test_nothing_is_shown_in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a terminal there is nothing to call, and nothing is written."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)

    with shown_progress((None, None)) as on_progress:
        assert on_progress is None

    assert stream.getvalue() == ""


def test_a_terminal_shows_bars_date_trades_and_equity(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line says how far the run is; nothing of it goes to stdout."""
    terminal = terminal_on_stderr(monkeypatch)
    with shown_progress((None, None)) as on_progress:
        assert on_progress is not None
        on_progress(progress(1))

    assert "1,950 bars, 2025-01-20 12:00 UTC, 7 trades, equity $1,012.35" in terminal.getvalue()
    assert "left" not in terminal.getvalue()


@pytest.mark.parametrize("start_ns", [START_NS, None])
def test_time_left_is_shown_where_the_end_is_known(monkeypatch: pytest.MonkeyPatch, start_ns: int | None) -> None:
    """With a range of dates there is a bar and the time that is left."""
    terminal = terminal_on_stderr(monkeypatch)
    with shown_progress((start_ns, START_NS + 10 * DAY_NS)) as on_progress:
        assert on_progress is not None
        on_progress(progress(0))
        on_progress(progress(5))

    assert "left" in terminal.getvalue()


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_COLOR leaves out colours."""
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = terminal_on_stderr(monkeypatch)
    with shown_progress((None, None)) as on_progress:
        assert on_progress is not None
        on_progress(progress(1))

    assert "\x1b[3" not in terminal.getvalue()
    assert "1,950 bars" in terminal.getvalue()


def test_a_request_to_stop_is_answered_once() -> None:
    """The first request is confirmed on stderr at once, a further one changes nothing."""
    code = (
        "from mqd_core.cli.announced_stop import AnnouncedStop\n"
        "stop = AnnouncedStop()\nassert not stop\n"
        "stop.ask('signal')\nstop.ask('again')\nassert stop and stop.reason == 'signal'"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True, timeout=60)

    assert done.stderr.strip() == "mqd: stopping after this step; press Ctrl-C again to leave at once"
