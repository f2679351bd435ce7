"""The composition root: one configuration becomes one system, in the order that a reader would tell it.

plugins -> lock -> store -> data -> broker -> account checks -> books (new, resumed, finished) -> strategies -> engine
-> feed -> run. Whatever is wrong is raised before any order can be made. May not run what it builds.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Literal

import msgspec

from mqd_core import __version__
from mqd_core.api.records import DataProviderRecord
from mqd_core.app.engine_settings import BASE, engine_settings, lookback_in_feed_bars, traded_symbols
from mqd_core.app.factories import Builder, desk_places
from mqd_core.app.identity import feed_identity, settings_digest
from mqd_core.app.places import DeskLock, DeskPlaces
from mqd_core.app.plugins import ChosenPlugins, choose_plugins
from mqd_core.app.preflight import check_account, check_books
from mqd_core.config import Config, Problem
from mqd_core.domain.events import AccountSnapshot, RunStarted
from mqd_core.domain.journal import Entry, FeedCursor
from mqd_core.domain.market import Bar
from mqd_core.domain.sessions import xnys
from mqd_core.engine.engine import Engine
from mqd_core.engine.settings import StrategySlot
from mqd_core.errors import ConfigError, DataMissing, RunFailed
from mqd_core.ports import BrokerConnector, MarketDataProvider, Snapshot, Store
from mqd_core.registry.loader import Registry
from mqd_core.runtime.clocks import EngineClock, steady_ns
from mqd_core.runtime.equity_curve import EquityCurve
from mqd_core.runtime.feed import BarFeed, FeedChunk, warm_up_bars
from mqd_core.runtime.memory_store import BlobJournal, InMemoryStore
from mqd_core.runtime.performer import EffectPerformer, Probe, no_probe
from mqd_core.runtime.simulated_run import Progress, RunMarks, RunParts, SimulatedRun
from mqd_core.runtime.stopping import StopRequest
from mqd_core.runtime.validator import DataValidator, Rejection

Mode = Literal["run", "backtest"]


@dataclass(slots=True, kw_only=True)
class Hooks:
    """What the caller of a run wants to be told, or to interfere with under test."""

    stop: StopRequest = field(default_factory=StopRequest)
    on_progress: Callable[[Progress], None] | None = None
    on_committed: Callable[[tuple[Entry, ...]], None] = field(default=lambda _entries: None)
    on_rejected: Callable[[Sequence[Rejection]], None] = field(default=lambda _rejections: None)
    on_timing: Callable[[str, str, int], None] | None = None
    probe: Probe = no_probe
    #: Keeps a backtest's journal, in the stead of a file in the run folder.
    journal: InMemoryStore | None = None


@dataclass(slots=True, kw_only=True)
class System:
    """Everything of one run, built and wired."""

    config: Config
    plugins: ChosenPlugins
    places: DeskPlaces
    engine: Engine
    store: Store | InMemoryStore
    curve: EquityCurve
    validator: DataValidator
    run: SimulatedRun
    warnings: tuple[Problem, ...]
    is_synthetic: bool


@dataclass(frozen=True, slots=True)
class _OpenFeed:
    """A feed whose first chunk has been read."""

    chunks: Iterator[FeedChunk]
    first: FeedChunk
    validator: DataValidator
    first_load_ns: int


@dataclass(frozen=True, slots=True)
class _OpenBook:
    """The store as it was found, with what to go on with; `over` is the run that brought its book to an end."""

    store: Store | InMemoryStore
    snapshot: Snapshot | None = None
    over: str = ""


class NothingLeft(Exception):
    """Raised when the feed was read to its end before, and the account's own record goes on: nothing to trade."""


class Assembly:
    """Builds one System; what it opened is closed in the opposite order by `close`."""

    def __init__(  # noqa: PLR0917  one caller, and each is needed
        self,
        config: Config,
        registry: Registry,
        mode: Mode,
        run_id: str,
        folder: Path,
        window: tuple[int | None, int | None],
        hooks: Hooks,
    ) -> None:
        self._config = config
        self._registry = registry
        self._mode = mode
        self._run_id = run_id
        self._folder = folder
        self._start_ns, self._end_ns = window
        self._hooks = hooks
        self._opened = ExitStack()
        self._clock = EngineClock()

    def close(self) -> None:
        """Close broker, data, store and lock."""
        self._opened.close()

    def plugins(self) -> tuple[ChosenPlugins, Builder]:
        """What the configuration names, and what builds it; nothing is built yet."""
        config = self._config
        plugins = choose_plugins(config, self._registry, for_backtest=self._mode == "backtest")
        places = desk_places(config) if self._mode == "run" else DeskPlaces(self._folder / "desk")
        return plugins, Builder(config, plugins, places, self._clock)

    def build(self) -> System:
        """Build everything; raises MqdError, and NothingLeft where there is nothing to do."""
        config, hooks = self._config, self._hooks
        plugins, builder = self.plugins()
        places = builder.places
        if self._mode == "run":
            self._opened.enter_context(DeskLock(places, self._run_id))
        identity = feed_identity(config, plugins.data, self._start_ns, self._end_ns)
        symbols = traded_symbols(config)
        provider = builder.data()
        self._opened.callback(provider.close)
        # Before the book is touched: data that are not there, or a plugin that fails, must leave everything as it was.
        feed = self._feed(provider, plugins, symbols)
        broker = builder.broker()
        self._opened.callback(broker.close)
        performer = EffectPerformer(broker, hooks.probe)
        account = broker.open(performer.sink)
        slots = builder.strategies()
        engine = self._engine(builder, broker, account, slots)
        book = self._open_book(builder, broker, identity)
        snapshot = book.snapshot
        warnings = check_account(config, broker, account, symbols, feed.first, is_new_book=snapshot is None)
        store = self._begin_anew(builder, book) if book.over else book.store
        curve = EquityCurve(len(symbols), BASE, xnys(), float(account.cash))
        marks = self._restore(engine, broker, curve, snapshot) if snapshot is not None else None
        parts = RunParts(
            engine=engine,
            broker=broker,
            performer=performer,
            store=store,
            chunks=feed.chunks,
            validator=feed.validator,
            curve=curve,
            stop=hooks.stop,
            started=self._started(plugins, identity, engine, feed.first),
            warm_up=self._warm_up(provider, slots, symbols, snapshot),
            resume=snapshot.cursor if snapshot is not None else None,
            identity=identity,
            pace=float(config.data.pace) if config.data.pace is not None and self._mode == "run" else None,
            first_load_ns=feed.first_load_ns,
            probe=hooks.probe,
            on_committed=hooks.on_committed,
            on_rejected=hooks.on_rejected,
            on_progress=hooks.on_progress,
            on_timing=hooks.on_timing,
        )
        return System(
            config=config,
            plugins=plugins,
            places=places,
            engine=engine,
            store=store,
            curve=curve,
            validator=feed.validator,
            run=SimulatedRun(parts, marks),
            warnings=warnings,
            is_synthetic=plugins.data.loaded.record_as(DataProviderRecord).synthetic,
        )

    def _engine(
        self, builder: Builder, broker: BrokerConnector, account: AccountSnapshot, slots: tuple[StrategySlot, ...]
    ) -> Engine:
        config = self._config
        engine = Engine(
            engine_settings(
                config,
                account=account.account,
                assets=tuple(broker.assets(traded_symbols(config))),
                slots=slots,
                sizer=builder.sizer(),
                rules=builder.rules(),
            )
        )
        self._clock.follow(lambda: engine.now_ns)
        return engine

    def _open_book(self, builder: Builder, broker: BrokerConnector, identity: str) -> _OpenBook:
        """The store of this desk, with what it last knew: a new book, one to go on with, or one that is over."""
        if self._mode == "backtest":
            journal = self._hooks.journal or BlobJournal(self._folder / "journal.jsonl")
            self._opened.callback(journal.close)
            return _OpenBook(journal)
        store = builder.store()
        self._opened.callback(store.close)
        snapshot = store.latest_snapshot()
        cursor = snapshot.cursor if snapshot is not None else None
        if cursor is not None and cursor.finished:
            if broker.capabilities.own_record:
                raise NothingLeft
            return _OpenBook(store, over=store.view().run_id or self._run_id)
        if cursor is not None and cursor.identity != identity:
            raise ConfigError(_other_feed(self._config, builder.places, cursor, identity))
        if snapshot is not None:
            check_books(self._config, store.view())
        return _OpenBook(store, snapshot)

    def _begin_anew(self, builder: Builder, book: _OpenBook) -> Store:
        """Move the store of a book that is over into its run's folder, and open a new one."""
        book.store.close()
        _retire(builder.places.store, self._folder.parent / book.over)
        store = builder.store()
        self._opened.callback(store.close)
        return store

    def _feed(self, provider: MarketDataProvider, plugins: ChosenPlugins, symbols: tuple[str, ...]) -> _OpenFeed:
        """The feed with its first chunk read: that there is data, and when it begins, is known from here on."""
        name, digest = plugins.data.use.name, settings_digest(plugins.data)
        window = {"start_ns": self._start_ns, "end_ns": self._end_ns}
        validator = DataValidator(BASE, xnys())
        before = steady_ns()
        chunks = BarFeed(provider, name, digest, symbols, BASE, validator=validator, **window).chunks()
        try:
            first = next(chunks)
        except DataMissing as error:
            place = self._config.source.locate(plugins.data.use.where)
            raise DataMissing([f"{place}: {problem}" for problem in error.problems]) from error
        return _OpenFeed(chain((first,), chunks), first, validator, steady_ns() - before)

    def _started(self, plugins: ChosenPlugins, identity: str, engine: Engine, first: FeedChunk) -> RunStarted:
        config = self._config
        return RunStarted(
            ts=max(engine.now_ns, int(first.start_ns[0])),
            run_id=self._run_id,
            desk_id=config.desk.id,
            mode=self._mode,
            book=1,
            configuration=config.digest(),
            feed=identity,
            versions=(("mqd-core", __version__), *plugins.versions()),
            strategies=tuple((entry.id, entry.name) for entry in config.strategies if entry.enabled),
            protection=config.protection.value,
        )

    def _restore(
        self, engine: Engine, broker: BrokerConnector, curve: EquityCurve, snapshot: Snapshot
    ) -> RunMarks | None:
        engine.restore(snapshot.engine)
        if broker.venue is not None and snapshot.venue is not None:
            broker.venue.restore(snapshot.venue)
        if snapshot.run is None:
            return None
        marks = msgspec.msgpack.decode(snapshot.run, type=RunMarks)
        curve.restore(marks.curve)
        return marks

    def _warm_up(
        self,
        provider: MarketDataProvider,
        slots: tuple[StrategySlot, ...],
        symbols: tuple[str, ...],
        snapshot: Snapshot | None,
    ) -> tuple[Bar, ...]:
        """Bars before the range, if there are any; after a restart, the last ones that were consumed."""
        count = lookback_in_feed_bars(slots)
        cursor = snapshot.cursor if snapshot is not None else None
        before = self._start_ns if cursor is None or cursor.start_ns < 0 else cursor.start_ns + 1
        if before is None or not count:
            return ()
        bars = warm_up_bars(provider, symbols, BASE, before, count + 1, sessions=xnys())
        if cursor is not None:
            index = {symbol: place for place, symbol in enumerate(symbols)}
            bars = tuple(
                bar for bar in bars if bar.start_ns < cursor.start_ns or index[bar.symbol] <= cursor.symbol_index
            )
        return _last_of_each(bars, count)


def _last_of_each(bars: tuple[Bar, ...], count: int) -> tuple[Bar, ...]:
    left: dict[str, int] = {}
    kept: list[Bar] = []
    for bar in reversed(bars):
        left[bar.symbol] = left.get(bar.symbol, count) - 1
        if left[bar.symbol] >= 0:
            kept.append(bar)
    return tuple(reversed(kept))


def _retire(store: Path, folder: Path) -> None:
    """Move the store of a finished book into its run's folder; raises RunFailed with the remedy."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _move(store, folder / "store")
    except OSError as error:
        message = (
            f"the store of the finished book, {store}, cannot be moved to {folder / 'store'}: {error.strerror}. Make "
            f"both folders writable, or move {store} away"
        )
        raise RunFailed(message) from error


def _move(source: Path, target: Path) -> None:
    """Rename; only where that is another disk, copy and remove: a copy must not stand beside its original."""
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        shutil.move(source, target)


def _other_feed(config: Config, places: DeskPlaces, cursor: FeedCursor, identity: str) -> str:
    return (
        f"{config.source.locate(('data',))}: desk {config.desk.id} stopped in the middle of another feed. "
        f"Its store {places.store} goes on with:\n  {cursor.identity}\nthe configuration names:\n  {identity}\n"
        "Put the data settings back to finish that feed, give this one another desk.id, "
        f"or move {places.store} away to begin a new book"
    )
