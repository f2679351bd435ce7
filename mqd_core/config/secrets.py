"""Secrets: where they come from, and how placeholders in the configuration turn into them.

The environment first, then `.env.local` beside the configuration file. May not put a secret into a message, a repr or
a pickle; outside of this module a secret is a SecretStr, opened only by what sends it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NoReturn

from pydantic import SecretStr

from mqd_core.config.document import KeyPath
from mqd_core.config.problems import Problem
from mqd_core.config.redaction import MASK, placeholder, reference
from mqd_core.config.secret_file import SecretLine, file_problem, read_secret_file

FILE_NAME: Final = ".env.local"
PAPER_TRADING: Final = "PAPER_TRADING"
#: The two that every broker account has; known by name so that a log never shows them, whoever reads them.
KNOWN: Final = ("BROKER_API_KEY", "BROKER_API_SECRET")

_SECRET_WORDS: Final = frozenset({"KEY", "APIKEY", "SECRET", "TOKEN", "PASSWORD", "PASSPHRASE", "CREDENTIAL"})
#: Shorter texts are not searched for in log lines: they would blank out ordinary words.
_SHORTEST_SCRUBBED: Final = 6


class Secrets(Mapping[str, SecretStr]):
    """Every secret there is, by name. Iterating gives names; values are SecretStr and print as asterisks.

    `paper_trading` is what PAPER_TRADING says: one of the three consents to trade real money is that it is False.
    None means that it is set nowhere, which is no consent.
    """

    __slots__ = ("_origins", "_values", "file", "paper_trading")

    def __init__(
        self,
        values: Mapping[str, str] | None = None,
        *,
        origins: Mapping[str, str] | None = None,
        paper_trading: bool | None = None,
        file: Path | None = None,
    ) -> None:
        self._values = {name: SecretStr(value) for name, value in (values or {}).items()}
        self._origins = dict(origins or {})
        self.paper_trading = paper_trading
        self.file = file

    def __getitem__(self, name: str) -> SecretStr:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Secrets({', '.join(f'{name}={MASK}' for name in sorted(self._values))})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("secrets are not pickled or copied: another process reads them from their source")

    def origin(self, name: str) -> str | None:
        """Where a secret was found, for `mqd doctor`: `the environment` or the file; None when it is not set."""
        return self._origins.get(name)

    def plain_texts(self) -> tuple[str, ...]:
        """The secrets themselves, longest first: for the log scrubber, which must know what to remove."""
        texts = {value.get_secret_value() for value in self._values.values()}
        return tuple(
            sorted((text for text in texts if len(text) >= _SHORTEST_SCRUBBED), key=lambda text: (-len(text), text))
        )


def load_secrets(folder: Path, environment: Mapping[str, str] | None = None) -> tuple[Secrets, list[Problem]]:
    """Collect secrets from the environment and from `.env.local` in a folder, with all that is wrong with the file.

    Names in the environment count when the file has them too, when mqd knows them, or when they say that they are
    secret (a word of KEY, SECRET, TOKEN, PASSWORD ...). An empty value is no value.
    """
    surroundings = os.environ if environment is None else environment  # noqa: TID251 - this is the door
    file = folder / FILE_NAME
    written: dict[str, SecretLine] = {}
    problems: list[Problem] = []
    if file.is_symlink() or file.exists():
        written, problems = read_secret_file(file)
    names = {*written, *KNOWN, *(name for name in surroundings if _says_secret(name))} - {PAPER_TRADING}
    values: dict[str, str] = {}
    origins: dict[str, str] = {}
    for name in sorted(names):
        from_file = written[name].value if name in written else ""
        value = surroundings.get(name) or from_file
        if value:
            values[name] = value
            origins[name] = "the environment" if surroundings.get(name) else str(file)
    paper_trading = _paper_trading(file, surroundings.get(PAPER_TRADING), written.get(PAPER_TRADING), problems)
    return Secrets(values, origins=origins, paper_trading=paper_trading, file=file), problems


def resolved(
    settings: Mapping[str, Any], where: KeyPath, secrets: Secrets
) -> tuple[dict[str, Any], list[tuple[KeyPath, str]]]:
    """A plugin's settings with secrets in the place of placeholders, and the path and sentence of each one missing."""
    missing: list[tuple[KeyPath, str]] = []

    def filled(value: object, path: KeyPath) -> Any:
        if isinstance(value, Mapping):
            return {key: filled(inner, (*path, key)) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [filled(inner, (*path, index)) for index, inner in enumerate(value)]
        names = _names_meant(value, where) if isinstance(value, str) else ()
        if not names:
            return value
        found = next((secrets[name] for name in names if name in secrets), None)
        if found is None:
            missing.append((path, _how_to_set(names[0], secrets.file)))
        return found

    return {key: filled(value, (*where, key)) for key, value in settings.items()}, missing


def _names_meant(text: str, where: KeyPath) -> tuple[str, ...]:
    """The secrets that a placeholder may mean, best first; none when the text is no placeholder."""
    named = reference(text)
    if named is not None:
        return (named,)
    generic = placeholder(text)
    if generic is None:
        return ()
    slot = where[1] if where[:1] == ("backtest",) and len(where) > 1 else where[0]
    if slot not in {"broker", "data"} or generic.startswith(("BROKER_", "DATA_")):
        return (generic,)
    # A data source is usually the broker's own: its keys serve both unless it has its own.
    return (f"BROKER_{generic}",) if slot == "broker" else (f"DATA_{generic}", f"BROKER_{generic}")


def _how_to_set(name: str, file: Path | None) -> str:
    target = FILE_NAME if file is None else str(file)
    return f"the secret {name} is not set; add the line {name}=<the value> to {target}, or set it in the environment"


def _says_secret(name: str) -> bool:
    return not _SECRET_WORDS.isdisjoint(re.split(r"[^A-Z0-9]+", name.upper()))


def _paper_trading(
    file: Path, from_environment: str | None, from_file: SecretLine | None, problems: list[Problem]
) -> bool | None:
    """What PAPER_TRADING says, if both places agree: a forgotten export must not decide over real money."""
    words = {"true": True, "false": False}
    line = from_file.line if from_file is not None else None
    said = [text for text in (from_environment, from_file.value if from_file is not None else None) if text]
    for text in said:
        if text not in words:
            problems.append(file_problem(file, line, f"{PAPER_TRADING} must be true or false; another text was read"))
            return None
    if len(set(said)) > 1:
        text = f"{PAPER_TRADING} is {said[1]} here and {said[0]} in the environment; make them agree, or unset one"
        problems.append(file_problem(file, line, text))
        return None
    return words[said[0]] if said else None
