"""The argument models of the toolset `calendar`.

A field is a parameter; its `Parameter` holds schema, description and reading.
"""

# The parameters carry the names of the published catalogue, some of them in camelCase:
# ruff: noqa: N815

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, ClassVar

from scalekit_mcp.tools import parameters as p
from scalekit_mcp.tools.base import Arguments
from scalekit_mcp.tools.calendar import checks
from scalekit_mcp.tools.inputs.people import Attendee
from scalekit_mcp.tools.inputs.recurrence import RANGE_TYPES, SHORT_TYPES, TYPES, WEEK_INDEXES, WEEKDAYS, Recurrence
from scalekit_mcp.tools.remarks import Remarks

MAXIMUM_BODY = 100_000
"""Most characters of a description: far more than anybody reads, and little enough to be read while others wait."""

_ZONE = "IANA or Windows zone name, e.g. America/New_York."
_WINDOW_ZONE = p.zone("Zone of the window and of the times in the answer.", "start_datetime", "end_datetime")
_CALENDAR_ID = p.calendar("Another calendar than the default one, by id or name.")
_FILTER = (
    "OData, e.g. startswith(subject,'All'), in a window too; only there "
    "attendees/any(a:a/emailAddress/address eq 'x@y.com'). Dates quoted, in UTC."
)
_EVENT_ID = p.identifier_of("Id, as list or create gave it.")
_APPLY_TO = p.choice("this: the event of the id. series: all. following: it and later.", "this", "series", "following")
_DISCARD = p.boolean("Accept the loss of edited dates.")


class EventFields(Arguments):
    """What create and update share: every property of an event that may be given."""

    body_content: Annotated[str | None, p.body("Description.", MAXIMUM_BODY)] = None
    body_contentType: Annotated[str | None, p.choice("Default text.", "text", "html")] = None
    location: Annotated[str | None, p.place("Name of the place; books no room.", 1024)] = None
    locations: Annotated[
        tuple[dict[str, Any], ...] | None,
        p.locations("Several: JSON array of {displayName, address{street, city, ...}, coordinates}."),
    ] = None
    attendees_required: Annotated[
        tuple[Attendee, ...] | None, p.attendees("Comma-separated addresses; each is mailed an invitation.")
    ] = None
    attendees_optional: Annotated[tuple[Attendee, ...] | None, p.attendees("Comma-separated addresses.")] = None
    attendees_resource: Annotated[
        tuple[Attendee, ...] | None, p.attendees("Rooms and equipment to book, by address.")
    ] = None
    hideAttendees: Annotated[bool | None, p.boolean("Attendees see only themselves.")] = None
    isAllDay: Annotated[bool | None, p.boolean("Whole days: midnight to midnight, end exclusive, one zone.")] = None
    isOnlineMeeting: Annotated[bool | None, p.boolean("Adds a meeting link (Teams).")] = None
    onlineMeetingProvider: Annotated[
        str | None,
        p.choice("Default: the calendar's own.", "teamsForBusiness", "skypeForBusiness", "skypeForConsumer"),
    ] = None
    isReminderOn: Annotated[bool | None, p.boolean("Remind before the start.")] = None
    reminderMinutesBeforeStart: Annotated[int | None, p.integer("Minutes.", 0, 525_600)] = None
    importance: Annotated[str | None, p.choice("Default normal.", "low", "normal", "high")] = None
    sensitivity: Annotated[
        str | None,
        p.choice("private hides subject and details from others.", "normal", "personal", "private", "confidential"),
    ] = None
    showAs: Annotated[
        str | None,
        p.choice("Shown to others; default busy.", "free", "tentative", "busy", "oof", "workingElsewhere"),
    ] = None
    categories: Annotated[tuple[str, ...] | None, p.categories("Comma-separated names.")] = None
    recurrence_type: Annotated[
        str | None,
        p.choice("absolute: by day of month. relative: by weekday and week_index.", *TYPES, also=SHORT_TYPES),
    ] = None
    recurrence_interval: Annotated[int | None, p.integer("Every n days, weeks, months or years.", 1, 999)] = None
    recurrence_days_of_week: Annotated[tuple[str, ...] | None, p.weekdays("Comma-separated, e.g. monday,friday.")] = (
        None
    )
    recurrence_day_of_month: Annotated[int | None, p.integer("For absolute types.", 1, 31)] = None
    recurrence_month: Annotated[int | None, p.integer("For yearly types.", 1, 12)] = None
    recurrence_week_index: Annotated[str | None, p.choice("For relative types.", *WEEK_INDEXES)] = None
    recurrence_first_day_of_week: Annotated[
        str | None, p.choice("For weekly with an interval; default sunday.", *WEEKDAYS)
    ] = None
    recurrence_range_type: Annotated[str | None, p.choice("Follows from end_date or occurrences.", *RANGE_TYPES)] = None
    recurrence_start_date: Annotated[date | None, p.date("Date of the first event.")] = None
    recurrence_end_date: Annotated[date | None, p.date("Last possible date.")] = None
    recurrence_occurrences: Annotated[int | None, p.integer("Number of events.", 1, 999)] = None
    only_if_free: Annotated[
        bool | None, p.boolean("Refuse if the user has another event then; a check before the write, no lock.")
    ] = None

    @property
    def recurrence(self) -> Recurrence | None:
        """The recurrence parameters as one value; None if none was given."""
        value = checks.recurrence_of({name: getattr(self, name) for name in self.given})
        return value if value.given() else None


class CreateCalendarEvent(EventFields):
    """Arguments of `outlook_create_calendar_event`; `recurrence` is complete."""

    tool_name: ClassVar[str] = "outlook_create_calendar_event"

    subject: Annotated[str, p.text("Title.", 255, literal=True)]
    start_datetime: Annotated[
        datetime, p.local_datetime("Local start, e.g. 2026-04-01T10:00:00, no offset.", "start_timezone")
    ]
    start_timezone: Annotated[str, p.zone(_ZONE, "start_datetime")]
    end_datetime: Annotated[datetime, p.local_datetime("Local end, after the start.", "end_timezone")]
    end_timezone: Annotated[str, p.zone(_ZONE, "end_datetime")]
    responseRequested: Annotated[bool | None, p.boolean("Ask attendees for an answer; default true.")] = None
    allowNewTimeProposals: Annotated[bool | None, p.boolean("Attendees may propose other times; default true.")] = None
    calendar_id: Annotated[str | None, _CALENDAR_ID] = None
    transaction_id: Annotated[str | None, p.text("Your own key: repeating a call with it cannot book twice.", 255)] = (
        None
    )

    @property
    def recurrence(self) -> Recurrence | None:
        """The whole recurrence: what was not said follows from the start."""
        value = super().recurrence
        return None if value is None else value.complete(self.start_datetime.date())

    @classmethod
    def check(cls, read: dict[str, Any]) -> Remarks:
        """See `Arguments.check`."""
        return checks.check_create(read)


class GetCalendarEvent(Arguments):
    """Arguments of `outlook_get_calendar_event`."""

    tool_name: ClassVar[str] = "outlook_get_calendar_event"

    event_id: Annotated[str, _EVENT_ID]
    select: Annotated[tuple[str, ...] | None, p.select("Comma-separated properties; default: all that matter.")] = None
    timezone: Annotated[str | None, p.zone("Zone of the times in the answer.")] = None
    body_format: Annotated[str, p.choice("Format of the body; default text.", "text", "html")] = "text"


class ListCalendarEvents(Arguments):
    """Arguments of `outlook_list_calendar_events`: OData, or a window, or the `page` of an earlier answer."""

    tool_name: ClassVar[str] = "outlook_list_calendar_events"

    start_datetime: Annotated[
        datetime | None, p.local_datetime("Window start, local, e.g. 2026-04-01T00:00:00.", "timezone")
    ] = None
    end_datetime: Annotated[datetime | None, p.local_datetime("Window end, exclusive.", "timezone")] = None
    timezone: Annotated[str | None, _WINDOW_ZONE] = None
    filter: Annotated[str | None, p.text(_FILTER, 4096, publish=False)] = None
    select: Annotated[tuple[str, ...] | None, p.select("Comma-separated properties.")] = None
    orderby: Annotated[str | None, p.orderby("E.g. start/dateTime asc.")] = None
    top: Annotated[int, p.integer("Most events in this answer; default 20.", 1, 1000)] = 20
    skip: Annotated[int | None, p.integer("Events to skip; not with a window.", 0, 1_000_000)] = None
    calendar_id: Annotated[str | None, _CALENDAR_ID] = None
    page: Annotated[str | None, p.text("next_page of the previous answer; enough alone.", 16_384, publish=False)] = None

    @classmethod
    def check(cls, read: dict[str, Any]) -> Remarks:
        """See `Arguments.check`."""
        return checks.check_list(read)


class UpdateCalendarEvent(EventFields):
    """Arguments of `outlook_update_calendar_event`; only what is given changes, `recurrence` may be partial."""

    tool_name: ClassVar[str] = "outlook_update_calendar_event"
    empty_list_means_something: ClassVar[bool] = True

    event_id: Annotated[str, _EVENT_ID]
    subject: Annotated[str | None, p.text("Title.", 255, literal=True)] = None
    start_datetime: Annotated[
        datetime | None, p.local_datetime("Local start; alone, the duration is kept.", "start_timezone")
    ] = None
    start_timezone: Annotated[str | None, p.zone("Needed with start_datetime.", "start_datetime")] = None
    end_datetime: Annotated[
        datetime | None, p.local_datetime("Local end; alone, the start is kept.", "end_timezone")
    ] = None
    end_timezone: Annotated[str | None, p.zone("Needed with end_datetime.", "end_datetime")] = None
    attendees_add: Annotated[tuple[Attendee, ...] | None, p.attendees("People to invite as required, in addition.")] = (
        None
    )
    attendees_add_optional: Annotated[tuple[Attendee, ...] | None, p.attendees("The same as optional.")] = None
    attendees_remove: Annotated[tuple[str, ...] | None, p.addresses("Addresses to uninvite.")] = None
    clear: Annotated[tuple[str, ...] | None, p.clear("Names to empty: " + ", ".join(p.CLEARABLE) + ".")] = None
    apply_to: Annotated[str | None, _APPLY_TO] = None
    discard_exceptions: Annotated[bool | None, _DISCARD] = None

    @classmethod
    def check(cls, read: dict[str, Any]) -> Remarks:
        """See `Arguments.check`."""
        return checks.check_update(read)


class DeleteCalendarEvent(Arguments):
    """Arguments of `outlook_delete_calendar_event`."""

    tool_name: ClassVar[str] = "outlook_delete_calendar_event"

    event_id: Annotated[str, _EVENT_ID]
    cancellation_message: Annotated[
        str | None, p.text("Organizer only: text mailed to the attendees.", 10_000, one_line=False, publish=False)
    ] = None
    permanent: Annotated[bool | None, p.boolean("Purge instead of Deleted Items.")] = None
    apply_to: Annotated[str | None, _APPLY_TO] = None
    discard_exceptions: Annotated[bool | None, _DISCARD] = None

    @classmethod
    def check(cls, read: dict[str, Any]) -> Remarks:
        """See `Arguments.check`."""
        return checks.check_delete(read)


class Authorize(Arguments):
    """Arguments of `authorize`."""

    tool_name: ClassVar[str] = "authorize"

    reconnect: Annotated[bool | None, p.boolean("Sign in anew although connected, or with another account.")] = None
    confirmation_code: Annotated[
        str | None, p.confirmation_code("The 8 characters that the page showed to the user.")
    ] = None

    @classmethod
    def check(cls, read: dict[str, Any]) -> Remarks:
        """See `Arguments.check`."""
        return checks.check_authorize(read)
