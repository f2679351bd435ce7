"""Sums over the last bars, made when they are asked for: in floats with a known error, or exactly.

Nothing is ever subtracted from a sum. A rolling sum that adds the new bar and takes off the old one keeps the rounding
errors of every bar it has seen, and after an hour of large volume a thin hour's average would be mostly error. Here a
sum is that of the bars since the last beginning, plus that of the older bars which are still inside.

May not decide anything: the rules are in `strategy`.
"""

from __future__ import annotations

from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow
from typing import TYPE_CHECKING, Final

from mqd_core.api import ZERO, money

if TYPE_CHECKING:
    from mqd_core.api import Bar

#: Digits enough for the exact sum of any floats; a digit lost would raise `Inexact`. mqd's EXACT has 38, which is right
#: for an account's money and too few for products of unrounded floats.
_WIDE: Final = Context(prec=4_000, traps=[Inexact, InvalidOperation, Overflow])
_THREE: Final = Decimal(3)


class WindowSums:
    """Sums of typical price times volume, threefold, and of volume, over the bars of a ring, as floats.

    The ring is written from its last place down to its first, so it is in order, newest first, whenever its first
    place has been written. From there on the places `[:older]` hold what is left of the bars of the beginning.

    All terms are positive and only added, so a sum is within (bars + 4) * 2**-53 of the true one, relative: at 10,000
    bars within 1.2e-12.
    """

    __slots__ = ("_counted", "_newer_products", "_newer_volumes", "_older_products", "_older_volumes")

    def __init__(self) -> None:
        # At index n: the sum over the newest n bars of the beginning.
        self._older_products: list[float] = []
        self._older_volumes: list[float] = []
        self._newer_products = 0.0
        self._newer_volumes = 0.0
        # The newer bars in the sums are those in the places `[_counted:]`; 0: there is nothing to go on from.
        self._counted = 0

    @property
    def is_begun(self) -> bool:
        """Whether `of` may be called."""
        return self._counted > 0

    def forget(self) -> None:
        """Drop all sums: the places of the older bars have been written over."""
        self._counted = 0

    def begin(self, bars: list[Bar]) -> float:
        """Add up all bars, which are in order, newest first. Return the highest VWAP of the newest 1, 2, .. all bars.

        No later window can have a VWAP above that, unless by bars yet to come: it holds the newest of these bars and
        the later ones, and so its VWAP lies between the VWAPs of the two parts.
        """
        products = volumes = highest_3 = 0.0
        self._older_products, self._older_volumes = [products], [volumes]
        for bar in bars:
            products += (bar.high + bar.low + bar.close) * bar.volume
            volumes += bar.volume
            self._older_products.append(products)
            self._older_volumes.append(volumes)
            if products > highest_3 * volumes:
                highest_3 = products / volumes
        self._newer_products = self._newer_volumes = 0.0
        self._counted = len(bars)
        return highest_3 / 3.0

    def of(self, bars: list[Bar], older: int) -> tuple[float, float]:
        """Return the sums of (high + low + close) * volume and of volume, looking only at bars not yet counted."""
        for bar in bars[older : self._counted]:
            self._newer_products += (bar.high + bar.low + bar.close) * bar.volume
            self._newer_volumes += bar.volume
        self._counted = older
        return self._newer_products + self._older_products[older], self._newer_volumes + self._older_volumes[older]


def is_below_vwap(close: float, bars: list[Bar], kept: Decimal) -> bool:
    """Whether `close` is below `kept` times the VWAP of the bars, in exact arithmetic; False if they have no volume.

    Prices and volumes are the decimals that their floats print as. Nothing is divided: with t = high + low + close,
    close < kept * (sum(t * v) / 3) / sum(v) is asked as 3 * close * sum(v) < kept * sum(t * v).
    """
    products, volumes = ZERO, ZERO
    for bar in bars:
        volume = money(bar.volume)
        typical_3 = _WIDE.add(_WIDE.add(money(bar.high), money(bar.low)), money(bar.close))
        products = _WIDE.fma(typical_3, volume, products)
        volumes = _WIDE.add(volumes, volume)
    return _WIDE.multiply(_WIDE.multiply(_THREE, money(close)), volumes) < _WIDE.multiply(kept, products)
