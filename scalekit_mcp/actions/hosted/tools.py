"""The tools on hosted accounts, over Scalekit's proxy or by Scalekit's own tools."""

from __future__ import annotations

from scalekit_mcp.accounts import AccountKey
from scalekit_mcp.actions.hosted.active_accounts import ActiveAccounts
from scalekit_mcp.actions.hosted.call_ways import CallWays
from scalekit_mcp.actions.hosted.proxied import ProxiedCalls
from scalekit_mcp.actions.hosted.tool_calls import ToolCalls
from scalekit_mcp.actions.models import ToolResult
from scalekit_mcp.call_deadline import call_deadline
from scalekit_mcp.clock import Clock
from scalekit_mcp.errors import ScalekitMCPError
from scalekit_mcp.scalekit import ProxyNotEnabled, fits_headers
from scalekit_mcp.tools import Arguments


class HostedTools:
    """Runs tools for the accounts of one connection, the way that `ways` says."""

    def __init__(
        self, ways: CallWays, proxied: ProxiedCalls, by_tools: ToolCalls, active: ActiveAccounts, *, clock: Clock
    ) -> None:
        self._ways = ways
        self._proxied = proxied
        self._by_tools = by_tools
        self._active = active
        self._clock = clock

    async def run(self, key: AccountKey, arguments: Arguments) -> ToolResult:
        """Run one tool; raises `ScalekitMCPError`. An account that is not ACTIVE is one without a link.

        Where Scalekit's proxy turns out to be off, the call goes on through the tools, unless it has changed something.
        """
        if self._ways.over_proxy and (fits_headers(key) or not self._ways.may_fall_back):
            try:
                return await self._over_proxy(key, arguments)
            except ProxyNotEnabled:
                if not self._ways.may_fall_back or call_deadline(self._clock).has_changed:
                    raise
                self._ways.fall_back()
        return await self._by_tools.run(key, arguments)

    async def _over_proxy(self, key: AccountKey, arguments: Arguments) -> ToolResult:
        await self._active.require(key)
        try:
            return ToolResult(await self._proxied.run(key, arguments))
        except ProxyNotEnabled:
            raise
        except ScalekitMCPError as error:
            explained = await self._active.explained(key, error)
            if explained is error:
                raise
            raise explained from error

    def forget(self, key: AccountKey) -> None:
        """Look the account and the owner of its mailbox up again before the next call."""
        self._active.forget(key)
        self._proxied.forget(key)
