"""Runs of the past, found by name: where a run's journal lies, and with which configuration it was started.

    run folder of a backtest        journal.jsonl in it
    run folder of `mqd run`         the desk's store, or, once its book was over, the store in a run folder
    no run, a configuration         the whole store of its desk

May not change what it reads, nor say what it means.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from mqd_core.app.factories import desk_places, reader_of
from mqd_core.app.places import RUNS, DeskPlaces
from mqd_core.app.plugins import choose_store
from mqd_core.app.run_folder import RESULT
from mqd_core.config import Config, load_config
from mqd_core.domain.events import RunStarted
from mqd_core.domain.journal import decode_body
from mqd_core.errors import ConfigError, StoreCorrupt, StoreError
from mqd_core.ports import JournalReader, JournalRow, Snapshot
from mqd_core.registry.loader import Registry
from mqd_core.runtime.memory_store import read_journal

JOURNAL: Final = "journal.jsonl"
RESOLVED: Final = "config.resolved.yaml"
_STARTED: Final = RunStarted.__name__


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRun:
    """One run's journal: the book from its beginning up to the end of that run.

    `run_id` is empty for a whole store; `root` is where run folders lie; `config` stands in for the resolved
    configuration of a start that has no run folder any more.
    """

    label: str
    run_id: str
    root: Path
    source: Path
    journal: JournalReader
    config: Config | None

    def rows(self) -> Iterator[JournalRow]:
        """The journal's rows. Raises ConfigError where it cannot be read, StoreCorrupt where it is not as written."""
        is_over = False
        try:
            for row in self.journal.read(0):
                if self.run_id and row.kind == _STARTED and not row.ordinal:
                    if is_over:
                        return
                    is_over = _run_of(row) == self.run_id
                yield row
        except StoreCorrupt:
            raise
        except StoreError as error:
            raise ConfigError(str(error)) from error

    def snapshot(self) -> Snapshot | None:
        """The state kept with the store's last commit; None where the journal goes on behind this run."""
        if self.run_id:
            return None
        return self.journal.latest_snapshot()

    def config_of(self, run_id: str) -> Config:
        """What a run was started with: its folder's resolved configuration, or what stands in. Raises ConfigError."""
        path = self.root / run_id / RESOLVED
        if path.is_file():
            return load_config(path)
        if self.config is not None:
            return self.config
        raise ConfigError(f"{path} is not there: without the configuration of run {run_id} its journal cannot be read")

    @property
    def decision_hash(self) -> str:
        """The decision hash that the run's result states; empty where there is no result."""
        path = self.root / self.run_id / RESULT
        try:
            result = msgspec.json.decode(path.read_bytes()) if self.run_id else None
        except (OSError, msgspec.MsgspecError):
            return ""
        return str(result.get("decision_hash", "")) if isinstance(result, dict) else ""


class _JournalFile:
    """The journal of a backtest, in its run folder."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, after_sequence: int) -> Iterator[JournalRow]:
        """Rows above a sequence."""
        return (row for row in read_journal(self._path) if row.sequence > after_sequence)

    def latest_snapshot(self) -> Snapshot | None:
        """A backtest keeps none."""
        return None


def find_run(name: str, root: Path = RUNS) -> PastRun:
    """A run by its id or the path of its folder. Raises ConfigError that says what there is instead."""
    folder = root / name
    if not folder.is_dir() and Path(name).is_dir():
        folder = Path(name)
    if not folder.is_dir():
        raise ConfigError(f"there is no run {name}: neither {folder} nor {Path(name)} is a folder; `mqd runs` lists")
    folder = folder.resolve() if folder.name in ("", ".", "..") else folder
    path = folder / RESOLVED
    if not path.is_file():
        raise ConfigError(f"{folder} is no run folder: it has no {RESOLVED}; `mqd runs` lists those that there are")
    if (folder / JOURNAL).is_file():
        return PastRun(
            label=folder.name,
            run_id=folder.name,
            root=folder.parent,
            source=folder / JOURNAL,
            journal=_JournalFile(folder / JOURNAL),
            config=None,
        )
    config = load_config(path)
    for places in _stores(config, folder):
        reader = _reader(config, places)
        if reader is not None and _holds(reader, folder.name):
            return PastRun(
                label=folder.name,
                run_id=folder.name,
                root=folder.parent,
                source=places.store,
                journal=reader,
                config=config,
            )
    raise ConfigError(
        f"run {folder.name} has no records: neither {desk_places(config).store} nor a store in {folder.parent} holds it"
    )


def desk_journal(config: Config, root: Path = RUNS) -> PastRun:
    """The whole store of a configuration's desk. Raises ConfigError where nothing was ever recorded."""
    places = desk_places(config)
    reader = _reader(config, places)
    if reader is None:
        raise ConfigError(f"desk {config.desk.id} has no records in {places.store}; `mqd run` makes them")
    label = f"desk {config.desk.id}"
    return PastRun(label=label, run_id="", root=root, source=places.store, journal=reader, config=config)


def _stores(config: Config, folder: Path) -> Iterator[DeskPlaces]:
    """Where a run's records may be: the desk's own store, or one that was put aside with that run or a later one."""
    yield DeskPlaces(folder)
    yield desk_places(config)
    for later in sorted(one for one in folder.parent.iterdir() if one.name > folder.name):
        yield DeskPlaces(later)


def _reader(config: Config, places: DeskPlaces) -> JournalReader | None:
    chosen = choose_store(config, Registry(allow=config.plugins.allow))
    reader = reader_of(config, chosen, places)
    if reader is None or isinstance(reader, JournalReader):
        return reader
    where = config.source.locate(chosen.use.named_at)
    raise ConfigError(f"{where}: the store {chosen.use.name} lets nobody read its journal but the desk itself")


def _holds(reader: JournalReader, run_id: str) -> bool:
    try:
        return any(_run_of(row) == run_id for row in reader.read(0) if row.kind == _STARTED)
    except StoreCorrupt:
        # Damaged is not absent: whoever reads it in full says where.
        return True
    except StoreError:
        return False


def _run_of(row: JournalRow) -> str:
    body = decode_body(row.body)
    return body.run_id if isinstance(body, RunStarted) else ""
