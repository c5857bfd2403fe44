"""The new start and end of an updated event, worked out from the arguments and the event as it is.

Local times and zones are sent as they were asked for. Instants serve only to compare and to keep a duration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any, cast

from scalekit_mcp.calendar.events.event import date_of, instant_of
from scalekit_mcp.calendar.events.series_dates import check_occurrence_date
from scalekit_mcp.calendar.events.zones import graph_zone
from scalekit_mcp.tools import (
    ArgumentError,
    UpdateCalendarEvent,
    Zone,
    check_all_day,
    resolve_zone,
    to_instant,
    to_local,
)

_UTC = Zone("UTC", "UTC", "UTC")


@dataclass(frozen=True, slots=True)
class LocalTime:
    """A naive local time and its zone."""

    local: datetime
    zone: Zone

    @property
    def instant(self) -> datetime:
        """The instant in UTC; raises `ArgumentError` inside a gap."""
        return to_instant(self.local, self.zone)


@dataclass(frozen=True, slots=True)
class PatchedTimes:
    """`start` and `end` of the body, where they are given; `start` is None where the event keeps its own.

    They are `of_occurrence` where one was named and its series is changed: then they say the time of day, and the
    pattern says on which date the series begins.
    """

    start: LocalTime | None = None
    end: LocalTime | None = None
    notes: tuple[str, ...] = ()
    of_occurrence: bool = False

    @property
    def body(self) -> dict[str, Any]:
        """The members of the PATCH."""
        both = {"start": self.start, "end": self.end}
        return {name: graph_moment(edge.local, edge.zone) for name, edge in both.items() if edge is not None}


def graph_moment(local: datetime, zone: Zone) -> dict[str, str]:
    """A dateTimeTimeZone, the zone under a name that Graph takes."""
    precision = "microseconds" if local.microsecond else "seconds"
    return {"dateTime": local.isoformat(timespec=precision), "timeZone": graph_zone(zone)}


def patch_times(
    args: UpdateCalendarEvent, current: Mapping[str, Any], occurrence: Mapping[str, Any] | None = None
) -> PatchedTimes:
    """Start and end after the update; raises `ArgumentError`.

    Only a start keeps the duration, only an end must lie after the start that the event has.
    """
    start, end = _given(args, "start"), _given(args, "end")
    whole_days = bool(current.get("isAllDay") if args.isAllDay is None else args.isAllDay)
    if args.isAllDay is not None and args.isAllDay != bool(current.get("isAllDay")):
        _refuse_half(start, end, whole_days=whole_days)
    if start is None and end is None:
        return PatchedTimes()
    if occurrence is not None:
        if start is not None:
            held = local_edge(occurrence, "start", start.zone).date()
            check_occurrence_date(start.local.date(), held, args.recurrence, current)
        start = _rebased(start, current, occurrence)
        end = _rebased(end, current, occurrence)
        return replace(_patched(start, end, current, whole_days=whole_days), of_occurrence=True)
    return _patched(start, end, current, whole_days=whole_days)


def _patched(
    start: LocalTime | None, end: LocalTime | None, current: Mapping[str, Any], *, whole_days: bool
) -> PatchedTimes:
    if whole_days:
        return _whole_days(start, end, current)
    if start is not None and end is not None:
        if end.instant <= start.instant:
            raise ArgumentError("must lie after start_datetime", "end_datetime")
        return PatchedTimes(start, end)
    if start is not None:
        return _moved(start, current)
    return _ended(cast(LocalTime, end), current)


def local_edge(event: Mapping[str, Any], edge: str, zone: Zone) -> datetime:
    """The naive `start` or `end` of an event in `zone`; midnight of its date if it lasts whole days."""
    if event.get("isAllDay"):
        return datetime.combine(date_of(event[edge]), time.min)
    return to_local(instant_of(event[edge]), zone)


def _given(args: UpdateCalendarEvent, edge: str) -> LocalTime | None:
    local, zone = getattr(args, f"{edge}_datetime"), getattr(args, f"{edge}_timezone")
    return None if local is None else LocalTime(local, resolve_zone(zone))


def _refuse_half(start: LocalTime | None, end: LocalTime | None, *, whole_days: bool) -> None:
    for name, edge in (("start_datetime", start), ("end_datetime", end)):
        if edge is None:
            form = "midnight, the end exclusive" if whole_days else "with their times of day"
            raise ArgumentError(f"is missing: to change isAllDay give start and end, {form}", name)


def _whole_days(start: LocalTime | None, end: LocalTime | None, current: Mapping[str, Any]) -> PatchedTimes:
    """Midnights, both in one zone: sent together even if only one of them was given."""
    zone = (start or cast(LocalTime, end)).zone
    first, last = local_edge(current, "start", zone), local_edge(current, "end", zone)
    notes: tuple[str, ...] = ()
    new_start, new_end = start.local if start else first, end.local if end else last
    check_all_day({"start_datetime": new_start, **({"end_datetime": new_end} if end else {})})
    if end is None:
        new_end = new_start + (last - first)
        notes = (f"end_datetime was not given: the event still lasts {(last - first).days} day(s).",)
    elif end.zone.windows != zone.windows:
        raise ArgumentError(f"must be {zone.given} too: the event lasts whole days", "end_timezone")
    return PatchedTimes(LocalTime(new_start, zone), LocalTime(new_end, zone), notes)


def _moved(start: LocalTime, current: Mapping[str, Any]) -> PatchedTimes:
    duration = instant_of(current["end"]) - instant_of(current["start"])
    instant = start.instant + duration
    end = LocalTime(to_local(instant, start.zone), start.zone)
    if end.instant != instant:
        # The second of two equal wall times: only another zone can name it.
        end = LocalTime(instant.astimezone(UTC).replace(tzinfo=None), _UTC)
    until = end.local.isoformat(timespec="seconds")
    told = f"end_datetime was not given: the duration of {_minutes(duration)} is kept, the event ends at {until}"
    return PatchedTimes(start, end, (f"{told} {end.zone.given}.",))


def _ended(end: LocalTime, current: Mapping[str, Any]) -> PatchedTimes:
    start = instant_of(current["start"])
    if end.instant <= start:
        begins = to_local(start, end.zone).isoformat(timespec="seconds")
        raise ArgumentError(f"must lie after the start of the event, {begins} {end.zone.given}", "end_datetime")
    return PatchedTimes(None, end)


def _rebased(asked: LocalTime | None, master: Mapping[str, Any], occurrence: Mapping[str, Any]) -> LocalTime | None:
    """The time asked of an occurrence, carried over to the first event of its series."""
    if asked is None:
        return None
    shift = asked.local.date() - local_edge(occurrence, "start", asked.zone).date()
    day = local_edge(master, "start", asked.zone).date() + shift
    return LocalTime(datetime.combine(day, asked.local.time()), asked.zone)


def _minutes(duration: timedelta) -> str:
    minutes = int(duration.total_seconds() // 60)
    return f"{minutes} minute(s)" if minutes < 1440 or minutes % 1440 else f"{minutes // 1440} day(s)"
