"""Tool calls in hosted mode: whose tool is meant, ours or one that Scalekit runs, and what goes with a refusal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from scalekit_mcp.accounts import ExpectedPerson
from scalekit_mcp.actions.authorize import Requester, add_guidance
from scalekit_mcp.actions.catalogue.calls import CATALOGUE_TOOLS
from scalekit_mcp.actions.execution import Run, add_link, execute
from scalekit_mcp.actions.inputs import account_key
from scalekit_mcp.actions.models import ToolResult
from scalekit_mcp.actions.options import CallOptions
from scalekit_mcp.actions.protocol import Actions
from scalekit_mcp.call_deadline import before_deadline
from scalekit_mcp.errors import AuthorizationRequired, InvalidInput, PermissionMissing
from scalekit_mcp.tools import TOOLS, Arguments, Authorize, ConnectorTool, ConnectorTools, shown

if TYPE_CHECKING:
    from scalekit_mcp.accounts import AccountKey
    from scalekit_mcp.actions.hosted.wiring import HostedServices


class HostedExecution:
    """Runs the tools of `actions`, which answers `authorize` and makes the links of refusals."""

    def __init__(
        self, actions: Actions, options: CallOptions, services: Callable[[], Awaitable[HostedServices]]
    ) -> None:
        self._actions = actions
        self._options = options
        self._services = services

    async def connector_tools(self, identifier: str, connection_name: str | None = None) -> ConnectorTools:
        """The tools of one user on the further connections, or on one of them."""
        key = hosted_key(self._options, connection_name, identifier)
        if not self._options.further_connections or connection_name == self._options.connection_name:
            return ConnectorTools()
        services = await self._services()
        return await services.connector_lists.of(key.identifier, connection_name)

    async def execute_tool(
        self,
        tool_name: str,
        tool_input: Mapping[str, Any] | Arguments | None,
        *,
        identifier: str,
        connection_name: str | None,
        expected: ExpectedPerson,
    ) -> ToolResult:
        """See `Actions`."""
        tool = await self._connector_tool(tool_name, identifier, connection_name)
        if tool is not None:
            return await self._execute_connector(tool, identifier, tool_input, expected)

        def begin() -> tuple[Requester, Run]:
            key = hosted_key(self._options, connection_name, identifier)
            requester = self._requester(key, expected)
            return requester, partial(self._run_tool, key, requester)

        return await execute(self._actions, tool_name, tool_input, begin, self._options)

    async def _run_tool(self, key: AccountKey, requester: Requester, arguments: Arguments) -> ToolResult:
        services = await self._services()
        try:
            return await services.tools.run(key, arguments)
        except AuthorizationRequired as error:
            services.tools.forget(key)
            await add_guidance(self._actions, error, requester)
            raise
        except PermissionMissing as error:
            if error.who_acts == "user":
                await add_link(self._actions, error, requester, partial(self._new_link, key))
            raise

    async def _new_link(self, key: AccountKey) -> str:
        link = await self._actions.get_authorization_link(
            connection_name=key.connection_name, identifier=key.identifier
        )
        return link.link

    def _requester(self, key: AccountKey, expected: ExpectedPerson) -> Requester:
        return Requester(
            key.identifier,
            verification=self._options.user_verification,
            expected=expected,
            further_connection=key.connection_name if key.connection_name != self._options.connection_name else None,
        )

    async def _connector_tool(
        self, tool_name: str, identifier: str, connection_name: str | None
    ) -> ConnectorTool | None:
        """The tool of a further connection that a call means; None where it means one of ours.

        Raises `InvalidInput` where the connection has no such tool, and the failure to read what it has.
        """
        further = self._options.further_connections
        named = connection_name in further
        ours = tool_name in TOOLS or tool_name in CATALOGUE_TOOLS
        if not ours:
            hosted_key(self._options, connection_name, identifier)
        if not further or (connection_name is not None and not named):
            return None
        if named and ours and tool_name != Authorize.tool_name:
            raise InvalidInput(
                f"{tool_name} is a tool of the connection '{self._options.connection_name}', not of "
                f"'{connection_name}'.",
                field="connection_name",
            )
        if ours:
            return None
        listed = await self.connector_tools(identifier, connection_name)
        tool = listed.find(tool_name)
        if tool is None:
            for failure in listed.failures.values():
                raise failure
            if named:
                raise InvalidInput(
                    f"The connection '{connection_name}' has no tool {shown(tool_name, 100)} for this user.",
                    field="tool_name",
                    next_step="Use a name from the list of its tools.",
                )
        return tool

    async def _execute_connector(
        self,
        tool: ConnectorTool,
        identifier: str,
        tool_input: Mapping[str, Any] | Arguments | None,
        expected: ExpectedPerson,
    ) -> ToolResult:
        key = hosted_key(self._options, tool.connection_name, identifier)
        requester = self._requester(key, expected)
        given = None if isinstance(tool_input, Arguments) else tool_input

        async def run() -> ToolResult:
            services = await self._services()
            try:
                return await services.connector_calls.run(key, tool, given)
            except AuthorizationRequired as error:
                services.forget(key)
                await add_guidance(self._actions, error, requester)
                raise
            except PermissionMissing as error:
                if error.who_acts == "user":
                    await add_link(self._actions, error, requester, partial(self._new_link, key))
                raise

        return await before_deadline(run, clock=self._options.clock, seconds=self._options.call_seconds)


def hosted_key(options: CallOptions, connection_name: str | None, identifier: str) -> AccountKey:
    """The account that a caller names; raises `InvalidInput`."""
    return account_key(connection_name, identifier, connections=options.connections, hosted=True)
