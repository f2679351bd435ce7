"""Symbols in which nothing may be bought for now, each with its causes. May not decide that one is to be frozen.

A freeze is journaled, outlives the process, and ends with its cause; the gate asks here. Exits are never held back.
"""

from __future__ import annotations

import msgspec

from mqd_core.domain.records import Severity, SymbolMoved
from mqd_core.engine.scribe import Scribe

#: Why a symbol is frozen: somebody else trades it, the broker holds another number of shares, or its shares changed.
EXTERNAL = "external"
POSITION_DIFFERS = "position_differs"
CORPORATE_ACTION = "corporate_action"


class Freeze(msgspec.Struct, frozen=True):
    """One cause; `until_open` ends it with the next session."""

    symbol: str
    code: str
    text: str
    until_open: bool = False


class SymbolFreezes:
    """All freezes, by symbol and cause."""

    def __init__(self, scribe: Scribe) -> None:
        self._scribe = scribe
        self._frozen: dict[tuple[str, str], Freeze] = {}

    def freeze(self, symbol: str, code: str, text: str, *, until_open: bool = False) -> None:
        """Freeze a symbol for a cause, once, and tell a person."""
        if (symbol, code) in self._frozen:
            return
        self._frozen[symbol, code] = Freeze(symbol, code, text, until_open)
        self._write(symbol, "frozen", code, text)
        self._scribe.alert(Severity.WARNING, f"symbol_{code}", symbol, f"no entries in {symbol}: {text}")

    def free(self, symbol: str, code: str, text: str) -> None:
        """End one cause; others of the symbol stay."""
        if self._frozen.pop((symbol, code), None) is not None:
            self._write(symbol, "free", code, text)

    def of(self, symbol: str) -> Freeze | None:
        """The first cause for which a symbol is frozen, None for none."""
        for freeze in self._frozen.values():
            if freeze.symbol == symbol:
                return freeze
        return None

    def with_code(self, code: str) -> tuple[str, ...]:
        """The symbols that are frozen for a cause."""
        return tuple(symbol for symbol, cause in self._frozen if cause == code)

    def session_opened(self) -> None:
        """End what was to last until a session opens."""
        for freeze in [one for one in self._frozen.values() if one.until_open]:
            self.free(freeze.symbol, freeze.code, "a session has opened")

    def state(self) -> tuple[Freeze, ...]:
        """All of them, as plain values."""
        return tuple(self._frozen.values())

    def restore(self, state: tuple[Freeze, ...]) -> None:
        """Become what `state` was taken of."""
        self._frozen = {(freeze.symbol, freeze.code): freeze for freeze in state}

    def _write(self, symbol: str, state: str, code: str, text: str) -> None:
        stamp = self._scribe.stamp()
        self._scribe.records.append(SymbolMoved(*stamp, symbol=symbol, state=state, code=code, text=text))
