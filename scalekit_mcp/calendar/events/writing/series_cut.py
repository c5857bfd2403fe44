"""Where a series is cut for "this date and all after it", and the event that continues it. Pure functions.

Microsoft has no such change: the series is ended before the date, and a new one holds the rest. Sources: event resource
type, recurrenceRange resource type, Create event.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast
from uuid import NAMESPACE_URL, uuid5

from scalekit_mcp.calendar.events.event import Event, address_of, date_of, instant_of, join_url
from scalekit_mcp.calendar.events.join_block import without_join_block
from scalekit_mcp.calendar.events.recurrence import graph_recurrence, recurrence_from_graph
from scalekit_mcp.calendar.events.series_dates import dates_of, in_step
from scalekit_mcp.calendar.events.times import LocalTime, graph_moment, local_edge
from scalekit_mcp.calendar.events.writing.attendees import has_mail, shown_person
from scalekit_mcp.calendar.events.writing.body import patch_body
from scalekit_mcp.calendar.events.writing.series import (
    UTC_ZONE,
    dates_lost_before_start,
    event_zone,
    known_zone,
    range_zone_name,
    sent_zone_name,
)
from scalekit_mcp.calendar.html_tags import text_of
from scalekit_mcp.errors import Conflict
from scalekit_mcp.tools import NO_REMARKS, ArgumentError, Recurrence, Remarks, UpdateCalendarEvent, Zone, warned

_DAY = timedelta(days=1)
_LONGEST = timedelta(days=40_000)
"""Farther from its first date no series is looked through."""

_CARRIED = (
    "subject", "isAllDay", "categories", "importance", "sensitivity", "showAs", "isReminderOn",
    "reminderMinutesBeforeStart", "responseRequested", "allowNewTimeProposals", "hideAttendees",
)  # fmt: skip
"""Properties that a new series takes over as they are."""

_PLACES = frozenset({"location", "locations"})
_PLACE = ("displayName", "locationType", "locationUri", "locationEmailAddress", "address", "coordinates")
_NOT_CHANGES = frozenset({"event_id", "apply_to", "discard_exceptions", "only_if_free"})
"""Parameters that do not say what shall change."""


@dataclass(frozen=True, slots=True)
class SeriesCut:
    """The first date that leaves a series, by the series' own calendar.

    `first` is the first date of the series, `earlier` are all its dates before the cut, deleted ones included; none
    where the cut takes the whole series.
    """

    on: date
    first: date
    earlier: tuple[date, ...]
    had: Event = field(repr=False)
    """The series' recurrence, as Graph answered it."""

    @property
    def shortened(self) -> Event:
        """The recurrence of the series that ends on the day before the cut."""
        return self._with(range_type="endDate", end_date=self.on - _DAY, occurrences=None)

    def is_made(self, recurrence: Any) -> bool:
        """Whether a recurrence, as Graph answers it, ends before the cut."""
        if not isinstance(recurrence, dict):
            return False
        end = recurrence_from_graph(cast("Event", recurrence)).end_date
        return end is not None and end < self.on

    def rest(self) -> Recurrence:
        """The recurrence of what is left from the cut on; raises `Conflict` where nothing is."""
        whole = replace(recurrence_from_graph(self.had), start_date=self.on)
        if whole.occurrences is not None:
            left = whole.occurrences - len(self.earlier)
            if left < 1:
                raise _untold()
            whole = replace(whole, occurrences=left)
        return whole

    def _with(self, **changes: Any) -> Event:
        whole = replace(recurrence_from_graph(self.had), start_date=self.first, **changes)
        return graph_recurrence(whole, sent_zone_name(self.had))


def cut_at(occurrence: Mapping[str, Any], master: Mapping[str, Any]) -> SeriesCut:
    """Where a series is cut so that this date is the first to leave it; raises `Conflict` where that cannot be told."""
    had = cast("Event", master["recurrence"])
    pattern = recurrence_from_graph(had)
    zone = known_zone(range_zone_name(had)) or event_zone(master)
    own_start = local_edge(master, "start", zone or UTC_ZONE).date()
    first = pattern.start_date or own_start
    on = _original_date(occurrence, master, zone, first)
    if on < first or on - first > _LONGEST or not pattern.matches(on) or not in_step(pattern, on, first):
        raise _untold()
    return SeriesCut(on, first, tuple(dates_of(pattern, first, on - _DAY)), had)


def _original_date(occurrence: Mapping[str, Any], master: Mapping[str, Any], zone: Zone | None, first: date) -> date:
    """The date that the pattern gave an occurrence, wherever it was moved to."""
    held = occurrence.get("originalStart")
    at = None if not held else datetime.fromisoformat(str(held)[:19]).replace(tzinfo=UTC)
    if at is None:
        if occurrence.get("type") == "exception":
            raise _untold()
        if master.get("isAllDay"):
            return date_of(occurrence["start"])
        at = instant_of(occurrence["start"])
    elif master.get("isAllDay") and at.time().replace(microsecond=0) == datetime.min.time():
        return at.date()
    if zone is not None:
        return at.astimezone(zone.tzinfo).date()
    # In a zone that nobody knows whole days are counted from the first date; a change of clocks is far less than half.
    return first + timedelta(days=round((at - instant_of(master["start"])) / _DAY))


def _untold() -> Conflict:
    return Conflict(
        "Which date of the series this is cannot be told from what Microsoft answers. Nothing was changed.",
        next_step="Change recurrence_end_date of the series instead, and create a new one for the rest.",
    )


@dataclass(frozen=True, slots=True)
class Continuation:
    """The body of the POST that makes the new series, without its transactionId.

    `begins` is its first date. `skipped`: dates from the first of these up to the second would be in neither series.
    """

    body: Event = field(repr=False)
    begins: date
    remarks: Remarks = NO_REMARKS
    skipped: tuple[date, date] | None = None

    @property
    def rooms(self) -> list[Event]:
        """Rooms and equipment that are invited: they decline what overlaps another event of their own."""
        return [person for person in self.body.get("attendees") or () if _is_room(person)]

    @property
    def body_without_rooms(self) -> Event:
        """The same body with the other attendees alone."""
        people = [person for person in self.body.get("attendees") or () if not _is_room(person)]
        others = {name: value for name, value in self.body.items() if name != "attendees"}
        return {**others, "attendees": people} if people else others


def _is_room(person: Event) -> bool:
    return str(person.get("type")).casefold() == "resource"


def continued(args: UpdateCalendarEvent, master: Event, cut: SeriesCut, *, personal: bool) -> Continuation:
    """The series from the cut on, with everything that the old one has and the changes; raises `InvalidInput`."""
    try:
        rest = _rest_of(master, cut, moved=args.start_datetime is not None)
        patch = patch_body(args, rest, personal=personal)
        body = _carried(master, rest, personal=personal)
        if patch.body.keys() & _PLACES:
            body = {name: value for name, value in body.items() if name not in _PLACES}
        body |= patch.body
        remarks = patch.remarks + _about_text(master, body, args)
        people, told = _invited(body.get("attendees", master.get("attendees")), master)
        body["attendees"] = people
        if body.get("isOnlineMeeting") is False:
            del body["isOnlineMeeting"]
            body.pop("onlineMeetingProvider", None)
        begins = date.fromisoformat(body["recurrence"]["range"]["startDate"])
        _check_begin(args, body, rest, cut, begins)
    except ArgumentError as refused:
        raise refused.as_invalid_input() from refused
    kept = {name: value for name, value in body.items() if value not in (None, [], {}, {"displayName": ""})}
    return Continuation(kept, begins, remarks + told, dates_lost_before_start(patch.body, rest))


def transaction_id_of(args: UpdateCalendarEvent, master: Event, cut: SeriesCut) -> str:
    """The same for the same change of the same series at the same date, so that a repeat makes no second series."""
    changes = {name: value for name, value in args.to_wire().items() if name not in _NOT_CHANGES}
    told = [address_of(master.get("organizer")), master["id"], str(cut.on), changes]
    return str(uuid5(NAMESPACE_URL, json.dumps(told, sort_keys=True, ensure_ascii=False)))


def _rest_of(master: Event, cut: SeriesCut, *, moved: bool) -> Event:
    """The old series as if it began at the cut, without its online meeting; `moved`: its start is given anew."""
    zone = event_zone(master)
    if zone is None and not moved and not master.get("isAllDay"):
        raise ArgumentError(
            "is missing: the series lies in a zone of its own that nobody knows; give the start and its zone",
            "start_datetime",
        )
    own = zone or UTC_ZONE
    rest: Event = {**master, "recurrence": graph_recurrence(cut.rest().with_range(), sent_zone_name(cut.had))}
    for edge in ("start", "end"):
        at = own
        if edge == "end" and not master.get("isAllDay"):
            at = known_zone(master.get("originalEndTimeZone")) or own
        local = local_edge(master, edge, at) + (cut.on - cut.first)
        if not moved and not master.get("isAllDay"):
            try:
                _ = LocalTime(local, at).instant
            except ArgumentError as refused:
                raise ArgumentError(refused.message, f"{edge}_datetime") from None
        rest[edge] = graph_moment(local, at)
    old = cast("Event", master.get("body") or {})
    rest["body"] = {"contentType": "html", "content": without_join_block(str(old.get("content") or ""))}
    for name in ("isOnlineMeeting", "onlineMeeting", "onlineMeetingProvider"):
        rest.pop(name, None)
    return rest


def _carried(master: Event, rest: Event, *, personal: bool) -> Event:
    body: Event = {name: master[name] for name in _CARRIED if master.get(name) is not None}
    if body.get("showAs") == "unknown":
        del body["showAs"]
    if not body.get("isReminderOn"):
        body.pop("reminderMinutesBeforeStart", None)
    if text_of(rest["body"]["content"]).strip() or "<img" in rest["body"]["content"].casefold():
        body["body"] = rest["body"]
    places = [_place(place) for place in master.get("locations") or () if place]
    body["locations"] = [place for place in places if place.get("displayName")]
    if not body["locations"] and master.get("location"):
        body["location"] = _place(master["location"])
    body |= {name: rest[name] for name in ("start", "end", "recurrence")}
    if master.get("isOnlineMeeting"):
        body["isOnlineMeeting"] = True
        provider = master.get("onlineMeetingProvider")
        # Asking for Teams by name takes the link away from a personal account altogether.
        if provider not in (None, "unknown") and not personal:
            body["onlineMeetingProvider"] = provider
    return body


def _place(place: Mapping[str, Any]) -> Event:
    kept = {name: place[name] for name in _PLACE if place.get(name)}
    return {"displayName": ""} | kept


def _invited(attendees: Any, master: Event) -> tuple[list[Event], Remarks]:
    """Everybody but the organizer, without their answers to the old series."""
    organizer = (address_of(master.get("organizer")) or "").casefold()
    people: list[Event] = []
    left_out: list[str] = []
    for person in cast("list[Event]", attendees or []):
        if (address_of(person) or "").casefold() == organizer:
            continue
        if cast("Event", person.get("status") or {}).get("response") == "organizer":
            continue
        if not has_mail(person):
            left_out.append(f"{shown_person(person)} has no e-mail address and cannot be invited to the new series.")
            continue
        mail = {name: value for name, value in person["emailAddress"].items() if value}
        people.append({"type": person.get("type") or "required", "emailAddress": mail})
    return people, warned(*left_out)


def _about_text(master: Event, body: Event, args: UpdateCalendarEvent) -> Remarks:
    url = join_url(master)
    content = str(cast("Event", body.get("body") or {}).get("content") or "").replace("&amp;", "&")
    stays = args.body_content is None and url is not None and url in content
    attached = bool(master.get("hasAttachments"))
    return warned(
        "The old join link could not be told from the text, which the new series has, too; the link leads to the old "
        "meeting."
        if stays
        else None,
        "The attachments stay with the old series." if attached else None,
    )


def _check_begin(args: UpdateCalendarEvent, body: Event, rest: Event, cut: SeriesCut, begins: date) -> None:
    """Refuse a first date before the old series' last one, and one where the old rhythm has none."""
    if args.start_datetime is None:
        return
    last = cut.earlier[-1]
    start, held = instant_of(body["start"]), instant_of(rest["end"]) - (cut.on - last)
    if begins < last or (not body.get("isAllDay") and not rest.get("isAllDay") and start < held):
        raise ArgumentError(
            f"would begin the new series before the date before the cut, {last}, is over; give a later start",
            "start_datetime",
        )
    pattern = recurrence_from_graph(body["recurrence"])
    changed = args.recurrence is not None and args.recurrence.changes_pattern
    if not changed and pattern.type != "daily" and not in_step(pattern, begins, cut.on):
        raise ArgumentError(
            f"lies on {begins}, where the series, which recurs every {pattern.interval} times, has no date; give "
            f"{cut.on}, or the recurrence parameters that shall change as well",
            "start_datetime",
        )
