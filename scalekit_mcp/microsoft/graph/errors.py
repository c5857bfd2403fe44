"""Reads Graph's error answers and translates them into our errors.

Decisions rest on the status and the code, never on Microsoft's text. Source: "Microsoft Graph error responses and
resource types".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, cast

from scalekit_mcp.calendar import MalformedEventId, microsofts_words
from scalekit_mcp.errors import (
    CalendarNotFound,
    Conflict,
    EventNotFound,
    InternalError,
    InvalidInput,
    MailboxUnavailable,
    PermissionMissing,
    ProviderUnavailable,
    ScalekitMCPError,
    Throttled,
)
from scalekit_mcp.microsoft.graph.error_table import (
    FAILED,
    FILTER_EXAMPLE,
    GRAPH_ERRORS,
    ORDERBY_EXAMPLE,
    REDIRECTED,
    REFUSED,
    SELECT_EXAMPLE,
    SIMPLER_FILTER,
    STATUS_ROWS,
    GraphErrorRow,
    Means,
)
from scalekit_mcp.microsoft.graph.requests import Named, Subject

__all__ = ["GRAPH_ERRORS", "GraphFailure", "Means", "clean_reason", "error_for"]

MAX_DEPTH = 8
"""How many nested `innerError` objects are read."""

_LONGEST_REASON = 4_000
"""Characters of an explanation that are looked at; what is shown of it is far shorter."""

_TRACE_LINE = re.compile(r"(?:(?:trace|correlation|request|client-request)[ -]id|timestamp)\s{0,9}:", re.I)
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,79}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{1,64}")


_ERROR_OF: Mapping[Means, type[ScalekitMCPError]] = {
    Means.BAD_VALUE: InvalidInput,
    Means.OUR_FAULT: InternalError,
    Means.FORBIDDEN: PermissionMissing,
    Means.CONFLICT: Conflict,
    Means.NO_MAILBOX: MailboxUnavailable,
    Means.THROTTLED: Throttled,
    Means.UNAVAILABLE: ProviderUnavailable,
}


@dataclass(frozen=True, slots=True)
class GraphFailure:
    """An error answer. `codes` go from the outer to the inner error; `reason` is Microsoft's sentence, cleaned."""

    status: int
    codes: tuple[str, ...] = ()
    reason: str = field(default="", repr=False)
    request_id: str | None = None
    existing_event_id: str | None = None

    @classmethod
    def read(cls, status: int, content: bytes, request_id: str | None = None) -> GraphFailure:
        """Read an error body, whatever it is: JSON, HTML, or nothing."""
        try:
            body: object = json.loads(content) if content else None
        except (ValueError, RecursionError):
            body = None
        error = _member(body, "error")
        if error is None:
            return cls(status, request_id=_clean_request_id(request_id))
        levels = list(_levels(error))
        codes = [code for level in levels if isinstance(code := level.get("code"), str) and _CODE.fullmatch(code)]
        inner_ids = [value for level in levels if isinstance(value := level.get("request-id"), str)]
        message = error.get("message")
        return cls(
            status,
            tuple(codes),
            clean_reason(message) if isinstance(message, str) else "",
            _clean_request_id(request_id or next(iter(inner_ids), None)),
            _existing_event_id(levels),
        )

    @property
    def row(self) -> GraphErrorRow:
        """The table's row: the first telling code from outside inwards, else the first generic one, else the status."""
        known = [row for code in self.codes if (row := GRAPH_ERRORS.get(code.lower())) is not None]
        chosen = next((row for row in known if not row.generic), None) or next(iter(known), None)
        if chosen is None or chosen.means is Means.BY_STATUS:
            return self._row_of_status()
        if chosen.generic and self.status in {401, 429} and chosen.means is not Means.UNAUTHENTICATED:
            return self._row_of_status()
        return chosen

    @property
    def code(self) -> str:
        """The code that decided, in Microsoft's spelling; the status if there is none."""
        return self.row.code or next(iter(self.codes), f"HTTP {self.status}")

    @property
    def transient(self) -> bool:
        """Whether Microsoft says that the failure passes by itself."""
        return self.row.transient

    def _row_of_status(self) -> GraphErrorRow:
        row = STATUS_ROWS.get(self.status)
        if row is not None:
            return row
        if self.status >= 500:
            return FAILED
        return REFUSED if self.status >= 400 else REDIRECTED


def error_for(failure: GraphFailure, subject: Subject, *, claims: str | None = None) -> ScalekitMCPError:
    """The exception for an error answer of Graph.

    `subject` tells an event from a calendar and a filter from an order. `claims` is a claims challenge that a fresh
    token did not satisfy. Details: `request_id`, `graph_code`, `graph_status`, `field`, `existing_event_id`.
    """
    details: dict[str, Any] = {
        "request_id": failure.request_id,
        "graph_code": failure.code,
        "graph_status": failure.status,
        "existing_event_id": failure.existing_event_id,
    }
    row = failure.row
    if claims is not None or row.means is Means.UNAUTHENTICATED:
        return _unauthenticated(claims, details)
    if row.means is Means.NOT_FOUND:
        return _not_found(subject.about, details)
    if row.means is Means.BAD_ID or (row.means is Means.BAD_PATH and subject.alone):
        return _bad_id(subject.about, details)
    if row.means in {Means.BAD_QUERY, Means.BAD_PATH}:
        return _bad_query(failure, row, subject, details)
    return _built(failure, row, subject, details)


def clean_reason(message: str) -> str:
    """Microsoft's sentence on one line, without trace lines and harmful characters, at most 300 characters."""
    first, *others = message[:_LONGEST_REASON].lstrip("\r\n").splitlines() or [""]
    told = takewhile(lambda line: _TRACE_LINE.match(line.lstrip()) is None, others)
    return microsofts_words("\n".join([first, *told]))


def _built(failure: GraphFailure, row: GraphErrorRow, subject: Subject, details: dict[str, Any]) -> ScalekitMCPError:
    next_step = row.next_step
    if row.means is Means.UNAVAILABLE and failure.status == 500 and "filter" in subject.options:
        next_step = f"Microsoft also fails like this on filters it cannot evaluate. {SIMPLER_FILTER}"
    if row.field is not None:
        details["field"] = row.field
    return _ERROR_OF[row.means](
        _with_reason(row, failure),
        next_step=next_step,
        who_acts=row.who_acts,
        retryable=row.retryable,
        **details,
    )


def _with_reason(row: GraphErrorRow, failure: GraphFailure) -> str:
    if not row.shows_reason:
        return row.message
    return f"{row.message}: {failure.reason}" if failure.reason else f"{row.message}."


def _unauthenticated(claims: str | None, details: dict[str, Any]) -> ScalekitMCPError:
    if claims is not None:
        missing = PermissionMissing(
            "Microsoft demands a stronger sign-in for this call than the connected account has.",
            next_step="Ask the user to open the authorization link and to sign in as Microsoft demands, then repeat "
            "the call; without a link, call authorize with reconnect=true.",
            **details,
        )
        missing.claims = claims
        return missing
    return ProviderUnavailable(
        "Microsoft Graph refuses an access token that Microsoft has just issued.",
        who_acts="operator",
        retryable=False,
        next_step="The operator checks that MICROSOFT_LOGIN_URL and MICROSOFT_GRAPH_URL belong to the same cloud.",
        **details,
    )


def _not_found(about: Named | None, details: dict[str, Any]) -> ScalekitMCPError:
    if about == "event":
        return EventNotFound("There is no event with this id in the mailbox; it may have been deleted.", **details)
    if about == "calendar":
        return CalendarNotFound("There is no calendar with this id in the mailbox.", **details)
    return MailboxUnavailable(
        "Microsoft Graph does not find the user's calendar; a new mailbox can take 15 minutes to appear.", **details
    )


def _bad_id(about: Named | None, details: dict[str, Any]) -> ScalekitMCPError:
    if about == "calendar":
        return InvalidInput(
            "This is not the id of a calendar.",
            field="calendar_id",
            next_step="Leave calendar_id out to use the default calendar.",
            **details,
        )
    if about is None:
        return InvalidInput("Microsoft does not recognise an id in the request.", **details)
    return MalformedEventId(
        "This is not the id of an event: an id has to be given whole and unchanged.",
        field="event_id",
        next_step="List the events and copy the id unchanged.",
        **details,
    )


def _bad_query(
    failure: GraphFailure, row: GraphErrorRow, subject: Subject, details: dict[str, Any]
) -> ScalekitMCPError:
    """A refused query names the option at fault, with an example that works."""
    option = row.field or _option(failure.reason, subject.options)
    if option is None and row.means is Means.BAD_PATH:
        return InternalError("Microsoft Graph cannot read the address of the request.", **details)
    example = {
        "filter": (
            f"A filter that works: {FILTER_EXAMPLE} (text and dates in single quotes, a quote inside text doubled, "
            "times in UTC)"
        ),
        "orderby": f"An order that works: {ORDERBY_EXAMPLE}",
        "select": f"Names of event properties, for example: {SELECT_EXAMPLE}",
    }.get(option or "")
    message = row.message or "Microsoft refuses the query"
    reason = f"{message}: {failure.reason}" if failure.reason else f"{message}."
    if not subject.reads and option is None and row.means is Means.BAD_QUERY:
        return InvalidInput(reason, next_step=row.next_step, **details)
    return InvalidInput(reason, field=option, next_step=row.next_step or example, **details)


def _option(reason: str, options: frozenset[str]) -> str | None:
    """Which option of the query is meant: the one Microsoft's sentence names (a hint only), else the caller's first.

    A `$select` may be our own, so only the sentence can blame it.
    """
    given = [name for name in ("filter", "orderby", "select") if name in options]
    named = next((name for name in given if name in reason.lower()), None)
    return named or next((name for name in given if name != "select"), None)


def _member(value: object, name: str) -> dict[str, Any] | None:
    """The object member `name` of a JSON object, its name compared without case."""
    if not isinstance(value, dict):
        return None
    for key, member in cast("dict[str, Any]", value).items():
        if key.lower() == name and isinstance(member, dict):
            return cast("dict[str, Any]", member)
    return None


def _levels(error: dict[str, Any]) -> Iterator[dict[str, Any]]:
    level: dict[str, Any] | None = error
    for _ in range(MAX_DEPTH):
        if level is None:
            return
        yield level
        level = _member(level, "innererror")


def _existing_event_id(levels: list[dict[str, Any]]) -> str | None:
    """The event that a reused transaction id belongs to, wherever Outlook puts it."""
    for level in levels:
        for key, value in level.items():
            if key.lower() in {"@event.existingeventid", "existingeventid"} and isinstance(value, str) and value:
                return value[:1024]
    return None


def _clean_request_id(value: str | None) -> str | None:
    return value if value is not None and _REQUEST_ID.fullmatch(value) else None
