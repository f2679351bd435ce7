"""Plans of faults: draws that depend on nothing but their key, swarms, and plans that lose a kind."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqd_core.testing.faults import ENDING, PER_MINUTE, RATES, FaultKind, FaultPlan

KEYS = [f"key-{number}" for number in range(2_000)]
KINDS = st.sampled_from(FaultKind)


@given(st.integers(0, 10**9), KINDS, st.text())
def test_a_draw_is_a_function_of_its_key(seed: int, kind: FaultKind, key: str) -> None:
    """Asked twice, by two plans, whatever was drawn between: the same; and within its bounds."""
    one, two = FaultPlan.swarm(seed), FaultPlan(seed)
    assert one.part(kind, key) == two.part(kind, key)
    assert 0 <= one.part(kind, key) < 1
    assert 3 <= one.number(kind, key, 3, 5) <= 5
    assert 10**9 <= one.delay_ns(kind, key, 1, 2) <= 2 * 10**9


@given(st.integers(0, 10**9), st.data())
def test_a_plan_that_loses_a_kind_keeps_the_others(seed: int, data: st.DataObject) -> None:
    """All other kinds strike at the same places; the lost one nowhere."""
    plan = FaultPlan(seed, tuple((kind, 0.3) for kind in FaultKind))
    lost = data.draw(KINDS)
    less = plan.without(lost)
    for kind in FaultKind:
        for key in KEYS[:20]:
            assert less.fires(kind, key) is (kind is not lost and plan.fires(kind, key))
    assert plan.only(lost).kinds == (lost,)


@pytest.mark.parametrize("rate", RATES)
def test_a_kind_strikes_at_its_rate(rate: float) -> None:
    """Over two thousand keys the share of strikes is the rate, by six standard deviations at most."""
    struck = sum(FaultPlan(1, ((FaultKind.ANSWER_LOST, rate),)).fires(FaultKind.ANSWER_LOST, key) for key in KEYS)
    assert abs(struck / len(KEYS) - rate) < 6 * (rate * (1 - rate) / len(KEYS)) ** 0.5


def test_what_is_drawn_each_minute_has_its_rate_an_hour() -> None:
    """At rate 0.5 a minute strikes once in 120."""
    struck = sum(FaultPlan(1, ((FaultKind.STREAM_DOWN, 0.5),)).fires(FaultKind.STREAM_DOWN, key) for key in KEYS)
    assert 5 <= struck <= 32


def test_swarms_differ_and_every_kind_is_on_in_some() -> None:
    """Over 2,000 seeds each kind is on in about one of four swarms, one of sixteen for those that end a day."""
    on = Counter(kind for seed in range(2_000) for kind in FaultPlan.swarm(seed).kinds)
    for kind in FaultKind:
        expected = 125 if kind in ENDING else 500
        assert 0.6 * expected < on[kind] < 1.4 * expected
    assert len({FaultPlan.swarm(seed).kinds for seed in range(100)}) == 100
    rates = {rate for seed in range(20) for _, rate in FaultPlan.swarm(seed).rates}
    assert rates == set(RATES)


def test_a_swarm_of_some_kinds_has_no_other() -> None:
    """Kinds that are not asked for are off."""
    some = (FaultKind.ANSWER_LOST, FaultKind.NOT_SENT)
    assert {kind for seed in range(50) for kind in FaultPlan.swarm(seed, some).kinds} == set(some)


def test_a_plan_survives_being_written_down() -> None:
    """A failing plan is printed and read back as the same plan."""
    plan = FaultPlan.swarm(7)
    assert msgspec.json.decode(msgspec.json.encode(plan), type=FaultPlan) == plan


def test_every_kind_names_its_row_of_the_failure_model() -> None:
    """A letter and a number; its value is its name."""
    for kind in FaultKind:
        assert kind.fault_id[0] in "ABPW"
        assert kind.fault_id[1:].isdigit()
        assert kind.value == kind.name.lower()
    assert FaultPlan.always(FaultKind.FEE).fires(FaultKind.FEE, "any minute")
    assert set(FaultKind) > PER_MINUTE
