"""A believable week for everybody.

The week is that of `World.week_of`, else the present one. It is the same for the same people and seed.
"""

from __future__ import annotations

from copy import copy
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256

from scalekit_mcp.sandbox.graph.calendar import teams
from scalekit_mcp.sandbox.graph.calendar.meetings import MailboxFinder, Meetings, except_occurrence
from scalekit_mcp.sandbox.graph.calendar.week_plans import (
    MEETINGS,
    MEETINGS_ZONE,
    STRANGER,
    Plan,
    invitation_of,
    plans_of,
)
from scalekit_mcp.sandbox.world import Person, World
from scalekit_mcp.sandbox.world.mailbox import Attendee, Calendar, Event, Mailbox, Moment
from scalekit_mcp.sandbox.world.zones import zone_named

_CALENDARS = (("Calendar", True, True), ("Birthdays", False, False), ("Private", False, True))


def seed_weeks(world: World, mailboxes: MailboxFinder, *, also: Person | None = None) -> None:
    """Open and fill the mailboxes of everybody who has none yet and is the first to be looked at.

    Args:
        world: whose people.
        mailboxes: where invitations find the others.
        also: somebody who joined later; everybody else is seeded only once.
    """
    people = [also] if also is not None else [person for person in world.people.values() if person.has_mailbox]
    fresh = [person for person in people if person.oid not in world.mailboxes]
    if also is None and world.mailboxes:
        return
    for person in fresh:
        world.mailboxes[person.oid] = empty_mailbox(person)
    monday = week_start(world)
    for person in fresh:
        _Seeder(world, mailboxes, person, monday).fill()


def week_start(world: World) -> date:
    """The Monday of the seeded week."""
    day = (world.week_of or world.clock.now()).date()
    return day - timedelta(days=day.weekday())


def empty_mailbox(person: Person) -> Mailbox:
    """A new mailbox: calendars without events."""
    mailbox = Mailbox(person)
    for name, is_default, can_edit in _CALENDARS:
        key = _key(person, name)
        mailbox.calendars[key] = Calendar(
            key, name, is_default=is_default, can_edit=can_edit, is_removable=can_edit and not is_default
        )
    return mailbox


def _key(person: Person, name: str) -> str:
    return sha256(f"{person.oid}/{name}".encode()).hexdigest()[:32]


class _Seeder:
    """Fills one mailbox."""

    def __init__(self, world: World, mailboxes: MailboxFinder, person: Person, monday: date) -> None:
        self._world = world
        self._person = person
        self._monday = monday
        self._mailbox = world.mailboxes[person.oid]
        self._meetings = Meetings(world, mailboxes)
        self._created = datetime.combine(monday, time(9), tzinfo=UTC) - timedelta(days=28)

    def fill(self) -> None:
        """Put the week into the mailbox."""
        place = list(self._world.people.values()).index(self._person)
        for plan in plans_of(place):
            self._add(plan)
        self._add_meeting()
        self._add_series()
        self._add_invitation(invitation_of(place))
        self._add_to_other_calendars()

    def _add(self, plan: Plan) -> Event:
        event = self._event(plan.subject, plan.day, plan.starts, plan.minutes)
        if plan.all_day:
            event.is_all_day = True
            midnight = datetime.combine(self._monday + timedelta(days=plan.day), time())
            event.start = Moment.of(midnight, self._person.time_zone)
            event.end = Moment.of(midnight + timedelta(days=1), self._person.time_zone)
        event.body = plan.body
        if plan.place:
            event.location = {"displayName": plan.place}
            event.locations = [event.location]
        for name, value in plan.changes.items():
            setattr(event, name, copy(value))
        self._mailbox.add(event)
        return event

    def _add_meeting(self) -> None:
        """The meeting that the person organizes: an hour of its own in the organization, so that nobody has two."""
        place = len(self._colleagues_before())
        if place >= len(MEETINGS):
            return
        meeting = MEETINGS[place]
        event = self._event(meeting.subject, meeting.day, meeting.starts, meeting.minutes)
        begins = Moment.of(event.start.local, MEETINGS_ZONE).instant.astimezone(zone_named(self._person.time_zone))
        local = begins.replace(tzinfo=None)
        event.start = Moment.of(local, event.start.zone)
        event.end = Moment.of(local + timedelta(minutes=meeting.minutes), event.end.zone)
        event.body = meeting.body
        event.attendees = [Attendee(person.address, person.name) for person in self._colleagues()[:2]]
        teams.set_online(self._world, self._mailbox, event, None)
        self._mailbox.add(event)
        self._meetings.created(self._mailbox, event, quietly=True)

    def _add_series(self) -> None:
        """A weekly meeting since four weeks, this week's moved by an hour, next week's cancelled."""
        event = self._event("Weekly sync", 0, (9, 30), 30)
        first = self._monday - timedelta(days=28)
        event.start, event.end = event.at(first)
        event.kind = "seriesMaster"
        event.recurrence = {
            "pattern": {
                "type": "weekly",
                "interval": 1,
                "month": 0,
                "dayOfMonth": 0,
                "daysOfWeek": ["monday"],
                "firstDayOfWeek": "sunday",
                "index": "first",
            },
            "range": {
                "type": "noEnd",
                "startDate": first.isoformat(),
                "endDate": "0001-01-01",
                "recurrenceTimeZone": self._person.time_zone,
                "numberOfOccurrences": 0,
            },
        }
        moved = except_occurrence(event, self._monday)
        later = timedelta(hours=1)
        moved.start = Moment.of(moved.start.local + later, moved.start.zone)
        moved.end = Moment.of(moved.end.local + later, moved.end.zone)
        event.cancelled_dates.add(self._monday + timedelta(days=7))
        self._mailbox.add(event)

    def _add_invitation(self, plan: Plan) -> None:
        """A meeting that somebody outside organizes."""
        event = self._event(plan.subject, plan.day, plan.starts, plan.minutes)
        event.organizer = STRANGER
        event.is_organizer = False
        event.response, event.show_as = "notResponded", "tentative"
        event.body = plan.body
        event.attendees = [Attendee(self._person.address, self._person.name)]
        self._mailbox.add(event)

    def _add_to_other_calendars(self) -> None:
        """A birthday nobody can edit, and an evening in the second calendar."""
        for name, subject, day in (("Birthdays", "Sam's birthday", 3), ("Private", "Choir", 1)):
            event = self._event(subject, day, (19, 0), 90)
            if name == "Birthdays":
                midnight = datetime.combine(self._monday + timedelta(days=day), time())
                event.is_all_day, event.show_as = True, "free"
                event.start = Moment.of(midnight, self._person.time_zone)
                event.end = Moment.of(midnight + timedelta(days=1), self._person.time_zone)
            event.calendar_key = _key(self._person, name)
            self._mailbox.add(event)

    def _event(self, subject: str, day: int, starts: tuple[int, int], minutes: int) -> Event:
        zone = self._person.time_zone
        local = datetime.combine(self._monday + timedelta(days=day), time(*starts))
        key = _key(self._person, f"{self._monday}/{subject}")
        return Event(
            key=key,
            calendar_key=self._mailbox.default_calendar.key,
            start=Moment.of(local, zone),
            end=Moment.of(local + timedelta(minutes=minutes), zone),
            ical_uid=f"040000008200E00074C5B7101A82E008{key.upper():0>96}",
            organizer=(self._person.name, self._person.address),
            created=self._created,
            modified=self._created,
            subject=subject,
        )

    def _tenant_people(self) -> list[Person]:
        return [
            person
            for person in self._world.people.values()
            if person.tenant_id == self._person.tenant_id and person.has_mailbox and not person.deleted
        ]

    def _colleagues_before(self) -> list[Person]:
        same = self._tenant_people()
        return same[: same.index(self._person)] if self._person in same else same

    def _colleagues(self) -> list[Person]:
        """The others of the organization, those who come next first; none for personal accounts."""
        if self._world.tenants[self._person.tenant_id].personal:
            return []
        before = self._colleagues_before()
        return self._tenant_people()[len(before) + 1 :] + before
