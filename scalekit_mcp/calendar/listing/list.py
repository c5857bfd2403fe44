"""Listing events: by OData options as given, or in a window of time with recurring events expanded.

Sources: List events, List calendarView, Paging Microsoft Graph data.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from scalekit_mcp.calendar.events.answers.rows import LIST_FIELDS, ShownRows, shown_rows
from scalekit_mcp.calendar.events.event import Event
from scalekit_mcp.calendar.listing.attendee_filter import AttendeeFilter
from scalekit_mcp.calendar.listing.page_tokens import ListQuery, Pages, Position
from scalekit_mcp.calendar.listing.pages import Found, Listing, View, in_microsofts_order, in_window_order
from scalekit_mcp.calendar.listing.window import Window
from scalekit_mcp.calendar.mailbox import EventQuery, Form, Mailbox
from scalekit_mcp.calendar.names import in_calendar
from scalekit_mcp.calendar.reading import asked_zone
from scalekit_mcp.clock import Clock
from scalekit_mcp.errors import InvalidInput
from scalekit_mcp.tools import (
    ListCalendarEvents,
    Remarks,
    Zone,
    noted,
    present,
    shortened,
    shortening_warning,
    to_json,
    warned,
)

MAX_PAGE_SIZE = 1000

_BY_START = "start/dateTime"
_NEEDED_BY_WINDOW = ("id", "start", "end", "isAllDay")
_NOT_IN_VIEW = frozenset({"createdDateTime", "lastModifiedDateTime"})
"""calendarView refuses to select these (List calendarView)."""

MAX_ROWS_OF_AN_ANSWER = 250
"""Most rows of an answer whose length is bounded; more never fit."""

MAX_ROWS_WITH_BODIES = 50

_ROOM_FOR_A_WARNING = 800

_SPARE_ROWS = 30
"""Rows asked for beyond those wanted, because the request is wider than the window."""

_DATE_RANGE = re.compile(r"\b(start|end)/dateTime\b", re.IGNORECASE)
_NOT_EXPANDED = (
    "A filter on dates finds a recurring event only by its first occurrence, and reads times as UTC. For everything "
    "that takes place in a period give start_datetime and end_datetime (and timezone) instead."
)


class CalendarList:
    """Carries out `outlook_list_calendar_events` for one connected account."""

    def __init__(self, mailbox: Mailbox, *, clock: Clock, timezone: str, pages: Pages) -> None:
        self._mailbox = mailbox
        self._clock = clock
        self._timezone = timezone
        self._pages = pages

    async def list(self, args: ListCalendarEvents) -> dict[str, Any]:
        """`{value, count, next_page?, now, notes?, warnings?}`.

        Where `args` say how long the answer may be, it has as many rows as fit, and `next_page` leads to the others.
        """
        wire = args.to_wire()
        position = Position()
        token = wire.pop("page", None)
        if token is None:
            query = ListQuery(given=wire, timezone=args.timezone or self._timezone)
        else:
            query, position = self._pages.open(token, wire)
            args = ListCalendarEvents.parse(query.given).with_limit(args.answer_characters)

        async def answer(calendar: str | None) -> dict[str, Any]:
            return await self._answer(args, replace(query, calendar=calendar), position)

        if query.calendar is not None:
            return await answer(query.calendar)
        return await in_calendar(self._mailbox, args.calendar_id, answer)

    async def _answer(self, args: ListCalendarEvents, query: ListQuery, position: Position) -> dict[str, Any]:
        zone = asked_zone(query.timezone)
        remarks = args.remarks
        selected = None if args.select is None else frozenset({"id", *args.select})
        if selected is not None and "onlineMeeting" in selected:
            selected |= {"isOnlineMeeting"}  # without it calendarView leaves the join link empty
        if args.start_datetime is not None and args.end_datetime is not None:
            window = Window.of(args.start_datetime, args.end_datetime, zone)
            remarks += window.remarks
            if selected is not None and selected & _NOT_IN_VIEW:
                selected -= _NOT_IN_VIEW
                remarks += warned("createdDateTime and lastModifiedDateTime cannot be selected in a window.")
            found = await self._in_window(args, query, window, selected, position)
        else:
            if args.filter and _DATE_RANGE.search(args.filter):
                remarks += warned(_NOT_EXPANDED)
            if AttendeeFilter.of(args.filter).addresses:
                raise InvalidInput(
                    "`filter` names attendees, by whom Microsoft does not filter; a window is looked through here.",
                    field="filter",
                    next_step="Give start_datetime and end_datetime beside this filter.",
                )
            wanted = _most_rows(args)
            fields = LIST_FIELDS if selected is None else tuple(sorted(selected))
            source = Listing(self._mailbox, _event_query(args, query, zone, fields, top=wanted))
            found = await in_microsofts_order(source, position, wanted)
        shown = shown_rows(found.events, selected, zone, for_model=args.answer_characters is not None)
        rows = shown.rows
        remarks += warned(*shown.warnings, _left_out(found.odd))
        now = present(self._clock.now(), zone)

        def answer(count: int, remarks: Remarks) -> dict[str, Any]:
            result: dict[str, Any] = {"value": rows[:count], "count": count}
            following = found.following if count == len(rows) else found.after[count - 1]
            if following is not None:
                result["next_page"] = self._pages.seal(query, following)
            return result | {"now": now} | remarks.members()

        return _fitted(answer, shown, remarks, args.answer_characters)

    async def _in_window(
        self,
        args: ListCalendarEvents,
        query: ListQuery,
        window: Window,
        selected: frozenset[str] | None,
        position: Position,
    ) -> Found:
        fields = LIST_FIELDS if selected is None else (*sorted(selected), *_NEEDED_BY_WINDOW)
        after = None if position.start is None else datetime.fromisoformat(position.start)
        wanted = _most_rows(args)
        size = min(wanted + _SPARE_ROWS, MAX_PAGE_SIZE)
        attendees = AttendeeFilter.of(args.filter)
        if attendees.addresses:
            fields = (*fields, "attendees")
        asked = replace(_event_query(args, query, window.zone, fields, top=size), filter=attendees.rest)
        if args.orderby is not None:
            source = View(self._mailbox, asked, window.span(after=after))

            def keep(event: Event) -> bool:
                return window.holds(event) and attendees.keeps(event)

            return await in_microsofts_order(source, position, wanted, keep=keep, required=("start", "end"))
        source = View(self._mailbox, replace(asked, orderby=_BY_START), window.span(after=after))
        return await in_window_order(source, window, position, wanted, keep=attendees.keeps)


def _left_out(odd: int) -> str | None:
    if not odd:
        return None
    return f"{odd} of the entries that Microsoft listed could not be read as events and are left out."


def _most_rows(args: ListCalendarEvents) -> int:
    """How many rows to look for; a short answer never has room for a thousand."""
    if args.answer_characters is None:
        return args.top
    with_bodies = args.select is not None and "body" in args.select
    return min(args.top, MAX_ROWS_WITH_BODIES if with_bodies else MAX_ROWS_OF_AN_ANSWER)


def _fitted(
    answer: Callable[[int, Remarks], dict[str, Any]], shown: ShownRows, remarks: Remarks, limit: int | None
) -> dict[str, Any]:
    """The answer with as many rows as fit, at least one, which is shortened where it alone is too long."""
    rows, size = shown.rows, shown.characters
    count = len(rows)
    result = answer(count, remarks)
    if limit is None:
        return result
    told = remarks
    while (excess := _around_rows(result) + size - limit) > 0 and count:
        if count == 1:
            rows[0], cut = shortened(rows[0], len(to_json(rows[0])) - excess - _ROOM_FOR_A_WARNING)
            return answer(1, told + warned(shortening_warning(cut, limit)))
        while count > 1 and excess > 0:
            count -= 1
            row = len(to_json(rows[count])) + len(",")
            excess -= row
            size -= row
        told = remarks + noted(f"{count} events fit into this answer; `next_page` leads to the others.")
        result = answer(count, told)
    return result


def _around_rows(result: dict[str, Any]) -> int:
    """The characters of an answer's JSON without its rows, whose length is known."""
    return len(to_json({**result, "value": []})) - len("[]")


def _event_query(
    args: ListCalendarEvents, query: ListQuery, zone: Zone, fields: tuple[str, ...], *, top: int
) -> EventQuery:
    select = tuple(dict.fromkeys(fields))
    return EventQuery(
        form=Form(zone=zone, body_format="text" if "body" in select else None, select=select),
        top=min(top, MAX_PAGE_SIZE),
        calendar_id=query.calendar,
        filter=args.filter,
        orderby=args.orderby,
        skip=args.skip or 0,
    )
