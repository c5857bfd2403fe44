"""Finding, listing and expanding what mailboxes hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta

from scalekit_mcp.sandbox.graph.calendar import recurrence
from scalekit_mcp.sandbox.graph.errors import item_not_found, malformed_id
from scalekit_mcp.sandbox.world import Switches, ids
from scalekit_mcp.sandbox.world.mailbox import LAST_YEAR, Calendar, Event, Mailbox


def calendar_by_id(mailbox: Mailbox, text: str) -> Calendar:
    """The calendar with this id.

    Raises:
        GraphError: 400 `ErrorInvalidIdMalformed` or 404 `ErrorItemNotFound`.
    """
    item = ids.decode(mailbox.owner.oid, text)
    if item is None:
        raise malformed_id()
    calendar = mailbox.calendars.get(item.key)
    if calendar is None:
        raise item_not_found()
    return calendar


def event_by_id(mailbox: Mailbox, text: str, *, deleted_too: bool, several_days: str) -> Event:
    """The event, series, occurrence or exception with this id.

    Args:
        mailbox: whose.
        text: the id, mutable or immutable.
        deleted_too: also look into Deleted Items.
        several_days: how relative patterns read several days, see `recurrence`.

    Raises:
        GraphError: 400 `ErrorInvalidIdMalformed` or 404 `ErrorItemNotFound`.
    """
    item = ids.decode(mailbox.owner.oid, text)
    if item is None:
        raise malformed_id()
    event = mailbox.events.get(item.key)
    if event is None or (event.is_deleted and not deleted_too):
        raise item_not_found()
    if item.moves is not None and item.moves != event.moves:
        raise item_not_found()
    if item.occurrence is None:
        return event
    day = item.occurrence
    if event.recurrence is None or day in event.cancelled_dates:
        raise item_not_found()
    if day in event.exceptions or day in event.occurrences or day in dates_of(event, day, day, several_days):
        return event.occurrence_on(day)
    raise item_not_found()


def master_of(mailbox: Mailbox, event: Event) -> Event:
    """The series an occurrence or exception belongs to."""
    if event.master_key is None:
        return event
    return mailbox.events[event.master_key]


def listed(mailbox: Mailbox, calendar: Calendar | None) -> list[Event]:
    """Single events and masters of one calendar (or all), newest first."""
    return [
        event
        for event in reversed(mailbox.events.values())
        if not event.is_deleted and (calendar is None or event.calendar_key == calendar.key)
    ]


def dates_of(master: Event, first: date, last: date, several_days: str) -> list[date]:
    """The dates of a series between two dates, without the cancelled ones."""
    if master.recurrence is None:
        return []
    rule = recurrence.rule_from(master.recurrence, several_days=several_days)
    last = min(last, date(LAST_YEAR, 12, 31))
    return [day for day in recurrence.dates(rule, first, last) if day not in master.cancelled_dates]


def instances(master: Event, begin: datetime, end: datetime, switches: Switches) -> Iterator[Event]:
    """Occurrences and exceptions of a series that overlap a window; exceptions first, as Microsoft's pages show."""
    for exception in master.exceptions.values():
        if overlaps(exception, begin, end, switches):
            yield exception
    length = master.end.instant - master.start.instant
    first = _day(begin, -2 - length.days - 1)
    for day in dates_of(master, first, _day(end, 2), switches.relative_days):
        if day not in master.exceptions:
            occurrence = master.occurrence_on(day)
            if overlaps(occurrence, begin, end, switches):
                yield occurrence


def view(events: Iterable[Event], begin: datetime, end: datetime, switches: Switches) -> list[Event]:
    """A calendar view: singles, occurrences and exceptions that overlap the window, masters expanded, no order."""
    found: list[Event] = []
    for event in events:
        if event.recurrence is not None:
            found.extend(instances(event, begin, end, switches))
        elif overlaps(event, begin, end, switches):
            found.append(event)
    return found


def overlaps(event: Event, begin: datetime, end: datetime, switches: Switches) -> bool:
    """Whether an event lies in the window; touching it from outside does not count, an empty event inside does."""
    if event.is_all_day and switches.all_day_window == "zone":
        start, stop = event.start.instant, event.end.instant
    else:
        start, stop = event.view_start, event.view_end
    return start < end and (stop > begin or (start == stop and start >= begin))


def _day(instant: datetime, days: int) -> date:
    try:
        return instant.date() + timedelta(days=days)
    except OverflowError:
        return date.min if days < 0 else date.max
