"""Working hours as Graph answers them (Graph pages "workingHours resource type", "customTimeZone resource type")."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from scalekit_mcp.sandbox.world import Person, zones
from scalekit_mcp.sandbox.world.directory import WorkingHours

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def working_hours(person: Person, hours: WorkingHours, now: datetime) -> dict[str, Any]:
    """The `workingHours` of a person; the rules of a custom zone are those of the year of `now`."""
    name = hours.time_zone or zones.windows_name(person.time_zone)
    zone: dict[str, Any] = {"name": name}
    if hours.zone_rules != "name":
        zone = custom_zone(zones.zone_named(name), now.year, swapped=hours.zone_rules == "swapped")
    return {
        "daysOfWeek": list(hours.days),
        "startTime": f"{hours.starts}:00.0000000",
        "endTime": f"{hours.ends}:00.0000000",
        "timeZone": zone,
    }


def custom_zone(zone: ZoneInfo, year: int, *, swapped: bool = False) -> dict[str, Any]:
    """A `customTimeZone`: UTC is local time plus `bias` minutes, in summer plus `daylightBias` too.

    `standardOffset` says when winter time begins, `daylightOffset` when summer time does. `swapped` exchanges the two
    and counts the summer hour into the bias.
    """
    changes = _changes(zone, year)
    to_summer = next((at for at, by in changes if by > 0), None)
    to_winter = next((at for at, by in changes if by < 0), None)
    summer_minutes = max((by for _, by in changes), default=0)
    standard = min(_minutes(zone, datetime(year, month, 1, tzinfo=UTC)) for month in (1, 7))
    winter_rule, summer_rule = _rule(to_winter), _rule(to_summer)
    bias = -standard
    if swapped:
        winter_rule, summer_rule, bias = summer_rule, winter_rule, bias - summer_minutes
    return {
        "@odata.type": "#microsoft.graph.customTimeZone",
        "name": "Customized Time Zone",
        "bias": bias,
        "standardOffset": winter_rule,
        "daylightOffset": {"daylightBias": -summer_minutes, **summer_rule},
    }


def _changes(zone: ZoneInfo, year: int) -> list[tuple[datetime, int]]:
    """The changes of the clocks in a year: the wall time at which one comes, and by how many minutes."""
    found: list[tuple[datetime, int]] = []
    at, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
    before = _minutes(zone, at)
    while at < end:
        later = at + timedelta(minutes=30)
        after = _minutes(zone, later)
        if after != before:
            found.append(((later + timedelta(minutes=before)).replace(tzinfo=None), after - before))
        at, before = later, after
    return found


def _rule(at: datetime | None) -> dict[str, Any]:
    if at is None:
        return {"time": "00:00:00.0000000", "dayOccurrence": 0, "dayOfWeek": "sunday", "month": 0, "year": 0}
    is_last = (at + timedelta(days=7)).month != at.month
    return {
        "time": f"{at:%H:%M:%S}.0000000",
        "dayOccurrence": 5 if is_last else (at.day + 6) // 7,
        "dayOfWeek": _DAYS[at.weekday()],
        "month": at.month,
        "year": 0,
    }


def _minutes(zone: ZoneInfo, at: datetime) -> int:
    return int((at.astimezone(zone).utcoffset() or timedelta()).total_seconds() // 60)
