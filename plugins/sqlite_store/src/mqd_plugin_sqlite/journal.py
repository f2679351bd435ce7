"""The journal's table, read: pages of rows, its head, the mark up to which it was checked, and the fold over it.

Takes a connection and gives rows; whoever calls decides in which transaction. May not write a row.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from mqd_core.api import Entry, Head, Projection, StoreCorrupt, StoreSchemaError, decode_body
from mqd_plugin_sqlite.chain import EMPTY, GENESIS, Row, checked
from mqd_plugin_sqlite.faults import RESTORE

#: Rows fetched at once: a reader holds no transaction between two pages.
PAGE_ROWS: Final = 512
#: The greatest integer of SQLite: above every ordinal.
_LAST: Final = 2**63 - 1
_BEFORE_ALL: Final = (-1, _LAST)

_PAGE: Final = """
    SELECT sequence, ordinal, kind, body, hash FROM journal
    WHERE (sequence, ordinal) > (?, ?) AND (sequence, ordinal) <= (?, ?)
    ORDER BY sequence, ordinal LIMIT ?
"""
_HASH_UP_TO: Final = """
    SELECT hash FROM journal WHERE (sequence, ordinal) <= (?, ?)
    ORDER BY sequence DESC, ordinal DESC LIMIT 1
"""
_HEAD: Final = "SELECT head_sequence, head_ordinal, head_rows, head_hash FROM desk"


def place_of(head: Head) -> tuple[int, int]:
    """The key of the last row; below every key when there is none."""
    return (head.sequence, head.ordinal) if head.rows else _BEFORE_ALL


def head_of(connection: sqlite3.Connection) -> Head:
    """The journal's end as the last commit noted it."""
    sequence, ordinal, rows, digest = connection.execute(_HEAD).fetchone()
    return Head(sequence=sequence, ordinal=ordinal, rows=rows, hash=digest.hex())


def rows_after(connection: sqlite3.Connection, sequence: int, path: Path) -> Iterator[Row]:
    """Rows above a sequence up to the present head, each checked against the hash before it."""
    head = head_of(connection)
    after = (sequence, _LAST)
    before = connection.execute(_HASH_UP_TO, after).fetchone()
    return checked(_pages(connection, after, place_of(head)), before[0] if before else GENESIS, path)


def checked_head(connection: sqlite3.Connection, path: Path) -> Head:
    """Check the rows since the mark of the last check, and that they end where the last commit ended.

    Raises StoreCorrupt. Call it in a transaction.
    """
    value = connection.execute("SELECT value FROM meta WHERE key = 'verified'").fetchone()
    mark = msgspec.json.decode(value[0], type=Head) if value else EMPTY
    place, before = place_of(mark), bytes.fromhex(mark.hash)
    kept = connection.execute(_HASH_UP_TO, place).fetchone()
    if mark.rows and kept != (before,):
        raise StoreCorrupt(f"{path}: the journal up to sequence {mark.sequence} is not what it was. {RESTORE}")
    rows, digest = mark.rows, before
    for row in checked(_pages(connection, place, (_LAST, _LAST)), before, path):
        rows, place, digest = rows + 1, row[:2], row[4]
    return _ended(connection, Head(sequence=place[0], ordinal=place[1], rows=rows, hash=digest.hex()), path)


def folded(connection: sqlite3.Connection, path: Path) -> Projection:
    """Check the whole chain from its beginning and fold it; raises StoreCorrupt. Call it in a transaction."""
    projection, rows, place, digest = Projection(), 0, _BEFORE_ALL, GENESIS
    for row in checked(_pages(connection, _BEFORE_ALL, (_LAST, _LAST)), GENESIS, path):
        sequence, ordinal, kind, body, digest = row
        try:
            projection.apply(Entry(sequence, ordinal, decode_body(body)))
        except msgspec.MsgspecError as error:
            raise StoreSchemaError(
                f"{path}: row (sequence {sequence}, ordinal {ordinal}) holds a {kind} that this mqd-core cannot read "
                f"({error}): install the version that wrote it"
            ) from error
        rows, place = rows + 1, (sequence, ordinal)
    _ended(connection, Head(sequence=place[0], ordinal=place[1], rows=rows, hash=digest.hex()), path)
    return projection


def _ended(connection: sqlite3.Connection, found: Head, path: Path) -> Head:
    """The head, if the rows that were found end where the last commit ended."""
    head = head_of(connection)
    if (found.rows, found.hash) != (head.rows, head.hash):
        raise StoreCorrupt(
            f"{path}: the journal has {found.rows} rows, the last commit ended with {head.rows} and another hash: "
            f"rows were removed or added by hand. {RESTORE}"
        )
    return head


def _pages(connection: sqlite3.Connection, after: tuple[int, int], last: tuple[int, int]) -> Iterator[Row]:
    """Rows above one key up to another, a page at a time."""
    while rows := connection.execute(_PAGE, (*after, *last, PAGE_ROWS)).fetchall():
        yield from rows
        after = rows[-1][:2]
