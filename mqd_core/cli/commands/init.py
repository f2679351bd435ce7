"""`mqd init`: asks a few questions and writes a first configuration."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mqd_core.cli.invocation import debug_option
from mqd_core.cli.printing import print_lines, print_pairs

if TYPE_CHECKING:
    from mqd_core.cli.first_config import Answers

_SMALLEST_USD = 20
_LARGEST_USD = 1_000_000


@click.command("init")
@click.option("--yes", is_flag=True, help="Take the suggested answers; ask nothing.")
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Folder that config/ goes into, instead of this one.",
)
@debug_option
def initialise(folder: Path, yes: bool) -> None:  # noqa: FBT001 - click calls it
    """Write a first configuration, from a few questions.

    Writes config/config.yaml and config/.env.local.template, and adds .env.local to .gitignore. Overwrites nothing.
    """
    from mqd_core.cli.first_config import Answers, refuse_existing, write_files

    refuse_existing(folder)
    answers = Answers() if yes else _asked()
    outcomes = write_files(folder, answers)
    print_pairs((str(path), outcome) for path, outcome in outcomes)
    where = "" if folder == Path() else f"cd {folder}, then "
    print_lines([f"next: {where}`mqd doctor` checks it, `mqd run` trades by it with play money"])


def _asked() -> Answers:
    from mqd_core.cli.first_config import Answers

    usual = Answers()
    return Answers(
        account_size=_ask("Account size in USD (play money)", usual.account_size, _account_size),
        symbols=_ask("Symbols, separated by commas", ",".join(usual.symbols), _symbols),
        vwap_window=_ask("Bars in the volume-weighted average price (vwap_window)", usual.vwap_window, _window),
        entry_threshold=_ask("Buy this fraction below it (entry_threshold)", usual.entry_threshold, _fraction),
        stop_loss_pct=_ask("Sell this fraction below the entry (stop_loss_pct)", usual.stop_loss_pct, _fraction),
        take_profit_pct=_ask("Sell this fraction above the entry (take_profit_pct)", usual.take_profit_pct, _fraction),
    )


def _ask(question: str, usual: object, read: Callable[[str], Any]) -> Any:
    return click.prompt(question, default=str(usual), value_proc=read)


def _account_size(text: str) -> Decimal:
    value = _decimal(text)
    if not _SMALLEST_USD <= value <= _LARGEST_USD or value != round(value, 2):
        raise click.BadParameter(f"was {text!r}: dollars and cents from {_SMALLEST_USD} to {_LARGEST_USD}")
    return Decimal(format(value, "f"))


def _symbols(text: str) -> tuple[str, ...]:
    from mqd_core.domain.market import SYMBOL

    symbols = tuple(dict.fromkeys(part.strip().upper() for part in text.split(",")))
    wrong = [symbol for symbol in symbols if not SYMBOL.fullmatch(symbol) or "/" in symbol]
    if wrong:
        raise click.BadParameter(f"{wrong[0]!r} is no stock symbol such as SPY or BRK.B")
    return symbols


def _window(text: str) -> int:
    value = _decimal(text)
    if not 2 <= value <= 10_000 or value != int(value):
        raise click.BadParameter(f"was {text!r}: a whole number from 2 to 10000")
    return int(value)


def _fraction(text: str) -> Decimal:
    value = _decimal(text)
    if not 0 < value < 1 or value != round(value, 9):
        raise click.BadParameter(f"was {text!r}: a fraction above 0 and below 1; two per cent is 0.02")
    return value


def _decimal(text: str) -> Decimal:
    try:
        value = Decimal(text.strip().lstrip("$"))
    except InvalidOperation:
        raise click.BadParameter(f"was {text!r}: a plain number such as 12.5") from None
    if not value.is_finite():
        raise click.BadParameter(f"was {text!r}: a plain number such as 12.5")
    return value
