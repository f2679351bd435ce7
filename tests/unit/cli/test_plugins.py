"""`mqd plugins`: rows from metadata, details from one import."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Call = Callable[..., object]
Install = Callable[..., Path]

SIZER = """
from decimal import Decimal
from pydantic import Field
from mqd_core.api import PluginSettings, Secret, SizerRecord, hookimpl


class Settings(PluginSettings):
    part: Decimal = Field(default=Decimal("0.5"), gt=0, le=1, description="Part of the cash")
    word: str
    token: Secret


@hookimpl
def mqd_sizers():
    yield SizerRecord(name="halves", summary="Takes a part", settings=Settings, factory=lambda settings, context: None)
"""


def test_a_row_for_each_plugin(mqd: Call, install: Install, folder: Path) -> None:
    """Kind, name, distribution, version and status stand in a line; a broken module is not imported."""
    install("mqd-plugin-one", "mqd.sizers", "one_sizer", source="raise SystemExit")
    install("mqd-plugin-late", "mqd.brokers", "late_broker", requires=("mqd-core>=99",))
    (folder / "config").mkdir()
    text = "sizer: {name: one_sizer}\n"
    (folder / "config" / "config.yaml").write_text(text, encoding="utf-8", newline="\n")

    lines = [line.split() for line in mqd("plugins", "list").stdout.splitlines()]

    assert lines[0] == ["kind", "name", "distribution", "version", "status", "detail"]
    assert ["sizer", "one_sizer", "mqd-plugin-one", "1.0", "configured"] in lines
    late = next(line for line in lines if "late_broker" in line)
    assert late[:6] == ["broker", "late_broker", "mqd-plugin-late", "1.0", "incompatible", "needs"]


def test_rows_as_json(mqd: Call, install: Install) -> None:
    """--json prints one object with a list of rows."""
    install("mqd-plugin-one", "mqd.sizers", "one_sizer")

    answer = mqd("plugins", "list", "--json")

    (row,) = [row for row in answer.json()["plugins"] if row["name"] == "one_sizer"]
    assert row["status"] == "ok"
    assert answer.exit_code == 0


def test_an_unreadable_configuration_is_a_warning(mqd: Call, folder: Path) -> None:
    """The list is printed all the same, and stderr says that nothing is known of what is configured."""
    (folder / "config").mkdir()
    (folder / "config" / "config.yaml").write_text("a: [", encoding="utf-8", newline="\n")

    answer = mqd("plugins", "list", "--json")

    assert answer.exit_code == 0
    assert "plugins" in answer.json()
    assert answer.stderr.startswith("warning: ")


def test_a_configuration_that_was_named_must_exist(mqd: Call) -> None:
    """A file that --config names and that is not there is a usage error; the default may be absent."""
    assert mqd("plugins", "list").exit_code == 0
    assert mqd("plugins", "list", "--config", "nothing.yaml").exit_code == 2


def test_details_of_a_plugin(mqd: Call, install: Install) -> None:
    """Summary, origin and every setting with type, default, limits and meaning."""
    install("mqd-plugin-halves", "mqd.sizers", "halves", source=SIZER)

    answer = mqd("plugins", "show", "sizer", "halves")

    assert answer.exit_code == 0
    assert "Takes a part" in answer.stdout
    assert "mqd-plugin-halves 1.0" in answer.stdout
    (part,) = [line for line in answer.stdout.splitlines() if line.startswith("part ")]
    assert part.split() == ["part", "Decimal", "0.5", ">", "0,", "<=", "1", "Part", "of", "the", "cash"]
    assert [line.split()[2] for line in answer.stdout.splitlines() if line.startswith("word ")] == ["required"]


def test_details_as_json(mqd: Call, install: Install) -> None:
    """--json prints what the record says as one object."""
    install("mqd-plugin-halves", "mqd.sizers", "halves", source=SIZER)

    found = mqd("plugins", "show", "SIZER", "halves", "--json").json()

    assert (found["kind"], found["name"], found["summary"]) == ("sizer", "halves", "Takes a part")
    assert {setting["name"]: setting["secret"] for setting in found["settings"]}["token"] is True


@pytest.mark.parametrize(
    ("arguments", "exit_code", "said"),
    [
        (["sizer", "halvs"], 3, "did you mean 'halves'?"),
        (["sizr", "halves"], 2, "sizer"),
        (["sizer"], 2, "NAME"),
    ],
)
def test_a_wrong_name_is_explained(
    mqd: Call, install: Install, arguments: list[str], exit_code: int, said: str
) -> None:
    """A plugin that is not there leads to the nearest one; a kind that does not exist to the kinds there are."""
    install("mqd-plugin-halves", "mqd.sizers", "halves", source=SIZER)

    answer = mqd("plugins", "show", *arguments)

    assert answer.exit_code == exit_code
    assert said in answer.stderr


def test_the_schema_covers_what_is_installed(mqd: Call, install: Install) -> None:
    """`mqd config schema` describes the keys of every plugin; of a broken one it says that it could not be asked."""
    install("mqd-plugin-halves", "mqd.sizers", "halves", source=SIZER)
    install("mqd-plugin-broken", "mqd.sizers", "broken", source="1 / 0")

    answer = mqd("config", "schema")

    assert answer.exit_code == 0
    definitions = answer.json()["$defs"]
    assert set(definitions["sizer.halves"]["properties"]) == {"name", "part", "word", "token"}
    assert "could not be asked" in definitions["sizer.broken"]["$comment"]
    assert "ZeroDivisionError" in answer.stderr
