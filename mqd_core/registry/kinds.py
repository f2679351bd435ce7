"""The nine kinds of plugins, and what each is called in metadata, in hooks and in sentences. Imports nothing."""

from __future__ import annotations

from enum import Enum


class Kind(str, Enum):
    """A kind of plugin; its value is the word used in `--json` output and on the command line."""

    BROKER = "broker"
    DATA_PROVIDER = "data_provider"
    STRATEGY = "strategy"
    SIZER = "sizer"
    STORE = "store"
    RISK_RULE = "risk_rule"
    OBSERVER = "observer"
    COMMAND = "command"
    EXECUTOR = "executor"

    @property
    def group(self) -> str:
        """Return the entry-point group, such as `mqd.risk_rules`."""
        plural = "strategies" if self is Kind.STRATEGY else f"{self.value}s"
        return f"mqd.{plural}"

    @property
    def hook(self) -> str:
        """Return the hook's name: the group with an underscore, such as `mqd_risk_rules`."""
        return self.group.replace(".", "_")

    @property
    def label(self) -> str:
        """Return the words for a sentence, such as `risk rule`."""
        return self.value.replace("_", " ")
