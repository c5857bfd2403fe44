"""Microsoft's errors inside hosted tool calls, translated by the same table as errors of Graph itself.

Also the errors of a change of which it is not known, or not known exactly, what it did.
"""

from __future__ import annotations

import re

from scalekit_mcp.errors import AuthorizationRequired, Conflict, OutcomeUnknown, ScalekitMCPError, Throttled
from scalekit_mcp.microsoft import GRAPH_ERRORS, GraphFailure, Subject, clean_reason, error_for
from scalekit_mcp.scalekit.rest import ScalekitError

ACCEPTS_LOSS = "discard_exceptions"
"""The parameter by which a server of this product is told that edited dates of a series may be lost."""

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9._-]{3,79}")
STATUS_OF_CODE = {
    "UNAUTHORIZED": 401,
    "UNAUTHENTICATED": 401,
    "FORBIDDEN": 403,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "CONFLICT": 409,
    "RATE_LIMITED": 429,
}
_PAUSE_SECONDS = 30


def provider_error(failure: ScalekitError, subject: Subject) -> ScalekitMCPError:
    """The error of a refusal by Microsoft (`TOOL_ERROR`).

    401 means that the user's grant is dead, whatever the machine's own token is worth.
    """
    graph = graph_failure(failure)
    if graph.status == 401:
        return AuthorizationRequired(
            "Microsoft no longer accepts the permission of this account.",
            status="EXPIRED",
            reason="unknown",
            execution_id=failure.execution_id,
        )
    if failure.asks_for == ACCEPTS_LOSS:
        return Conflict(
            clean_reason(failure.message) or "This change would undo edits of single dates of the series.",
            next_step="Ask the user; to accept the loss, repeat the call with discard_exceptions=true.",
            field=ACCEPTS_LOSS,
            execution_id=failure.execution_id,
        )
    error = error_for(graph, subject)
    error.details["execution_id"] = failure.execution_id
    if isinstance(error, Throttled):
        pause = failure.retry_after_seconds or _PAUSE_SECONDS
        error.details.setdefault("retry_after_seconds", max(1, round(pause)))
    error.details = {name: value for name, value in error.details.items() if value is not None}
    return error


def graph_failure(failure: ScalekitError) -> GraphFailure:
    """Graph's refusal as far as it can be told from Scalekit's: its error body, else a code that its text names."""
    said = failure.tool_error_message or failure.message
    status = failure.status
    if status in (400, 500):
        status = STATUS_OF_CODE.get((failure.tool_error_code or "").upper(), status)
    brace = said.find("{")
    if brace >= 0:
        read = GraphFailure.read(status, said[brace:].encode(errors="replace"))
        if read.codes:
            return GraphFailure(_status_of(read, status), read.codes, read.reason, read.request_id)
    words = [failure.tool_error_code or "", *_WORD.findall(said)]
    codes = tuple(dict.fromkeys(word for word in words if word.lower() in GRAPH_ERRORS))
    found = GraphFailure(status, codes, clean_reason(said))
    return GraphFailure(_status_of(found, status), codes, found.reason)


def _status_of(failure: GraphFailure, status: int) -> int:
    """A known code of a refusal is never a server's failure, although it may arrive as one."""
    if status == 500 and failure.codes and failure.codes[0].lower() == "invalidauthenticationtoken":
        return 401
    return status


def outcome_unknown(what: str, *, execution_id: str | None = None) -> OutcomeUnknown:
    """The error of a change whose answer was lost and that nothing settles."""
    return OutcomeUnknown(
        f"Scalekit was asked to {what}, but no answer came back: it may or may not have been done.",
        next_step="Look at the calendar before you repeat the change; a repeat could do it twice.",
        execution_id=execution_id,
    )


def created_unread(*, execution_id: str | None) -> OutcomeUnknown:
    """The error of a create that was carried out and whose answer shows no event, so that there is no id to give."""
    return OutcomeUnknown(
        "The event was created: Scalekit carried the call out. Its answer could not be read, so that the event's id "
        "is not known.",
        next_step="Do not create the event again, that would book it twice: list the events of its day to find it.",
        execution_id=execution_id,
    )


def changed_unread(what: str, *, execution_id: str | None) -> OutcomeUnknown:
    """The error of a change that was carried out, after which the event could not be read."""
    return OutcomeUnknown(
        f"Scalekit carried out the call to {what}, but the event could not be read afterwards.",
        next_step="Do not repeat the change: read the event in a minute to see it.",
        execution_id=execution_id,
    )
