"""What logging does to a process: at import, at exit, in a forked child, and when an error is not caught."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path

import pytest

from mqd_core.logging.delivery import Delivery
from mqd_core.logging.uncaught import UncaughtErrors

SET_UP = """
import sys, threading
from mqd_core.logging import LogStream, get_logger, register_secret, setup_logging
register_secret("Qz7xW1vR9tY3uK5mB8nC")
"""


def system_lines(folder: Path) -> list[dict[str, object]]:
    """The lines of the system stream that a script left behind."""
    return [json.loads(line) for line in (folder / "logs/system/system.jsonl").read_text(encoding="utf-8").splitlines()]


def test_importing_writes_nothing_and_loads_nothing_heavy(run_script, tmp_path: Path) -> None:
    """The import opens no file, starts no thread, and leaves structlog, rich, pydantic and numpy alone."""
    done = run_script(
        "import sys, threading\n"
        "from mqd_core.logging import LogStream, get_logger\n"
        "get_logger(LogStream.SYSTEM).info('not written')\n"
        "heavy = {'structlog', 'rich', 'pydantic', 'numpy', 'asyncio', 'filelock'} & set(sys.modules)\n"
        "print(heavy, threading.active_count())\n"
    )
    assert done.stdout == "set() 1\n"
    assert done.stderr == ""
    assert [path.name for path in tmp_path.iterdir()] == ["script.py"]


def test_lines_are_written_at_exit(run_script, tmp_path: Path) -> None:
    """A process that simply ends has written all its lines."""
    run_script(
        SET_UP + "setup_logging('logs', console=None)\n"
        "for number in range(200):\n    get_logger(LogStream.SYSTEM).info('Line', extra={'number': number})\n"
    )
    assert [line["extra"] for line in system_lines(tmp_path)] == [{"number": number} for number in range(200)]


@pytest.mark.parametrize("console", ["None", "'ERROR'"])
def test_an_uncaught_error_is_logged_and_shown_without_secrets(run_script, tmp_path: Path, console: str) -> None:
    """What ends the process and what ends a thread are both logged, and shown once each, without the secret in them."""
    done = run_script(
        SET_UP + f"setup_logging('logs', console={console})\n"
        "def fail(): raise ValueError('header Qz7xW1vR9tY3uK5mB8nC')\n"
        "thread = threading.Thread(target=fail, name='feed'); thread.start(); thread.join()\n"
        "quiet = threading.Thread(target=sys.exit); quiet.start(); quiet.join()\n"
        "fail()\n",
        check=False,
    )
    assert done.returncode == 1
    assert "Qz7xW1vR9tY3uK5mB8nC" not in done.stderr + done.stdout
    assert done.stderr.count("ValueError: header ***") == 2
    lines = system_lines(tmp_path)
    assert [line["message"] for line in lines] == ["Uncaught error"] * 2
    assert [line["extra"]["thread"] for line in lines] == ["feed", "MainThread"]  # type: ignore[index]
    assert lines[0]["extra"]["error"] == "header ***"  # type: ignore[index]


def test_hooks_of_others_are_still_called(run_script, tmp_path: Path) -> None:
    """A hook that was installed before logging gets the error as well."""
    done = run_script(
        SET_UP + "sys.excepthook = lambda *error: print('main', error[1])\n"
        "threading.excepthook = lambda args: print('thread', args.exc_value)\n"
        "setup_logging('logs', console=None)\n"
        "def fail(): raise ValueError('e')\n"
        "thread = threading.Thread(target=fail); thread.start(); thread.join()\n"
        "fail()\n",
        check=False,
    )
    assert done.stdout.splitlines() == ["thread e", "main e"]
    assert len(system_lines(tmp_path)) == 2


def test_a_hook_that_replaced_loggings_own_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Switching logging off does not take away what somebody else installed in the meantime."""
    hooks = UncaughtErrors(Delivery(threshold=10, strict=False, wait=False, queue_lines=9), console_shows_them=False)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    hooks.install()
    monkeypatch.setattr(sys, "excepthook", print)
    monkeypatch.setattr(threading, "excepthook", repr)
    hooks.remove()
    assert (sys.excepthook, threading.excepthook) == (print, repr)


def test_an_interrupt_is_no_error(run_script, tmp_path: Path) -> None:
    """Ctrl-C ends the process as ever and is not logged as a fault."""
    done = run_script(SET_UP + "setup_logging('logs', console=None)\nraise KeyboardInterrupt\n", check=False)
    assert "KeyboardInterrupt" in done.stderr
    assert system_lines(tmp_path) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not fork")
def test_a_forked_child_begins_without_logging(run_script, tmp_path: Path) -> None:
    """A child neither hangs nor writes into its parent's files; it may set up its own, and the parent goes on."""
    run_script(
        "import warnings; warnings.simplefilter('ignore')\n" + SET_UP + "import os, logging\n"
        "setup_logging('logs', console=None)\n"
        "log = get_logger(LogStream.SYSTEM)\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    log.info('Lost'); logging.getLogger('x').error('Shown')\n"
        "    setup_logging('logs', console=None)\n"
        "    log.info('Child')\n"
        "    sys.exit(0)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
        "log.info('Parent')\n"
        "setup_logging('logs', console=None)\n"
        "log.info('Parent again')\n"
    )
    assert [line["message"] for line in system_lines(tmp_path)] == ["Parent", "Parent again"]
    other = (tmp_path / "logs/system/system-2.jsonl").read_text(encoding="utf-8")
    assert [json.loads(line)["message"] for line in other.splitlines()] == ["Child"]
