"""Tools of further connections over MCP: which of them are listed, and one call of one of them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from mcp.types import CallToolResult, Tool, ToolAnnotations

from scalekit_mcp.actions import Actions
from scalekit_mcp.errors import AuthorizationRequired
from scalekit_mcp.server.callers.caller import Caller
from scalekit_mcp.server.limits import CallLimiter
from scalekit_mcp.server.mcp import confirmation
from scalekit_mcp.server.mcp.consent import ConfirmationNeededError
from scalekit_mcp.server.mcp.results import error_result
from scalekit_mcp.tools import ConnectorTool, to_json

logger = logging.getLogger(__name__)

MAX_LISTED_TOOLS = 100
"""Hosts and models take some 128 tools; ours are listed first."""

MAX_LISTED_BYTES = 150_000
"""All listed definitions together, as JSON; some forty thousand tokens of a model's context."""


class Connectors:
    """The tools of further connections whose names fit one of `patterns` (`gmail_*`).

    A list that cannot be read is empty and said in the log: it never stands in the way of the server's own tools.
    """

    def __init__(self, actions: Actions, *, patterns: Sequence[str]) -> None:
        self._actions = actions
        self._patterns = tuple(patterns)
        self._told = 0

    async def listed(self, identifier: str, *, writing: bool) -> list[Tool]:
        """The tools of this user, in the order in which Scalekit gives them; without `writing` those that only read."""
        found = await self._actions.connector_tools(identifier=identifier)
        tools: list[Tool] = []
        left_out = size = 0
        for one in found.tools:
            if not self._is_wanted(one.name) or not (writing or one.read_only):
                continue
            tool = _published(one)
            size_of_one = len(tool.model_dump_json(by_alias=True, exclude_none=True).encode())
            if len(tools) >= MAX_LISTED_TOOLS or size + size_of_one > MAX_LISTED_BYTES:
                left_out += 1
                continue
            size += size_of_one
            tools.append(tool)
        if left_out and left_out != self._told:
            self._told = left_out
            logger.warning(
                "%d tools of further connections are not listed: at most %d and %d bytes are; "
                "SCALEKIT_MCP_TOOLS chooses among them",
                left_out,
                MAX_LISTED_TOOLS,
                MAX_LISTED_BYTES,
            )
        return tools

    async def find(self, identifier: str, name: str) -> ConnectorTool | None:
        """The tool that a call means; None if this user has none of that name.

        Raises `ScalekitMCPError` where a list could not be read in which it might be.
        """
        if not self._is_wanted(name):
            return None
        found = await self._actions.connector_tools(identifier=identifier)
        tool = found.find(name)
        if tool is None:
            for failure in found.failures.values():
                raise failure
        return tool

    def _is_wanted(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self._patterns)


class ConnectorJob:
    """One call of a tool of a further connection; its arguments are checked already."""

    def __init__(
        self,
        actions: Actions,
        limiter: CallLimiter,
        *,
        caller: Caller,
        tool: ConnectorTool,
        arguments: Mapping[str, Any],
        confirm_mail: bool = False,
    ) -> None:
        self.identifier = caller.identifier
        self.connection: str | None = tool.connection_name
        self.confirmed = tool.read_only or not confirm_mail
        self._actions = actions
        self._limiter = limiter
        self._caller = caller
        self._tool = tool
        self._arguments = arguments

    async def run(self, *, resumed: bool) -> dict[str, Any]:
        """The service's answer; raises `ScalekitMCPError` and `ConfirmationNeededError`."""
        del resumed
        async with self._limiter.slot(self.identifier):
            if not self.confirmed and await self._is_connected():
                raise ConfirmationNeededError(confirmation.connector_question(self._tool, to_json(self._arguments)))
            answer = await self._actions.execute_tool(
                connection_name=self.connection,
                identifier=self.identifier,
                tool_name=self._tool.name,
                tool_input=self._arguments,
                expected=self._caller.expected,
            )
        return answer or {"notes": ["The call was carried out; the service gave no data."]}

    async def refuse(self, error: AuthorizationRequired) -> CallToolResult:
        """The error result."""
        return error_result(error)

    async def _is_connected(self) -> bool:
        """Whether it makes sense to ask: without a consent the call is refused anyway, with the link to one."""
        response = await self._actions.get_or_create_connected_account(
            connection_name=self.connection, identifier=self.identifier
        )
        return response.connected_account.status == "ACTIVE"


def _published(tool: ConnectorTool) -> Tool:
    return Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=dict(tool.input_schema),
        annotations=ToolAnnotations(
            title=tool.title,
            read_only_hint=tool.read_only,
            destructive_hint=tool.destructive,
            idempotent_hint=tool.idempotent,
            open_world_hint=tool.open_world,
        ),
    )
