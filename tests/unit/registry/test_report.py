"""What `mqd plugins list` and `show` print, as plain data; listing imports no plugin and little else."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from mqd_core.api import (
    BrokerCapabilities,
    BrokerRecord,
    CommandRecord,
    OrderType,
    PluginSettings,
    Secret,
    StrategyRecord,
    Support,
)
from mqd_core.registry.details import describe, type_text
from mqd_core.registry.discovery import Found
from mqd_core.registry.kinds import Kind
from mqd_core.registry.loader import Loaded
from mqd_core.registry.report import rows

Install = Callable[..., Path]

FOUND = Found(Kind.BROKER, "mine", "mine.plugin", "mqd-plugin-mine", "1.0")


def test_rows_are_sorted_and_say_why(only_site: Path, install: Install) -> None:
    """Each installed plugin is one row with its status and the reason for it."""
    install("mqd-plugin-b", "dup", "plain")
    install("mqd-plugin-a", "dup", "used")
    install("mqd-plugin-late", "late", group="mqd.brokers", requires=["mqd-core>=9"])

    listed = rows(configured={(Kind.SIZER, "used")}, core_version="1.0")

    assert [(row.kind, row.name, row.distribution, row.status, row.detail) for row in listed] == [
        ("broker", "late", "mqd-plugin-late", "incompatible", "needs mqd-core>=9, mqd-core 1.0 is installed"),
        ("sizer", "dup", "mqd-plugin-a", "conflict", "claimed by mqd-plugin-a 1.0 and mqd-plugin-b 1.0"),
        ("sizer", "dup", "mqd-plugin-b", "conflict", "claimed by mqd-plugin-a 1.0 and mqd-plugin-b 1.0"),
        ("sizer", "plain", "mqd-plugin-b", "ok", ""),
        ("sizer", "used", "mqd-plugin-a", "configured", ""),
    ]


def test_rows_become_json(only_site: Path, install: Install) -> None:
    """A row in JSON has the columns of the table, by name."""
    install("mqd-plugin-mine", "mine", version="1.5")

    assert [row.to_json() for row in rows(allow=["other"])] == [
        {
            "kind": "sizer",
            "name": "mine",
            "distribution": "mqd-plugin-mine",
            "version": "1.5",
            "status": "blocked",
            "detail": "mqd-plugin-mine is not on the list plugins.allow",
        }
    ]


def test_listing_imports_no_plugin_and_nothing_heavy(install: Install, run_python: Callable[[str], str]) -> None:
    """A fresh process lists broken and heavy plugins, and has imported none of them, nor stevedore nor pydantic."""
    for number, source in enumerate(
        (
            "raise SystemExit",
            "raise AssertionError",
            "import no_such_sdk",
            "x = = 1",
            "import numpy, pandas",
        )
    ):
        install(f"mqd-plugin-p{number}", f"p{number}", source=source, requires=["mqd-core>=0"])

    printed = run_python(
        "import sys, json\n"
        "before = set(sys.modules)\n"
        "from mqd_core.registry.report import rows\n"
        "listed = [(row.name, row.status) for row in rows() if row.distribution.startswith('mqd-plugin-p')]\n"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before} - sys.stdlib_module_names\n"
        "print(json.dumps([listed, sorted(new)]))\n"
    )

    listed, imported = json.loads(printed)
    assert listed == [[f"p{number}", "ok"] for number in range(5)]
    assert set(imported) <= {"mqd_core", "packaging"}


def test_loading_one_plugin_imports_no_other(install: Install, run_python: Callable[[str], str]) -> None:
    """In a fresh process the named plugin's package is imported, and no other plugin's."""
    for name in ("named", "unnamed"):
        install(f"mqd-plugin-{name}", name)

    printed = run_python(
        "import sys\n"
        "from mqd_core.registry.kinds import Kind\n"
        "from mqd_core.registry.loader import Registry\n"
        "from mqd_core.registry.resolve import Wanted\n"
        "Registry().load([Wanted(Kind.SIZER, 'named')])\n"
        "print(*sorted(name for name in sys.modules if name.startswith('mqd_plugin')))\n"
        "print('pandas' in sys.modules or 'numpy' in sys.modules)\n"
    )

    assert printed.split() == ["mqd_plugin_named", "mqd_plugin_named.plugin", "False"]


class Mode(str, Enum):
    FAST = "fast"
    SLOW = "slow"


def _length(data: dict[str, object]) -> int:
    return len(data)


class Inner(PluginSettings):
    retries: int = Field(default=3, ge=0, le=9, description="How often")


class Settings(PluginSettings):
    api_key: Secret = Field(description="Key of the account")
    token: Secret | None = Secret("hunter2")
    fee_usd: Annotated[Decimal, Field(gt=0)] = Decimal("0.10")
    mode: Mode = Mode.SLOW
    side: Literal["long", "short"] | None = None
    symbols: tuple[str, ...] = Field(default=(), min_length=0, max_length=5)
    tags: dict[str, int] = Field(default_factory=dict)
    folder: Path = Path("data")
    window: int = Field(default_factory=_length, description="Computed from the others")
    net: Inner = Inner()


def test_settings_are_described_one_by_one() -> None:
    """Each field has a type a person can read, limits, default and description; a secret's default is not shown."""
    record = BrokerRecord(
        name="mine",
        summary="A broker",
        settings=Settings,
        factory=lambda settings, context: _never(),
        capabilities=BrokerCapabilities(simulated=False),
    )

    details = describe(Loaded(Kind.BROKER, "mine", record, FOUND))

    table = [(one.name, one.type, one.required, one.default, one.limits) for one in details.settings]
    assert table == [
        ("api_key", "SecretStr", True, None, ""),
        ("token", "SecretStr | None", False, "**********", ""),
        ("fee_usd", "Decimal", False, "0.10", "> 0"),
        ("mode", '"fast" | "slow"', False, "slow", ""),
        ("side", '"long" | "short" | None', False, None, ""),
        ("symbols", "tuple[str, ...]", False, [], "at least 0 long, at most 5 long"),
        ("tags", "dict[str, int]", False, {}, ""),
        ("folder", "Path", False, "data", ""),
        ("window", "int", False, "computed", ""),
        ("net.retries", "int", False, 3, ">= 0, <= 9"),
    ]
    assert [one.name for one in details.settings if one.secret] == ["api_key", "token"]
    assert details.settings[0].description == "Key of the account"
    assert "hunter2" not in json.dumps(details.to_json())


def test_capabilities_are_described() -> None:
    """A broker's capabilities and its emergency exit come as JSON, whole."""
    record = BrokerRecord(
        name="mine",
        summary="A broker",
        settings=PluginSettings,
        factory=lambda settings, context: _never(),
        emergency=lambda settings, context: _never(),
        capabilities=BrokerCapabilities(
            simulated=True,
            order_types=(OrderType.MARKET, OrderType.LIMIT),
            fractional=Support.FULL,
            client_id_unique="forever",
        ),
    )

    plain = describe(Loaded(Kind.BROKER, "mine", record, FOUND)).to_json()

    stated = plain["capabilities"]
    assert isinstance(stated, dict)
    assert stated["order_types"] == ["market", "limit"]
    assert (stated["simulated"], stated["emergency"]) == (True, True)
    assert (stated["fractional"], stated["notional"]) == ("full", "unknown")
    assert stated["client_id_unique"] == "forever"
    assert json.loads(json.dumps(plain)) == plain
    assert (plain["summary"], plain["distribution"], plain["target"]) == ("A broker", "mqd-plugin-mine", "mine.plugin")


def test_other_kinds_are_described_by_what_they_state() -> None:
    """A strategy states its scope; a command states nothing, and has no settings."""
    strategy = StrategyRecord(
        name="Mine", summary="s", settings=PluginSettings, factory=lambda settings, context: _never(), scope="portfolio"
    )
    command = CommandRecord(name="mine", summary="s", load=_never)

    assert describe(Loaded(Kind.STRATEGY, "Mine", strategy, FOUND)).capabilities == {"scope": "portfolio"}
    described = describe(Loaded(Kind.COMMAND, "mine", command, FOUND))
    assert (described.settings, described.capabilities) == ((), {})


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (None, "None"),
        (int | None, "int | None"),
        (list[Annotated[Decimal, "note"]], "list[Decimal]"),
        (Literal[1, "a"], '1 | "a"'),
        ("Forward", "Forward"),
    ],
)
def test_types_are_written_as_people_write_them(annotation: object, text: str) -> None:
    """No module names, no typing constructs, enumerations as their values."""
    assert type_text(annotation) == text


def _never() -> Any:
    raise AssertionError("describing a plugin builds nothing")
