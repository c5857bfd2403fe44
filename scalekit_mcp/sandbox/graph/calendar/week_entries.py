"""A week of a calendar as the data of a picture."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from scalekit_mcp.sandbox.graph.calendar.mailboxes import Mailboxes
from scalekit_mcp.sandbox.graph.calendar.store import listed, view
from scalekit_mcp.sandbox.world import Person, World
from scalekit_mcp.sandbox.world.zones import zone_named


@dataclass(frozen=True, slots=True)
class WeekEntry:
    """One block of a week picture: naive wall-clock times in the person's zone, the end exclusive."""

    start: datetime
    end: datetime
    subject: str
    all_day: bool
    show_as: str


def calendar_week(world: World, person: Person, start: date) -> list[WeekEntry]:
    """What stands in a person's default calendar in the seven days from `start`, in order, in the person's zone.

    Raises:
        GraphError: 404, the person has no mailbox.
    """
    mailbox = Mailboxes(world).of(person)
    zone = zone_named(person.time_zone)
    begin = datetime.combine(start, time(), tzinfo=zone).astimezone(UTC)
    end = datetime.combine(start + timedelta(days=7), time(), tzinfo=zone).astimezone(UTC)
    events = listed(mailbox, mailbox.default_calendar)
    found = view(events, begin - timedelta(days=1), end + timedelta(days=1), world.switches)
    entries: list[WeekEntry] = []
    for event in found:
        if event.is_all_day:
            first, last = event.start.local, event.end.local
        else:
            first = event.start.instant.astimezone(zone).replace(tzinfo=None)
            last = event.end.instant.astimezone(zone).replace(tzinfo=None)
        if first.date() < start + timedelta(days=7) and (last > datetime.combine(start, time())):
            entries.append(WeekEntry(first, last, event.subject or "", event.is_all_day, event.show_as))
    return sorted(entries, key=lambda entry: (not entry.all_day, entry.start, entry.subject))
