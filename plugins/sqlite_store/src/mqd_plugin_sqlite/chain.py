"""The hash chain of the journal: what a row's hash covers, and the check that rows are as they were written.

    h(0) = 32 zero bytes
    h(n) = SHA-256( h(n-1) + b"<sequence>.<ordinal>.<kind>." + body )

Each row is framed by itself, so the chain does not depend on how rows were cut into commits. May not read or write.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, TypeAlias

from mqd_core.api import Head, StoreCorrupt
from mqd_plugin_sqlite.faults import RESTORE

#: sequence, ordinal, kind, body, hash: a row of the table `journal`.
Row: TypeAlias = tuple[int, int, str, bytes, bytes]

GENESIS: Final = bytes(32)
#: The head of a journal without rows.
EMPTY: Final = Head(sequence=0, ordinal=0, rows=0, hash=GENESIS.hex())


def link(before: bytes, sequence: int, ordinal: int, kind: str, body: bytes) -> bytes:
    """The hash of a row, from the hash of the row before it."""
    return hashlib.sha256(b"%b%d.%d.%b.%b" % (before, sequence, ordinal, kind.encode(), body)).digest()


def checked(rows: Iterable[Row], before: bytes, path: Path) -> Iterator[Row]:
    """The same rows, each checked against the hash before it; raises StoreCorrupt, naming the first that differs."""
    for row in rows:
        sequence, ordinal, kind, body, kept = row
        # A damaged page can turn text into bytes, and bytes into text.
        whole = isinstance(kind, str) and isinstance(body, bytes)
        before = link(before, sequence, ordinal, kind, body) if whole else b""
        if before != kept:
            raise StoreCorrupt(
                f"{path}: row (sequence {sequence}, ordinal {ordinal}) of the journal, or one that stood right before "
                f"it, is not what was written. {RESTORE}"
            )
        yield row
