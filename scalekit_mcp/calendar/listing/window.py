"""A window of time in a calendar: the request to calendarView, and exactly which of its rows are inside.

Microsoft matches timed events by instant, but all-day events as midnight to midnight in UTC, whatever zone their owner
lives in. So the request is a day wider on both sides, and the cut is made here: timed events by the overlap of
instants, all-day events by the overlap of dates. Source: List calendarView.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from scalekit_mcp.calendar.events.event import date_of, instant_of
from scalekit_mcp.calendar.mailbox import Span
from scalekit_mcp.errors import InvalidInput
from scalekit_mcp.tools import ArgumentError, Remarks, Zone, fold_note, noted, to_instant, warned

MAX_WINDOW_DAYS = 1825
"""Longest span that calendarView answers."""

DAY = timedelta(days=1)

_FARTHEST_ZONE = timedelta(hours=14)


@dataclass(frozen=True, slots=True)
class Window:
    """Local time from `start` up to, not including, `end` (naive datetimes) in `zone`; the instants are in UTC."""

    start: datetime
    end: datetime
    zone: Zone
    start_instant: datetime
    end_instant: datetime

    @classmethod
    def of(cls, start: datetime, end: datetime, zone: Zone) -> Window:
        """The window between two local times; raises `InvalidInput` for one that cannot be asked for."""
        first, last = _instant("start_datetime", start, zone), _instant("end_datetime", end, zone)
        span = last - first
        if span <= timedelta():
            raise InvalidInput("`end_datetime` must be later than `start_datetime`.", field="end_datetime")
        if span > timedelta(days=MAX_WINDOW_DAYS):
            raise InvalidInput(
                f"The window spans {span.days} days; Microsoft answers at most {MAX_WINDOW_DAYS} days (five years).",
                field="end_datetime",
                next_step=f"Ask for windows of at most {MAX_WINDOW_DAYS} days, one after the other.",
            )
        return cls(start, end, zone, first, last)

    @property
    def remarks(self) -> Remarks:
        """Remarks for the result about the window itself."""
        told = noted(
            fold_note("start_datetime", self.start, self.zone),
            fold_note("end_datetime", self.end, self.zone),
        )
        if self.margin < _FARTHEST_ZONE:
            told += warned(
                f"The window is as long as Microsoft allows ({MAX_WINDOW_DAYS} days), so that all-day events on its "
                "first and last day may be missing; a shorter window has them."
            )
        return told

    @property
    def margin(self) -> timedelta:
        """How much wider the request is on each side: a day, less where the limit leaves no room for it."""
        return min(DAY, (timedelta(days=MAX_WINDOW_DAYS) - (self.end_instant - self.start_instant)) / 2)

    def span(self, *, after: datetime | None = None) -> Span:
        """The span to request; events before the instant `after` are not needed any more."""
        begin = self.start_instant - self.margin
        if after is not None:
            begin = max(begin, after - DAY)
        return Span(begin, self.end_instant + self.margin)

    def holds(self, event: Mapping[str, Any]) -> bool:
        """Whether the event overlaps the window; one that ends where the window starts does not."""
        if event.get("isAllDay"):
            last = self.end.date() if self.end.time() == time() else self.end.date() + DAY
            return date_of(event["start"]) < last and date_of(event["end"]) > self.start.date()
        start, end = instant_of(event["start"], self.zone), instant_of(event["end"], self.zone)
        return start < self.end_instant and (end > self.start_instant or start == end == self.start_instant)

    def key(self, event: Mapping[str, Any]) -> tuple[datetime, str]:
        """The event's place in the order: its start in the window's zone, all-day events first, then its id."""
        name = str(event.get("id", ""))
        if event.get("isAllDay"):
            midnight = datetime.combine(date_of(event["start"]), time(), tzinfo=self.zone.tzinfo)
            return midnight.astimezone(UTC), f"0{name}"
        return instant_of(event["start"], self.zone), f"1{name}"

    def settled_before(self, last_row: Mapping[str, Any]) -> datetime:
        """The instant before which no later row of an answer ordered by `start/dateTime` can start.

        All-day events stand in that order at midnight in UTC, up to a day away from their place here.
        """
        if last_row.get("isAllDay"):
            return datetime.combine(date_of(last_row["start"]), time(), tzinfo=UTC) - DAY
        return instant_of(last_row["start"], self.zone) - DAY


def _instant(field: str, local: datetime, zone: Zone) -> datetime:
    try:
        return to_instant(local, zone)
    except ArgumentError as exc:
        raise InvalidInput(f"`{field}` {exc.message}.", field=field) from exc
