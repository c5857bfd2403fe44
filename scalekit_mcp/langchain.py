"""The tools for LangChain: `get_tools(connection_name="outlook", identifier="user_outlook_789")`.

Needs the extra `langchain`; nothing of it is imported by any other module.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from scalekit_mcp.actions import Actions
from scalekit_mcp.client import ScalekitClient, SynchronousActions, default_actions
from scalekit_mcp.identifiers import check_identifier
from scalekit_mcp.sdk.langchain_tools import LangChainTools, StructuredTool
from scalekit_mcp.sdk.tool_calls import ToolCalls
from scalekit_mcp.tools import ConnectorTools, offered_tools

__all__ = ["aget_tools", "get_tools"]


def get_tools(
    connection_name: str = "outlook",
    identifier: str = "",
    actions: Actions | SynchronousActions | ScalekitClient | None = None,
    *,
    on_authorization_required: Literal["message", "raise"] = "message",
    read_only: bool = False,
    toolsets: Sequence[str] = ("calendar",),
) -> list[StructuredTool]:
    """The tools of these toolsets (`calendar`, `scheduling`) as LangChain structured tools that act for `identifier`.

    `actions` is a `ScalekitClient`, its `.actions`, or the asynchronous calls (then the tools are asynchronous too);
    without any, the process's one client is used (`scalekit_mcp.client.default_actions`). `read_only=True` leaves out
    what changes a calendar.

    Answers are JSON text for the model, and the dictionary itself as the message's artifact. Errors become tool
    messages with the object `{"error": {"code", "message", "who_acts", "next_step", ...}}`; with
    `on_authorization_required="raise"` an account that is not ACTIVE raises `AuthorizationRequired` (with the link in
    `details["authorization_url"]`) to the application instead. Raises `InvalidInput` for a wrong identifier and
    `ConfigurationError`.

    Of another connection of `SCALEKIT_MCP_CONNECTIONS` these are the tools that Scalekit lists for `identifier`, read
    now; `aget_tools` reads them for the asynchronous calls. Raises `ScalekitMCPError` where they cannot be read.
    """
    check_identifier(identifier)
    calls = _actions_of(actions)
    make = LangChainTools(_calls_of(calls), connection_name, identifier, raises=on_authorization_required == "raise")
    if isinstance(calls, SynchronousActions) and connection_name in calls.further_connections:
        return _connector_tools(make, calls.connector_tools(identifier, connection_name), read_only=read_only)
    return _own_tools(make, toolsets, read_only=read_only)


async def aget_tools(
    connection_name: str = "outlook",
    identifier: str = "",
    *,
    actions: Actions,
    on_authorization_required: Literal["message", "raise"] = "message",
    read_only: bool = False,
    toolsets: Sequence[str] = ("calendar",),
) -> list[StructuredTool]:
    """As `get_tools`, for the asynchronous calls and any connection."""
    check_identifier(identifier)
    make = LangChainTools(_calls_of(actions), connection_name, identifier, raises=on_authorization_required == "raise")
    found = await actions.connector_tools(identifier=identifier, connection_name=connection_name)
    if found.connections:
        return _connector_tools(make, found, read_only=read_only)
    return _own_tools(make, toolsets, read_only=read_only)


def _own_tools(make: LangChainTools, toolsets: Sequence[str], *, read_only: bool) -> list[StructuredTool]:
    offered = offered_tools(toolsets, carrier=make.carrier)
    return [make.tool(spec) for spec in offered.values() if spec.read_only or not read_only or spec.name == "authorize"]


def _connector_tools(make: LangChainTools, found: ConnectorTools, *, read_only: bool) -> list[StructuredTool]:
    for failure in found.failures.values():
        raise failure
    return [make.tool(tool) for tool in found.tools if tool.read_only or not read_only]


def _actions_of(actions: Actions | SynchronousActions | ScalekitClient | None) -> Actions | SynchronousActions:
    calls = default_actions() if actions is None else actions
    return calls.actions if isinstance(calls, ScalekitClient) else calls


def _calls_of(calls: Actions | SynchronousActions) -> ToolCalls:
    if isinstance(calls, SynchronousActions):
        return calls.tool_calls
    return ToolCalls(calls.execute_tool, lambda: calls.carrier)
