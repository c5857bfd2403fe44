"""The properties of an event as queries see them: their kind, their value, what can be done with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scalekit_mcp.sandbox.graph.errors import GraphError, bad_request
from scalekit_mcp.sandbox.graph.shape import body_text
from scalekit_mcp.sandbox.world.mailbox import Event

Getter = Callable[[Event], Any]

EVENT_TYPE = "Microsoft.OutlookServices.Event"

# name: (kind, getter); kinds: string, boolean, int, instant (DateTimeOffset), moment (quoted date-time), or an enum
FIELDS: dict[str, tuple[str, Getter]] = {
    "subject": ("string", lambda event: event.subject),
    "bodyPreview": ("string", lambda event: body_text(event.body)[:255]),
    "start/dateTime": ("moment", lambda event: event.start.instant),
    "end/dateTime": ("moment", lambda event: event.end.instant),
    "start/timeZone": ("string", lambda event: event.start.zone),
    "end/timeZone": ("string", lambda event: event.end.zone),
    "originalStartTimeZone": ("string", lambda event: event.start.zone),
    "originalEndTimeZone": ("string", lambda event: event.end.zone),
    "originalStart": ("instant", lambda event: event.original_start),
    "createdDateTime": ("instant", lambda event: event.created),
    "lastModifiedDateTime": ("instant", lambda event: event.modified),
    "organizer/emailAddress/address": ("string", lambda event: event.organizer[1]),
    "organizer/emailAddress/name": ("string", lambda event: event.organizer[0]),
    "location/displayName": ("string", lambda event: event.location.get("displayName") or ""),
    "importance": ("importance", lambda event: event.importance),
    "sensitivity": ("sensitivity", lambda event: event.sensitivity),
    "showAs": ("freeBusyStatus", lambda event: event.show_as),
    "type": ("eventType", lambda event: event.kind),
    "responseStatus/response": ("responseType", lambda event: event.response),
    "onlineMeetingProvider": ("onlineMeetingProviderType", lambda event: event.provider),
    "isAllDay": ("boolean", lambda event: event.is_all_day),
    "isCancelled": ("boolean", lambda event: event.is_cancelled),
    "isOrganizer": ("boolean", lambda event: event.is_organizer),
    "isOnlineMeeting": ("boolean", lambda event: event.is_online),
    "isReminderOn": ("boolean", lambda event: event.is_reminder_on),
    "isDraft": ("boolean", lambda _: False),
    "hasAttachments": ("boolean", lambda _: False),
    "hideAttendees": ("boolean", lambda event: event.hide_attendees),
    "responseRequested": ("boolean", lambda event: event.response_requested),
    "allowNewTimeProposals": ("boolean", lambda event: event.allow_new_time_proposals),
    "reminderMinutesBeforeStart": ("int", lambda event: event.reminder_minutes),
    "iCalUId": ("string", lambda event: event.ical_uid),
    "transactionId": ("string", lambda event: event.transaction_id),
}
COLLECTIONS: dict[str, Getter] = {"categories": lambda event: event.categories}
NOT_FILTERABLE = frozenset({"attendees", "locations", "recurrence", "onlineMeeting", "cancelledOccurrences"})
FAILS = frozenset({"body", "extensions", "singleValueExtendedProperties", "multiValueExtendedProperties"})
_OTHER_PROPERTIES = frozenset(
    {
        "id",
        "changeKey",
        "webLink",
        "seriesMasterId",
        "onlineMeetingUrl",
        "calendar",
        "instances",
        "attachments",
        "exceptionOccurrences",
        "responseStatus",
        "start",
        "end",
        "organizer",
        "location",
        "categories",
    }
)
PROPERTIES = frozenset(name for name in FIELDS if "/" not in name) | NOT_FILTERABLE | FAILS | _OTHER_PROPERTIES
EXPANDABLE = frozenset(
    {
        "attachments",
        "extensions",
        "singleValueExtendedProperties",
        "multiValueExtendedProperties",
        "exceptionOccurrences",
        "calendar",
    }
)


def unknown_property(name: str) -> GraphError:
    """400: events have no such property."""
    return bad_request(f"Could not find a property named '{name}' on type '{EVENT_TYPE}'.")
