"""`only_if_free`: refuses to write an event where the user has something else at its time.

Graph has no conditional create, so that somebody else's booking may slip in between: a help, no lock. Sources: List
calendarView, event resource type (showAs, responseStatus).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, NoReturn

from scalekit_mcp.calendar.changes.calendar_membership import calendar_of
from scalekit_mcp.calendar.events.event import Event, date_of, event_result, instant_of
from scalekit_mcp.calendar.events.recurrence import recurrence_from_graph
from scalekit_mcp.calendar.events.series_dates import dates_of
from scalekit_mcp.calendar.events.taken_time import takes_time
from scalekit_mcp.calendar.events.times import local_edge
from scalekit_mcp.calendar.events.writing.series import UTC_ZONE, event_zone
from scalekit_mcp.calendar.listing.page_tokens import Position
from scalekit_mcp.calendar.listing.pages import View, in_microsofts_order
from scalekit_mcp.calendar.listing.window import Window
from scalekit_mcp.calendar.mailbox import EventQuery, Form, Mailbox, Span
from scalekit_mcp.calendar.reading import read_event
from scalekit_mcp.errors import Conflict, ProviderUnavailable, ScalekitMCPError
from scalekit_mcp.tools import NO_REMARKS, Remarks, Zone, shown, warned

MAX_LISTED = 5
"""Most events that a refusal lists."""

MAX_DATES = 100
"""Most dates of a series that are looked at."""

SERIES_SPAN = timedelta(days=366)
"""How far ahead the dates of a series are looked at."""

_ROWS = 500
_DEFAULT_ALONE = (
    "only_if_free looked at the default calendar alone: in which calendar the event lies could not be found out."
)
_FIELDS = ("id", "subject", "start", "end", "isAllDay", "showAs", "isCancelled", "responseStatus", "seriesMasterId")


@dataclass(frozen=True, slots=True)
class Planned:
    """An event as it is going to be, in Graph's form.

    `own_ids` are those of the event and of its series, which do not stand in its way; `calendar_ids` are where to look
    (None: the default calendar). Under its `transaction_id` the event may have been made before.
    """

    event: Event
    calendar_ids: tuple[str | None, ...] = (None,)
    own_ids: frozenset[str] = frozenset()
    transaction_id: str | None = None


async def require_free(mailbox: Mailbox, planned: Planned, now: datetime) -> None:
    """Raise `Conflict`, listing them, if events of the user take time in which the event is going to be.

    Of a series, its dates of the coming year are looked at, at most `MAX_DATES`.
    """
    zone = event_zone(planned.event) or UTC_ZONE
    windows = _windows(planned.event, zone, now)
    if not windows:
        return
    found, more = await _in_the_way(mailbox, planned, windows)
    if found and planned.transaction_id is not None:
        own = await _made_before(mailbox, found, planned.transaction_id)
        if own:
            planned = replace(planned, own_ids=planned.own_ids | own)
            found, more = await _in_the_way(mailbox, planned, windows)
    if found:
        _refuse(found, zone)
    if more:
        raise ProviderUnavailable(
            "The calendar holds more events at the dates of the series than one call can look through, so that it is "
            "not known whether the user is free. Nothing was written.",
            retryable=False,
            next_step="Limit the series, or leave only_if_free out.",
        )


def _windows(event: Event, zone: Zone, now: datetime) -> list[Window]:
    """The time of the event, or of the coming dates of a series, in order."""
    start, end = (local_edge(event, edge, zone) for edge in ("start", "end"))
    recurrence = event.get("recurrence")
    if not recurrence:
        return [_window(start, end, zone)]
    series = replace(recurrence_from_graph(recurrence), start_date=start.date())
    today = now.astimezone(zone.tzinfo).date()
    begin = max(start.date(), today)
    found: list[Window] = []
    for day in dates_of(series, start.date(), begin + SERIES_SPAN):
        if day >= today:
            first = datetime.combine(day, start.time())
            found.append(_window(first, first + (end - start), zone))
        if len(found) == MAX_DATES:
            break
    return found


def _window(start: datetime, end: datetime, zone: Zone) -> Window:
    # Inside a gap of the clock the time before the change counts; what is asked for is checked elsewhere.
    first, last = (local.replace(tzinfo=zone.tzinfo).astimezone(UTC_ZONE.tzinfo) for local in (start, end))
    return Window(start, end, zone, first, last)


async def _in_the_way(mailbox: Mailbox, planned: Planned, windows: list[Window]) -> tuple[list[Event], bool]:
    """The first events that take time in one of the windows, and whether there may be more."""
    span = Span(windows[0].span().begin, windows[-1].span().end)
    overlaps = _overlap_with(windows)

    def blocks(row: Event) -> bool:
        own = planned.own_ids.intersection((row["id"], row.get("seriesMasterId")))
        return not own and takes_time(row) and overlaps(row)

    events: list[Event] = []
    more = False
    for calendar_id in planned.calendar_ids:
        query = EventQuery(Form(zone=windows[0].zone, select=_FIELDS), _ROWS, calendar_id)
        view = View(mailbox, query, span)
        found = await in_microsofts_order(view, Position(), MAX_LISTED + 1, keep=blocks, required=("start", "end"))
        events += found.events
        more = more or found.following is not None
    return events, more


async def calendars_to_look_at(mailbox: Mailbox, event: Event) -> tuple[tuple[str | None, ...], Remarks]:
    """Where what stands in the way of a present event may be: the default calendar and its own.

    Only the former, with a warning, where it cannot be found out in which calendar the event lies.
    """
    try:
        own = await calendar_of(mailbox, event)
    except ScalekitMCPError:
        return (None,), warned(_DEFAULT_ALONE)
    return (None,) if own is None else (None, own), NO_REMARKS


def _overlap_with(windows: list[Window]) -> Callable[[Event], bool]:
    """Whether an event overlaps one of the windows, which are in order: only the last that begins before its end."""
    instants = [window.start_instant for window in windows]
    days = [window.start.date() for window in windows]

    def overlaps(row: Event) -> bool:
        if row.get("isAllDay"):
            number = bisect_left(days, date_of(row["end"]))
        else:
            number = bisect_left(instants, instant_of(row["end"], windows[0].zone))
        return number > 0 and windows[number - 1].holds(row)

    return overlaps


async def _made_before(mailbox: Mailbox, found: list[Event], transaction_id: str) -> frozenset[str]:
    """Which of the events, or their series, were made under this transaction id: an earlier try of the same call."""
    own: set[str] = set()
    for event_id in dict.fromkeys(str(row.get("seriesMasterId") or row["id"]) for row in found):
        event = await read_event(mailbox, event_id, Form(select=("id", "transactionId")))
        if event.get("transactionId") == transaction_id:
            own.add(event_id)
    return frozenset(own)


def _refuse(found: list[Event], zone: Zone) -> NoReturn:
    ordered = sorted(found, key=lambda row: instant_of(row["start"], zone))
    listed = [_listed(row, zone) for row in ordered[:MAX_LISTED]]
    told = "; ".join(_sentence_part(row) for row in listed)
    raise Conflict(
        f"The user is not free then: {told}{'; and more' if len(found) > MAX_LISTED else ''} (times in {zone.given}). "
        "Nothing was written and nobody was mailed.",
        next_step="Ask the user, or choose another time; to book it all the same, leave only_if_free out.",
        field="only_if_free",
        conflicts=listed,
    )


def _listed(row: Event, zone: Zone) -> Event:
    named = {name: row[name] for name in ("subject", "start", "end", "isAllDay") if row.get(name) is not None}
    clean = event_result(named, asked=zone)
    clean.pop("isAllDay", None)  # a date without a time says it
    return clean


def _sentence_part(row: Mapping[str, Any]) -> str:
    start, end = (str(row[edge]["dateTime"])[:16] for edge in ("start", "end"))
    return f"{shown(row.get('subject') or 'an event without a title')}, {start} to {end}"
