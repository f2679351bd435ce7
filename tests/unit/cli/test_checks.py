"""What `mqd doctor` looks at, check by check; whole calls are in the integration tests."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mqd_core.cli import checks, logging_checks
from mqd_core.config import parse_config
from mqd_core.domain.sessions import xnys
from mqd_core.logging import LogStream

Call = Callable[..., object]

DAY_NS = 86_400 * 1_000_000_000
CONTENT = {
    "broker": {"name": "absent_broker"},
    "data": {"name": "absent_data"},
    "sizer": {"name": "absent_sizer"},
    "store": {"name": "absent_store"},
    "strategies": [{"name": "AbsentStrategy", "symbols": ["SPY"]}],
}


@pytest.mark.parametrize(("days_left", "status"), [(1_000, "ok"), (100, "warning"), (10, "failed"), (-3, "failed")])
def test_the_end_of_the_calendar_comes_near(days_left: int, status: str) -> None:
    """The session table warns half a year before it ends and fails in its last month."""
    row = checks.session_table_row(xnys().last_ns - days_left * DAY_NS)

    assert row.status == status
    assert ("newer mqd-core" in row.detail) == (status != "ok")


def test_logging_is_found_to_work() -> None:
    """Seven streams are written into a temporary folder and read back: four rows, all good."""
    assert [(row.check, row.status) for row in logging_checks.logging_rows()] == [
        ("logging", "ok"),
        ("log streams", "ok"),
        ("log lines", "ok"),
        ("correlation ids", "ok"),
    ]


def good_lines() -> dict[LogStream, list[dict[str, object]]]:
    """What doctor reads back when all is well."""
    return {
        stream: [
            {
                "timestamp": "2025-01-19T18:30:45.123456Z",
                "level": "INFO",
                "logger": stream.logger_name,
                "correlation_id": f"doctor-{stream.value}",
                "message": "Doctor's check",
                "extra": {"stream": stream.value, "price": "598.45"},
            }
        ]
        for stream in LogStream
    }


@pytest.mark.parametrize(
    ("spoil", "failed"),
    [
        (lambda lines: lines[LogStream.RISK].clear(), {"logging", "log streams"}),
        (
            lambda lines: lines[LogStream.RISK].extend(lines[LogStream.DATA]),
            {"log streams", "log lines", "correlation ids"},
        ),
        (lambda lines: lines[LogStream.RISK][0].update(timestamp="yesterday"), {"log lines"}),
        (lambda lines: lines[LogStream.RISK][0].update(more=1), {"log lines"}),
        (lambda lines: lines[LogStream.RISK][0].update(extra={"stream": "risk", "price": 598.45}), {"log lines"}),
        (lambda lines: lines[LogStream.RISK][0].update(correlation_id=None), {"correlation ids"}),
    ],
)
def test_each_fault_of_logging_is_found(spoil: Callable[[object], None], failed: set[str]) -> None:
    """A silent stream, mixed streams, a line of another shape and a lost id each fail their row and name the stream."""
    lines = good_lines()
    assert {row.status for row in logging_checks.judged(lines)} == {"ok"}

    spoil(lines)

    rows = {row.check: row for row in logging_checks.judged(lines)}
    assert {check for check, row in rows.items() if row.status == "failed"} == failed
    assert all("risk" in rows[check].detail for check in failed)


def test_absent_plugins_are_named(folder: Path) -> None:
    """Each plugin that is not installed is a failed row of its own."""
    rows = checks.plugin_rows(parse_config(CONTENT))

    assert {row.status for row in rows} == {"failed"}
    assert len(rows) == len(CONTENT)


def test_folders_that_are_yet_to_be_made_can_be_written(folder: Path) -> None:
    """State and log folder are tried in the nearest folder that exists, and nothing is left behind."""
    rows = {row.check: row for row in checks.state_rows(parse_config(CONTENT))}

    assert {check: row.status for check, row in rows.items()} == {
        "state folder": "ok",
        "log folder": "ok",
        "disk space": "ok",
    }
    assert [*folder.iterdir()] == []


def test_a_file_in_the_way_of_a_folder_fails(folder: Path) -> None:
    """A state folder that is a file cannot be written, and the row says what to do."""
    (folder / "var").write_text("", encoding="utf-8", newline="\n")

    rows = {row.check: row for row in checks.state_rows(parse_config(CONTENT))}

    assert rows["state folder"].status == "failed"
    assert "name another one" in rows["state folder"].detail


def test_no_file_of_secrets_is_fine(folder: Path) -> None:
    """Without .env.local secrets come from the environment."""
    assert checks.secrets_row(folder / "config.yaml").status == "ok"


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps access rights elsewhere than in mode bits")
@pytest.mark.parametrize(("mode", "status"), [(0o600, "ok"), (0o644, "failed")])
def test_secrets_that_others_can_read_fail(folder: Path, mode: int, status: str) -> None:
    """A file that others can read fails with the command that mends it, and shows no value."""
    file = folder / ".env.local"
    file.write_text("BROKER_API_KEY=canary-of-the-doctor\n", encoding="utf-8", newline="\n")
    file.chmod(mode)

    row = checks.secrets_row(folder / "config.yaml")

    assert row.status == status
    assert ("chmod 600" in row.detail) == (status == "failed")
    assert "canary" not in row.detail


def test_doctor_goes_on_without_a_configuration(mqd: Call) -> None:
    """What does not need a configuration is checked all the same; the rest is skipped; exit 1."""
    answer = mqd("doctor", "--json")

    assert answer.exit_code == 1
    found = answer.json()
    statuses = {row["check"]: row["status"] for row in found["checks"]}
    assert found["ok"] is False
    assert statuses["configuration"] == "failed"
    assert statuses["python"] == statuses["logging"] == statuses["session table"] == "ok"
    assert statuses["store"] == statuses["plugins"] == "skipped"
