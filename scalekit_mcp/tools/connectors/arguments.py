"""Checks the arguments of a tool of a further connection against its flat schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from scalekit_mcp.errors import InvalidInput
from scalekit_mcp.identifiers import has_lone_surrogate
from scalekit_mcp.tools.base import IGNORED_MEMBERS
from scalekit_mcp.tools.connectors.connector_tool import ConnectorTool
from scalekit_mcp.tools.inputs.values import shown

if TYPE_CHECKING:
    from jsonschema import ValidationError

MAX_ARGUMENT_CHARACTERS = 200_000
"""Longest arguments of a call, as JSON."""

_MOST_NAMES = 20
_ARTICLES = {"integer": "an integer", "array": "a list", "object": "an object", "boolean": "true or false"}


def checked_arguments(tool: ConnectorTool, given: Mapping[str, Any] | None) -> dict[str, Any]:
    """The arguments as the service gets them; raises `InvalidInput` that names the argument and the fix.

    `null` means absent for what is not required. What clients are known to add of themselves is taken out.
    """
    if given is not None and not isinstance(given, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] - wire
        raise InvalidInput("The arguments must be a JSON object.")
    schema = tool.input_schema
    known = cast("Mapping[str, Any]", schema.get("properties", {}))
    required = frozenset(cast("list[str]", schema.get("required", [])))
    arguments = {
        name: value
        for name, value in tool.published_arguments(given or {}).items()
        if not (value is None and name not in required) and (name in known or name not in IGNORED_MEMBERS)
    }
    try:
        text = json.dumps(arguments, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput("The arguments are no JSON.") from error
    if len(text) > MAX_ARGUMENT_CHARACTERS:
        raise InvalidInput(f"The arguments have more than {MAX_ARGUMENT_CHARACTERS} characters.")
    if has_lone_surrogate(text):
        raise InvalidInput("The arguments hold half of a surrogate pair; send plain text.")
    error = _first_error(schema, arguments)
    if error is not None:
        raise InvalidInput(_sentence(tool, error), field=_field(error))
    return arguments


def _first_error(schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> ValidationError | None:
    found: Any = _validator()(dict(schema)).iter_errors(arguments)
    return min(found, key=lambda error: [str(step) for step in error.absolute_path], default=None)


@cache
def _validator() -> Any:
    """The library takes a tenth of a second to import, so that the first call waits for it and not the start."""
    from jsonschema import Draft202012Validator

    return Draft202012Validator


def _field(error: ValidationError) -> str | None:
    path = [str(step) for step in error.absolute_path]
    return path[0][:64] if path else None


def _sentence(tool: ConnectorTool, error: ValidationError) -> str:
    """What is wrong, in words; the values of a call are not repeated."""
    where = ".".join(str(step) for step in error.absolute_path)[:100]
    rule, value, instance = str(error.validator), cast("Any", error.validator_value), cast("Any", error.instance)
    subject = f"`{where}`" if where else "The call"
    if rule == "required":
        missing = [name for name in value if name not in instance]
        return f"{subject} lacks {', '.join(missing[:_MOST_NAMES])}."
    if rule == "additionalProperties":
        members = cast("Mapping[str, Any]", error.schema).get("properties", {})
        unknown = shown(next(name for name in instance if name not in members), 60)
        known = ", ".join(list(members)[:_MOST_NAMES]) or "none"
        return f"{tool.name} has no argument {unknown}{f' in `{where}`' if where else ''}; known are: {known}."
    if rule == "type":
        return f"{subject} must be {_ARTICLES.get(value, f'a {value}')}."
    if rule == "enum":
        return f"{subject} must be one of {', '.join(map(str, value[:_MOST_NAMES]))}."
    return f"{subject} does not fit {rule} {value}."
