"""Switching logging on, again, and off."""

from __future__ import annotations

import logging
import os
import stat
import sys
import threading
from pathlib import Path

import pytest
import structlog

from mqd_core.errors import ConfigError
from mqd_core.logging import LogStream, flush_logging, get_logger, setup_logging, shutdown_logging, write_record


def test_a_second_set_up_replaces_the_first(logs, tmp_path: Path) -> None:
    """After two set-ups, to the same folder or another, each line is written once, to the newest one."""
    logger = get_logger(LogStream.SYSTEM)
    logs.set_up()
    logger.info("One")
    logs.set_up()
    logger.info("Two")
    logging.getLogger("somebody").warning("Three")
    assert logs.messages(LogStream.SYSTEM) == ["One", "Two", "Three"]
    setup_logging(tmp_path / "elsewhere", console=None)
    logger.info("Four")
    assert flush_logging()
    assert logs.messages(LogStream.SYSTEM) == ["One", "Two", "Three"]
    assert (tmp_path / "elsewhere" / "system" / "system.jsonl").read_text(encoding="utf-8").count("\n") == 1


def test_shutdown_writes_everything_and_may_be_repeated(logs) -> None:
    """Whatever was logged before the shutdown is in the files after it; a second one does nothing."""
    logs.set_up()
    logger = get_logger(LogStream.TRADING)
    for number in range(500):
        logger.info("Line", extra={"number": number})
    shutdown_logging()
    shutdown_logging()
    text = (logs.folder / "trading" / "trading.jsonl").read_text(encoding="utf-8")
    assert text.count("\n") == 500
    assert not flush_logging()


def test_shutdown_gives_back_what_it_took(logs) -> None:
    """Handlers, levels, hooks, threads and structlog's configuration are as they were before the set-up."""

    def state() -> object:
        root = logging.getLogger()
        levels = [logging.getLogger(name).level for name in ("websockets", "urllib3", "asyncio")]
        return [*root.handlers], root.level, levels, sys.excepthook, threading.excepthook, structlog.get_config()

    before = state()
    logs.set_up(log_level="DEBUG")
    assert state() != before
    shutdown_logging()
    assert state() == before
    assert "mqd-log-writer" not in {thread.name for thread in threading.enumerate()}


def test_structlog_set_up_by_others_is_given_back(logs) -> None:
    """A configuration of structlog that was there before is there again afterwards."""
    structlog.configure(cache_logger_on_first_use=True)
    try:
        before = structlog.get_config()
        logs.set_up()
        assert structlog.get_config() != before
        shutdown_logging()
        assert structlog.get_config() == before
    finally:
        structlog.reset_defaults()


@pytest.mark.parametrize("level", ["LOUD", "", "10"])
def test_an_unknown_level_is_refused(tmp_path: Path, level: str) -> None:
    """The error names the setting, the five levels and what was written."""
    with pytest.raises(ConfigError, match=r"logging.log_level: must be one of DEBUG, INFO, .*CRITICAL, was") as caught:
        setup_logging(tmp_path / "logs", level)
    assert repr(level) in str(caught.value)
    with pytest.raises(ConfigError, match="console"):
        setup_logging(tmp_path / "logs", console=level)
    assert not (tmp_path / "logs").exists()


def test_a_log_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    """The error is a ConfigError with the path and what to do, and logging stays off."""
    (tmp_path / "logs").write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"logs cannot be written here: .*set\s+logging.log_dir") as caught:
        setup_logging(tmp_path / "logs")
    assert str(tmp_path / "logs") in str(caught.value)
    assert not flush_logging()


def test_a_log_file_that_cannot_be_opened_is_refused(logs) -> None:
    """Where a stream's file is a folder, the error names it, and the next set-up works."""
    (logs.folder / "risk" / "risk.jsonl").mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"risk\.jsonl: logs cannot be written"):
        logs.set_up()
    (logs.folder / "risk" / "risk.jsonl").rmdir()
    logs.set_up()
    get_logger(LogStream.RISK).info("Works")
    assert logs.messages(LogStream.RISK) == ["Works"]


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="the administrator may write anywhere")
def test_a_log_folder_without_permission_is_refused(tmp_path: Path) -> None:
    """A folder that may not be written is named, with the system's reason."""
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(ConfigError, match="Permission denied"):
        setup_logging(tmp_path / "locked" / "logs")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_folders_and_files_are_private(logs) -> None:
    """Folders that are made are 0700 and files 0600; a file that was open to others is closed to them."""
    (logs.folder / "risk").mkdir(parents=True)
    (logs.folder / "risk" / "risk.jsonl").touch(mode=0o644)
    logs.set_up()
    assert flush_logging()
    for stream in LogStream:
        assert stat.S_IMODE((logs.folder / stream.value / f"{stream.value}.jsonl").stat().st_mode) == 0o600
        assert stream is LogStream.RISK or stat.S_IMODE((logs.folder / stream.value).stat().st_mode) == 0o700


def test_plain_text_files_where_json_is_not_wanted(logs) -> None:
    """Without JSON the files hold the readable text, under another ending."""
    logs.set_up(json_logs=False)
    get_logger(LogStream.ORDERS).info("Order submitted", extra={"symbol": "SPY", "reason": "a b"})
    text = logs.text(LogStream.ORDERS, "orders.log")
    assert text.endswith('Z INFO     orders      Order submitted symbol=SPY reason="a b"\n')
    assert not (logs.folder / "orders" / "orders.jsonl").exists()


def test_the_console_has_a_level_of_its_own(logs, capsys: pytest.CaptureFixture[str]) -> None:
    """Files and stderr each show from their own level on, in both directions, and stdout stays empty."""
    logger = get_logger(LogStream.TRADING)
    logs.set_up(log_level="INFO", console="ERROR")
    logger.info("File only")
    logger.error("Both")
    assert logs.messages(LogStream.TRADING) == ["File only", "Both"]
    logs.set_up(log_level="ERROR", console="DEBUG")
    logger.debug("Console only")
    write_record(LogStream.TRADING, "INFO", "Signal made", None, 0, {})
    assert logs.messages(LogStream.TRADING) == ["File only", "Both"]
    shown = capsys.readouterr()
    assert shown.out == ""
    assert [line.split("trading")[1].strip() for line in shown.err.splitlines()] == [
        "Both", "Console only", "Signal made",
    ]  # fmt: skip


def test_before_any_set_up_only_warnings_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """A desk that has not set logging up loses no warning, and says nothing else."""
    logger = get_logger(LogStream.SYSTEM)
    logger.info("Nobody listens")
    write_record(LogStream.RISK, "INFO", "Limit moved", None, 0, {})
    logger.warning("Look here")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert "Look here" in shown.err


def test_processes_share_a_log_folder_without_sharing_a_file(logs, run_script) -> None:
    """A second process at the same time writes files of its own; after it, its place is free again."""
    logs.set_up()
    get_logger(LogStream.SYSTEM).info("First")
    source = (
        "import sys\n"
        "from mqd_core.logging import LogStream, get_logger, setup_logging\n"
        "setup_logging(sys.argv[1], console=None)\n"
        "get_logger(LogStream.SYSTEM).info('Second')\n"
    )
    for _ in range(2):
        run_script(source, str(logs.folder))
    assert logs.messages(LogStream.SYSTEM) == ["First"]
    assert [line["message"] for line in logs.lines(LogStream.SYSTEM, "system-2.jsonl")] == ["Second", "Second"]
    shutdown_logging()
    run_script(source, str(logs.folder))
    text = (logs.folder / "system" / "system.jsonl").read_text(encoding="utf-8")
    assert text.count("\n") == 2


def test_a_log_folder_has_room_for_a_bounded_number_of_processes(tmp_path: Path) -> None:
    """One process too many is told so, with what to do."""
    from mqd_core.logging.folders import MOST_WRITERS, LogFolder

    folders = [LogFolder(tmp_path) for _ in range(MOST_WRITERS)]
    try:
        for folder in folders:
            folder.open()
        assert [folder.place for folder in folders] == list(range(1, MOST_WRITERS + 1))
        with pytest.raises(ConfigError, match="32 processes log into this folder already"):
            LogFolder(tmp_path).open()
    finally:
        for folder in folders:
            folder.close()
