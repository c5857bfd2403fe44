"""The catalogue: the only definition of a tool. Everything that shows or checks a tool reads it from here."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

from scalekit_mcp.errors import InvalidInput
from scalekit_mcp.tools.base import Arguments
from scalekit_mcp.tools.calendar.tools import CALENDAR_TOOLS
from scalekit_mcp.tools.carriers import Carrier, carried
from scalekit_mcp.tools.inputs.values import shown
from scalekit_mcp.tools.scheduling.tools import SCHEDULING_TOOLS
from scalekit_mcp.tools.tool_spec import ToolSpec

TOOLS: Mapping[str, ToolSpec] = MappingProxyType({spec.name: spec for spec in (*CALENDAR_TOOLS, *SCHEDULING_TOOLS)})
"""All tools, in the order in which they are listed."""


class UnknownToolError(LookupError):
    """There is no tool of this name."""

    def __init__(self, tool_name: str) -> None:
        super().__init__(f"There is no tool named {shown(tool_name)}. Known are: {', '.join(TOOLS)}.")
        self.tool_name = tool_name


def carried_tools(carrier: Carrier) -> dict[str, ToolSpec]:
    """All tools that this carrier carries, with the parameters that it carries."""
    found = {name: carried(spec, carrier) for name, spec in TOOLS.items()}
    return {name: spec for name, spec in found.items() if spec is not None}


def offered_tools(
    toolsets: Collection[str] = ("calendar",), *, carrier: Carrier = Carrier.GRAPH
) -> dict[str, ToolSpec]:
    """The tools that a server with these toolsets offers to models, where this carrier carries out calls."""
    return {
        name: spec for name, spec in carried_tools(carrier).items() if spec.toolset is None or spec.toolset in toolsets
    }


def parse_arguments(tool_name: str, mapping: Mapping[str, Any] | Arguments | None) -> Arguments:
    """Read the arguments of one call; raises `UnknownToolError`, or `InvalidInput` that names the field and the fix.

    Arguments of this tool that were read before come back as they are.
    """
    spec = TOOLS.get(tool_name)
    if spec is None:
        raise UnknownToolError(tool_name)
    if isinstance(mapping, spec.arguments):
        return mapping
    if mapping is not None and not isinstance(mapping, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] - wire
        raise InvalidInput("The arguments must be a JSON object.")
    return spec.arguments.parse(mapping or {})


def markdown_table() -> str:
    """The tools and their parameters as Markdown, one line a parameter."""
    lines: list[str] = []
    for spec in TOOLS.values():
        lines += [
            f"### `{spec.name}`",
            "",
            spec.description,
            "",
            "| parameter | type | meaning |",
            "| --- | --- | --- |",
        ]
        required = set(spec.input_schema.get("required", ()))
        for name, schema in spec.input_schema["properties"].items():
            kind = " \\| ".join(f"`{v}`" for v in schema["enum"]) if "enum" in schema else schema["type"]
            kind = f"{kind}, required" if name in required else kind
            description = schema["description"].replace("|", "\\|")
            lines.append(f"| `{name}` | {kind} | {description} |")
        lines.append("")
    return "\n".join(lines)
