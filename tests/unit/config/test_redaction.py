"""What looks like a secret: refused in YAML, and never repeated in any message."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqd_core.config import Config, parse_config
from mqd_core.config.document import Document
from mqd_core.config.redaction import is_secret_name, is_stand_in, masked_section, scrubbed, secrets_in, shown
from mqd_core.errors import ConfigError

Load = Callable[..., Config]
Faults = Callable[..., list[str]]

KEY_ID = "PK" + "A1B2C3D4E5F6G7H8I9"
SECRET = "wJalrXUtnFEMI7K7MDENGbPxRfiCYzEXAMPLEKEY"


def broker(keys: str) -> str:
    return (
        f"broker: {{name: a, {keys}}}\n"
        "data: {name: a}\nsizer: {name: b}\nstore: {name: c}\nstrategies: [{name: V, symbols: [A]}]\n"
    )


@pytest.mark.parametrize(
    "keys",
    [
        f"api_key: {KEY_ID}",
        f"note: {KEY_ID}",
        f"note: 'key {KEY_ID} of mine'",
        "note: AK0123456789ABCDEF",
        f"api_secret: {SECRET}",
        f"some_token: {SECRET}",
        f"deep: {{er: [{{webhook_secret: {SECRET}}}]}}",
        f"passwords: [{SECRET}]",
        "password: short",
        "api_key: k",
        "proxy: 'http://me:hunter2@proxy.example'",
    ],
)
def test_a_real_secret_in_yaml_is_an_error_that_does_not_repeat_it(faults: Faults, keys: str) -> None:
    """The message says where the secret belongs; the secret itself is nowhere in it."""
    (said,) = faults(whole=broker(keys))

    assert said.startswith("config.yaml:1:")
    assert "looks like a real secret" in said
    assert ".env.local" in said
    assert not any(part in said for part in (KEY_ID, SECRET, "hunter2", "short", "AK0123456789ABCDEF"))


def test_the_message_names_the_placeholder_to_write(faults: Faults) -> None:
    """What to write is spelt out, with the name under which the secret will be found."""
    (said,) = faults(whole=broker(f"api_secret: {SECRET}"))

    assert "Write ${BROKER_API_SECRET} instead, and BROKER_API_SECRET=<the value> into .env.local" in said


@pytest.mark.parametrize(
    "keys",
    [
        "api_key: YOUR_API_KEY",
        "api_key: '${BROKER_API_KEY}'",
        "api_key: ''",
        "api_key: null",
        "sort_key: volume",
        "max_tokens: 12",
        "base_url: https://paper-api.example/v2",
        "symbol: PKG",
        "note: PKABCDEF",
        "strategy: VWAPMeanReversionStrategyOfMine",
    ],
)
def test_what_is_no_secret_is_left_alone(load: Load, keys: str) -> None:
    """Placeholders, short values of harmless keys, addresses and tickers are no secrets."""
    assert load(whole=broker(keys))


def test_a_reference_must_be_the_whole_value(faults: Faults) -> None:
    """`${NAME}` inside a longer text would reach the plugin as it is; that is said before."""
    said = faults(whole=broker("base_url: 'https://${HOST}/v2', api_key: '${lower}'"))

    assert said[0].startswith("config.yaml:1:19: broker.base_url: a reference must be the whole value and in capitals")
    assert said[1].startswith("config.yaml:1:51: broker.api_key: looks like a real secret")


def test_a_secret_in_the_wrong_place_is_not_repeated_by_other_errors(faults: Faults) -> None:
    """A key pasted as a key, an id, a number or twice stays out of every message about it."""
    for added in (
        f"{KEY_ID}: 1\n",
        f"desk: {{id: {SECRET}}}\n",
        f"desk: {{api_key: {SECRET}}}\n",
        f"risk: {{price_collar_pct: {KEY_ID}}}\n",
        f"risk: {{{KEY_ID}: 1}}\n",
        f"observers: [{{{KEY_ID}: 1, {KEY_ID}: 2}}]\n",
        f"protection: {SECRET}\n",
        f"api_secret: *{SECRET}\n",
    ):
        said = "\n".join(faults(added))
        assert said
        assert KEY_ID not in said
        assert SECRET not in said


def test_a_program_s_configuration_is_searched_too() -> None:
    """Secrets are refused wherever they come from but the secret store."""
    slots = {name: {"name": "a"} for name in ("data", "sizer", "store")}
    content = {**slots, "broker": {"name": "a", "api_key": KEY_ID}, "strategies": [{"name": "V", "symbols": ["A"]}]}
    with pytest.raises(ConfigError, match=r"configuration: broker\.api_key: looks like a real secret"):
        parse_config(content)


@given(
    st.text(alphabet="abcdefghijklmnopqrstuvwxyz_", max_size=8),
    st.sampled_from(["key", "SECRET", "Token", "password", "passphrase"]),
    st.text(alphabet="ABCdef123+/=-_.", min_size=20, max_size=60).filter(lambda text: not is_stand_in(text)),
)
def test_whatever_is_long_under_a_secret_name_is_found_and_masked(name: str, word: str, value: str) -> None:
    """No long value passes under a name that says secret, and none is ever shown."""
    key = f"{name}_{word}"
    document = Document({"slot": {key: [value]}})

    assert [path for path, _ in secrets_in(document)] == [("slot", key, 0)]
    assert is_secret_name(key)
    assert value not in shown(("slot", key, 0), value)
    assert masked_section({key: [value]}) == {key: ["***"]}


@given(
    st.text(), st.sampled_from(["PK", "AK", "CK"]), st.text(alphabet="ABCXYZ0189", min_size=16, max_size=24), st.text()
)
def test_no_key_id_survives_scrubbing(before: str, kind: str, rest: str, after: str) -> None:
    """Wherever in a text a key id stands as a word, it is gone afterwards."""
    assert f" {kind}{rest} " not in scrubbed(f"{before} {kind}{rest} {after}")
