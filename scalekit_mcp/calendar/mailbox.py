"""The interface to a mailbox: one method for each operation that the calendar needs, without HTTP.

Implemented over Microsoft Graph (`microsoft/graph/mailbox.py`) and over Scalekit's hosted tools
(`scalekit/mailbox.py`). Events are dictionaries in Graph's shape; they come as they were answered, unchecked. Every
verb raises `ScalekitMCPError` for a refusal; a change raises `ChangeAnswerLostError` while it is open whether it was
made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from scalekit_mcp.calendar.events.event import Event
from scalekit_mcp.tools import Zone


@dataclass(frozen=True, slots=True)
class Form:
    """In which form events are wanted.

    `zone` of their times (None: UTC), `body_format` of their texts (`text` or `html`; None: whatever comes), and
    `select`, the names of the wanted properties (None: all).
    """

    zone: Zone | None = None
    body_format: str | None = None
    select: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """From `begin` up to `end`, both aware."""

    begin: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class EventQuery:
    """The options of a list of events: at most `top` rows a page; `filter` and `orderby` are OData as given.

    `calendar_id` None is the default calendar. The same query goes with every page of a list.
    """

    form: Form
    top: int
    calendar_id: str | None = None
    filter: str | None = field(default=None, repr=False)
    orderby: str | None = None
    skip: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    """The rows of one page, the cursor of the next one (None: this was the last) and how many bytes it had."""

    rows: Sequence[object] = field(repr=False)
    cursor: str | None = None
    size: int = 0


class Mailbox(Protocol):
    """One user's mailbox. A `cursor` is that of the page before, None for the first page."""

    @property
    def purge_addresses(self) -> Sequence[str]:
        """The addresses at which a permanent deletion may be offered, the likeliest first."""
        ...

    async def get(self, event_id: str, form: Form) -> Event:
        """One event; raises `EventNotFound`, `MalformedEventId`."""
        ...

    async def list(self, query: EventQuery, cursor: str | None = None) -> Page:
        """Single events and masters of series."""
        ...

    async def view(self, query: EventQuery, span: Span, cursor: str | None = None) -> Page:
        """All events in a span of time, with series expanded to their dates."""
        ...

    async def instances(self, series_id: str, query: EventQuery, span: Span, cursor: str | None = None) -> Page:
        """The dates of a series in a span."""
        ...

    async def exceptions(self, series_id: str, select: tuple[str, ...]) -> Event:
        """A series with its deleted dates (`cancelledOccurrences`) and its edited ones (`exceptionOccurrences`).

        `select` names the properties of the edited ones. A member is absent where it cannot be told.
        """
        ...

    async def create(self, event: Event, *, calendar_id: str | None, form: Form) -> Event:
        """The event that was created; one `transactionId` is created once, however often it is sent."""
        ...

    async def update(self, event_id: str, changes: Event, *, form: Form, etag: str | None) -> Event:
        """The event after a change of exactly these properties.

        Raises `Conflict` where the event is no longer the one with this `etag` (None: whatever it is).
        """
        ...

    async def delete(self, event_id: str) -> None:
        """Move an event to Deleted Items."""
        ...

    async def purge(self, event_id: str, address: str) -> None:
        """Delete an event for good, under one of the `purge_addresses`."""
        ...

    async def cancel(self, event_id: str, comment: str) -> None:
        """Delete a meeting of the user's own and mail the comment to those invited."""
        ...

    async def calendars(self, select: tuple[str, ...], *, top: int | None = None, cursor: str | None = None) -> Page:
        """The calendars of the mailbox."""
        ...


class SchedulingMailbox(Mailbox, Protocol):
    """A mailbox that also knows of other people."""

    async def default_calendar(self, select: tuple[str, ...]) -> dict[str, Any]:
        """The user's default calendar."""
        ...

    async def respond(self, event_id: str, action: str, body: dict[str, Any]) -> None:
        """Answer an invitation by one of Graph's actions; raises `ChangeAnswerLostError` like every change."""
        ...

    async def schedules(self, addresses: Sequence[str], span: Span, *, interval: timedelta) -> Page:
        """The free and taken time of at most 20 people, rooms and lists, with a view of one character an interval."""
        ...

    async def people(self, search: str, *, top: int) -> Page:
        """The people whom the service relates to the user or finds in the directory, likeliest first, for a name."""
        ...
