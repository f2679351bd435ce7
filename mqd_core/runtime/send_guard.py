"""The last door before a broker: refuses every order that the journal, the halts and the counters do not bear out.

It trusts nobody on the way there. What may be sent it reads from what was committed, not from what the engine asks
for: an order leaves once for each committed intent, byte for byte as it was journaled, and not while the desk is
halted if it can raise exposure. May not decide anything about an order, nor talk to anyone.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec

from mqd_core.domain.events import Outcome, QueryOutcome, SubmitOutcome
from mqd_core.domain.journal import Entry
from mqd_core.domain.orders import Side
from mqd_core.domain.records import Approved, DeskMoved, DeskState
from mqd_core.engine.effects import SubmitOrder
from mqd_core.engine.engine import Engine
from mqd_core.errors import NotSent, RunFailed
from mqd_core.risk.approved import ApprovedOrder
from mqd_core.runtime.halt_file import HaltFile

#: What an order says, by the names that the intent in the journal and the order itself share.
_FIELDS: Final = tuple(
    name for name in ApprovedOrder.__struct_fields__ if name in Approved.__struct_fields__ and name != "ts"
)
_ENCODER: Final = msgspec.json.Encoder()
#: States in which the desk may raise exposure or not; in the others it is between two of these.
_DECIDED: Final = frozenset({DeskState.READY, DeskState.FROZEN, DeskState.HALTED})


class Guard(Protocol):
    """Who is asked immediately before an order is sent."""

    def check(self, effect: SubmitOrder) -> None:
        """Return for an order that may leave now; count it as sent. Raises NotSent with a code, or RunFailed."""
        ...


class OnceGuard:
    """The guard of a desk that keeps nothing: each order leaves once, and that is all there is to hold it to."""

    def __init__(self) -> None:
        self._sent: set[tuple[str, int]] = set()

    def check(self, effect: SubmitOrder) -> None:
        """Count the order as sent. Raises RunFailed for one that was sent already."""
        key, sent = (effect.order.client_order_id, effect.attempt), self._sent
        before = len(sent)
        sent.add(key)
        if len(sent) == before:
            raise RunFailed(_twice(effect))


@dataclass(slots=True)
class _Intent:
    """One intent of the journal: what may be sent for it, and how far that has been used."""

    digest: bytes
    #: How often the desk was halted when it was committed.
    epoch: int
    #: The last attempt that has left, or may have in an earlier process.
    attempt: int = 0
    #: It is proven since that no attempt so far reached the broker: by its own word, or because no byte left.
    is_absent: bool = False


class SendGuard:
    """The guard of a desk with a journal. `committed` is called by the loop's thread, `check` by whoever sends."""

    def __init__(self, halt_file: HaltFile) -> None:
        self._halt_file = halt_file
        self._lock = threading.Lock()
        self._intents: dict[str, _Intent] = {}
        #: Orders that left, and intents that came by the journal: the first may never exceed the second (I17).
        self._orders_out = 0
        self._intents_in = 0
        self._epoch = 0
        self._state = DeskState.READY
        self._difference = ""

    @property
    def counts(self) -> tuple[int, int]:
        """Orders out, and intents that they are compared with."""
        with self._lock:
            return self._orders_out, self._intents_in

    def begin(self, engine: Engine) -> None:
        """Learn what an earlier process committed, from the engine restored from it; before the first event."""
        with self._lock:
            if engine.facts.desk_state in _DECIDED:
                self._state = engine.facts.desk_state
            for order in engine.facts.orders.all_orders():
                approved = order.approved
                # One that is to be sent anew never left: the broker's transport said so.
                is_absent = order.resend_ns > 0
                intent = _Intent(_digest(approved), self._epoch, attempt=order.attempt, is_absent=is_absent)
                self._intents[approved.client_order_id] = intent
                self._intents_in += 1
                self._orders_out += 1

    def committed(self, entries: Iterable[Entry]) -> None:
        """Learn what has become durable: intents, proof that an order never arrived, and halts."""
        with self._lock:
            for entry in entries:
                body = entry.body
                if isinstance(body, Approved):
                    self._add(body)
                elif isinstance(body, SubmitOutcome):
                    intent = self._intents.get(body.client_order_id)
                    if intent is not None:
                        intent.is_absent = body.outcome is Outcome.NOT_SENT
                elif isinstance(body, QueryOutcome):
                    intent = self._intents.get(body.client_order_id)
                    if intent is not None and body.outcome is Outcome.FOUND:
                        intent.is_absent = False
                    elif intent is not None and body.outcome is Outcome.NOT_FOUND and body.final:
                        # Less than that proves nothing, and takes back no proof that the last attempt never left.
                        intent.is_absent = True
                elif isinstance(body, DeskMoved) and body.after in _DECIDED:
                    self._state = body.after
                    self._epoch += body.after is DeskState.HALTED

    def check(self, effect: SubmitOrder) -> None:
        """Let an order leave, or raise.

        NotSent where it must not leave and did not: `not_committed`, `order_changed`, `halted`, `frozen`,
        `halted_since` or `halt_file`. RunFailed where orders and intents have come apart: nothing leaves any more.
        """
        order = effect.order
        with self._lock:
            self._require_agreement()
            intent = self._intents.get(order.client_order_id)
            if intent is None:
                text = f"order {order.client_order_id} has no intent in the journal; it was not sent"
                raise NotSent(text, code="not_committed")
            if _digest(order) != intent.digest:
                text = f"order {order.client_order_id} is not what was journaled; it was not sent"
                raise NotSent(text, code="order_changed")
            if effect.attempt <= intent.attempt or (intent.attempt and not intent.is_absent):
                self._fail(_twice(effect))
            if order.side is Side.BUY:
                self._require_no_halt(intent)
            if not intent.attempt:
                self._orders_out += 1
                if self._orders_out > self._intents_in:
                    self._fail(f"{self._orders_out} orders out of {self._intents_in} intents in the journal")
            intent.attempt, intent.is_absent = effect.attempt, False

    def _add(self, record: Approved) -> None:
        """Take an intent that is durable now."""
        if record.client_order_id in self._intents:
            self._difference = f"the journal has two intents of one name, {record.client_order_id}"
        self._intents[record.client_order_id] = _Intent(_digest(record), self._epoch)
        self._intents_in += 1

    def _require_no_halt(self, intent: _Intent) -> None:
        """Hold back what can raise exposure; exits and protective orders go on."""
        if self._halt_file.is_set:
            raise NotSent(f"{self._halt_file.path} is there; nothing that buys is sent", code="halt_file")
        if self._state is not DeskState.READY:
            raise NotSent(f"the desk is {self._state.value}; nothing that buys is sent", code=self._state.value)
        if intent.epoch != self._epoch:
            raise NotSent("the desk was halted since this order was decided", code="halted_since")

    def _require_agreement(self) -> None:
        if self._difference:
            self._fail(self._difference)

    def _fail(self, text: str) -> None:
        """From the first difference on nothing leaves: which of both counts is right, only a person can tell."""
        self._difference = text
        raise RunFailed(f"orders and intents have come apart: {text}; nothing was sent, look at the journal")


def _digest(what: ApprovedOrder | Approved) -> bytes:
    """SHA-256 of an order's canonical bytes: all that it says to a broker, from the order or from its intent."""
    return hashlib.sha256(_ENCODER.encode([getattr(what, name) for name in _FIELDS])).digest()


def _twice(effect: SubmitOrder) -> str:
    return f"order {effect.order.client_order_id} was about to be sent twice (attempt {effect.attempt})"
