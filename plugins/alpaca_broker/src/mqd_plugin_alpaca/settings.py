"""What the configuration may say of Alpaca. May not build anything."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from mqd_core.api import PluginSettings, Secret
from mqd_plugin_alpaca.hosts import check_override


class AlpacaSettings(PluginSettings):
    """The `broker` section with `name: alpaca`."""

    api_key: Secret = Field(description="Key id of the account, paper or live.")
    api_secret: Secret = Field(description="Secret of that key.")
    account_number: str | None = Field(
        default=None,
        min_length=1,
        max_length=40,
        description="Number of the only account that may be traded (PA... is a paper account). None: the one that the "
        "keys open; with real money `mqd run --live` names it.",
    )
    url: str | None = Field(
        default=None,
        description="A server on this machine in place of Alpaca, as http://127.0.0.1:8080. None: Alpaca.",
    )
    connect_timeout_seconds: float = Field(
        default=3.0, gt=0, le=30, description="Longest wait for a connection, in seconds."
    )
    read_timeout_seconds: float = Field(
        default=8.0, gt=0, le=30, description="Longest silence inside of an answer, in seconds."
    )
    deadline_seconds: float = Field(
        default=10.0,
        gt=0,
        le=30,
        description="Longest time for a request and its whole answer, in seconds; what comes later is not read.",
    )
    requests_per_minute: int = Field(
        default=200, ge=10, le=10_000, description="Requests that Alpaca allows an account in a minute."
    )
    requests_kept: int = Field(
        default=50, ge=0, le=5_000, description="Requests of these that are kept for cancels and questions."
    )
    stream_authentication: Literal["authenticate", "auth"] = Field(
        default="authenticate",
        description="How the stream is told the keys: the form that is known to work, or its successor.",
    )
    ping_seconds: float = Field(
        default=5.0, gt=0, le=60, description="Seconds between pings of the stream, and the wait for each answer."
    )
    silence_seconds: float = Field(
        default=10.0,
        gt=0,
        le=600,
        description="Seconds without news of an order that was taken or asked to be canceled, after which the stream "
        "is not trusted and made anew.",
    )
    reconnect_first_seconds: float = Field(
        default=1.0, gt=0, le=60, description="First wait before the stream is made anew; it doubles, with jitter."
    )
    reconnect_last_seconds: float = Field(default=30.0, gt=0, le=300, description="Longest of these waits, in seconds.")

    @field_validator("url")
    @classmethod
    def _on_this_machine(cls, url: str | None) -> str | None:
        return None if url is None else check_override(url)

    @field_validator("requests_kept")
    @classmethod
    def _leaves_some(cls, kept: int, info: object) -> int:
        allowed = getattr(info, "data", {}).get("requests_per_minute")
        if allowed is not None and kept >= allowed:
            raise ValueError(f"must be under requests_per_minute ({allowed}), or no order could ever be sent")
        return kept
