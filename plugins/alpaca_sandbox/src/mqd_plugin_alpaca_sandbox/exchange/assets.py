"""What can be traded here. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mqd_plugin_alpaca_sandbox.exchange.errors import not_found
from mqd_plugin_alpaca_sandbox.exchange.notation import made_uuid


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedAsset:
    """A US stock or fund as the service describes it."""

    symbol: str
    tradable: bool = True
    fractionable: bool = True
    fractional_extended_hours: bool = False
    exchange: str = "NYSE"

    @property
    def id(self) -> str:
        """Its UUID, the same in every sandbox."""
        return made_uuid("asset", self.symbol)


class AssetList:
    """Every asset of a sandbox, found by symbol or id."""

    __slots__ = ("_by_id", "_by_symbol")

    def __init__(self, assets: Iterable[ListedAsset]) -> None:
        self._by_symbol = {asset.symbol: asset for asset in assets}
        self._by_id = {asset.id: asset for asset in self._by_symbol.values()}

    def __iter__(self) -> Iterator[ListedAsset]:
        return iter(self._by_symbol.values())

    def find(self, symbol_or_id: str) -> ListedAsset | None:
        """The asset, or None."""
        return self._by_symbol.get(symbol_or_id) or self._by_id.get(symbol_or_id)

    def named(self, symbol_or_id: str) -> ListedAsset:
        """The asset; raises ApiError 404."""
        found = self.find(symbol_or_id)
        if found is None:
            raise not_found(f"asset not found for {symbol_or_id}")
        return found
