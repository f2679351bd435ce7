"""Starts the venue's process, which then belongs to nobody: it outlives the desk.

May not talk to it but for its start.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Final

import msgspec

from mqd_core.api import StoreCorrupt, StoreError, StoreSchemaError
from mqd_plugin_mock.remote.process import Ready
from mqd_plugin_mock.remote.setup import VenuePlace

#: More than a start takes, a long record included.
_START_SECONDS: Final = 30.0
_ERRORS: Final = {error.__name__: error for error in (StoreError, StoreCorrupt, StoreSchemaError)}
# A session, or group, of its own: neither Ctrl-C nor the terminal's end reaches it.
if sys.platform == "win32":
    _FLAGS = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
else:
    _FLAGS = 0


def start_venue(place: VenuePlace, setup: str) -> None:
    """Start the process and wait until it serves. Raises what the process could not open its account for."""
    try:
        place.record.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with place.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "mqd_plugin_mock.remote.process"],
                # -m looks for modules in the working directory first: this one is the account's own.
                cwd=place.record.parent,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                creationflags=_FLAGS,
            )
    except OSError as error:
        raise StoreError(f"the venue's process cannot be started in {place.record.parent}: {error}") from error
    ready = _started(process, setup)
    if ready.error:
        raise _ERRORS.get(ready.error, StoreError)(ready.text)


def _started(process: subprocess.Popen[bytes], setup: str) -> Ready:
    """What the process says of its start; one that hangs is ended."""
    assert process.stdin is not None  # noqa: S101  for the type checker: both are pipes
    assert process.stdout is not None  # noqa: S101
    alarm = threading.Timer(_START_SECONDS, process.kill)
    alarm.start()
    try:
        with process.stdin, process.stdout:
            process.stdin.write(setup.encode())
            process.stdin.close()
            line = process.stdout.readline()
        return msgspec.json.decode(line, type=Ready)
    except (OSError, msgspec.MsgspecError):
        return Ready("StoreError", "the venue's process ended before it served; its log, beside the record, says why")
    finally:
        alarm.cancel()
        # Whoever started a process has to take note of its end, whenever that is.
        threading.Thread(target=process.wait, name="mqd-venue-end", daemon=True).start()
