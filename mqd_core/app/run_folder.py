"""The folder of one run: what it was started with, and what became of it. May not judge what it writes.

    runs/<run id>/config.resolved.yaml   the configuration in effect, secrets masked
                  versions.json          of mqd, Python and every plugin
                  result.json            the result object; absent while the run goes on, and where it was cut off
                  trades.csv             one row a closed round trip
                  equity.csv             equity and drawdown at each session's close

Only its owner may read it. A file is there whole or not at all: it is written beside its place, synced and renamed.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Protocol

import msgspec

from mqd_core.app.notation import decimal_text, rounded, time_text
from mqd_core.app.trades import Trade
from mqd_core.domain.signals import Reason
from mqd_core.errors import RunFailed

RESULT: Final = "result.json"
#: What `places.new_run_id` makes: time of the start, mode, chance.
_RUN_ID: Final = re.compile(
    r"(?P<date>\d{4}(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01]))T(?P<time>\d{6})Z-(?P<mode>[a-z]+)-[0-9a-f]{6}", re.ASCII
)
_TRADE_COLUMNS: Final = (
    "strategy_id",
    "symbol",
    "side",
    "opened_at",
    "closed_at",
    "seconds_held",
    "quantity",
    "entry_price_usd",
    "exit_price_usd",
    "profit_usd",
    "profit_pct",
    "fees_usd",
    "reason_in",
    "reason_out",
    "correlation_in",
    "correlation_out",
)
_EQUITY_COLUMNS: Final = ("session_date", "equity_usd", "drawdown_pct")


class SessionEquity(Protocol):
    """Equity at a session's close."""

    @property
    def date(self) -> str:
        """ISO date of the session."""
        ...

    @property
    def equity(self) -> float:
        """USD."""
        ...


@dataclass(frozen=True, slots=True)
class RunListing:
    """One run as a list shows it; `started` is UTC, `result` the result object where there is one.

    A run is unfinished while it goes on and for ever where it was cut off; unreadable where result.json is no result.
    """

    run_id: str
    mode: str
    started: str
    state: Literal["finished", "unfinished", "unreadable"]
    result: dict[str, Any] | None
    path: Path


def list_runs(root: Path) -> list[RunListing]:
    """All runs below `root`, the newest first. Whatever else lies there is passed over; raises RunFailed."""
    try:
        names = sorted((entry.name for entry in os.scandir(root) if entry.is_dir()), reverse=True)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RunFailed(
            f"the runs in {root.absolute()} cannot be listed: {error.strerror}; make it readable"
        ) from error
    return [_listing(root / name, found) for name in names if (found := _RUN_ID.fullmatch(name))]


def _listing(path: Path, found: re.Match[str]) -> RunListing:
    date, time = found["date"], found["time"]
    started = f"{date[:4]}-{date[4:6]}-{date[6:]}T{time[:2]}:{time[2:4]}:{time[4:]}Z"
    state: Literal["finished", "unfinished", "unreadable"] = "finished"
    result = None
    try:
        result = msgspec.json.decode((path / RESULT).read_bytes(), type=dict[str, Any])
    except FileNotFoundError:
        state = "unfinished"
    except (OSError, msgspec.MsgspecError):
        state = "unreadable"
    return RunListing(path.name, found["mode"], started, state, result, path)


class RunFolder:
    """The folder of one run. Every method raises RunFailed, with path and remedy, where the system refuses."""

    def __init__(self, path: Path, *, has_new_root: bool = False) -> None:
        self.path = path
        self._has_new_root = has_new_root

    @classmethod
    def create(cls, root: Path, run_id: str) -> RunFolder:
        """Make `root/run_id`, which must not exist yet."""
        path, has_new_root = root / run_id, not root.exists()
        try:
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.mkdir(mode=0o700)
        except FileExistsError:
            message = f"{path} or a folder above it exists already and is not this run's; move it away"
            raise RunFailed(message) from None
        except OSError as error:
            message = (
                f"the folder of this run, {path.absolute()}, cannot be made: {error.strerror}. Make {root} writable, "
                "or start mqd in another working folder"
            )
            raise RunFailed(message) from error
        return cls(path, has_new_root=has_new_root)

    def discard(self) -> None:
        """Remove the folder of a start that failed, and the one above it where that was made for it alone.

        What cannot be removed stays: the error that ends the start is the one a person has to see.
        """
        shutil.rmtree(self.path, ignore_errors=True)
        if self._has_new_root:
            try:
                self.path.parent.rmdir()
            except OSError:
                return  # another run has begun in it meanwhile

    def write_start(self, masked_config: Mapping[str, Any], versions: Mapping[str, str]) -> None:
        """Write what the run was started with. `masked_config` is `Config.masked()`: no secret may be in it."""
        self._write("config.resolved.yaml", _yaml(masked_config))
        self._write("versions.json", _json(versions))

    def write_end(self, result: Mapping[str, Any], trades: Sequence[Trade], sessions: Sequence[SessionEquity]) -> None:
        """Write what became of it; result.json comes last, so that whoever finds it finds the others too."""
        start_equity = float(result["start_equity"])
        self._write("trades.csv", _csv(_TRADE_COLUMNS, map(_trade_row, trades)))
        self._write("equity.csv", _csv(_EQUITY_COLUMNS, _equity_rows(sessions, start_equity)))
        self._write(RESULT, _json(result))

    def _write(self, name: str, text: str) -> None:
        path = self.path / name
        part = path.with_name(f"{name}.part")
        try:
            try:
                _write_synced(part, text)
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)
            _sync_folder(self.path)
        except OSError as error:
            message = (
                f"{path.absolute()} cannot be written: {error.strerror}. See that its folder is writable and the disk "
                "has room; the journal is not affected"
            )
            raise RunFailed(message) from error


def _write_synced(path: Path, text: str) -> None:
    with open(path, "w", encoding="utf-8", newline="\n", opener=_private) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync_folder(folder: Path) -> None:
    """Make a rename durable; Windows has no such call for folders and needs none."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _yaml(value: Mapping[str, Any]) -> str:
    from ruamel.yaml import YAML

    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = False
    writer.width = 4_096
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # declared by its first value, None
    writer.allow_unicode = True
    text = io.StringIO()
    writer.dump(dict(value), text)
    return text.getvalue()


def _csv(columns: Sequence[str], rows: Iterator[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()


def _trade_row(trade: Trade) -> tuple[object, ...]:
    return (
        trade.strategy_id,
        trade.symbol,
        trade.side,
        time_text(trade.opened_ns),
        time_text(trade.closed_ns),
        trade.seconds_held,
        decimal_text(trade.quantity),
        decimal_text(trade.entry_price),
        decimal_text(trade.exit_price),
        decimal_text(trade.profit),
        rounded(trade.profit_pct, 4),
        decimal_text(trade.fees),
        _reason_text(trade.reason_in),
        _reason_text(trade.reason_out),
        trade.correlation_in,
        trade.correlation_out,
    )


def _reason_text(reason: Reason) -> str:
    return msgspec.json.encode(dict(reason)).decode()


def _equity_rows(sessions: Sequence[SessionEquity], start_equity: float) -> Iterator[tuple[str, str, str]]:
    """Drawdown is from the highest close of a session before, the start included: per cent, never negative."""
    peak = start_equity
    for session in sessions:
        peak = max(peak, session.equity)
        drawdown = 100 * (peak - session.equity) / peak if peak > 0 else 0.0
        yield session.date, f"{session.equity:.2f}", f"{drawdown:.4f}"
