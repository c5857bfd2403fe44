"""Graph's error codes, as data: what each means to whoever made the call.

Sources: "Microsoft Graph error responses and resource types", the Outlook calendar pages and what Outlook answers. The
table never says anything about a connected account: one 401 or 403 of Graph proves nothing, the next refresh does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from scalekit_mcp.errors import WhoActs

FILTER_EXAMPLE = "start/dateTime ge '2026-04-01T00:00:00' and start/dateTime lt '2026-04-08T00:00:00'"
ORDERBY_EXAMPLE = "start/dateTime asc"
SELECT_EXAMPLE = "id,subject,start,end"


class Means(Enum):
    """Which of our errors a code becomes."""

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


SIMPLER_FILTER = f"Use a simpler filter, for example: {FILTER_EXAMPLE}"
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
        SIMPLER_FILTER,
        field="filter",
        shows_reason=True,
    ),
    GraphErrorRow(
        "InefficientFilter",
        Means.BAD_QUERY,
        "The filter or the order is too complex for Microsoft",
        f"Order by a property that the filter begins with, or drop orderby. {SIMPLER_FILTER}",
        field="filter",
        shows_reason=True,
    ),
    GraphErrorRow(
        "UnsupportedEntityExpression",
        Means.BAD_QUERY,
        "Microsoft cannot filter by this property",
        f"List without this condition and select among the results. {SIMPLER_FILTER}",
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
    GraphErrorRow(
        "notAllowed", Means.FORBIDDEN, "Microsoft does not allow this call.", _REFUSED_BY_PERMISSION, generic=True
    ),
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

GRAPH_ERRORS: Mapping[str, GraphErrorRow] = {row.code.lower(): row for row in ROWS}
"""The rows by lower-case code: Graph's casing varies."""

STATUS_ROWS: Mapping[int, GraphErrorRow] = {
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
REFUSED = GraphErrorRow("", Means.OUR_FAULT, "Microsoft Graph refuses the request.")
FAILED = GraphErrorRow("", Means.UNAVAILABLE, "Microsoft Graph failed.")
REDIRECTED = GraphErrorRow(
    "",
    Means.UNAVAILABLE,
    "Microsoft Graph answers with a redirect, which is not followed.",
    "The operator checks MICROSOFT_GRAPH_URL.",
    who_acts="operator",
    retryable=False,
)
