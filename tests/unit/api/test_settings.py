"""Settings of plugins: frozen, strict about keys and numbers, silent about values."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field, ValidationError

from mqd_core.api import NoSettings, PluginSettings, Secret
from mqd_core.api.settings import is_secret, secret_fields


class Mine(PluginSettings):
    api_key: Secret = Secret("default-key")
    token: Secret | None = None
    ratio: float = 1.0
    price: Decimal = Field(default=Decimal("0.50"), gt=0)
    folder: Path = Path("data")


def refusal(**values: Any) -> ValidationError:
    with pytest.raises(ValidationError) as caught:
        Mine(**values)
    return caught.value


def test_values_are_read_from_text_and_frozen() -> None:
    """What YAML hands over as text becomes numbers and paths; nothing can be changed afterwards."""
    mine = Mine.model_validate({"ratio": "0.25", "price": "598.45", "folder": "x"})

    assert (mine.ratio, mine.price, mine.folder) == (0.25, Decimal("598.45"), Path("x"))
    with pytest.raises(ValidationError, match="frozen"):
        mine.ratio = 2.0


def test_an_unknown_key_is_refused() -> None:
    """A key that the model does not have is an error, never ignored."""
    assert refusal(rato=1).errors()[0]["type"] == "extra_forbidden"
    with pytest.raises(ValidationError, match="Extra inputs"):
        NoSettings.model_validate({"window": 20})


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", float("nan"), float("inf")])
@pytest.mark.parametrize("field", ["ratio", "price"])
def test_no_number_is_nan_or_infinite(field: str, value: object) -> None:
    """NaN and infinity are refused, as text and as number, in floats and in decimals."""
    assert refusal(**{field: value}).error_count() == 1


def test_errors_do_not_show_values() -> None:
    """A wrong value does not stand in the error: it could be a secret in the wrong place."""
    assert "hunter2" not in str(refusal(ratio="hunter2", api_key=["hunter2"]))


def test_a_default_is_checked_too() -> None:
    """A default that its own field forbids is found, not shipped."""

    class Wrong(PluginSettings):
        price: Decimal = Field(default=Decimal(-1), gt=0)

    with pytest.raises(ValidationError, match="greater than 0"):
        Wrong()


def test_secrets_print_as_asterisks() -> None:
    """A secret shows in no text and no dump."""
    mine = Mine(api_key=Secret("hunter2"))

    assert "hunter2" not in f"{mine} {mine!r} {mine.model_dump()} {mine.model_dump_json()}"
    assert mine.api_key.get_secret_value() == "hunter2"


def test_secret_fields_are_known_before_any_value_is() -> None:
    """The configuration loader can ask which fields take a placeholder."""
    assert secret_fields(Mine) == ("api_key", "token")
    assert secret_fields(NoSettings) == ()
    assert is_secret(dict[str, Secret])
    assert not is_secret(str)
