"""`mqd replay` as a person calls it: on what the desk has just made, and on what somebody has changed since."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

PACED = ("  days: 2\n", "  days: 2\n  pace: 150\n")
TALKATIVE = ("log_level: ERROR", "log_level: INFO")
LIVE = Path(__file__).with_name("live_desk_process.py")
LIVE_SECONDS = 120.0
OWN = '''"""A strategy of one's own."""

from mqd_core.api import Signal, SignalAction


class Own:
    """Buys a bar that fell, sells at one that rose."""

    def __init__(self, settings, context):
        self.last = None

    def on_bar(self, bar, view):
        last, self.last = self.last, bar.close
        if last is None:
            return ()
        if not view.book.quantity and bar.close < last * 0.999:
            return (Signal(action=SignalAction.ENTER, symbol=bar.symbol, reason=(("from", last),)),)
        if view.book.quantity and bar.close > last:
            return (Signal(action=SignalAction.EXIT, symbol=bar.symbol),)
        return ()

    def on_fill(self, fill, view):
        """Nothing to do."""
'''


def replay(desk: Any, *arguments: str, code: int = 0) -> Any:
    """`mqd replay --json` with the exit code that it must have."""
    ended = desk.mqd("replay", *arguments, "--json")
    assert ended.code == code, ended.out + ended.err
    return ended.result


def backtested(desk: Any) -> tuple[str, Any]:
    """A backtest's run id and result."""
    ended = desk.mqd("backtest", "--config", "config.yaml", "--json")
    assert ended.code == 0, ended.err
    return ended.result["run_id"], ended.result


def journal_of(desk: Any, run_id: str) -> Path:
    """The journal in a backtest's folder."""
    path: Path = desk.folder / "runs" / run_id / "journal.jsonl"
    return path


def tampered(path: Path, kind: str, change: tuple[str, str], number: int = 0) -> int:
    """Change the n-th entry of a kind in a journal; its sequence number."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    places = [place for place, line in enumerate(lines) if f'"type":"{kind}"' in line]
    place = places[number]
    assert change[0] in lines[place], lines[place]
    lines[place] = lines[place].replace(*change, 1)
    path.write_text("".join(lines), encoding="utf-8", newline="\n")
    sequence: int = json.loads(lines[place])["sequence"]
    return sequence


def test_a_run_and_a_backtest_replay_identically(finished: Any) -> None:
    """Every record of either comes out byte for byte, as do the decision hash and the state that the store keeps."""
    run_id, result = backtested(finished)
    for arguments in ((run_id,), (f"runs/{run_id}",), (finished.runs()[-1],), ("--config", "config.yaml")):
        replayed = replay(finished, *arguments)
        assert replayed["identical"] is True
        assert replayed["decision_hash"] == result["decision_hash"]
        assert replayed["decisions"] == result["orders"] + result["denied"] > 10
        assert (replayed["bars"], replayed["difference"], replayed["causes"]) == (result["bars"], None, [])
    told = finished.mqd("replay", run_id)
    assert (told.code, told.out.splitlines()[0].split()) == (0, ["replay", "identical"])


def test_a_tampered_record_is_found(desk: Any) -> None:
    """A quantity that somebody changed in the journal is the first difference, named by place and field."""
    run_id, _ = backtested(desk)
    sequence = tampered(journal_of(desk, run_id), "Approved", ('"side":"buy"', '"side":"sell"'))
    found = replay(desk, run_id, code=1)["difference"]
    assert (found["kind"], found["sequence"], found["fields"]) == ("record", sequence, ["side"])
    assert (found["journal"]["side"], found["now"]["side"]) == ("sell", "buy")
    told = desk.mqd("replay", run_id)
    assert told.code == 1
    assert "sell in the journal, buy now" in told.out


def test_a_tampered_event_leads_to_other_records(desk: Any) -> None:
    """A fill at another price is taken as it stands, and what it leads to is not what the journal holds."""
    run_id, _ = backtested(desk)
    path = journal_of(desk, run_id)
    fill = next(line for line in path.read_text(encoding="utf-8").splitlines() if '"type":"Fill"' in line)
    price = json.loads(fill)["body"]["price"]
    sequence = tampered(path, "Fill", (f'"price":"{price}"', f'"price":"1{price}"'))
    found = replay(desk, run_id, code=1)["difference"]
    assert (found["kind"], found["sequence"], found["now"]["type"]) == ("record", sequence, "BookMoved")
    assert "price" in found["fields"]


def test_a_removed_record_and_an_added_one_are_found(desk: Any) -> None:
    """What the journal lacks is `extra` in the replay; what it holds twice is `missing` there."""
    run_id, _ = backtested(desk)
    path = journal_of(desk, run_id)
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    place = next(number for number, line in enumerate(lines) if '"type":"Sized"' in line)
    sized = json.loads(lines[place])
    path.write_text("".join(lines[:place] + lines[place + 1 :]), encoding="utf-8", newline="\n")
    found = replay(desk, run_id, code=1)["difference"]
    assert (found["kind"], found["sequence"], found["journal"]) == ("extra", sized["sequence"], None)
    assert found["now"] == sized["body"]
    end = next(number for number, line in enumerate(lines) if '"type":"SubmitOutcome"' in line)
    added = lines[end - 1].replace(f'"ordinal":{json.loads(lines[end - 1])["ordinal"]}', '"ordinal":9')
    path.write_text("".join([*lines[:end], added, *lines[end:]]), encoding="utf-8", newline="\n")
    found = replay(desk, run_id, code=1)["difference"]
    assert (found["kind"], found["ordinal"], found["now"]) == ("missing", 9, None)


def test_another_parameter_is_named_as_the_cause(desk: Any) -> None:
    """With another configuration the first other decision is shown, and which key has changed."""
    run_id, _ = backtested(desk)
    desk.file("other.yaml", desk.text.replace("entry_threshold: 0.02 ", "entry_threshold: 0.015 "))
    found = replay(desk, run_id, "--using", "other.yaml", code=1)
    assert found["difference"]["kind"] in ("extra", "record", "missing")
    assert any("entry_threshold: 0.02 then, 0.015 now" in cause for cause in found["causes"])
    assert any("configuration is not that of run" in cause for cause in found["causes"])
    desk.file("same.yaml", desk.text.replace("  json_logs: true\n", ""))
    assert replay(desk, run_id, "--using", "same.yaml")["identical"] is True


def test_other_bars_are_named_before_any_is_taken(desk: Any) -> None:
    """One price that was changed in the file of bars is a difference of data, with the rows that it lies in."""
    head, rows = "timestamp,open,high,low,close,volume\n", _zigzag()
    desk.file("bars/SPHD.csv", head + "".join(rows))
    desk.file("own.py", OWN)
    desk.change(
        ("  name: synthetic ", "  name: files\n  path: bars # "),
        ("  seed: 7\n", ""),
        ("  days: 2\n", ""),
        ("name: VWAPMeanReversionStrategy ", 'name: "./own.py:Own" #'),
        (desk.text[desk.text.index("    parameters:") : desk.text.index("# Here `_pct`")], ""),
    )
    run_id, result = backtested(desk)
    assert result["orders"] > 10
    assert replay(desk, run_id)["identical"] is True
    desk.file("own.py", OWN.replace("0.999", "0.9985"))
    changed = replay(desk, run_id, code=1)
    assert changed["difference"]["kind"] != "data"
    assert any("sha256:" in cause and "own.py" in cause for cause in changed["causes"])
    desk.file("own.py", OWN)
    desk.file("bars/SPHD.csv", head + "".join(rows[:-1]) + rows[-1].replace(",100\n", ",101\n"))
    found = replay(desk, run_id, code=1)
    assert (found["difference"]["kind"], found["bars"]) == ("data", 0)
    assert found["difference"]["fields"] == ["digest"]
    assert found["difference"]["journal"]["rows"] == len(rows)
    (desk.folder / "bars" / "SPHD.csv").unlink()
    assert "SPHD" in replay(desk, run_id, code=3)["error"]["problems"][0]


def _zigzag() -> list[str]:
    """Rows of a price that falls and rises, a minute a step, for one session."""
    prices = [f"{100 + (i % 7) * 0.25 - (i % 3) * 0.4:.2f}" for i in range(390)]
    times = [f"2025-01-06T{(870 + i) // 60:02}:{(870 + i) % 60:02}:00Z" for i in range(390)]
    return [f"{time},{p},{p},{p},{p},100\n" for time, p in zip(times, prices, strict=True)]


@pytest.mark.slow
def test_a_book_of_killed_and_stopped_processes_replays(desk: Any) -> None:
    """Three processes in one book, one killed and one stopped: each start is replayed as it happened."""
    desk.change(PACED, TALKATIVE)
    with desk.running() as running:
        running.wait_for_text("Order filled", 3)
        running.process.kill()
        running.end()
    with desk.running() as running:
        running.wait_for_text("Order filled", 2)
        running.interrupt()
        assert running.end().code == 0
    middle = replay(desk, "--config", "config.yaml")
    assert (middle["identical"], middle["starts"]) == (True, 2)
    desk.change(PACED[::-1])
    result = desk.finish()
    replayed = replay(desk, "--config", "config.yaml")
    assert (replayed["identical"], replayed["starts"], replayed["bars"]) == (True, 3, result["bars"])
    assert replayed["decision_hash"] == result["decision_hash"]
    # Of an earlier process only what it and those before it did.
    first, second, _ = desk.runs()
    assert [replay(desk, run)["starts"] for run in (first, second)] == [1, 2]
    assert replay(desk, second)["bars"] == middle["bars"]
    # The book is over: the next start puts the store aside, where its runs are found all the same.
    desk.finish()
    assert replay(desk, second)["bars"] == middle["bars"]


@pytest.mark.slow
def test_a_live_journal_replays_over_a_kill(tmp_path: Path) -> None:
    """Bars, history and answers of a live desk stand in its journal: nothing outside of it is needed."""
    environment = {**os.environ, "PYTHONUTF8": "1"}
    with subprocess.Popen(
        [sys.executable, str(LIVE), str(tmp_path), "submit:after", "3"],
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ) as first:
        assert first.stdout is not None
        assert "moment" in first.stdout.readline()
        first.kill()
    done = subprocess.run(
        [sys.executable, str(LIVE), str(tmp_path)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=LIVE_SECONDS,
        check=True,
    )
    ending = json.loads(done.stdout)
    program = (
        "import json, sys; from pathlib import Path; sys.path.insert(0, sys.argv[2])\n"
        "from live_desk_process import MARKET, desk_config\n"
        "from mqd_core.app.past_runs import desk_journal\n"
        "from mqd_core.app.replaying import replay, replay_object\n"
        "config = desk_config(Path(sys.argv[1]), {'name': 'tape', **MARKET})\n"
        "print(json.dumps(replay_object(replay(desk_journal(config)))))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path), str(LIVE.parent)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=LIVE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    replayed = json.loads(done.stdout)
    assert replayed["identical"] is True, replayed["difference"]
    assert (replayed["starts"], replayed["decision_hash"]) == (2, ending["hash"])
    assert replayed["decisions"] >= ending["kinds"].count("Approved")


def test_what_cannot_be_replayed_is_said(desk: Any) -> None:
    """No such run, no records yet, no run folder: exit 3, each with what to do; a damaged store is 1."""
    assert "`mqd runs` lists" in replay(desk, "nothing-here", code=3)["error"]["problems"][0]
    assert "has no records" in replay(desk, "--config", "config.yaml", code=3)["error"]["problems"][0]
    (desk.folder / "empty").mkdir()
    assert "is no run folder" in replay(desk, "empty", code=3)["error"]["problems"][0]
    desk.finish()
    with closing(sqlite3.connect(desk.database)) as connection:
        connection.execute("DROP TRIGGER journal_is_never_changed")
        connection.execute(
            "UPDATE journal SET body = CAST(replace(body, 'enter', 'Enter') AS BLOB) WHERE kind = 'SignalMade'"
        )
        connection.commit()
    assert "is not what was written" in replay(desk, "--config", "config.yaml", code=1)["error"]["problems"][0]
