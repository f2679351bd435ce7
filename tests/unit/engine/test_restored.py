"""A desk whose store was put back in time: it recovers, and trades nothing until a person says so."""

from __future__ import annotations

from mqd_core.domain.events import Command, RunStarted
from mqd_core.domain.market import MINUTE_NS
from mqd_core.domain.records import DeskMoved
from mqd_core.engine.effects import SubmitOrder
from mqd_core.testing.bars import make_bars, session_of
from mqd_core.testing.engines import FixedSizer, ScriptedStrategy, Workbench, enter, make_settings, make_slot

START_NS = session_of().open_ns - 60 * MINUTE_NS


def started(restored: str) -> Workbench:
    """A desk that would buy at its first bar, after the start of its run."""
    bench = Workbench(make_settings([make_slot(ScriptedStrategy({1: enter()}))], FixedSizer("10")))
    run = RunStarted(
        ts=START_NS, run_id="r", desk_id="d", mode="x", book=1, configuration="", feed="", restored=restored
    )
    bench.enter(run)
    return bench


def moves(bench: Workbench) -> list[tuple[str, str]]:
    """States that the desk went through, with what was said of each."""
    return [(move.after.value, move.text) for move in bench.of(DeskMoved)]


def test_a_restored_desk_is_frozen_and_buys_nothing() -> None:
    """It asks for all that the broker knows, then waits, and says which backup its books come from."""
    bench = started("from a.backup at noon")
    assert moves(bench) == [("recovering", ""), ("frozen", "the store was restored: from a.backup at noon")]
    bench.play(make_bars([50.0]))
    assert bench.sent(SubmitOrder) == []


def test_a_person_sets_it_free() -> None:
    """After `resume` it trades as any other desk, and a start that restores nothing is not frozen."""
    bench = started("from a.backup at noon")
    bench.enter(Command(ts=bench.engine.now_ns, command_id="c", name="resume", reason="looked at it"))
    assert moves(bench)[-1] == ("ready", "looked at it")
    bench.play(make_bars([50.0]))
    assert len(bench.sent(SubmitOrder)) == 1
    assert moves(started(""))[-1] == ("ready", "")


def test_it_stays_frozen_over_the_next_start() -> None:
    """A start without a word about restoring goes on with the freeze of the one before, until a person speaks."""
    old = started("from a.backup at noon")
    bench = Workbench(make_settings([make_slot(ScriptedStrategy())], FixedSizer("10")), old.venue)
    bench.engine.restore(old.engine.snapshot())
    bench.start(old.engine.now_ns, "run-2")
    assert moves(bench)[-1] == ("frozen", "the store was restored: from a.backup at noon")
