"""Start-up: after a clean stop and after a crash the same path. Asks, compares, and only then lets the desk trade.

On RunStarted every order whose fate is not certain is asked about, and the account is read; when all is answered and
the account agrees with the books, the desk is READY, or what a person made of it before. Where the broker's account
can differ, `reconciliation` and `comparison` say what a difference means; of a venue in this process any difference
freezes the desk. Nothing here ever invents a trade. May not talk to a broker: it asks by effects.
"""

from __future__ import annotations

from collections.abc import Callable

from mqd_core.domain.events import AccountSnapshot
from mqd_core.domain.ledger import Ledger
from mqd_core.domain.money import ZERO
from mqd_core.domain.order_state import Life, Request
from mqd_core.domain.records import DeskState, Severity
from mqd_core.engine.account_books import AccountBooks
from mqd_core.engine.comparison import plain
from mqd_core.engine.effects import CancelOrder
from mqd_core.engine.order_manager import EventDrivenOrderManager
from mqd_core.engine.reconciliation import AccountReconciler
from mqd_core.engine.resolving import by_urgency
from mqd_core.engine.scribe import Scribe


class StartupRecoveryProtocol:
    """Brings a desk from STARTING to READY, or says why not."""

    def __init__(
        self,
        scribe: Scribe,
        ledger: Ledger,
        orders: EventDrivenOrderManager,
        books: AccountBooks,
        reconciler: AccountReconciler,
        move_desk: Callable[[DeskState, str, str], None],
    ) -> None:
        self._scribe = scribe
        self._ledger = ledger
        self._orders = orders
        self._books = books
        self._reconciler = reconciler
        self._move_desk = move_desk
        self._awaits_account = False
        #: What the desk is to be when it has recovered, and why: a halt outlives the process that made it.
        self.goal = DeskState.READY
        self.reason = ""
        self.is_active = False

    def begin(self, before: DeskState, reason: str) -> None:
        """Start recovering: ask for the account, and about every order that is not certainly settled."""
        if not self.is_active:
            self.goal = before if before in (DeskState.FROZEN, DeskState.HALTED) else DeskState.READY
            self.reason = reason
            self._move_desk(DeskState.RECOVERING, "start", "")
        self.is_active = self._awaits_account = True
        if self._reconciler.on_start():
            self._halt(
                "crash_loop", f"{len(self._reconciler.starts)} starts in a few minutes that no orderly end followed"
            )
        for order in sorted(self._orders.open_orders(), key=by_urgency):
            if order.resend_ns:
                # It never left, and goes when the desk knows what it holds.
                continue
            self._orders.resolver.query(order)
            if order.machine.request is Request.CANCEL:
                # Whether the request was sent is not known; asking twice for a cancel does no harm.
                self._scribe.effects.append(CancelOrder(order.ref))
        self._reconciler.begin()

    def be_careful(self, goal: DeskState, reason: str) -> None:
        """Remember a freeze or a halt that came up meanwhile, for when the recovery ends; a halt stays a halt."""
        if self.goal is not DeskState.HALTED:
            self.goal, self.reason = goal, reason

    def on_account(self, account: AccountSnapshot) -> bool:
        """Open the books with the account's cash; then compare the two, or leave that to the reconciliation.

        Returns False where it is not this desk's account.
        """
        is_first = not self._ledger.is_open
        if is_first:
            self._books.open(account.cash)
        if not self._reconciler.take(account, is_first=is_first):
            return False
        if self._reconciler.is_periodic:
            self._awaits_account = not self._reconciler.is_settled
            return True
        if is_first and account.positions:
            held = ", ".join(f"{position.quantity} {position.symbol}" for position in account.positions)
            self._differ(f"the account holds {held}, which this desk did not buy")
        elif self.is_active and self._awaits_account and not is_first:
            self._compare(account)
        self._awaits_account = False
        return True

    def settle(self) -> None:
        """End the recovery once every answer is in."""
        if not self.is_active or self._awaits_account or not self._ledger.is_open:
            return
        if any(order.machine.life <= Life.UNKNOWN and not order.resend_ns for order in self._orders.open_orders()):
            return
        self.is_active = False
        self._move_desk(self.goal, "recovered", self.reason)

    def _compare(self, account: AccountSnapshot) -> None:
        theirs = {position.symbol: position.quantity for position in account.positions if position.quantity}
        ours = self._ledger.holdings
        # Fills of an open order may be on their way: its symbol, and the cash, have to wait for them.
        awaited = {order.approved.symbol for order in self._orders.open_orders()}
        differences = [
            f"{symbol}: books {plain(ours.get(symbol, ZERO))}, broker {plain(theirs.get(symbol, ZERO))}"
            for symbol in sorted({*ours, *theirs} - awaited)
            if ours.get(symbol, ZERO) != theirs.get(symbol, ZERO)
        ]
        if not awaited and account.cash != self._ledger.cash:
            differences.append(f"cash: books {plain(self._ledger.cash)}, broker {plain(account.cash)}")
        if differences:
            self._differ("; ".join(differences))

    def _differ(self, text: str) -> None:
        if self.goal is DeskState.READY:
            self.goal, self.reason = DeskState.FROZEN, text
        self._scribe.alert(Severity.CRITICAL, "books_differ", "account", text)

    def _halt(self, code: str, text: str) -> None:
        self.be_careful(DeskState.HALTED, text)
        self._scribe.alert(
            Severity.CRITICAL, code, "desk", f"the desk starts halted: {text}; a person has to resume it"
        )
