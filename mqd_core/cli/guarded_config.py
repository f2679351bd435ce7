"""The configuration, loaded so that its secrets stay out of whatever is printed or logged afterwards.

Every command that reads the configuration reads it here. May not check or change it: `mqd_core.config` does.
"""

from __future__ import annotations

from pathlib import Path

from mqd_core.config import Config, load_config
from mqd_core.logging.scrubbing import register_secret


def guarded_config(path: Path) -> Config:
    """Load a configuration and keep its secrets out of every text from now on. Raises ConfigError."""
    config = load_config(path)
    for text in config.secrets.plain_texts():
        register_secret(text)
    return config
