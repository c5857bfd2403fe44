"""What the catalogue knows of one tool: its name, words, schemas and hints, and who may use it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from scalekit_mcp.tools.base import Arguments, parameters_of

Toolset = Literal["calendar", "scheduling"]

_SENTENCES = {"type": "array"}
REMARKS: Mapping[str, Any] = {"notes": _SENTENCES, "warnings": _SENTENCES}
"""The members of an answer that say what else there is to know."""

ROWS: Mapping[str, Any] = {"type": "array", "items": {"type": "object"}}
"""A list of objects."""

_ERROR: Mapping[str, Any] = {"error": {"type": "object"}}
"""Why a call failed, and who acts; nothing else is set then."""


@dataclass(frozen=True)
class ListedDifferently:
    """How a parameter is listed where not all of it is carried: with these words and values, or (no words) not at all.

    No values: those that it has anyway.
    """

    description: str = ""
    values: tuple[str, ...] = ()

    def applied(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """The schema of the parameter that is listed."""
        values = {"enum": list(self.values)} if self.values else {}
        return {**schema, **values, "description": self.description}


@dataclass(frozen=True)
class ToolSpec:
    """One tool as the catalogue publishes it. The four hints are those of the Model Context Protocol."""

    name: str
    title: str
    description: str
    arguments: type[Arguments]
    output_properties: Mapping[str, Any]
    read_only: bool = False
    destructive: bool = False
    idempotent: bool = False
    open_world: bool = True

    required_scope: str = "calendar.write"
    """What a caller's session must be allowed."""

    toolset: Toolset | None = "calendar"
    """The set that offers the tool to models; None: it is always offered."""

    listed_differently: Mapping[str, ListedDifferently] = field(default_factory=dict[str, ListedDifferently])
    """The parameters of which a carrier does not carry all, by name."""

    @cached_property
    def input_schema(self) -> dict[str, Any]:
        """A flat JSON schema: no reference, no alternative, no unknown member."""
        model = self.arguments
        parameters = parameters_of(model)
        required = [name for name in parameters if model.model_fields[name].is_required()]
        properties = {name: parameter.json_schema() for name, parameter in parameters.items()}
        for name, listed in self.listed_differently.items():
            schema = properties.pop(name)
            if listed.description:
                properties[name] = listed.applied(schema)
        return {
            "type": "object",
            "properties": {name: properties[name] for name in parameters if name in properties},
            **({"required": required} if required else {}),
            "additionalProperties": False,
        }

    @cached_property
    def output_schema(self) -> dict[str, Any]:
        """The fixed outer members; events carry Graph's own members besides.

        No member is required and `error` is one of them, because clients (the TypeScript SDK) hold the structured
        content of a failed call against this schema, too.
        """
        return {"type": "object", "properties": {**self.output_properties, **_ERROR}}
