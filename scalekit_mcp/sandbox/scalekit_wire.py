"""Answers of the hosted API: accounts as JSON, errors as gRPC status JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from starlette.responses import JSONResponse

from scalekit_mcp.sandbox.scalekit_records import Account

CONNECTION_ID = "conn_5ca1e0000000000001"

_HTTP_OF_GRPC = {3: 400, 5: 404, 6: 409, 7: 403, 8: 429, 9: 400, 10: 409, 12: 501, 13: 500, 14: 503, 16: 401}


class Refusal(Exception):
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
    wire: dict[str, Any] = {
        "id": account.id,
        "identifier": account.identifier,
        "connector": account.connector,
        "connection_id": CONNECTION_ID,
        "provider": "OUTLOOK",
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
