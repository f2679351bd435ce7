"""The rows of `mqd plugins list`, as plain data, from metadata alone.

May not import a plugin, nor what importing one needs: the command answers at once, whatever is installed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from mqd_core import __version__
from mqd_core.registry.discovery import discover
from mqd_core.registry.kinds import Kind
from mqd_core.registry.requirements import AllowList
from mqd_core.registry.standing import Standing, judge


@dataclass(frozen=True, slots=True)
class Row:
    """One installed plugin: `status` is a value of `Status`, `detail` the reason for it in words."""

    kind: str
    name: str
    distribution: str
    version: str
    status: str
    detail: str

    def to_json(self) -> dict[str, str]:
        """Return the row as it stands in `--json` output."""
        return {
            "kind": self.kind,
            "name": self.name,
            "distribution": self.distribution,
            "version": self.version,
            "status": self.status,
            "detail": self.detail,
        }


def rows(
    *,
    configured: Collection[tuple[Kind, str]] = (),
    allow: Sequence[str] | None = None,
    core_version: str = __version__,
) -> tuple[Row, ...]:
    """Return what is installed, sorted by kind, name and distribution.

    Args:
        configured: the kinds and names that the configuration mentions.
        allow: the configuration's `plugins.allow`; None allows every distribution.
        core_version: what the plugins' requirements are measured by.
    """
    standings = judge(discover(), configured=configured, allow=AllowList(allow), core_version=core_version)
    return tuple(_row(standing) for standing in standings)


def _row(standing: Standing) -> Row:
    found = standing.found
    return Row(
        kind=found.kind.value,
        name=found.name,
        distribution=found.distribution,
        version=found.version,
        status=standing.status.value,
        detail=standing.detail,
    )
