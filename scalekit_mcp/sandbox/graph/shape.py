"""Events and calendars as Graph's JSON (Graph pages "event resource type", "calendar resource type")."""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from scalekit_mcp.sandbox.graph.calendar.teams import online_providers
from scalekit_mcp.sandbox.world import World, ids
from scalekit_mcp.sandbox.world.mailbox import Attendee, Calendar, Event, Mailbox, Moment
from scalekit_mcp.sandbox.world.zones import zone_named

_PREVIEW_CHARACTERS = 255
_TAGS = re.compile(r"<[^>]*>")
_BREAKS = re.compile(r"<br\s*/?>|</(?:p|div|h[1-6]|li|tr)>", re.IGNORECASE)
_INVISIBLE = re.compile(r"<(head|style|script)\b.*?</\1\s*>", re.IGNORECASE | re.DOTALL)
_NO_CREATED = frozenset({"createdDateTime", "lastModifiedDateTime"})


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a request wants of the events in its answer; a key of the remembered JSON."""

    zone: str | None = None
    text_body: bool = False
    immutable: bool = False
    select: frozenset[str] | None = None
    expand: frozenset[str] = frozenset()
    in_view: bool = False
    extra: bool = False


def event_json(mailbox: Mailbox, event: Event, wishes: Wishes) -> str:
    """The event as a JSON object, remembered until the event changes."""
    text = event.rendered.get(wishes)
    if text is None:
        text = json.dumps(event_resource(mailbox, event, wishes), separators=(",", ":"))
        event.rendered[wishes] = text
    return text


def event_resource(mailbox: Mailbox, event: Event, wishes: Wishes) -> dict[str, Any]:
    """The event as a dictionary in the order Graph answers it."""
    full = _complete(mailbox, event, wishes)
    select = wishes.select
    if select is None:
        del full["cancelledOccurrences"]
        if event.original_start is None:
            del full["originalStart"]
        return full
    if wishes.in_view:
        select -= _NO_CREATED
        if "isOnlineMeeting" not in select:
            full["onlineMeeting"] = None
    always = {"@odata.etag", "id", *wishes.expand}
    return {name: value for name, value in full.items() if name in select or name in always}


def _complete(mailbox: Mailbox, event: Event, wishes: Wishes) -> dict[str, Any]:
    item_id = mailbox.id_of(event, immutable=wishes.immutable)
    change_key = change_key_of(mailbox, event)
    attendees = event.attendees
    if event.hide_attendees and not event.is_organizer:
        attendees = [attendee for attendee in attendees if mailbox.owner.goes_by(attendee.address)]
    full: dict[str, Any] = {
        "@odata.etag": f'W/"{change_key}"',
        "id": item_id,
        "createdDateTime": stamp(event.created),
        "lastModifiedDateTime": stamp(event.modified),
        "changeKey": change_key,
        "categories": event.categories,
        "transactionId": event.transaction_id,
        "originalStartTimeZone": event.start.zone,
        "originalEndTimeZone": event.end.zone,
        "iCalUId": event.ical_uid,
        "reminderMinutesBeforeStart": event.reminder_minutes,
        "isReminderOn": event.is_reminder_on,
        "hasAttachments": False,
        "subject": event.subject,
        "bodyPreview": body_text(event.body)[:_PREVIEW_CHARACTERS],
        "importance": event.importance,
        "sensitivity": event.sensitivity,
        "originalStart": instant(event.original_start) if event.original_start else None,
        "isAllDay": event.is_all_day,
        "isCancelled": event.is_cancelled,
        "isOrganizer": event.is_organizer,
        "responseRequested": event.response_requested,
        "seriesMasterId": mailbox.master_id_of(event, immutable=wishes.immutable),
        "showAs": event.show_as,
        "type": event.kind,
        "webLink": f"https://outlook.office365.com/owa/?itemid={quote(item_id, safe='')}&exvsurl=1&path=/calendar/item",
        "onlineMeetingUrl": None,
        "isOnlineMeeting": event.is_online,
        "onlineMeetingProvider": event.provider,
        "allowNewTimeProposals": event.allow_new_time_proposals,
        "isDraft": False,
        "hideAttendees": event.hide_attendees,
        "cancelledOccurrences": _cancelled(item_id, event),
        "recurrence": event.recurrence,
        "onlineMeeting": event.online_meeting,
        "responseStatus": _response(event.response, event.response_time),
        "body": _body(event, wishes),
        "start": _date_time(event, event.start, wishes.zone),
        "end": _date_time(event, event.end, wishes.zone),
        "location": _location(event.location),
        "locations": [_location(place) for place in event.locations],
        "attendees": [_attendee(attendee, wishes.zone) for attendee in attendees],
        "organizer": {"emailAddress": {"name": event.organizer[0], "address": event.organizer[1]}},
    }
    if wishes.extra:
        full["occurrenceId"] = (
            None if event.original_date is None else f"OID.{full['seriesMasterId']}.{event.original_date}"
        )
    for name in wishes.expand:
        full[name] = _expanded(mailbox, event, wishes, name)
    return full


def change_key_of(mailbox: Mailbox, event: Event) -> str:
    """The event's change key, the text inside its `@odata.etag`."""
    return ids.change_key(mailbox.owner.oid, f"{event.key}{event.original_date or ''}", event.version)


def _expanded(mailbox: Mailbox, event: Event, wishes: Wishes, name: str) -> Any:
    if name == "exceptionOccurrences":
        plain = Wishes(wishes.zone, wishes.text_body, wishes.immutable)
        return [event_resource(mailbox, exception, plain) for exception in event.exceptions.values()]
    if name == "calendar":
        calendar = mailbox.calendars[event.calendar_key]
        return {
            "id": mailbox.calendar_id(calendar),
            "name": calendar.name,
            "isDefaultCalendar": calendar.is_default,
            "canEdit": calendar.can_edit,
        }
    return []


def _cancelled(item_id: str, event: Event) -> list[str]:
    return [f"OID.{item_id}.{day.isoformat()}" for day in sorted(event.cancelled_dates)]


def _response(response: str, at: datetime) -> dict[str, str]:
    return {"response": response, "time": instant(at)}


def _attendee(attendee: Attendee, zone: str | None) -> dict[str, Any]:
    shaped: dict[str, Any] = {
        "type": attendee.kind,
        "status": _response(attendee.response, attendee.response_time),
        "emailAddress": {"name": attendee.name, "address": attendee.address},
    }
    if attendee.proposed is not None:
        start, end = attendee.proposed
        shaped["proposedNewTime"] = {"start": date_time_in(start, zone), "end": date_time_in(end, zone)}
    return shaped


def _location(place: dict[str, Any]) -> dict[str, Any]:
    shaped: dict[str, Any] = {"displayName": "", "locationType": "default", "uniqueIdType": "unknown"}
    shaped.update({name: value for name, value in place.items() if value is not None})
    if shaped["displayName"] and "uniqueId" not in shaped:
        shaped["uniqueId"], shaped["uniqueIdType"] = shaped["displayName"], "private"
    shaped.setdefault("address", {})
    shaped.setdefault("coordinates", {})
    return shaped


def _body(event: Event, wishes: Wishes) -> dict[str, str]:
    if wishes.text_body:
        return {"contentType": "text", "content": body_text(event.body)}
    return {"contentType": "html", "content": document(event.body)}


def _date_time(event: Event, moment: Moment, zone: str | None) -> dict[str, str]:
    if event.is_all_day:
        return {"dateTime": f"{moment.local:%Y-%m-%dT%H:%M:%S}.0000000", "timeZone": zone or "UTC"}
    return date_time_in(moment, zone)


def date_time_in(moment: Moment, zone: str | None) -> dict[str, str]:
    """A `dateTimeTimeZone` in the wished zone, UTC without one; seven fractional digits, no offset."""
    name = zone or "UTC"
    local = moment.instant if name == "UTC" else moment.instant.astimezone(zone_named(name))
    return {"dateTime": f"{local.replace(tzinfo=None).isoformat(timespec='microseconds')}0", "timeZone": name}


def instant(at: datetime) -> str:
    """A `DateTimeOffset` to the second."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def stamp(at: datetime) -> str:
    """A `DateTimeOffset` with seven fractional digits."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "0Z"


def document(fragment: str) -> str:
    """A stored body as the HTML document that Graph answers; nothing for an empty body."""
    if not fragment:
        return ""
    return (
        '<html><head><meta http-equiv="Content-Type" content="text/html; charset=utf-8"></head>'
        f"<body>{fragment}</body></html>"
    )


def body_text(fragment: str) -> str:
    """A stored body as plain text."""
    broken = _BREAKS.sub("\r\n", _INVISIBLE.sub("", fragment.replace("\r\n", "")))
    return html.unescape(_TAGS.sub("", broken)).strip()


def calendar_resource(world: World, mailbox: Mailbox, calendar: Calendar) -> dict[str, Any]:
    """A calendar as a dictionary."""
    providers = online_providers(world, mailbox)
    owner = calendar.owner or mailbox.owner
    return {
        "id": mailbox.calendar_id(calendar),
        "name": calendar.name,
        "color": calendar.color,
        "hexColor": "",
        "isDefaultCalendar": calendar.is_default,
        "changeKey": ids.change_key(mailbox.owner.oid, calendar.key, 1),
        "canShare": calendar.can_edit,
        "canViewPrivateItems": True,
        "canEdit": calendar.can_edit,
        "allowedOnlineMeetingProviders": providers,
        "defaultOnlineMeetingProvider": providers[0] if providers else "unknown",
        "isTallyingResponses": calendar.is_default,
        "isRemovable": calendar.is_removable,
        "owner": {"name": owner.name, "address": owner.address},
    }
