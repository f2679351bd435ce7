"""What a plugin's section of the configuration is made of: one pydantic model, checked before anything is built.

May not read files or the environment: values come from the configuration loader, secrets already resolved.
"""

from __future__ import annotations

from typing import TypeAlias, get_args

from pydantic import BaseModel, ConfigDict, SecretStr

#: A value that is printed as asterisks everywhere. In the configuration it stands as a placeholder, never as itself.
Secret: TypeAlias = SecretStr


class PluginSettings(BaseModel):
    """Base of all plugin settings: frozen, unknown keys refused, no NaN or infinity, values never shown in errors.

    Give every field a `Field(description=...)`: it is what `mqd plugins show` and the JSON Schema print.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        allow_inf_nan=False,
        validate_default=True,
    )


class NoSettings(PluginSettings):
    """Settings of a plugin that has none: every key is refused."""


def is_secret(annotation: object) -> bool:
    """Whether a field of this type holds a secret, optional ones included."""
    return annotation is SecretStr or any(is_secret(part) for part in get_args(annotation))


def secret_fields(settings: type[PluginSettings]) -> tuple[str, ...]:
    """Return the names of the fields that hold secrets, sorted: these take a placeholder in the configuration."""
    return tuple(sorted(name for name, field in settings.model_fields.items() if is_secret(field.annotation)))
