"""A strategy in a file of one's own, `./my_strategy.py:MyStrategy`: no distribution, no hook, the class is its record.

The file is read once: what is hashed is what is run, and no byte code is written beside it. May not import the file
before the configuration that names it has been read whole.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import sys
from dataclasses import dataclass, field
from importlib.abc import SourceLoader
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from mqd_core.api.records import StrategyRecord
from mqd_core.api.settings import NoSettings
from mqd_core.errors import PluginNotFound
from mqd_core.registry.collect import WrongRecords
from mqd_core.registry.discovery import Found
from mqd_core.registry.failure import attributed, raised_text
from mqd_core.registry.kinds import Kind

#: What stands for the distribution of a local file.
LOCAL: Final = "local file"

_METHODS: Final = {"on_bar": "on_bar(self, bar, view)", "on_fill": "on_fill(self, fill, view)"}


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A strategy file as it was when it was read: `name` is what the configuration says, `source` its content."""

    name: str
    path: Path
    class_name: str
    source: bytes = field(repr=False)

    @property
    def sha256(self) -> str:
        """Digest of the content, in hexadecimal."""
        return hashlib.sha256(self.source).hexdigest()

    @property
    def found(self) -> Found:
        """Return what stands in listings and in the journal; the version is the digest's beginning."""
        return Found(Kind.STRATEGY, self.name, str(self.path), LOCAL, f"sha256:{self.sha256[:12]}")


class _Source(SourceLoader):
    """Hands the import system the bytes that were read; having no file times, it writes no byte code."""

    def __init__(self, file: LocalFile) -> None:
        self._file = file

    def get_filename(self, fullname: str) -> str:
        return str(self._file.path)

    def get_data(self, path: str | bytes) -> bytes:
        return self._file.source


def is_local_file(name: str) -> bool:
    """Whether a strategy's name means a file: `FILE.py:CLASS`, or by mistake `FILE.py` alone."""
    return name.endswith(".py") or ".py:" in name


def read_local(name: str) -> LocalFile:
    """Read the file that a strategy's name means, without running it; relative to the working directory.

    Split at the last colon, so that a drive letter's does no harm. Raises PluginNotFound if no class is named, or the
    file does not exist or cannot be read.
    """
    text, colon, class_name = name.rpartition(":")
    if not colon or not class_name.isidentifier():
        given = name if name.endswith(".py") else text
        raise PluginNotFound(f"strategy file {name!r} names no class: write {given}:ClassName")
    path = Path(text).absolute()
    if not path.is_file():
        raise PluginNotFound(f"strategy file {text!r} does not exist (looked for {path}){_similar_file(path)}")
    try:
        return LocalFile(name, path, class_name, path.read_bytes())
    except OSError as error:
        raise PluginNotFound(f"strategy file {text!r} cannot be read: {error}") from error


def load_local(file: LocalFile) -> StrategyRecord[Any]:
    """Run the file and return its class's record; the factory is the class: `MyStrategy(settings, context)`.

    Of the class: `Settings` (a PluginSettings; without it no parameters are allowed), `scope` ("symbol" unless it says
    "portfolio"), `summary` (else the docstring's first line). Raises PluginLoadError with the place in the file.
    """
    module_name = _module_name(file)
    with attributed(lambda error: f"strategy file {file.path}: {_fault(error, module_name)}"):
        return _record(_run(file, module_name), file)


def _module_name(file: LocalFile) -> str:
    digest = hashlib.sha256(f"{file.path}\0{file.sha256}".encode())
    return f"mqd_local_{file.path.stem}_{digest.hexdigest()[:16]}"


def _run(file: LocalFile, module_name: str) -> ModuleType:
    """Return the file's module; the same content is run once in a process, however many strategies it holds."""
    if module_name in sys.modules:
        return sys.modules[module_name]
    loader = _Source(file)
    spec = ModuleSpec(module_name, loader, origin=str(file.path))
    spec.has_location = True  # gives the module its __file__
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # first: dataclasses and pydantic look their module up while it runs
    try:
        loader.exec_module(module)
    except BaseException:
        del sys.modules[module_name]
        raise
    return module


def _record(module: ModuleType, file: LocalFile) -> StrategyRecord[Any]:
    strategy = getattr(module, file.class_name, None)
    if not isinstance(strategy, type):
        raise WrongRecords(_no_class(module, file.class_name))
    for method, shape in _METHODS.items():
        if not callable(getattr(strategy, method, None)):
            raise WrongRecords(f"class {file.class_name} has no method {shape}")
    _check_construction(strategy)
    doc = (strategy.__doc__ or "").strip().partition("\n")[0].strip()
    return StrategyRecord(
        name=file.class_name,
        summary=getattr(strategy, "summary", "") or doc or f"{file.class_name} of {file.path.name}",
        settings=getattr(strategy, "Settings", NoSettings),
        factory=strategy,
        scope=getattr(strategy, "scope", "symbol"),
    )


def _check_construction(strategy: type) -> None:
    try:
        inspect.signature(strategy).bind("settings", "context")
    except TypeError as error:
        name = strategy.__name__
        raise WrongRecords(
            f"class {name} cannot be made as {name}(settings, context): {error}; "
            "write def __init__(self, settings, context)"
        ) from error


def _no_class(module: ModuleType, class_name: str) -> str:
    from difflib import get_close_matches

    own = [name for name, value in vars(module).items() if isinstance(value, type) and hasattr(value, "on_bar")]
    own = sorted(name for name in own if getattr(module, name).__module__ == module.__name__)
    close = get_close_matches(class_name, own, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"it has no class {class_name!r} (strategies in it: {', '.join(own) or 'none'}){hint}"


def _similar_file(path: Path) -> str:
    from difflib import get_close_matches

    if not path.parent.is_dir():
        return f"; the folder {path.parent} does not exist either"
    close = get_close_matches(path.name, sorted(other.name for other in path.parent.glob("*.py")), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _fault(error: BaseException, module_name: str) -> str:
    if isinstance(error, WrongRecords):
        return str(error)
    return raised_text(error, module_name)
