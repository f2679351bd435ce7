"""A file that an account lives in across runs: one line of JSON for every change, durable before anybody is told.

The first line names the account. Every other line holds one change whole, its number, and a digest of it chained to
the line before: a line that was altered, lost or moved is found. What a crash can do is leave an unfinished last line;
nobody has been told of that change, so it is cut off. Anything else that is wrong ends in StoreCorrupt.

May not know what a change means.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import IO, Final

import msgspec
from filelock import FileLock, Timeout

from mqd_core.api import BrokerEvent, StoreCorrupt, StoreError
from mqd_plugin_mock.fees import FeeDay
from mqd_plugin_mock.ticket import Ticket

_FORMAT: Final = "mqd-mock-account-1"


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first line: whose account this is and what it began with."""

    format: str
    account: str
    starting_cash: Decimal


class Change(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one call to the venue changed: an order taken in, what happened, and how far time had passed."""

    advanced_ns: int
    settled_ns: int
    ticket: Ticket | None = None
    events: tuple[BrokerEvent, ...] = ()
    fee_day: FeeDay | None = None


class _Line(msgspec.Struct, frozen=True):
    number: int
    digest: str
    change: msgspec.Raw


class AccountRecord:
    """The file. One process at a time has it open."""

    def __init__(self, path: Path, patience_seconds: float = 0.0) -> None:
        """`patience_seconds` is how long another process that has it open is waited for."""
        self._path = path
        self._patience_seconds = patience_seconds
        self._lock = FileLock(f"{path}.lock")
        self._file: IO[bytes] | None = None
        self._number = 0
        self._digest = ""
        self._failure: OSError | None = None

    def open(self, account: str, starting_cash: Decimal) -> tuple[Header, list[Change]]:
        """Open or begin the record of an account; returns what it says.

        Raises StoreError when another process has it, it cannot be read or it is another account's, and StoreCorrupt
        when it is not what was written.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=self._patience_seconds)
        except Timeout as error:
            raise StoreError(
                f"the account record {self._path} is open in another process: end that desk first, or give this one "
                "another `record:`"
            ) from error
        except OSError as error:
            raise StoreError(f"the account record {self._path} cannot be opened: {error}") from error
        try:
            return self._open_locked(account, starting_cash)
        except OSError as error:
            self.close()
            raise StoreError(f"the account record {self._path} cannot be opened: {error}") from error
        except BaseException:
            self.close()
            raise

    def append(self, change: Change) -> None:
        """Write a change; it is durable on return. Raises StoreError, from then on at every call."""
        file = self.check()
        raw = msgspec.json.encode(change)
        digest = _digest(self._digest, raw)
        line = msgspec.json.encode(_Line(self._number + 1, digest, msgspec.Raw(raw))) + b"\n"
        try:
            _write_durably(file, line)
        except OSError as error:
            self._failure = error
            self.check()
        self._number += 1
        self._digest = digest

    def check(self) -> IO[bytes]:
        """The open file. Raises StoreError if there is none, or a write has failed: memory is then ahead of it."""
        if self._failure is not None:
            raise StoreError(
                f"the account record {self._path} could not be written ({self._failure}): make room or repair the "
                "disk, then start again; the account goes on from what is on disk"
            )
        if self._file is None:
            raise StoreError(f"the account record {self._path} is not open")
        return self._file

    def close(self) -> None:
        """Close the file and let others have it."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._lock.release()

    def _open_locked(self, account: str, starting_cash: Decimal) -> tuple[Header, list[Change]]:
        data = self._path.read_bytes() if self._path.exists() else b""
        if not data:
            header = Header(format=_FORMAT, account=account, starting_cash=starting_cash)
            self._begin(header)
            return header, []
        lines = data.splitlines(keepends=True)
        header = self._read_header(lines[0], account)
        if len(lines) > 1 and _is_torn(lines[-1]):
            del lines[-1]
        changes = list(self._read_changes(lines[1:]))
        size = sum(map(len, lines))
        self._file = self._path.open("r+b", buffering=0)
        self._file.truncate(size)
        self._file.seek(size)
        os.fsync(self._file.fileno())
        return header, changes

    def _begin(self, header: Header) -> None:
        """Write the first line to a file of another name first: under its own name the file is never without it."""
        begun = self._path.with_name(f"{self._path.name}.new")
        with begun.open("wb", buffering=0) as file:
            _write_durably(file, msgspec.json.encode(header) + b"\n")
        begun.replace(self._path)
        _sync_directory(self._path.parent)
        self._file = self._path.open("ab", buffering=0)

    def _read_header(self, line: bytes, account: str) -> Header:
        try:
            header = msgspec.json.decode(line, type=Header)
        except msgspec.DecodeError as error:
            raise StoreCorrupt(f"{self._path}:1: this is no account record: {error}") from error
        if header.format != _FORMAT:
            raise StoreError(f"{self._path}:1: the form was {header.format!r}, this version reads {_FORMAT!r}")
        if header.account != account:
            raise StoreError(
                f"{self._path}:1: the record is of account {header.account!r}, the configuration says {account!r}: "
                "change `account:` or `record:`"
            )
        return header

    def _read_changes(self, lines: list[bytes]) -> Iterator[Change]:
        for line_number, data in enumerate(lines, 2):
            try:
                line = msgspec.json.decode(data, type=_Line)
                digest = _digest(self._digest, bytes(line.change))
                if (line.number, line.digest) != (self._number + 1, digest):
                    raise StoreCorrupt(
                        f"{self._path}:{line_number}: this is not the line that was written here: it was altered, or "
                        "lines before it are missing; restore the file from a copy"
                    )
                change = msgspec.json.decode(line.change, type=Change)
            except msgspec.DecodeError as error:
                raise StoreCorrupt(
                    f"{self._path}:{line_number}: the line cannot be read ({error}); restore the file from a copy"
                ) from error
            self._number, self._digest = line.number, digest
            yield change


def _is_torn(line: bytes) -> bool:
    """Whether a crash cut the line off: it has no end, or, torn between blocks, an end but no sense."""
    if not line.endswith(b"\n"):
        return True
    try:
        msgspec.json.decode(line)
    except msgspec.DecodeError:
        return True
    return False


def _digest(before: str, change: bytes) -> str:
    return hashlib.blake2b(before.encode() + change, digest_size=8).hexdigest()


def _write_durably(file: IO[bytes], data: bytes) -> None:
    written = file.write(data)
    if written != len(data):
        raise OSError(f"{written} of {len(data)} bytes were written")
    os.fsync(file.fileno())


def _sync_directory(directory: Path) -> None:
    """Make the name of a new file durable; Windows does so by itself and cannot open a directory."""
    if os.name != "posix":
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
