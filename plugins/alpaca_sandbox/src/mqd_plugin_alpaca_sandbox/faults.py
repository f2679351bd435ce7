"""The faults a sandbox was told to show, and how often each did. Knows neither HTTP nor sockets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

#: What can be asked for; the plugin's README says what each does.
KINDS: Final = {
    "answer": frozenset({"method", "path", "status", "body", "content_type", "taken"}),
    "delay": frozenset({"method", "path", "seconds", "taken"}),
    "stale_positions": frozenset({"seconds"}),
    "reject": frozenset({"symbol"}),
    "slow_cancel": frozenset({"symbol", "seconds"}),
    "lose": frozenset({"event", "symbol"}),
    "repeat": frozenset({"event", "symbol"}),
    "null": frozenset({"event", "symbol"}),
    "alter": frozenset({"event", "symbol", "data", "order"}),
    "mute": frozenset({"event", "symbol"}),
    "cut": frozenset({"event", "symbol"}),
    "refuse": frozenset({"status"}),
}
_EVERY: Final = frozenset({"kind", "times", "skip"})
_FOREVER: Final = 1_000_000_000


class FaultError(ValueError):
    """A plan that cannot be read, in words."""


@dataclass(slots=True)
class Fault:
    """One fault: what it is, what it looks for, how often it still comes and how many matches it lets pass first."""

    kind: str
    details: Mapping[str, object]
    times: int = 1
    skip: int = 0
    fired: int = 0

    def matches(self, facts: Mapping[str, object]) -> bool:
        """Whether it applies to something with these facts; `path` is a prefix, everything else equal."""
        for name, fact in facts.items():
            wanted = self.details.get(name)
            if wanted is None:
                continue
            if not (str(fact).startswith(str(wanted)) if name == "path" else fact == wanted):
                return False
        return True

    def number(self, name: str, default: float) -> float:
        """A number among its details."""
        value = self.details.get(name, default)
        return value if isinstance(value, int | float) else default

    def flag(self, name: str) -> bool:
        """A switch among its details."""
        return self.details.get(name) is True

    def body(self) -> dict[str, object]:
        """The fault as the admin endpoint shows it."""
        return {"kind": self.kind, **self.details, "times": self.times, "skip": self.skip, "fired": self.fired}


@dataclass(slots=True)
class FaultPlan:
    """Faults in the order they were asked for; the first that matches fires."""

    faults: list[Fault] = field(default_factory=list)

    def take(self, kind: str, **facts: object) -> Fault | None:
        """The fault of this kind that fires now, or None; each call that matches uses it up once."""
        for fault in self.faults:
            if fault.kind != kind or fault.fired >= fault.times or not fault.matches(facts):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            fault.fired += 1
            return fault
        return None

    def add(self, described: object) -> None:
        """Take faults on: one object, a list of them, or `{"faults": [...]}`. Raises FaultError and then takes none."""
        if isinstance(described, Mapping) and "faults" in described:
            described = described["faults"]
        rows = described if isinstance(described, list) else [described]
        self.faults += [read_fault(row) for row in rows]


def read_fault(row: object) -> Fault:
    """A fault from JSON; raises FaultError, naming what is allowed."""
    if not isinstance(row, Mapping):
        raise FaultError(f"a fault must be an object with a `kind`, was {row!r}")
    kind = row.get("kind")
    if kind not in KINDS:
        raise FaultError(f"kind was {kind!r}: must be one of {', '.join(KINDS)}")
    unknown = sorted(set(row) - KINDS[kind] - _EVERY)
    if unknown:
        raise FaultError(f"{kind} has no {unknown[0]!r}: it has {', '.join(sorted(KINDS[kind] | _EVERY))}")
    times, skip = row.get("times", 1), row.get("skip", 0)
    if times == "always":
        times = _FOREVER
    if not isinstance(times, int) or not isinstance(skip, int) or times < 1 or skip < 0:
        raise FaultError(f'{kind}: times must be a whole number from 1 or "always", skip a whole number from 0')
    details = {name: value for name, value in row.items() if name not in _EVERY}
    return Fault(str(kind), details, times, skip)


def read_plan(path: Path) -> FaultPlan:
    """The plan of a JSON file; raises FaultError."""
    plan = FaultPlan()
    try:
        plan.add(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise FaultError(f"{path}: {error}") from error
    return plan
