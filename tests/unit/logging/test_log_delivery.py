"""The queue between the threads that log and the one that writes: order, bounds, and a writer that survives."""

from __future__ import annotations

import logging
import threading

import pytest

from mqd_core.logging import LogStream, flush_logging, get_logger, write_record
from mqd_core.logging.delivery import Delivery, Writer
from mqd_core.logging.line import Line, LineBody, decode_line, encode_line


class Kept(logging.Handler):
    """A handler that keeps the messages and extras of lines, or raises."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[str, dict[str, object]]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.broken = False

    def emit(self, record: logging.LogRecord) -> None:
        assert isinstance(record, Line)
        self.gate.wait(30)
        if self.broken:
            raise RuntimeError("broken")
        body = decode_line(record.data)
        self.lines.append((body.message, body.extra))


def line(number: int) -> Line:
    """A numbered line of the stream orders."""
    return Line(LogStream.ORDERS, 20, encode_line(LineBody("t", "INFO", "l", None, "Line", {"number": number})))


def writer(delivery: Delivery, handler: Kept) -> Writer:
    """A writer whose streams all end in one handler."""
    made = Writer(delivery)
    made.write_to(dict.fromkeys(LogStream, handler), None)
    return made


def delivery(*, wait: bool = False, queue_lines: int = 3) -> Delivery:
    """A delivery with a short queue."""
    return Delivery(threshold=10, strict=False, wait=wait, queue_lines=queue_lines)


def test_lines_that_find_the_queue_full_are_counted_and_reported_once() -> None:
    """The oldest lines stay, the caller is not held up, and one line says how many are missing."""
    queue, handler = delivery(), Kept()
    for number in range(10):
        queue.put(line(number))
    one = writer(queue, handler)
    one.start()
    one.finish()
    numbers = [extra["number"] for message, extra in handler.lines if message == "Line"]
    assert numbers == [0, 1, 2]
    assert [extra for message, extra in handler.lines if message == "Log lines dropped"] == [{"lines": 7}]


def test_a_backtest_waits_for_room_and_loses_nothing() -> None:
    """Where lines may not be dropped, a caller waits for the writer, and every line arrives in order."""
    queue, handler = delivery(wait=True), Kept()
    one = writer(queue, handler)
    one.start()
    for number in range(200):
        queue.put(line(number))
    one.finish()
    assert handler.lines == [("Line", {"number": number}) for number in range(200)]


def test_the_lines_of_each_thread_keep_their_order() -> None:
    """Several threads at once lose nothing, and each finds its own lines in the order in which it logged them."""
    queue, handler = delivery(queue_lines=100_000), Kept()
    one = writer(queue, handler)
    one.start()
    threads = [
        threading.Thread(target=lambda start=start: [queue.put(line(start + number)) for number in range(1_000)])
        for start in (0, 10_000, 20_000)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    one.finish()
    numbers = [int(str(extra["number"])) for _, extra in handler.lines]
    for start in (0, 10_000, 20_000):
        mine = [number for number in numbers if start <= number < start + 1_000]
        assert mine == list(range(start, start + 1_000))


def test_a_flush_waits_for_the_lines_before_it() -> None:
    """It returns when they are written, and says so when that takes too long."""
    queue, handler = delivery(), Kept()
    handler.gate.clear()
    one = writer(queue, handler)
    one.start()
    queue.put(line(1))
    assert not queue.flush(0.01)
    handler.gate.set()
    assert queue.flush(30)
    assert handler.lines == [("Line", {"number": 1})]
    one.finish()


def test_the_writing_thread_never_waits_for_itself() -> None:
    """A line that is logged while one is written is taken even where the queue is full, without a deadlock."""
    queue = delivery(wait=True, queue_lines=1)
    flushed: list[bool] = []

    class Chatty(Kept):
        def emit(self, record: logging.LogRecord) -> None:
            super().emit(record)
            if len(self.lines) < 4:
                flushed.append(queue.flush(30))
                queue.put(line(len(self.lines)))
                queue.put(line(99))

    handler = Chatty()
    one = writer(queue, handler)
    queue.put(line(0))
    one.start()
    one.finish()
    assert flushed == [False, False, False]
    assert len(handler.lines) == 7


def test_the_writer_survives_a_line_that_it_cannot_write(capsys: pytest.CaptureFixture[str]) -> None:
    """The fault is said on stderr and the next line is written."""
    queue, handler = delivery(), Kept()
    one = writer(queue, handler)
    handler.broken = True
    one.start()
    queue.put(line(1))
    assert queue.flush(30)
    handler.broken = False
    queue.put(line(2))
    queue.queue.put(logging.makeLogRecord({"msg": "not a line"}))
    one.finish()
    assert handler.lines == [("Line", {"number": 2})]
    assert "a line could not be written: RuntimeError: broken" in capsys.readouterr().err


def test_a_file_that_cannot_be_closed_is_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    """The other files are closed nevertheless."""

    class Stuck(Kept):
        def close(self) -> None:
            super().close()
            self.gate.clear()
            raise OSError(5, "Input/output error")

    queue, stuck, other = delivery(), Stuck(), Stuck()
    one = Writer(queue)
    one.write_to({**dict.fromkeys(LogStream, stuck), LogStream.DATA: other}, None)
    one.start()
    one.finish()
    assert not stuck.gate.is_set()
    assert not other.gate.is_set()
    assert "a log file could not be closed: [Errno 5]" in capsys.readouterr().err


def test_lines_after_the_last_one_are_written_too() -> None:
    """What another thread puts while the writer stops is not lost."""
    queue, handler = delivery(), Kept()
    one = writer(queue, handler)
    one.start()
    one.enqueue_sentinel()
    queue.queue.put(line(1))
    one.finish()
    assert handler.lines == [("Line", {"number": 1})]


def test_a_full_queue_is_reported_in_the_log(logs) -> None:
    """After the set-up of a live desk with a short queue, the system stream says how many lines are missing."""
    logs.set_up(queue_lines=0)
    get_logger(LogStream.ORDERS).info("No room")
    assert flush_logging()
    (said,) = logs.lines(LogStream.SYSTEM)
    assert (said["message"], said["extra"]) == ("Log lines dropped", {"lines": 1})
    assert logs.lines(LogStream.ORDERS) == []


def test_a_backtest_may_write_more_lines_than_the_queue_holds(logs) -> None:
    """With `when_full="wait"` every record is in the file, in order."""
    logs.set_up(queue_lines=10, when_full="wait")
    for number in range(500):
        write_record(LogStream.TRADING, "INFO", "Signal made", str(number), number, {})
    assert [line["correlation_id"] for line in logs.lines(LogStream.TRADING)] == [str(each) for each in range(500)]
