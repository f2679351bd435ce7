"""The nine hooks of a plugin, one for each kind: what a plugin's module implements and its entry points announce.

A hook takes nothing and yields records. It is called once, when a configuration names the plugin; what happens per
bar and per order are methods of the objects that the records' factories build. Each docstring holds a whole plugin
module that runs as it stands; tests run them. May hold no behaviour.

The entry point's name is the record's name, its target the module:

    [project.entry-points."mqd.sizers"]
    one_share = "mqd_plugin_one_share.plugin"
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import pluggy

from mqd_core.api.records import (
    BrokerRecord,
    CommandRecord,
    DataProviderRecord,
    ExecutorRecord,
    ObserverRecord,
    RiskRuleRecord,
    SizerRecord,
    StoreRecord,
    StrategyRecord,
)

#: Version of hooks, records and ports. The second number grows with additions, the first with what breaks plugins.
API_VERSION: Final = (1, 0)
#: pluggy's project name; it marks the hooks of mqd among those of other programs.
PROJECT: Final = "mqd"

hookspec: Final = pluggy.HookspecMarker(PROJECT)
#: Decorator for a plugin's hook functions.
hookimpl: Final = pluggy.HookimplMarker(PROJECT)


class HookSpecs:
    """The hooks. A method's name is its entry-point group with an underscore: `mqd.brokers`, `mqd_brokers`."""

    @hookspec
    def mqd_brokers(self) -> Iterable[BrokerRecord[Any]]:
        """Yield one BrokerRecord for each broker.

        Import the SDK in the factory, never with the module. `emergency=` takes a second factory, for `mqd kill`.

        Example::

            from decimal import Decimal

            from mqd_core.api import (
                AccountReport, Asset, BrokerCapabilities, BrokerClock, BrokerRecord, PluginSettings, Refused, hookimpl
            )

            class ClosedSettings(PluginSettings):
                cash: Decimal = Decimal(1000)


            class ClosedBroker:
                capabilities = BrokerCapabilities(simulated=True, not_found_is_final=True)
                venue = None

                def __init__(self, settings, context):
                    self._cash, self._clock = settings.cash, context.clock

                def open(self, sink):
                    return self.account()

                def submit(self, order):
                    raise Refused("this broker takes no orders", code="closed")

                def cancel(self, order):
                    raise Refused("this broker has no orders", code="closed")

                def find_order(self, client_order_id): return None
                def orders(self, since_ns): return ()
                def activities(self, after): return ()
                def positions(self): return ()
                def close(self): return None

                def account(self):
                    now_ns = self._clock.now_ns()
                    return AccountReport(ts=now_ns, account="CLOSED", cash=self._cash, buying_power=self._cash)

                def assets(self, symbols):
                    return [Asset(symbol=symbol) for symbol in symbols]

                def clock(self):
                    return BrokerClock(now_ns=self._clock.now_ns(), is_open=False)


            @hookimpl
            def mqd_brokers():
                yield BrokerRecord(
                    name="closed", summary="A broker that refuses every order", settings=ClosedSettings,
                    factory=ClosedBroker, capabilities=ClosedBroker.capabilities,
                )
        """
        raise NotImplementedError

    @hookspec
    def mqd_data_providers(self) -> Iterable[DataProviderRecord[Any]]:
        """Yield one DataProviderRecord for each data source.

        Example::

            from mqd_core.api import BarChunk, DataProviderRecord, PluginSettings, hookimpl


            class FlatSettings(PluginSettings):
                symbols: tuple[str, ...]
                price: float = 100.0


            class FlatProvider:
                def __init__(self, settings, context):
                    self._price = settings.price

                def history(self, symbol, timeframe, start_ns, end_ns):
                    import numpy

                    starts = (start_ns or 0) + numpy.arange(390, dtype=numpy.int64) * timeframe.length_ns
                    starts = starts if end_ns is None else starts[starts < end_ns]
                    price, volume = numpy.full(len(starts), self._price), numpy.full(len(starts), 1000.0)
                    yield BarChunk(
                        symbol=symbol, start_ns=starts, open=price, high=price, low=price, close=price, volume=volume
                    )

                def live(self, symbols, timeframe, sink):
                    raise NotImplementedError("this source has history only")

                def close(self):
                    return None


            @hookimpl
            def mqd_data_providers():
                yield DataProviderRecord(
                    name="flat", summary="Bars of one price", settings=FlatSettings, factory=FlatProvider,
                    has_history=True, has_live=False, synthetic=True,
                )
        """
        raise NotImplementedError

    @hookspec
    def mqd_strategies(self) -> Iterable[StrategyRecord[Any]]:
        """Yield one StrategyRecord for each strategy.

        Example::

            from decimal import Decimal

            from pydantic import Field

            from mqd_core.api import PluginSettings, Signal, SignalAction, StrategyRecord, hookimpl


            class BreakoutSettings(PluginSettings):
                level: float = Field(gt=0, description="Price above which it enters, USD")
                stop_loss_pct: Decimal = Field(default=Decimal("0.02"), gt=0, lt=1, description="Fraction of the fill")


            class Breakout:
                def __init__(self, settings, context):
                    self._settings = settings

                def on_bar(self, bar, view):
                    if view.book.quantity or bar.close <= self._settings.level:
                        return ()
                    reason = (("close", bar.close), ("level", self._settings.level))
                    stop = self._settings.stop_loss_pct
                    return (Signal(action=SignalAction.ENTER, symbol=bar.symbol, stop_loss=stop, reason=reason),)

                def on_fill(self, fill, view):
                    return None


            @hookimpl
            def mqd_strategies():
                yield StrategyRecord(
                    name="Breakout", summary="Enters above a price", settings=BreakoutSettings, factory=Breakout
                )
        """
        raise NotImplementedError

    @hookspec
    def mqd_sizers(self) -> Iterable[SizerRecord[Any]]:
        """Yield one SizerRecord for each sizer.

        Example::

            from decimal import Decimal

            from mqd_core.api import PluginSettings, Size, SizerRecord, hookimpl


            class OneShareSettings(PluginSettings):
                shares: Decimal = Decimal(1)


            class OneShare:
                def __init__(self, settings, context):
                    self._shares = settings.shares

                def size(self, signal, view):
                    return Size(quantity=self._shares, reason="always the same")


            @hookimpl
            def mqd_sizers():
                yield SizerRecord(
                    name="one_share", summary="The same each time", settings=OneShareSettings, factory=OneShare
                )
        """
        raise NotImplementedError

    @hookspec
    def mqd_stores(self) -> Iterable[StoreRecord[Any]]:
        """Yield one StoreRecord for each store.

        Example::

            from mqd_core.api import (
                Head, JournalRow, NoSettings, Projection, StoreRecord, encode_body, hookimpl, kind_of
            )


            class MemoryStore:
                durable = False

                def __init__(self, settings, context):
                    self._rows, self._projection, self._snapshot = [], Projection(), None

                def commit(self, batch):
                    for entry in batch.entries:
                        self._projection.apply(entry)
                        kind, body = kind_of(entry.body), encode_body(entry.body)
                        row = JournalRow(sequence=entry.sequence, ordinal=entry.ordinal, kind=kind, body=body)
                        self._rows.append(row)
                    self._projection.mark(batch.marks)
                    self._projection.settle(batch.sequence, batch.ts)
                    self._snapshot = batch.snapshot or self._snapshot
                    ordinal = self._rows[-1].ordinal if self._rows else 0
                    return Head(sequence=batch.sequence, ordinal=ordinal, rows=len(self._rows), hash="")

                def read(self, after_sequence):
                    return (row for row in list(self._rows) if row.sequence > after_sequence)

                def latest_snapshot(self):
                    return self._snapshot

                def view(self):
                    return self._projection.view()

                def close(self):
                    return None


            @hookimpl
            def mqd_stores():
                yield StoreRecord(
                    name="memory", summary="Forgets all at the end", settings=NoSettings, factory=MemoryStore
                )
        """
        raise NotImplementedError

    @hookspec
    def mqd_risk_rules(self) -> Iterable[RiskRuleRecord[Any]]:
        """Yield one RiskRuleRecord for each rule that may deny orders.

        Example::

            from mqd_core.api import Denial, PluginSettings, RiskRuleRecord, hookimpl


            class OnlySettings(PluginSettings):
                symbols: tuple[str, ...]


            class OnlySymbols:
                def __init__(self, settings, context):
                    self._allowed = frozenset(settings.symbols)

                def check(self, draft, view):
                    if draft.symbol in self._allowed:
                        return None
                    return Denial(code="symbol_not_allowed", text=f"{draft.symbol} is not on the list")


            @hookimpl
            def mqd_risk_rules():
                yield RiskRuleRecord(
                    name="only_symbols", summary="Denies unlisted symbols", settings=OnlySettings, factory=OnlySymbols
                )
        """
        raise NotImplementedError

    @hookspec
    def mqd_observers(self) -> Iterable[ObserverRecord[Any]]:
        """Yield one ObserverRecord for each observer of committed records.

        Example::

            from mqd_core.api import NoSettings, ObserverRecord, hookimpl


            class Ticker:
                def __init__(self, settings, context):
                    self._log = context.log

                def on_record(self, record):
                    self._log.info(f"committed: {type(record).__name__}")


            @hookimpl
            def mqd_observers():
                yield ObserverRecord(
                    name="ticker", summary="Logs each record's kind", settings=NoSettings, factory=Ticker
                )
        """
        raise NotImplementedError

    @hookspec
    def mqd_commands(self) -> Iterable[CommandRecord]:
        """Yield one CommandRecord for each extra subcommand of `mqd`; it is loaded when it is called.

        Example::

            from mqd_core.api import CommandRecord, hookimpl


            def _load():
                import click

                @click.command()
                def hello():
                    click.echo("hello from a plugin")

                return hello


            @hookimpl
            def mqd_commands():
                yield CommandRecord(name="hello", summary="Greets", load=_load)
        """
        raise NotImplementedError

    @hookspec
    def mqd_executors(self) -> Iterable[ExecutorRecord[Any]]:
        """Yield one ExecutorRecord for each way to run the jobs of a sweep.

        Example::

            from concurrent.futures import ProcessPoolExecutor
            from multiprocessing import get_context

            from mqd_core.api import ExecutorRecord, PluginSettings, hookimpl


            class PoolSettings(PluginSettings):
                workers: int = 2


            class Pool:
                def __init__(self, settings, context):
                    self._pool = ProcessPoolExecutor(settings.workers, mp_context=get_context("spawn"))

                def run(self, job, inputs):
                    return self._pool.map(job, inputs)

                def close(self):
                    self._pool.shutdown(cancel_futures=True)


            @hookimpl
            def mqd_executors():
                yield ExecutorRecord(
                    name="pool", summary="Worker processes on this machine", settings=PoolSettings, factory=Pool
                )
        """
        raise NotImplementedError
