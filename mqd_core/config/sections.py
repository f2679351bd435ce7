"""The sections of the core that say where and when the desk works: desk, session, logging, plugins.

Every field carries what a person must know of it; `docs_text` prints it and error messages quote its range.
May not read files, import plugins, or check one section against another.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from mqd_core.config.document import KeyPath
from mqd_core.config.scalars import DeskId, Flag, FolderPath, WholeNumber


class Section(BaseModel):
    """A part of the configuration: unknown keys refused, frozen, its values never repeated by pydantic."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, allow_inf_nan=False, validate_default=True
    )


def nothing_is_defaults(value: object) -> object:
    """A section whose keys are all commented out reads as null and means its defaults."""
    return {} if value is None else value


NothingIsDefaults = BeforeValidator(nothing_is_defaults)


def inconsistent(problems: Sequence[tuple[KeyPath, str]]) -> PydanticCustomError:
    """One error that carries several faults, each with its way down from here, to be shown at its own place."""
    kind, words = "inconsistent", "holds values that do not fit each other"
    return PydanticCustomError(kind, words, {"problems": tuple(problems)})


class OnExternal(str, Enum):
    """What to do about orders and positions that this desk did not make."""

    FREEZE = "freeze"
    ADOPT = "adopt"
    IGNORE = "ignore"


class Protection(str, Enum):
    """Who closes a losing position: the strategy by itself, or an order that rests at the broker."""

    STRATEGY = "strategy"
    BROKER = "broker"


class LogLevel(str, Enum):
    """The least severe lines that are written."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"
    CRITICAL = "CRITICAL"


class DeskSection(Section):
    """Who this desk is and where it keeps what it must not forget."""

    id: DeskId = Field(
        default="desk",
        description="Name of this desk. It is part of every client order id and of the place of its records, so one "
        "account and one store belong to one id for life.",
    )
    state_dir: FolderPath = Field(
        default=Path("var"),
        description="Folder for what the desk must not forget: locks, command inbox, halt flag. On a local disk.",
    )
    watchdog_seconds: WholeNumber = Field(
        default=30,
        ge=5,
        le=3_600,
        description="After so many seconds without a sign of life of a desk with open orders `mqd watchdog` halts it "
        "and cancels them at the broker. A desk gives a sign of life each second.",
    )
    on_external: OnExternal = Field(
        default=OnExternal.FREEZE,
        description="What to do when the account shows an order or position that this desk did not make: `freeze` "
        "denies entries in that symbol, `adopt` counts it in the account's books and trades on, `ignore` trades on "
        "and leaves it out of every book but the account's.",
    )


_LONGEST_WINDOW_MINUTES = 209  # One less than a half day's session, which would leave no minute to trade in.


class SessionSection(Section):
    """When entries are allowed. Exits and protective orders are never held back by these windows."""

    calendar: Literal["XNYS"] = Field(
        default="XNYS",
        description="Exchange whose sessions, half days and holidays count: XNYS is the New York Stock Exchange.",
    )
    no_entry_minutes_after_open: WholeNumber = Field(
        default=0,
        ge=0,
        le=_LONGEST_WINDOW_MINUTES,
        description="No entry in the first minutes of a session. Daily bars are delivered at the open, so keep 0 "
        "for a strategy on 1Day.",
    )
    no_entry_minutes_before_close: WholeNumber = Field(
        default=5,
        ge=0,
        le=_LONGEST_WINDOW_MINUTES,
        description="No entry in the last minutes of a session; half days close early and count from there.",
    )

    @model_validator(mode="after")
    def _leave_time_to_trade(self) -> SessionSection:
        if self.no_entry_minutes_after_open + self.no_entry_minutes_before_close > _LONGEST_WINDOW_MINUTES:
            text = "and no_entry_minutes_after_open together must leave a minute of a half day (210 minutes)"
            raise inconsistent([(("no_entry_minutes_before_close",), text)])
        return self


class LoggingSection(Section):
    """Where the seven log streams go, and how much they say."""

    log_dir: FolderPath = Field(default=Path("logs"), description="Folder that holds one folder for each log stream.")
    log_level: LogLevel = Field(default=LogLevel.INFO, description="Lines less severe than this are not written.")
    json_logs: Flag = Field(default=True, description="Write log files as JSON lines; false writes plain text.")


def _requirements(values: tuple[str, ...]) -> tuple[str, ...]:
    from packaging.requirements import InvalidRequirement, Requirement

    for value in values:
        try:
            Requirement(value)
        except InvalidRequirement:
            kind, words = "requirement", "must hold distributions such as mqd-plugin-alpaca==1.2.*, but {value} is none"
            raise PydanticCustomError(kind, words, {"value": repr(value)}) from None
    return values


class PluginsSection(Section):
    """Which installed distributions may be imported at all."""

    allow: Annotated[tuple[str, ...], AfterValidator(_requirements)] | None = Field(
        default=None,
        description="Distributions, with versions if you like, that plugins may come from: "
        "`[mqd-plugin-alpaca==1.2.*]`. Without it, whatever this file names by `name:` may be imported.",
    )
