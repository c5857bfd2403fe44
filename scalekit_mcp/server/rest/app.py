"""The REST API in Scalekit's format, for backends that hold the service key. No answer holds a token of a user."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match, Mount, Route, Router, request_response

from scalekit_mcp.actions import (
    AccountSelector,
    Actions,
    ConnectedAccountView,
    SelectedAccount,
    check_narrowing,
    create_account,
    listed_connection,
    select_account,
)
from scalekit_mcp.errors import ConnectedAccountNotFound, InvalidInput, NotOffered, VaultError
from scalekit_mcp.network import trusted_argument
from scalekit_mcp.server.oauth.answers import answered
from scalekit_mcp.server.rest.access_tokens import RestTokens
from scalekit_mcp.server.rest.guard import Guard, Handler
from scalekit_mcp.server.rest.input import (
    SELECTORS,
    body_of,
    identifier_of,
    query_of,
    required,
    selector_of,
    text_of,
)
from scalekit_mcp.server.rest.options import RestOptions
from scalekit_mcp.server.rest.proxy import PREFIX, Proxy
from scalekit_mcp.server.rest.tool_routes import ToolRoutes
from scalekit_mcp.server.rest.wire import error_body, openapi_document, wire_account, wire_details, wire_instant

__all__ = ["Rest", "RestOptions"]

API = "/api/v1"
_EXPIRY = re.compile(r"([0-9]{1,6})s")
_PAGE_SIZE = re.compile(r"[1-9][0-9]?")
_LISTING = frozenset({"connector", "connection_names", "identifier", "provider", "organization_id", "user_id"})
_MOST_CONNECTIONS = 20

NOT_OFFERED = {
    "/connected_accounts:search": "list the accounts with an identifier",
    "/tools:search": "list the tools with filter.query",
    "/tools/available": "list the tools of a user with /tools/scoped",
    "/connections": "use the connection that SCALEKIT_MCP_CONNECTION names",
    "/providers": "use the connection that SCALEKIT_MCP_CONNECTION names",
    "/mcp": "use this server's own /mcp with a token of /session_tokens",
}
"""Paths of Scalekit's API that are known and not offered, also with what follows them, and what to do instead."""


class Rest:
    """The routes under `/api/v1`, and `/oauth/token` and `/proxy` beside them."""

    def __init__(self, actions: Actions, options: RestOptions) -> None:
        self._actions = actions
        self._options = options
        self._tools = ToolRoutes(actions, options)
        self._proxy = Proxy(actions, options)
        self._tokens = RestTokens(options.service_key, audience=options.public_url + API, clock=options.clock)
        self._guard = Guard(self._tokens)
        self._description = openapi_document(
            public_url=options.public_url, base_path=API, version=options.version, proxy=options.proxy
        )

    def routes(self) -> list[Route]:
        """The routes, to be mounted at `/api/v1`."""
        table: list[tuple[str, str, Handler, bool]] = [
            ("GET", "/openapi.json", self.openapi, False),
            ("GET", "/connected_accounts/details", self.details, False),
            ("GET", "/connected_accounts", self.list_accounts, False),
            ("POST", "/connected_accounts", self.create, True),
            ("PUT", "/connected_accounts", self.update, True),
            ("POST", "/connected_accounts:delete", self.delete, True),
            ("POST", "/connected_accounts/magic_link", self.magic_link, True),
            ("POST", "/connected_accounts/user/verify", self.verify, True),
            ("POST", "/connected_accounts/{id}:disconnect", self.disconnect, True),
            ("GET", "/tools", self._tools.tools, False),
            ("GET", "/tools/scoped", self._tools.scoped, False),
            ("POST", "/execute_tool", self._tools.execute_tool, False),
            ("POST", "/session_tokens", self.session_tokens, True),
            ("GET", "/connected_accounts/{id:str}", self.by_id, False),
        ]
        return [
            Route(path, self._guard.around(handler, changes=changes), methods=[method])
            for method, path, handler, changes in table
        ]

    def application(self) -> Router:
        """The same with an answer in Scalekit's shape for every other path and method."""
        routes = self.routes()

        async def other(request: Request) -> Response:
            return _no_such_route(request, routes)

        every_other = Mount("/", app=request_response(self._guard.around(other, changes=False)))
        return Router([*routes, every_other], redirect_slashes=False)

    def root_routes(self) -> list[Route]:
        """The routes beside `/api/v1`, where Scalekit's clients look for them."""
        passed_on = self._guard.around(self._proxy.proxy, changes=False)
        methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        return [
            Route("/oauth/token", answered(self._tokens.token), methods=["POST"]),
            Route(PREFIX + "/{path:path}", passed_on, methods=methods),
        ]

    async def openapi(self, request: Request) -> Response:
        """The OpenAPI description of these routes."""
        del request
        return JSONResponse(self._description)

    async def details(self, request: Request) -> Response:
        """One account, without tokens."""
        return await self._details(selector_of(query_of(request, SELECTORS)))

    async def by_id(self, request: Request) -> Response:
        """One account by its id. `auth`, where Scalekit shows tokens, does not exist here."""
        return await self._details(AccountSelector(account_id=request.path_params["id"]))

    async def _details(self, selector: AccountSelector) -> Response:
        """One account, with the apps that may use it; by its id a damaged one is shown too, without them."""
        account = await self._select(selector)
        try:
            found = await self._actions.get_connected_account(
                connection_name=account.connection_name, identifier=account.identifier
            )
        except VaultError:
            if account.view is None:
                raise
            return _account(account.view)
        return JSONResponse({"connected_account": wire_details(found)})

    async def list_accounts(self, request: Request) -> Response:
        """One page of accounts; an empty one where only other providers or connections are asked for."""
        names = [name for name in request.query_params.getlist("connection_names") if name]
        given = query_of(request, _LISTING | {"page_size", "page_token"})
        size = given.get("page_size", "10")
        if not _PAGE_SIZE.fullmatch(size):
            raise InvalidInput("page_size must be a number from 1 to 99.", field="page_size")
        if names and (given.get("connector") or len(names) > _MOST_CONNECTIONS):
            raise InvalidInput(
                f"connection_names are at most {_MOST_CONNECTIONS}, and not beside connector.", field="connection_names"
            )
        identifier = identifier_of(given) if given.get("identifier") else None
        check_narrowing(identifier, organization_id=given.get("organization_id"), user_id=given.get("user_id"))
        connector, provider = given.get("connector"), given.get("provider")
        among = [*names, *([connector] if connector and provider else [])]
        try:
            named = listed_connection(self._options.connections, names=among, provider=provider)
        except LookupError:
            return _page([], 0, None)
        page = await self._actions.list_connected_accounts(
            connection_name=connector or named,
            identifier=identifier,
            page_size=int(size),
            page_token=given.get("page_token"),
        )
        return _page([wire_account(view) for view in page.connected_accounts], page.total_size, page.next_page_token)

    async def create(self, request: Request) -> Response:
        """A new account, 201; 409 if there is one."""
        body = await body_of(request, SELECTORS | {"connected_account"})
        _check_empty(body.get("connected_account"))
        account = await self._select(selector_of({**body, "id": None, "identifier": identifier_of(body)}))
        return _account(await create_account(self._actions, account), status=201)

    async def update(self, request: Request) -> Response:
        """The account as it is; what Scalekit could change of it is not taken here."""
        body = await body_of(request, SELECTORS | {"connected_account"})
        _check_empty(body.get("connected_account"))
        return _account(await self._find(selector_of(body)))

    async def delete(self, request: Request) -> Response:
        """Remove an account and its tokens; 404 if there is none."""
        view = await self._find(selector_of(await body_of(request, SELECTORS)))
        await self._actions.delete_connected_account(connection_name=view.connection_name, identifier=view.identifier)
        return JSONResponse({})

    async def disconnect(self, request: Request) -> Response:
        """Forget the tokens and keep the record."""
        view = await self._find(AccountSelector(account_id=request.path_params["id"]))
        response = await self._actions.disconnect(connection_name=view.connection_name, identifier=view.identifier)
        return _account(response.connected_account)

    async def magic_link(self, request: Request) -> Response:
        """An authorization link for the user."""
        body = await body_of(request, SELECTORS | {"state", "user_verify_url"})
        verify_url = text_of(body, "user_verify_url", 2048)
        if verify_url is not None:
            trusted_argument(verify_url, field="user_verify_url")
        state = text_of(body, "state", 512)
        account = await self._select(selector_of(body))
        link = await self._actions.get_authorization_link(
            connection_name=account.connection_name,
            identifier=account.identifier,
            state=state,
            user_verify_url=verify_url,
        )
        return JSONResponse({"link": link.link, "expiry": wire_instant(link.expires_at)})

    async def verify(self, request: Request) -> Response:
        """The operator's backend says who consented: 403 for the wrong person, 404 for an unknown or used request."""
        body = await body_of(request, frozenset({"auth_request_id", "identifier"}))
        request_id, identifier = required(body, "auth_request_id", 1000), identifier_of(body)
        try:
            await self._actions.verify_connected_account_user(auth_request_id=request_id, identifier=identifier)
        except InvalidInput as exc:
            wrong_person = exc.details.get("field") == "identifier" and not isinstance(exc, ConnectedAccountNotFound)
            status, code, name = (403, 7, "FORBIDDEN") if wrong_person else (404, 5, "RESOURCE_NOT_FOUND")
            return JSONResponse(error_body(code, exc.message, name, error=exc.to_dict()), status_code=status)
        return JSONResponse({"post_user_verify_redirect_url": ""})

    async def session_tokens(self, request: Request) -> Response:
        """A session token for one user, for the operator's frontend or agent."""
        tokens = self._options.session_tokens
        if tokens is None:
            raise InvalidInput(
                "This server takes no session tokens: its callers sign in with Microsoft.",
                next_step="Connect the app to the address of this server and sign in.",
            )
        body = await body_of(request, frozenset({"identifier", "expiry", "access_level", "email"}))
        expiry = _EXPIRY.fullmatch(text_of(body, "expiry") or "3600s")
        if expiry is None:
            raise InvalidInput("expiry is a number of seconds followed by s, as in 3600s.", field="expiry")
        level = text_of(body, "access_level") or "FULL"
        if level not in ("FULL", "READ_ONLY"):
            raise InvalidInput("access_level is FULL or READ_ONLY.", field="access_level")
        token, expires_at = tokens.mint(
            identifier_of(body),
            ttl_seconds=int(expiry[1]),
            read_only=level == "READ_ONLY",
            email=text_of(body, "email"),
        )
        return JSONResponse({"token": token, "expires_at": wire_instant(expires_at)})

    async def _select(self, selector: AccountSelector) -> SelectedAccount:
        """The account that is selected; raises `InvalidInput` under the names of the wire."""
        try:
            return await select_account(self._actions, selector)
        except InvalidInput as error:
            if error.details.get("field") == "connection_name":
                error.details["field"] = "connector"
            raise

    async def _find(self, selector: AccountSelector) -> ConnectedAccountView:
        """The record of the account that is selected."""
        account = await self._select(selector)
        if account.view is not None:
            return account.view
        found = await self._actions.get_connected_account(
            connection_name=account.connection_name, identifier=account.identifier
        )
        return found.connected_account


def _account(view: ConnectedAccountView, *, status: int = 200) -> Response:
    return JSONResponse({"connected_account": wire_account(view)}, status_code=status)


def _page(accounts: list[dict[str, Any]], total_size: int, next_page_token: str | None) -> Response:
    return JSONResponse(
        {
            "connected_accounts": accounts,
            "total_size": total_size,
            "next_page_token": next_page_token or "",
            "prev_page_token": "",
        }
    )


def _check_empty(connected_account: object) -> None:
    """Raise `NotOffered` for a description of an account that says anything."""
    said = connected_account
    if isinstance(said, Mapping):
        said = any(said.values())  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType] - JSON
    if said:
        raise NotOffered(
            "connected_account must be empty: credentials are not taken here, and an account has no configuration.",
            field="connected_account",
            instead="send the user an authorization link",
        )


def _no_such_route(request: Request, routes: list[Route]) -> Response:
    """The answer for a path or a method that is not served here."""
    path = request.scope["path"].removeprefix(request.scope.get("root_path", "")) or "/"
    methods = {
        method
        for route in routes
        if route.matches({**request.scope, "path": path, "root_path": ""})[0] is Match.PARTIAL
        for method in route.methods or ()
    }
    if methods:
        shown = ", ".join(sorted(methods))
        body = error_body(12, f"{request.method} is not served here; {shown} is.", "UNIMPLEMENTED")
        return JSONResponse(body, status_code=405, headers={"allow": shown})
    for known, instead in NOT_OFFERED.items():
        if path == known or path.startswith(f"{known}/"):
            error = NotOffered(f"{path[:100]} is not offered.", instead=instead)
            body = error_body(12, f"{error.message} {error.next_step}", "UNIMPLEMENTED", error=error.to_dict())
            return JSONResponse(body, status_code=501)
    return JSONResponse(error_body(5, f"There is no {path[:100]}.", "RESOURCE_NOT_FOUND"), status_code=404)
