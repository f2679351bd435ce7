"""Every error of the desk, one tree. May import nothing of mqd_core.

    MqdError                          exit code
    |-- UsageError                    2  a command was called in a way it does not allow
    |-- ConfigError                   3  the configuration, or what it names, is not usable
    |   |-- ConfigSyntaxError            not YAML, a duplicate key, a tag, an anchor
    |   |-- PluginNotFound               nothing installed has that name
    |   |-- PluginConflict               two distributions claim one name
    |   |-- PluginBlocked                the configuration's allow list leaves it out
    |   |-- PluginIncompatible           it needs another version of mqd-core
    |   |-- PluginLoadError              its module fails to import, or yields the wrong records
    |   |-- PluginBuildError             its factory failed
    |   `-- DataMissing                  a data file is absent or empty
    |-- AlreadyRunning                4  another process holds this desk
    |-- DeskHalted                    5  a person must resume
    `-- RunFailed                     1  something failed while running
        |-- DataFault                    a bad row, a feed that broke
        |-- StoreError                   the journal could not be read or written
        |   |-- StoreCorrupt             its content is not what was written
        |   `-- StoreSchemaError         written by another version
        `-- PluginFault                  a plugin raised, hung or returned nonsense

    BrokerError                       what a connector may raise; never reaches a person unexplained
    |-- Refused                          the venue answered no: definitive, the order does not exist
    |-- NotSent                          no byte left this process: the order cannot exist
    `-- Ambiguous                        anything else: the order may exist

    IllegalTransition                 the order table says this must never happen
    SealedType                        something other than the risk gate tried to make an approved order

Errors carry what a machine needs as attributes and say in one sentence what a person needs:
what was wrong, where, what is allowed, what to do next.
"""

from __future__ import annotations


class MqdError(Exception):
    """Base of all errors that end a command with one clear message; `exit_code` is the process's."""

    exit_code = 1


class UsageError(MqdError):
    """Raised when a command is called in a way it does not allow."""

    exit_code = 2


class ConfigError(MqdError):
    """Raised when the configuration, or something it names, cannot be used.

    `problems` holds one line for each thing that is wrong, each starting with `file:line:col` where
    the configuration has a place for it; all problems of a stage are reported together.
    """

    exit_code = 3

    def __init__(self, problems: str | list[str]) -> None:
        self.problems: list[str] = [problems] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(self.problems))


class ConfigSyntaxError(ConfigError):
    """Raised when a configuration file is not the plain YAML that mqd reads."""


class PluginNotFound(ConfigError):
    """Raised when no installed distribution offers a plugin of the configured name."""


class PluginConflict(ConfigError):
    """Raised when two installed distributions claim the same plugin name."""


class PluginBlocked(ConfigError):
    """Raised when the configuration's allow list leaves a named plugin out."""


class PluginIncompatible(ConfigError):
    """Raised when a named plugin needs another version of mqd-core than the installed one."""


class PluginLoadError(ConfigError):
    """Raised when a named plugin's module cannot be imported or yields the wrong records."""


class PluginBuildError(ConfigError):
    """Raised when a named plugin's factory fails."""


class DataMissing(ConfigError):
    """Raised when configured data is absent or holds no bar."""


class AlreadyRunning(MqdError):
    """Raised when another process holds the desk's lock."""

    exit_code = 4


class DeskHalted(MqdError):
    """Raised when the desk is halted and only a person may resume it."""

    exit_code = 5


class RunFailed(MqdError):
    """Raised when something fails while the desk runs."""


class DataFault(RunFailed):
    """Raised when a data source breaks or holds a row that cannot be read."""


class StoreError(RunFailed):
    """Raised when the store cannot be read or written; nothing may be sent after it."""


class StoreCorrupt(StoreError):
    """Raised when the store's content is not what was written."""


class StoreSchemaError(StoreError):
    """Raised when the store was written by a version this one cannot read."""


class PluginFault(RunFailed):
    """Raised when a plugin raises, hangs or returns something its port does not allow."""


class BrokerError(Exception):
    """Base of what a broker connector may raise. `code` is stable and for machines."""

    def __init__(self, message: str, code: str = "broker_error") -> None:
        super().__init__(message)
        self.code = code


class Refused(BrokerError):
    """Raised when the venue answered no: definitive, the order was not created."""


class NotSent(BrokerError):
    """Raised when no byte of the request left this process: the order cannot exist."""


class Ambiguous(BrokerError):
    """Raised when the outcome is unknown: the order may or may not exist."""


class IllegalTransition(Exception):
    """Raised when an order event meets a state the table forbids; the order is left as it was."""


class SealedType(TypeError):
    """Raised when something other than the risk gate tries to make an approved order."""
