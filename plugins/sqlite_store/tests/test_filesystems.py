"""Where a store may lie: on a disk of this machine, whatever its folders are called, and nowhere else."""

from __future__ import annotations

import sys
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

import pytest

from mqd_core.api import StoreError
from mqd_plugin_sqlite.filesystems import REMOTE_DRIVE, Mount, mounts, parsed, refusal
from mqd_plugin_sqlite.store import SqliteStore

ROOT = Mount(PurePosixPath("/"), "ext4")


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("/mnt/share", "nfs4"),
        ("/mnt/share", "cifs"),
        ("/mnt/share", "fuse.sshfs"),
        ("/mnt/share", "fuse.rclone"),
        ("/mnt", "9p"),
        ("/", "nfs"),
    ],
)
def test_a_network_file_system_is_refused(place: str, kind: str) -> None:
    """The file system that holds the path decides, by its type."""
    found = refusal(PurePosixPath("/mnt/share/desk/desk.db"), [ROOT, Mount(PurePosixPath(place), kind)])
    assert found == f"{place} is a network file system ({kind})"


@pytest.mark.parametrize(
    "others",
    [
        [],
        [Mount(PurePosixPath("/mnt/share"), "nfs")],
        [Mount(PurePosixPath("/data/ann/des"), "nfs")],
        [Mount(PurePosixPath("/data"), "nfs"), Mount(PurePosixPath("/data/ann"), "btrfs")],
        [Mount(PurePosixPath("/data/ann"), "nfs"), Mount(PurePosixPath("/data/ann"), "xfs")],
        [Mount(PurePosixPath("/data/ann"), "fuse.gocryptfs")],
        [Mount(PurePosixPath("/data/ann"), "tmpfs")],
    ],
)
def test_a_local_file_system_is_taken(others: list[Mount]) -> None:
    """Other mounts, an earlier one on the same folder, and file systems of this machine's own do no harm."""
    assert refusal(PurePosixPath("/data/ann/desk/desk.db"), [ROOT, *others]) == ""


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (PureWindowsPath(r"C:\Ann\OneDrive\desk\desk.db"), "the folder OneDrive is kept in step"),
        (PureWindowsPath(r"C:\Ann\OneDrive - Ann & Co\desk.db"), "by OneDrive"),
        (PureWindowsPath(r"D:\Dropbox (Personal)\desk.db"), "by Dropbox"),
        (PureWindowsPath(r"C:\Ann\iCloudDrive\desk.db"), "by iCloud"),
        (PureWindowsPath(r"G:\My Drive\desk.db"), "by Google Drive"),
        (PurePosixPath("/Volumes/GoogleDrive/My Drive/desk.db"), "by Google Drive"),
        (PurePosixPath("/u/Library/Mobile Documents/com~apple~CloudDocs/desk.db"), "by iCloud"),
        (PurePosixPath("/u/Library/CloudStorage/Box-Box/desk.db"), "by a cloud's own program"),
        (PurePosixPath("/u/Dropbox/desk.db"), "by Dropbox"),
        (PureWindowsPath(r"\\server\share\desk.db"), r"\\server\share is a folder of another machine"),
    ],
)
def test_a_cloud_or_a_share_is_refused_by_its_name(path: PurePath, found: str) -> None:
    """Folders that a program keeps in step with a cloud, and paths of other machines, are known by their names."""
    assert found in refusal(path, [ROOT])


@pytest.mark.parametrize(
    "path",
    [
        PureWindowsPath(r"C:\Ann\desk\desk.db"),
        PureWindowsPath(r"\\?\C:\desk\desk.db"),
        PurePosixPath("/data/ann/dropbox-tools/desk.db"),
        PurePosixPath("/data/ann/desk/OneDrive"),
        PurePosixPath("/data/ann/notonedrive/desk.db"),
    ],
)
def test_names_that_only_resemble_are_taken(path: PurePath) -> None:
    """A file of such a name, or a folder whose name only holds it, is nobody's cloud."""
    assert refusal(path, [ROOT]) == ""


def test_a_remote_drive_of_windows_is_refused() -> None:
    """A drive letter that Windows calls remote stands in the table as such."""
    table = [Mount(PureWindowsPath("Z:\\"), REMOTE_DRIVE)]
    assert refusal(PureWindowsPath(r"Z:\desk\desk.db"), table) == "Z:\\ is a network file system (remote drive)"
    assert refusal(PureWindowsPath(r"C:\desk\desk.db"), table) == ""


def test_the_table_of_mounts_is_read_with_its_blanks() -> None:
    """Blanks in a folder's name are octal numbers in Linux's table; lines that are no mount are left out."""
    table = "/dev/sda1 / ext4 rw 0 0\nserver:/x /mnt/my\\040share nfs4 rw 0 0\n\n"
    assert parsed(table) == [ROOT, Mount(PurePosixPath("/mnt/my share"), "nfs4")]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such table")
def test_this_machines_mounts_are_known(tmp_path: Path) -> None:
    """On Linux the table has the root, and the file system of the tests is no network's."""
    assert PurePosixPath("/") in {mount.folder for mount in mounts(tmp_path)}


def test_a_store_in_a_cloud_folder_is_refused_before_it_is_made(tmp_path: Path) -> None:
    """The message says why, and where to put the store instead; nothing is made."""
    path = tmp_path / "Dropbox" / "desk.db"
    with pytest.raises(StoreError, match=r"by Dropbox, where .* not safe\. Name a folder on a disk of this machine"):
        SqliteStore(path)
    assert not path.parent.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_a_link_into_a_cloud_folder_is_followed(tmp_path: Path) -> None:
    """What counts is where the file would really lie."""
    (tmp_path / "Dropbox").mkdir()
    (tmp_path / "state").symlink_to(tmp_path / "Dropbox")
    with pytest.raises(StoreError, match="the folder Dropbox"):
        SqliteStore(tmp_path / "state" / "desk.db")
