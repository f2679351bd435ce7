"""The gate: rules in their order, screening once, plugins' rules that may only deny, and what an approval says."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from mqd_core.domain.market import Asset
from mqd_core.domain.orders import OrderDraft, Side
from mqd_core.domain.records import DeskState
from mqd_core.risk.approved import ApprovedOrder, require_approved
from mqd_core.risk.gate import PreTradeRiskGate
from mqd_core.risk.rules import Denial
from mqd_core.testing.engines import OPEN_GATE, make_gate

D = Decimal
Make = Callable[..., Any]

# Each denies by one rule; in the order in which an entry is asked about.
ENTRY_FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("desk_frozen", {"desk_state": DeskState.FROZEN}),
    ("session_closed", {"session": "session_closed"}),
    ("weekly_loss", {"limit": Denial(code="weekly_loss", text="x")}),
    ("duplicate", {"working": True}),
    ("opposite_side", {"opposite": True}),
    ("stale_data", {"age_ns": 10**15}),
    ("max_open_positions", {"occupied": frozenset(map(str, range(100)))}),
    ("duplicate", {"alike_ns": (1_736_173_920_000_000_000,)}),
    ("not_tradable", {"broker_asset": Asset(symbol="SPY", tradable=False)}),
    ("position_limit", {"held_value": D(1000)}),
    ("gross_exposure", {"gross_exposure": D(1000)}),
    ("cash", {"cash_free": D(1)}),
    ("order_rate", {"orders_this_session": 10_000}),
]
EXIT_FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("desk_recovering", {"desk_state": DeskState.RECOVERING}),
    ("session_closed", {"session": "session_closed"}),
    ("duplicate", {"working": True}),
    ("opposite_side", {"opposite": True}),
    ("duplicate", {"alike_ns": (1_736_173_920_000_000_000,)}),
    ("beyond_book", {"held": D(0)}),
    ("dust", {"broker_asset": Asset(symbol="SPY", minimum_notional_usd=D(101))}),
    ("order_rate", {"orders_this_session": 10_000}),
]


class Rule:
    """A plugin's rule that answers, or raises, whatever it is told to."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[OrderDraft] = []

    def check(self, draft: OrderDraft, _view: object) -> Any:
        self.asked.append(draft)
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


def entry(gate: PreTradeRiskGate, draft: OrderDraft, facts: Any) -> ApprovedOrder | Denial:
    """The gate's verdict on an entry that was not screened before."""
    return gate.check_entry(draft, facts, facts, "order-1")


def denied(verdict: ApprovedOrder | Denial) -> str:
    """The code of a verdict that has to be a denial."""
    assert isinstance(verdict, Denial), f"{verdict} is an approval"
    return verdict.code


class TestEntries:
    def test_approval(self, facts: Make, draft: Make) -> None:
        """An approval says what the draft said, under the id it was given, at the time of the decision."""
        wanted = draft("0.5", limit_price=None)
        order = entry(PreTradeRiskGate(OPEN_GATE), wanted, facts())
        assert isinstance(order, ApprovedOrder)
        assert require_approved(order) is order
        for name in set(ApprovedOrder.__struct_fields__) - {"client_order_id", "submitted_ns", "seal"}:
            assert getattr(order, name) == getattr(wanted, name)
        assert (order.client_order_id, order.submitted_ns) == ("order-1", facts().now_ns)
        assert (order.ref.client_order_id, order.ref.symbol, order.ref.broker_order_id) == ("order-1", "SPY", "")

    @pytest.mark.parametrize(("code", "fault"), ENTRY_FAULTS)
    def test_each_rule_is_asked(self, facts: Make, draft: Make, code: str, fault: dict[str, Any]) -> None:
        """One thing that forbids an entry denies it, with that thing's code."""
        assert denied(entry(PreTradeRiskGate(OPEN_GATE), draft(), facts(**fault))) == code

    def test_first_denial_is_the_answer(self, facts: Make, draft: Make) -> None:
        """Where several rules deny, the first in their order is named, for every pair of them."""
        for (first, one), (_, other) in itertools.combinations(ENTRY_FAULTS, 2):
            assert denied(entry(PreTradeRiskGate(OPEN_GATE), draft(), facts(**{**other, **one}))) == first

    def test_draft_faults(self, facts: Make, draft: Make) -> None:
        """What is wrong with the draft itself is denied too: its form, its collar, its value."""
        gate = PreTradeRiskGate(make_gate(max_order_value_usd=D(50)))
        assert denied(entry(gate, draft("NaN"), facts())) == "malformed"
        assert denied(entry(gate, draft("0.6"), facts())) == "order_value"
        assert denied(entry(gate, draft("0.4", order_type="limit", limit_price="151"), facts())) == "price_collar"

    def test_screened_once(self, facts: Make, draft: Make) -> None:
        """An entry that passed the screen is not screened again; any other one is, and the same one a second time."""
        gate, desk, wanted = PreTradeRiskGate(OPEN_GATE), facts(), draft()
        assert gate.screen_entry(wanted, desk) is None
        desk.working = True
        assert isinstance(entry(gate, wanted, desk), ApprovedOrder)
        assert denied(entry(gate, wanted, desk)) == "duplicate"

    def test_screen_of_another_signal(self, facts: Make, draft: Make) -> None:
        """Passing the screen serves the signal that passed, no other, and none without a name."""
        gate, desk = PreTradeRiskGate(OPEN_GATE), facts()
        assert gate.screen_entry(draft(), desk) is None
        desk.working = True
        assert denied(entry(gate, draft(correlation_id="c-2"), desk)) == "duplicate"
        assert denied(entry(PreTradeRiskGate(OPEN_GATE), draft(correlation_id=""), desk)) == "duplicate"

    def test_screen_denies(self, facts: Make, draft: Make) -> None:
        """The screen denies what no size could save, and then nothing passes by it."""
        gate = PreTradeRiskGate(OPEN_GATE)
        desk = facts(opposite=True)
        assert denied(gate.screen_entry(draft(), desk)) == "opposite_side"  # type: ignore[arg-type]
        assert denied(entry(gate, draft(), desk)) == "opposite_side"


class TestPluginRules:
    def test_may_deny(self, facts: Make, draft: Make) -> None:
        """A plugin's denial is the answer; rules behind it are not asked."""
        first, second, third = Rule(None), Rule(Denial(code="mine", text="not today")), Rule(None)
        gate = PreTradeRiskGate(OPEN_GATE, (("a", first), ("b", second), ("c", third)))
        assert entry(gate, draft(), facts()) is second.answer
        assert (len(first.asked), len(third.asked)) == (1, 0)
        assert gate.fault is None

    def test_may_not_allow(self, facts: Make, draft: Make) -> None:
        """What the gate's own rules deny, no plugin is asked about."""
        rule = Rule(None)
        gate = PreTradeRiskGate(OPEN_GATE, (("a", rule),))
        assert denied(entry(gate, draft(), facts(cash_free=D(1)))) == "cash"
        assert rule.asked == []

    @pytest.mark.parametrize(
        "answer",
        [
            ZeroDivisionError("oops"),
            True,
            "no",
            Denial,
            Denial(code="", text="x"),
            Denial(code=5, text="x"),  # type: ignore[arg-type]
            Denial(code="x", text=None),  # type: ignore[arg-type]
        ],
        ids=repr,
    )
    def test_fault_denies(self, facts: Make, draft: Make, answer: Any) -> None:
        """A rule that raises or answers nonsense denies the order as its own fault, which can be looked up once."""
        gate = PreTradeRiskGate(OPEN_GATE, (("wild", Rule(answer)),))
        verdict = entry(gate, draft(), facts())
        assert denied(verdict) == "rule_error"
        assert "risk rule wild" in verdict.text  # type: ignore[union-attr]
        assert gate.fault is not None
        assert gate.fault[0] == "wild"
        assert denied(entry(gate, draft(), facts(cash_free=D(1)))) == "cash"
        assert gate.fault is None

    def test_a_process_may_still_end(self, facts: Make, draft: Make) -> None:
        """What asks for the process to end is no fault of a rule."""
        gate = PreTradeRiskGate(OPEN_GATE, (("a", Rule(KeyboardInterrupt())),))
        with pytest.raises(KeyboardInterrupt):
            entry(gate, draft(), facts())


class TestExits:
    @pytest.mark.parametrize(("code", "fault"), EXIT_FAULTS)
    def test_each_rule_is_asked(self, facts: Make, draft: Make, code: str, fault: dict[str, Any]) -> None:
        """One thing that forbids an exit denies it, with that thing's code."""
        verdict = PreTradeRiskGate(OPEN_GATE).check_exit(draft(side=Side.SELL), facts(**fault), "order-1")
        assert denied(verdict) == code

    def test_skips_the_limits(self, facts: Make, draft: Make) -> None:
        """Nothing that limits exposure holds an exit back: losses, halts, stale data, cash, plugins' rules."""
        rule = Rule(Denial(code="mine", text="never"))
        gate = PreTradeRiskGate(OPEN_GATE, (("a", rule),))
        desk = facts(
            desk_state=DeskState.HALTED,
            limit=Denial(code="daily_loss", text="x"),
            session="no_entry_window",
            age_ns=10**15,
            cash_free=D(-5),
            gross_exposure=D(9999),
            held_value=D(9999),
        )
        assert isinstance(gate.check_exit(draft(side=Side.SELL), desk, "order-1"), ApprovedOrder)
        assert rule.asked == []


def test_a_snapshot_of_an_approval_is_reinstated(facts: Make, draft: Make) -> None:
    """The gate makes an order again of the fields of one that it approved."""
    gate = PreTradeRiskGate(OPEN_GATE)
    order = entry(gate, draft(), facts())
    assert isinstance(order, ApprovedOrder)
    fields = msgspec.structs.asdict(order)
    del fields["seal"]
    again = gate.reinstate(fields)
    assert again == order
    assert require_approved(again) is again
