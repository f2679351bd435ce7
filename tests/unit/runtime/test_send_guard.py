"""SendGuard: one order for each durable intent, as it was journaled, and none that buys while the desk is halted."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mqd_core.domain.events import Outcome, QueryOutcome, SubmitOutcome
from mqd_core.domain.journal import Entry
from mqd_core.domain.orders import Purpose, Side
from mqd_core.domain.records import Approved, DeskMoved, DeskState
from mqd_core.engine.effects import SubmitOrder
from mqd_core.engine.engine import Engine
from mqd_core.errors import NotSent, RunFailed
from mqd_core.risk.approved import ApprovedOrder
from mqd_core.runtime.halt_file import HaltFile, HaltNote
from mqd_core.runtime.performer import EffectPerformer
from mqd_core.runtime.send_guard import OnceGuard, SendGuard
from mqd_core.testing.bars import make_bars
from mqd_core.testing.engines import ScriptedStrategy, Workbench, approved_order, enter, make_settings, make_slot


def intent(order: ApprovedOrder) -> Entry:
    """The journal's entry of an order's intent."""
    names = set(Approved.__struct_fields__).intersection(ApprovedOrder.__struct_fields__)
    fields: dict[str, Any] = {name: getattr(order, name) for name in names}
    return Entry(1, 1, Approved(1, 1, 1, correlation_id="c", purpose=Purpose.ENTRY, **fields))


def moved(after: DeskState) -> Entry:
    return Entry(2, 1, DeskMoved(2, 1, 1, before=DeskState.READY, after=after, code="test"))


def not_found(order_id: str, *, final: bool = True) -> Entry:
    outcome = QueryOutcome(ts=1, client_order_id=order_id, outcome=Outcome.NOT_FOUND, final=final)
    return Entry(3, 0, outcome)


@pytest.fixture
def halt_file(tmp_path: Path) -> HaltFile:
    return HaltFile(tmp_path)


@pytest.fixture
def guard(halt_file: HaltFile) -> SendGuard:
    return SendGuard(halt_file)


def refused(check: Callable[[], None]) -> str:
    """The code with which an order was held back."""
    with pytest.raises(NotSent) as raised:
        check()
    return raised.value.code


def test_an_order_leaves_once_for_its_durable_intent(guard: SendGuard) -> None:
    """A committed intent lets its order out; the second time is one order more than intents, and ends the run."""
    order = approved_order()
    guard.committed([intent(order)])
    guard.check(SubmitOrder(order, 1))
    assert guard.counts == (1, 1)
    with pytest.raises(RunFailed, match="sent twice"):
        guard.check(SubmitOrder(order, 1))


def test_nothing_leaves_before_its_intent_is_durable(guard: SendGuard) -> None:
    """An order without an intent in the journal is not sent, and counts as nothing."""
    assert refused(lambda: guard.check(SubmitOrder(approved_order(), 1))) == "not_committed"
    assert guard.counts == (0, 0)


@pytest.mark.parametrize(
    "change", [{"quantity": Decimal(2)}, {"symbol": "QQQ"}, {"side": Side.SELL}, {"limit_price": Decimal("1.01")}]
)
def test_an_order_leaves_as_it_was_journaled(guard: SendGuard, change: dict[str, Any]) -> None:
    """One that differs from its intent in anything that a broker is told is not sent."""
    guard.committed([intent(approved_order())])
    assert refused(lambda: guard.check(SubmitOrder(approved_order(**change), 1))) == "order_changed"
    guard.check(SubmitOrder(approved_order(), 1))


def test_two_intents_of_one_name_stop_everything(guard: SendGuard) -> None:
    """Where the journal itself is ambiguous, no order leaves any more, not even another one."""
    other = approved_order("order-2")
    guard.committed([intent(approved_order()), intent(approved_order()), intent(other)])
    for _ in range(2):
        with pytest.raises(RunFailed, match="two intents of one name"):
            guard.check(SubmitOrder(other, 1))


def test_a_second_attempt_needs_proof_that_the_first_never_arrived(guard: SendGuard) -> None:
    """After a final "not found" that is durable, and only then, an order leaves again, once."""
    order = approved_order()
    guard.committed([intent(order)])
    guard.check(SubmitOrder(order, 1))
    guard.committed([not_found("order-1")])
    guard.check(SubmitOrder(order, 2))
    assert guard.counts == (1, 1)
    with pytest.raises(RunFailed):
        guard.check(SubmitOrder(order, 3))


@pytest.mark.parametrize("said", [Outcome.NOT_FOUND, Outcome.UNKNOWN])
def test_an_answer_that_proves_nothing_takes_back_no_proof(guard: SendGuard, said: Outcome) -> None:
    """What never left may be sent anew, though the broker was asked about it meanwhile; not once it was found."""
    order = approved_order()
    identifier = order.client_order_id
    guard.committed([intent(order)])
    guard.check(SubmitOrder(order, 1))
    never_left = SubmitOutcome(ts=1, client_order_id=identifier, attempt=1, outcome=Outcome.NOT_SENT)
    asked = QueryOutcome(ts=1, client_order_id=identifier, outcome=said)
    guard.committed([Entry(3, 0, never_left), Entry(4, 0, asked)])
    guard.check(SubmitOrder(order, 2))
    found = QueryOutcome(ts=1, client_order_id=identifier, outcome=Outcome.FOUND)
    guard.committed([Entry(5, 0, never_left), Entry(6, 0, found)])
    with pytest.raises(RunFailed, match="sent twice"):
        guard.check(SubmitOrder(order, 3))


def test_a_not_found_that_is_not_final_proves_nothing(guard: SendGuard) -> None:
    """An answer that a late order can overtake does not let it out a second time."""
    order = approved_order()
    guard.committed([intent(order)])
    guard.check(SubmitOrder(order, 1))
    guard.committed([not_found("order-1", final=False), not_found("unknown")])
    with pytest.raises(RunFailed):
        guard.check(SubmitOrder(order, 2))


@pytest.mark.parametrize("state", [DeskState.HALTED, DeskState.FROZEN])
def test_a_desk_that_may_not_buy_sends_exits_only(guard: SendGuard, state: DeskState) -> None:
    """Halted or frozen since the commit: the entry stays, the exit leaves."""
    entry, leaving = approved_order("in"), approved_order("out", side=Side.SELL)
    guard.committed([intent(entry), intent(leaving)])
    guard.committed([moved(state)])
    assert refused(lambda: guard.check(SubmitOrder(entry, 1))) == state.value
    guard.check(SubmitOrder(leaving, 1))


def test_what_was_decided_before_a_halt_does_not_leave_after_it(guard: SendGuard) -> None:
    """A resume does not revive an entry of before the halt; what is decided after it leaves."""
    before, after = approved_order("before"), approved_order("after")
    guard.committed([intent(before), moved(DeskState.HALTED), moved(DeskState.RECOVERING), moved(DeskState.READY)])
    guard.committed([intent(after)])
    assert refused(lambda: guard.check(SubmitOrder(before, 1))) == "halted_since"
    guard.check(SubmitOrder(after, 1))


def test_a_halt_holds_through_a_recovery(guard: SendGuard) -> None:
    """A halted desk that recovers is still halted."""
    order = approved_order()
    guard.committed([moved(DeskState.HALTED), moved(DeskState.RECOVERING), intent(order)])
    assert refused(lambda: guard.check(SubmitOrder(order, 1))) == "halted"


def test_a_halt_file_holds_back_what_buys(guard: SendGuard, halt_file: HaltFile) -> None:
    """The file counts from the moment it is there, whoever wrote it, until it is gone; exits go on."""
    entry, leaving = approved_order("in"), approved_order("out", side=Side.SELL)
    guard.committed([intent(entry), intent(leaving)])
    halt_file.write(HaltNote(reason="test"))
    assert refused(lambda: guard.check(SubmitOrder(entry, 1))) == "halt_file"
    guard.check(SubmitOrder(leaving, 1))
    halt_file.clear()
    guard.check(SubmitOrder(entry, 1))


def test_a_halt_file_that_cannot_be_looked_at_counts(tmp_path: Path) -> None:
    """What cannot be known is taken for a halt."""
    (tmp_path / "desk").write_text("a file where the desk's folder should be", encoding="utf-8")
    assert HaltFile(tmp_path / "desk").is_set
    note = HaltFile(tmp_path / "desk").read()
    assert note is not None
    assert "cannot be read" in note.reason


def test_a_halt_file_says_what_it_was_written_with_first(halt_file: HaltFile) -> None:
    """The first reason stays; one that a person made by hand is a halt too."""
    assert halt_file.read() is None
    halt_file.write(HaltNote(reason="first", person="anna", written_ns=7))
    halt_file.write(HaltNote(reason="second"))
    assert halt_file.read() == HaltNote(reason="first", person="anna", written_ns=7)
    halt_file.path.write_text("stop it\n", encoding="utf-8")
    assert halt_file.read() == HaltNote(reason="stop it")
    halt_file.path.write_bytes(b"")
    assert halt_file.read() == HaltNote(reason="a HALT file without a reason")


def test_a_restart_knows_what_may_have_left(guard: SendGuard) -> None:
    """An order that an earlier process committed may have left: it goes out again only after proof."""
    bench = Workbench(make_settings([make_slot(ScriptedStrategy({1: enter()}))])).start()
    bench.play(make_bars([50.0]))
    (effect,) = [effect for effect in bench.effects if isinstance(effect, SubmitOrder)]
    restored = Engine(make_settings([make_slot(ScriptedStrategy())]))
    restored.restore(bench.engine.snapshot())
    guard.begin(restored)
    assert guard.counts == (1, 1)
    guard.committed([not_found(effect.order.client_order_id)])
    guard.check(SubmitOrder(effect.order, 2))
    with pytest.raises(RunFailed):
        guard.check(SubmitOrder(effect.order, 2))


def test_a_desk_that_keeps_nothing_sends_nothing_twice() -> None:
    """In a backtest an attempt leaves once; another attempt of the order is another send."""
    guard, order = OnceGuard(), approved_order()
    guard.check(SubmitOrder(order, 1))
    guard.check(SubmitOrder(order, 2))
    with pytest.raises(RunFailed, match="sent twice"):
        guard.check(SubmitOrder(order, 1))


class SilentBroker:
    """Counts what reaches it."""

    def __init__(self) -> None:
        self.calls = 0

    def submit(self, _order: ApprovedOrder) -> None:
        self.calls += 1


def test_a_refused_order_never_reaches_the_broker(guard: SendGuard) -> None:
    """The performer asks the guard first: held back is an answer, a difference is the run's end."""
    broker: Any = SilentBroker()
    performer = EffectPerformer(broker, guard=guard)
    (answer,) = performer.perform(SubmitOrder(approved_order(), 1), 5)
    assert (answer.outcome, answer.code) == (Outcome.NOT_SENT, "not_committed")  # type: ignore[union-attr]
    guard.committed([intent(approved_order())])
    performer.perform(SubmitOrder(approved_order(), 1), 5)
    with pytest.raises(RunFailed):
        performer.perform(SubmitOrder(approved_order(), 1), 5)
    assert broker.calls == 1
