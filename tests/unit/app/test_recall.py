"""What a reader of the journal remembers: what is alive, and no more than the newest of the rest."""

from __future__ import annotations

from mqd_core.app.recall import Recall, SignalRecall
from mqd_core.domain.events import FeedStatus


def test_memory_is_that_of_what_is_alive(journal) -> None:
    """Twenty thousand orders leave no more signals behind than the newest ones."""
    signals = SignalRecall(passing_max=100)
    journal.event(FeedStatus, code="up")
    for number in range(20_000):
        journal.signal(f"c-{number}")
        if number % 2:
            journal.approve(str(number))
            journal.move("working", "filled", str(number))
        for entry in journal.entries[1:]:
            signals.take(entry.body)
        del journal.entries[1:]
    assert len(signals) == 100
    assert signals.get("c-19999") is not None
    assert signals.get("c-19899") is None


def test_the_signal_of_a_living_order_is_never_pushed_out(journal) -> None:
    """However many signals follow, one whose order works is known, and still for a while after its end."""
    signals = SignalRecall(passing_max=3)
    journal.event(FeedStatus, code="up")
    journal.signal("c-first")
    journal.approve("first")
    for number in range(10):
        journal.signal(f"c-{number}")
    for entry in journal.entries:
        signals.take(entry.body)
    assert len(signals) == 4
    signals.take(journal.move("working", "canceled", "first"))
    assert signals.get("c-first") is not None
    assert signals.get("c-7") is None


def test_a_refused_signal_is_forgotten_at_once(journal) -> None:
    """A denial is the end of a signal."""
    signals = SignalRecall()
    journal.event(FeedStatus, code="up")
    signals.take(journal.signal("a"))
    signals.take(journal.deny("a", "x"))
    assert len(signals) == 0


def test_an_order_without_a_signal_is_no_trouble(journal) -> None:
    """A journal that is read from its middle holds orders whose signals came before."""
    signals = SignalRecall()
    journal.event(FeedStatus, code="up")
    signals.take(journal.approve())
    signals.take(journal.move("working", "filled"))
    assert signals.get("c-o") is None


def test_what_is_held_is_never_pushed_out() -> None:
    """Held values stay until they are let go, and then take their turn."""
    recall: Recall[int] = Recall(passing_max=2)
    recall.hold("held", 0)
    for number in range(5):
        recall.note(str(number), number)
    assert [recall.get(key) for key in ("held", "2", "3", "4")] == [0, None, 3, 4]
    recall.let_go("held")
    recall.let_go("unknown")
    assert [recall.get(key) for key in ("3", "4", "held")] == [None, 4, 0]
    recall.forget("held")
    assert len(recall) == 1
