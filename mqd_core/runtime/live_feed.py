"""LiveFeed: a data source's `live()` in a thread of the runtime, with the bus as its sink.

What a source hands over is looked at here, in the source's own thread, so that its fault stays with it. When the
thread ends and nobody closed it, the desk is told: it has no data from then on. May not judge a bar: that is the
validator's, in the loop.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Final

from mqd_core.domain.events import BarRevised, FeedStatus, PluginFailed
from mqd_core.domain.market import Bar, Timeframe
from mqd_core.engine.faults import place_of
from mqd_core.ports.data import MarketDataProvider
from mqd_core.runtime.bus import OrderEventBus
from mqd_core.runtime.clocks import Clock

#: The code of the status that follows the end of the thread.
DOWN: Final = "down"
_JOIN_SECONDS: Final = 10.0
_BAR: Final = {"symbol": str, "start_ns": int, **dict.fromkeys(("open", "high", "low", "close", "volume"), float)}
_REVISION: Final = {"ts": int, "bar": Bar}
_STATUS: Final = {"ts": int, "code": str, "symbol": str, "text": str}


class LiveFeed:
    """One source and its thread. `label` is its kind and name, as records say it."""

    def __init__(
        self,
        provider: MarketDataProvider,
        label: str,
        symbols: Sequence[str],
        timeframe: Timeframe,
        *,
        bus: OrderEventBus,
        clock: Clock,
    ) -> None:
        self.label = label
        self._provider = provider
        self._symbols = tuple(symbols)
        self._timeframe = timeframe
        self._bus = bus
        self._clock = clock
        self._is_closed = False
        # A daemon: a source that does not heed its close may not keep the process alive.
        self._thread = threading.Thread(target=self._run, name="mqd-feed", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Close the source, once, and wait for its thread; also before the start."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            self._provider.close()
        finally:
            if self._thread.is_alive():
                self._thread.join(_JOIN_SECONDS)

    def sink(self, event: object) -> None:
        """Take what the source reports; thread-safe. Raises TypeError for what its port does not allow."""
        if isinstance(event, Bar):
            _check(event, _BAR)
        elif isinstance(event, BarRevised):
            _check(event, _REVISION)
            _check(event.bar, _BAR)
        elif isinstance(event, FeedStatus):
            _check(event, _STATUS)
        else:
            message = f"the source handed over a {type(event).__name__}; Bar, BarRevised and FeedStatus are allowed"
            raise TypeError(message)
        self._bus.put(event)

    def _run(self) -> None:
        # A boundary of the thread: a source may raise anything, SystemExit included; the desk is told and goes on.
        try:
            self._provider.live(self._symbols, self._timeframe, self.sink)
        except BaseException as error:  # noqa: BLE001  it becomes an event, and a person is told
            self._tell(type(error).__name__, place_of(error), str(error))
        else:
            self._tell("FeedEnded", "", "live() returned before it was closed")

    def _tell(self, error_type: str, place: str, text: str) -> None:
        if self._is_closed:
            return
        self._bus.put(self.failed(error_type, place, text))
        status = f"the source of bars has ended ({error_type}); no bar comes until the desk is started again"
        self._bus.put(FeedStatus(ts=self._clock.now_ns(), code=DOWN, text=status))

    def failed(self, error_type: str, place: str, text: str) -> PluginFailed:
        """What the desk is told of a fault of the source."""
        return PluginFailed(ts=self._clock.now_ns(), plugin=self.label, error_type=error_type, place=place, text=text)


def _check(event: object, fields: Mapping[str, type]) -> None:
    """Hold an event to the types of its fields: what only looks like a float cannot be journaled."""
    for name, kind in fields.items():
        value = getattr(event, name)
        if type(value) is not kind:
            was = f"{name} of a {type(event).__name__} was {value!r}, a {type(value).__name__}"
            message = f"{was}; a {kind.__name__} is allowed"
            raise TypeError(message)
