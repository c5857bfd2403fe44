"""Tools of further connections in hosted mode: each user's list, kept for a while, and their calls."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import anyio

from scalekit_mcp.accounts import AccountKey
from scalekit_mcp.actions.hosted.active_accounts import ACCOUNT_MAY_BE_WHY
from scalekit_mcp.actions.hosted.connections import HostedConnections
from scalekit_mcp.actions.models import ToolResult
from scalekit_mcp.clock import Clock
from scalekit_mcp.concurrency import SingleFlight
from scalekit_mcp.errors import ConnectionMisconfigured, InvalidInput, ProviderUnavailable, ScalekitMCPError
from scalekit_mcp.scalekit import (
    AnswerLostError,
    ScalekitError,
    ScalekitTools,
    connector_content,
    connector_error,
    connector_outcome_unknown,
)
from scalekit_mcp.tools import ConnectorTool, ConnectorTools, checked_arguments

logger = logging.getLogger(__name__)

FRESH_SECONDS = 300
"""How long a list is used before it is read again."""

STALE_SECONDS = 3600
"""How long a list is used while Scalekit does not give a new one."""

FAILED_SECONDS = 20
"""How long after a failure Scalekit is not asked again for a list that there is none of yet."""

WAIT_SECONDS = 10.0
"""How long a caller waits for a list; the reading goes on for the next one."""

MAX_LISTS = 2000
MAX_SHARED_TOOLS = 5000
CLOSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _Kept:
    """A list as it was read, or the failure to read it."""

    at: float
    tools: tuple[ConnectorTool, ...] | None
    failure: ScalekitMCPError | None = None


class ConnectorLists:
    """Each user's tools on each connection. A list belongs to one identifier and one connection alone.

    Equal tools of different users are one object in memory; they hold nothing of a user.
    """

    def __init__(self, tools: ScalekitTools, names: Sequence[str], *, taken: frozenset[str], clock: Clock) -> None:
        self._tools = tools
        self._names = tuple(names)
        self._taken = taken
        self._clock = clock
        self._kept: OrderedDict[AccountKey, _Kept] = OrderedDict()
        self._shared: OrderedDict[tuple[str, str], ConnectorTool] = OrderedDict()
        self._reading: SingleFlight[AccountKey, _Kept] = SingleFlight()
        self._told: set[tuple[str, str]] = set()

    async def of(self, identifier: str, connection_name: str | None = None) -> ConnectorTools:
        """The tools of one user, of all connections or one; never fails, but says what could not be read."""
        found: dict[str, _Kept] = {}

        async def read(name: str) -> None:
            found[name] = await self._list(AccountKey(name, identifier))

        async with anyio.create_task_group() as group:
            for name in self._names if connection_name is None else (connection_name,):
                group.start_soon(read, name)
        tools: dict[str, ConnectorTool] = {}
        failures: dict[str, Exception] = {}
        hidden: list[str] = []
        for name in self._names:
            kept = found.get(name)
            if kept is None:
                continue
            if kept.tools is None and kept.failure is not None:
                failures[name] = kept.failure
            for tool in kept.tools or ():
                other = tools.setdefault(tool.name, tool)
                if other is not tool:
                    hidden.append(f"{tool.name} of '{name}': '{other.connection_name}' has a tool of this name")
        self._tell("all connections", hidden)
        return ConnectorTools(tuple(tools.values()), tuple(found), failures)

    def forget(self, key: AccountKey) -> None:
        """Read the list of an account again before it is used next: a consent may have brought tools."""
        self._kept.pop(key, None)
        self._reading.forget(key)

    async def aclose(self) -> None:
        """End readings that nobody waits for any more."""
        await self._reading.aclose(CLOSE_SECONDS)

    async def _list(self, key: AccountKey) -> _Kept:
        kept = self._kept.get(key)
        now = self._clock.now().timestamp()
        if kept is not None and now < kept.at + (FRESH_SECONDS if kept.failure is None else FAILED_SECONDS):
            self._kept.move_to_end(key)
            return kept
        with anyio.move_on_after(WAIT_SECONDS):
            return await self._reading.run(key, lambda: self._read(key))
        if kept is not None and kept.tools is not None:
            return kept
        return _Kept(
            now, None, ProviderUnavailable(f"Scalekit has not listed the tools of '{key.connection_name}' yet.")
        )

    async def _read(self, key: AccountKey) -> _Kept:
        now = self._clock.now().timestamp()
        try:
            listed = await self._tools.listed(key)
        except (ScalekitError, ScalekitMCPError) as problem:
            failure = problem.as_error("list the tools") if isinstance(problem, ScalekitError) else problem
            logger.warning("The tools of '%s' were not listed: %s", key.connection_name, failure.code)
            before = self._kept.get(key)
            usable = before is not None and before.tools is not None and now < before.at + STALE_SECONDS
            # a list that was read before is used on, and asked for again soon
            kept = _Kept(before.at, before.tools, failure) if before and usable else _Kept(now, None, failure)
            return self._keep(key, kept)
        self._tell(key.connection_name, listed.left_out)
        own = [tool for tool in listed.tools if tool.name not in self._taken]
        if len(own) < len(listed.tools):
            names = ", ".join(tool.name for tool in listed.tools if tool.name in self._taken)
            self._tell(f"{key.connection_name} (names)", (f"{names[:200]}: this server has tools of these names",))
        return self._keep(key, _Kept(now, tuple(self._one(tool) for tool in own)))

    def _keep(self, key: AccountKey, kept: _Kept) -> _Kept:
        self._kept[key] = kept
        self._kept.move_to_end(key)
        while len(self._kept) > MAX_LISTS:
            self._kept.popitem(last=False)
        return kept

    def _one(self, tool: ConnectorTool) -> ConnectorTool:
        """The one object for equal tools, which many users have."""
        key = (tool.connection_name, tool.name)
        known = self._shared.get(key)
        if known is not None and known == tool:
            return known
        self._shared[key] = tool
        while len(self._shared) > MAX_SHARED_TOOLS:
            self._shared.popitem(last=False)
        return tool

    def _tell(self, what: str, left_out: Sequence[str]) -> None:
        """Log what is left out, each once."""
        new = [why for why in left_out if (what, why) not in self._told]
        if not new:
            return
        if len(self._told) + len(new) > MAX_SHARED_TOOLS:
            self._told.clear()
        self._told.update((what, why) for why in new[:MAX_SHARED_TOOLS])
        more = f" and {len(new) - 5} more" if len(new) > 5 else ""
        logger.warning("Tools of '%s' are left out: %s%s", what, "; ".join(new[:5]), more)


class ConnectorCalls:
    """Runs tools of further connections."""

    def __init__(self, tools: ScalekitTools, connections: HostedConnections) -> None:
        self._tools = tools
        self._connections = connections

    async def run(self, key: AccountKey, tool: ConnectorTool, given: Mapping[str, Any] | None) -> ToolResult:
        """Run one tool; raises `ScalekitMCPError`. Result and errors carry Scalekit's `execution_id`.

        An account that is not ACTIVE is an `AuthorizationRequired` without a link. A tool that may change something is
        sent once: `OutcomeUnknown` where its answer was lost.
        """
        arguments = checked_arguments(tool, given)
        await self._connections.of(key).active.require(key)
        try:
            answer = await self._tools.run(key, tool, arguments)
        except AnswerLostError as lost:
            raise connector_outcome_unknown(tool) from lost
        except ScalekitError as failure:
            raise await self._refusal(key, tool, failure) from failure
        content, _ = connector_content(answer.data)
        result = ToolResult(content)
        result.execution_id = answer.execution_id
        return result

    async def _refusal(self, key: AccountKey, tool: ConnectorTool, failure: ScalekitError) -> ScalekitMCPError:
        """Why a call was refused: the account is no longer ACTIVE, the service says no, or Scalekit itself."""
        if failure.from_provider:
            return connector_error(failure, tool)
        if failure.status in ACCOUNT_MAY_BE_WHY:
            active = self._connections.of(key).active
            active.forget(key)
            view = await active.inactive(key)
            if view is not None:
                return active.not_active(view)
        if failure.status >= 500 and not tool.read_only:
            return connector_outcome_unknown(tool)
        if failure.status == 400:
            return InvalidInput(f"Scalekit refuses the arguments: {failure.message or 'it does not say why'}")
        if failure.status == 404:
            return ConnectionMisconfigured(
                f"Scalekit does not know {tool.name} on the connection '{tool.connection_name}'.",
                next_step="The operator checks SCALEKIT_MCP_CONNECTIONS and the connection in the Scalekit dashboard.",
            )
        return failure.as_error(f"run {tool.name}")
