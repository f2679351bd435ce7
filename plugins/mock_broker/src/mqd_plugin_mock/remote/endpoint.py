"""Where a venue's process can be found, and how the two sides prove to each other that they may speak.

The file beside the account's record holds the port and a secret made anew at each start; only its owner can read it.
The secret itself never travels: each side signs a number that the other one has chosen. So another user of the machine
can neither trade on the account nor play the venue. May not open a connection.
"""

from __future__ import annotations

import hmac
import os
import secrets  # noqa: TID251  a secret has to be one; nothing is decided by it
from pathlib import Path
from typing import Final

import msgspec

HOST: Final = "127.0.0.1"
_FORMAT: Final = "mqd-mock-venue-1"


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A venue that runs: its port on the loopback interface, its secret, its process."""

    port: int
    secret: str
    process: int
    format: str = _FORMAT


def new_secret() -> str:
    """A secret, or a number used once."""
    return secrets.token_hex(32)


def venue_proof(secret: str, nonce: str) -> str:
    """What only the venue can answer to a client's number."""
    return _sign(secret, f"venue {nonce}")


def client_proof(secret: str, nonce: str) -> str:
    """What only a client that has read the file can answer to the venue's number."""
    return _sign(secret, f"client {nonce}")


def is_proof(expected: str, shown: str) -> bool:
    """Whether both are the same, told in a time that says nothing about where they differ."""
    return hmac.compare_digest(expected.encode(), shown.encode())


def write_endpoint(path: Path, endpoint: Endpoint) -> None:
    """Write the file, readable by its owner only from its first moment on; raises OSError."""
    made = path.with_name(f"{path.name}.new")
    made.unlink(missing_ok=True)
    descriptor = os.open(made, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(endpoint))
    made.replace(path)


def read_endpoint(path: Path) -> Endpoint | None:
    """Read the file; None where there is none, or none of this version."""
    try:
        endpoint = msgspec.json.decode(path.read_bytes(), type=Endpoint)
    except (OSError, msgspec.MsgspecError):
        return None
    return endpoint if endpoint.format == _FORMAT else None


def remove_endpoint(path: Path, endpoint: Endpoint) -> None:
    """Remove the file if it still speaks of this venue: a later one may have written its own."""
    if read_endpoint(path) == endpoint:
        path.unlink(missing_ok=True)


def _sign(secret: str, text: str) -> str:
    return hmac.new(secret.encode(), text.encode(), "sha256").hexdigest()
