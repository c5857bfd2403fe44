"""Reading the settings once: flags first, then variables, then the file of `--env-file`, then files of secrets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError

from scalekit_mcp.errors import ConfigurationError
from scalekit_mcp.network import Network
from scalekit_mcp.settings.model import Settings, variables_of
from scalekit_mcp.settings.sources import Environment, Origin, read_environment, read_text

SECRETS = tuple(
    variables_of(name)[0] for name, field in Settings.model_fields.items() if field.annotation == SecretStr | None
)
"""Variables that have no flag and may stand in a file that NAME_FILE names."""


def load_settings(*, env_file: Path | None = None, flags: Mapping[str, str] | None = None, **options: Any) -> Settings:
    """Read the environment once; `options` are the command's flags, None meaning not given.

    `flags` tells how an option is spelled on the command line, for a refusal. Raises `ConfigurationError` with one
    sentence per problem.
    """
    try:
        environment = read_environment(env_file)
    except ValueError as error:
        raise ConfigurationError(f"--env-file names a file that cannot be used: {env_file} {error}.") from error
    values: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    problems: list[str] = []
    for name in Settings.model_fields:
        try:
            found = _option(name, options, flags or {}) or _variable(name, environment) or _secret(name, environment)
        except ValueError as error:
            problems.append(str(error))
            continue
        if found is not None:
            values[_init_name(name)], origins[name] = found
    if problems:
        raise ConfigurationError(*problems)
    try:
        settings = Settings(**values)
    except ValidationError as error:
        raise ConfigurationError(*(_sentence(dict(problem), origins) for problem in error.errors())) from None
    files = [Path(found[0]) for name in SECRETS if (found := environment.get(f"{name}_FILE")) is not None]
    network = Network(environment.values, environment.named)
    settings.note_origins(origins, network, [*([env_file] if env_file else []), *files])
    return settings


def _option(name: str, options: Mapping[str, Any], flags: Mapping[str, str]) -> tuple[Any, Origin] | None:
    """What the caller gave under the field's name or its variable."""
    for key in (name, *variables_of(name)):
        value = options.get(key)
        if value is not None:
            variable = variables_of(name)[0]
            return value, Origin(variable, f"from {flags[key]}" if key in flags else "as given to this program")
    return None


def _variable(name: str, environment: Environment) -> tuple[str, Origin] | None:
    return next((found for variable in variables_of(name) if (found := environment.get(variable)) is not None), None)


def _secret(name: str, environment: Environment) -> tuple[str, Origin] | None:
    """The text of the file that `NAME_FILE` names; raises ValueError with a whole sentence."""
    variable = variables_of(name)[0]
    named = environment.get(f"{variable}_FILE") if variable in SECRETS else None
    if named is None:
        return None
    path, origin = named
    try:
        text = read_text(Path(path)).strip()
    except ValueError as error:
        raise ValueError(f"{origin} names a file that cannot be used: {path} {error}.") from error
    if not text:
        raise ValueError(f"{origin} names a file that is empty: {path}.")
    return text, Origin(variable, f"from {path}, which {origin.variable} names")


def _init_name(name: str) -> str:
    """The name under which a value is handed to `Settings`."""
    return name if Settings.model_fields[name].validation_alias is None else variables_of(name)[0]


def _sentence(problem: dict[str, Any], origins: Mapping[str, Origin]) -> str:
    given = str(problem["loc"][0]) if problem.get("loc") else ""
    name = next((field for field in Settings.model_fields if given in {field, *variables_of(field)}), "")
    origin = origins.get(name)
    message = str(problem["msg"]).removeprefix("Value error, ").partition(", unable to ")[0]
    message = message.replace("Input should be", "it must be", 1)
    return f"{origin or given or 'A setting'} is not valid: {message.rstrip('.')}."
