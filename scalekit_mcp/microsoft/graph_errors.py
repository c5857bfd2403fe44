"""Graph's refusals, as data: which of our errors each code becomes, who acts and what helps.

Sources: "Microsoft Graph error responses and resource types", the Outlook calendar pages and what Outlook answers. The
table never says anything about a connected account: one 401 or 403 of Graph proves nothing, the next refresh does.
Decisions rest on the status and the code, never on Microsoft's text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, cast

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
    WhoActs,
)
from scalekit_mcp.microsoft.text import microsofts_words

MAX_DEPTH = 8
"""How many nested `innerError` objects are read."""

FILTER_EXAMPLE = "start/dateTime ge '2026-04-01T00:00:00' and start/dateTime lt '2026-04-08T00:00:00'"
ORDERBY_EXAMPLE = "start/dateTime asc"
SELECT_EXAMPLE = "id,subject,start,end"

_TRACE_LINES = re.compile(
    r"[\r\n]+\s*(?:trace|correlation|request|client-request)[ -]id\s*:.*|[\r\n]+\s*timestamp\s*:.*", re.I | re.S
)
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,79}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
_CALENDAR_PATH = re.compile(r"/calendars/[^/]+(?:/(?:events|calendarView|instances))?$", re.I)
_EVENT_PATH = re.compile(r"/events/[^/]+", re.I)


class Means(Enum):
    """What a code means to whoever made the call."""

    NOT_FOUND = "not_found"
    BAD_ID = "bad_id"
    BAD_QUERY = "bad_query"
    BAD_PATH = "bad_path"
    BAD_VALUE = "bad_value"
    OUR_FAULT = "our_fault"
    FORBIDDEN = "forbidden"
    UNAUTHENTICATED = "unauthenticated"
    CONFLICT = "conflict"
    NO_MAILBOX = "no_mailbox"
    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"
    BY_STATUS = "by_status"
    """The code says less than the status does."""


@dataclass(frozen=True, slots=True)
class GraphErrorRow:
    """One code of Graph. `shows_reason` appends Microsoft's own sentence, cleaned, to `message`.

    `generic` codes give way to a more telling one inside them. `transient` failures pass by themselves.
    """

    code: str
    means: Means
    message: str
    next_step: str | None = None
    who_acts: WhoActs | None = None
    retryable: bool | None = None
    field: str | None = None
    shows_reason: bool = False
    generic: bool = False
    transient: bool = False


_SIMPLER_FILTER = f"Use a simpler filter, for example: {FILTER_EXAMPLE}"
_TOO_LARGE = "Shorten the description or invite fewer people."
_RETRY_LATER = "Repeat the call in a few minutes."
_REFUSED_BY_PERMISSION = (
    "Check that the calendar is the user's own or shared with write access; if a permission is missing, call authorize."
)

ROWS: tuple[GraphErrorRow, ...] = (
    GraphErrorRow("ErrorItemNotFound", Means.NOT_FOUND, ""),
    GraphErrorRow("itemNotFound", Means.NOT_FOUND, "", generic=True),
    GraphErrorRow("ErrorInvalidIdMalformed", Means.BAD_ID, ""),
    GraphErrorRow("ErrorInvalidId", Means.BAD_ID, ""),
    GraphErrorRow("RequestBroker--ParseUri", Means.BAD_PATH, ""),
    GraphErrorRow(
        "ErrorPropertyValidationFailure",
        Means.BAD_VALUE,
        "Microsoft refuses the combination of values",
        "Check that the end lies after the start, that an all-day event runs from midnight to midnight, and the zone.",
        shows_reason=True,
    ),
    GraphErrorRow("ErrorInvalidRequest", Means.BAD_VALUE, "Microsoft refuses the request", shows_reason=True),
    GraphErrorRow("ErrorInvalidParameter", Means.BAD_VALUE, "Microsoft refuses an argument", shows_reason=True),
    GraphErrorRow("ErrorInvalidArgument", Means.BAD_VALUE, "Microsoft refuses an argument", shows_reason=True),
    GraphErrorRow(
        "TimeZoneNotSupportedException",
        Means.BAD_VALUE,
        "Microsoft does not know the time zone.",
        "Use an IANA name (Europe/Berlin) or a Windows name (W. Europe Standard Time).",
        field="timezone",
    ),
    GraphErrorRow("UnableToDeserializePostBody", Means.OUR_FAULT, "Microsoft could not read the request's body."),
    GraphErrorRow("RequestBodyRead", Means.OUR_FAULT, "Microsoft refuses a property of the request's body."),
    GraphErrorRow("BadRequest", Means.BAD_QUERY, "Microsoft refuses the request", shows_reason=True, generic=True),
    GraphErrorRow("invalidRequest", Means.BAD_QUERY, "Microsoft refuses the request", shows_reason=True, generic=True),
    GraphErrorRow("ErrorInvalidUrlQuery", Means.BAD_QUERY, "Microsoft refuses the query", shows_reason=True),
    GraphErrorRow(
        "ErrorInvalidUrlQueryFilter", Means.BAD_QUERY, "Microsoft refuses the filter", field="filter", shows_reason=True
    ),
    GraphErrorRow(
        "ErrorRestrictionTooComplex",
        Means.BAD_QUERY,
        "The filter is too complex for Microsoft",
        _SIMPLER_FILTER,
        field="filter",
        shows_reason=True,
    ),
    GraphErrorRow(
        "InefficientFilter",
        Means.BAD_QUERY,
        "The filter or the order is too complex for Microsoft",
        f"Order by a property that the filter begins with, or drop orderby. {_SIMPLER_FILTER}",
        field="filter",
        shows_reason=True,
    ),
    GraphErrorRow(
        "UnsupportedEntityExpression",
        Means.BAD_QUERY,
        "Microsoft cannot filter by this property",
        f"List without this condition and select among the results. {_SIMPLER_FILTER}",
        field="filter",
        shows_reason=True,
    ),
    GraphErrorRow(
        "UnsupportedQueryOption", Means.BAD_QUERY, "Microsoft does not take this query option here", shows_reason=True
    ),
    GraphErrorRow(
        "ErrorDuplicateTransactionId",
        Means.CONFLICT,
        "The transaction_id was used before, for an event with other content.",
        "Read the existing event; to create another one, use a new transaction_id.",
    ),
    GraphErrorRow(
        "ErrorOccurrenceCrossingBoundary",
        Means.BAD_VALUE,
        "An occurrence may not move onto or past its neighbour in the series.",
        "Choose a time between the previous and the next occurrence.",
        field="start_datetime",
    ),
    GraphErrorRow(
        "ErrorCalendarEndDateIsEarlierThanStartDate",
        Means.BAD_VALUE,
        "The end lies before the start.",
        "Give an end after the start.",
        field="end_datetime",
    ),
    GraphErrorRow(
        "ErrorCalendarDurationIsTooLong", Means.BAD_VALUE, "The event is too long for Microsoft.", field="end_datetime"
    ),
    GraphErrorRow(
        "ErrorInvalidRecipients",
        Means.BAD_VALUE,
        "Microsoft refuses the address of an attendee.",
        "Check every address.",
        field="attendees_required",
    ),
    GraphErrorRow(
        "ErrorMessageSizeExceeded", Means.BAD_VALUE, "The event is too large.", _TOO_LARGE, field="body_content"
    ),
    GraphErrorRow(
        "ErrorExceededMessageLimit",
        Means.THROTTLED,
        "The mailbox has reached its limit of messages or recipients for now.",
        "Try again tomorrow, or invite fewer people.",
        who_acts="user",
        retryable=False,
    ),
    GraphErrorRow(
        "ErrorQuotaExceeded",
        Means.NO_MAILBOX,
        "The mailbox is full.",
        "The user frees space in the mailbox.",
        who_acts="user",
    ),
    GraphErrorRow(
        "quotaLimitReached",
        Means.NO_MAILBOX,
        "The mailbox has reached a limit of its size.",
        "The user frees space in the mailbox.",
        who_acts="user",
    ),
    GraphErrorRow(
        "ErrorTimeIntervalTooBig",
        Means.BAD_VALUE,
        "The time span is longer than Microsoft allows.",
        "Ask for a shorter span.",
        field="end_datetime",
    ),
    GraphErrorRow(
        "ErrorAccessDenied",
        Means.FORBIDDEN,
        "Microsoft denies access to this calendar or event.",
        _REFUSED_BY_PERMISSION,
    ),
    GraphErrorRow(
        "DelegatedCalendarAccessDenied",
        Means.FORBIDDEN,
        "The calendar's owner has not shared it with enough rights.",
        "Ask the calendar's owner for more rights, or use the user's own calendar.",
    ),
    GraphErrorRow(
        "ErrorDelegatedCalendarAccessDenied",
        Means.FORBIDDEN,
        "The calendar's owner has not shared it with enough rights.",
        "Ask the calendar's owner for more rights, or use the user's own calendar.",
    ),
    GraphErrorRow(
        "Authorization_RequestDenied",
        Means.FORBIDDEN,
        "The user's rights in the organization do not cover this call.",
        "The IT administrator checks the user's rights.",
        who_acts="it_admin",
    ),
    GraphErrorRow("accessDenied", Means.FORBIDDEN, "Microsoft denies access.", _REFUSED_BY_PERMISSION, generic=True),
    GraphErrorRow("notAllowed", Means.FORBIDDEN, "Microsoft does not allow this call.", generic=True),
    GraphErrorRow("InvalidAuthenticationToken", Means.UNAUTHENTICATED, ""),
    GraphErrorRow("unauthenticated", Means.UNAUTHENTICATED, "", generic=True),
    GraphErrorRow(
        "MailboxNotEnabledForRESTAPI",
        Means.NO_MAILBOX,
        "The Microsoft account has no Exchange Online mailbox: a guest, without licence, or hosted on-premises.",
    ),
    GraphErrorRow("ErrorNonExistentMailbox", Means.NO_MAILBOX, "The Microsoft account has no mailbox."),
    GraphErrorRow("ErrorInvalidUser", Means.NO_MAILBOX, "Microsoft Graph does not know the user."),
    GraphErrorRow(
        "ResourceNotFound", Means.NO_MAILBOX, "Microsoft Graph does not find the user's mailbox.", generic=True
    ),
    GraphErrorRow(
        "MailboxInfoStale", Means.UNAVAILABLE, "Microsoft is moving the mailbox.", _RETRY_LATER, transient=True
    ),
    GraphErrorRow(
        "ErrorMailboxMoveInProgress",
        Means.UNAVAILABLE,
        "Microsoft is moving the mailbox.",
        _RETRY_LATER,
        transient=True,
    ),
    GraphErrorRow(
        "ErrorMailboxStoreUnavailable",
        Means.UNAVAILABLE,
        "The mailbox cannot be reached at the moment.",
        _RETRY_LATER,
        transient=True,
    ),
    GraphErrorRow("ErrorIrresolvableConflict", Means.CONFLICT, "Somebody else changed the event at the same time."),
    GraphErrorRow("resourceModified", Means.CONFLICT, "Somebody else changed the event at the same time."),
    GraphErrorRow("ErrorConcurrentItemSave", Means.CONFLICT, "Somebody else changed the event at the same time."),
    GraphErrorRow("ApplicationThrottled", Means.THROTTLED, "Too many calls run on this mailbox at the same time."),
    GraphErrorRow("TooManyRequests", Means.THROTTLED, "Microsoft Graph has had too many calls."),
    GraphErrorRow("activityLimitReached", Means.THROTTLED, "Microsoft Graph has had too many calls."),
    GraphErrorRow("serviceNotAvailable", Means.UNAVAILABLE, "Microsoft Graph is not available.", transient=True),
    GraphErrorRow("ErrorServerBusy", Means.UNAVAILABLE, "Microsoft's mail service is busy.", transient=True),
    GraphErrorRow("ErrorInternalServerError", Means.UNAVAILABLE, "Microsoft's calendar service failed."),
    GraphErrorRow(
        "ErrorInternalServerTransientError", Means.UNAVAILABLE, "Microsoft's calendar service failed.", transient=True
    ),
    GraphErrorRow("extensionError", Means.UNAVAILABLE, "A part of Microsoft's calendar service failed.", generic=True),
    GraphErrorRow("UnknownError", Means.BY_STATUS, "", generic=True),
    GraphErrorRow(
        "SyncStateNotFound", Means.BAD_VALUE, "The position in the list is no longer valid.", "Begin the list again."
    ),
    GraphErrorRow(
        "resyncRequired", Means.BAD_VALUE, "The position in the list is no longer valid.", "Begin the list again."
    ),
    GraphErrorRow(
        "notSupported", Means.BAD_VALUE, "Microsoft does not support this request", shows_reason=True, generic=True
    ),
)
"""Every code with a meaning of its own."""

TABLE: Mapping[str, GraphErrorRow] = {row.code.lower(): row for row in ROWS}
"""The rows by lower-case code: Graph's casing varies."""

_STATUS_ROWS: Mapping[int, GraphErrorRow] = {
    400: GraphErrorRow("", Means.BAD_QUERY, "Microsoft refuses the request", shows_reason=True),
    401: GraphErrorRow(
        "",
        Means.NO_MAILBOX,
        "Microsoft Graph refuses the account without a reason, as it does for an account that has no mailbox.",
        "The user opens Outlook on the web once; if that fails, connect an account that has a mailbox.",
        who_acts="user",
    ),
    403: GraphErrorRow("", Means.FORBIDDEN, "Microsoft denies access.", _REFUSED_BY_PERMISSION),
    404: GraphErrorRow("", Means.NOT_FOUND, ""),
    405: GraphErrorRow("", Means.OUR_FAULT, "Microsoft Graph does not take this method here."),
    406: GraphErrorRow("", Means.OUR_FAULT, "Microsoft Graph cannot answer in this form."),
    409: GraphErrorRow("", Means.CONFLICT, "The change contradicts what Microsoft has stored."),
    410: GraphErrorRow("", Means.NOT_FOUND, ""),
    411: GraphErrorRow("", Means.OUR_FAULT, "Microsoft Graph misses the length of the request."),
    412: GraphErrorRow("", Means.CONFLICT, "Somebody else changed the event at the same time."),
    413: GraphErrorRow("", Means.BAD_VALUE, "The event is too large.", _TOO_LARGE, field="body_content"),
    415: GraphErrorRow("", Means.OUR_FAULT, "Microsoft Graph does not take this form of body."),
    416: GraphErrorRow("", Means.OUR_FAULT, "Microsoft Graph does not take this range."),
    422: GraphErrorRow("", Means.BAD_VALUE, "Microsoft refuses the values", shows_reason=True),
    423: GraphErrorRow("", Means.CONFLICT, "The event is locked by another change."),
    429: GraphErrorRow("", Means.THROTTLED, "Microsoft Graph has had too many calls."),
    501: GraphErrorRow("", Means.OUR_FAULT, "Microsoft Graph does not implement this request."),
    507: GraphErrorRow(
        "", Means.NO_MAILBOX, "The mailbox is full.", "The user frees space in the mailbox.", who_acts="user"
    ),
    509: GraphErrorRow("", Means.THROTTLED, "The mailbox has used up its bandwidth."),
}
_REFUSED = GraphErrorRow("", Means.OUR_FAULT, "Microsoft Graph refuses the request.")
_FAILED = GraphErrorRow("", Means.UNAVAILABLE, "Microsoft Graph failed.")
_REDIRECTED = GraphErrorRow(
    "",
    Means.UNAVAILABLE,
    "Microsoft Graph answers with a redirect, which is not followed.",
    "The operator checks MICROSOFT_GRAPH_URL.",
    who_acts="operator",
    retryable=False,
)

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
    """A refusal as received. `codes` run from outside inwards; `reason` is Microsoft's cleaned sentence."""

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
        known = [row for code in self.codes if (row := TABLE.get(code.lower())) is not None]
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
        row = _STATUS_ROWS.get(self.status)
        if row is not None:
            return row
        if self.status >= 500:
            return _FAILED
        return _REFUSED if self.status >= 400 else _REDIRECTED


def error_for(
    failure: GraphFailure,
    *,
    method: str,
    path: str,
    params: Mapping[str, str] | None = None,
    claims: str | None = None,
) -> ScalekitMCPError:
    """The error that a refusal becomes.

    `path` and `params` of the request tell an event from a calendar and a filter from an order. `claims` is a claims
    challenge that a fresh token did not satisfy. Details: `request_id`, `graph_code`, `graph_status`, `field`,
    `existing_event_id`.
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
        return _not_found(path, details)
    if row.means is Means.BAD_ID:
        return _bad_id(path, details)
    if row.means in {Means.BAD_QUERY, Means.BAD_PATH}:
        return _bad_query(failure, row, method, params, details)
    return _built(failure, row, params, details)


def clean_reason(message: str) -> str:
    """Microsoft's sentence on one line, without trace lines and harmful characters, at most 300 characters."""
    return microsofts_words(_TRACE_LINES.sub("", message))


def _built(
    failure: GraphFailure, row: GraphErrorRow, params: Mapping[str, str] | None, details: dict[str, Any]
) -> ScalekitMCPError:
    next_step = row.next_step
    if row.means is Means.UNAVAILABLE and failure.status == 500 and params and "$filter" in params:
        next_step = f"Microsoft also fails like this on filters it cannot evaluate. {_SIMPLER_FILTER}"
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
        return PermissionMissing(
            "Microsoft demands a stronger sign-in for this call than the connected account has.",
            next_step="Call authorize with reconnect=true; the user signs in again as Microsoft demands.",
            **details,
        )
    return ProviderUnavailable(
        "Microsoft Graph refuses an access token that Microsoft has just issued.",
        who_acts="operator",
        retryable=False,
        next_step="The operator checks that MICROSOFT_LOGIN_URL and MICROSOFT_GRAPH_URL belong to the same cloud.",
        **details,
    )


def _about(path: str) -> str | None:
    """What the id in a path names: `event`, `calendar` or neither."""
    if _CALENDAR_PATH.search(path):
        return "calendar"
    return "event" if _EVENT_PATH.search(path) else None


def _not_found(path: str, details: dict[str, Any]) -> ScalekitMCPError:
    about = _about(path)
    if about == "event":
        return EventNotFound("There is no event with this id in the mailbox; it may have been deleted.", **details)
    if about == "calendar":
        return CalendarNotFound("There is no calendar with this id in the mailbox.", **details)
    return MailboxUnavailable(
        "Microsoft Graph does not find the user's calendar; a new mailbox can take 15 minutes to appear.", **details
    )


def _bad_id(path: str, details: dict[str, Any]) -> ScalekitMCPError:
    if _about(path) == "calendar":
        return InvalidInput(
            "This is not the id of a calendar.",
            field="calendar_id",
            next_step="Leave calendar_id out to use the default calendar.",
            **details,
        )
    return InvalidInput(
        "This is not the id of an event.",
        field="event_id",
        next_step="List the events and copy an id unchanged.",
        **details,
    )


def _bad_query(
    failure: GraphFailure,
    row: GraphErrorRow,
    method: str,
    params: Mapping[str, str] | None,
    details: dict[str, Any],
) -> ScalekitMCPError:
    """A refused query names the option at fault, with an example that works."""
    option = row.field or _option(failure.reason, params or {})
    if option is None and row.means is Means.BAD_PATH:
        return InternalError("Microsoft Graph cannot read the address of the request.", **details)
    example = {
        "filter": f"A filter that works: {FILTER_EXAMPLE} (text and dates in single quotes, times in UTC)",
        "orderby": f"An order that works: {ORDERBY_EXAMPLE}",
        "select": f"Names of event properties, for example: {SELECT_EXAMPLE}",
    }.get(option or "")
    message = row.message or "Microsoft refuses the query"
    reason = f"{message}: {failure.reason}" if failure.reason else f"{message}."
    if method != "GET" and option is None and row.means is Means.BAD_QUERY:
        return InvalidInput(reason, next_step=row.next_step, **details)
    return InvalidInput(reason, field=option, next_step=row.next_step or example, **details)


def _option(reason: str, params: Mapping[str, str]) -> str | None:
    """Which option of the query is meant: the only one given, else the one Microsoft's sentence names (a hint only)."""
    given = [name for name in ("filter", "orderby", "select") if "$" + name in params]
    if len(given) <= 1:
        return next(iter(given), None)
    return next((name for name in given if name in reason.lower()), given[0])


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
