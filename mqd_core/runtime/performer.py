"""Performs effects on a broker inline and turns what comes back into events. For brokers that answer at once.

The classes of outcome (failure model, section 5): Refused is a definitive no; NotSent means no byte left; whatever
else goes wrong leaves the outcome unknown. May not decide what any of them means for an order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from mqd_core.domain.events import (
    AccountSnapshot,
    BrokerEvent,
    CancelOutcome,
    Event,
    Fill,
    OrderReport,
    Outcome,
    QueryOutcome,
    StreamStatus,
    SubmitOutcome,
)
from mqd_core.domain.orders import OrderRef
from mqd_core.engine.effects import ACCOUNT, CancelOrder, Effect, QueryOrder, SubmitOrder, TakeSnapshot
from mqd_core.errors import NotSent, Refused
from mqd_core.ports.broker import BrokerConnector, ExecutionTeller
from mqd_core.risk.approved import require_approved
from mqd_core.runtime.account_reading import read_account
from mqd_core.runtime.send_guard import Guard, OnceGuard

#: Told of each moment at which a process could die: "submit:before", "submit:after", ... Tests die there.
Probe = Callable[[str], None]


def no_probe(_point: str) -> None:
    """The probe of a desk that is not under test."""


class EffectPerformer:
    """One broker, called from one thread."""

    def __init__(
        self,
        broker: BrokerConnector,
        probe: Probe = no_probe,
        guard: Guard | None = None,
        clock_ns: Callable[[], int] | None = None,
    ) -> None:
        self._broker = broker
        self._probe = probe
        self._guard = OnceGuard() if guard is None else guard
        self._clock_ns = clock_ns or self._engine_ns
        self._reported: list[BrokerEvent] = []
        self._now_ns = 0

    def sink(self, event: BrokerEvent) -> None:
        """Where the broker hands what it reports by itself."""
        self._reported.append(event)

    def reported(self) -> tuple[BrokerEvent, ...]:
        """What was reported since the last time, in order."""
        if not self._reported:
            return ()
        taken = tuple(self._reported)
        self._reported.clear()
        return taken

    def perform(self, effect: Effect, now_ns: int) -> Sequence[Event]:
        """Do it, and return what is known afterwards; what the broker reported meanwhile comes behind."""
        self._now_ns = now_ns
        answer: Event
        if isinstance(effect, SubmitOrder):
            answer = self._submit(effect)
        elif isinstance(effect, CancelOrder):
            answer = self._cancel(effect)
        elif isinstance(effect, QueryOrder):
            answer = self._query(effect)
        elif isinstance(effect, TakeSnapshot):
            answer = self._snapshot(effect)
        else:
            return self.reported()
        return (answer, *self.reported()) if self._reported else (answer,)

    def _engine_ns(self) -> int:
        return self._now_ns

    def _snapshot(self, effect: TakeSnapshot) -> AccountSnapshot | StreamStatus:
        # A boundary: a query that failed is no information, never an account without positions.
        try:
            if effect.orders_since_ns is None:
                return self._broker.account()
            return read_account(self._broker, effect.orders_since_ns, effect.after, self._clock_ns)
        except (Exception, SystemExit) as error:  # noqa: BLE001  whatever a connector raises, the account was not told
            text = f"the broker did not tell the account: {type(error).__name__}: {error}"
            return StreamStatus(ts=self._clock_ns(), stream=ACCOUNT, state="down", text=text)

    def _submit(self, effect: SubmitOrder) -> SubmitOutcome:
        order = require_approved(effect.order)
        outcome, report, code, text = Outcome.ACCEPTED, None, "", ""
        self._probe("submit:before")
        # Outside the boundary: where the guard finds the desk itself wrong (RunFailed), the run ends.
        try:
            self._guard.check(effect)
        except NotSent as error:
            return self._submit_outcome(effect, Outcome.NOT_SENT, None, error.code, str(error))
        # A boundary: what is not a clear no may have reached the venue.
        try:
            report = self._broker.submit(order)
        except Refused as error:
            outcome, code, text = Outcome.REFUSED, error.code, str(error)
        except NotSent as error:
            outcome, code, text = Outcome.NOT_SENT, error.code, str(error)
        except (Exception, SystemExit) as error:  # noqa: BLE001  an ambiguous outcome is an answer, not a failure
            outcome, code, text = Outcome.UNKNOWN, type(error).__name__, str(error)
        self._probe("submit:after")
        return self._submit_outcome(effect, outcome, report, code, text)

    def _submit_outcome(
        self, effect: SubmitOrder, outcome: Outcome, report: OrderReport | None, code: str, text: str
    ) -> SubmitOutcome:
        return SubmitOutcome(
            ts=self._now_ns,
            client_order_id=effect.order.client_order_id,
            attempt=effect.attempt,
            outcome=outcome,
            report=report,
            code=code,
            text=text,
        )

    def _cancel(self, effect: CancelOrder) -> CancelOutcome:
        outcome, text = Outcome.ACCEPTED, ""
        self._probe("cancel:before")
        # A boundary, as for a submission.
        try:
            self._broker.cancel(effect.order)
        except Refused as error:
            outcome, text = Outcome.REFUSED, str(error)
        except (Exception, SystemExit) as error:  # noqa: BLE001  an ambiguous outcome is an answer, not a failure
            outcome, text = Outcome.UNKNOWN, f"{type(error).__name__}: {error}"
        self._probe("cancel:after")
        return CancelOutcome(ts=self._now_ns, client_order_id=effect.order.client_order_id, outcome=outcome, text=text)

    def _query(self, effect: QueryOrder) -> QueryOutcome:
        identifier = effect.client_order_id
        report: OrderReport | None = None
        fills: tuple[Fill, ...] = ()
        text = ""
        self._probe("query:before")
        # A boundary: a query that failed is no information.
        try:
            report = self._broker.find_order(identifier)
            outcome = Outcome.NOT_FOUND if report is None else Outcome.FOUND
            if report is not None and report.filled_quantity:
                fills = self._executions(report)
        except (Exception, SystemExit) as error:  # noqa: BLE001  a query that failed is no information
            outcome, text = Outcome.UNKNOWN, f"{type(error).__name__}: {error}"
        self._probe("query:after")
        return QueryOutcome(
            ts=self._now_ns,
            client_order_id=identifier,
            outcome=outcome,
            report=report,
            fills=fills,
            final=self._broker.capabilities.not_found_is_final,
            text=text,
        )

    def _executions(self, report: OrderReport) -> tuple[Fill, ...]:
        identifier, broker = report.client_order_id, self._broker
        told: Iterable[BrokerEvent]
        if isinstance(broker, ExecutionTeller):
            told = broker.executions(
                OrderRef(client_order_id=identifier, symbol=report.symbol, broker_order_id=report.broker_order_id)
            )
        else:
            told = broker.activities(None)
        return tuple(one for one in told if isinstance(one, Fill) and one.client_order_id == identifier)
