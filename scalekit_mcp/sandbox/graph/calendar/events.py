"""Creating, changing and removing events (Graph pages "Create event", "Update event", "Delete event")."""

from __future__ import annotations

import hashlib
import html
import json
import re
from copy import deepcopy
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from scalekit_mcp.sandbox.graph.calendar import recurrence as recurring
from scalekit_mcp.sandbox.graph.calendar import teams
from scalekit_mcp.sandbox.graph.calendar.meetings import MailboxFinder, Meetings, except_occurrence
from scalekit_mcp.sandbox.graph.calendar.schema import WRITABLE
from scalekit_mcp.sandbox.graph.calendar.store import dates_of, master_of
from scalekit_mcp.sandbox.graph.calendar.validation import (
    check_attendees,
    check_span,
    checked,
    complete_recurrence,
    moment,
)
from scalekit_mcp.sandbox.graph.errors import GraphError, access_denied, invalid_request, item_not_found
from scalekit_mcp.sandbox.world import World
from scalekit_mcp.sandbox.world.mailbox import LAST_YEAR, Attendee, Calendar, Event, Mailbox, Moment

_SCRIPT = re.compile(
    r"<(script|style|iframe|object|embed)\b.*?(?:</\1\s*>|$)|\son\w+\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s>]+)",
    re.IGNORECASE | re.DOTALL,
)
_DOCUMENT = re.compile(r"^.*?<body[^>]*>|</body\s*>.*$", re.IGNORECASE | re.DOTALL)
_PLAIN = {
    "subject": "subject",
    "responseRequested": "response_requested",
    "allowNewTimeProposals": "allow_new_time_proposals",
    "hideAttendees": "hide_attendees",
    "isReminderOn": "is_reminder_on",
    "reminderMinutesBeforeStart": "reminder_minutes",
    "showAs": "show_as",
    "sensitivity": "sensitivity",
    "importance": "importance",
    "categories": "categories",
}
_INHERITED = (*_PLAIN.values(), "body", "location", "locations", "attendees", "is_online", "provider", "online_meeting")
"""What an exception shares with its series until it has a value of its own."""
_OWN_MATTERS = frozenset({"isReminderOn", "reminderMinutesBeforeStart", "showAs", "categories", "sensitivity"})
"""What only concerns the mailbox itself: attendees are not mailed about it."""


class Events:
    """Writes to one world's mailboxes; every method takes the signed-in person's mailbox."""

    def __init__(self, world: World, mailboxes: MailboxFinder) -> None:
        self._world = world
        self.meetings = Meetings(world, mailboxes)

    def create(self, mailbox: Mailbox, calendar: Calendar, body: Any) -> Event:
        """A new event from a request's body, or the earlier one of the same transactionId.

        Raises:
            GraphError: 400, the body is refused, or the transactionId made another event; 403, read-only calendar.
        """
        if not calendar.can_edit:
            raise access_denied()
        switches = self._world.switches
        given = checked(body, "event", keep_unknown=switches.undeclared_properties != "refuse")
        transaction_id = given.get("transactionId")
        fingerprint = _fingerprint(calendar, body)
        if transaction_id:
            earlier = self._earlier(mailbox, transaction_id, fingerprint)
            if earlier is not None:
                return earlier
        now = self._world.clock.now()
        start, end = self._span_of_new(given, now)
        event = Event(
            key=self._world.new_guid().replace("-", ""),
            calendar_key=calendar.key,
            start=start,
            end=end,
            ical_uid=f"040000008200E00074C5B7101A82E008{self._world.random.getrandbits(384):096X}",
            organizer=(mailbox.owner.name, mailbox.owner.address),
            created=now,
            modified=now,
            transaction_id=transaction_id,
        )
        self._set(mailbox, event, given)
        check_span(event.start, event.end, all_day=event.is_all_day)
        if given.get("recurrence"):
            self._set_recurrence(event, given["recurrence"])
        if given.get("isOnlineMeeting"):
            teams.set_online(self._world, mailbox, event, given.get("onlineMeetingProvider"))
        mailbox.add(event)
        if transaction_id:
            mailbox.transactions[transaction_id] = (fingerprint, event.key)
        self.meetings.created(mailbox, event)
        return event

    def change(self, mailbox: Mailbox, event: Event, body: Any) -> Event:
        """Apply a PATCH; an occurrence becomes an exception. The event as it is afterwards.

        Raises:
            GraphError: 400, the body is refused; nothing was changed then.
        """
        if not mailbox.calendars[event.calendar_key].can_edit:
            raise access_denied()
        switches = self._world.switches
        given = checked(body, "event", keep_unknown=switches.undeclared_properties != "refuse")
        if switches.patch_server_properties == "refuse":
            _refuse_server_properties(given)
        if event.original_date is not None and given.get("recurrence"):
            raise invalid_request("The recurrence of an occurrence can't be changed.")
        draft = self._changed_copy(mailbox, event, given)
        if event.original_date is not None:
            self._check_neighbours(mailbox, event, draft)
            event = except_occurrence(master_of(mailbox, event), event.original_date)
        before = event.attendees
        moved = (draft.start.instant, draft.end.instant) != (event.start.instant, event.end.instant) or (
            draft.recurrence != event.recurrence
        )
        _pass_on(draft, event)
        _take_over(draft, event)
        now = self._world.clock.now()
        event.touch(now)
        if event.original_date is not None:
            master_of(mailbox, event).touch(now)
        matters = set(given) & (WRITABLE - _OWN_MATTERS - {"attendees", "transactionId"})
        if matters or "attendees" in given:
            self.meetings.changed(mailbox, event, before, everybody=bool(matters), moved=moved)
        return event

    def delete(self, mailbox: Mailbox, event: Event, *, comment: str = "", purge: bool = False) -> None:
        """Move an event, a series or one occurrence to Deleted Items, or purge it; an organizer's guests are mailed."""
        if not mailbox.calendars[event.calendar_key].can_edit:
            raise access_denied()
        now = self._world.clock.now()
        if event.original_date is not None:
            master = master_of(mailbox, event)
            master.exceptions.pop(event.original_date, None)
            master.cancelled_dates.add(event.original_date)
            master.touch(now)
        else:
            if purge:
                del mailbox.events[event.key]
            was_deleted, event.is_deleted = event.is_deleted, True
            event.moves += 1
            for exception in event.exceptions.values():
                exception.is_deleted, exception.moves = True, event.moves
            event.touch(now)
            if event.transaction_id and (purge or self._world.switches.duplicate_transaction_after_delete == "forget"):
                mailbox.transactions.pop(event.transaction_id, None)
            if was_deleted:
                return
        self.meetings.cancelled(mailbox, event, comment)

    def _earlier(self, mailbox: Mailbox, transaction_id: str, fingerprint: str) -> Event | None:
        known = mailbox.transactions.get(transaction_id)
        event = mailbox.events.get(known[1]) if known is not None else None
        days = self._world.switches.transaction_memory_days
        if known is None or event is None:
            return None
        if days is not None and self._world.clock.now() - event.created >= timedelta(days=days):
            return None
        if known[0] == fingerprint and self._world.switches.repeated_transaction == "event":
            return event
        raise GraphError(
            self._world.switches.duplicate_transaction_status,
            "ErrorDuplicateTransactionId",
            "Your request can't be completed. The TransactionId specified in the request has already been used to "
            "create a different event.",
            extra={"@event.existingEventId": mailbox.id_of(event, immutable=False)},
        )

    def _span_of_new(self, given: dict[str, Any], now: datetime) -> tuple[Moment, Moment]:
        if given.get("start") is None:  # accepted by Microsoft: the event begins now
            start = Moment.of(now.replace(tzinfo=None, second=0, microsecond=0), "UTC")
        else:
            start = moment(given["start"], self._world.switches)
        if given.get("end") is None:
            instant = max(start.instant + timedelta(minutes=30), start.instant)
            end = Moment.of((start.local + (instant - start.instant)), start.zone)
        else:
            end = moment(given["end"], self._world.switches)
        return start, end

    def _changed_copy(self, mailbox: Mailbox, event: Event, given: dict[str, Any]) -> Event:
        """The event with the changes, checked as a whole, the original untouched."""
        draft = replace(event, rendered={}, occurrences={}, exceptions=dict(event.exceptions),
                        cancelled_dates=set(event.cancelled_dates))  # fmt: skip
        switches = self._world.switches
        if given.get("start") is not None:
            draft.start = moment(given["start"], switches)
        if given.get("end") is not None:
            draft.end = moment(given["end"], switches)
        self._set(mailbox, draft, given)
        check_span(draft.start, draft.end, all_day=draft.is_all_day)
        if "body" in given:
            content: dict[str, Any] = given["body"] or {}
            kind = str(content.get("contentType") or "text")
            teams.after_body_change(self._world, mailbox, draft, content_type=kind)
        if given.get("isOnlineMeeting"):
            teams.set_online(self._world, mailbox, draft, given.get("onlineMeetingProvider"))
        self._change_series(draft, event, given)
        return draft

    def _change_series(self, draft: Event, event: Event, given: dict[str, Any]) -> None:
        if "recurrence" in given and given["recurrence"] is None:
            if draft.original_date is None:
                draft.recurrence, draft.kind = None, "singleInstance"
                draft.exceptions, draft.cancelled_dates = {}, set()
            return
        if given.get("recurrence"):
            merged = self._world.switches.recurrence_update == "merge" and event.recurrence is not None
            self._set_recurrence(
                draft, _laid_over(event.recurrence, given["recurrence"]) if merged else given["recurrence"]
            )
        elif draft.recurrence is None:
            return
        elif draft.start.local.date() != event.start.local.date():
            span = {**draft.recurrence["range"], "startDate": draft.start.local.date().isoformat()}
            self._set_recurrence(draft, {"pattern": draft.recurrence["pattern"], "range": span})
        moved = (draft.start, draft.end) != (event.start, event.end) or draft.recurrence != event.recurrence
        if not moved:
            return
        kept: set[date] = set()
        if draft.recurrence and self._world.switches.series_end_update == "keep" and _ends_elsewhere(draft, event):
            days = {*draft.exceptions, *draft.cancelled_dates}
            rule = recurring.rule_from(draft.recurrence, several_days=self._world.switches.relative_days)
            kept = {day for day in days if day in recurring.dates(rule, day, day)}
        draft.exceptions = {day: exception for day, exception in draft.exceptions.items() if day in kept}
        draft.cancelled_dates &= kept

    def _set(self, mailbox: Mailbox, event: Event, given: dict[str, Any]) -> None:
        for name, attribute in _PLAIN.items():
            if name in given and (given[name] is not None or name == "subject"):
                setattr(event, attribute, given[name])
        if "isAllDay" in given and given["isAllDay"] is not None:
            event.is_all_day = given["isAllDay"]
        if "body" in given:
            event.body = _fragment(given["body"] or {})
        if "locations" in given:
            event.locations = given["locations"] or []
            event.location = _joined(event.locations)
        if "location" in given:
            place: dict[str, Any] = given["location"] or {}
            event.location = place
            event.locations = [place] if place.get("displayName") else []
        if "attendees" in given:
            event.attendees = self._attendees(mailbox, event, given["attendees"] or [])

    def _attendees(self, mailbox: Mailbox, event: Event, given: list[dict[str, Any]]) -> list[Attendee]:
        switches = self._world.switches
        there = [(attendee.address, attendee.name) for attendee in event.attendees]
        check_attendees(given, switches.most_attendees, there if switches.people_without_address == "keep" else ())
        kept = {attendee.address.lower() or attendee.name: attendee for attendee in event.attendees}
        result: dict[str, Attendee] = {}
        for entry in given:
            address = entry["emailAddress"].get("address") or ""
            lower = address.lower() or entry["emailAddress"]["name"]
            if event.is_organizer and mailbox.owner.goes_by(lower):
                continue  # the organizer does not invite themselves
            known = self._world.reachable(lower)
            name = entry["emailAddress"].get("name") or (known.name if known else address)
            kind = entry.get("type") or "required"
            old = kept.get(lower)
            result[lower] = replace(old, name=name, kind=kind) if old else Attendee(address, name, kind)
        return list(result.values())

    def _set_recurrence(self, event: Event, given: dict[str, Any]) -> None:
        complete = complete_recurrence(given, event.start, self._world.switches)
        rule = recurring.rule_from(complete, several_days=self._world.switches.relative_days)
        first = next(recurring.dates(rule, last=date(LAST_YEAR, 12, 31)), None)
        if first is None:
            raise invalid_request("The recurrence has no occurrence.")
        event.start, event.end = event.at(first)
        event.recurrence, event.kind = complete, "seriesMaster"

    def _check_neighbours(self, mailbox: Mailbox, event: Event, draft: Event) -> None:
        """Refuse an occurrence that would cross or touch the day of its neighbours."""
        master, day = master_of(mailbox, event), event.original_date
        if day is None:
            return
        reach = timedelta(days=366 * 2)
        days = dates_of(master, _shift(day, -reach), _shift(day, reach), self._world.switches.relative_days)
        earlier = [master.occurrence_on(other) for other in days if other < day][-1:]
        later = [master.occurrence_on(other) for other in days if other > day][:1]
        if any(draft.start.instant < other.end.instant for other in earlier) or any(
            draft.end.instant > other.start.instant for other in later
        ):
            raise GraphError(
                400,
                "ErrorOccurrenceCrossingBoundary",
                "Modified occurrence is crossing or overlapping adjacent occurrence.",
            )


def require_live(event: Event) -> Event:
    """The event, unless it lies in Deleted Items.

    Raises:
        GraphError: 404 `ErrorItemNotFound`.
    """
    if event.is_deleted:
        raise item_not_found()
    return event


def _shift(day: date, by: timedelta) -> date:
    try:
        return day + by
    except OverflowError:
        return date.min if by < timedelta() else date.max


def _pass_on(draft: Event, master: Event) -> None:
    """Let the exceptions of a series follow its change wherever they had the series' own value."""
    for exception in draft.exceptions.values():
        for name in _INHERITED:
            old, new = getattr(master, name), getattr(draft, name)
            if new != old and getattr(exception, name) == old:
                setattr(exception, name, deepcopy(new))


def _take_over(draft: Event, event: Event) -> None:
    for name in Event.__slots__:
        if name not in ("key", "version", "kind", "rendered", "occurrences"):
            setattr(event, name, getattr(draft, name))
    if event.original_date is None:
        event.kind = draft.kind


def _ends_elsewhere(draft: Event, event: Event) -> bool:
    """Whether two versions of a series differ in their end alone."""
    if draft.recurrence is None or event.recurrence is None or (draft.start, draft.end) != (event.start, event.end):
        return False
    starts = (draft.recurrence["range"]["startDate"], event.recurrence["range"]["startDate"])
    return draft.recurrence["pattern"] == event.recurrence["pattern"] and starts[0] == starts[1]


def _laid_over(present: dict[str, Any] | None, given: dict[str, Any]) -> dict[str, Any]:
    present = present or {}
    return {part: {**(present.get(part) or {}), **(given.get(part) or {})} for part in ("pattern", "range")}


def _refuse_server_properties(given: dict[str, Any]) -> None:
    forbidden = set(given) - (WRITABLE - {"transactionId"})
    if forbidden:
        name = sorted(forbidden)[0]
        raise GraphError(400, "ErrorInvalidPropertySet", f"Set action is invalid for property '{name}'.")


def _joined(places: list[dict[str, Any]]) -> dict[str, Any]:
    if not places:
        return {}
    names = "; ".join(str(place["displayName"]) for place in places if place.get("displayName"))
    return {**places[0], "displayName": names}


def _fragment(body: dict[str, Any]) -> str:
    content = str(body.get("content") or "")
    if (body.get("contentType") or "text") == "text":
        return html.escape(content, quote=False).replace("\r\n", "\n").replace("\n", "<br>\r\n")
    return _SCRIPT.sub("", _DOCUMENT.sub("", content))


def _fingerprint(calendar: Calendar, body: Any) -> str:
    content = json.dumps([calendar.key, body], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()
