"""An outside checker of a desk and its venue: reads the store's file and the account's record, and compares the two.

Uses nothing of mqd: SQLite, JSON, SHA-256 and decimal arithmetic of its own, so that no error of the desk's order logic
can hide itself. By hand, after the desk has ended in order: `python checker.py STORE RECORD`. The invariants:

    I1   each intent became one venue order at most, of the intent's own terms, and no order came without one
    I2   the fills in the books are the venue's fills, each once
    I3   cash and positions follow from the fills, move by move, exactly
    I4   cash, positions and working orders of both sides agree (while a desk is down, its venue may be ahead)
    I11  every row of the journal, and every line of the record, is there, unchanged and in its place
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

#: What an order has to be at the venue, of what the gate let through.
TERMS = ("symbol", "side", "order_type", "time_in_force", "quantity", "notional", "limit_price", "stop_price")
OPEN_LIVES = {"submitting", "unknown", "pending", "working", "paused"}
ENDS = {"filled", "canceled", "expired", "rejected", "replaced"}
ZERO = Decimal(0)
#: By this the emergency exit calls what it sells; no desk makes such a name.
EMERGENCY = "emergency-"


class Journal:
    """What a desk wrote down."""

    def __init__(self, store: Path) -> None:
        self.faults: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        #: Sequence numbers without a row of their own are bars, which are kept by reference.
        self.bars = 0
        with tempfile.TemporaryDirectory() as folder:
            # A copy: a reader, too, changes files beside the original, and this one may be a dead desk's.
            for file in store.parent.glob(f"{store.name}*"):
                shutil.copy(file, folder)
            with closing(sqlite3.connect(Path(folder) / store.name)) as connection:
                self._read(connection)
        self.intents = {body["client_order_id"]: body for body in self._of("Approved")}
        #: How each order stands, by the desk.
        self.lives = dict.fromkeys(self.intents, "submitting")
        self.lives |= {body["client_order_id"]: body["after"] for body in self._of("OrderMoved")}
        self.moves = self._of("BookMoved")

    def _read(self, connection: sqlite3.Connection) -> None:
        if connection.execute("PRAGMA integrity_check").fetchone() != ("ok",):
            self.faults.append("I11 SQLite finds the file damaged")
        before, last, events = bytes(32), (0, 0), 0
        rows = connection.execute("SELECT sequence, ordinal, kind, body, hash FROM journal ORDER BY sequence, ordinal")
        for sequence, ordinal, kind, body, kept in rows:
            before = hashlib.sha256(b"%b%d.%d.%b.%b" % (before, sequence, ordinal, kind.encode(), body)).digest()
            decoded = json.loads(body)
            said = (decoded["type"], decoded.get("sequence", sequence), decoded.get("ordinal", ordinal))
            if before != kept or said != (kind, sequence, ordinal):
                self.faults.append(f"I11 row {sequence}.{ordinal} is not what was written")
            last, events = (sequence, ordinal), events + (ordinal == 0)
            self.bodies.append(decoded)
        head = connection.execute("SELECT head_sequence, head_ordinal, head_rows, head_hash FROM desk").fetchone()
        if self.bodies and head != (*last, len(self.bodies), before):
            self.faults.append(f"I11 the journal ends at {last} with {len(self.bodies)} rows, its head says {head[:3]}")
        self.bars = connection.execute("SELECT as_of_sequence FROM desk").fetchone()[0] - events

    def _of(self, kind: str) -> list[dict[str, Any]]:
        return [body for body in self.bodies if body["type"] == kind]


class Account:
    """What the venue wrote down: a line for each change, chained by digests."""

    def __init__(self, record: Path) -> None:
        self.faults: list[str] = []
        #: Orders taken in, in their order: the record has a ticket as a row without names.
        self.tickets: list[tuple[str, tuple[Any, ...]]] = []
        self.fills: list[dict[str, Any]] = []
        self._ended: set[str] = set()
        first, *lines = record.read_bytes().splitlines()
        self.starting_cash, digest = Decimal(json.loads(first)["starting_cash"]), ""
        for number, line in enumerate(lines, 1):
            start = line.index(b'"change":') + len(b'"change":')
            digest = hashlib.blake2b(digest.encode() + line[start:-1], digest_size=8).hexdigest()
            parsed = json.loads(line)
            if (parsed["number"], parsed["digest"]) != (number, digest):
                self.faults.append(f"I11 line {number + 1} of the account's record is not what was written")
            self._take(parsed["change"])

    def _take(self, change: dict[str, Any]) -> None:
        ticket = change.get("ticket")
        if ticket:
            self.tickets.append((ticket[0], tuple(ticket[1:9])))
        for event in change.get("events", ()):
            if event["type"] == "Fill":
                self.fills.append(event)
            elif event["type"] == "OrderReport" and event["status"] in ENDS:
                self._ended.add(event["client_order_id"])

    @property
    def working(self) -> set[str]:
        """Orders that have not ended."""
        filled: dict[str, Decimal] = defaultdict(Decimal)
        for fill in self.fills:
            filled[fill["client_order_id"]] += Decimal(fill["quantity"])
        return {
            name
            for name, terms in self.tickets
            if name not in self._ended and (terms[4] is None or filled[name] != Decimal(terms[4]))
        }

    @property
    def cash(self) -> Decimal:
        """What the fills left."""
        return self.starting_cash - sum((_value(fill) + Decimal(fill["fee"]) for fill in self.fills), ZERO)

    @property
    def positions(self) -> dict[str, Decimal]:
        """What the fills made."""
        held: dict[str, Decimal] = defaultdict(Decimal)
        for fill in self.fills:
            held[fill["symbol"]] += _signed(fill)
        return {symbol: quantity for symbol, quantity in held.items() if quantity}


class Check:
    """Both sides together. `is_over`: the desk has ended in order, so that both sides must agree."""

    def __init__(self, store: Path, record: Path, *, is_over: bool) -> None:
        self.journal, self.account = Journal(store), Account(record)
        self.is_over = is_over
        self._names = {body["correlation_id"]: name for name, body in self.journal.intents.items()}
        self._booked = Counter(
            (self._names.get(move["correlation_id"], ""), *map(Decimal, (move["change"], move["price"], move["fee"])))
            for move in self.journal.moves
            if move["cause"] == "fill"
        )
        self._executed = Counter(
            (fill["client_order_id"], _signed(fill), Decimal(fill["price"]), Decimal(fill["fee"]))
            for fill in self.account.fills
        )

    def faults(self) -> list[str]:
        """Whatever does not hold, in words."""
        found = [*self.journal.faults, *self.account.faults, *self._orders(), *self._fills(), *self._books()]
        return [*found, *self._agreement()] if self.is_over else found

    def window(self) -> str:
        """Between which two moments the desk stands."""
        taken = {name for name, _ in self.account.tickets}
        open_here = {name for name, life in self.journal.lives.items() if life in OPEN_LIVES}
        if self._executed - self._booked:
            return "filled, and not booked"
        if open_here - taken:
            return "written down, and not at the venue"
        if any(self.journal.lives[name] in {"submitting", "unknown"} for name in open_here):
            return "at the venue, and its answer not written down"
        return "order working" if open_here else "nothing in flight"

    def decisions(self) -> list[tuple[Any, ...]]:
        """What was decided and what came of it, without names and places: equal for equal desks."""
        intents = [_plain(tuple(intent[term] for term in TERMS)) for intent in self.journal.intents.values()]
        fills = [(fill["symbol"], fill["ts"], _signed(fill), Decimal(fill["price"])) for fill in self.account.fills]
        return [*intents, *fills, (self.journal.bars, self.account.cash)]

    def sent_again(self) -> int:
        """How many submissions were made a second time, under the same name, and accepted."""
        return sum(body["attempt"] > 1 for body in self.journal.bodies if body["type"] == "SubmitOutcome")

    def _orders(self) -> Iterator[str]:
        intents = self.journal.intents
        by_intent: dict[Any, list[str]] = defaultdict(list)
        for name, terms in self.account.tickets:
            if name.startswith(EMERGENCY):
                continue
            intent = intents.get(name)
            if intent is None:
                yield f"I1 the venue has order {name}, which no committed intent made"
                continue
            # By what was decided, not by its name: a second name for one decision is a second order.
            by_intent[intent["correlation_id"]].append(name)
            if _plain(terms) != _plain(tuple(intent[term] for term in TERMS)):
                yield f"I1 order {name} is at the venue as {terms}, its intent says {[intent[term] for term in TERMS]}"
        for intent_id, names in by_intent.items():
            if len(names) > 1:
                yield f"I1 intent {intent_id} became {len(names)} orders: {', '.join(names)}"
        decided = Counter((body["sequence"], body["strategy_id"], body["symbol"]) for body in intents.values())
        yield from (f"I1 {key} was approved {count} times" for key, count in decided.items() if count > 1)

    def _fills(self) -> Iterator[str]:
        yield from (f"I2 the books have {fill}, the venue has not" for fill in self._booked - self._executed)
        yield from (f"I2 {fill} was booked {count} times" for fill, count in self._booked.items() if count > 1)
        yield from (f"I2 {fill} was executed {count} times" for fill, count in self._executed.items() if count > 1)
        if self.is_over:
            yield from (f"I2 the venue has {fill}, the books have not" for fill in self._executed - self._booked)
        cumulative: dict[str, Decimal] = defaultdict(Decimal)
        for fill in self.account.fills:
            cumulative[fill["client_order_id"]] += Decimal(fill["quantity"])
            if cumulative[fill["client_order_id"]] != Decimal(fill["cumulative_quantity"]):
                yield f"I2 {fill['execution_id']} says that {fill['cumulative_quantity']} have filled"

    def _books(self) -> Iterator[str]:
        cash, held = ZERO, defaultdict[Any, Decimal](Decimal)
        for move in self.journal.moves:
            change, key = Decimal(move["change"]), (move["strategy_id"], move["symbol"])
            if move["cause"] == "opening":
                cash = Decimal(move["cash"])
                continue
            cash -= change * Decimal(move["price"]) + Decimal(move["fee"])
            held[key] += change
            if (cash, held[key]) != (Decimal(move["cash"]), Decimal(move["quantity"])):
                place = f"{move['sequence']}.{move['ordinal']}"
                yield f"I3 after {place} the books say {move['cash']} and {move['quantity']}, not {cash}, {held[key]}"
        if self.is_over and (cash, _whole(held)) != (self.account.cash, self.account.positions):
            theirs = f"{self.account.cash} and {self.account.positions}"
            yield f"I4 the books end with {cash} and {_whole(held)}, the venue with {theirs}"

    def _agreement(self) -> Iterator[str]:
        ours = {name for name, life in self.journal.lives.items() if life in OPEN_LIVES}
        if ours != self.account.working:
            yield f"I4 orders open at the desk: {sorted(ours)}, at the venue: {sorted(self.account.working)}"


def _signed(fill: dict[str, Any]) -> Decimal:
    return Decimal(fill["quantity"]) * (1 if fill["side"] == "buy" else -1)


def _value(fill: dict[str, Any]) -> Decimal:
    return _signed(fill) * Decimal(fill["price"])


def _plain(terms: tuple[Any, ...]) -> tuple[Any, ...]:
    """The words of an order, and its numbers without the zeros behind them."""
    return (*terms[:4], *(None if term is None else Decimal(term).normalize() for term in terms[4:]))


def _whole(held: dict[Any, Decimal]) -> dict[str, Decimal]:
    """Positions of the account: the books of all strategies together."""
    total: dict[str, Decimal] = defaultdict(Decimal)
    for (_, symbol), quantity in held.items():
        total[symbol] += quantity
    return {symbol: quantity for symbol, quantity in total.items() if quantity}


if __name__ == "__main__":
    check = Check(Path(sys.argv[1]), Path(sys.argv[2]), is_over=True)
    faults = check.faults()
    fills, orders = len(check.account.fills), len(check.account.tickets)
    sys.stdout.write("\n".join([*faults, f"{orders} orders, {fills} fills, {len(faults)} faults", ""]))
    sys.exit(bool(faults))
