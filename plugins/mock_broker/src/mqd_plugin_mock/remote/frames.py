"""Frames on a stream: four bytes of length, big-endian, then the content. May not know what a frame says."""

from __future__ import annotations

import socket
import struct
from time import monotonic  # noqa: TID251  how long a call may last is nothing that a desk decides by
from typing import Final

_LENGTH: Final = struct.Struct(">I")
#: More than any desk asks in one request.
REQUEST_BYTES_MAX: Final = 4 * 1024 * 1024
#: More than the orders of years: an answer beyond it is none of the venue's.
ANSWER_BYTES_MAX: Final = 256 * 1024 * 1024
#: All that a client says before it is known.
GREETING_BYTES_MAX: Final = 1024
_READ_BYTES: Final = 256 * 1024


class FrameFault(Exception):
    """Raised when what came is no frame, or longer than allowed."""


class Deadline:
    """A point in time on the machine's own clock, until which a call may last."""

    def __init__(self, seconds: float) -> None:
        self._end = monotonic() + seconds

    @property
    def seconds_left(self) -> float:
        """Never quite zero: what has come already may be read by a process that was stopped meanwhile."""
        return max(self._end - monotonic(), 0.001)

    @property
    def is_over(self) -> bool:
        """Whether the time has passed."""
        return monotonic() >= self._end


def frame(content: bytes) -> bytes:
    """The content with its length before it."""
    return _LENGTH.pack(len(content)) + content


class FrameBuffer:
    """Bytes as they come, taken out frame by frame."""

    def __init__(self, bytes_max: int) -> None:
        #: The longest frame that is allowed now; raises nothing by itself.
        self.bytes_max = bytes_max
        self._bytes = bytearray()

    def add(self, data: bytes) -> None:
        """Put behind what is there."""
        self._bytes += data

    def take(self) -> bytes | None:
        """The first whole frame, or None; raises FrameFault for one that announces more than is allowed."""
        if len(self._bytes) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._bytes)
        if length > self.bytes_max:
            raise FrameFault(f"a frame of {length} bytes was announced, allowed are {self.bytes_max}")
        end = _LENGTH.size + length
        if len(self._bytes) < end:
            return None
        content = bytes(self._bytes[_LENGTH.size : end])
        del self._bytes[:end]
        return content


def send_frame(connection: socket.socket, content: bytes, deadline: Deadline) -> None:
    """Send one frame; raises OSError, after which it is not known what of it has arrived."""
    connection.settimeout(deadline.seconds_left)
    connection.sendall(frame(content))


def read_frame(connection: socket.socket, buffer: FrameBuffer, deadline: Deadline) -> bytes:
    """Wait for one frame; raises OSError, ConnectionError where the other side has closed, and FrameFault."""
    while (content := buffer.take()) is None:
        connection.settimeout(deadline.seconds_left)
        data = connection.recv(_READ_BYTES)
        if not data:
            raise ConnectionResetError("the other side closed the connection")
        buffer.add(data)
    return content
