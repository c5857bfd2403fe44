"""Accounts and errors in the JSON format of Scalekit's API, and the OpenAPI document. Pure functions."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from importlib.resources import files
from typing import Any

from scalekit_mcp.accounts import scalekit_status
from scalekit_mcp.actions import ConnectedAccountResponse, ConnectedAccountView
from scalekit_mcp.clock import rfc3339
from scalekit_mcp.errors import (
    AuthorizationRequired,
    CalendarNotFound,
    Conflict,
    ConnectedAccountExists,
    ConnectedAccountNotFound,
    EventNotFound,
    InvalidInput,
    MailboxUnavailable,
    OutcomeUnknown,
    PermissionMissing,
    ProviderUnavailable,
    ScalekitMCPError,
    Throttled,
    VaultError,
)

ERROR_INFO = "type.googleapis.com/scalekit.v1.errdetails.ErrorInfo"
OUR_ERROR = "scalekit-mcp/error"

_STATUSES: tuple[tuple[type[ScalekitMCPError], int, int, str], ...] = (
    (ConnectedAccountNotFound, 404, 5, "RESOURCE_NOT_FOUND"),
    (ConnectedAccountExists, 409, 6, "ALREADY_EXISTS"),
    (InvalidInput, 400, 3, "INVALID_ARGUMENT"),
    (AuthorizationRequired, 400, 9, "AUTHORIZATION_REQUIRED"),
    (EventNotFound, 404, 5, "TOOL_ERROR"),
    (CalendarNotFound, 404, 5, "TOOL_ERROR"),
    (PermissionMissing, 403, 7, "TOOL_ERROR"),
    (Conflict, 409, 10, "TOOL_ERROR"),
    (MailboxUnavailable, 400, 9, "TOOL_ERROR"),
    (Throttled, 429, 8, "TOOL_ERROR"),
    (OutcomeUnknown, 504, 4, "TOOL_ERROR"),
    (ProviderUnavailable, 503, 14, "TOOL_ERROR"),
    (VaultError, 503, 14, "UNAVAILABLE"),
)


def wire_account(view: ConnectedAccountView) -> dict[str, Any]:
    """A connected account without any token; our own words stand beside Scalekit's."""
    return {
        "id": view.id,
        "identifier": view.identifier,
        "connector": view.connection_name,
        "provider": view.provider,
        "status": scalekit_status(view.status, view.reason, held=view.held),
        "authorization_type": "OAUTH",
        "token_expires_at": wire_instant(view.token_expires_at),
        "last_used_at": wire_instant(view.last_used_at),
        "updated_at": wire_instant(view.updated_at),
        "account_status": view.status,
        "reason": view.reason,
        "who_acts": view.who_acts,
        "calls_stopped": None if view.calls_stopped is None else asdict(view.calls_stopped),
        "last_authorization_error": view.last_authorization_error,
    }


def wire_details(found: ConnectedAccountResponse) -> dict[str, Any]:
    """A connected account with the apps that may use it."""
    return {**wire_account(found.connected_account), "grants": [grant.to_dict() for grant in found.grants]}


def wire_instant(value: datetime | None) -> str | None:
    """RFC 3339 in UTC; None for what has no time."""
    return None if value is None else rfc3339(value)


def wire_error(error: ScalekitMCPError, *, execution_id: str | None = None) -> tuple[int, dict[str, Any]]:
    """The HTTP status and the body (the gRPC status as JSON) of one of our errors."""
    status, code, error_code = next(
        ((status, code, name) for kind, status, code, name in _STATUSES if isinstance(error, kind)),
        (500, 13, "INTERNAL"),
    )
    info: dict[str, Any] = {}
    field = error.details.get("field")
    if isinstance(error, InvalidInput) and field:
        violation = {"field": field, "description": error.message, "constraint": ""}
        info["validation_error_info"] = {"field_violations": [violation]}
    if error_code == "TOOL_ERROR":
        told = {"execution_id": execution_id or "", "tool_error_code": error.code, "tool_error_message": error.message}
        info["tool_error_info"] = told
    return status, error_body(code, error.message, error_code, error=error.to_dict(), **info)


def error_body(
    code: int, message: str, error_code: str, *, error: dict[str, Any] | None = None, **info: Any
) -> dict[str, Any]:
    """The body of an error."""
    details: list[dict[str, Any]] = [{"@type": ERROR_INFO, "error_code": error_code, **info}]
    if error is not None:
        details.append({"@type": OUR_ERROR, "error": error})
    return {"code": code, "message": message, "details": details}


def openapi_document(*, public_url: str, base_path: str, version: str, proxy: bool) -> dict[str, Any]:
    """The OpenAPI 3.1 description of the routes, as `openapi.json` beside this module has it.

    Paths that `servers` stands beside are those below the public address itself; `proxy`: that one is served.
    """
    document = json.loads(files("scalekit_mcp.server.rest").joinpath("openapi.json").read_text("utf-8"))
    document["info"]["version"] = version
    document["servers"] = [{"url": public_url + base_path}]
    if not proxy:
        del document["paths"]["/proxy/{path}"]
    for item in document["paths"].values():
        if "servers" in item:
            item["servers"] = [{"url": public_url or "/"}]
    return document
