"""The way out: cancel everything, close everything, with the keys alone. Reads each item of each answer.

May not trade otherwise; needs neither engine nor store, and no `--live`: what it does only lowers the risk.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from msgspec import structs

from mqd_core.api import BrokerContext, OrderReport, OrderStatus, Side
from mqd_plugin_alpaca.hosts import api_url
from mqd_plugin_alpaca.orders import orders_since
from mqd_plugin_alpaca.parsing import Body, as_list, position_of, report_of, text_of
from mqd_plugin_alpaca.rest import Rest
from mqd_plugin_alpaca.settings import AlpacaSettings

_FAILED: Final = 400


class AlpacaEmergency:
    """The emergency exit of the account that the keys open."""

    def __init__(self, settings: AlpacaSettings, context: BrokerContext) -> None:
        base = api_url(settings.url, paper_trading=context.paper_trading)
        self._context = context
        self._rest = Rest(settings, base, context.clock)

    def cancel_all(self) -> Sequence[OrderReport]:
        """Ask for a cancel of every open order; each as it is afterwards. Raises Answered, NotSent or Ambiguous."""
        before = self._open()
        # Asked for even where none is shown: an order that was just sent may not be listed yet.
        items = as_list(self._rest.delete("/orders") or [], "cancels")
        said = {str(item.get("id")): _complaint(item) for item in items}
        after = self._open()
        reports = [_with_text(report, said.get(key, "")) for key, report in after.items()]
        for key in before.keys() - after.keys():
            answer = self._rest.get(f"/orders/{key}")
            reports.append(self._report(answer))
        return reports

    def flatten_all(self) -> Sequence[OrderReport]:
        """Close every position at the market; what became of each request. Raises Answered, NotSent or Ambiguous."""
        held = [position_of(one) for one in as_list(self._rest.get("/positions"), "positions")]
        if not held:
            return ()
        items = as_list(self._rest.delete("/positions", {"cancel_orders": "false"}) or [], "closings")
        by_symbol = {text_of(item, "symbol"): item for item in items}
        reports = []
        for position in held:
            item = by_symbol.get(position.symbol)
            body = item.get("body") if item is not None else None
            if item is not None and isinstance(body, dict) and body.get("id") and not _complaint(item):
                reports.append(self._report(body))
                continue
            reports.append(
                OrderReport(
                    ts=self._context.clock.now_ns(),
                    client_order_id="",
                    broker_order_id="",
                    symbol=position.symbol,
                    side=Side.SELL if position.quantity > 0 else Side.BUY,
                    status=OrderStatus.REJECTED,
                    filled_quantity=position.quantity * 0,
                    quantity=abs(position.quantity),
                    text="Alpaca says nothing of it" if item is None else _complaint(item) or "no order was made",
                )
            )
        return reports

    def _open(self) -> dict[str, OrderReport]:
        reports = (self._report(one) for one in orders_since(self._rest, 1, "open"))
        return {report.broker_order_id: report for report in reports}

    def _report(self, answer: Any) -> OrderReport:
        return report_of(answer, self._context.clock.now_ns(), self._unknown)

    def _unknown(self, order_id: str, word: str) -> None:
        self._context.log.error(
            "an order has a status that is not known; it counts as open", extra={"order": order_id, "status": word}
        )


def _complaint(item: Body) -> str:
    """What is wrong with one item of several; empty where nothing is."""
    status = item.get("status")
    if isinstance(status, int) and not isinstance(status, bool) and status < _FAILED:
        return ""
    body = item.get("body")
    message = str(body.get("message") or "") if isinstance(body, dict) else ""
    return f"{status}: {message or 'no reason was given'}"[:200]


def _with_text(report: OrderReport, text: str) -> OrderReport:
    return structs.replace(report, text=text) if text else report
