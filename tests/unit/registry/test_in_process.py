"""In-process registration: a test or a notebook uses a plugin that is not installed, by the same rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from mqd_core.api import NoSettings, ObserverRecord, Size, SizerRecord, hookimpl
from mqd_core.errors import PluginBlocked, PluginConflict, PluginIncompatible, PluginLoadError, PluginNotFound
from mqd_core.registry.kinds import Kind
from mqd_core.registry.loader import Registry
from mqd_core.registry.resolve import Wanted

Install = Callable[..., Path]


class Plugin:
    """A plugin made of an object: two sizers and an observer."""

    __name__ = "fake_plugin"

    @hookimpl
    def mqd_sizers(self) -> Iterator[SizerRecord[NoSettings]]:
        for name in ("in_process_a", "in_process_b"):
            yield SizerRecord(name=name, summary="s", settings=NoSettings, factory=lambda *_: self)

    @hookimpl
    def mqd_observers(self) -> Iterator[ObserverRecord[NoSettings]]:
        yield ObserverRecord(name="in_process_a", summary="s", settings=NoSettings, factory=lambda *_: self)

    def size(self, signal: object, view: object) -> Size:
        raise NotImplementedError

    def on_record(self, record: object) -> None:
        raise NotImplementedError


WANTED = [Wanted(Kind.SIZER, "in_process_b"), Wanted(Kind.OBSERVER, "in_process_a")]


def test_a_registered_plugin_is_found_and_loaded_until_undone() -> None:
    """All its records are there under the given distribution, and gone after the undo, which may come twice."""
    registry = Registry()
    registration = registry.register(Plugin(), distribution="test", version="3")

    loaded = registry.load(WANTED)

    assert [one.record.name for one in loaded] == ["in_process_b", "in_process_a"]
    assert {one.found.origin for one in loaded} == {"test 3"}
    assert [found.name for found in registration.found] == ["in_process_a", "in_process_a", "in_process_b"]
    assert set(registration.found) <= set(registry.installed())
    registration.undo()
    registration.undo()
    with pytest.raises(PluginNotFound):
        registry.load(WANTED)


def test_the_end_of_a_with_block_undoes() -> None:
    """A registration ends with its block, also when the block fails, and can be made again."""
    registry, plugin = Registry(), Plugin()
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            _use_and_fail(registry, plugin)
    with pytest.raises(PluginNotFound):
        registry.resolve(WANTED)


def _use_and_fail(registry: Registry, plugin: Plugin) -> None:
    with registry.register(plugin, distribution="test"):
        assert registry.resolve(WANTED)
        raise ZeroDivisionError


def test_a_registered_plugin_does_not_replace_an_installed_one(install: Install) -> None:
    """Two claims of one name are a conflict, whichever way they came."""
    install("mqd-plugin-disk", "in_process_a")
    registry = Registry()
    registry.register(Plugin(), distribution="test")

    with pytest.raises(PluginConflict, match=r"mqd-plugin-disk 1\.0 and test 0"):
        registry.resolve([Wanted(Kind.SIZER, "in_process_a")])


def test_two_plugins_of_one_module_name_can_be_registered() -> None:
    """Objects that call themselves the same are two plugins, and a conflict only if their records collide."""
    registry = Registry()
    registry.register(Plugin(), distribution="one")
    registry.register(Plugin(), distribution="two")

    with pytest.raises(PluginConflict, match="one 0 and two 0"):
        registry.resolve([Wanted(Kind.SIZER, "in_process_a")])


def test_allow_list_and_core_version_hold_for_it() -> None:
    """The rules of installed plugins hold for a registered one."""
    registry = Registry(allow=["other"])
    registry.register(Plugin(), distribution="test")
    with pytest.raises(PluginBlocked):
        registry.resolve(WANTED)
    registry = Registry()
    registry.register(Plugin(), distribution="test", requires=["mqd-core>=99"])
    with pytest.raises(PluginIncompatible):
        registry.resolve(WANTED)


def test_a_plugin_with_wrong_hooks_is_not_registered() -> None:
    """Its fault is told at once, naming it, and nothing of it stays."""

    class Wrong(Plugin):
        @hookimpl
        def mqd_stores(self) -> list[int]:
            return [1]

    registry = Registry()
    before = registry.installed()
    with pytest.raises(PluginLoadError, match=r"^fake_plugin \(test 1\): mqd_stores may yield StoreRecord only"):
        registry.register(Wrong(), distribution="test", version="1")
    assert registry.installed() == before

    with pytest.raises(PluginLoadError, match=r"^SimpleNamespace \(test 0\): it yields no record: it needs @hookimpl"):
        registry.register(SimpleNamespace(), distribution="test")


def test_undoing_leaves_a_plugin_that_was_loaded_from_disk(install: Install) -> None:
    """Registering a module that is loaded already, and undoing it, does not take the loaded one away."""
    install("mqd-plugin-disk", "disk")
    registry = Registry()
    registry.load([Wanted(Kind.SIZER, "disk")])
    import mqd_plugin_disk.plugin as module  # type: ignore[import-not-found]

    with registry.register(module, distribution="again"), pytest.raises(PluginConflict):
        registry.load([Wanted(Kind.SIZER, "disk")])
    assert registry.load([Wanted(Kind.SIZER, "disk")])[0].name == "disk"
