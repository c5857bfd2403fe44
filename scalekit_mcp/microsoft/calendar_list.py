"""Listing: OData as it was given, or a window in which recurring events are expanded.

Sources: List events, List calendarView, Paging Microsoft Graph data.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, cast

from scalekit_mcp.clock import Clock
from scalekit_mcp.microsoft.calendar_requests import asked_zone, events_path, preferences
from scalekit_mcp.microsoft.events import Event
from scalekit_mcp.microsoft.graph import GraphRequest, MailboxSession
from scalekit_mcp.microsoft.paging import ListQuery, Pages, Position
from scalekit_mcp.microsoft.rows import LIST_FIELDS, rows_result
from scalekit_mcp.microsoft.window import Window, present
from scalekit_mcp.tools.arguments import ListCalendarEvents
from scalekit_mcp.tools.remarks import warned

MAX_PAGES = 20
"""Most of Microsoft's pages that one call reads; more come with `next_page`."""

MAX_PAGE_SIZE = 1000

_NEEDED_BY_WINDOW = ("id", "start", "end", "isAllDay")
_NOT_IN_VIEW = frozenset({"createdDateTime", "lastModifiedDateTime"})
"""calendarView refuses to select these (List calendarView)."""

_SPARE_ROWS = 30
"""Rows asked for beyond those wanted, because the request is wider than the window."""

_DATE_RANGE = re.compile(r"\b(start|end)/dateTime\b", re.IGNORECASE)
_NOT_EXPANDED = (
    "A filter on dates finds a recurring event only by its first occurrence, and reads times as UTC. For everything "
    "that takes place in a period give start_datetime and end_datetime (and timezone) instead."
)


class CalendarList:
    """Answers `outlook_list_calendar_events` for one connected account."""

    def __init__(self, session: MailboxSession, *, clock: Clock, timezone: str, pages: Pages) -> None:
        self._session = session
        self._clock = clock
        self._timezone = timezone
        self._pages = pages

    async def list(self, args: ListCalendarEvents) -> dict[str, Any]:
        """`{value, next_page?, now?, notes?, warnings?}`; `now` stands in the answer to a window."""
        wire = args.to_wire()
        position = Position()
        token = wire.pop("page", None)
        if token is None:
            query = ListQuery(given=wire, timezone=args.timezone or self._timezone)
        else:
            query, position = self._pages.open(token, wire)
            args = ListCalendarEvents.parse(query.given)
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
            events, following = await self._in_window(args, window, selected, position)
        else:
            if args.filter and _DATE_RANGE.search(args.filter):
                remarks += warned(_NOT_EXPANDED)
            request = GraphRequest(
                "GET",
                events_path(args.calendar_id),
                params=_odata(args, LIST_FIELDS if selected is None else tuple(sorted(selected)), top=args.top),
                prefer=preferences(zone, body_format="text" if selected and "body" in selected else None),
            )
            events, following = await self._walk(request, position, args.top)
        rows, about_rows = rows_result(events, selected, zone)
        result: dict[str, Any] = {"value": rows}
        if following is not None:
            result["next_page"] = self._pages.seal(query, following)
        if args.is_window:
            result["now"] = present(self._clock.now(), zone)
        return result | (remarks + warned(*about_rows)).members()

    async def _in_window(
        self, args: ListCalendarEvents, window: Window, selected: frozenset[str] | None, position: Position
    ) -> tuple[list[Event], Position | None]:
        fields = LIST_FIELDS if selected is None else (*sorted(selected), *_NEEDED_BY_WINDOW)
        after = None if position.start is None else (datetime.fromisoformat(position.start), position.rank or "")
        size = min(args.top + _SPARE_ROWS, MAX_PAGE_SIZE)
        params = window.request(after=after and after[0]) | _odata(args, fields, top=size)
        params.setdefault("$orderby", "start/dateTime")
        request = GraphRequest(
            "GET",
            events_path(args.calendar_id, "calendarView"),
            params=params,
            prefer=preferences(window.zone, body_format="text" if "body" in fields else None),
        )
        if args.orderby is not None:
            return await self._walk(request, position, args.top, window.holds)
        return await self._in_order(request, window, after, position.link, args.top)

    async def _in_order(
        self,
        request: GraphRequest,
        window: Window,
        after: tuple[datetime, str] | None,
        link: str | None,
        wanted: int,
    ) -> tuple[list[Event], Position | None]:
        """The next `wanted` events of a window in its own order, which differs from Microsoft's by up to a day."""
        found: dict[tuple[datetime, str], Event] = {}
        settled = datetime.max.replace(tzinfo=window.start_instant.tzinfo)
        for _ in range(MAX_PAGES):
            page, link = await self._page(request, link)
            for row in page:
                if window.holds(row):
                    key = window.key(row)
                    if after is None or key > after:
                        found[key] = row
            if link is None:
                break
            if page:
                settled = window.settled_before(page[-1])
                if sum(key[0] <= settled for key in found) >= wanted:
                    break
        keys = sorted(found)
        chosen = keys[:wanted] if link is None else ([key for key in keys if key[0] <= settled] or keys)[:wanted]
        events = [found[key] for key in chosen]
        if link is None and len(chosen) == len(keys):
            return events, None
        if not chosen:
            return [], Position(link=link, start=after and after[0].isoformat(), rank=after and after[1])
        return events, Position(start=chosen[-1][0].isoformat(), rank=chosen[-1][1])

    async def _walk(
        self,
        request: GraphRequest,
        position: Position,
        wanted: int,
        keep: Callable[[Event], bool] | None = None,
    ) -> tuple[list[Event], Position | None]:
        """The next `wanted` events in the order of Microsoft's pages."""
        link, offset = position.link, position.offset
        events: list[Event] = []
        for _ in range(MAX_PAGES):
            page, following = await self._page(request, link)
            for index, row in enumerate(page[offset:], start=offset):
                if len(events) == wanted:
                    return events, Position(link=link, offset=index)
                if keep is None or keep(row):
                    events.append(row)
            if following is None:
                return events, None
            link, offset = following, 0
            if len(events) == wanted:
                break
        return events, Position(link=link)

    async def _page(self, request: GraphRequest, link: str | None) -> tuple[list[Event], str | None]:
        response = await (self._session.send(request) if link is None else self._session.get_next(link, request))
        return cast("list[Event]", response.body.get("value") or []), response.body.get("@odata.nextLink")


def _odata(args: ListCalendarEvents, fields: tuple[str, ...], *, top: int) -> dict[str, str]:
    params = {"$select": ",".join(dict.fromkeys(fields)), "$top": str(min(top, MAX_PAGE_SIZE))}
    if args.filter is not None:
        params["$filter"] = args.filter
    if args.orderby is not None:
        params["$orderby"] = args.orderby
    if args.skip:
        params["$skip"] = str(args.skip)
    return params
