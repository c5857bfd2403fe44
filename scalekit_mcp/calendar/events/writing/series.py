"""Updates of a series: the recurrence to send, and the new start of its first event.

Sources: Update event, recurrenceRange resource type, event resource type.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, cast

from scalekit_mcp.calendar.events.recurrence import graph_recurrence, recurrence_from_graph
from scalekit_mcp.calendar.events.series_dates import vanishing_dates, weekday_of
from scalekit_mcp.calendar.events.times import LocalTime, PatchedTimes, local_edge
from scalekit_mcp.calendar.events.zones import graph_zone
from scalekit_mcp.tools import ArgumentError, Recurrence, Zone, resolve_zone

UTC_ZONE = Zone("UTC", "UTC", "UTC")
_UTC_NAMES = frozenset({"utc", "tzone://microsoft/utc"})


def series_recurrence(
    change: Recurrence | None, current: Mapping[str, Any], times: PatchedTimes
) -> tuple[dict[str, Any] | None, PatchedTimes]:
    """The whole recurrence to send, None if it stays as it is, and the times that go with it; raises `ArgumentError`.

    A series whose first event moves to another date or zone has to be told so in its range, too. A series that only
    ends elsewhere keeps its range's own start date and zone, whatever they are.
    """
    had = cast("Mapping[str, Any] | None", current.get("recurrence"))
    if had is None:
        if change is None:
            return None, times
        if change.type is None:
            raise ArgumentError("is missing: the event does not recur yet", "recurrence_type")
        return graph_recurrence(change.complete(_first_date(current, times))), times
    before = recurrence_from_graph(had)
    if change is None:
        return _moved_along(before, had, times), times
    if times.start is None and not change.changes_pattern:
        return _ended_elsewhere(before, change, had, current), times
    return _changed(before, change, current, times)


def dates_lost_before_start(body: Mapping[str, Any], before: Mapping[str, Any]) -> tuple[date, date] | None:
    """The old and the new first date of a series if the change makes dates before the new one disappear."""
    recurrence, had = body.get("recurrence"), before.get("recurrence")
    if not recurrence or not had:
        return None
    pattern, begins = recurrence_from_graph(recurrence), recurrence_from_graph(had).start_date
    start = body.get("start")
    zone = None if start is None else known_zone(start.get("timeZone"))
    if zone is not None:
        begins = local_edge(before, "start", zone).date()
    first = pattern.start_date
    if begins is None or first is None or not vanishing_dates(pattern, begins, first):
        return None
    return begins, first


def _moved_along(before: Recurrence, had: Mapping[str, Any], times: PatchedTimes) -> dict[str, Any] | None:
    """The recurrence of a series whose first event is given another time; None where date and zone stay."""
    if times.start is None:
        return None
    start, zone, name = times.start.local.date(), times.start.zone, range_zone_name(had)
    named = known_zone(name)
    if before.start_date == start and (not name or (named is not None and named.windows == zone.windows)):
        return None
    try:
        whole = replace(before, start_date=None).complete(start)
    except ArgumentError as refused:
        raise ArgumentError(
            f"moves the first event of the series to {start}, where its pattern has none; give the recurrence "
            f"parameters that shall change as well: {refused.field} {refused.message}",
            "start_datetime",
        ) from None
    return graph_recurrence(whole, graph_zone(zone))


def _ended_elsewhere(
    before: Recurrence, change: Recurrence, had: Mapping[str, Any], current: Mapping[str, Any]
) -> dict[str, Any]:
    start = before.start_date or local_edge(current, "start", event_zone(current) or UTC_ZONE).date()
    merged = before.merged(change)
    merged.check_parts()
    if change.start_date not in {None, start}:
        replace(merged, start_date=change.start_date).complete(start)
    return graph_recurrence(replace(merged, start_date=start).with_range(), sent_zone_name(had))


def _changed(
    before: Recurrence, change: Recurrence, current: Mapping[str, Any], times: PatchedTimes
) -> tuple[dict[str, Any], PatchedTimes]:
    """A new pattern. Unless a date was asked for, the first event moves to the first that fits on or after its own."""
    merged = replace(before.merged(change), start_date=None)
    held = _first_date(current, times)
    first = held
    if times.start is None or times.of_occurrence:
        first = merged.first_fitting(held)
        if first != held:
            times = _shifted(times, first - held, current)
        if before.start_date is not None and before.start_date != first:
            told = f"The first event of the series moves from {_named(before.start_date)} to {_named(first)}."
            times = replace(times, notes=(*times.notes, told))
    whole = replace(merged, start_date=change.start_date).complete(first)
    if times.start is None:
        return graph_recurrence(whole, sent_zone_name(cast("Mapping[str, Any]", current["recurrence"]))), times
    return graph_recurrence(whole, graph_zone(times.start.zone)), times


def _named(day: date) -> str:
    return f"{weekday_of(day)} {day}"


def _shifted(times: PatchedTimes, by: timedelta, current: Mapping[str, Any]) -> PatchedTimes:
    """Start and end by some days later, at the same local times; raises `ArgumentError` where they do not exist."""
    zone = event_zone(current)
    if zone is None and times.start is None:
        raise ArgumentError(
            "is missing: the series lies in a zone of its own that nobody knows, so that its first event cannot be "
            "moved to another date; give its start and its zone",
            "start_datetime",
        )
    moved: dict[str, LocalTime] = {}
    for edge, asked in (("start", times.start), ("end", times.end)):
        at = asked
        if at is None:
            own = zone or cast(LocalTime, times.start).zone
            if edge == "end" and not current.get("isAllDay"):
                own = known_zone(current.get("originalEndTimeZone")) or own
            at = LocalTime(local_edge(current, edge, own), own)
        moved[edge] = LocalTime(at.local + by, at.zone)
        if not current.get("isAllDay"):
            try:
                _ = moved[edge].instant
            except ArgumentError as refused:
                raise ArgumentError(refused.message, f"{edge}_datetime") from None
    return replace(times, start=moved["start"], end=moved["end"])


def _first_date(current: Mapping[str, Any], times: PatchedTimes) -> date:
    """The date of the first event: the one asked for, else that of the range, else that of the event."""
    if times.start is not None:
        return times.start.local.date()
    had = cast("Mapping[str, Any] | None", current.get("recurrence"))
    held = None if had is None else recurrence_from_graph(had).start_date
    return held or local_edge(current, "start", event_zone(current) or UTC_ZONE).date()


def event_zone(current: Mapping[str, Any]) -> Zone | None:
    """The zone that the event was made in; None where that is a custom one, whose rules nobody knows."""
    name = current.get("originalStartTimeZone")
    if not name:
        name = cast("Mapping[str, Any]", current.get("start") or {}).get("timeZone")
    return known_zone(name)


def range_zone_name(recurrence: Mapping[str, Any]) -> str:
    """The name of the zone that the dates of a range are in; empty where it is not said."""
    span: Mapping[str, Any] = recurrence.get("range") or {}
    return str(span.get("recurrenceTimeZone") or "")


def sent_zone_name(recurrence: Mapping[str, Any]) -> str | None:
    """The range's own zone under a name that Graph takes; None, which leaves it alone, for a custom one."""
    zone = known_zone(range_zone_name(recurrence))
    return None if zone is None else graph_zone(zone)


def known_zone(name: Any) -> Zone | None:
    """The zone that Graph calls so; None for a custom one."""
    text = str(name or "")
    if text.casefold() in _UTC_NAMES:
        return UTC_ZONE
    try:
        return resolve_zone(text)
    except ArgumentError:
        return None
