"""A person's command to a desk: by its inbox while it runs, and straight into its journal while it does not.

Without a running desk this process takes the lock, restores the engine from the store, lets it take the command and
commits. No plugin but the store is needed, and no broker is called: what a halt would cancel is asked for by the next
start. May not judge a command: the engine does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from mqd_core.api.context import StoreContext
from mqd_core.app.desk_control import desk_control
from mqd_core.app.engine_settings import engine_settings
from mqd_core.app.factories import build, desk_places, plugin_log
from mqd_core.app.places import DeskLock, DeskPlaces
from mqd_core.app.plugins import choose_store
from mqd_core.config import Config
from mqd_core.domain.events import Event, Fill
from mqd_core.domain.market import SECOND_NS, Bar
from mqd_core.domain.signals import Signal, Size
from mqd_core.engine.engine import Engine
from mqd_core.engine.settings import StrategySlot
from mqd_core.errors import AlreadyRunning, RunFailed
from mqd_core.ports import Snapshot, Store
from mqd_core.ports.strategy import SizingView, StrategyView
from mqd_core.registry.loader import Registry
from mqd_core.runtime.clocks import WallClock, steady_ns
from mqd_core.runtime.committer import Committer
from mqd_core.runtime.halt_file import HaltFile, HaltNote
from mqd_core.runtime.inbox import CommandInbox, CommandNote, new_command_id
from mqd_core.runtime.stopping import StopRequest

#: What a desk that does not run can be told: the rest needs its broker.
OFFLINE: Final = frozenset({"halt", "resume"})
_LOOK_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Delivery:
    """A command that was taken: by a desk that runs, by the journal of one that does not, or by a HALT file alone."""

    command_id: str
    by: Literal["desk", "journal", "halt_file"]


def command_desk(
    config: Config, registry: Registry, command: CommandNote, patience_seconds: float, stop: StopRequest
) -> Delivery:
    """Have a command taken, durably. Raises RunFailed where nobody takes it in time, with what to do then."""
    places = desk_places(config)
    try:
        with DeskLock(places, f"mqd {command.name}"):
            return _command_offline(config, registry, places, command)
    except AlreadyRunning as running:
        return _command_running(places, command, patience_seconds, stop, str(running))


def new_command(name: str, reason: str, person: str, arguments: tuple[tuple[str, str], ...] = ()) -> CommandNote:
    """A command given now."""
    now = WallClock().now_ns()
    return CommandNote(
        command_id=new_command_id(now), name=name, reason=reason, person=person, arguments=arguments, posted_ns=now
    )


def _command_running(
    places: DeskPlaces, command: CommandNote, patience_seconds: float, stop: StopRequest, holder: str
) -> Delivery:
    try:
        path = CommandInbox(places.inbox).post(command)
    except OSError as error:
        text = f"the command cannot be put into {places.inbox}: {error.strerror}; make the folder writable"
        raise RunFailed(text) from error
    end = steady_ns() + round(patience_seconds * SECOND_NS)
    while path.exists():
        if steady_ns() >= end or stop:
            raise RunFailed(
                f"{holder.partition(';')[0]}, and it has not taken the command: it recovers, or it hangs. "
                f"The command stays in {path} and is taken when it can be; `mqd kill` works without the desk"
            )
        stop.wait(_LOOK_SECONDS)
    return Delivery(command.command_id, "desk")


def _command_offline(config: Config, registry: Registry, places: DeskPlaces, command: CommandNote) -> Delivery:
    """Let the journal take the command; the desk is this process's for so long."""
    if command.name not in OFFLINE:
        text = f"desk {config.desk.id} is not running, and {command.name} needs its broker: start it with `mqd run`"
        raise RunFailed(f"{text}; `mqd kill --flatten` cancels and closes without it")
    if places.store.is_dir():
        store = _open_store(config, registry, places)
        try:
            snapshot = store.latest_snapshot()
            if snapshot is not None:
                _take(config, places, store, snapshot, command)
                return Delivery(command.command_id, "journal")
        finally:
            store.close()
    # Nothing was ever journaled: a file is all there is to say so with.
    halt_file = HaltFile(places.root)
    try:
        if command.name == "halt":
            halt_file.write(HaltNote(reason=command.reason, person=command.person, written_ns=command.posted_ns))
        else:
            halt_file.clear()
    except OSError as error:
        raise RunFailed(f"{halt_file.path} cannot be changed: {error.strerror}; make its folder writable") from error
    return Delivery(command.command_id, "halt_file")


def _take(config: Config, places: DeskPlaces, store: Store, snapshot: Snapshot, command: CommandNote) -> None:
    """Enter what waits in the inbox, the new command last, as a running desk would."""
    engine = asleep(config)
    engine.restore(snapshot.engine)
    committer = Committer(
        engine,
        store,
        venue_state=lambda: snapshot.venue,
        run_state=lambda: snapshot.run,
        cursor=lambda: snapshot.cursor,
        on_committed=lambda _entries: None,
    )

    def enter(event: Event) -> None:
        committer.event(event, engine.on_event(event))
        committer.commit()

    control = desk_control(places, store, command.name)
    try:
        control.inbox.post(command)
    except OSError as error:
        raise RunFailed(f"{places.inbox} cannot be written: {error.strerror}; make it writable") from error
    control.obey(engine, enter, lambda: engine.now_ns, OFFLINE)


def _open_store(config: Config, registry: Registry, places: DeskPlaces) -> Store:
    chosen = choose_store(config, registry)
    context = StoreContext(log=plugin_log("store"), directory=places.store)
    factory: Callable[[Any, Any], Store] = chosen.record.factory
    return build(chosen, factory, context, config)


class _Asleep:
    """In the place of a strategy or sizer where no bar is shown and nothing is sized."""

    def on_bar(self, _bar: Bar, _view: StrategyView) -> Sequence[Signal]:
        """No bar comes."""
        return ()

    def on_fill(self, _fill: Fill, _view: StrategyView) -> None:
        """No fill comes."""

    def size(self, _signal: Signal, _view: SizingView) -> Size:
        """No signal comes."""
        raise NotImplementedError


def asleep(config: Config) -> Engine:
    """An engine with every book and lane of the configuration, and nobody in it who could trade."""
    nobody = _Asleep()
    slots = tuple(
        StrategySlot(
            strategy_id=entry.id,
            plugin=entry.name,
            symbols=tuple(entry.symbols),
            timeframe=entry.timeframe,
            lookback_bars=entry.lookback_bars,
            strategy=nobody,
        )
        for entry in config.strategies
        if entry.enabled
    )
    return Engine(engine_settings(config, account="", assets=(), slots=slots, sizer=nobody, rules=()))
