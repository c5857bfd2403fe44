"""Reads the answers of tools of further connections: their data, or a failure that came with HTTP 200.

What a service answers is its own. Only what is unmistakable counts as a failure: a flag that says so, an HTTP status of
400 and more, or an error beside which there is nothing else; a word inside the data (a job that failed, a mail that
begins with "Error") is data. Pure functions.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from scalekit_mcp.calendar import microsofts_words, neutralised
from scalekit_mcp.errors import (
    AuthorizationRequired,
    Conflict,
    InvalidInput,
    OutcomeUnknown,
    PermissionMissing,
    ProviderUnavailable,
    ScalekitMCPError,
    Throttled,
)
from scalekit_mcp.scalekit.refusals import STATUS_OF_CODE
from scalekit_mcp.scalekit.rest import TOOL_ERROR, ScalekitError, safe_id
from scalekit_mcp.tools import ConnectorTool

_NOTHING = frozenset({"", "none", "null", "false", "no"})
_FLAGS = ("ok", "success", "successful")
_ERROR_FLAGS = ("iserror", "is_error", "has_error")
_STATUSES = ("status_code", "statuscode", "http_status", "httpstatus", "status", "code")
_BESIDE_AN_ERROR = frozenset(
    {*_FLAGS, *_ERROR_FLAGS, *_STATUSES, "error", "errors", "message", "error_description", "error_code", "details",
     "detail", "reason", "request_id", "requestid", "needed", "provided", "warning", "response_metadata", "type",
     "documentation_url", "execution_id"}
)  # fmt: skip
_WRAPPERS = ("response", "result", "data")
_STATUS_OF_CODE = {
    **STATUS_OF_CODE,
    "INVALID_AUTH": 401,
    "NOT_AUTHED": 401,
    "TOKEN_REVOKED": 401,
    "TOKEN_EXPIRED": 401,
    "ACCOUNT_INACTIVE": 401,
    "MISSING_SCOPE": 403,
    "RATELIMITED": 429,
}
"""Codes of the services besides those that Scalekit's own answers have."""
_REFUSED_STATUS = 400
_PAUSE_SECONDS = 30


def connector_failure(answer: Mapping[str, Any]) -> ScalekitError | None:
    """The failure that an answer with HTTP 200 tells of, as if Scalekit had refused with it."""
    for level in _levels(answer):
        found = _failure(level)
        if found is not None:
            found.execution_id = safe_id(answer.get("execution_id"))
            return found
    return None


def connector_content(data: object) -> tuple[dict[str, Any], bool]:
    """The data of an answer as a JSON object with clean texts, and whether a text was cut."""
    clean, cut = neutralised(data)
    if isinstance(clean, dict):
        return cast("dict[str, Any]", clean), cut
    return ({} if clean is None else {"result": clean}), cut


def connector_error(failure: ScalekitError, tool: ConnectorTool) -> ScalekitMCPError:
    """The error of a refusal by the service behind a connection (`TOOL_ERROR`).

    401 means that the user's grant of that connection is dead, whatever the machine's own token is worth.
    """
    said = microsofts_words(_sentence_in(failure.tool_error_message) or failure.message)
    told = f": {said}" if said else "."
    name, where = tool.name, f"The service behind '{tool.connection_name}'"
    details: dict[str, Any] = {"execution_id": failure.execution_id}
    status = failure.status
    if status in (400, 500):
        status = _STATUS_OF_CODE.get((failure.tool_error_code or "").upper(), status)
    if status == 401:
        return AuthorizationRequired(
            f"The connection '{tool.connection_name}' no longer has the user's permission.",
            status="EXPIRED",
            reason="unknown",
            **details,
        )
    if status == 403:
        return PermissionMissing(
            f"{where} does not allow {name} with the permissions that were given{told}",
            next_step="Ask the user whether they may do this there, and to open the authorization link if a "
            "permission is missing.",
            **details,
        )
    if status == 404:
        return InvalidInput(f"{where} does not find what {name} names{told}", **details)
    if status in (409, 412):
        return Conflict(
            f"{where} refuses {name} because of what it has stored{told}",
            next_step="Read what is there and decide anew.",
            **details,
        )
    if status == 429:
        pause = max(1, round(failure.retry_after_seconds or _PAUSE_SECONDS))
        return Throttled(f"{where} has had too many calls.", retry_after_seconds=pause, **details)
    if status >= 500:
        if tool.read_only:
            return ProviderUnavailable(f"{where} failed to carry out {name}{told}", **details)
        return connector_outcome_unknown(tool, said=told, **details)
    return InvalidInput(f"{where} refuses {name}{told}", **details)


def connector_outcome_unknown(tool: ConnectorTool, *, said: str = ".", **details: Any) -> OutcomeUnknown:
    """The error of a call that may have changed something and whose answer was lost or says nothing."""
    return OutcomeUnknown(
        f"Scalekit was asked to run {tool.name} on the connection '{tool.connection_name}', and no answer says what "
        f"became of it{said}",
        next_step="Look whether it was done before you repeat the call; a repeat could do it twice.",
        **details,
    )


def _levels(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The answer, its data, and what is wrapped in the data and nothing else."""
    outer = {name: value for name, value in answer.items() if name != "data"}
    found: list[dict[str, Any]] = [outer]
    data = _parsed(answer.get("data"))
    for _ in range(3):
        if not isinstance(data, dict):
            return found
        members = cast("dict[str, Any]", data)
        found.append(members)
        wrapped = [name for name in members if name in _WRAPPERS]
        if len(members) != 1 or not wrapped:
            return found
        data = _parsed(members[wrapped[0]])
    return found


def _parsed(value: object) -> object:
    if not isinstance(value, str) or not value.lstrip().startswith("{"):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _failure(level: Mapping[str, Any]) -> ScalekitError | None:
    members = {name.casefold(): value for name, value in level.items()}
    error: object = members.get("error") or members.get("errors")
    if isinstance(error, list):
        error = next(iter(cast("list[object]", error)), None)
    if isinstance(error, str) and error.strip().casefold() in _NOTHING:
        error = None
    alone = set(members) <= _BESIDE_AN_ERROR
    flagged = any(members.get(name) is False for name in _FLAGS) or any(
        members.get(name) is True for name in _ERROR_FLAGS
    )
    status = _status(members) or _status(_members(error))
    if not flagged and not (alone and (error or status)):
        return None
    text = _text_of(error) or str(members.get("message") or "")
    code = error if isinstance(error, str) else None
    return ScalekitError(status or _REFUSED_STATUS, TOOL_ERROR, tool_error_code=code, tool_error_message=text or None)


def _status(members: Mapping[str, Any]) -> int | None:
    for name in _STATUSES:
        value = members.get(name)
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) == 3:
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and 400 <= value <= 599:
            return value
    return None


def _members(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _text_of(error: object) -> str:
    if isinstance(error, str):
        return error
    members = _members(error)
    return str(members.get("message") or members.get("description") or members.get("code") or "")


def _sentence_in(text: str | None) -> str:
    """The message inside an error body, else the text itself."""
    body = _parsed(text)
    if isinstance(body, dict):
        members = cast("dict[str, Any]", body)
        return _text_of(members.get("error")) or str(members.get("message") or "")
    return text or ""
