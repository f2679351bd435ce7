"""Errors of a plugin's settings, put into words: where, what was read, what is allowed, what was meant."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator

from mqd_core.config import Config, parse_config, settings_errors

Load = Callable[..., Config]


class Mode(Enum):
    FAST = "fast"
    SLOW = "slow"


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    depth: int = Field(default=1, ge=1)


class Settings(BaseModel):
    """A plugin's settings with most kinds of fields that plugins have."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)

    vwap_window: int = Field(default=20, gt=0, le=500)
    threshold: Annotated[Decimal, Field(gt=0, lt=1)] | None = None
    ratio: float = 1.0
    flag: bool = False
    mode: Mode = Mode.FAST
    kind: Literal["a", "b"] = "a"
    symbols: tuple[str, ...] = ()
    start: dt.date | None = None
    either: int | list[int] = 0
    inner: Inner = Inner()
    many: list[Inner] = []
    table: dict[str, int] = {}
    code: str = Field(default="x", pattern="^[a-z]+$", max_length=3)
    price: Decimal = Field(default=Decimal(1), max_digits=4, decimal_places=2)
    step: int = Field(default=5, multiple_of=5)
    api_key: SecretStr | None = None
    api_secret: str = ""

    @field_validator("api_secret")
    @classmethod
    def _careless(cls, value: str) -> str:
        if value.startswith("bad"):
            raise ValueError(f"{value} is no secret of mine")
        return value


class Pair(BaseModel):
    low: int = 1
    high: int = 2

    @model_validator(mode="after")
    def _in_order(self) -> Pair:
        if self.low > self.high:
            raise ValueError("low must not be above high")
        return self


class Needs(BaseModel):
    path: str = Field(description="Folder of the bars. One file a symbol.")


TEXT = """\
broker: {{name: mock, {broker}}}
data: {{name: synthetic}}
sizer: {{name: notional}}
store: {{name: sqlite}}
strategies:
  - name: Vwap
    symbols: [SPY]
    parameters: {{{parameters}}}
"""


@pytest.fixture
def said(load: Load, tmp_path: Path) -> Callable[..., list[str]]:
    """The lines for a strategy's parameters (or a broker's keys) that a settings model refuses."""

    def lines(
        parameters: str = "",
        broker: str = "",
        model: type[BaseModel] = Settings,
        environment: Any = None,
        *,
        told: bool = True,
    ) -> list[str]:
        config = load(whole=TEXT.format(parameters=parameters, broker=broker), environment=environment)
        where = ("broker",) if broker else ("strategies", 0, "parameters")
        use = next(use for use in config.plugin_uses() if use.settings_at == where)
        with pytest.raises(ValidationError) as refused:
            model.model_validate(config.resolved_settings(use))
        found = settings_errors(config, use.settings_at, refused.value, model if told else None)
        return [line.replace(f"{tmp_path}/", "").replace(f"{tmp_path}\\", "") for line in found]

    return lines


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ("vwap_window: 0", "vwap_window: '0' was read; must be above 0 and at most 500 (default 20)"),
        ("vwap_window: 501", "vwap_window: '501' was read; must be above 0 and at most 500 (default 20)"),
        ("vwap_window: x", "vwap_window: 'x' was read; must be a whole number (above 0 and at most 500; default 20)"),
        (
            "vwap_window: 1.5",
            "vwap_window: '1.5' was read; must be a whole number (above 0 and at most 500; default 20)",
        ),
        (
            "vwap_window: [1]",
            "vwap_window: a list was read; must be a whole number (above 0 and at most 500; default 20)",
        ),
        (
            "vwap_window: ",
            "vwap_window: nothing was read; must be a whole number (above 0 and at most 500; default 20)",
        ),
        ("vwap_windw: 1", "vwap_windw: is not a known key; did you mean 'vwap_window'?"),
        ("threshold: 1", "threshold: '1' was read; must be above 0 and below 1"),
        ("threshold: NaN", "threshold: 'NaN' was read; must be a finite number (above 0 and below 1)"),
        ("ratio: .inf", "ratio: '.inf' was read; must be a number (default 1.0)"),
        ("ratio: inf", "ratio: 'inf' was read; must be a finite number (default 1.0)"),
        ("flag: perhaps", "flag: 'perhaps' was read; must be true or false (default false)"),
        ("mode: Fast", "mode: 'Fast' was read; must be 'fast' or 'slow'; did you mean 'fast'?"),
        ("kind: z", "kind: 'z' was read; must be 'a' or 'b'"),
        ("symbols: SPY", "symbols: 'SPY' was read; must be a list, such as [a, b] (default [])"),
        ("start: soon", "start: 'soon' was read; must be a valid date or datetime, input is too short"),
        ("inner: {depht: 1}", "inner.depht: is not a known key; did you mean 'depth'?"),
        ("inner: {depth: 0}", "inner.depth: '0' was read; must be at least 1 (default 1)"),
        ("inner: 5", "inner: '5' was read; must be a section of keys and values"),
        ("many: [{}, {depth: 0}]", "many[1].depth: '0' was read; must be at least 1 (default 1)"),
        ("table: {a: x}", "table.a: 'x' was read; must be a whole number"),
        ("table: [a]", "table: a list was read; must be a section of keys and values"),
        ("code: A", "code: 'A' was read; must match the pattern ^[a-z]+$ (default x)"),
        ("code: abcd", "code: 'abcd' was read; must have 3 or fewer characters (default x)"),
        ("price: 1.234", "price: '1.234' was read; must have 2 or fewer decimals (default 1)"),
        ("step: 7", "step: '7' was read; must be a multiple of 5 (default 5)"),
    ],
)
def test_each_kind_of_error_has_plain_words(said: Callable[..., list[str]], parameters: str, expected: str) -> None:
    """Place, key, what was read, what is allowed, default: for every kind of field that plugins have."""
    (line,) = said(parameters)

    assert line == f"config.yaml:8:{line.split(':')[2]}: strategies[0].parameters.{expected}"
    assert "Input" not in line


def test_a_union_is_one_key(said: Callable[..., list[str]]) -> None:
    """What pydantic calls `either.int` and `either.list[int]` is written as `either`."""
    lines = said("either: x")

    assert lines == [
        "config.yaml:8:18: strategies[0].parameters.either: 'x' was read; must be a list, such as [a, b] (default 0)",
        "config.yaml:8:18: strategies[0].parameters.either: 'x' was read; must be a whole number (default 0)",
    ]


def test_all_errors_come_sorted(said: Callable[..., list[str]]) -> None:
    """Lines and columns are compared as numbers."""
    lines = said("vwap_window: 0, flag: x, step: 1")

    assert [line.split(":")[2] for line in lines] == ["18", "34", "43"]


def test_without_the_model_an_unknown_key_is_still_said(said: Callable[..., list[str]]) -> None:
    """The model only adds what was meant and what is allowed."""
    assert said("vwap_windw: 1", told=False) == [
        "config.yaml:8:18: strategies[0].parameters.vwap_windw: is not a known key; remove it"
    ]
    assert said("vwap_window: 0", told=False)[0].endswith("'0' was read; must be above 0")


def test_a_misspelt_key_of_the_core_is_recognised_in_a_slot(said: Callable[..., list[str]]) -> None:
    """`papertrading` would otherwise be the plugin's unknown key, with nobody to say what it is near to."""
    (line,) = said(broker="papertrading: false")

    assert line == "config.yaml:1:22: broker.papertrading: is not a known key; did you mean 'paper_trading'?"


def test_what_no_key_is_near_to_lists_the_keys(said: Callable[..., list[str]]) -> None:
    """Where nothing is near, everything is named."""
    (line,) = said("inner: {zzz: 1}")
    assert line.endswith("inner.zzz: is not a known key; known here: depth")


def test_a_missing_key_is_named_with_its_meaning(said: Callable[..., list[str]]) -> None:
    """The place is that of the section it is missing from; the first sentence of its description helps."""
    assert said("", model=Needs) == ["config.yaml:8:5: strategies[0].parameters.path: is missing (Folder of the bars)"]


def test_a_model_s_own_sentence_is_shown(said: Callable[..., list[str]]) -> None:
    """What a validator says of the whole section is said at the section, without its values."""
    assert said("low: 3, high: 2", model=Pair) == [
        "config.yaml:8:5: strategies[0].parameters: a section was read; low must not be above high"
    ]


def test_no_error_holds_a_secret(said: Callable[..., list[str]]) -> None:
    """Not the value of a key that says secret, nor a resolved secret in a plugin's own careless sentence."""
    careless = said(broker="api_secret: YOUR_API_SECRET", environment={"BROKER_API_SECRET": "bad-Hunter2"})
    wrong = said(broker="vwap_window: '${BROKER_API_KEY}'", environment={"BROKER_API_KEY": "Hunter2-Hunter2"})

    (line,) = careless
    assert line.startswith("config.yaml:1:22: broker.api_secret: 'YOUR_API_SECRET' was read; stands for a secret, but")
    assert "Hunter2" not in careless[0] + wrong[0]
    assert "'${BROKER_API_KEY}' was read" in wrong[0]


def test_a_validator_that_repeats_a_secret_is_scrubbed(load: Load) -> None:
    """Even a text that a plugin made of a secret does not get out."""
    config = load(whole=TEXT.format(parameters="", broker="note: x"), environment={"BROKER_API_SECRET": "bad-Hunter2"})
    with pytest.raises(ValidationError) as refused:
        Settings.model_validate({"api_secret": "bad-Hunter2"})

    (line,) = settings_errors(config, ("broker",), refused.value, Settings)
    assert line.endswith("broker.api_secret: *** is no secret of mine")


@given(
    st.dictionaries(
        st.sampled_from([*Settings.model_fields, "typo"]),
        st.text(max_size=10) | st.none() | st.lists(st.text(max_size=3), max_size=2),
        max_size=6,
    )
)
def test_whatever_is_refused_is_explained(parameters: dict[str, Any]) -> None:
    """Any refusal becomes lines that name the key, and never pydantic's own words."""
    slots: dict[str, Any] = {name: {"name": "a"} for name in ("broker", "data", "sizer", "store")}
    parameters.pop("api_key", None)
    parameters.pop("api_secret", None)
    config = parse_config({**slots, "strategies": [{"name": "V", "symbols": ["A"], "parameters": parameters}]})
    try:
        Settings.model_validate(config.strategies[0].settings)
    except ValidationError as error:
        lines = settings_errors(config, ("strategies", 0, "parameters"), error, Settings)
        named = all(line.startswith("configuration: strategies[0].parameters.") for line in lines)
        spoken = not any("Input should" in line or "pydantic" in line for line in lines)
    else:
        lines, named, spoken = ["fine"], True, True

    assert lines
    assert named
    assert spoken
