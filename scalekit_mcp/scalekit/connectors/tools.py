"""The tools of a connection that Scalekit runs: its list for one user, and a call.

Source: Scalekit's REST API reference, "Tools" (`/tools/scoped`, `/tools`, `/execute_tool`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from scalekit_mcp.accounts import AccountKey
from scalekit_mcp.errors import ProviderUnavailable
from scalekit_mcp.scalekit.connectors.answers import connector_failure
from scalekit_mcp.scalekit.connectors.foreign_schema import HOST_NAME, UnusableSchemaError, clean_text, flat_schema
from scalekit_mcp.scalekit.rest import TOOL_SECONDS, ScalekitRest, Sending, safe_id
from scalekit_mcp.scalekit.wire_account import unusable
from scalekit_mcp.tools import ConnectorTool

PAGE_SIZE = 99
MAX_PAGES = 40
MAX_TOOLS = 1000
"""Most tools of one connection that are kept."""

MAX_TOKEN_CHARACTERS = 4096
MAX_TITLE_CHARACTERS = 80
MAX_TOOL_DESCRIPTION_CHARACTERS = 900


@dataclass(frozen=True, slots=True)
class ToolList:
    """The tools of one connection, and a sentence for each that was left out."""

    tools: tuple[ConnectorTool, ...]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ConnectorAnswer:
    """What a call brought; `data` is whatever the service answered."""

    data: object
    execution_id: str | None = None


class ScalekitTools:
    """Lists and runs tools of any connection. Raises `ScalekitError`, `AnswerLostError` and `ScalekitMCPError`."""

    def __init__(self, rest: ScalekitRest) -> None:
        self._rest = rest

    async def listed(self, key: AccountKey) -> ToolList:
        """The tools that the user of an account may use; all pages are read, whose default holds ten.

        Before a consent Scalekit may show a user none. The connection's own catalogue is read then, so that the user is
        offered what a consent would bring.
        """
        scoped = {"identifier": key.identifier, "filter.connection_names": key.connection_name}
        rows = await self._pages("/tools/scoped", scoped)
        found = [_scoped(row, key) for row in rows]
        if not found:
            found = await self._pages("/tools", {"filter.connector": key.connection_name})
        return read_tools(found, key.connection_name)

    async def run(self, key: AccountKey, tool: ConnectorTool, arguments: Mapping[str, Any]) -> ConnectorAnswer:
        """Run a tool; one that is not known to only read is never sent twice."""
        body = {
            "tool_name": tool.name,
            "connector": key.connection_name,
            "identifier": key.identifier,
            "params": tool.wire_arguments(arguments),
        }
        sending = Sending.READ if tool.read_only else Sending.WRITE
        answer = await self._rest.post("/execute_tool", body, sending=sending, seconds=TOOL_SECONDS)
        failure = connector_failure(answer)
        if failure is not None:
            raise failure
        return ConnectorAnswer(answer.get("data"), safe_id(answer.get("execution_id")))

    async def _pages(self, path: str, query: Mapping[str, Any]) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        token: str | None = None
        seen: set[str] = set()
        for _ in range(MAX_PAGES):
            answer = await self._rest.get(path, {**query, "page_size": PAGE_SIZE, "page_token": token})
            found: object = answer.get("tools") or []
            if not isinstance(found, list):
                raise unusable("Scalekit's answer holds no list of tools.")
            rows += [_members(row) for row in cast("list[object]", found)]
            following = answer.get("next_page_token") or None
            if following is None or len(rows) >= MAX_TOOLS:
                return rows[:MAX_TOOLS]
            if not isinstance(following, str) or len(following) > MAX_TOKEN_CHARACTERS or following in seen:
                raise unusable("Scalekit's answer holds no page token that can be used.")
            seen.add(following)
            token = following
        raise ProviderUnavailable(f"Scalekit lists tools on more than {MAX_PAGES} pages.", retryable=False)


def read_tools(found: list[dict[str, Any]], connection_name: str) -> ToolList:
    """The tools of a list, of which some may be of no use to any host."""
    tools: dict[str, ConnectorTool] = {}
    left_out: list[str] = []
    for one in found:
        definition = _members(one.get("definition"))
        name = definition.get("name")
        if not isinstance(name, str) or not HOST_NAME.fullmatch(name):
            left_out.append(f"{clean_text(name, 64) or 'a tool without a name'}: hosts refuse its name")
            continue
        if name in tools:
            left_out.append(f"{name}: it is listed twice")
            continue
        try:
            tools[name] = _tool(name, definition, connection_name, provider=clean_text(one.get("provider"), 40))
        except UnusableSchemaError as why:
            left_out.append(f"{name}: {why}")
    return ToolList(tuple(tools.values()), tuple(left_out))


def _tool(name: str, definition: Mapping[str, Any], connection_name: str, *, provider: str) -> ConnectorTool:
    flat = flat_schema(definition.get("input_schema"))
    hints = _members(definition.get("annotations"))
    title = clean_text(hints.get("title") or definition.get("display_name"), MAX_TITLE_CHARACTERS) or name
    read_only = _hint(hints, "read_only_hint", "readOnlyHint") is True
    return ConnectorTool(
        name=name,
        title=title,
        description=clean_text(definition.get("description"), MAX_TOOL_DESCRIPTION_CHARACTERS) or title,
        connection_name=connection_name,
        provider=provider,
        input_schema=flat.schema,
        read_only=read_only,
        destructive=False if read_only else _hint(hints, "destructive_hint", "destructiveHint"),
        idempotent=read_only or _hint(hints, "idempotent_hint", "idempotentHint") is True,
        open_world=_hint(hints, "open_world_hint", "openWorldHint") is not False,
        renamed=flat.renamed,
    )


def _hint(hints: Mapping[str, Any], *names: str) -> bool | None:
    found = next((hints[name] for name in names if name in hints), None)
    return found if isinstance(found, bool) else None


def _scoped(row: Mapping[str, Any], key: AccountKey) -> dict[str, Any]:
    """The tool in a row of `/tools/scoped`; another user's row is never used."""
    if row.get("identifier") not in (None, "", key.identifier):
        raise unusable("Scalekit answered with the tools of another identifier than it was asked for.")
    return _members(row.get("tool"))


def _members(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
