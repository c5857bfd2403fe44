"""Tools for synchronous code: lists, runs with the application's modifiers, and how agent frameworks reach them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

import anyio

from scalekit_mcp.actions import (
    AccountSelector,
    Actions,
    ListedTool,
    ScopedTool,
    SelectedAccount,
    ToolFilter,
    ToolResult,
    listed_tools,
    scoped_tools,
    select_account,
)
from scalekit_mcp.client_core import Core
from scalekit_mcp.sdk.modifiers import Modifiers
from scalekit_mcp.sdk.tool_calls import ToolCalls
from scalekit_mcp.tools import Arguments, Carrier

T = TypeVar("T")
ToolInput = Mapping[str, Any] | Arguments | None


class ToolRuns:
    """Lists and runs tools over `core`; `modifiers` are those of the application."""

    def __init__(self, core: Core, modifiers: Modifiers) -> None:
        self._core = core
        self._modifiers = modifiers

    def execute(self, selector: AccountSelector, tool_name: str, tool_input: ToolInput) -> ToolResult:
        """The answer of one tool; raises `ScalekitMCPError`."""
        result = call_selected(self._core, selector, self._execution(tool_input, tool_name))
        return self._modifiers.after(tool_name, result)

    def execute_soon(self, account: SelectedAccount, tool_name: str, tool_input: ToolInput) -> Future[ToolResult]:
        """The same without waiting. Functions of `post_modifier` run in a thread of their own."""
        execute = self._execution(tool_input, tool_name)

        async def use(actions: Actions) -> ToolResult:
            result = await execute(actions, account)
            if not self._modifiers.found(tool_name, "post"):
                return result
            return await anyio.to_thread.run_sync(self._modifiers.after, tool_name, result)

        return self._core.call_soon(use)

    def _execution(
        self, tool_input: ToolInput, tool_name: str
    ) -> Callable[[Actions, SelectedAccount], Awaitable[ToolResult]]:
        if not isinstance(tool_input, Arguments):  # else whoever hands them over has read them, after the modifiers
            tool_input = self._modifiers.before(tool_name, tool_input or {})

        async def use(actions: Actions, account: SelectedAccount) -> ToolResult:
            return await actions.execute_tool(
                identifier=account.identifier,
                tool_name=tool_name,
                tool_input=tool_input,
                connection_name=account.connection_name,
            )

        return use

    def listed(self, wanted: ToolFilter, selector: AccountSelector | None) -> Sequence[ListedTool]:
        """All tools, or those of one account; none where that does not exist."""
        if selector is None:
            return listed_tools(wanted, own_connection=self._core.settings.connection, carrier=self.carrier)
        rows = call_selected(self._core, selector, lambda actions, one: self._scoped(actions, one.identifier, wanted))
        return tuple(row.tool for row in rows)

    def scoped(self, identifier: str, wanted: ToolFilter) -> Sequence[ScopedTool]:
        """The tools of the accounts that `identifier` has."""
        return self._core.call(lambda actions: self._scoped(actions, identifier, wanted))

    def _scoped(self, actions: Actions, identifier: str, wanted: ToolFilter) -> Awaitable[Sequence[ScopedTool]]:
        return scoped_tools(actions, identifier, wanted, own_connection=self._core.settings.connection)

    @property
    def carrier(self) -> Carrier:
        """What carries out calls now."""

        async def asked(actions: Actions) -> Carrier:
            return actions.carrier

        return self._core.call(asked)

    @property
    def calls(self) -> ToolCalls:
        """How an agent framework reaches the tools."""

        def wait(*, tool_name: str, tool_input: Any, identifier: str, connection_name: str | None) -> ToolResult:
            selector = AccountSelector(connection_name=connection_name, identifier=identifier)
            return self.execute(selector, tool_name, tool_input)

        def soon(
            *, tool_name: str, tool_input: Any, identifier: str, connection_name: str | None
        ) -> Awaitable[ToolResult]:
            future = self.execute_soon(SelectedAccount(connection_name, identifier), tool_name, tool_input)
            return asyncio.wrap_future(future)

        return ToolCalls(soon=soon, carrier=lambda: self.carrier, wait=wait, before=self._modifiers.before)


def call_selected(core: Core, selector: AccountSelector, use: Callable[[Actions, SelectedAccount], Awaitable[T]]) -> T:
    """Call with the account that `selector` means; raises what `select_account` raises."""

    async def call(actions: Actions) -> T:
        return await use(actions, await select_account(actions, selector))

    return core.call(call)
