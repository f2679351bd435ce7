"""`mqd sandbox`: run the sandbox until it is interrupted. Trades nothing itself."""

from __future__ import annotations

import datetime as dt
import time
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

import click

from mqd_core.api import SECOND_NS, DataFault, DataMissing, is_symbol, xnys
from mqd_plugin_alpaca_sandbox.exchange.assets import ListedAsset
from mqd_plugin_alpaca_sandbox.exchange.exchange import Exchange
from mqd_plugin_alpaca_sandbox.exchange.notation import time_text
from mqd_plugin_alpaca_sandbox.exchange.settings import ExchangeSettings
from mqd_plugin_alpaca_sandbox.faults import FaultError, FaultPlan, read_plan
from mqd_plugin_alpaca_sandbox.market.bar_feed import BarFeed
from mqd_plugin_alpaca_sandbox.market.routes import market_routes
from mqd_plugin_alpaca_sandbox.market.source import open_bars
from mqd_plugin_alpaca_sandbox.server import SandboxServer
from mqd_plugin_alpaca_sandbox.service import Service

_PORT: Final = 8790


@click.command()
@click.option("--port", default=_PORT, show_default=True, type=click.IntRange(0, 65_535), help="0: any that is free.")
@click.option("--data", default="synthetic", show_default=True, help="`synthetic`, or a folder or file of bars.")
@click.option("--symbols", default="SPY", show_default=True, help="Comma between them.")
@click.option("--begin", type=click.DateTime(["%Y-%m-%d"]), help="First day; earlier bars are history.")
@click.option("--faults", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Plan, JSON.")
@click.option("--speed", default=1.0, show_default=True, help="Market seconds for each second.")
@click.option("--cash", default="1000", show_default=True, help="USD at the start.")
@click.option(
    "--seed", default=7, show_default=True, type=click.IntRange(0), help="Of partial fills and synthetic bars."
)
@click.option("--days", default=20, show_default=True, type=click.IntRange(1), help="Sessions of the synthetic market.")
@click.option("--frames", default="paper", show_default=True, type=click.Choice(["paper", "live"]))
def sandbox(
    *,
    port: int,
    data: str,
    symbols: str,
    begin: dt.datetime | None,
    faults: Path | None,
    speed: float,
    cash: str,
    seed: int,
    days: int,
    frames: str,
) -> None:
    """Serve a brokerage account that behaves as Alpaca's, on this machine; no order of it costs money.

    Everybody on this machine who knows the port can trade it: its keys are public, and it holds nothing of worth.
    """
    names = _symbols(symbols)
    settings = ExchangeSettings(cash_usd=_amount(cash), seed=seed)
    feed = _feed(data=data, names=names, seed=seed, days=days, speed=speed, begin=begin)
    exchange = Exchange(settings, [ListedAsset(symbol=name) for name in names], xnys(), feed.start_ns)
    for symbol, price in feed.known_prices().items():
        exchange.quotes.show(symbol, price)
    exchange.quotes.close_day()
    service = Service(exchange=exchange, faults=_plan(faults), binary_frames=frames == "paper")
    try:
        server = SandboxServer(service, feed, port, market_routes(service, feed))
    except OSError as error:
        raise click.ClickException(f"port {port} of 127.0.0.1 cannot be had: {error.strerror}") from error
    click.echo(f"trading  http://127.0.0.1:{server.port}")
    click.echo(f"stream   ws://127.0.0.1:{server.port}/stream")
    click.echo(f"data     http://127.0.0.1:{server.port}, ws://127.0.0.1:{server.port}/v2/iex")
    click.echo(f"keys     {service.key_id} / {service.secret_key}")
    click.echo(f"market   {', '.join(names)} from {time_text(feed.start_ns)}, {speed:g} market seconds a second")
    server.run()


def _symbols(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    wrong = [name for name in names if not is_symbol(name)]
    if wrong or not names:
        raise click.BadParameter(f"{text!r}: symbols are capitals and digits, as in SPY,BRK.B", param_hint="--symbols")
    return names


def _amount(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount <= 0 or amount.as_tuple().exponent < -2:  # type: ignore[operator]  # finite
        raise click.BadParameter(f"{text!r} is no amount of dollars and cents above 0", param_hint="--cash")
    return amount


def _feed(
    *, data: str, names: tuple[str, ...], seed: int, days: int, speed: float, begin: dt.datetime | None
) -> BarFeed:
    begin_ns = None if begin is None else int(begin.replace(tzinfo=dt.timezone.utc).timestamp()) * SECOND_NS
    try:
        return BarFeed(open_bars(data, names, seed, days), speed, _wall_ns, begin_ns)
    except (DataFault, DataMissing, ValueError) as error:
        raise click.ClickException(f"--data {data}: {error}") from error


def _plan(path: Path | None) -> FaultPlan:
    try:
        return FaultPlan() if path is None else read_plan(path)
    except FaultError as error:
        raise click.ClickException(str(error)) from error


def _wall_ns() -> int:
    return time.monotonic_ns()  # noqa: TID251  the pace of a sandbox is that of the wall
