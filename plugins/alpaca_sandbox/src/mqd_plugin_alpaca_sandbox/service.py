"""What the parts of a running sandbox share: the exchange, the keys, the faults. Holds no behaviour of its own."""

from __future__ import annotations

from dataclasses import dataclass, field

from mqd_plugin_alpaca_sandbox.exchange.exchange import Exchange
from mqd_plugin_alpaca_sandbox.faults import FaultPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One sandbox. The keys open nothing but it, so they have defaults that everybody knows.

    `binary_frames`: as the paper account's stream; False: text, as the live one's. `linger_seconds`: how long a
    connection that ended without a goodbye blocks the next one (about 90 at the real service).
    """

    exchange: Exchange
    key_id: str = "sandbox-key"
    secret_key: str = field(default="sandbox-secret", repr=False)
    faults: FaultPlan = field(default_factory=FaultPlan)
    binary_frames: bool = True
    one_connection: bool = True
    linger_seconds: float = 0.0
    requests_per_minute: int = 200

    def knows(self, key_id: object, secret_key: object) -> bool:
        """Whether these are the account's keys."""
        return key_id == self.key_id and secret_key == self.secret_key
