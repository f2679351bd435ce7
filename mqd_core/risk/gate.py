"""The pre-trade risk gate: the only maker of an approved order. May only let through or deny; changes nothing."""

from __future__ import annotations

from mqd_core.domain.orders import OrderDraft
from mqd_core.risk.approved import ApprovedOrder, _Seal
from mqd_core.risk.facts import AccountView, Denial, GateFacts, GateSettings, RiskRule
from mqd_core.risk.rules import (
    ENTRY_RULES,
    EXIT_RULES,
    EXIT_SCREEN_RULES,
    PROTECTIVE_RULES,
    SCREEN_RULES,
    SIZED_RULES,
    Rule,
)


class PreTradeRiskGate:
    """Runs the rules in their stated order, then those of plugins; the first denial is the answer."""

    def __init__(self, settings: GateSettings, plugin_rules: tuple[tuple[str, RiskRule], ...] = ()) -> None:
        self._settings = settings
        self._plugin_rules = plugin_rules
        #: The signal that passed the screen last, so that its order need not be screened again.
        self._screened: str | None = None
        #: The plugin's rule that failed in the last check of an entry, and what it raised: for whoever records it.
        self.fault: tuple[str, BaseException] | None = None

    def screen_entry(self, draft: OrderDraft, facts: GateFacts) -> Denial | None:
        """Deny an entry that no size could save, before a sizer is asked; approves nothing."""
        settings = self._settings
        for rule in SCREEN_RULES:
            denial = rule(draft, facts, settings)
            if denial is not None:
                return denial
        self._screened = draft.correlation_id
        return None

    def check_entry(
        self, draft: OrderDraft, facts: GateFacts, account: AccountView, client_order_id: str
    ) -> ApprovedOrder | Denial:
        """Approve or deny an order that raises exposure."""
        settings = self._settings
        screened, self._screened, self.fault = self._screened == draft.correlation_id, None, None
        for rule in SIZED_RULES if screened else ENTRY_RULES:
            denial = rule(draft, facts, settings)
            if denial is not None:
                return denial
        for name, plugin_rule in self._plugin_rules:
            denial = self._ask(name, plugin_rule, draft, account)
            if denial is not None:
                return denial
        return _approve(draft, facts.now_ns, client_order_id)

    def check_exit(self, draft: OrderDraft, facts: GateFacts, client_order_id: str) -> ApprovedOrder | Denial:
        """Approve or deny an order that lowers exposure: the loss limits and plugins' rules do not apply."""
        denial = self._first_denial(EXIT_RULES, draft, facts)
        return _approve(draft, facts.now_ns, client_order_id) if denial is None else denial

    def screen_exit(self, draft: OrderDraft, facts: GateFacts) -> Denial | None:
        """Deny an exit for which a resting stop need not be canceled; approves nothing."""
        return self._first_denial(EXIT_SCREEN_RULES, draft, facts)

    def check_protective(self, draft: OrderDraft, facts: GateFacts, client_order_id: str) -> ApprovedOrder | Denial:
        """Approve or deny an order by which the desk covers a position, or sells it on a person's word.

        Frozen and halted desks may: what is denied is what a broker would refuse, and too many orders.
        """
        denial = self._first_denial(PROTECTIVE_RULES, draft, facts)
        return _approve(draft, facts.now_ns, client_order_id) if denial is None else denial

    def _first_denial(self, rules: tuple[Rule, ...], draft: OrderDraft, facts: GateFacts) -> Denial | None:
        settings = self._settings
        for rule in rules:
            denial = rule(draft, facts, settings)
            if denial is not None:
                return denial
        return None

    def _ask(self, name: str, rule: RiskRule, draft: OrderDraft, account: AccountView) -> Denial | None:
        # A boundary: whatever a plugin's rule raises or returns, the order is denied and nothing else happens.
        try:
            return _checked(rule.check(draft, account))
        except (Exception, SystemExit) as error:  # noqa: BLE001  a plugin may raise anything; its fault is a denial
            self.fault = name, error
            return Denial(code="rule_error", text=f"risk rule {name}: {type(error).__name__}: {error}")

    def reinstate(self, order: dict[str, object]) -> ApprovedOrder:
        """Make an approved order again from a snapshot of one that this gate had approved."""
        return ApprovedOrder(**order, seal=_Seal())  # type: ignore[arg-type]  # the snapshot's codec checked the types


def _approve(draft: OrderDraft, now_ns: int, client_order_id: str) -> ApprovedOrder:
    return ApprovedOrder(
        client_order_id=client_order_id,
        strategy_id=draft.strategy_id,
        symbol=draft.symbol,
        side=draft.side,
        order_type=draft.order_type,
        time_in_force=draft.time_in_force,
        quantity=draft.quantity,
        notional=draft.notional,
        limit_price=draft.limit_price,
        stop_price=draft.stop_price,
        reference_price=draft.reference_price,
        submitted_ns=now_ns,
        seal=_Seal(),
    )


def _checked(answer: object) -> Denial | None:
    if answer is None:
        return None
    if isinstance(answer, Denial) and type(answer.code) is str and answer.code and type(answer.text) is str:
        return answer
    message = f"check() returned {answer!r}; None or a Denial with a code and a text is allowed"
    raise TypeError(message)
