"""The look-alike's proxy: the sandbox's Graph, called with the tokens of a connected account.

What Scalekit's Python SDK sends (`actions.request`): `{METHOD} /proxy{path}` with the headers `connection_name` and
`identifier`. Everything else is passed on, and the answer comes back as it is. What the proxy says when it refuses is
not published, except for the words "proxy not enabled for provider".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from scalekit_mcp.sandbox.scalekit.accounts import ScalekitAccounts
from scalekit_mcp.sandbox.scalekit.records import Account, HeldTokens
from scalekit_mcp.sandbox.scalekit.runs import Microsoft, ProviderError
from scalekit_mcp.sandbox.scalekit.wire import RequestError
from scalekit_mcp.sandbox.world import World

PROXY_PREFIX = "/proxy/"

_NOT_PASSED_ON = frozenset(
    {
        "host",
        "authorization",
        "connection_name",
        "identifier",
        "content-length",
        "connection",
        "accept-encoding",
        "transfer-encoding",
    }
)
_OF_THE_CONNECTION = frozenset({"content-length", "connection", "transfer-encoding", "date", "server"})
_EXPIRED_TOKEN = {
    "error": {
        "code": "InvalidAuthenticationToken",
        "message": "Access token has expired or is not yet valid.",
        "innerError": {"date": "2026-04-06T09:00:00", "request-id": "5a9db0c5-0000-4000-8000-000000000401"},
    }
}
_PAGE = "<!doctype html><title>Bad gateway</title><h1>502 Bad gateway</h1><p>The upstream gave no answer.</p>"


class Proxy:
    """Answers requests below `/proxy/`; who the API client is has been checked. `token_of` is an account's token."""

    def __init__(
        self,
        world: World,
        accounts: ScalekitAccounts,
        microsoft: Microsoft,
        token_of: Callable[[Account, HeldTokens], Awaitable[str]],
    ) -> None:
        self._world = world
        self._accounts = accounts
        self._microsoft = microsoft
        self._token_of = token_of

    async def answer(self, request: Request, path: str) -> Response:
        """The provider's answer; raises `RequestError` where the look-alike itself refuses, and `ProviderError`."""
        switched = self._switched()
        if switched is not None:
            return switched
        account = self._accounts.known(_named(request))
        if account.status != "ACTIVE" or account.tokens is None:
            raise RequestError(9, "FAILED_PRECONDITION", "connected account is not active")
        token = await self._token_of(account, account.tokens)
        query = request.scope.get("query_string", b"").decode("latin-1")
        raw_path = request.scope.get("raw_path") or path.encode()
        target = raw_path.decode("latin-1").partition("?")[0]
        target = target[target.index(PROXY_PREFIX) + len(PROXY_PREFIX) - 1 :]
        try:
            answer = await self._microsoft.forward(
                request.method,
                target + (f"?{query}" if query else ""),
                headers=[*_passed_on(request.headers.items()), ("authorization", f"Bearer {token}")],
                content=await request.body(),
            )
        except ProviderError:
            return HTMLResponse(_PAGE, status_code=502)
        account.last_used_at = self._world.clock.now()
        headers = {name: value for name, value in answer.headers.items() if name.lower() not in _OF_THE_CONNECTION}
        return Response(answer.content, status_code=answer.status_code, headers=headers)

    def _switched(self) -> Response | None:
        """The failure that an experimenter has switched on for this request, if any."""
        switches = self._world.switches
        if not switches.proxy_enabled:
            raise RequestError(9, "FAILED_PRECONDITION", "proxy not enabled for provider")
        if not switches.proxy_faults:
            return None
        kind = switches.proxy_faults.pop(0)
        if kind == "machine_401":
            raise RequestError(16, "UNAUTHENTICATED", "access token is missing, invalid or expired")
        if kind == "throttled":
            headers = {"Retry-After": str(switches.retry_after_seconds)}
            raise RequestError(8, "RESOURCE_EXHAUSTED", "too many requests", headers=headers)
        if kind == "provider_401":
            return JSONResponse(_EXPIRED_TOKEN, status_code=401)
        if kind == "silent_401":
            return Response(status_code=401)
        return HTMLResponse(_PAGE, status_code=502)


def _named(request: Request) -> dict[str, str]:
    """The account that the headers name; values are UTF-8, which is read as Latin-1 (RFC 9110 section 5.5)."""
    named: dict[str, str] = {}
    for header, field in (("connection_name", "connector"), ("identifier", "identifier")):
        value = request.headers.get(header, "").encode("latin-1").decode("utf-8", "replace")
        if not value:
            raise RequestError(3, "INVALID_ARGUMENT", f"header {header} is required", field=header)
        named[field] = value
    return named


def _passed_on(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers if name.lower() not in _NOT_PASSED_ON]
