"""The broker connector: what the desk asks of Alpaca, in Alpaca's words and back.

Every error of a submission or cancel is one of three: Refused (Alpaca said no), NotSent (no byte left), anything else
is in doubt. May not send anything twice, and may not decide anything about an order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Final
from urllib.parse import quote

from msgspec import structs

from mqd_core.api import (
    AccountReport,
    ActivityCursor,
    Ambiguous,
    ApprovedOrder,
    Asset,
    BrokerClock,
    BrokerContext,
    BrokerEvent,
    Fill,
    OrderRef,
    OrderReport,
    PositionReport,
    Refused,
    SimulatedVenue,
    StreamStatus,
    require_approved,
)
from mqd_plugin_alpaca.activities import ActivityReader
from mqd_plugin_alpaca.capabilities import CAPABILITIES
from mqd_plugin_alpaca.client_ids import ClientIds
from mqd_plugin_alpaca.faults import Answered, Unreadable
from mqd_plugin_alpaca.hosts import stream_url
from mqd_plugin_alpaca.orders import is_same, order_body, orders_since
from mqd_plugin_alpaca.parsing import (
    account_of,
    as_body,
    as_list,
    asset_of,
    clock_of,
    position_of,
    report_of,
    time_ns,
)
from mqd_plugin_alpaca.refusals import is_duplicate, is_refusal
from mqd_plugin_alpaca.rest import Rest
from mqd_plugin_alpaca.settings import AlpacaSettings
from mqd_plugin_alpaca.setup import check_account, trading_url
from mqd_plugin_alpaca.stream import AlpacaStreamHandler
from mqd_plugin_alpaca.trade_updates import TradeUpdates

_NOT_FOUND: Final = 404
_CANCEL_REFUSALS: Final = (404, 422)
#: How the desk's log and journal name what is wrong with the account's orders besides the stream.
ORDERS: Final = "alpaca_orders"


class AlpacaConnector:
    """Alpaca behind the port. Calls may come from several threads; news come to the sink from the stream's."""

    def __init__(self, settings: AlpacaSettings, context: BrokerContext) -> None:
        self.capabilities = CAPABILITIES
        self.venue: SimulatedVenue | None = None
        self._settings = settings
        self._context = context
        self._clock = context.clock
        base = trading_url(settings, context)
        self._rest = Rest(settings, base, context.clock, self._keys_refused)
        self._client_ids = ClientIds(self._rest)
        self._reader = ActivityReader(self._rest, self._client_ids)
        self._sink: Callable[[BrokerEvent], None] | None = None
        self._last: AccountReport | None = None
        self._told_unknown: set[tuple[str, str]] = set()
        self._updates = TradeUpdates(context.clock, self._client_ids.learn, self._unknown_status)
        jitter, url = _jitter(str(context.directory)), stream_url(base)
        self._stream = AlpacaStreamHandler(settings, url, context.clock, context.log, self._updates, jitter=jitter)

    def open(self, sink: Callable[[BrokerEvent], None]) -> AccountReport:
        """Check keys and account, then listen; raises WrongAccount, Refused, NotSent or Ambiguous.

        A stream that cannot be had now does not keep a desk from starting, unless it refuses the keys: it goes on
        trying, and says so.
        """
        try:
            account = self.account()
        except Answered as error:
            raise Refused(str(error), error.code) from None
        check_account(self._settings, self._context, account)
        self._sink = sink
        self._stream.start(sink)
        return account

    def submit(self, order: ApprovedOrder) -> OrderReport:
        """Send an order once. Raises SealedType, Refused, NotSent, and Ambiguous: the order may exist."""
        approved = require_approved(order)
        body, before = order_body(approved), self._stream.moment()
        try:
            answer = self._rest.post("/orders", body)
        except Answered as error:
            if is_duplicate(error):
                return self._earlier(approved)
            if is_refusal(error):
                raise Refused(str(error), error.code) from None
            raise Ambiguous(str(error), error.code) from None
        taken = self._report(answer)
        if taken.client_order_id != approved.client_order_id:
            raise Unreadable("Alpaca's answer is about another order than the one that was sent", "unreadable")
        self._stream.expect(taken.broker_order_id, before)
        return taken

    def cancel(self, order: OrderRef) -> None:
        """Ask for a cancel. Raises Refused (it is over, or not known), NotSent or Ambiguous."""
        identifier = order.broker_order_id
        if not identifier:
            found = self.find_order(order.client_order_id)
            if found is None:
                raise Refused(f"Alpaca does not know order {order.client_order_id}", "not_found")
            identifier = found.broker_order_id
        before = self._stream.moment()
        try:
            self._rest.delete(f"/orders/{quote(identifier, safe='')}")
        except Answered as error:
            kind = Refused if error.status in _CANCEL_REFUSALS else Ambiguous
            raise kind(str(error), error.code) from None
        self._stream.expect(identifier, before)

    def find_order(self, client_order_id: str) -> OrderReport | None:
        """Look an order up; None: Alpaca answers that it does not know it. Raises what a request raises."""
        try:
            answer = self._rest.get("/orders:by_client_order_id", {"client_order_id": client_order_id})
        except Answered as error:
            # A page of something between here and Alpaca says nothing about an order.
            if error.status == _NOT_FOUND and error.is_plain:
                return None
            raise
        report = self._report(answer)
        if report.client_order_id != client_order_id:
            raise Unreadable("Alpaca's answer is about another order than the one that was asked for", "unreadable")
        return report

    def orders(self, since_ns: int) -> Sequence[OrderReport]:
        """Every order submitted at or after `since_ns`."""
        return [self._report(one) for one in orders_since(self._rest, since_ns)]

    def activities(self, after: ActivityCursor | None) -> Iterable[BrokerEvent]:
        """What moved the account behind a cursor; see `activities` for what may come again."""
        return self._reader.read(after)

    def executions(self, order: OrderRef) -> Sequence[Fill]:
        """The executions of one order, asked for alone."""
        return tuple(self._reader.of_order(order.broker_order_id))

    def account(self) -> AccountReport:
        """The account now, with its positions."""
        body = as_body(self._rest.get("/account"), "the account")
        self._last = account_of(body, self.positions(), self._clock.now_ns())
        return self._last

    def positions(self) -> Sequence[PositionReport]:
        """All positions now."""
        return tuple(position_of(one) for one in as_list(self._rest.get("/positions"), "positions"))

    def assets(self, symbols: Sequence[str]) -> Sequence[Asset]:
        """What Alpaca says of these symbols; one it does not know is left out."""
        found = (self._asset(symbol) for symbol in symbols)
        return tuple(asset for asset in found if asset is not None)

    def clock(self) -> BrokerClock:
        """Alpaca's clock."""
        return clock_of(as_body(self._rest.get("/clock"), "the clock"))

    def close(self) -> None:
        """Stop listening and close the connections; nothing reaches the sink afterwards."""
        self._stream.close()
        self._sink = None
        self._rest.close()

    def _asset(self, symbol: str) -> Asset | None:
        try:
            return asset_of(as_body(self._rest.get(f"/assets/{quote(symbol, safe='')}"), "an asset"))
        except Answered as error:
            if error.status == _NOT_FOUND and error.is_plain:
                return None
            raise

    def _earlier(self, order: ApprovedOrder) -> OrderReport:
        """What Alpaca has under the id that it says is in use: the order itself, if an earlier try of it got there."""
        try:
            body = as_body(
                self._rest.get("/orders:by_client_order_id", {"client_order_id": order.client_order_id}), "an order"
            )
        except Answered as error:
            raise Ambiguous(f"Alpaca has taken the order before and does not show it: {error}", "duplicate") from None
        report = self._report(body)
        if is_same(order, body, report):
            return report
        text = f"Alpaca has another order under {order.client_order_id}: {report.side.value} {report.symbol}"
        self._tell("collision", text)
        raise Ambiguous(f"{text}; two desks use one account, or a store is older than the account", "id_collision")

    def _report(self, answer: object) -> OrderReport:
        body = as_body(answer, "an order")
        self._client_ids.learn(body)
        at = body.get("updated_at") or body.get("submitted_at")
        return report_of(body, self._clock.now_ns() if at is None else time_ns(at), self._unknown_status)

    def _unknown_status(self, order_id: str, word: str) -> None:
        """A person is told once of each; the order stays open, and the desk asks about it."""
        if (order_id, word) not in self._told_unknown:
            self._told_unknown.add((order_id, word))
            self._tell(
                "unknown_status", f"order {order_id} has a status that is not known, {word!r}; it counts as open"
            )

    def _tell(self, state: str, text: str) -> None:
        self._context.log.error(text, extra={"event": f"alpaca_{state}"})
        if self._sink is not None:
            self._sink(StreamStatus(ts=self._clock.now_ns(), stream=ORDERS, state=state, text=text))

    def _keys_refused(self, text: str) -> None:
        """Keys that are refused end trading: the desk is told that its account is blocked, which halts it."""
        if self._sink is not None and self._last is not None:
            blocked = structs.replace(self._last, ts=self._clock.now_ns(), blocked=True, text=text)
            self._sink(blocked)


def _jitter(seed: str) -> Callable[[int], float]:
    """Part of a wait, 0 to 1, by the number of the try: two desks that lost one server do not come back as one."""

    def part(attempt: int) -> float:
        digest = hashlib.sha256(f"{seed}:{attempt}".encode()).digest()
        return int.from_bytes(digest[:4], "big") / 0xFFFF_FFFF

    return part
