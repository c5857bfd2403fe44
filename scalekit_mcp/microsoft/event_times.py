"""Start and end of an update, held against the event as it is; and what that means for a series.

Local times and zones are sent as they were asked for. Instants serve only to compare and to keep a duration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, cast

from scalekit_mcp.microsoft.events import date_of, instant_of
from scalekit_mcp.microsoft.graph_zones import graph_zone
from scalekit_mcp.microsoft.recurrence import graph_recurrence, recurrence_from_graph
from scalekit_mcp.tools.arguments import UpdateCalendarEvent
from scalekit_mcp.tools.checks import check_all_day
from scalekit_mcp.tools.recurrence import Recurrence
from scalekit_mcp.tools.values import Refused
from scalekit_mcp.tools.zones import Zone, resolve_zone, to_instant, to_local

_UTC = Zone("UTC", "UTC", "UTC")


@dataclass(frozen=True, slots=True)
class LocalTime:
    """A naive local time and its zone."""

    local: datetime
    zone: Zone

    @property
    def instant(self) -> datetime:
        """The instant in UTC; raises `Refused` inside a gap."""
        return to_instant(self.local, self.zone)


@dataclass(frozen=True, slots=True)
class PatchedTimes:
    """`start` and `end` of the body, where they are given; `start` is None where the event keeps its own."""

    start: LocalTime | None = None
    end: LocalTime | None = None
    notes: tuple[str, ...] = ()

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
    """Start and end after the update; raises `Refused`.

    Only a start keeps the duration, only an end must lie after the start that the event has.
    """
    start, end = _given(args, "start"), _given(args, "end")
    whole_days = bool(current.get("isAllDay") if args.isAllDay is None else args.isAllDay)
    if args.isAllDay is not None and args.isAllDay != bool(current.get("isAllDay")):
        _refuse_half(start, end, whole_days=whole_days)
    if start is None and end is None:
        return PatchedTimes()
    if occurrence is not None:
        start = _rebased("start", start, current, occurrence, whole_days=whole_days)
        end = _rebased("end", end, current, occurrence, whole_days=whole_days)
    if whole_days:
        return _whole_days(start, end, current)
    if start is not None and end is not None:
        if end.instant <= start.instant:
            raise Refused("must lie after start_datetime", "end_datetime")
        return PatchedTimes(start, end)
    if start is not None:
        return _moved(start, current)
    return _ended(cast(LocalTime, end), current)


def event_zone(current: Mapping[str, Any]) -> Zone:
    """The zone that the event was made in; UTC where that is a custom one, whose rules nobody knows."""
    start = cast("Mapping[str, Any]", current.get("start") or {})
    for name in (current.get("originalStartTimeZone"), start.get("timeZone")):
        try:
            return resolve_zone(str(name))
        except Refused:
            continue
    return _UTC


def local_edge(event: Mapping[str, Any], edge: str, zone: Zone) -> datetime:
    """The naive `start` or `end` of an event in `zone`; midnight of its date if it lasts whole days."""
    if event.get("isAllDay"):
        return datetime.combine(date_of(event[edge]), time.min)
    return to_local(instant_of(event[edge]), zone)


def series_recurrence(
    change: Recurrence | None, current: Mapping[str, Any], times: PatchedTimes
) -> dict[str, Any] | None:
    """The whole recurrence to send, or None if it stays as it is; raises `Refused` when it does not fit the start.

    A series whose first event moves to another date or zone has to be told so in its range, too.
    """
    had = current.get("recurrence")
    before = recurrence_from_graph(had) if had else None
    if change is None and (before is None or times.start is None):
        return None
    zone = times.start.zone if times.start is not None else event_zone(current)
    start = times.start.local.date() if times.start is not None else local_edge(current, "start", zone).date()
    named = _recurrence_zone(had)
    if change is None:
        assert before is not None  # noqa: S101 - looked at above
        if before.start_date == start and (named is None or named.windows == zone.windows):
            return None
        whole = _fitting(before, start)
    elif before is None:
        if change.type is None:
            raise Refused("is missing: the event does not recur yet", "recurrence_type")
        whole = change.complete(start)
        return graph_recurrence(whole)
    else:
        merged = before.merged(change)
        whole = replace(merged, start_date=change.start_date).complete(start)
    if times.start is None and named is not None:
        zone = named
    return graph_recurrence(whole, graph_zone(zone))


def _fitting(before: Recurrence, start: date) -> Recurrence:
    try:
        return replace(before, start_date=None).complete(start)
    except Refused as refused:
        raise Refused(
            f"moves the first event of the series to {start}, where its pattern has none; give the recurrence "
            f"parameters that shall change as well: {refused.field} {refused.message}",
            "start_datetime",
        ) from None


def _recurrence_zone(recurrence: Mapping[str, Any] | None) -> Zone | None:
    span: Mapping[str, Any] = (recurrence or {}).get("range") or {}
    try:
        return resolve_zone(str(span.get("recurrenceTimeZone") or ""))
    except Refused:
        return None


def _given(args: UpdateCalendarEvent, edge: str) -> LocalTime | None:
    local, zone = getattr(args, f"{edge}_datetime"), getattr(args, f"{edge}_timezone")
    return None if local is None else LocalTime(local, resolve_zone(zone))


def _refuse_half(start: LocalTime | None, end: LocalTime | None, *, whole_days: bool) -> None:
    for name, edge in (("start_datetime", start), ("end_datetime", end)):
        if edge is None:
            form = "midnight, the end exclusive" if whole_days else "with their times of day"
            raise Refused(f"is missing: to change isAllDay give start and end, {form}", name)


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
        raise Refused(f"must be {zone.given} too: the event lasts whole days", "end_timezone")
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
        raise Refused(f"must lie after the start of the event, {begins} {end.zone.given}", "end_datetime")
    return PatchedTimes(None, end)


def _rebased(
    edge: str,
    asked: LocalTime | None,
    master: Mapping[str, Any],
    occurrence: Mapping[str, Any],
    *,
    whole_days: bool,
) -> LocalTime | None:
    """The time asked of an occurrence, carried over to the first event of its series."""
    if asked is None:
        return None
    held = local_edge(occurrence, "start", asked.zone)
    shift = asked.local.date() - held.date()
    if whole_days or (edge == "start" and shift):
        raise Refused(
            f"would move the series to another date; give {held.date()} with the new time of day, and change dates by "
            "recurrence_days_of_week, recurrence_day_of_month or recurrence_start_date",
            f"{edge}_datetime",
        )
    day = local_edge(master, "start", asked.zone).date() + shift
    return LocalTime(datetime.combine(day, asked.local.time()), asked.zone)


def _minutes(duration: timedelta) -> str:
    minutes = int(duration.total_seconds() // 60)
    return f"{minutes} minute(s)" if minutes < 1440 or minutes % 1440 else f"{minutes // 1440} day(s)"
