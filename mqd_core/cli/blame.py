"""Whose code an unexpected error came from: a plugin's, a local strategy's, or the desk's own. May not import it."""

from __future__ import annotations

import traceback
from typing import Final

from mqd_core.registry.discovery import discover
from mqd_core.registry.failure import place

_LOCAL: Final = "mqd_local_"


def culprit(error: BaseException) -> str:
    """Such as `unexpected error in broker plugin 'mock' (mqd-plugin-mock 0.1.0) at connector.py:7`."""
    packages = _packages(error)
    owners: dict[str, str] = {}
    for found in discover():
        owners.setdefault(found.target.partition(":")[0].partition(".")[0].strip(), found.label)
    for package in reversed(packages):
        if package.startswith(_LOCAL):
            return f"unexpected error in the strategy file {place(error, package)}"
        if package in owners:
            return f"unexpected error in {owners[package]} at {place(error, package)}"
    return f"unexpected error at {place(error, packages[-1])}" if packages else "unexpected error"


def _packages(error: BaseException) -> list[str]:
    """Top-level packages that the error went through, outermost first."""
    frames = traceback.walk_tb(error.__traceback__)
    return [str(frame.f_globals.get("__name__", "")).partition(".")[0] for frame, _ in frames]
