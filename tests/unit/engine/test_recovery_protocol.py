"""The start-up protocol by itself: begun twice, and a difference found by a desk that is halted already."""

from __future__ import annotations

from decimal import Decimal

from mqd_core.domain.events import AccountSnapshot, HeldPosition
from mqd_core.domain.ledger import Ledger
from mqd_core.domain.records import DeskState
from mqd_core.engine.engine import Engine
from mqd_core.engine.recovery import StartupRecoveryProtocol
from mqd_core.engine.scribe import Scribe
from mqd_core.testing.engines import ScriptedStrategy, make_settings, make_slot


class States:
    """Remembers what the desk was told to become."""

    def __init__(self) -> None:
        self.seen: list[tuple[DeskState, str]] = []

    def move(self, after: DeskState, _code: str, text: str) -> None:
        """Become that."""
        self.seen.append((after, text))


def protocol(states: States) -> tuple[StartupRecoveryProtocol, Ledger, Scribe]:
    """A protocol over open books with $1,000 and no order."""
    desk = Engine(make_settings([make_slot(ScriptedStrategy())]))._desk
    desk.ledger.open(Decimal(1000))
    recovery = StartupRecoveryProtocol(desk.scribe, desk.ledger, desk.orders, desk.books, desk.reconciler, states.move)
    return recovery, desk.ledger, desk.scribe


def account(*positions: HeldPosition) -> AccountSnapshot:
    """The broker's account with $1,000."""
    return AccountSnapshot(ts=1, account="A", cash=Decimal(1000), buying_power=Decimal(1000), positions=positions)


def test_a_start_within_a_recovery_keeps_what_the_desk_is_to_become() -> None:
    """Begun again before it ended, the protocol asks again and does not forget that the desk was halted."""
    states = States()
    recovery, _, scribe = protocol(states)
    recovery.begin(DeskState.HALTED, "a person")
    recovery.begin(DeskState.RECOVERING, "")
    assert [state for state, _ in states.seen] == [DeskState.RECOVERING]
    assert len(scribe.effects) == 2
    recovery.on_account(account())
    recovery.settle()
    assert states.seen[-1] == (DeskState.HALTED, "a person")


def test_books_that_differ_leave_a_halted_desk_halted() -> None:
    """A difference freezes a desk that would be ready; what is halted already stays halted, and a person is told."""
    states = States()
    recovery, _, scribe = protocol(states)
    recovery.begin(DeskState.HALTED, "a person")
    recovery.on_account(account(HeldPosition(symbol="SPY", quantity=Decimal(1), average_price=Decimal(100))))
    recovery.settle()
    assert states.seen[-1] == (DeskState.HALTED, "a person")
    assert [record.code for record in scribe.records] == ["books_differ"]
