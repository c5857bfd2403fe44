"""The tools over REST: the catalogue, the tools of one user, and running one."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, cast

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from scalekit_mcp.actions import (
    CATALOGUE_TOOLS,
    Actions,
    CatalogueTool,
    ListedTool,
    Page,
    ScopedTool,
    ToolFilter,
    check_narrowing,
    listed_tools,
    page_of,
    scoped_tools,
    select_account,
)
from scalekit_mcp.errors import InvalidInput, PermissionMissing, ScalekitMCPError
from scalekit_mcp.identifiers import check_identifier
from scalekit_mcp.server.metrics import watched
from scalekit_mcp.server.rest.guard import failure, require_writing
from scalekit_mcp.server.rest.input import SELECTORS, body_of, refuse_unknown, required, selector_of, text_of
from scalekit_mcp.server.rest.options import RestOptions
from scalekit_mcp.server.rest.wire import error_body
from scalekit_mcp.tools import TOOLS, ConnectorTool, ToolSpec

Row = TypeVar("Row")

MAX_PAGE_SIZE = 1000
_PAGING = frozenset({"page_size", "page_token"})
_TOOL_FILTERS = frozenset(
    {
        *("filter.tool_name", "filter.summary", "filter.provider", "filter.query", "filter.connector"),
        *("filter.identifier", "filter.connected_account_id", "filter.organization_id", "filter.user_id"),
    }
)
_SCOPED_FILTERS = frozenset({"identifier", "filter.providers", "filter.tool_names", "filter.connection_names"})


class ToolRoutes:
    """The handlers."""

    def __init__(self, actions: Actions, options: RestOptions) -> None:
        self._actions = actions
        self._options = options

    async def tools(self, request: Request) -> Response:
        """The catalogue as this server has it, with schemas; `filter.summary` gives the names alone."""
        query = request.query_params
        refuse_unknown(dict(query.multi_items()), _TOOL_FILTERS | _PAGING)
        given = {name.removeprefix("filter."): value for name, value in query.items() if value}
        wanted = ToolFilter(
            providers=_several(query, "filter.provider"),
            tool_names=_several(query, "filter.tool_name"),
            connection_names=_several(query, "filter.connector"),
            query=given.get("query"),
            read_only=self._options.read_only,
        )
        selector = selector_of({**given, "connector": ""})
        check_narrowing(selector.identifier, organization_id=selector.organization_id, user_id=selector.user_id)
        rows: Sequence[ListedTool]
        if selector.account_id or selector.identifier:
            account = await select_account(self._actions, selector)
            rows = [row.tool for row in await self._scoped(account.identifier, wanted)]
        else:
            rows = listed_tools(wanted, own_connection=self._options.connection_name, carrier=self._actions.carrier)
        page = _page(rows, query)
        summary = query.get("filter.summary", "").casefold() == "true"
        return JSONResponse(
            {
                "tools": [] if summary else [tool.to_dict() for tool in page.rows],
                "tool_names": [tool.id for tool in page.rows],
                **_paging(page),
            }
        )

    async def scoped(self, request: Request) -> Response:
        """The tools of the accounts that a user has."""
        query = request.query_params
        refuse_unknown(dict(query.multi_items()), _SCOPED_FILTERS | _PAGING)
        identifier = check_identifier(required(dict(query), "identifier"))
        wanted = ToolFilter(
            providers=_several(query, "filter.providers"),
            tool_names=_several(query, "filter.tool_names"),
            connection_names=_several(query, "filter.connection_names"),
            read_only=self._options.read_only,
        )
        page = _page(await self._scoped(identifier, wanted), query)
        return JSONResponse({"tools": [row.to_dict() for row in page.rows], **_paging(page)})

    async def _scoped(self, identifier: str, wanted: ToolFilter) -> Sequence[ScopedTool]:
        return await scoped_tools(self._actions, identifier, wanted, own_connection=self._options.connection_name)

    async def execute_tool(self, request: Request) -> Response:
        """Run one tool for a user."""
        body = await body_of(request, SELECTORS | {"tool_name", "params", "connected_account_id", "agent_run_id"})
        tool_name = required(body, "tool_name")
        account = await select_account(self._actions, selector_of(body))
        identifier = check_identifier(account.identifier)
        spec = await self._tool(tool_name, identifier, account.connection_name)
        if spec is None:
            message = f"There is no tool '{tool_name[:80]}'."
            return JSONResponse(error_body(5, message, "RESOURCE_NOT_FOUND"), status_code=404)
        self._check_writing(request, spec)
        params: object = body.get("params") or {}
        if not isinstance(params, dict):
            raise InvalidInput("params must be an object.", field="params")
        execution_id = f"exec_{secrets.token_hex(8)}"
        tool_input = cast("dict[str, Any]", params)
        label = f"connection:{spec.connection_name}" if isinstance(spec, ConnectorTool) else None
        with watched(self._options.metrics, tool_name, identifier=identifier, label=label) as call:
            if label is None:
                call.acts_on(tool_input)
            try:
                async with self._options.limiter.slot(identifier):
                    result = await self._actions.execute_tool(
                        tool_name=tool_name,
                        tool_input=tool_input,
                        identifier=identifier,
                        connection_name=account.connection_name,
                    )
            except ScalekitMCPError as exc:
                call.outcome = exc.code
                return failure(exc, execution_id)
            call.outcome = "ok"
            if label is None:
                call.acts_on(result)
        return JSONResponse({"data": dict(result), "execution_id": result.execution_id or execution_id})

    async def _tool(
        self, name: str, identifier: str, connection_name: str | None
    ) -> ToolSpec | CatalogueTool | ConnectorTool | None:
        """The tool of this name; of a connection beside the calendar's if it is none of ours."""
        ours = TOOLS.get(name) or CATALOGUE_TOOLS.get(name)
        if ours is not None:
            return ours
        found = await self._actions.connector_tools(identifier=identifier, connection_name=connection_name)
        tool = found.find(name)
        if tool is None:
            for failed in found.failures.values():
                raise failed
        return tool

    def _check_writing(self, request: Request, spec: ToolSpec | CatalogueTool | ConnectorTool) -> None:
        if spec.read_only or spec.name == "authorize":
            return
        if self._options.read_only:
            raise PermissionMissing(f"This server is read-only; {spec.name} is not available.", who_acts="operator")
        require_writing(request)


def _several(query: QueryParams, name: str) -> list[str]:
    return [value for value in query.getlist(name) if value]


def _page(rows: Sequence[Row], query: Mapping[str, str]) -> Page[Row]:
    size = query.get("page_size") or None
    if size is not None and not (size.isascii() and size.isdigit() and 1 <= int(size[:6]) <= MAX_PAGE_SIZE):
        raise InvalidInput(f"page_size must be a number from 1 to {MAX_PAGE_SIZE}.", field="page_size")
    return page_of(rows, page_size=None if size is None else int(size), page_token=text_of(query, "page_token"))


def _paging(page: Page[Any]) -> dict[str, Any]:
    return {"total_size": page.total_size, "next_page_token": page.next_page_token or "", "prev_page_token": ""}
