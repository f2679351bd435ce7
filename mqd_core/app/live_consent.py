"""Whether real money may be traded: three consents that agree, a real broker, and the account that was named.

    broker.paper_trading: false   in the configuration
    PAPER_TRADING=false           in .env.local or the environment
    mqd run --live ACCOUNT        typed by a person at each start

One that is missing, or one too many, ends the start before anything is built. May not build or ask anything.
"""

from __future__ import annotations

from mqd_core.config import Config
from mqd_core.errors import ConfigError, UsageError


def check_consents(config: Config, live_account: str | None) -> None:
    """Raises ConfigError or UsageError unless all three agree, on paper or on one account of real money."""
    place = config.source.locate(("broker", "paper_trading"))
    if config.broker.paper_trading:
        if live_account is not None:
            raise UsageError("--live names a live account, but broker.paper_trading is true: nothing live can be run")
        return
    problems = []
    if config.secrets.paper_trading is not False:
        said = "is not set" if config.secrets.paper_trading is None else "is true"
        problems.append(
            f"{place}: paper_trading is false and PAPER_TRADING {said}: real money needs PAPER_TRADING=false in "
            ".env.local or the environment too. Set it, or set paper_trading to true"
        )
    if live_account is None or not live_account.strip():
        problems.append(
            f"{place}: paper_trading is false: real money is traded only by `mqd run --live ACCOUNT_NUMBER`. Name the "
            "account, or set paper_trading to true"
        )
    if problems:
        raise ConfigError(problems)


def check_live_broker(config: Config, *, is_simulated: bool) -> None:
    """Raises ConfigError where the broker has no real money to trade."""
    if is_simulated:
        place = config.source.locate(("broker", "paper_trading"))
        raise ConfigError(f"{place}: the broker {config.broker.name} is simulated; set paper_trading to true")


def check_live_account(live_account: str | None, account: str) -> None:
    """Raises ConfigError where the broker opened another account than the one that a person has named."""
    if live_account is not None and account != live_account:
        raise ConfigError(
            f"the keys open account {account}, and --live names {live_account}: nothing was sent. Correct the keys or "
            "the number"
        )
