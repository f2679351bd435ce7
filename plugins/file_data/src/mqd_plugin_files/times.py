"""Timestamps of any kind into UTC nanoseconds. Reads no clock and no table of sessions.

Local times go through the standard library's time zones, not arrow's: these are the same on every platform.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from mqd_core.api import MINUTE_NS, SECOND_NS, DataMissing
from mqd_plugin_files.block import BadValue, Integers
from mqd_plugin_files.prices import cast, is_text, refuse_nulls
from mqd_plugin_files.settings import FilesSettings

_UNITS_NS: Final = {"s": SECOND_NS, "ms": 1_000_000, "us": 1_000, "ns": 1}
_DAY_NS: Final = 24 * 60 * MINUTE_NS
_EPOCH: Final = dt.datetime(1970, 1, 1)  # noqa: DTZ001  local times have no zone of their own
_MOST: Final = 2**63 - 1
_OFFSET: Final = re.compile(r":\d\d(\.\d+)?(Z|[+-]\d\d(:?\d\d)?)$|T\d\d(Z|[+-]\d\d(:?\d\d)?)$")
_UTC_TYPE: Final = pa.timestamp("ns", tz="UTC")
_LOCAL_TYPE: Final = pa.timestamp("ns")


class TimeReader:
    """Turns columns of timestamps into the starts of bars."""

    def __init__(self, settings: FilesSettings) -> None:
        self._unit = settings.timestamp_unit
        self._zone = None if settings.timezone is None else ZoneInfo(settings.timezone)
        self._earlier_ns = MINUTE_NS if settings.stamp == "end" else 0

    def starts_of(self, column: pa.Array) -> Integers:
        """Return the bars' starts, UTC nanoseconds.

        Raises:
            BadValue: the first value that is no time, or a local one that clocks show twice or never.
            DataMissing: the column needs a setting that is not there.
        """
        starts = self._utc(column)
        return starts - self._earlier_ns if self._earlier_ns else starts

    def _utc(self, column: pa.Array) -> Integers:
        kind = column.type
        refuse_nulls(column, "a time such as 2013-10-04T13:30:00Z is allowed")
        if is_text(kind):
            return self._from_text(column)
        if pa.types.is_integer(kind):
            return self._from_integers(column)
        if not pa.types.is_timestamp(kind):
            raise BadValue(0, f"of type {kind}", "timestamps, whole numbers or text are allowed")
        if kind.tz is None:
            local = cast(column, lambda part: part.cast(_LOCAL_TYPE), "a time between 1678 and 2261 is allowed")
            return self._from_local(_integers(local))
        return _integers(cast(column, lambda part: part.cast(_UTC_TYPE), "a time between 1678 and 2261 is allowed"))

    def _from_text(self, column: pa.Array) -> Integers:
        if self._unit is not None:
            allowed = f"a whole number of {self._unit} since 1970 is allowed (data.timestamp_unit)"
            return self._from_integers(cast(column, lambda part: part.cast(pa.int64()), allowed))
        if self._zone is not None and len(column) and not _OFFSET.search(column[0].as_py()):
            allowed = f"a local time such as 2013-10-04T09:30:00 is allowed (data.timezone is {self._zone})"
            return self._from_local(_integers(cast(column, lambda part: part.cast(_LOCAL_TYPE), allowed)))
        allowed = "a time with its offset, such as 2013-10-04T13:30:00Z or 2013-10-04T09:30:00-04:00, is allowed; "
        allowed += "set data.timezone for local times, data.timestamp_unit for whole numbers"
        return _integers(cast(column, lambda part: part.cast(_UTC_TYPE), allowed))

    def _from_integers(self, column: pa.Array) -> Integers:
        if self._unit is None:
            raise DataMissing(
                "the timestamps are whole numbers; say by data.timestamp_unit of what: s, ms, us or ns since 1970"
            )
        unit_ns = _UNITS_NS[self._unit]
        most = _MOST // unit_ns
        numbers = _integers(cast(column, lambda part: part.cast(pa.int64()), f"at most {most} is allowed"))
        outside = (numbers > most) | (numbers < -most)
        if outside.any():
            index = int(np.argmax(outside))
            allowed = f"in {self._unit} since 1970 (data.timestamp_unit) that is beyond the year 2262"
            raise BadValue(index, str(numbers[index]), allowed)
        return numbers * unit_ns

    def _from_local(self, local_ns: Integers) -> Integers:
        if self._zone is None:
            raise DataMissing("the timestamps have no time zone; say by data.timezone whose clocks they are read from")
        days, day_of = np.unique(local_ns // _DAY_NS, return_inverse=True)
        offsets = np.empty(len(days), dtype=np.int64)
        changing = []
        for index, day in enumerate(days.tolist()):
            first, last = _offset_ns(day * _DAY_NS, self._zone), _offset_ns((day + 1) * _DAY_NS - 1, self._zone)
            offsets[index] = first
            if first != last:
                changing.append(index)
        starts = local_ns - offsets[day_of]
        # On the few days on which clocks change, each time is looked at by itself.
        for place in np.flatnonzero(np.isin(day_of, changing)).tolist():
            starts[place] = self._unambiguous(int(local_ns[place]), place)
        return starts

    def _unambiguous(self, local_ns: int, place: int) -> int:
        zone = self._zone or dt.timezone.utc
        early, late = (local_ns - _offset_ns(local_ns, zone, fold) for fold in (0, 1))
        if early == late:
            return early
        # Of a time that is shown twice, the first showing is the earlier one; of one that is skipped, the later.
        what = "comes twice" if early < late else "does not exist"
        was = f"{_naive(local_ns).isoformat()}, which {what} on the clocks of {zone}"
        raise BadValue(place, was, "write such times with their offset, or all of them in UTC")


def _integers(column: pa.Array) -> Integers:
    return np.asarray(column.cast(pa.int64()).to_numpy(zero_copy_only=False), dtype=np.int64)


def _naive(local_ns: int) -> dt.datetime:
    return _EPOCH + dt.timedelta(microseconds=local_ns // 1_000)


def _offset_ns(local_ns: int, zone: dt.tzinfo, fold: int = 0) -> int:
    """How far the zone's clocks are ahead of UTC at what they show."""
    offset = _naive(local_ns).replace(tzinfo=zone, fold=fold).utcoffset() or dt.timedelta(0)
    return int(offset / dt.timedelta(microseconds=1)) * 1_000
