"""A watchdog's loop, and how a desk starts one beside itself. May not judge or act: `app` does both."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mqd_core.config import Config
    from mqd_core.runtime.heartbeat import Heartbeat
    from mqd_core.runtime.stopping import StopRequest

_SECOND_NS = 1_000_000_000


def watch(
    config: Config,
    open_orders: Callable[[], int | None],
    silence_seconds: float,
    stop: StopRequest,
    leave_with: int | None,
) -> Heartbeat | None:
    """Watch until the desk must be killed, which its last sign of life says; None when asked to stop, or to leave."""
    from mqd_core.app.factories import desk_places
    from mqd_core.app.watchdog import LOOK_SECONDS, Watchdog
    from mqd_core.runtime.heartbeat import HeartbeatFile

    silence_ns = silence_seconds * _SECOND_NS
    heartbeat = HeartbeatFile(desk_places(config).root)
    watchdog = Watchdog(heartbeat, silence_seconds, open_orders)
    while not stop:
        beat = watchdog.look()
        if beat is not None:
            return beat
        # A desk that has ended in order took its heartbeat away; one that never began does not get one.
        is_gone = watchdog.absent_ns and (leave_with in watchdog.seen or watchdog.absent_ns > silence_ns)
        if leave_with is not None and is_gone:
            return None
        stop.wait(LOOK_SECONDS)
    return None


def start_watchdog(config_path: Path) -> None:
    """Start a watchdog in a process of its own, that outlives this one and ends when the desk has ended in order."""
    command = [
        sys.executable,
        "-m",
        "mqd_core",
        "watchdog",
        "--leave-with",
        str(os.getpid()),
        "--config",
        str(config_path),
    ]
    # Out of this terminal's process group: the Ctrl-C that stops the desk must not end who looks after it.
    subprocess.Popen(  # noqa: S603  this program itself
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
    )
