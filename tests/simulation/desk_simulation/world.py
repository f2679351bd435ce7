"""One life of a desk: a market that goes on, a broker that fails, processes that die and are started again.

    draw_plan(seed) -> World(plan, folder).live() -> Life, or Violation

May not help the desk, but as a person would.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import msgspec

from desk_simulation import invariants
from desk_simulation.crash import Crash, CrashPoints
from desk_simulation.desk import Again, DeskProcess, places_of, store_path
from desk_simulation.exchange import make_broker
from desk_simulation.market import Feed, minutes_of
from desk_simulation.plan import Happening, Plan
from desk_simulation.timeline import Timeline
from desk_simulation.witness import Violation, Witness
from mqd_core.api import ApprovedOrder, Bar
from mqd_core.app.assembly import System
from mqd_core.domain.journal import Entry, decode_body
from mqd_core.domain.market import MINUTE_NS, SECOND_NS
from mqd_core.domain.records import DeskState
from mqd_core.domain.sessions import xnys
from mqd_core.errors import ConfigError, MqdError, RunFailed
from mqd_core.runtime.halt_file import HaltFile, HaltNote
from mqd_core.runtime.inbox import CommandInbox, CommandNote
from mqd_plugin_sqlite.reader import SqliteReader

#: How long a desk has, once the faults are over, to come to rest.
REST_NS = 270 * SECOND_NS
#: When, within that time, a person looks at a desk that waits for one.
PERSON_NS = 130 * SECOND_NS
#: How long a person waits to see what has become of it.
AGAIN_NS = 30 * SECOND_NS
PROCESSES_MAX = 30
#: Of so many lives one is replayed from its journal at the end.
REPLAYED_ONE_IN = 4
#: What no process is told of once the faults are over.
HORIZON_NS = 5 * 24 * 60 * MINUTE_NS


class Life(msgspec.Struct, kw_only=True):
    """What became of a desk, in numbers."""

    processes: int = 0
    crashes: int = 0
    orders: int = 0
    fills: int = 0
    points: int = 0
    #: Points of each process at which it could have been struck, in order.
    lengths: list[int] = msgspec.field(default_factory=list)
    fired: Counter[str] = msgspec.field(default_factory=Counter)
    kinds: Counter[str] = msgspec.field(default_factory=Counter)


class World:
    """Everything around the desk, and the desk."""

    def __init__(self, plan: Plan, folder: Path, *, is_fast: bool = False) -> None:
        self.plan = plan
        self._folder = folder
        self._is_fast = is_fast
        self.timeline = Timeline(plan.start_ns)
        self.broker = make_broker(plan, self.timeline)
        self._delivery_ns: int | None = None
        self.feed = Feed(plan, self.timeline.at)
        self.witness = Witness()
        self.life = Life()
        #: How often each order was handed to the broker.
        self.sent: Counter[str] = Counter()
        self._process: DeskProcess | None = None
        self._is_over = False
        #: Until when nobody starts the desk again.
        self._asleep_until_ns = 0

    @property
    def system(self) -> System:
        """The desk that runs, or ran last."""
        assert self._process is not None
        assert self._process.system is not None
        return self._process.system

    def live(self) -> Life:
        """Live through the plan. Raises Violation."""
        shutil.rmtree(self._folder / "simulated", ignore_errors=True)
        self._prepare()
        number = 0
        while not self._is_over:
            self._run_process(number)
            if not self._is_over:
                self.timeline.advance(self.timeline.now_ns + self.plan.downtime_ns(number))
                # Whether it is night is known only when it is.
                self.timeline.advance(self._asleep_until_ns)
            number += 1
            if number > PROCESSES_MAX:
                raise Violation("I13", f"the desk does not stay up: {number} processes")
        self._judge()
        return self._sum_up(number)

    # What goes on around the desk

    def _prepare(self) -> None:
        timeline, plan = self.timeline, self.plan
        for start_ns, bars in minutes_of(plan):
            timeline.at(start_ns + MINUTE_NS, lambda end_ns=start_ns + MINUTE_NS, bars=bars: self._minute(end_ns, bars))
        for session in xnys().sessions_between(plan.start_ns, plan.quiet_ns + HORIZON_NS):
            timeline.at(session.close_ns, lambda close_ns=session.close_ns: self.broker.advance(close_ns, ()))
        for one in plan.happenings:
            timeline.at(one.at_ns, lambda one=one: self._happen(one))
        if not plan.stays_up:
            for one, following in pairwise(plan.segments):
                until_ns = following.start_ns - 2 * MINUTE_NS
                timeline.at(
                    one.start_ns + (one.minutes + 3) * MINUTE_NS, lambda until_ns=until_ns: self._sleep(until_ns)
                )
        timeline.at(plan.quiet_ns, self._calm)

    def _sleep(self, until_ns: int) -> None:
        """A person shuts the desk down after the close, and starts it before the open."""
        self._asleep_until_ns = until_ns
        if self._process is not None:
            self._process.hooks.stop.ask("night")

    def _minute(self, end_ns: int, bars: tuple[Bar, ...]) -> None:
        self.broker.advance(end_ns, bars)
        for bar in bars:
            if not self.broker.is_halted(bar.symbol, bar.start_ns):
                self.feed.tell(bar)
        self.called()

    def did_not_leave(self, order: ApprovedOrder) -> None:
        """No byte of an order has left after all: it may be sent again."""
        self.sent[order.client_order_id] -= 1

    def called(self) -> None:
        """See to it that what the broker has to do later is done in time."""
        due_ns = self.broker.next_due_ns
        if due_ns is not None and (self._delivery_ns is None or due_ns < self._delivery_ns):
            self._delivery_ns = due_ns
            self.timeline.at(due_ns, self._deliver)

    def _deliver(self) -> None:
        self._delivery_ns = None
        self.broker.deliver_due(self.timeline.now_ns)
        self.called()

    def _happen(self, one: Happening) -> None:
        """Something that a person or a machine does once."""
        process, timeline = self._process, self.timeline
        self.life.fired[f"once:{one.kind}"] += 1
        if one.kind in ("halt", "resume"):
            self._command(one.kind)
        elif one.kind == "halt_file":
            note = HaltNote(reason="simulated", person="sim", written_ns=timeline.now_ns)
            HaltFile(places_of(self._folder).root).write(note)
        elif one.kind in ("trade_by_hand", "split", "stream_down"):
            self._strike_account(one)
        elif one.kind == "clock_forward":
            timeline.wall_error_ns += one.size * SECOND_NS
        elif one.kind == "clock_back":
            timeline.wall_error_ns -= one.size * SECOND_NS
        elif process is not None and process.bus is not None:
            if one.kind == "suspend":
                # It wakes up before the faults are over, or the desk would have no time to come to rest.
                left_ns = self.plan.quiet_ns - timeline.now_ns
                process.bus.suspended_ns = min(one.size * 10 * SECOND_NS, left_ns)
            else:
                process.hooks.stop.ask("person")

    def _strike_account(self, one: Happening) -> None:
        """What a script has happen to the account, which is otherwise drawn by the broker's own plan."""
        broker, symbol, now_ns = self.broker, self.plan.symbols[0], self.timeline.now_ns
        if one.kind == "stream_down":
            broker._stream.break_off(now_ns + one.size * SECOND_NS)
        elif one.kind == "split":
            broker._mishaps._split(symbol, one.kind)
        else:
            broker._mishaps._trade_by_hand(symbol, broker._book.prices[symbol][0], one.kind)
        self.called()

    def _command(self, name: str) -> None:
        """A person gives a command; a desk that is down finds it at its next start."""
        now_ns = self.timeline.now_ns
        note = CommandNote(
            command_id=f"{now_ns:020d}-{name}", name=name, reason="simulated", person="sim", posted_ns=now_ns
        )
        CommandInbox(places_of(self._folder).inbox).post(note)

    def _calm(self) -> None:
        """The faults are over."""
        self.timeline.wall_error_ns = 0
        self.broker.calm()
        self.broker._book.blocked_until_ns = 0
        if self._process is not None:
            self._process.points.disarm()

    # The desk

    def _run_process(self, number: int) -> None:
        timeline, plan = self.timeline, self.plan
        is_calm = timeline.now_ns >= plan.quiet_ns
        points = CrashPoints(None if is_calm else plan.blow(number))
        process = self._process = DeskProcess(
            number,
            plan,
            self._folder,
            timeline=timeline,
            broker=self.broker,
            feed=self.feed,
            points=points,
            customs=self,
            on_committed=self._committed,
            fired=self._fired,
            is_fast=self._is_fast,
        )
        end_ns = max(plan.quiet_ns, timeline.now_ns) + REST_NS
        timeline.at(end_ns - REST_NS + PERSON_NS, lambda: self._look(process))
        timeline.at(end_ns, lambda: self._finish(process))
        try:
            process.build()
            invariants.restored_as_it_was(self)
            self._is_over = process.run() == "over"
        except Crash:
            self.life.crashes += 1
        except MqdError as error:
            # A disk that fails ends a process, a broker that is silent its start; anything else is the desk's fault.
            if not points.struck and not self._may_not_start(error):
                raise
            self.life.crashes += 1
        finally:
            process.end()
            self.life.points += points.count
            self.life.lengths.append(points.reach)
            self.life.kinds += points.kinds
            if points.struck:
                self.life.fired[points.struck] += 1
        self._learn()

    def _finish(self, process: DeskProcess) -> None:
        """End the life, unless the broker still has something to tell: then the desk has time after that, too."""
        due_ns = self.broker.next_due_ns
        if due_ns is None:
            process.hooks.stop.ask("over")
        else:
            self.timeline.at(due_ns + REST_NS, lambda: self._finish(process))

    def _may_not_start(self, error: MqdError) -> bool:
        """Whether a start may end like this: the broker does not answer, or a new book would be built on sand."""
        if self.timeline.now_ns >= self.plan.quiet_ns:
            return False
        self.life.fired[f"no start:{type(error).__name__}"] += 1
        kinds = {kind for kind, _ in self.plan.broker}
        if isinstance(error, ConfigError):
            return not self.witness.entries and "asset_untradable" in kinds
        return isinstance(error, RunFailed) and bool(kinds & {"assets_fail", "account_fails", "rate_limited"})

    def _committed(self, entries: Sequence[Entry]) -> None:
        self.witness.take(entries)

    def _fired(self, kind: str) -> None:
        if kind == "unclean bar":
            raise Violation("I21", "a strategy was shown a bar that nobody may trade on")
        self.life.fired[kind] += 1

    def sends(self, order: ApprovedOrder) -> None:
        """An order is about to leave the desk."""
        self.sent[order.client_order_id] += 1
        invariants.sent_only_after_its_intent(self, order)
        invariants.sent_as_the_gate_saw_it(self, order)
        invariants.halted_means_halted(self, order, HaltFile(places_of(self._folder).root).is_set)

    def _learn(self) -> None:
        """Read what the dead process had committed and could tell nobody of."""
        path = store_path(self._folder)
        if not path.exists() or (not self.witness.entries and not self._has_journal(path)):
            return
        rows = SqliteReader(path).read(self.witness.place[0])
        self.witness.take([Entry(row.sequence, row.ordinal, decode_body(row.body)) for row in rows])
        invariants.nothing_durable_is_lost(self, str(path))

    @staticmethod
    def _has_journal(path: Path) -> bool:
        try:
            SqliteReader(path).view()
        except MqdError:
            return False
        return True

    def _look(self, process: DeskProcess) -> None:
        """A person looks at a desk that has had time to help itself."""
        if process.has_ended:
            return
        self.timeline.at(self.timeline.now_ns + AGAIN_NS, lambda: self._look(process))
        if process.state not in (DeskState.FROZEN, DeskState.HALTED):
            return
        self.life.fired[f"person:{self.witness.desk_code}"] += 1
        self._command("accept")
        self.timeline.at(self.timeline.now_ns + SECOND_NS, lambda: self._command("resume"))

    @property
    def gaps(self) -> set[str]:
        """Orders of which an execution was worked out."""
        return self.witness.gaps

    def saw_gap(self, client_order_id: str) -> bool:
        """Whether an execution of that order was worked out."""
        return client_order_id in self.witness.gaps

    def _judge(self) -> None:
        for holds in invariants.AT_REST:
            holds(self)
        path = store_path(self._folder)
        invariants.verifies(path)
        if not self.plan.seed % REPLAYED_ONE_IN:
            invariants.replays_to_the_same(path, lambda started: Again(self._folder, self.plan, started))

    def _sum_up(self, processes: int) -> Life:
        self.life.processes = processes
        self.life.orders = len(self.witness.approved)
        self.life.fills = sum(map(len, self.witness.booked.values()))
        self.life.fired += self.feed.fired
        self.life.fired += Counter({f"broker:{kind.value}": count for kind, count in self.broker.fired.items()})
        return self.life
