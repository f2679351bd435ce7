"""Whose code an unexpected error came from: a plugin's, a local strategy's, or the desk's own. May not import it."""

from __future__ import annotations

import traceback
from typing import Final

from mqd_core.registry.discovery import Found, discover
from mqd_core.registry.failure import place

_LOCAL: Final = "mqd_local_"


def culprit(error: BaseException) -> str:
    """Such as `unexpected error in broker plugin 'mine' (mqd-plugin-mine 0.1.0) at connector.py:7`."""
    packages = _packages(error)
    owners = _owners()
    for package in reversed(packages):
        if package.startswith(_LOCAL):
            return f"unexpected error in the strategy file {place(error, package)}"
        if package in owners:
            return f"unexpected error in {_named(owners[package])} at {place(error, package)}"
    return f"unexpected error at {place(error, packages[-1])}" if packages else "unexpected error"


def _owners() -> dict[str, list[Found]]:
    """Installed plugins by the top-level package that holds them."""
    owners: dict[str, list[Found]] = {}
    for found in discover():
        owners.setdefault(found.target.partition(":")[0].partition(".")[0].strip(), []).append(found)
    return owners


def _named(found: list[Found]) -> str:
    """One plugin by its name; of several in one package it is not known which, so all are named."""
    if len(found) == 1:
        return found[0].label
    origins = dict.fromkeys(one.origin for one in found)
    return f"{' or '.join(origins)} ({', '.join(f'{one.kind.label} {one.name}' for one in found)})"


def _packages(error: BaseException) -> list[str]:
    """Top-level packages that the error went through, outermost first."""
    frames = traceback.walk_tb(error.__traceback__)
    return [str(frame.f_globals.get("__name__", "")).partition(".")[0] for frame, _ in frames]
