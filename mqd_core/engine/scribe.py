"""The step in hand: numbers records, collects effects. May not decide; nothing else in the engine numbers anything."""

from __future__ import annotations

from mqd_core.domain.records import Alert, Record, Severity
from mqd_core.engine.effects import Effect, RaiseAlert


class Scribe:
    """Records and effects of the step being made, and the time and sequence they belong to."""

    __slots__ = ("effects", "now_ns", "ordinal", "records", "sequence")

    def __init__(self) -> None:
        self.sequence = 0
        #: Engine time: the maximum of all event times seen.
        self.now_ns = 0
        self.ordinal = 0
        self.records: list[Record] = []
        self.effects: list[Effect] = []

    def begin(self, sequence: int, ts: int) -> None:
        """Start on an event: its records number from 1."""
        self.sequence, self.ordinal = sequence, 0
        if ts > self.now_ns:
            self.now_ns = ts

    def stamp(self) -> tuple[int, int, int]:
        """Sequence, ordinal and time of the next record."""
        self.ordinal += 1
        return self.sequence, self.ordinal, self.now_ns

    def alert(self, severity: Severity, code: str, subject: str, text: str) -> None:
        """Record an alert and ask for it to be raised."""
        record = Alert(*self.stamp(), severity=severity, code=code, subject=subject, text=text)
        self.records.append(record)
        self.effects.append(RaiseAlert(record))

    def take(self) -> tuple[tuple[Record, ...], tuple[Effect, ...]]:
        """Hand over what was collected and begin anew."""
        records, effects = self.records, self.effects
        taken = tuple(records), tuple(effects)
        if records:
            records.clear()
        if effects:
            effects.clear()
        return taken
