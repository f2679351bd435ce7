"""A desk and its venue that are stopped for a while, die, run out of disk or find their files damaged.

Nothing may be sent twice, forgotten or booked wrongly; what cannot go on says so in words and goes on later.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from random import Random
from typing import Any

import pytest

pytestmark = pytest.mark.slow

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither these signals nor these limits")
#: What stands in a line of the account's record that takes an order in.
TAKEN = b'"ticket":['
#: Starts a program that may write no file longer than so many bytes.
LIMITED = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""


def started(desk: Any, fills: int = 5) -> Any:
    """Kill the desk of a new book after some fills, so that both files have something in them."""
    with desk.desk.running() as running:
        running.wait_for_text("Order filled", fills)
        running.process.kill()
        running.process.wait()
    desk.check(is_over=False)
    return desk


@posix
@pytest.mark.parametrize("who", ["desk", "venue"])
def test_stopped_for_a_while(make_venue_desk: Callable[..., Any], undisturbed_venue: Any, who: str) -> None:
    """A process that stands still for a second, in the middle of anything, goes on as if nothing had happened."""
    desk = make_venue_desk()
    with desk.desk.running("--json") as running:
        for times in (3, 30, 60):
            running.wait_for_text("Order filled", times)
            process = running.process.pid if who == "desk" else desk.venue_process
            os.kill(process, signal.SIGSTOP)
            with pytest.raises(subprocess.TimeoutExpired):
                running.process.wait(1.0)
            os.kill(process, signal.SIGCONT)
        assert running.end().code == 0
    desk.finish(undisturbed_venue)


@posix
def test_a_venue_that_stands_still_for_too_long(make_venue_desk: Callable[..., Any]) -> None:
    """A desk whose venue does not answer in time leaves in words, or waits in doubt; later both agree."""
    desk = make_venue_desk()
    desk.desk.change(("timeout_ms: 5000", "timeout_ms: 200"))
    with desk.desk.running("--json") as running:
        running.wait_for_text("Order filled", 5)
        venue = desk.venue_process
        os.kill(venue, signal.SIGSTOP)
        try:
            ended = running.end()
        finally:
            os.kill(venue, signal.SIGCONT)
    assert ended.code == 1
    assert "the simulated venue of" in ended.message
    assert "`mqd run` goes on from what was committed and what the venue says" in ended.message
    desk.check(is_over=False)
    desk.desk.finish()
    desk.check(is_over=True)


def test_a_venue_that_dies_again_and_again(make_venue_desk: Callable[..., Any]) -> None:
    """The desk starts it anew from its record; an order on its way then is in doubt, and resolved."""
    desk, rng, deaths, last = make_venue_desk(), Random(7), 0, 0
    with desk.desk.running("--json") as running:
        running.wait_for_text("Order filled", 3)
        while deaths < 6 and running.process.poll() is None:
            # The one that was killed last may still stand in the file: what the desk says comes a little late.
            running.wait_for(lambda: desk.venue_process != last or running.process.poll() is not None)  # noqa: B023
            fills, last = running.err.count("Order filled"), desk.venue_process
            os.kill(last, getattr(signal, "SIGKILL", signal.SIGTERM))
            deaths += 1
            least = fills + rng.randint(1, 9)
            running.wait_for(functools.partial(desk_went_on, running, least))
        ended = running.end()
    assert ended.code == 0, ended.err
    assert deaths == 6
    check = desk.check(is_over=True)
    assert len(check.account.tickets) > 50


def desk_went_on(running: Any, fills: int) -> bool:
    """Whether so many orders have been filled, or the desk is through."""
    return running.err.count("Order filled") >= fills or "Run ended" in running.err


def test_a_second_desk_on_the_account(make_venue_desk: Callable[..., Any], undisturbed_venue: Any) -> None:
    """Another desk may not trade on an account that one trades on; the first does not notice."""
    first, second = make_venue_desk(), make_venue_desk()
    second.desk.change(("not_found: final", f"not_found: final, record: '{first.record.as_posix()}'"))
    first.desk.change(("days: 1}", "days: 1, pace: 60}"))
    with first.desk.running("--json") as running:
        running.wait_for_text("Order filled", 2)
        refused = second.desk.run()
        assert (refused.code, refused.out) == (1, "")
        assert f"is in use: process {running.process.pid} trades on it" in refused.message
        running.process.kill()
        running.process.wait()
    first.desk.change(("days: 1, pace: 60}", "days: 1}"))
    first.finish(undisturbed_venue)


@posix
def test_a_full_disk_of_the_desk(make_venue_desk: Callable[..., Any], undisturbed_venue: Any) -> None:
    """A desk that can write no more sends no more and says why; with room it goes on as if nothing had happened."""
    desk = started(make_venue_desk())
    # Logs would be full before the journal is.
    desk.desk.change(("log_level: INFO", "log_level: ERROR"))
    files = [path for path in desk.store.parent.iterdir() if path.is_file() and path.suffix != ".ballast"]
    room = max(path.stat().st_size for path in files) + 20_000
    ended = desk.desk.mqd("run", "--config", "config.yaml", launcher=("-c", LIMITED, str(room), "-m", "mqd_core"))
    assert ended.code == 1, ended.err
    # Not all that it says: what measures the tests' reach finds its own disk full, too.
    assert "venue.db could not be written" in ended.err
    desk.check(is_over=False)
    desk.finish(undisturbed_venue)


@posix
def test_a_full_disk_of_the_venue(make_venue_desk: Callable[..., Any]) -> None:
    """A venue that can write no more takes no more and ends; the order on its way then is in doubt, and resolved."""
    desk = started(make_venue_desk())
    desk.stop_venue()
    room = desk.record.stat().st_size + 3_000
    script = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from mqd_plugin_mock.remote.launch import start_venue\n"
        "from mqd_plugin_mock.remote.settings import MockVenueSettings\n"
        "from mqd_plugin_mock.remote.setup import place_of, setup_text\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)\n"
        "settings = MockVenueSettings(starting_cash=1000, idle_seconds=20)\n"
        "place = place_of(settings, Path(sys.argv[2]))\n"
        "start_venue(place, setup_text(settings, place))\n"
    )
    subprocess.run([sys.executable, "-c", script, str(room), str(desk.broker_folder)], check=True, timeout=60)
    limited = desk.venue_process
    ended = desk.desk.run("--json")
    assert ended.code in {0, 1}, ended.err
    assert desk.venue_process != limited
    log = (desk.broker_folder / "account.jsonl.log").read_text(encoding="utf-8")
    assert "could not be written" in log
    desk.check(is_over=False)
    desk.desk.finish()
    desk.check(is_over=True)


@pytest.mark.parametrize("damage", ["shortened", "altered"])
def test_a_damaged_store(make_venue_desk: Callable[..., Any], undisturbed_venue: Any, damage: str) -> None:
    """A desk whose journal is not what was written does not start, and asks the venue for nothing."""
    desk = started(make_venue_desk())
    with closing(sqlite3.connect(desk.store)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    whole, account = desk.store.read_bytes(), desk.record.read_bytes()
    if damage == "shortened":
        desk.store.write_bytes(whole[: len(whole) // 2])
    else:
        place = whole.rindex(b'"type":"BookMoved"') + 40
        desk.store.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    ended = desk.desk.run()
    assert (ended.code, ended.out) == (1, "")
    assert "venue.db" in ended.message
    assert desk.record.read_bytes() == account
    for file in desk.store.parent.glob("venue.db-*"):
        file.unlink()
    desk.store.write_bytes(whole)
    desk.finish(undisturbed_venue)


def test_a_record_that_a_crash_tore(make_venue_desk: Callable[..., Any], undisturbed_venue: Any) -> None:
    """What stands unfinished at the end of the account's record was told to nobody: both go on without it."""
    desk = started(make_venue_desk())
    desk.stop_venue()
    desk.record.write_bytes(desk.record.read_bytes() + b'{"number": 99, "dig')
    desk.finish(undisturbed_venue)


def test_a_record_that_forgot(make_venue_desk: Callable[..., Any]) -> None:
    """An account that lacks what the desk knows of is not traded on: the desk stops for a person, and sends nothing."""
    desk = started(make_venue_desk())
    desk.stop_venue()
    lines = desk.record.read_bytes().splitlines(keepends=True)
    held = json.loads(desk.desk.mqd("positions", "--config", "config.yaml", "--json").out)["positions"]
    # Without its end from some fill on that the desk has heard of: so that it has what the desk has not, or lacks it.
    fills = [place for place, line in enumerate(lines) if b'"type":"Fill"' in line]
    pairs = zip(fills[-5:-1], fills[-4:], strict=True)
    cut = next(place for before, place in pairs if (b'"side":"buy"' in lines[before]) != bool(held))
    desk.record.write_bytes(b"".join(lines[:cut]))
    orders = desk.record.read_bytes().count(TAKEN)
    ended = desk.desk.run("--json")
    assert ended.code in {0, 5}, ended.err
    assert "Desk state moved" in ended.err
    assert "state=frozen" in ended.err or "state=halted" in ended.err
    assert desk.record.read_bytes().count(TAKEN) == orders
