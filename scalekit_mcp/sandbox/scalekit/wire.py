"""The wire of the hosted API: bodies read strictly, accounts as JSON, errors as gRPC status JSON, pages."""

from __future__ import annotations

import json
from datetime import datetime
from html import escape
from typing import Any, cast
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from scalekit_mcp.sandbox.scalekit.records import Account, Consent, Fault

CONNECTION_ID = "conn_5ca1e0000000000001"
CONNECTION_NAME = "outlook"
CONNECTIONS: dict[str, tuple[str, str, str]] = {
    CONNECTION_NAME: (CONNECTION_ID, "OUTLOOK", "Outlook"),
    "gmail": ("conn_5ca1e0000000000002", "GMAIL", "Gmail"),
    "slack": ("conn_5ca1e0000000000003", "SLACK", "Slack"),
}
"""By the connection's name: its id, its provider, and what a page calls that."""

SELECTORS = frozenset({"connector", "identifier", "id", "organization_id", "user_id"})
"""What a request may name an account by."""

_HTTP_OF_GRPC = {3: 400, 5: 404, 6: 409, 7: 403, 8: 429, 9: 400, 10: 409, 12: 501, 13: 500, 14: 503, 16: 401}


class RequestError(Exception):
    """A request that is answered with an error body.

    `grpc_code` is the number of the status (3 invalid argument, 5 not found, 6 already exists, 7 permission denied, 9
    failed precondition, 13 internal, 14 unavailable, 16 unauthenticated); `status` overrides its HTTP status.
    """

    def __init__(
        self,
        grpc_code: int,
        error_code: str,
        message: str,
        *,
        status: int | None = None,
        tool_error: dict[str, str] | None = None,
        field: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status or _HTTP_OF_GRPC.get(grpc_code, 500)
        info: dict[str, Any] = {
            "@type": "type.googleapis.com/scalekit.v1.errdetails.ErrorInfo",
            "error_code": error_code,
        }
        if tool_error is not None:
            info["tool_error_info"] = tool_error
        if field is not None:
            violation = {"field": field, "description": message, "constraint": ""}
            info["validation_error_info"] = {"field_violations": [violation]}
        self.body = {"code": grpc_code, "message": message, "details": [info]}
        self.headers = headers or {}

    def response(self) -> JSONResponse:
        """The answer."""
        return JSONResponse(self.body, status_code=self.status, headers=self.headers)


def account_json(account: Account, *, whole: bool = True) -> dict[str, Any]:
    """An account as it stands in an answer; `whole` is false in lists. Credentials never stand in either."""
    connection_id, provider, _ = CONNECTIONS[account.connector]
    wire: dict[str, Any] = {
        "id": account.id,
        "identifier": account.identifier,
        "connector": account.connector,
        "connection_id": connection_id,
        "provider": provider,
        "status": account.status,
        "authorization_type": "OAUTH",
        "updated_at": instant(account.updated_at),
    }
    if account.tokens is not None:
        wire["token_expires_at"] = instant(account.tokens.expires_at)
    if account.last_used_at is not None:
        wire["last_used_at"] = instant(account.last_used_at)
    if whole and account.api_config:
        wire["api_config"] = account.api_config
    return wire


def instant(value: datetime) -> str:
    """RFC 3339 in UTC."""
    return value.isoformat().replace("+00:00", "Z")


async def json_body(request: Request, allowed: frozenset[str] | set[str]) -> dict[str, Any]:
    """The JSON object of a request; raises `RequestError` for an unknown field, as the protobuf gateway does."""
    try:
        given: object = json.loads(await request.body() or b"{}")
    except ValueError as problem:
        raise RequestError(3, "INVALID_ARGUMENT", "the body is not JSON") from problem
    if not isinstance(given, dict):
        raise RequestError(3, "INVALID_ARGUMENT", "the body is not a JSON object")
    body = cast("dict[str, Any]", given)
    _refuse_unknown(set(body), allowed)
    return body


def query_of(request: Request, allowed: frozenset[str] | set[str]) -> dict[str, Any]:
    """The query of a request; raises `RequestError` for an unknown field."""
    _refuse_unknown(set(request.query_params), allowed)
    return dict(request.query_params)


def _refuse_unknown(names: set[str], allowed: frozenset[str] | set[str]) -> None:
    unknown = sorted(names - allowed)
    if unknown:
        raise RequestError(3, "INVALID_ARGUMENT", f'unknown field "{unknown[0]}"', field=unknown[0])


def recorded(body: bytes) -> Any:
    """A body as it is kept for a look: JSON if it is that, else text."""
    try:
        return json.loads(body) if body else None
    except ValueError:
        return body.decode("utf-8", "replace")


def faulty(fault: Fault) -> Response:
    """The answer of a switched failure."""
    status = fault.status or 500
    if fault.body is not None:
        return Response(fault.body, status_code=status, headers=fault.headers)
    return RequestError(
        fault.grpc_code,
        fault.error_code,
        fault.message,
        status=status,
        tool_error=fault.tool_error,
        headers=fault.headers,
    ).response()


def back_to(consent: Consent, query: dict[str, str]) -> Response:
    """To the application's own page where there is one, else a page that says it."""
    if consent.user_verify_url is None:
        return page("Connection failed", f"{query['error']}: {query['error_description']}", status=400)
    given = {**query, **({"state": consent.state} if consent.state is not None else {})}
    joint = "&" if urlsplit(consent.user_verify_url).query else "?"
    return RedirectResponse(f"{consent.user_verify_url}{joint}{urlencode(given)}", status_code=302)


def page(title: str, text: str, *, status: int = 200, form: str = "") -> HTMLResponse:
    """A page for a person; `form` is HTML."""
    head = f"<!doctype html><title>{escape(title)}</title><h1>{escape(title)}</h1>"
    html = f"{head}<p>{escape(text)}</p>{form}"
    return HTMLResponse(html, status_code=status)
