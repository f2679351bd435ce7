"""Every mutant still fits the source that it changes, and what comes out of it is Python."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parent


def load(name: str) -> ModuleType:
    """A script of this folder, which is no package."""
    specification = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


mutants = load("mutant")
MUTANTS = mutants.all_mutants()


def test_there_are_enough_mutants_to_test_the_tests() -> None:
    """At least thirty, each with a sentence of its own."""
    assert len(MUTANTS) >= 30
    assert len({mutant.wrong for mutant in MUTANTS}) == len(MUTANTS)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_fits_and_compiles(mutant: object, project_root: Path) -> None:
    """Its text stands in the shipped source exactly once, it changes that, and the result compiles."""
    for path, source in mutant.sources(project_root).items():
        assert path.startswith("mqd_core/")
        assert source != (project_root / path).read_text(encoding="utf-8")
        compile(source, path, "exec")


def test_a_mutant_is_applied_to_a_copy_alone(project_root: Path, tmp_path: Path) -> None:
    """The copy differs in the files of the mutant; the source is what it was."""
    mutant = MUTANTS[0]
    before = {edit.path: (project_root / edit.path).read_bytes() for edit in mutant.edits}
    mutant.apply(project_root, tmp_path)
    for path, source in before.items():
        assert (tmp_path / path).read_bytes() != source
        assert (project_root / path).read_bytes() == source


def test_a_mutant_whose_text_has_moved_is_stale(project_root: Path, tmp_path: Path) -> None:
    """What no longer stands in the source, or stands there twice, is an error that names mutant and file."""
    stale = mutants.Mutant("stale", "x", (mutants.Edit("mqd_core/errors.py", "no such text", "x"),))
    with pytest.raises(mutants.StaleMutant, match=r"stale: .* mqd_core/errors\.py 0 times"):
        stale.sources(project_root)
    doubtful = mutants.Mutant("doubtful", "x", (mutants.Edit("mqd_core/errors.py", "class ", "x"),))
    with pytest.raises(mutants.StaleMutant, match=r"[2-9]\d* times"):
        doubtful.sources(project_root)
    (tmp_path / "empty.txt").write_text("Nothing is wrong.\n", encoding="utf-8", newline="\n")
    with pytest.raises(mutants.StaleMutant, match="one or more edits"):
        mutants.read_mutant(tmp_path / "empty.txt")
