"""A first configuration from a few answers, and the files around it. Nothing that exists is ever overwritten.

May not ask: that is the command's.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Final

from mqd_core.domain.money import cents, percent_of
from mqd_core.errors import RunFailed, UsageError

_SECRETS: Final = ".env.local"
#: Lines of a .gitignore that keep the secrets out already.
_COVERING: Final = frozenset(
    {".env.local", "config/.env.local", "/config/.env.local", "**/.env.local", ".env*", "*.local"}
)
_DAILY_LOSS_PCT: Final = Decimal(5)
_WEEKLY_LOSS_PCT: Final = Decimal(15)
_MOST_POSITIONS: Final = 10


class _AtTemplate(Template):
    """Names stand behind @, since $ is money here."""

    delimiter = "@"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a person is asked. Money in USD; threshold, stop and profit as fractions of a price, 0 < x < 1."""

    account_size: Decimal = Decimal(1000)
    symbols: tuple[str, ...] = ("SPHD",)
    vwap_window: int = 20
    entry_threshold: Decimal = Decimal("0.02")
    stop_loss_pct: Decimal = Decimal("0.02")
    take_profit_pct: Decimal = Decimal("0.01")


def config_text(answers: Answers) -> str:
    """The configuration that the answers make; loss limits grow with the account."""
    return _AtTemplate(_template("config.yaml.template")).substitute(
        account_size=_plain(answers.account_size),
        account_words=f"{answers.account_size:,}",
        symbols=", ".join(answers.symbols),
        vwap_window=answers.vwap_window,
        lookback_bars=max(50, answers.vwap_window),
        entry_threshold=_plain(answers.entry_threshold),
        entry_pct=_plain(answers.entry_threshold.scaleb(2)),
        stop_loss_pct=_plain(answers.stop_loss_pct),
        stop_pct=_plain(answers.stop_loss_pct.scaleb(2)),
        take_profit_pct=_plain(answers.take_profit_pct),
        profit_pct=_plain(answers.take_profit_pct.scaleb(2)),
        positions=min(len(answers.symbols), _MOST_POSITIONS),
        daily_limit=_usd(percent_of(answers.account_size, _DAILY_LOSS_PCT)),
        weekly_limit=_usd(percent_of(answers.account_size, _WEEKLY_LOSS_PCT)),
    )


def refuse_existing(folder: Path) -> Path:
    """Where the configuration goes. Raises UsageError if one is there: it is never overwritten."""
    target = folder / "config" / "config.yaml"
    if target.exists() or target.is_symlink():
        raise UsageError(f"{target} exists already and is left as it is; --dir names another folder")
    return target


def write_files(folder: Path, answers: Answers) -> list[tuple[Path, str]]:
    """Write configuration, template of secrets and .gitignore; returns each file with what became of it.

    Raises UsageError if there is a configuration, RunFailed where nothing can be written.
    """
    target = refuse_existing(folder)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _write_new(target, config_text(answers))
        example = target.with_name(f"{_SECRETS}.template")
        outcomes = [(target, "written")]
        try:
            _write_new(example, _template("env.local.template"))
            outcomes.append((example, "written"))
        except FileExistsError:
            outcomes.append((example, "kept as it was"))
        outcomes.append(_ignore_secrets(folder / ".gitignore"))
    except OSError as error:
        where = error.filename or folder
        raise RunFailed(
            f"{where} could not be written: {error.strerror}; make the folder writable, or name another with --dir"
        ) from error
    return outcomes


def _write_new(path: Path, text: str) -> None:
    with path.open("x", encoding="utf-8", newline="\n") as file:
        file.write(text)


def _ignore_secrets(path: Path) -> tuple[Path, str]:
    before = path.read_bytes() if path.exists() else b""
    if not _COVERING.isdisjoint(line.strip() for line in before.decode("utf-8", errors="replace").splitlines()):
        return path, f"has {_SECRETS} already"
    separator = b"" if not before or before.endswith(b"\n") else b"\n"
    with path.open("ab") as file:
        file.write(separator + f"# Secrets; never committed.\n{_SECRETS}\n".encode())
    return path, f"{_SECRETS} added" if before else "written"


def _template(name: str) -> str:
    return (files("mqd_core.cli") / "templates" / name).read_text(encoding="utf-8")


def _plain(value: Decimal) -> str:
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _usd(value: Decimal) -> str:
    text = _plain(cents(value))
    return text if "." in text else f"{text}.0"
