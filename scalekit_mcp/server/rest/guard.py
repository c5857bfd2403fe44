"""What every REST route goes through: who calls, what a read-only token may, and errors in Scalekit's shape."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from scalekit_mcp.errors import PermissionMissing, ScalekitMCPError
from scalekit_mcp.server.callers.authentication import AuthenticationError, bearer_of
from scalekit_mcp.server.callers.vouching import vouch_for
from scalekit_mcp.server.failures import log_failure
from scalekit_mcp.server.rest.access_tokens import RestCaller, RestTokens
from scalekit_mcp.server.rest.wire import error_body, wire_error

logger = logging.getLogger(__name__)

Handler = Callable[[Request], Awaitable[Response]]

_CALLER = "scalekit_mcp.rest_caller"


class Guard:
    """Lets the holders of the service key, and of tokens for it, through."""

    def __init__(self, tokens: RestTokens) -> None:
        self._tokens = tokens

    def around(self, handler: Handler, *, changes: bool) -> Handler:
        """The handler behind the guard; `changes`: a token that only reads is refused."""

        async def handle(request: Request) -> Response:
            response = await self._answer(handler, request, changes=changes)
            logger.info(
                "REST %s: %d",
                handler.__name__,
                response.status_code,
                extra={"event": "rest_call", "route": handler.__name__, "status_code": response.status_code},
            )
            return response

        return handle

    async def _answer(self, handler: Handler, request: Request, *, changes: bool) -> Response:
        try:
            caller = self._tokens.caller(bearer_of(request.headers))
            vouch_for(request.scope)
            request.scope[_CALLER] = caller
            if changes:
                require_writing(request)
            return await handler(request)
        except ClientDisconnect:
            raise  # nobody is there to be answered; the outer layer knows
        except AuthenticationError as denied:
            body = error_body(16, denied.description, "UNAUTHENTICATED")
            return JSONResponse(body, status_code=401, headers={"www-authenticate": "Bearer"})
        except ScalekitMCPError as exc:
            return failure(exc)
        except Exception as unexpected:  # noqa: BLE001 - logged with its traceback by `log_failure`
            reference = log_failure(logger, f"REST {handler.__name__}", unexpected)
            message = f"Something went wrong inside the server; the reference is {reference}."
            return JSONResponse(error_body(13, message, "INTERNAL"), status_code=500)


def require_writing(request: Request) -> None:
    """Raise `PermissionMissing` where the token of this request only reads."""
    caller: RestCaller = request.scope[_CALLER]
    if caller.read_only:
        raise PermissionMissing(
            "This access token only reads.",
            who_acts="operator",
            next_step="Ask /oauth/token for a token without a scope, or with calendar.write.",
        )


def failure(error: ScalekitMCPError, execution_id: str | None = None) -> Response:
    """The answer for one of our errors."""
    status, body = wire_error(error, execution_id=execution_id)
    wait = error.details.get("retry_after_seconds")
    headers = {"retry-after": str(max(1, round(wait)))} if isinstance(wait, int | float) else None
    return JSONResponse(body, status_code=status, headers=headers)
