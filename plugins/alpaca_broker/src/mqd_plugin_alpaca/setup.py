"""Which account a connector may touch: paper, or the one live account that a person has named three times over.

Checked when it is built and once more against what the account itself says. May not connect.
"""

from __future__ import annotations

from typing import Final

from mqd_core.api import AccountReport, BrokerContext
from mqd_plugin_alpaca.hosts import api_url
from mqd_plugin_alpaca.settings import AlpacaSettings

_PAPER_PREFIX: Final = "PA"


class WrongAccount(Exception):
    """Raised where the keys open another account than the one that may be traded."""


def trading_url(settings: AlpacaSettings, context: BrokerContext) -> str:
    """Where a desk trades; raises ValueError unless every consent to trade real money is there."""
    base = api_url(settings.url, paper_trading=context.paper_trading)
    if context.paper_trading:
        return base
    if context.live_account is None:
        raise ValueError("real money is traded only with `mqd run --live ACCOUNT_NUMBER`; nothing was built")
    if settings.account_number not in {None, context.live_account}:
        raise ValueError("--live names another account than broker.account_number; nothing was built")
    return base


def check_account(settings: AlpacaSettings, context: BrokerContext, account: AccountReport) -> None:
    """Hold what the account says of itself against what was agreed on; raises WrongAccount."""
    wanted = settings.account_number if context.paper_trading else context.live_account
    if wanted is not None and account.account != wanted:
        raise WrongAccount(f"the keys open account {account.account}; this desk may trade {wanted} and nothing else")
    is_paper = account.account.startswith(_PAPER_PREFIX)
    if settings.url is None and is_paper is not context.paper_trading:
        kind, other = ("a paper", "live") if is_paper else ("a live", "paper")
        raise WrongAccount(
            f"the keys open {kind} account, {account.account}, and the configuration is for {other} trading"
        )
