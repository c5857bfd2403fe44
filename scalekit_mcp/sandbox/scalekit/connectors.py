"""The connectors of the look-alike beside Outlook's: lists of tools, their consent page, and their calls."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from scalekit_mcp.sandbox.scalekit.records import Account, HeldTokens, Records, ScalekitSwitches
from scalekit_mcp.sandbox.scalekit.runs import ProviderError
from scalekit_mcp.sandbox.scalekit.services import SERVICES, Box, ServiceError
from scalekit_mcp.sandbox.scalekit.tools import CATALOGUE, BadParameters
from scalekit_mcp.sandbox.scalekit.wire import CONNECTIONS, RequestError, page
from scalekit_mcp.sandbox.world import World

TOOLS_ON_A_PAGE = 10
"""What a caller gets who names no `page_size`."""

TOKEN_SECONDS = 3600


class ToolLists:
    """What may be called: everything there is, or what one user may use."""

    def __init__(self, records: Records, switches: ScalekitSwitches) -> None:
        self._records = records
        self._switches = switches

    async def catalogue(self, request: Request) -> Response:
        """GET of all tools, of those of one connection, or of some by name."""
        query = request.query_params
        connector, wanted = query.get("filter.connector"), query.getlist("filter.tool_name")
        chosen = [connector] if connector in CONNECTIONS else [] if connector else ["outlook"]
        tools = [
            tool for name in chosen for tool in self._tools(name) if not wanted or tool["definition"]["name"] in wanted
        ]
        if query.get("filter.summary") == "true":
            names = [tool["definition"]["name"] for tool in tools]
            return JSONResponse({"tools": [], "tool_names": names, "total_size": len(names), "next_page_token": ""})
        if connector is None:
            return JSONResponse({"tools": tools, "tool_names": [], "total_size": len(tools), "next_page_token": ""})
        return self._page(request, tools)

    async def scoped(self, request: Request) -> Response:
        """GET of the tools that a user may use, a page of them."""
        query = request.query_params
        identifier, names = query.get("identifier"), query.getlist("filter.connection_names")
        if not identifier:
            raise RequestError(3, "INVALID_ARGUMENT", "identifier is required", field="identifier")
        rows: list[dict[str, Any]] = []
        for name in CONNECTIONS:
            account = self._records.find(name, identifier, None)
            seen = account is not None and (self._switches.scoped_before_consent or account.status == "ACTIVE")
            if account is not None and seen and (not names or name in names):
                row = {"identifier": identifier, "connected_account_id": account.id}
                rows += [{"tool": tool, **row} for tool in self._tools(name)]
        return self._page(request, rows)

    def _tools(self, connection: str) -> list[dict[str, Any]]:
        own = SERVICES.get(connection) or CATALOGUE
        definitions = [tool.definition() for tool in own.values()]
        definitions += self._switches.further_tools.get(connection, [])
        provider = CONNECTIONS[connection][1]
        return [{"id": f"tol_{n}", "provider": provider, "definition": shown} for n, shown in enumerate(definitions)]

    def _page(self, request: Request, rows: list[dict[str, Any]]) -> Response:
        query = request.query_params
        size = min(int(query.get("page_size") or TOOLS_ON_A_PAGE), self._switches.most_tools_on_a_page)
        begin = int(query.get("page_token") or 0)
        content = {
            "tools": rows[begin : begin + size],
            "total_size": len(rows),
            "next_page_token": str(begin + size) if begin + size < len(rows) else "",
            "prev_page_token": "",
        }
        # Numbers that JSON does not have are written, too: a test may put them into a list, as an odd service would.
        return Response(json.dumps(content), media_type="application/json")


class Services:
    """The services behind the connectors that have no look-alike of their own: every account has a box in memory."""

    def __init__(self, world: World, switches: ScalekitSwitches) -> None:
        self._world = world
        self._switches = switches

    def tokens(self) -> HeldTokens:
        """What a service gives for a consent."""
        ends = self._world.clock.now() + timedelta(seconds=TOKEN_SECONDS)
        return HeldTokens("service-access-token", "service-refresh-token", ends)

    def call_of(
        self, account: Account, given: dict[str, Any]
    ) -> Callable[[HeldTokens], Awaitable[dict[str, Any] | None]]:
        """The call that `execute_tool` asks for; raises `RequestError` for a tool that the connection has not."""
        name, params = str(given["tool_name"]), dict(cast("dict[str, Any]", given.get("params") or {}))
        tool = SERVICES[account.connector].get(name)
        further = {shown.get("name") for shown in self._switches.further_tools.get(account.connector, [])}
        if tool is None and name not in further:
            raise RequestError(5, "RESOURCE_NOT_FOUND", f"tool {name} not found")

        async def call(tokens: HeldTokens) -> dict[str, Any] | None:
            if tokens.expires_at <= self._world.clock.now():
                if tokens.refresh_token is None:
                    raise ProviderError(401, "token_revoked", grant_is_dead=True)
                tokens.expires_at = self._world.clock.now() + timedelta(seconds=TOKEN_SECONDS)
            account.box = account.box or Box.seeded(account.identifier)
            if tool is None:
                return {"received": params}
            try:
                return tool.call(account.box, params)
            except BadParameters as problem:
                raise RequestError(3, "INVALID_ARGUMENT", str(problem), field="params") from problem
            except ServiceError as refused:
                raise ProviderError(refused.status, refused.text) from refused

        return call


def consent_form(account: Account) -> Response:
    """The page that asks the person."""
    title = CONNECTIONS[account.connector][2]
    form = (
        '<form method="post"><button name="action" value="allow">Allow</button>'
        '<button name="action" value="deny">Deny</button></form>'
    )
    text = f"This is a sandbox, not {title}. An assistant asks to use the {title} account of {account.identifier}."
    return page(f"Sign in to {title}", text, form=form)
