"""The pages of a list of events, read within bounds, and the exact order of a window.

Whether calendarView keeps the order that it is asked for
is a habit of Microsoft's and no promise: where it refuses or ignores the order, a window is read whole and sorted here.
Sources: "Paging Microsoft Graph data", List calendarView.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time

from scalekit_mcp.calendar.events.event import Event, date_of, instant_of
from scalekit_mcp.calendar.events.shapes import rows_of
from scalekit_mcp.calendar.listing.page_tokens import Position
from scalekit_mcp.calendar.listing.window import Window
from scalekit_mcp.calendar.mailbox import EventQuery, Mailbox, Page, Span
from scalekit_mcp.errors import InternalError, InvalidInput, ProviderUnavailable

MAX_PAGES = 20
"""Most of Microsoft's pages that one call reads; more come with `next_page`."""

MAX_BYTES = 8 * 1024 * 1024
"""Once the pages of a call hold this much, no further one is read; more come with `next_page`."""

_NO_ORDER_STATUSES = frozenset({400, 500, 501})


@dataclass(frozen=True, slots=True)
class Found:
    """Events in their order, where the next answer begins after each, and after all of them (None: no more).

    `odd` counts rows that were left out because they are no events.
    """

    events: list[Event]
    after: list[Position]
    following: Position | None
    odd: int = 0


@dataclass(frozen=True, slots=True)
class Listing:
    """Where pages come from: the list of single events and series."""

    mailbox: Mailbox
    query: EventQuery

    async def page(self, cursor: str | None) -> Page:
        """The page at `cursor`."""
        return await self.mailbox.list(self.query, cursor)


@dataclass(frozen=True, slots=True)
class View:
    """Where pages come from: what takes place in a span."""

    mailbox: Mailbox
    query: EventQuery
    span: Span

    async def page(self, cursor: str | None) -> Page:
        """The page at `cursor`."""
        return await self.mailbox.view(self.query, self.span, cursor)


@dataclass(frozen=True, slots=True)
class Instances:
    """Where pages come from: the dates of one series in a span."""

    mailbox: Mailbox
    query: EventQuery
    span: Span
    series_id: str

    async def page(self, cursor: str | None) -> Page:
        """The page at `cursor`."""
        return await self.mailbox.instances(self.series_id, self.query, self.span, cursor)


@dataclass(slots=True)
class _Reading:
    """Reads one page after the other, and knows when it has read enough for one call."""

    source: Listing | View | Instances
    link: str | None
    required: tuple[str, ...] = ()
    pages: int = 0
    size: int = 0
    odd: int = 0

    @property
    def may_go_on(self) -> bool:
        return self.pages < MAX_PAGES and self.size < MAX_BYTES

    async def page(self) -> list[Event]:
        """The rows of the next page; `link` is then the one behind it."""
        page = await self.source.page(self.link)
        rows = rows_of(page.rows, required=self.required)
        self.pages += 1
        self.size += page.size
        self.odd += rows.odd
        self.link = page.cursor
        return rows.events


async def in_microsofts_order(
    source: Listing | View | Instances,
    position: Position,
    wanted: int,
    *,
    keep: Callable[[Event], bool] | None = None,
    required: tuple[str, ...] = (),
) -> Found:
    """The next `wanted` events in the order of Microsoft's pages."""
    reading = _Reading(source, position.link, required)
    offset = position.offset
    events: list[Event] = []
    places: list[Position] = []
    while reading.may_go_on:
        link = reading.link
        page = await reading.page()
        for index, row in enumerate(page[offset:], start=offset):
            if len(events) == wanted:
                return Found(events, places, Position(link=link, offset=index), reading.odd)
            if keep is None or keep(row):
                events.append(row)
                places.append(Position(link=link, offset=index + 1))
        if reading.link is None:
            return Found(events, places, None, reading.odd)
        offset = 0
        if len(events) == wanted:
            break
    return Found(events, places, Position(link=reading.link), reading.odd)


@dataclass(slots=True)
class _Ordered:
    """The rows of a window by their place in its order, and up to where no further page can bring another one."""

    window: Window
    after: tuple[datetime, str] | None
    keep: Callable[[Event], bool]
    found: dict[tuple[datetime, str], Event] = field(default_factory=dict[tuple[datetime, str], Event])
    settled: datetime | None = None
    last: datetime | None = None
    in_order: bool = True

    def add(self, page: Sequence[Event]) -> None:
        for row in page:
            place = _place_at_microsoft(row, self.window)
            if self.last is not None and place < self.last:
                self.in_order = False
            self.last = place
            if self.window.holds(row) and self.keep(row):
                key = self.window.key(row)
                if self.after is None or key > self.after:
                    self.found[key] = row
        if page:
            self.settled = self.window.settled_before(page[-1])

    def enough(self, wanted: int) -> bool:
        settled = self.settled
        return self.in_order and settled is not None and sum(key[0] <= settled for key in self.found) >= wanted


async def in_window_order(
    source: View, window: Window, position: Position, wanted: int, *, keep: Callable[[Event], bool]
) -> Found:
    """The next `wanted` events of a window that are to be kept, in its own order.

    That differs from Microsoft's by up to a day.

    Raises `ProviderUnavailable` where Microsoft keeps no order and the window holds more than one call reads.
    """
    after = None if position.start is None else (datetime.fromisoformat(position.start), position.rank or "")
    reading = _Reading(source, position.link, ("start", "end"))
    ordered = _Ordered(window, after, keep)
    ordered.add(await _first_page(reading, ordered))
    while reading.link is not None and reading.may_go_on and not ordered.enough(wanted):
        ordered.add(await reading.page())
    keys = sorted(ordered.found)
    link, settled = reading.link, ordered.settled
    if link is None or settled is None:
        chosen = keys[:wanted]
    elif ordered.in_order:
        chosen = ([key for key in keys if key[0] <= settled] or keys)[:wanted]
    else:
        raise ProviderUnavailable(
            "Microsoft lists this window in no order, and it holds more events than one call can sort.",
            retryable=False,
            next_step="Ask for a shorter window.",
        )
    events = [ordered.found[key] for key in chosen]
    places = [Position(start=start.isoformat(), rank=rank) for start, rank in chosen]
    if link is None and len(chosen) == len(keys):
        return Found(events, places, None, reading.odd)
    if not chosen:
        following = Position(link=link, start=after and after[0].isoformat(), rank=after and after[1])
        return Found([], [], following, reading.odd)
    return Found(events, places, places[-1], reading.odd)


async def _first_page(reading: _Reading, ordered: _Ordered) -> list[Event]:
    """The first page; without an order where Microsoft refuses to order a window."""
    try:
        return await reading.page()
    except (InvalidInput, InternalError, ProviderUnavailable) as exc:
        query = reading.source.query
        if exc.details.get("graph_status") not in _NO_ORDER_STATUSES or query.orderby is None:
            raise
        ordered.in_order = False
        reading.source = replace(reading.source, query=replace(query, orderby=None))
        try:
            return await reading.page()
        except (InvalidInput, InternalError, ProviderUnavailable):
            raise exc from None  # it was not the order: the first refusal tells more


def _place_at_microsoft(row: Event, window: Window) -> datetime:
    """Where a row stands in an order by `start/dateTime`: all-day events at midnight in UTC."""
    if row.get("isAllDay"):
        return datetime.combine(date_of(row["start"]), time(), tzinfo=UTC)
    return instant_of(row["start"], window.zone)
