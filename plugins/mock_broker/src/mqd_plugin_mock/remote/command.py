"""`mqd venue`: what runs, and an end to it. May not start a venue, nor trade."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from mqd_core.api import Ambiguous, StoreError
from mqd_plugin_mock.remote.endpoint import read_endpoint
from mqd_plugin_mock.remote.link import VenueLink
from mqd_plugin_mock.remote.messages import AccountShown, End, Ended, Role, ShowAccount
from mqd_plugin_mock.remote.setup import VenuePlace

_TIMEOUT_SECONDS: Final = 5.0
_PLACE = click.argument("place", type=click.Path(exists=True, path_type=Path))


@click.group()
def venue() -> None:
    """Show or end the process that keeps a simulated account (broker: {name: mock_venue}).

    PLACE is the account's record, or the folder that holds it: var/demo/broker for the desk `demo`.
    """


@venue.command()
@_PLACE
def status(place: Path) -> None:
    """Say whether the venue of PLACE runs, and what its account is worth in cash."""
    files = _files(place)
    link = _link(files)
    try:
        welcome = link.open()
        account = link.ask(ShowAccount(0), AccountShown).account
    except (StoreError, Ambiguous):
        click.echo(f"{files.record}: no venue runs")
        return
    finally:
        link.close()
    endpoint = read_endpoint(files.endpoint)
    port = "" if endpoint is None else f" on 127.0.0.1:{endpoint.port}"
    click.echo(f"{files.record}: process {welcome.process} serves account {account.account}{port}")
    held = ", ".join(f"{position.quantity.normalize():f} {position.symbol}" for position in account.positions)
    click.echo(f"cash {account.cash:.2f} USD, positions: {held or 'none'}, working orders: {welcome.working}")


@venue.command()
@_PLACE
def stop(place: Path) -> None:
    """End the venue of PLACE; its account stays on record, and the next desk starts a venue again."""
    files = _files(place)
    link = _link(files)
    try:
        process = link.open().process
        link.ask(End(), Ended)
    except (StoreError, Ambiguous):
        click.echo(f"{files.record}: no venue runs")
        return
    finally:
        link.close()
    click.echo(f"{files.record}: process {process} was ended")


def _files(place: Path) -> VenuePlace:
    return VenuePlace((place / "account.jsonl" if place.is_dir() else place).absolute())


def _link(files: VenuePlace) -> VenueLink:
    return VenueLink(files, "", None, Role.PERSON, _TIMEOUT_SECONDS)
