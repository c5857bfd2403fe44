"""What the endpoints of the authorization server share: error answers, bounded bodies, and open CORS."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from scalekit_mcp.errors import ScalekitMCPError
from scalekit_mcp.server.failures import log_failure, new_reference

logger = logging.getLogger(__name__)

NO_STORE = {"cache-control": "no-store", "pragma": "no-cache"}
CORS_HEADERS = "authorization, content-type, mcp-protocol-version"
MOST_FORM_BYTES = 64 * 1024
_MOST_FIELDS = 64
_CORS_SECONDS = 7200

Handler = Callable[[Request], Awaitable[Response]]


class OAuthError(Exception):
    """An error answer of an endpoint that machines call (RFC 6749 section 5.2).

    `description` is a sentence for the developer of a host, in printable ASCII without quotation marks; it repeats
    nothing that was sent.
    """

    def __init__(self, error: str, description: str, *, status: int = 400, basic: bool = False) -> None:
        super().__init__(description)
        self.error = error
        self.description = description
        self.status = status
        self.basic = basic

    def response(self) -> Response:
        """The answer; `basic` challenges a client that used the Authorization header."""
        headers = {"www-authenticate": 'Basic realm="token", charset="UTF-8"'} if self.basic else {}
        body = {"error": self.error, "error_description": self.description}
        return json_answer(body, status=self.status, headers=headers)


def json_answer(body: Mapping[str, Any], *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer that nobody keeps."""
    text = json.dumps(body, separators=(",", ":"))
    return Response(text, status, media_type="application/json", headers={**NO_STORE, **(headers or {})})


async def bounded_body(request: Request, most_bytes: int) -> bytes | None:
    """The body of a request; None for one that is longer than `most_bytes`."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > most_bytes:
            return None
    return body


def unique_parameters(text: str, *, repeatable: tuple[str, ...] = ()) -> tuple[dict[str, str], dict[str, list[str]]]:
    """The parameters of a query or form, and those that may come more than once, which are lists.

    A parameter without a value counts as left out (RFC 6749 section 3.1). Bytes that are no UTF-8 are kept as halves of
    surrogate pairs, so that a `state` goes back as it came.

    Raises:
        ValueError: a parameter came twice, or there are too many.
    """
    single: dict[str, str] = {}
    lists: dict[str, list[str]] = {name: [] for name in repeatable}
    pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="surrogateescape")
    seen: set[str] = set()
    for name, value in pairs:
        if name in lists:
            if value:
                lists[name].append(value)
            continue
        if name in seen:
            raise ValueError("A parameter came twice.")
        seen.add(name)
        if value:
            single[name] = value
    return single, lists


async def form_of(request: Request, *, repeatable: tuple[str, ...] = ()) -> tuple[dict[str, str], dict[str, list[str]]]:
    """The form of a request; raises `OAuthError` for a body that is none, too long, or names a parameter twice."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise OAuthError("invalid_request", "The body must be application/x-www-form-urlencoded.")
    body = await bounded_body(request, MOST_FORM_BYTES)
    if body is None:
        raise OAuthError("invalid_request", f"A form has at most {MOST_FORM_BYTES} bytes.")
    try:
        form = unique_parameters(body.decode("ascii"), repeatable=repeatable)
        json.dumps(form, ensure_ascii=False).encode("utf-8")  # every value is Unicode text
    except UnicodeError:
        raise OAuthError("invalid_request", "The form must be percent-encoded UTF-8.") from None
    except ValueError:
        raise OAuthError("invalid_request", "A parameter came twice, or there are too many.") from None
    else:
        return form


def open_to_all(handler: Handler, *, methods: str) -> Handler:
    """A handler that pages of any origin may call (Fetch, "CORS protocol"): it reads no cookie.

    Preflight requests are answered here.
    """

    async def handle(request: Request) -> Response:
        if request.method == "OPTIONS":
            headers = {
                "access-control-allow-methods": methods,
                "access-control-allow-headers": CORS_HEADERS,
                "access-control-max-age": str(_CORS_SECONDS),
            }
            response = Response(status_code=204, headers=headers)
        else:
            response = await answered(handler)(request)
        response.headers["access-control-allow-origin"] = "*"
        return response

    return handle


def answered(handler: Handler) -> Handler:
    """A handler that answers its errors, too; a failure of ours is told by a number and never as a page."""

    async def handle(request: Request) -> Response:
        return await _answer(handler, request)

    return handle


async def _answer(handler: Handler, request: Request) -> Response:
    try:
        return await handler(request)
    except OAuthError as error:
        return error.response()
    except ClientDisconnect:
        raise  # nobody is there to be answered; the outer layer knows
    except ScalekitMCPError as exc:
        reference = new_reference()
        logger.warning("%s could not be served: %s, reference %s", request.url.path, exc.code, reference)
        body = {"error": "temporarily_unavailable", "error_description": f"Try again. Reference: {reference}"}
        return json_answer(body, status=503, headers={"retry-after": "5"})
    except Exception as failure:  # noqa: BLE001 - logged with its traceback by `log_failure`
        reference = log_failure(logger, request.url.path, failure)
        body = {"error": "server_error", "error_description": f"Something went wrong here. Reference: {reference}"}
        return json_answer(body, status=500)
