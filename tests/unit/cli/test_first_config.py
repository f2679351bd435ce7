"""`mqd init`: what it writes is valid, is what ships with mqd, and overwrites nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqd_core.cli.first_config import Answers, config_text, write_files
from mqd_core.config import load_config
from mqd_core.config.accounts import account_problems
from mqd_core.errors import RunFailed, UsageError

Call = Callable[..., object]

FRACTIONS = st.decimals(Decimal("0.000000001"), Decimal("0.999999999"), places=9)
SYMBOLS = st.lists(st.from_regex(r"[A-Z][A-Z0-9]{0,9}(\.[A-Z])?", fullmatch=True), min_size=1, max_size=12, unique=True)
ANSWERS = st.builds(
    Answers,
    account_size=st.decimals(Decimal(20), Decimal(1_000_000), places=2),
    symbols=SYMBOLS.map(tuple),
    vwap_window=st.integers(2, 10_000),
    entry_threshold=FRACTIONS,
    stop_loss_pct=FRACTIONS,
    take_profit_pct=FRACTIONS,
)


def test_the_suggested_answers_make_the_shipped_files(project_root: Path) -> None:
    """What `mqd init --yes` writes is config/config.yaml of the repository, to the letter."""
    shipped = (project_root / "config" / "config.yaml").read_text(encoding="utf-8")

    assert config_text(Answers()) == shipped


@given(answers=ANSWERS)
def test_any_answers_make_a_valid_configuration(tmp_path_factory: pytest.TempPathFactory, answers: Answers) -> None:
    """Whatever is answered within the ranges, the file is valid and says what was answered."""
    folder = tmp_path_factory.mktemp("init")
    write_files(folder, answers)

    config = load_config(folder / "config" / "config.yaml", environment={})

    assert config.strategies[0].symbols == answers.symbols
    assert Decimal(config.broker.settings["starting_cash"]) == answers.account_size
    parameters = config.strategies[0].settings
    assert Decimal(parameters["entry_threshold"]) == answers.entry_threshold
    assert Decimal(parameters["stop_loss_pct"]) == answers.stop_loss_pct
    assert Decimal(parameters["take_profit_pct"]) == answers.take_profit_pct
    assert config.strategies[0].lookback_bars >= answers.vwap_window == int(parameters["vwap_window"])
    assert account_problems(config, answers.account_size) == ()


def test_init_writes_three_files(mqd: Call, folder: Path) -> None:
    """Configuration, template of secrets and .gitignore, each named with what became of it."""
    answer = mqd("init", "--yes")

    assert answer.exit_code == 0
    assert (folder / "config" / "config.yaml").is_file()
    assert "BROKER_API_KEY=\n" in (folder / "config" / ".env.local.template").read_text(encoding="utf-8")
    assert ".env.local\n" in (folder / ".gitignore").read_text(encoding="utf-8")
    assert answer.stdout.count("written") == 3


def test_the_template_of_secrets_is_the_shipped_one(mqd: Call, folder: Path, project_root: Path) -> None:
    """The template that init writes is config/.env.local.template of the repository."""
    mqd("init", "--yes")

    name = Path("config") / ".env.local.template"
    assert (folder / name).read_bytes() == (project_root / name).read_bytes()


def test_init_takes_another_folder(mqd: Call, folder: Path) -> None:
    """--dir names the folder that gets config/ and .gitignore, and makes it."""
    assert mqd("init", "--yes", "--dir", "new/desk").exit_code == 0

    assert (folder / "new" / "desk" / "config" / "config.yaml").is_file()
    assert (folder / "new" / "desk" / ".gitignore").is_file()
    assert not (folder / "config").exists()


def test_init_overwrites_no_configuration(mqd: Call, folder: Path) -> None:
    """Where there is a configuration nothing is written, before anything is asked; exit 2."""
    target = folder / "config" / "config.yaml"
    target.parent.mkdir()
    target.write_text("mine\n", encoding="utf-8", newline="\n")

    answer = mqd("init", answers="")

    assert answer.exit_code == 2
    assert "exists already" in answer.stderr
    assert [path.name for path in folder.rglob("*")] == ["config", "config.yaml"]
    assert target.read_text(encoding="utf-8") == "mine\n"


def test_init_keeps_what_else_is_there(mqd: Call, folder: Path) -> None:
    """A template that exists is kept, and .gitignore gains a line and loses nothing, whatever its line ends."""
    (folder / "config").mkdir()
    template = folder / "config" / ".env.local.template"
    template.write_text("mine\n", encoding="utf-8", newline="\n")
    (folder / ".gitignore").write_bytes(b"*.pyc\r\nlast line without an end")

    answer = mqd("init", "--yes")

    assert "kept as it was" in answer.stdout
    assert template.read_text(encoding="utf-8") == "mine\n"
    ignored = (folder / ".gitignore").read_bytes()
    assert ignored.startswith(b"*.pyc\r\nlast line without an end\n")
    assert ignored.splitlines()[-1] == b".env.local"


def test_init_adds_the_secrets_to_gitignore_once(folder: Path) -> None:
    """A .gitignore that leaves the secrets out already is not touched."""
    (folder / ".gitignore").write_bytes(b"/config/.env.local\n")

    write_files(folder, Answers())

    assert (folder / ".gitignore").read_bytes() == b"/config/.env.local\n"


def test_init_asks(mqd: Call, folder: Path) -> None:
    """Without --yes it asks; a wrong answer is explained and asked again, an empty one takes the suggestion."""
    answers = ["lots", "5", "$350.5", "spy; qqq", "spy, brk.b", "1", "30", "2", "0.03", "", "0.015"]

    answer = mqd("init", answers="\n".join(answers) + "\n")

    assert answer.exit_code == 0, answer
    for said in (
        "a plain number",
        "from 20 to 1000000",
        "is no stock symbol",
        "from 2 to 10000",
        "two per cent is 0.02",
    ):
        assert said in answer.stdout + answer.stderr
    config = load_config("config/config.yaml", environment={})
    assert config.broker.settings["starting_cash"] == "350.5"
    assert config.strategies[0].symbols == ("SPY", "BRK.B")
    assert config.strategies[0].settings == {
        "vwap_window": "30",
        "entry_threshold": "0.03",
        "stop_loss_pct": "0.02",
        "take_profit_pct": "0.015",
    }
    assert config.risk.daily_loss_limit_usd == Decimal("17.52")
    assert config.risk.max_open_positions == 2


@pytest.mark.skipif(os.name == "nt", reason="Windows has no mode bits that keep an owner from writing into a folder")
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write anywhere")
def test_init_says_where_it_cannot_write(folder: Path) -> None:
    """A folder that may not be written is an error that names it and the remedy."""
    folder.chmod(0o500)
    try:
        with pytest.raises(RunFailed, match="could not be written"):
            write_files(folder, Answers())
    finally:
        folder.chmod(0o700)


def test_init_says_where_a_file_is_in_the_way(folder: Path) -> None:
    """A file called config is an error that names it and the remedy."""
    (folder / "config").write_text("", encoding="utf-8", newline="\n")

    with pytest.raises(RunFailed, match=r"config could not be written.*--dir"):
        write_files(folder, Answers())


def test_a_dangling_link_is_not_written_through(folder: Path) -> None:
    """A configuration that is a link to nowhere counts as one that exists."""
    (folder / "config").mkdir()
    try:
        (folder / "config" / "config.yaml").symlink_to(folder / "elsewhere.yaml")
    except OSError:
        pytest.skip("this account may not make symbolic links")

    with pytest.raises(UsageError, match="exists already"):
        write_files(folder, Answers())
    assert not (folder / "elsewhere.yaml").exists()
