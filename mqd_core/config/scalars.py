"""The few types that a configuration's values have: flags, numbers, names, symbols, paths.

Each takes the text of the file or the Python value of a program, and nothing that could be read in two ways: `yes` is
no flag, `1e3`, `.5`, `010` and `1_000` are no numbers, and a float is no amount of money. May not know any key.
"""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from mqd_core.domain.market import SYMBOL

PLUGIN_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_DESK_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")
_STRATEGY_ID: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
#: `./my_strategy.py:MyStrategy`; the last colon splits, so that C:\ may stand in front.
_LOCAL_FILE: Final = re.compile(r"(?P<file>[^\x00-\x1f]+\.py):(?P<class>[A-Za-z_][A-Za-z0-9_]*)")
_WHOLE: Final = re.compile(r"-?(0|[1-9][0-9]{0,14})")
_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,9})?")
#: Most symbols of a strategy, strategies, rules or observers: far more than an account of this size can use.
MOST_LISTED: Final = 100
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


def _flag(value: object) -> object:
    if isinstance(value, str) and value in {"true", "false"}:
        return value == "true"
    if isinstance(value, bool):
        return value
    kind, words = "flag", "must be true or false"
    raise PydanticCustomError(kind, words)


def _whole(value: object) -> object:
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    kind, words = "whole_number", "must be a whole number in plain digits, such as 30"
    raise PydanticCustomError(kind, words)


def _number(value: object) -> object:
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return Decimal(value)
    if isinstance(value, Decimal | int) and not isinstance(value, bool):
        return Decimal(value)
    kind, words = "number", "must be a plain number such as 12.5 (no exponent, no comma, at most nine decimals)"
    raise PydanticCustomError(kind, words)


def _path(value: object) -> object:
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value.strip() or _CONTROL.search(value):
        kind, words = "path", "must be the path of a folder"
        raise PydanticCustomError(kind, words)
    if value.startswith("~"):
        kind, words = "path", "must be written out: '~' is not replaced by your home folder"
        raise PydanticCustomError(kind, words)
    return Path(value)


def _desk_id(value: str) -> str:
    if not _DESK_ID.fullmatch(value):
        kind, words = "desk_id", "must be 1 to 31 small letters, digits and '-', starting with a letter or digit"
        raise PydanticCustomError(kind, words)
    return value


def _plugin_name(value: str) -> str:
    if not PLUGIN_NAME.fullmatch(value):
        kind, words = "plugin_name", "must be a plugin's name: a letter, then letters, digits and '_'"
        raise PydanticCustomError(kind, words)
    return value


def _strategy_name(value: str) -> str:
    if not PLUGIN_NAME.fullmatch(value) and not _LOCAL_FILE.fullmatch(value):
        kind, words = "strategy_name", "must be a plugin's name or a local file such as ./my_strategy.py:MyStrategy"
        raise PydanticCustomError(kind, words)
    return value


def _strategy_id(value: str) -> str:
    if not _STRATEGY_ID.fullmatch(value):
        kind, words = "strategy_id", "must be a letter, then letters, digits, '_' and '-', 64 at the most"
        raise PydanticCustomError(kind, words)
    return value


def _symbol(value: str) -> str:
    # fullmatch: with match, the pattern's $ would let a trailing newline through.
    if not SYMBOL.fullmatch(value):
        kind, words = "symbol", "must be a symbol in capitals, such as SPY, BRK.B or BTC/USD"
        raise PydanticCustomError(kind, words)
    return value


def _distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    # The length is checked here: pydantic's own check counts valid items only and would complain twice.
    if not 1 <= len(values) <= MOST_LISTED:
        kind, words = "listed", "must hold one symbol at least and {most} at most"
        raise PydanticCustomError(kind, words, {"most": MOST_LISTED})
    for index, value in enumerate(values):
        if value in values[:index]:
            kind, words = "distinct", "must name {value} only once"
            raise PydanticCustomError(kind, words, {"value": value})
    return values


def split_local_file(name: str) -> tuple[str, str] | None:
    """File and class of a strategy name such as `./my_strategy.py:MyStrategy`; None for an installed plugin's name."""
    if PLUGIN_NAME.fullmatch(name):
        return None
    found = _LOCAL_FILE.fullmatch(name)
    return None if found is None else (found["file"], found["class"])


def _schema(pattern: re.Pattern[str]) -> dict[str, Any]:
    return {"type": "string", "pattern": f"^({pattern.pattern.removeprefix('^').removesuffix('$')})$"}


Flag = Annotated[bool, BeforeValidator(_flag), Field(strict=True)]
WholeNumber = Annotated[int, BeforeValidator(_whole), Field(strict=True)]
Number = Annotated[Decimal, BeforeValidator(_number)]
FolderPath = Annotated[Path, BeforeValidator(_path)]
DeskId = Annotated[str, AfterValidator(_desk_id), WithJsonSchema(_schema(_DESK_ID))]
PluginName = Annotated[str, AfterValidator(_plugin_name), WithJsonSchema(_schema(PLUGIN_NAME))]
StrategyName = Annotated[str, AfterValidator(_strategy_name), WithJsonSchema({"type": "string", "minLength": 1})]
StrategyId = Annotated[str, AfterValidator(_strategy_id), WithJsonSchema(_schema(_STRATEGY_ID))]
Symbol = Annotated[str, AfterValidator(_symbol), WithJsonSchema(_schema(SYMBOL))]
Symbols = Annotated[tuple[Symbol, ...], AfterValidator(_distinct)]
