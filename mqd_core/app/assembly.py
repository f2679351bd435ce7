"""The composition root: one configuration becomes one system, in the order that a reader would tell it.

plugins -> lock -> store -> data -> broker -> account checks -> books (new, resumed, finished) -> strategies -> engine
-> feed -> run. Whatever is wrong is raised before any order can be made. May not run what it builds.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from mqd_core import __version__
from mqd_core.api.records import DataProviderRecord
from mqd_core.app.desk_control import desk_control, guarded
from mqd_core.app.engine_settings import BASE, engine_settings, takes_stops, traded_symbols
from mqd_core.app.factories import Builder, desk_places, is_simulated
from mqd_core.app.finite_source import FiniteSource
from mqd_core.app.hooks import Hooks
from mqd_core.app.identity import goes_on
from mqd_core.app.live_consent import check_live_account, check_live_broker
from mqd_core.app.live_source import LiveSource, offers_live
from mqd_core.app.places import DeskLock, DeskPlaces
from mqd_core.app.plugins import Chosen, ChosenPlugins, choose_plugins
from mqd_core.app.preflight import check_account, check_books
from mqd_core.app.run_core import RunCore, Source
from mqd_core.config import Config, Problem
from mqd_core.domain.events import AccountSnapshot, RunStarted
from mqd_core.domain.journal import FeedCursor
from mqd_core.domain.market import Asset
from mqd_core.domain.sessions import xnys
from mqd_core.engine.engine import Engine
from mqd_core.engine.settings import StrategySlot
from mqd_core.errors import ConfigError, MqdError, RunFailed
from mqd_core.ports import BrokerConnector, MarketDataProvider, Observer, Snapshot, Store
from mqd_core.registry.failure import cause_text
from mqd_core.registry.loader import Registry
from mqd_core.runtime.clocks import EngineClock
from mqd_core.runtime.equity_curve import EquityCurve
from mqd_core.runtime.halt_file import HaltFile
from mqd_core.runtime.live_run import LiveRun
from mqd_core.runtime.live_validator import LiveValidator
from mqd_core.runtime.memory_store import BlobJournal, InMemoryStore
from mqd_core.runtime.send_guard import OnceGuard, SendGuard
from mqd_core.runtime.simulated_run import RunMarks, SimulatedRun
from mqd_core.runtime.validator import DataValidator

A = TypeVar("A")
E = TypeVar("E")
Mode = Literal["run", "backtest"]


@dataclass(slots=True, kw_only=True)
class System:
    """Everything of one run, built and wired."""

    config: Config
    plugins: ChosenPlugins
    places: DeskPlaces
    engine: Engine
    store: Store | InMemoryStore
    curve: EquityCurve
    validator: DataValidator | LiveValidator
    run: SimulatedRun | LiveRun
    #: By kind and name; whoever runs the system shows them what is committed.
    observers: tuple[tuple[str, Observer], ...]
    warnings: tuple[Problem, ...]
    is_synthetic: bool


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
        live_account: str | None = None,
    ) -> None:
        self._config = config
        self._registry = registry
        self._mode = mode
        self._run_id = run_id
        self._folder = folder
        self._start_ns, self._end_ns = window
        #: Who is asked before each order; a backtest's journal is not durable, and bears nothing out.
        self._guard = SendGuard(HaltFile(desk_places(config).root)) if mode == "run" else None
        self._hooks = hooks if self._guard is None else guarded(hooks, self._guard)
        self._live_account = live_account
        self._opened = ExitStack()
        self._clock = EngineClock()

    def close(self) -> None:
        """Close broker, data, store and lock."""
        self._opened.close()

    def plugins(self) -> tuple[ChosenPlugins, Builder]:
        """What the configuration names, and what builds it; nothing is built yet."""
        config, engine_clock = self._config, self._clock
        plugins = choose_plugins(config, self._registry, for_backtest=self._mode == "backtest")
        places = desk_places(config) if self._mode == "run" else DeskPlaces(self._folder / "desk")
        live_account = self._live_account
        if live_account is not None:
            check_live_broker(config, is_simulated=is_simulated(plugins.broker))
        if not self._is_live(plugins):
            return plugins, Builder(config, plugins, places, engine_clock, live_account=live_account)
        wall_clock = self._hooks.clock
        broker_clock = engine_clock if is_simulated(plugins.broker) else wall_clock
        return plugins, Builder(config, plugins, places, wall_clock, broker_clock, live_account=live_account)

    def build(self) -> System:
        """Build everything; raises MqdError, and NothingLeft where there is nothing to do."""
        config, hooks = self._config, self._hooks
        plugins, builder = self.plugins()
        if self._mode == "run":
            self._opened.enter_context(DeskLock(builder.places, self._run_id))
        provider = builder.data()
        # Before the book is touched: data that are not there, or a plugin that fails, must leave everything as it was.
        if self._is_live(plugins):
            live = self.live_source(plugins.data, provider)
            self._opened.callback(live.close)
            return self._build_on(live, plugins, builder)
        self._opened.callback(provider.close)
        window = self._start_ns, self._end_ns
        return self._build_on(FiniteSource(config, plugins.data, provider, hooks, window), plugins, builder)

    def live_source(self, data: Chosen, provider: MarketDataProvider) -> LiveSource:
        """A live source on an open provider; a simulation of the desk has one that goes by virtual time."""
        return LiveSource(self._config, data, provider, self._hooks)

    def _build_on(self, source: Source[E], plugins: ChosenPlugins, builder: Builder) -> System:
        """Everything else, on a source that is open."""
        config = self._config
        prices = source.prices()
        broker = builder.broker()
        self._opened.callback(broker.close)
        effects, sink = source.effects(broker, self._guard or OnceGuard())
        account = _answered("the account", lambda: broker.open(sink))
        check_live_account(self._live_account, account.account)
        slots = builder.strategies()
        assets = _answered("its assets", lambda: tuple(broker.assets(traded_symbols(config))))
        reconciles, can_stop = not broker.capabilities.not_found_is_final, takes_stops(broker.capabilities)
        engine = self._engine(builder, account, assets, slots, reconciles=reconciles, can_stop=can_stop)
        observers = builder.observers() if self._mode == "run" else ()
        book = self._open_book(builder, broker, source.identity, is_live=self._is_live(plugins))
        snapshot, symbols = book.snapshot, traded_symbols(config)
        warnings = check_account(config, assets, account, symbols, prices, is_new_book=snapshot is None)
        store = self._begin_anew(builder, book) if book.over else book.store
        curve = EquityCurve(len(symbols), BASE, xnys(), float(account.cash))
        marks = self._restore(engine, broker, curve, snapshot) if snapshot is not None else None
        core = RunCore(
            engine=engine,
            broker=broker,
            store=store,
            curve=curve,
            slots=slots,
            started=self._started(
                plugins,
                source,
                account,
                assets,
                max(engine.now_ns, source.starts_ns),
                store=store,
                reconciles=reconciles,
                can_stop=can_stop,
            ),
            cursor=snapshot.cursor if snapshot is not None else None,
            marks=marks,
            control=desk_control(builder.places, store, self._run_id) if self._guard is not None else None,
        )
        if self._guard is not None:
            self._guard.begin(engine)
        return System(
            config=config,
            plugins=plugins,
            places=builder.places,
            engine=engine,
            store=store,
            curve=curve,
            validator=source.validator,
            run=source.run(core, effects),
            observers=observers,
            warnings=warnings,
            is_synthetic=plugins.data.loaded.record_as(DataProviderRecord).synthetic,
        )

    def _is_live(self, plugins: ChosenPlugins) -> bool:
        return self._mode == "run" and offers_live(plugins.data)

    def _engine(
        self,
        builder: Builder,
        account: AccountSnapshot,
        assets: tuple[Asset, ...],
        slots: tuple[StrategySlot, ...],
        *,
        reconciles: bool,
        can_stop: bool,
    ) -> Engine:
        config = self._config
        engine = Engine(
            engine_settings(
                config,
                account=account.account,
                assets=assets,
                slots=slots,
                sizer=builder.sizer(),
                rules=builder.rules(),
                reconciles=reconciles,
                can_stop=can_stop,
            )
        )
        self._clock.follow(lambda: engine.now_ns)
        return engine

    def _open_book(self, builder: Builder, broker: BrokerConnector, identity: str, *, is_live: bool) -> _OpenBook:
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
            if not broker.capabilities.own_record:
                return _OpenBook(store, over=store.view().run_id or self._run_id)
            if not is_live:
                raise NothingLeft
        elif cursor is not None and not goes_on(cursor.identity, identity):
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

    def _started(
        self,
        plugins: ChosenPlugins,
        source: Source[E],
        account: AccountSnapshot,
        assets: tuple[Asset, ...],
        ts_ns: int,
        *,
        store: Store | InMemoryStore,
        reconciles: bool,
        can_stop: bool,
    ) -> RunStarted:
        config = self._config
        return RunStarted(
            ts=ts_ns,
            run_id=self._run_id,
            desk_id=config.desk.id,
            mode=self._mode,
            book=1,
            configuration=config.digest(),
            feed=source.identity,
            versions=(("mqd-core", __version__), *plugins.versions()),
            strategies=tuple((entry.id, entry.name) for entry in config.strategies if entry.enabled),
            protection=config.protection.value,
            account=account.account,
            assets=assets,
            restored=getattr(store, "restored", ""),
            reconciles=reconciles,
            can_stop=can_stop,
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


def _answered(what: str, ask: Callable[[], A]) -> A:
    """What a broker answers at a start, before there is anything to lose; raises RunFailed where it does not."""
    # A boundary: a connector may raise anything, and a start without its answer would be blind.
    try:
        return ask()
    except MqdError:
        raise
    except (Exception, SystemExit) as error:
        text = f"the broker did not tell {what}: {cause_text(error)}"
        raise RunFailed(f"{text}. Nothing was sent; start the desk again when the broker answers") from error


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
