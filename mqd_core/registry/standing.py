"""Whether each found plugin may be used, from metadata alone. May not import a plugin.

A plugin is judged against the others (two may not share a name), the allow list, this version of the core, and the
configuration, in that order; the first objection is the one that is told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum

from mqd_core import __version__
from mqd_core.registry.discovery import UNKNOWN, Found
from mqd_core.registry.kinds import Kind
from mqd_core.registry.requirements import AllowList, core_mismatch


class Status(str, Enum):
    """What `mqd plugins list` says of a plugin."""

    OK = "ok"
    CONFIGURED = "configured"
    CONFLICT = "conflict"
    BLOCKED = "blocked"
    INCOMPATIBLE = "incompatible"

    @property
    def usable(self) -> bool:
        """Whether a plugin of this status may be loaded."""
        return self in {Status.OK, Status.CONFIGURED}


@dataclass(frozen=True, slots=True)
class Standing:
    """A found plugin, what may be done with it, and the reason in words ("" if there is nothing to say)."""

    found: Found
    status: Status
    detail: str = ""


def judge(
    found: Sequence[Found],
    *,
    configured: Collection[tuple[Kind, str]] = (),
    allow: AllowList | None = None,
    core_version: str = __version__,
) -> tuple[Standing, ...]:
    """Return the standing of each found plugin, in the order of `found`.

    Args:
        found: everything that is installed: conflicts are seen among these.
        configured: the kinds and names that the configuration mentions.
        allow: the configuration's allow list; None allows everything.
        core_version: the version that the plugins' requirements are measured by.
    """
    claims = Counter((one.kind, one.name) for one in found)
    standings = []
    for one in found:
        status, detail = _objection(one, found, claims, allow, core_version)
        if status is Status.OK and (one.kind, one.name) in configured:
            status = Status.CONFIGURED
        standings.append(Standing(one, status, detail))
    return tuple(standings)


def _objection(
    one: Found,
    found: Sequence[Found],
    claims: Counter[tuple[Kind, str]],
    allow: AllowList | None,
    core_version: str,
) -> tuple[Status, str]:
    if claims[one.kind, one.name] > 1:
        rivals = [other for other in found if (other.kind, other.name) == (one.kind, one.name)]
        return Status.CONFLICT, f"claimed by {claimants(rivals)}"
    refusal = allow.refusal(one) if allow else ""
    if refusal:
        return Status.BLOCKED, refusal
    mismatch = _unreadable(one) or core_mismatch(one, core_version)
    if mismatch:
        return Status.INCOMPATIBLE, mismatch
    return Status.OK, ""


def claimants(rivals: Sequence[Found]) -> str:
    """Return the distributions that claim one name, sorted, with versions: `a 1.0 and b 2.0`."""
    origins = sorted({rival.origin for rival in rivals})
    if len(origins) == 1:
        return f"{origins[0]} more than once"
    return " and ".join(origins)


def _unreadable(one: Found) -> str:
    if UNKNOWN in (one.distribution, one.version):
        return "its metadata has no name or no version: install it again"
    if not one.name or not one.target:
        return "its entry point is not of the form name = module"
    return ""
