"""`mqd init`, `mqd config` and `mqd doctor` with the plugins that ship with mqd."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

pytestmark = pytest.mark.slow

CANARY = "canary-9f3k2q8d7s6a5"


def test_from_nothing_to_a_result(desk: Any) -> None:
    """The first three commands of a newcomer work one after another."""
    (desk.folder / "config" / "config.yaml").unlink()

    assert desk.call("init", "--yes").returncode == 0
    assert desk.call("doctor").returncode == 0
    assert desk.answer("run")["bars"] > 0
    assert len(desk.answer("runs")["runs"]) == 1


def test_init_without_anybody_to_answer_says_how(desk: Any) -> None:
    """Where nobody can answer, nothing is written, exit 2, and --yes is named."""
    (desk.folder / "config" / "config.yaml").unlink()
    (desk.folder / "config").rmdir()

    done = desk.call("init")

    assert done.returncode == 2
    assert "mqd: a question was asked and nobody answered" in done.stderr
    assert "--yes" in done.stderr
    assert [*desk.folder.iterdir()] == []


def test_doctor_finds_everything_in_place(desk: Any) -> None:
    """Each check is a row; exit 0 where none fails."""
    found = desk.answer("doctor")

    assert found["ok"] is True
    assert [(row["check"], row["status"]) for row in found["checks"]] == [
        ("python", "ok"),
        ("logging", "ok"),
        ("log streams", "ok"),
        ("log lines", "ok"),
        ("correlation ids", "ok"),
        ("configuration", "ok"),
        ("secrets", "ok"),
        ("plugins", "ok"),
        ("state folder", "ok"),
        ("log folder", "ok"),
        ("disk space", "ok"),
        ("store", "ok"),
        ("session table", "ok"),
    ]


def test_doctor_finds_a_damaged_store(desk: Any) -> None:
    """A store that is no store fails its row, and the command exits 1."""
    assert desk.call("run").returncode == 0
    (desk.folder / "var" / "tested" / "store" / "tested.db").write_bytes(b"not a database" * 1_000)

    done = desk.call("doctor")

    assert done.returncode == 1
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("store ")]
    assert "failed" in line
    assert "tested.db" in line


def test_a_valid_configuration_is_said_to_be(desk: Any) -> None:
    """`mqd config check` lists where each plugin comes from, in both forms."""
    done = desk.call("config", "check")
    found = desk.answer("config", "check")

    assert done.returncode == 0
    assert "config.yaml is valid" in done.stdout
    assert found["ok"] is True
    assert {one["plugin"] for one in found["plugins"]} == {
        "store:sqlite",
        "data_provider:synthetic",
        "broker:mock",
        "sizer:notional",
        "strategy:VWAPMeanReversionStrategy",
    }


def test_settings_of_plugins_are_checked(desk: Any) -> None:
    """What a plugin refuses is said with the place in the file; exit 3, in JSON as well."""
    desk.configure(broker=", slippage_bps: -1")

    done = desk.call("config", "check", "--json")

    assert done.returncode == 3
    (problem,) = json.loads(done.stdout)["error"]["problems"]
    assert "config.yaml:2:" in problem
    assert "slippage_bps" in problem


def test_unwise_settings_are_warned_of(desk: Any) -> None:
    """What is allowed but unwise goes to stderr, before a run too, and stdout stays clean."""
    path = desk.folder / "config" / "config.yaml"
    text = path.read_text(encoding="utf-8") + "risk: {circuit_breaker_enabled: false}\n"
    path.write_text(text, encoding="utf-8", newline="\n")

    checked = desk.call("config", "check", "--json")
    run = desk.call("run", "--json")

    assert len(json.loads(checked.stdout)["warnings"]) == 1
    for done in (checked, run):
        assert done.returncode == 0
        assert "warning: " in done.stderr
        assert "circuit_breaker_enabled" in done.stderr


def test_what_is_shown_reads_back(desk: Any) -> None:
    """The output of `mqd config show` is itself a valid configuration, and shows the same."""
    shown = desk.call("config", "show").stdout
    (desk.folder / "shown.yaml").write_text(shown, encoding="utf-8", newline="\n")

    assert desk.call("config", "check", "--config", "shown.yaml").returncode == 0
    assert desk.call("config", "show", "--config", "shown.yaml").stdout == shown
    assert desk.answer("config", "show")["desk"]["id"] == "tested"


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps access rights elsewhere than in mode bits")
@pytest.mark.parametrize("command", ["config show", "config check", "doctor", "run --debug", "backtest", "status"])
def test_no_command_shows_a_secret(desk: Any, command: str) -> None:
    """A secret of .env.local is in no output, in no file that is written, even where its plugin refuses it."""
    desk.configure(broker=", account: '${BROKER_API_SECRET}'")
    secrets = desk.folder / "config" / ".env.local"
    secrets.write_text(f"BROKER_API_KEY=\nBROKER_API_SECRET={CANARY}\n", encoding="utf-8", newline="\n")
    secrets.chmod(0o600)

    done = desk.call(*command.split())

    assert CANARY not in done.stdout + done.stderr
    for file in desk.folder.rglob("*"):
        assert not file.is_file() or file == secrets or CANARY.encode() not in file.read_bytes()


def test_the_schema_knows_every_shipped_plugin(desk: Any) -> None:
    """`mqd config schema` is one JSON Schema with the keys of the core and of what is installed."""
    schema = desk.answer("config", "schema")

    assert "starting_cash" in schema["$defs"]["broker.mock"]["properties"]
    assert "vwap_window" in json.dumps(schema["$defs"]["strategy.VWAPMeanReversionStrategy"])
