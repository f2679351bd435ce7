"""Installed distributions made of files, so that discovery is tested without pip.

A folder with a `*.dist-info` in it, put on `sys.path`, is an installed distribution to Python. May not touch anything
outside the folder it is given.
"""

from __future__ import annotations

import base64
import hashlib
import importlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path


def make_distribution(
    folder: Path,
    name: str,
    version: str = "1.0",
    *,
    entry_points: Mapping[str, Mapping[str, str]] | None = None,
    modules: Mapping[str, str] | None = None,
    requires: Sequence[str] = (),
) -> Path:
    """Write a distribution into a folder, over one of the same name and version, and return its `.dist-info`.

    Args:
        folder: where it is installed; put it on `sys.path` to see it.
        name: its name, such as `mqd-plugin-mine`.
        version: its version.
        entry_points: group -> entry point's name -> target, such as
            `{"mqd.brokers": {"mine": "mqd_plugin_mine.plugin"}}`.
        modules: path below the folder -> source, such as `{"mqd_plugin_mine/plugin.py": "..."}`; packages get an
            empty `__init__.py` where they lack one.
        requires: requirements, such as `mqd-core>=1,<2`.
    """
    info = folder / f"{re.sub(r'[-_.]+', '_', name).lower()}-{version}.dist-info"
    metadata = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    files = {
        f"{info.name}/METADATA": "\n".join([*metadata, *(f"Requires-Dist: {one}" for one in requires)]) + "\n",
        f"{info.name}/entry_points.txt": _entry_points(entry_points or {}),
        **_with_packages(modules or {}),
    }
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8", newline="\n")
    record = [*(_recorded(folder, path) for path in files), f"{info.name}/RECORD,,"]
    (info / "RECORD").write_text("\n".join(record) + "\n", encoding="utf-8", newline="\n")
    # Finders remember what a folder held; one that was looked at a moment ago may have an unchanged time stamp.
    importlib.invalidate_caches()
    return info


def _entry_points(entry_points: Mapping[str, Mapping[str, str]]) -> str:
    lines: list[str] = []
    for group, entries in entry_points.items():
        lines += [f"[{group}]", *(f"{name} = {target}" for name, target in entries.items()), ""]
    return "\n".join(lines)


def _with_packages(modules: Mapping[str, str]) -> dict[str, str]:
    """Return the modules with an `__init__.py` for each folder above them that has none."""
    files = dict(modules)
    for path in modules:
        for parent in Path(path).parents:
            if parent != Path():
                files.setdefault((parent / "__init__.py").as_posix(), "")
    return files


def _recorded(folder: Path, path: str) -> str:
    """Return a file's line in RECORD: path, digest, size."""
    content = (folder / path).read_bytes()
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode("ascii")
    return f"{path},sha256={digest},{len(content)}"
