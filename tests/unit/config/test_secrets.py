"""Secrets of environment and file: which counts, and that none ever prints."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

from mqd_core.config import Config, Secrets, load_config
from mqd_core.config.secrets import load_secrets
from mqd_core.errors import ConfigError

Load = Callable[..., Config]


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """Write the file of secrets beside the test's configuration, closed to others."""

    def written(text: str) -> Path:
        file = tmp_path / ".env.local"
        file.touch(mode=0o600)
        file.write_text(text, encoding="utf-8", newline="\n")
        return file

    return written


def plain(secrets: Secrets, name: str) -> str | None:
    found = secrets.get(name)
    return None if found is None else found.get_secret_value()


def test_the_environment_comes_first(write: Callable[[str], Path], load: Load) -> None:
    """A variable of the same name wins over the file; an empty one does not."""
    file = write("BROKER_API_KEY=file-key\nBROKER_API_SECRET=file-secret\nEXTRA=file-extra\n")
    secrets = load(environment={"BROKER_API_KEY": "env-key", "BROKER_API_SECRET": "", "EXTRA": "env-extra"}).secrets

    assert plain(secrets, "BROKER_API_KEY") == "env-key"
    assert plain(secrets, "BROKER_API_SECRET") == "file-secret"
    assert plain(secrets, "EXTRA") == "env-extra"
    assert secrets.origin("BROKER_API_KEY") == "the environment"
    assert secrets.origin("BROKER_API_SECRET") == str(file)
    assert secrets.origin("OTHER") is None


def test_only_variables_that_say_they_are_secret_are_taken(load: Load) -> None:
    """The rest of the environment is nobody's business."""
    environment = {"PATH": "/bin", "HOME": "/me", "X_TOKEN": "t", "AWS_SECRET_ACCESS_KEY": "s", "KEYBOARD": "us"}

    assert sorted(load(environment=environment).secrets) == ["AWS_SECRET_ACCESS_KEY", "X_TOKEN"]


def test_the_process_s_environment_is_read(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without another environment it is that of the process."""
    load()
    monkeypatch.setenv("BROKER_API_KEY", "env-key-value")
    assert plain(load_config(tmp_path / "config.yaml").secrets, "BROKER_API_KEY") == "env-key-value"


def test_the_template_sets_nothing(write: Callable[[str], Path], load: Load, project_root: Path) -> None:
    """Copied as it is, the template gives no keys, and consents to simulated money only."""
    write((project_root / "config" / ".env.local.template").read_text(encoding="utf-8"))
    secrets = load().secrets

    assert list(secrets) == []
    assert secrets.paper_trading is True


@pytest.mark.parametrize(
    ("file", "environment", "expected"),
    [
        ("", None, None),
        ("PAPER_TRADING=\n", None, None),
        ("PAPER_TRADING=true\n", None, True),
        ("PAPER_TRADING=false\n", None, False),
        ("", "false", False),
        ("PAPER_TRADING=false\n", "false", False),
        ("PAPER_TRADING=true\n", "true", True),
    ],
)
def test_paper_trading_says_what_was_consented(
    write: Callable[[str], Path], load: Load, file: str, environment: str | None, expected: bool | None
) -> None:
    """False is one of three consents to real money; unset is none."""
    write(file)
    config = load(environment={} if environment is None else {"PAPER_TRADING": environment})

    assert config.secrets.paper_trading is expected
    assert "PAPER_TRADING" not in config.secrets


@pytest.mark.parametrize(
    ("file", "environment", "said"),
    [
        ("# x\nPAPER_TRADING=flase\n", {}, ".env.local:2:1: PAPER_TRADING must be true or false"),
        ("", {"PAPER_TRADING": "0"}, "PAPER_TRADING must be true or false"),
        ("PAPER_TRADING=true\n", {"PAPER_TRADING": "false"}, ".env.local:1:1: PAPER_TRADING is true here and false in"),
        ("PAPER_TRADING=false\n", {"PAPER_TRADING": "true"}, "PAPER_TRADING is false here and true in the environment"),
    ],
)
def test_paper_trading_in_doubt_stops_everything(
    write: Callable[[str], Path], faults: Callable[..., list[str]], file: str, environment: dict[str, str], said: str
) -> None:
    """A misspelt consent, or two places that disagree, is an error and not a guess."""
    write(file)
    (line,) = faults(environment=environment)

    assert said in line


def test_faults_of_the_file_come_with_those_of_the_configuration(
    write: Callable[[str], Path], faults: Callable[..., list[str]]
) -> None:
    """One run of `mqd config check` shows everything."""
    write("broken\n")
    said = faults("unknown: 1\n")

    assert [line.split(":")[0] for line in said] == [".env.local", "config.yaml"]


def test_secrets_do_not_print(tmp_path: Path) -> None:
    """Neither the collection nor what it hands out shows a value, in any of the usual ways."""
    secrets, _ = load_secrets(tmp_path, {"BROKER_API_KEY": "Hunter2-Hunter2"})

    for text in (repr(secrets), str(secrets), f"{secrets}", repr(dict(secrets)), str(secrets["BROKER_API_KEY"])):
        assert "Hunter2" not in text
    assert repr(secrets) == "Secrets(BROKER_API_KEY=***)"
    assert isinstance(secrets["BROKER_API_KEY"], SecretStr)


def test_secrets_do_not_travel() -> None:
    """They are neither pickled nor copied: a worker process reads them itself."""
    secrets = Secrets({"A_KEY": "Hunter2"})
    for act in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="secrets are not pickled or copied"):
            act(secrets)


def test_a_configuration_does_not_print_its_secrets(load: Load) -> None:
    """The configuration carries them and shows none."""
    config = load(environment={"BROKER_API_KEY": "Hunter2-Hunter2"})

    assert plain(config.secrets, "BROKER_API_KEY") == "Hunter2-Hunter2"
    assert "Hunter2" not in repr(config) + str(config) + config.model_dump_json() + repr(config.plugin_uses())


def test_the_scrubber_gets_the_longest_first() -> None:
    """A secret that contains another is replaced whole; texts of ordinary words' length are left out."""
    secrets = Secrets({"A_KEY": "abcdef", "B_KEY": "abcdefgh", "C_KEY": "on", "D_KEY": "abcdef"})

    assert secrets.plain_texts() == ("abcdefgh", "abcdef")


def test_an_unsafe_file_stops_even_a_desk_that_needs_no_secret(write: Callable[[str], Path], load: Load) -> None:
    """Keys that others can read are an emergency of their own."""
    file = write("BROKER_API_KEY=x\n")
    file.unlink()
    file.mkdir()
    with pytest.raises(ConfigError, match="is not a file"):
        load()
