"""Whether a folder lies on a disk of this machine: a write-ahead log needs memory that all its processes share.

Network file systems have none, and programs that copy a folder to a cloud copy database and log at different moments.
`refusal` is a pure function over a path and a table of mounts; reading the table is apart. May not write.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import Final, NamedTuple

#: File systems whose files other machines may change, by their type; `fuse.` before a name is left out.
NETWORK_TYPES: Final = frozenset(
    {
        *("9p", "acfs", "afpfs", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "davfs2", "gfs", "gfs2"),
        *("glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs3", "nfs4", "ocfs2", "orangefs", "panfs", "smb", "smb2"),
        *("smb3", "smbfs", "vboxsf", "vmhgfs", "vmhgfs-fuse", "webdav", "wekafs"),
        *("blobfuse", "blobfuse2", "curlftpfs", "gcsfuse", "goofys", "google-drive-ocamlfuse", "juicefs", "mount-s3"),
        *("onedriver", "rclone", "s3fs", "seaweedfs", "sshfs"),
    }
)
#: What `mounts` calls a drive of Windows that is another machine's.
REMOTE_DRIVE: Final = "remote drive"

_CLOUDS: Final = (
    (re.compile(r"onedrive(?: ?-.*|_.*)?"), "OneDrive"),
    (re.compile(r"dropbox(?: \(.*\))?"), "Dropbox"),
    (re.compile(r"icloud ?drive|icloud|com~apple~clouddocs|mobile documents"), "iCloud"),
    (re.compile(r"google ?drive|googledrive-.*|my drive|drivefs"), "Google Drive"),
    (re.compile(r"cloudstorage"), "a cloud's own program"),
)
_DRIVE_REMOTE: Final = 4


class Mount(NamedTuple):
    """Where a file system begins, and of which type it is."""

    folder: PurePath
    kind: str


def refusal(path: PurePath, mounts: Iterable[Mount]) -> str:
    """Why no store may lie at an absolute path, "" where it may.

    Judged by the file system that holds the path, by a path of another machine (a UNC path of Windows), and by the
    names that programs for cloud folders give them.
    """
    if path.drive.startswith(("\\\\", "//")) and not path.drive.startswith(("\\\\?\\", "\\\\.\\")):
        return f"{path.drive} is a folder of another machine"
    holding = [mount for mount in mounts if path.is_relative_to(mount.folder)]
    # Of two file systems on one folder the later one is seen.
    mount = max(reversed(holding), key=lambda one: len(one.folder.parts), default=None)
    if mount is not None and mount.kind.removeprefix("fuse.").lower() in {*NETWORK_TYPES, REMOTE_DRIVE}:
        return f"{mount.folder} is a network file system ({mount.kind})"
    for part in path.parts[:-1]:
        for pattern, name in _CLOUDS:
            if pattern.fullmatch(part.lower()):
                return f"the folder {part} is kept in step with other machines by {name}"
    return ""


def mounts(path: Path) -> list[Mount]:
    """The file systems of this machine, as far as the system says: all on Linux, the path's drive on Windows."""
    if sys.platform == "win32":  # pragma: no cover - asks Windows itself
        import ctypes

        is_remote = ctypes.windll.kernel32.GetDriveTypeW(path.anchor) == _DRIVE_REMOTE
        return [Mount(PurePath(path.anchor), REMOTE_DRIVE)] if is_remote else []
    table = Path("/proc/self/mounts")
    try:
        return parsed(table.read_text(encoding="utf-8", errors="surrogateescape"))
    except OSError:
        return []  # macOS has no such file: what is left are names, and SQLite's own test of the log.


def parsed(table: str) -> list[Mount]:
    """The lines of Linux's table of mounts, in its order; blanks in a folder's name stand there as octal numbers."""
    rows = [line.split(" ") for line in table.splitlines()]
    return [Mount(PurePath(_unescaped(row[1])), row[2]) for row in rows if len(row) > 2]


def resolved(path: Path) -> Path:
    """The path without links, whether or not it is there."""
    return Path(os.path.realpath(path))


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)
