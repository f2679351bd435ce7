"""Discovery: every entry point that is installed is found, by metadata alone, whatever else is broken."""

from __future__ import annotations

import importlib.metadata
import os
import sys
from collections.abc import Callable
from itertools import permutations
from pathlib import Path

import pytest

from mqd_core.registry.discovery import UNKNOWN, Found, discover
from mqd_core.registry.kinds import Kind
from mqd_core.testing.distributions import make_distribution

Install = Callable[..., Path]


def test_finds_kind_name_target_and_distribution(only_site: Path) -> None:
    """An entry point comes back with all that its metadata says, although nothing of it can be imported."""
    make_distribution(
        only_site,
        "MQD_plugin.Mine",
        "1.2.3",
        entry_points={"mqd.brokers": {"mine": "nowhere.plugin"}, "mqd.data_providers": {"mine": "nowhere.plugin"}},
        requires=["mqd-core>=0.1", "other; extra == 'more'"],
    )

    requires = ("mqd-core>=0.1", "other; extra == 'more'")
    assert discover() == (
        Found(Kind.BROKER, "mine", "nowhere.plugin", "MQD_plugin.Mine", "1.2.3", requires),
        Found(Kind.DATA_PROVIDER, "mine", "nowhere.plugin", "MQD_plugin.Mine", "1.2.3", requires),
    )


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_has_its_group(only_site: Path, kind: Kind) -> None:
    """Each of the nine groups is looked at."""
    make_distribution(only_site, "mqd-plugin-any", entry_points={kind.group: {"any": "x.plugin"}})

    assert [found.kind for found in discover()] == [kind]


def test_fifty_distributions_are_listed_sorted(only_site: Path, install: Install) -> None:
    """Fifty installed plugins are all there, in the order of their names, each with its distribution."""
    for number in range(50):
        install(f"mqd-plugin-p{number:02}", f"p{number:02}", version=f"1.{number}")

    found = discover()

    assert [one.name for one in found] == [f"p{number:02}" for number in range(50)]
    assert [one.origin for one in found] == [f"mqd-plugin-p{number:02} 1.{number}" for number in range(50)]
    assert not [name for name in sys.modules if name.startswith("mqd_plugin_p0")]


def test_a_reinstallation_with_the_same_time_stamps_is_seen(only_site: Path, install: Install) -> None:
    """Entry points are read anew each time: a cache by time stamps would miss a plugin installed a second ago."""
    info = install("mqd-plugin-again", "first")
    assert [one.name for one in discover()] == ["first"]
    stamps = {path: path.stat() for path in (only_site, info, info / "entry_points.txt")}

    install("mqd-plugin-again", "first", "second")
    for path, stat in stamps.items():
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    assert [one.name for one in discover()] == ["first", "second"]


def test_both_claims_of_one_name_are_found(only_site: Path, install: Install) -> None:
    """Two distributions that claim one name are both found, although others stand between them."""
    for distribution, name in (("mqd-plugin-zb", "dup"), ("mqd-plugin-m", "good"), ("mqd-plugin-a", "dup")):
        install(distribution, name)

    assert [(one.name, one.distribution) for one in discover()] == [
        ("dup", "mqd-plugin-a"),
        ("dup", "mqd-plugin-zb"),
        ("good", "mqd-plugin-m"),
    ]


def test_one_name_with_two_targets_in_one_file_is_found_twice(only_site: Path, install: Install) -> None:
    """A distribution that claims a name twice with different targets is not quietly reduced to one of them."""
    info = install("mqd-plugin-twice", "same")
    with (info / "entry_points.txt").open("a", encoding="utf-8", newline="\n") as file:
        file.write("same = elsewhere.plugin\nsame = elsewhere.plugin\n")

    assert [one.target for one in discover()] == ["elsewhere.plugin", "mqd_plugin_twice.plugin"]


def test_a_distribution_found_twice_on_the_path_counts_once(
    only_site: Path, install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first copy on the path is the one that would be imported; the second is no conflict."""
    later = tmp_path / "later"
    install("mqd-plugin-copy", "copy", version="1.0")
    install("Mqd.Plugin_Copy", "copy", "older", version="0.9", folder=later)
    monkeypatch.setattr(sys, "path", [*sys.path, str(later)])

    assert [(one.name, one.version) for one in discover()] == [("copy", "1.0")]


def test_an_earlier_copy_without_the_plugin_hides_it(
    only_site: Path, install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an earlier copy of the same distribution lacks is not there: its modules are the ones imported."""
    install("mqd-plugin-copy", version="2.0")
    install("mqd-plugin-copy", "copy", version="1.0", folder=tmp_path / "later")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "later")])

    assert discover() == ()


@pytest.mark.parametrize("order", list(permutations(("one", "two", "three"))))
def test_the_order_of_the_path_does_not_matter(
    order: tuple[str, ...], only_site: Path, install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same distributions give the same answer, whichever folder comes first."""
    for name in order:
        install(f"mqd-plugin-{name}", "shared", name, folder=tmp_path / name)
    monkeypatch.setattr(sys, "path", [*(str(tmp_path / name) for name in order), *sys.path])

    assert [(one.name, one.distribution) for one in discover()] == [
        ("one", "mqd-plugin-one"),
        ("shared", "mqd-plugin-one"),
        ("shared", "mqd-plugin-three"),
        ("shared", "mqd-plugin-two"),
        ("three", "mqd-plugin-three"),
        ("two", "mqd-plugin-two"),
    ]


def test_broken_metadata_of_others_is_passed_over(only_site: Path, install: Install) -> None:
    """Unreadable files of unrelated distributions hide nothing, though they break the standard library's search."""
    install("mqd-plugin-good", "good")
    for name, filename, content in (
        ("garbage", "METADATA", b"\xff\xfe\x00not text"),
        ("malformed", "entry_points.txt", b"[console_scripts]\nthere is no equals sign here\n"),
        ("binary", "entry_points.txt", b"\xff\xfe\x00\x80"),
    ):
        info = make_distribution(only_site, name)
        (info / filename).write_bytes(content)
    (only_site / "empty-1.0.dist-info").mkdir()
    (only_site / "file-1.0.dist-info").write_bytes(b"a file where a folder should be")
    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever it raises, the setting must be as bad as described
        importlib.metadata.entry_points(group="mqd.sizers")

    assert [one.name for one in discover()] == ["good"]


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe\x00not text", b"Name:\nVersion:\n"])
def test_a_plugin_without_readable_metadata_is_found_as_unknown(
    only_site: Path, install: Install, content: bytes | None
) -> None:
    """A plugin whose METADATA is lost still stands in the list: hiding it would hide a conflict."""
    info = install("mqd-plugin-lost", "lost")
    (info / "METADATA").unlink()
    if content is not None:
        (info / "METADATA").write_bytes(content)

    (found,) = discover()

    assert (found.name, found.distribution, found.version) == ("lost", UNKNOWN, UNKNOWN)


def test_comments_spaces_and_other_groups_are_understood(only_site: Path, install: Install) -> None:
    """The file is read as its format says: sections, comments, spaces around names, case kept."""
    info = install("mqd-plugin-form")
    (info / "entry_points.txt").write_text(
        "# about\n[console_scripts]\nform = x:main\n\n[ mqd.sizers ]\n; note\n  Form  =  x.plugin [more] \nbare\n"
        "[mqd.brokers.v2]\nlater = x.plugin\n",
        encoding="utf-8",
        newline="\n",
    )

    assert [(one.name, one.target) for one in discover()] == [("Form", "x.plugin [more]"), ("bare", "")]


def test_a_legacy_egg_info_is_found(only_site: Path) -> None:
    """Old editable installations leave an egg-info folder; its entry points count like any other."""
    info = only_site / "mqd_plugin_old.egg-info"
    info.mkdir()
    (info / "PKG-INFO").write_text("Metadata-Version: 1.2\nName: mqd-plugin-old\nVersion: 3\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[mqd.stores]\nold = old.plugin\n", encoding="utf-8")
    (info / "requires.txt").write_text("mqd-core>=9\n", encoding="utf-8")

    (found,) = discover()

    assert (found.kind, found.origin, found.requires) == (Kind.STORE, "mqd-plugin-old 3", ("mqd-core>=9",))
