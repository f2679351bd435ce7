"""The configuration: read strictly, checked whole, handed out frozen. Imports no plugin and starts nothing.

`load_config` gives a `Config`; what is wrong with a file comes as one ConfigError with a line for each fault. In the
order of use: `document` (what is written, and where), `yaml`, `secrets`, `model` with its parts `sections`, `limits`
and `slots`, `explain` (errors in words), `loading`; beside them `advice` and `accounts` (what is allowed but unwise),
`schema` and `docs_text`.
"""

from mqd_core.config.explain import settings_errors
from mqd_core.config.loading import DEFAULT_PATH, load_config, parse_config
from mqd_core.config.model import Config
from mqd_core.config.problems import Level, Problem
from mqd_core.config.secrets import Secrets
from mqd_core.config.slots import PluginUse

__all__ = [
    "DEFAULT_PATH",
    "Config",
    "Level",
    "PluginUse",
    "Problem",
    "Secrets",
    "load_config",
    "parse_config",
    "settings_errors",
]
