"""What a mailbox holds: calendars, events, attendees. Plain data; the rules live in `graph.calendar`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any

from scalekit_mcp.sandbox.world import ids
from scalekit_mcp.sandbox.world.directory import Person
from scalekit_mcp.sandbox.world.zones import to_utc, zone_named

LAST_YEAR = 4500
"""Outlook's calendar ends with it."""
NEVER = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Moment:
    """A wall-clock time, the zone name it was written in, and the instant it means (aware, UTC)."""

    local: datetime
    zone: str
    instant: datetime

    @classmethod
    def of(cls, local: datetime, zone: str) -> Moment:
        """The moment of a naive `local` in the zone of that name."""
        return cls(local, zone, to_utc(local, zone_named(zone)))


@dataclass(slots=True)
class Attendee:
    """One invited person or room; `response_time` is `NEVER` until they answer."""

    address: str
    name: str
    kind: str = "required"
    response: str = "none"
    response_time: datetime = NEVER
    proposed: tuple[Moment, Moment] | None = None


@dataclass(slots=True)
class Calendar:
    """One calendar of a mailbox."""

    key: str
    name: str
    color: str = "auto"
    is_default: bool = False
    can_edit: bool = True
    is_removable: bool = True
    owner: Person | None = None
    """Whose calendar it is when somebody else shared it."""
    source_key: str | None = None
    """The key of a shared calendar in its owner's mailbox."""
    readable: bool = True
    """False: the owner shares busy times alone."""


@dataclass(slots=True)
class Event:
    """An event as the mailbox keeps it; `kind` is Graph's `type`."""

    key: str
    calendar_key: str
    start: Moment
    end: Moment
    ical_uid: str
    organizer: tuple[str, str]
    """Name and address."""
    created: datetime
    modified: datetime
    kind: str = "singleInstance"
    number: int = 0
    """Order of creation in the mailbox."""
    subject: str | None = None
    body: str = ""
    """HTML, without the surrounding document."""
    is_all_day: bool = False
    location: dict[str, Any] = field(default_factory=dict[str, Any])
    locations: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    attendees: list[Attendee] = field(default_factory=list[Attendee])
    is_organizer: bool = True
    response: str = "organizer"
    response_time: datetime = NEVER
    response_requested: bool = True
    allow_new_time_proposals: bool = True
    hide_attendees: bool = False
    is_reminder_on: bool = True
    reminder_minutes: int = 15
    show_as: str = "busy"
    sensitivity: str = "normal"
    importance: str = "normal"
    categories: list[str] = field(default_factory=list[str])
    is_online: bool = False
    provider: str = "unknown"
    online_meeting: dict[str, Any] | None = None
    meeting_was_destroyed: bool = False
    recurrence: dict[str, Any] | None = None
    transaction_id: str | None = None
    is_cancelled: bool = False
    is_deleted: bool = False
    """In Deleted Items."""
    moves: int = 0
    version: int = 1
    original_date: date | None = None
    """Occurrences and exceptions: the date the pattern gave, in the series' zone."""
    original_start: datetime | None = None
    master_key: str | None = None
    exceptions: dict[date, Event] = field(default_factory=dict[date, "Event"])
    cancelled_dates: set[date] = field(default_factory=set[date])
    occurrences: dict[date, Event] = field(default_factory=dict[date, "Event"])
    """Unchanged occurrences made on demand; forgotten at every change."""
    rendered: dict[Any, str] = field(default_factory=dict[Any, str])
    """JSON by the wishes of a request; forgotten at every change."""

    @property
    def view_start(self) -> datetime:
        """The instant a window is compared with: all-day events count as UTC days."""
        return self.start.local.replace(tzinfo=UTC) if self.is_all_day else self.start.instant

    @property
    def view_end(self) -> datetime:
        """The instant a window is compared with: all-day events count as UTC days."""
        return self.end.local.replace(tzinfo=UTC) if self.is_all_day else self.end.instant

    def touch(self, now: datetime) -> None:
        """Note a change: new change key, nothing remembered."""
        self.version += 1
        self.modified = now
        self.forget()

    def forget(self) -> None:
        """Drop whatever was derived from the event's values."""
        self.rendered.clear()
        self.occurrences.clear()
        for exception in self.exceptions.values():
            exception.rendered.clear()

    def at(self, day: date) -> tuple[Moment, Moment]:
        """Start and end of the series' occurrence on `day`: the master's wall clock, also across daylight saving."""
        local_start = datetime.combine(day, self.start.local.time())
        start = Moment.of(local_start, self.start.zone)
        if self.start.zone == self.end.zone:
            return start, Moment.of(local_start + (self.end.local - self.start.local), self.end.zone)
        instant = start.instant + (self.end.instant - self.start.instant)
        local_end = instant.astimezone(zone_named(self.end.zone)).replace(tzinfo=None)
        return start, Moment(local_end, self.end.zone, instant)

    def occurrence_on(self, day: date) -> Event:
        """The occurrence of this master that the pattern puts on `day`."""
        found = self.exceptions.get(day) or self.occurrences.get(day)
        if found is None:
            start, end = self.at(day)
            found = replace(
                self,
                kind="occurrence",
                start=start,
                end=end,
                ical_uid=f"{self.ical_uid}{day.year:04X}{day.month:02X}{day.day:02X}",
                recurrence=None,
                original_date=day,
                original_start=start.instant,
                master_key=self.key,
                transaction_id=None,
                attendees=[replace(attendee) for attendee in self.attendees],
                categories=list(self.categories),
                exceptions={},
                cancelled_dates=set(),
                occurrences={},
                rendered={},
            )
            self.occurrences[day] = found
        return found


@dataclass(slots=True)
class Mailbox:
    """One person's calendars and events."""

    owner: Person
    calendars: dict[str, Calendar] = field(default_factory=dict[str, Calendar])
    events: dict[str, Event] = field(default_factory=dict[str, Event])
    """Single events and masters by key, also those in Deleted Items."""
    transactions: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    """By transactionId: the fingerprint of the content and the event's key."""
    next_number: int = 1

    @property
    def default_calendar(self) -> Calendar:
        """The calendar called "Calendar"."""
        return next(calendar for calendar in self.calendars.values() if calendar.is_default)

    def add(self, event: Event) -> None:
        """Put an event into the mailbox."""
        event.number = self.next_number
        self.next_number += 1
        self.events[event.key] = event

    def by_uid(self, ical_uid: str) -> Event | None:
        """This mailbox's copy of a meeting, rather a live one than one in Deleted Items."""
        copies = [event for event in self.events.values() if event.ical_uid == ical_uid]
        return min(copies, key=lambda event: event.is_deleted, default=None)

    def id_of(self, event: Event, *, immutable: bool) -> str:
        """The event's id in the wished form."""
        moves = None if immutable else event.moves
        key = event.master_key or event.key
        return ids.encode(self.owner.oid, ids.ItemId(key, moves, event.original_date))

    def master_id_of(self, event: Event, *, immutable: bool) -> str | None:
        """The id of an occurrence's series."""
        if event.master_key is None:
            return None
        return ids.encode(self.owner.oid, ids.ItemId(event.master_key, None if immutable else event.moves))

    def calendar_id(self, calendar: Calendar) -> str:
        """A calendar's id; immutable ids do not cover calendars."""
        return ids.encode(self.owner.oid, ids.ItemId(calendar.key, 0))
