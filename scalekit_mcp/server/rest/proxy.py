"""`{METHOD} /proxy{path}`: a call of the caller's own to the provider as one user, with Scalekit's header names.

Off unless a setting turns it on: whoever holds the service key can then do to every connected mailbox whatever its
grant allows, not only what the tools do.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from scalekit_mcp.actions import Actions, ProviderCall, passed_on
from scalekit_mcp.errors import InvalidInput, PermissionMissing, ScalekitMCPError
from scalekit_mcp.identifiers import check_identifier
from scalekit_mcp.server.metrics import watched
from scalekit_mcp.server.rest.guard import require_writing
from scalekit_mcp.server.rest.input import MAX_BODY_BYTES, raw_body_of
from scalekit_mcp.server.rest.options import RestOptions
from scalekit_mcp.server.rest.wire import error_body

PREFIX = "/proxy"
MAX_ANSWER_BYTES = 4 * 1024 * 1024
TIMEOUT_SECONDS = 30.0
_AS_A_FILE = {"x-content-type-options": "nosniff", "content-security-policy": "sandbox; default-src 'none'"}
"""What the provider answers is data: no browser may run it as a page of this server."""


class Proxy:
    """The handler."""

    def __init__(self, actions: Actions, options: RestOptions) -> None:
        self._actions = actions
        self._options = options

    async def proxy(self, request: Request) -> Response:
        """The provider's answer, with its status, its body and some of its headers."""
        if not self._options.proxy:
            message = "proxy not enabled for provider: SCALEKIT_MCP_REST_PROXY turns it on"
            return JSONResponse(error_body(9, message, "FAILED_PRECONDITION"), status_code=400)
        connector, identifier = _named(request, "connection_name"), _named(request, "identifier")
        check_identifier(identifier)
        content = await raw_body_of(request, MAX_BODY_BYTES)
        call = ProviderCall.of(
            _path_of(request), request.method, content=content or None, headers=passed_on(request.headers)
        )
        call.own_path()
        if not call.reads:
            if self._options.read_only:
                raise PermissionMissing("This server is read-only; only GET is passed on.", who_acts="operator")
            require_writing(request)
        with watched(self._options.metrics, "proxy", identifier=identifier) as measured:
            try:
                async with self._options.limiter.slot(identifier):
                    answer = await self._actions.request(
                        call, connection_name=connector, identifier=identifier, timeout_seconds=TIMEOUT_SECONDS
                    )
            except ScalekitMCPError as exc:
                measured.outcome = exc.code
                raise
            measured.outcome = "ok" if answer.ok else "refused"
        if len(answer.content) > MAX_ANSWER_BYTES and call.reads:
            raise InvalidInput(
                f"The answer is larger than {MAX_ANSWER_BYTES // 1024 // 1024} MiB.",
                next_step="Ask for less, by $top or $select.",
            )
        return Response(answer.content, answer.status_code, headers={**answer.headers, **_AS_A_FILE})


def _named(request: Request, name: str) -> str:
    """A header that names the account, once or several times the same (Scalekit's SDK sends one twice), in UTF-8.

    Its name may have a hyphen instead of the underscore, which some reverse proxies drop with the header.
    """
    spellings = {name, name.replace("_", "-")}
    values = {value for spelling in spellings for value in request.headers.getlist(spelling)}
    if len(values) != 1 or "" in values:
        raise InvalidInput(f"The header {name} must be there, with one value.", field=name)
    try:
        return values.pop().encode("latin-1").decode("utf-8")
    except UnicodeError:
        raise InvalidInput(f"The header {name} must be UTF-8.", field=name) from None


def _path_of(request: Request) -> str:
    """The path behind the prefix as it was sent, with its query."""
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    path = raw.decode("latin-1").partition("?")[0]
    query = request.scope.get("query_string", b"").decode("latin-1")
    path = path[path.index(PREFIX) + len(PREFIX) :]
    return f"{path}?{query}" if query else path
