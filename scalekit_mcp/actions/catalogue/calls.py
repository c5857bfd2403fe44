"""Which tool a call means: one of ours, or one of Scalekit's catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from scalekit_mcp.actions.catalogue.events import EVENT_TOOLS
from scalekit_mcp.actions.catalogue.responses import RESPONSE_TOOLS
from scalekit_mcp.actions.catalogue.scheduling import SAME_NAME_TOOLS
from scalekit_mcp.actions.catalogue.tool import VERSIONS, CatalogueTool, Run
from scalekit_mcp.actions.models import ToolResult
from scalekit_mcp.errors import InvalidInput
from scalekit_mcp.tools import TOOLS, Carrier

CATALOGUE_TOOLS: Mapping[str, CatalogueTool] = MappingProxyType(
    {tool.name: tool for tool in (*EVENT_TOOLS, *RESPONSE_TOOLS)}
)
"""The tools that have no namesake here, by name, in the order in which they are listed."""


def carried_catalogue_tools(carrier: Carrier) -> Mapping[str, CatalogueTool]:
    """Those that this carrier carries; Scalekit's tools carry what is made of ours that they carry."""
    if carrier is Carrier.GRAPH:
        return CATALOGUE_TOOLS
    return {tool.name: tool for tool in EVENT_TOOLS}


_SAME_NAME: Mapping[str, CatalogueTool] = MappingProxyType({tool.name: tool for tool in SAME_NAME_TOOLS})


async def run_of_catalogue(tool_name: str, tool_input: Mapping[str, Any] | None, run: Run) -> ToolResult | None:
    """The answer of the catalogue's tool that a call means; None where it means one of ours.

    `run` runs one of ours. Raises `InvalidInput` for parameters of both, and what `run` raises.
    """
    tool = CATALOGUE_TOOLS.get(tool_name)
    if tool is not None:
        if tool_input is not None and not isinstance(tool_input, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] - wire
            raise InvalidInput("The arguments must be a JSON object.")
        return await tool.execute(run, tool_input or {})
    tool = _SAME_NAME.get(tool_name)
    if tool is None or not isinstance(tool_input, Mapping):
        return None
    theirs = [name for name in tool_input if name in tool.own_names]
    ours = [name for name in tool_input if name in TOOLS[tool_name].input_schema["properties"]]
    if theirs and ours:
        raise _mixed(tool, theirs[0], ours[0])
    if theirs:
        return await tool.execute(run, tool_input)
    if any(name in VERSIONS for name in tool_input):
        return await run(tool_name, {name: value for name, value in tool_input.items() if name not in VERSIONS})
    return None


def _mixed(tool: CatalogueTool, theirs: str, ours: str) -> InvalidInput:
    own = ", ".join(TOOLS[tool.name].input_schema["properties"])
    return InvalidInput(
        f"`{theirs}` is how Scalekit's catalogue spells a parameter of {tool.name}, and `{ours}` how it is spelled "
        "here; one call cannot have both.",
        field=theirs,
        next_step=f"Use either {own}, or {', '.join(tool.parameters)}.",
    )
