"""When somebody works, in their own zone, as shifts in UTC. Sources: workingHours, customTimeZone resource types."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache, partial
from typing import Any, cast

from scalekit_mcp.tools import WEEKDAYS, ArgumentError, Zone, resolve_zone, windows_zones

DAY = timedelta(days=1)

ToInstant = Callable[[datetime], datetime]
"""From a local time to the instant; one that the clock leaves out means the moment of the change."""

Shift = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class WorkingHours:
    """From `opens` to `closes` by the clock of a zone, on some days of the week (0 is Monday).

    `closes` not after `opens` means on the next day. `approximate` says that the zone came with rules that no zone has,
    so that its offset alone was taken.
    """

    days: frozenset[int]
    opens: time
    closes: time
    zone_name: str
    to_instant: ToInstant
    approximate: bool = False

    def shifts(self, begin: datetime, end: datetime) -> list[Shift]:
        """The shifts that touch the time from `begin` up to `end`, in order; those that touch each other are one."""
        found: list[Shift] = []
        day = begin.date() - 2 * DAY
        while day <= end.date() + DAY:
            if day.weekday() in self.days:
                last = day if self.closes > self.opens else day + DAY
                start = self.to_instant(datetime.combine(day, self.opens))
                stop = self.to_instant(datetime.combine(last, self.closes))
                if found and start <= found[-1][1]:
                    found[-1] = (found[-1][0], max(found[-1][1], stop))
                elif start < stop:
                    found.append((start, stop))
            day += DAY
        return [shift for shift in found if shift[0] < end and shift[1] > begin]

    def described(self) -> str:
        """The hours for a sentence, e.g. `08:00 to 17:00 Pacific Standard Time`."""
        return f"{self.opens:%H:%M} to {self.closes:%H:%M} {self.zone_name}"


def working_hours_of(given: object) -> WorkingHours | None:
    """The working hours of an entry; None where they are missing or cannot be read."""
    if not isinstance(given, dict):
        return None
    hours = cast("Mapping[str, Any]", given)
    try:
        days = frozenset(WEEKDAYS.index(str(day).casefold()) for day in hours["daysOfWeek"])
        opens = time.fromisoformat(str(hours["startTime"])[:8])
        closes = time.fromisoformat(str(hours["endTime"])[:8])
        zone = cast("Mapping[str, Any]", hours["timeZone"])
        name = str(zone["name"])
        if "bias" in zone:
            to_instant, approximate = _custom_zone(zone)
            return WorkingHours(days, opens, closes, _offset_name(zone), to_instant, approximate)
        rules = resolve_zone(name)
    except (ArgumentError, KeyError, TypeError, ValueError, AttributeError):
        return None
    return WorkingHours(days, opens, closes, rules.given, partial(_instant, rules.tzinfo)) if days else None


def _instant(rules: tzinfo, local: datetime) -> datetime:
    """The first of two instants of a local time; of one that does not exist, the moment of the change."""
    before = local.replace(tzinfo=rules, fold=0).astimezone(UTC)
    after = local.replace(tzinfo=rules, fold=1).astimezone(UTC)
    if after >= before:
        return before
    # In a gap the two readings lie on both sides of the change (PEP 495).
    low, high = after, before
    offset = low.astimezone(rules).utcoffset()
    while high - low > timedelta(minutes=1):
        middle = low + (high - low) / 2
        middle = middle.replace(second=0, microsecond=0)
        if middle <= low:
            break
        if middle.astimezone(rules).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return high


# --- customTimeZone

_YEAR = 2026
"""In which year the rules of a custom zone are held against those of the known zones."""


def _custom_zone(zone: Mapping[str, Any]) -> tuple[ToInstant, bool]:
    """The rules of a customTimeZone, and whether they are only an approximation.

    UTC is local time plus the bias, in summer plus the daylight bias, too. The two changes are known to come back
    swapped, which makes rules that no zone has: then the bias alone is taken.
    """
    bias = timedelta(minutes=int(zone["bias"]))
    winter, summer = _change(zone.get("standardOffset")), _change(zone.get("daylightOffset"))
    if winter is None or summer is None:
        return partial(_fixed, bias), False
    shift = timedelta(minutes=int(cast("Mapping[str, Any]", zone["daylightOffset"]).get("daylightBias", 0)))
    known = _known_zone(-bias, -shift, winter(_YEAR), summer(_YEAR))
    return (partial(_fixed, bias), True) if known is None else (partial(_instant, known.tzinfo), False)


@lru_cache(maxsize=256)
def _known_zone(standard: timedelta, shift: timedelta, winter: datetime, summer: datetime) -> Zone | None:
    """A zone with this offset from UTC, put forward by `shift` between two local times of a year; None: no zone is."""
    minute = timedelta(minutes=1)
    expected = {
        (summer - standard).replace(tzinfo=UTC) - minute: standard,
        (summer - standard).replace(tzinfo=UTC): standard + shift,
        (winter - standard - shift).replace(tzinfo=UTC) - minute: standard + shift,
        (winter - standard - shift).replace(tzinfo=UTC): standard,
    }
    for zone in windows_zones():
        if all(at.astimezone(zone.tzinfo).utcoffset() == offset for at, offset in expected.items()):
            return zone
    return None


def _fixed(bias: timedelta, local: datetime) -> datetime:
    return (local + bias).replace(tzinfo=UTC)


def _offset_name(zone: Mapping[str, Any]) -> str:
    minutes = -int(zone["bias"])
    return f"(UTC{'+' if minutes >= 0 else '-'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02})"


def _change(given: object) -> Callable[[int], datetime] | None:
    """When the clock changes in a year, in local time; None where it never does."""
    if not isinstance(given, dict):
        return None
    rule = cast("Mapping[str, Any]", given)
    month = int(rule.get("month") or 0)
    if not month:
        return None
    at = time.fromisoformat(str(rule["time"])[:8])
    weekday = WEEKDAYS.index(str(rule["dayOfWeek"]).casefold())
    which = int(rule["dayOccurrence"])
    fixed_year = int(rule.get("year") or 0)

    def change(year: int) -> datetime:
        if fixed_year:
            return datetime.combine(date(fixed_year, month, which), at)
        if which >= 5:
            last = (date(year + month // 12, month % 12 + 1, 1)) - DAY
            return datetime.combine(last - timedelta(days=(last.weekday() - weekday) % 7), at)
        first = date(year, month, 1)
        return datetime.combine(first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (which - 1)), at)

    return change
