"""Stages 1 and 2: from a file to a checked configuration. No plugin is imported, and nothing of theirs is judged.

All that is wrong in a stage is said at once, sorted by place. May not start anything.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from mqd_core.config.document import Document
from mqd_core.config.explain import explained
from mqd_core.config.model import Config
from mqd_core.config.problems import Problem, lines
from mqd_core.config.redaction import secrets_in
from mqd_core.config.secrets import Secrets, load_secrets
from mqd_core.config.yaml import read_yaml
from mqd_core.errors import ConfigError

DEFAULT_PATH: Final = "config/config.yaml"


def load_config(path: str | os.PathLike[str] = DEFAULT_PATH, *, environment: Mapping[str, str] | None = None) -> Config:
    """Read and check a configuration file, and the secrets beside it.

    Relative paths inside stay relative to the working directory. `environment` stands in for that of the process.

    Raises:
        ConfigSyntaxError: the file is not the plain YAML that mqd reads.
        ConfigError: it is missing, or its shape is wrong; `problems` holds one line for each fault.
    """
    file = Path(path)
    if not file.exists():
        raise ConfigError(
            f"{file}: there is no configuration file here (looked for {file.absolute()}); `mqd init` writes one, "
            "--config names another"
        )
    secrets, problems = load_secrets(file.parent, environment)
    return _checked(read_yaml(file), secrets, problems)


def parse_config(content: Mapping[str, object], *, secrets: Secrets | None = None) -> Config:
    """Check a configuration that a program made: for tests, sweeps and tools. Raises ConfigError like `load_config`."""
    return _checked(Document(content), Secrets() if secrets is None else secrets, [])


def _checked(document: Document, secrets: Secrets, problems: list[Problem]) -> Config:
    problems.extend(Problem.at(document, path, text) for path, text in secrets_in(document))
    try:
        config = Config.of(document, secrets)
    except ValidationError as error:
        problems.extend(explained(document, (), error, Config))
        # The chain is cut: pydantic's own error may hold what was read.
        raise ConfigError(lines(problems)) from None
    if problems:
        raise ConfigError(lines(problems))
    return config
