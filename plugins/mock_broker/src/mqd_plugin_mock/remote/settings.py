"""What the configuration may say of a simulated broker in a process of its own. May not build anything."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mqd_plugin_mock.settings import MockBrokerSettings


class MockVenueSettings(MockBrokerSettings):
    """The `broker` section with `name: mock_venue`: the simulated account, in a process that outlives the desk."""

    record: str | None = Field(
        default=None,
        min_length=1,
        description="File in which the account is kept; relative to the working directory. None: account.jsonl in the "
        "broker's folder of this desk.",
    )
    not_found: Literal["final", "doubtful"] = Field(
        default="doubtful",
        description="What the desk makes of an order that the venue does not know. `doubtful`, as at a real broker: it "
        "asks for a minute and gives the order up. `final`: it sends it again, which is safe here.",
    )
    timeout_ms: int = Field(
        default=5_000,
        ge=10,
        le=60_000,
        description="Milliseconds that the desk waits for an answer of the venue before it takes it for lost.",
    )
    idle_seconds: int = Field(
        default=60,
        ge=1,
        le=86_400,
        description="Seconds without a client after which the venue's process ends by itself.",
    )
