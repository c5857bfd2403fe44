"""Time zones: every name that people and Microsoft use, and the arithmetic of local times in them.

A zone is known by an IANA name, one of its links or aliases, or a Windows name; letter case does not matter. Rules come
from the tz database.
"""

from __future__ import annotations

import zoneinfo
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from scalekit_mcp.tools.inputs.recurrence import WEEKDAYS
from scalekit_mcp.tools.inputs.values import ArgumentError, shown
from scalekit_mcp.tools.zones.names import folded, refusal, zone_names


@dataclass(frozen=True, slots=True)
class Zone:
    """A time zone under three names: as `given`, its `iana` name for arithmetic, its `windows` name for Microsoft."""

    given: str
    iana: str
    windows: str

    @property
    def tzinfo(self) -> zoneinfo.ZoneInfo:
        """The rules."""
        return zoneinfo.ZoneInfo(self.iana)


@lru_cache(maxsize=1024)
def resolve_zone(name: str) -> Zone:
    """The zone called `name`; raises `ArgumentError` with what to write instead."""
    known = zone_names().get(folded(name))
    if known is not None:
        try:
            zoneinfo.ZoneInfo(known[1])
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            known = None
    if known is None:
        raise ArgumentError(f"is {shown(name)}, {refusal(name)}")
    return Zone(given=known[0], iana=known[1], windows=known[2])


@lru_cache(maxsize=1)
def windows_zones() -> tuple[Zone, ...]:
    """One zone for each Windows name."""
    found: dict[str, Zone] = {}
    for given, iana, windows in zone_names().values():
        found.setdefault(windows, Zone(given, iana, windows))
    return tuple(found.values())


def to_instant(local: datetime, zone: Zone) -> datetime:
    """The instant of a local time, aware in UTC; the first of two in a fold. Raises `ArgumentError` inside a gap."""
    aware = local.replace(tzinfo=zone.tzinfo, fold=0)
    instant = aware.astimezone(UTC)
    back = instant.astimezone(zone.tzinfo).replace(tzinfo=None)
    if back != local.replace(fold=0):
        later = aware.replace(fold=1).utcoffset() or timedelta()
        earlier = aware.utcoffset() or timedelta()
        jump = abs(earlier - later)
        raise ArgumentError(
            f"is {local.isoformat(timespec='seconds')}, which does not exist in {zone.given}: the clock is put forward "
            f"then; write {(local + jump).isoformat(timespec='seconds')}, or a time before the change"
        )
    return instant


def fold_note(field: str, local: datetime, zone: Zone) -> str | None:
    """A sentence if the local time happens twice, because the clock is put back."""
    first = local.replace(tzinfo=zone.tzinfo, fold=0)
    second = first.replace(fold=1)
    if first.utcoffset() == second.utcoffset() or to_instant(local, zone) == second.astimezone(UTC):
        return None
    return (
        f"{field}: {local.isoformat(timespec='seconds')} happens twice in {zone.given}, because the clock is put back; "
        f"the first of the two was taken (UTC{_offset(first)})."
    )


def _offset(aware: datetime) -> str:
    return aware.isoformat(timespec="seconds")[-6:]


def to_local(instant: datetime, zone: Zone) -> datetime:
    """The naive local time of an aware instant."""
    return instant.astimezone(zone.tzinfo).replace(tzinfo=None, fold=0)


def present(now: datetime, zone: Zone) -> dict[str, str]:
    """The current time for a model: local time with its offset, zone and weekday."""
    local = now.astimezone(zone.tzinfo)
    return {
        "dateTime": local.isoformat(timespec="seconds"),
        "timeZone": zone.given,
        "weekday": WEEKDAYS[local.weekday()].capitalize(),
    }
