"""The REST API in Scalekit's format, for backends that hold the service key. No answer holds a token of a user."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from scalekit_mcp.actions import CATALOGUE_TOOLS, Actions, CatalogueTool, ConnectedAccountView
from scalekit_mcp.errors import ConnectedAccountNotFound, InvalidInput, PermissionMissing, ScalekitMCPError, VaultError
from scalekit_mcp.identifiers import check_identifier
from scalekit_mcp.network import trusted_argument
from scalekit_mcp.server.callers.authentication import AuthenticationError, bearer_of, same_secret
from scalekit_mcp.server.callers.session_tokens import SessionTokens
from scalekit_mcp.server.callers.vouching import vouch_for
from scalekit_mcp.server.failures import log_failure
from scalekit_mcp.server.limits import CallLimiter
from scalekit_mcp.server.metrics import CallMetrics, watched
from scalekit_mcp.server.rest.input import body_of, identifier_of, query_of, refuse_unknown, required, text_of
from scalekit_mcp.server.rest.wire import (
    error_body,
    openapi_document,
    wire_account,
    wire_details,
    wire_error,
    wire_instant,
    wire_tool,
)
from scalekit_mcp.tools import TOOLS, ToolSpec

logger = logging.getLogger(__name__)

_EXPIRY = re.compile(r"([0-9]{1,6})s")
_PAGE_SIZE = re.compile(r"[1-9][0-9]?")
_SELECTORS = frozenset({"connector", "identifier", "id"})
_TOOL_FILTERS = frozenset({"filter.tool_name", "filter.summary", "page_size"})

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RestOptions:
    """What the routes need: the key that opens them, and what mints session tokens (None: minting is not offered).

    `limiter` holds how many tool calls of one user run at once; share the MCP server's. `metrics` counts the calls.
    """

    service_key: str = field(repr=False)
    public_url: str
    version: str = ""
    read_only: bool = False
    session_tokens: SessionTokens | None = None
    limiter: CallLimiter = field(default_factory=CallLimiter)
    metrics: CallMetrics = field(default_factory=CallMetrics)


class Rest:
    """The routes under `/api/v1`."""

    def __init__(self, actions: Actions, options: RestOptions) -> None:
        self._actions = actions
        self._options = options
        self._limiter = options.limiter
        self._description = openapi_document(server_url=f"{options.public_url}/api/v1", version=options.version)

    def routes(self) -> list[Route]:
        """The routes, to be mounted at `/api/v1`."""
        table: list[tuple[str, str, Handler]] = [
            ("GET", "/openapi.json", self.openapi),
            ("GET", "/connected_accounts/details", self.details),
            ("GET", "/connected_accounts", self.list_accounts),
            ("POST", "/connected_accounts", self.create),
            ("POST", "/connected_accounts:delete", self.delete),
            ("POST", "/connected_accounts/magic_link", self.magic_link),
            ("POST", "/connected_accounts/user/verify", self.verify),
            ("POST", "/connected_accounts/{id}:disconnect", self.disconnect),
            ("GET", "/tools", self.tools),
            ("POST", "/execute_tool", self.execute_tool),
            ("POST", "/session_tokens", self.session_tokens),
            ("GET", "/connected_accounts/{id:str}", self.by_id),
        ]
        return [Route(path, self._guarded(handler), methods=[method]) for method, path, handler in table]

    async def openapi(self, request: Request) -> Response:
        """The OpenAPI description of these routes."""
        del request
        return JSONResponse(self._description)

    async def details(self, request: Request) -> Response:
        """One account, without tokens."""
        given = query_of(request, _SELECTORS)
        return await self._details(given)

    async def by_id(self, request: Request) -> Response:
        """One account by its id. `auth`, where Scalekit shows tokens, does not exist here."""
        return await self._details({"id": request.path_params["id"]})

    async def _details(self, given: Mapping[str, Any]) -> Response:
        """One account, with the apps that may use it; by its id a damaged one is shown too, without them."""
        view = await self._find(given) if text_of(given, "id") else None
        connector = view.connection_name if view else text_of(given, "connector")
        identifier = view.identifier if view else identifier_of(given)
        try:
            found = await self._actions.get_connected_account(connection_name=connector, identifier=identifier)
        except VaultError:
            if view is None:
                raise
            return _account(view)
        return JSONResponse({"connected_account": wire_details(found)})

    async def list_accounts(self, request: Request) -> Response:
        """One page of accounts."""
        given = query_of(request, frozenset({"connector", "identifier", "page_size", "page_token"}))
        size = given.get("page_size", "10")
        if not _PAGE_SIZE.fullmatch(size):
            raise InvalidInput("page_size must be a number from 1 to 99.", field="page_size")
        page = await self._actions.list_connected_accounts(
            connection_name=given.get("connector"),
            identifier=identifier_of(given) if given.get("identifier") else None,
            page_size=int(size),
            page_token=given.get("page_token"),
        )
        return JSONResponse(
            {
                "connected_accounts": [wire_account(view) for view in page.connected_accounts],
                "total_size": page.total_size,
                "next_page_token": page.next_page_token or "",
                "prev_page_token": "",
            }
        )

    async def create(self, request: Request) -> Response:
        """A new account, 201; 409 if there is one."""
        body = await body_of(request, _SELECTORS | {"connected_account"})
        if body.get("connected_account"):
            raise InvalidInput(
                "Credentials are not taken here; the user connects by a link.", field="connected_account"
            )
        identifier = identifier_of(body)
        key: dict[str, Any] = {"connection_name": text_of(body, "connector"), "identifier": identifier}
        try:
            await self._actions.get_connected_account(**key)
        except ConnectedAccountNotFound:
            response = await self._actions.get_or_create_connected_account(**key)
            return _account(response.connected_account, status=201)
        message = f"There is a connected account for '{identifier}' already."
        return JSONResponse(error_body(6, message, "ALREADY_EXISTS"), status_code=409)

    async def delete(self, request: Request) -> Response:
        """Remove an account and its tokens; 404 if there is none."""
        view = await self._find(await body_of(request, _SELECTORS))
        await self._actions.delete_connected_account(connection_name=view.connection_name, identifier=view.identifier)
        return JSONResponse({})

    async def disconnect(self, request: Request) -> Response:
        """Forget the tokens and keep the record."""
        view = await self._find({"id": request.path_params["id"]})
        response = await self._actions.disconnect(connection_name=view.connection_name, identifier=view.identifier)
        return _account(response.connected_account)

    async def magic_link(self, request: Request) -> Response:
        """An authorization link for the user."""
        body = await body_of(request, _SELECTORS | {"state", "user_verify_url"})
        if body.get("id"):
            view = await self._find(body)
            body = {**body, "connector": view.connection_name, "identifier": view.identifier}
        verify_url = text_of(body, "user_verify_url", 2048)
        if verify_url is not None:
            trusted_argument(verify_url, field="user_verify_url")
        link = await self._actions.get_authorization_link(
            connection_name=text_of(body, "connector"),
            identifier=identifier_of(body),
            state=text_of(body, "state", 512),
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

    async def tools(self, request: Request) -> Response:
        """The catalogue as this server has it, with schemas; `filter.summary` gives the names alone."""
        given = request.query_params.multi_items()
        refuse_unknown(dict(given), _TOOL_FILTERS)
        wanted = {value for name, value in given if name == "filter.tool_name" and value}
        every: list[ToolSpec | CatalogueTool] = [*TOOLS.values(), *CATALOGUE_TOOLS.values()]
        specs = [spec for spec in every if self._may_run(spec) and (not wanted or spec.name in wanted)]
        summary = request.query_params.get("filter.summary", "").casefold() == "true"
        return JSONResponse(
            {
                "tools": [] if summary else [wire_tool(spec) for spec in specs],
                "tool_names": [spec.name for spec in specs],
                "total_size": len(specs),
                "next_page_token": "",
                "prev_page_token": "",
            }
        )

    def _may_run(self, spec: ToolSpec | CatalogueTool) -> bool:
        return not self._options.read_only or spec.read_only or spec.name == "authorize"

    async def execute_tool(self, request: Request) -> Response:
        """Run one tool for a user."""
        allowed = _SELECTORS | {"tool_name", "params", "connected_account_id", "agent_run_id"}
        body = await body_of(request, allowed)
        tool_name = required(body, "tool_name")
        spec = TOOLS.get(tool_name) or CATALOGUE_TOOLS.get(tool_name)
        if spec is None:
            message = f"There is no tool '{tool_name[:80]}'."
            return JSONResponse(error_body(5, message, "RESOURCE_NOT_FOUND"), status_code=404)
        if not self._may_run(spec):
            raise PermissionMissing(f"This server is read-only; {spec.name} is not available.", who_acts="operator")
        params: object = body.get("params") or {}
        if not isinstance(params, dict):
            raise InvalidInput("params must be an object.", field="params")
        account_id = text_of(body, "connected_account_id") or text_of(body, "id")
        connector, identifier = text_of(body, "connector"), text_of(body, "identifier")
        if account_id:
            view = await self._find({"id": account_id})
            connector, identifier = view.connection_name, view.identifier
        if not identifier:
            raise InvalidInput("identifier is required, or connected_account_id.", field="identifier")
        check_identifier(identifier)
        execution_id = f"exec_{secrets.token_hex(8)}"
        tool_input = cast("dict[str, Any]", params)
        with watched(self._options.metrics, tool_name, identifier=identifier) as call:
            call.acts_on(tool_input)
            try:
                async with self._limiter.slot(identifier):
                    result = await self._actions.execute_tool(
                        tool_name=tool_name,
                        tool_input=tool_input,
                        identifier=identifier,
                        connection_name=connector,
                    )
            except ScalekitMCPError as exc:
                call.outcome = exc.code
                return _failure(exc, execution_id)
            call.outcome = "ok"
            call.acts_on(result)
        return JSONResponse({"data": dict(result), "execution_id": result.execution_id or execution_id})

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

    async def _find(self, given: Mapping[str, Any]) -> ConnectedAccountView:
        """The account that `id`, or `connector` and `identifier`, select."""
        account_id = text_of(given, "id")
        if account_id is None:
            response = await self._actions.get_connected_account(
                connection_name=text_of(given, "connector"), identifier=identifier_of(given)
            )
            return response.connected_account
        page = await self._actions.list_connected_accounts(account_id=account_id, page_size=1)
        if not page.connected_accounts:
            raise ConnectedAccountNotFound(text_of(given, "connector") or "outlook", account_id[:100])
        return page.connected_accounts[0]

    def _guarded(self, handler: Handler) -> Handler:
        async def handle(request: Request) -> Response:
            response = await answer(request)
            logger.info(
                "REST %s: %d",
                handler.__name__,
                response.status_code,
                extra={"event": "rest_call", "route": handler.__name__, "status_code": response.status_code},
            )
            return response

        async def answer(request: Request) -> Response:
            try:
                if not same_secret(bearer_of(request.headers), self._options.service_key):
                    raise AuthenticationError(401, "invalid_token", "The service key is wrong.")  # noqa: TRY301
                vouch_for(request.scope)
                return await handler(request)
            except ClientDisconnect:
                raise  # nobody is there to be answered; the outer layer knows
            except AuthenticationError as denied:
                body = error_body(16, denied.description, "UNAUTHENTICATED")
                return JSONResponse(body, status_code=401, headers={"www-authenticate": "Bearer"})
            except ScalekitMCPError as exc:
                return _failure(exc)
            except Exception as failure:  # noqa: BLE001 - logged with its traceback by `log_failure`
                reference = log_failure(logger, f"REST {handler.__name__}", failure)
                message = f"Something went wrong inside the server; the reference is {reference}."
                return JSONResponse(error_body(13, message, "INTERNAL"), status_code=500)

        return handle


def _account(view: ConnectedAccountView, *, status: int = 200) -> Response:
    return JSONResponse({"connected_account": wire_account(view)}, status_code=status)


def _failure(error: ScalekitMCPError, execution_id: str | None = None) -> Response:
    status, body = wire_error(error, execution_id=execution_id)
    wait = error.details.get("retry_after_seconds")
    headers = {"retry-after": str(max(1, round(wait)))} if isinstance(wait, int | float) else None
    return JSONResponse(body, status_code=status, headers=headers)
