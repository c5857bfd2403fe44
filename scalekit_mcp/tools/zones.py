"""Time zones: every name that people and Microsoft use, and the arithmetic of local times in them.

A zone is known by an IANA name, one of its links or aliases, or a Windows name; letter case does not matter. The table
between the two families is Unicode CLDR's (shipped by `tzlocal`); rules come from the tz database.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache

from tzlocal.windows_tz import tz_win, win_tz

from scalekit_mcp.tools.values import Refused, nearest, shown

_CORRECTIONS: Mapping[str, str] = {
    # Names that the table leaves out.
    "GMT": "UTC",
    "CST6CDT": "Central Standard Time",
    "EST5EDT": "Eastern Standard Time",
    "MST7MDT": "Mountain Standard Time",
    "PST8PDT": "Pacific Standard Time",
    "Europe/Uzhgorod": "FLE Standard Time",
    "Europe/Zaporozhye": "FLE Standard Time",
    "US/East-Indiana": "US Eastern Standard Time",
    # Places that changed their clocks after the table was made.
    "America/Scoresbysund": "Greenland Standard Time",
    "Antarctica/Casey": "W. Australia Standard Time",
    "Antarctica/Vostok": "West Asia Standard Time",
}
_FIXED = {"EST": "America/New_York", "MST": "America/Denver", "HST": "Pacific/Honolulu"}
_ABBREVIATIONS: Mapping[str, str] = {
    "edt": "America/New_York", "et": "America/New_York", "cst": "America/Chicago", "cdt": "America/Chicago",
    "ct": "America/Chicago", "mdt": "America/Denver", "mt": "America/Denver", "pst": "America/Los_Angeles",
    "pdt": "America/Los_Angeles", "pt": "America/Los_Angeles", "bst": "Europe/London", "cest": "Europe/Berlin",
    "eest": "Europe/Bucharest", "ist": "Asia/Kolkata", "jst": "Asia/Tokyo", "sgt": "Asia/Singapore",
    "aest": "Australia/Sydney", "aedt": "Australia/Sydney", "nzst": "Pacific/Auckland", "z": "UTC",
}  # fmt: skip


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


@cache
def _names() -> dict[str, tuple[str, str, str]]:
    """Folded name -> (canonical spelling, IANA name, Windows name)."""
    names = {w.casefold(): (w, i, w) for w, i in win_tz.items()}
    names |= {i.casefold(): (i, i, w) for i, w in (dict(tz_win) | dict(_CORRECTIONS)).items() if i}
    return names


@lru_cache(maxsize=1024)
def resolve_zone(name: str) -> Zone:
    """The zone called `name`; raises `Refused` with the nearest known names."""
    known = _names().get(" ".join(name.split()).casefold())
    if known is not None:
        try:
            zoneinfo.ZoneInfo(known[1])
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            known = None
    if known is None:
        raise Refused(f"is {shown(name)}, which is not a time zone that Microsoft knows; {_hint(name)}")
    return Zone(given=known[0], iana=known[1], windows=known[2])


def _hint(name: str) -> str:
    folded = name.strip().casefold()
    if folded in _ABBREVIATIONS:
        return f"an abbreviation is ambiguous: write {_ABBREVIATIONS[folded]} if you mean that"
    spellings = [spelling for spelling, _, _ in _names().values()]
    cities = {s.rpartition("/")[2].replace("_", " "): s for s in spellings if "/" in s}
    near = [cities[c] for c in nearest(folded.replace("_", " ").rpartition("/")[2], cities, 2)]
    near += [s for s in nearest(folded, spellings, 3) if s not in near]
    if near:
        return f"did you mean {' or '.join(near[:3])}?"
    return "write an IANA name such as America/New_York or a Windows name such as Eastern Standard Time"


def zone_note(field: str, zone: Zone) -> str | None:
    """A sentence about names that rarely mean what the writer thinks: `EST` never has summer time."""
    place = _FIXED.get(zone.given)
    if place is None or place == "Pacific/Honolulu":
        return None
    return f"{field}: '{zone.given}' has no summer time; for the clock of a place write its name, such as {place}."


def to_instant(local: datetime, zone: Zone) -> datetime:
    """The instant of a local time, aware in UTC; the first of two in a fold. Raises `Refused` inside a gap."""
    aware = local.replace(tzinfo=zone.tzinfo, fold=0)
    instant = aware.astimezone(UTC)
    back = instant.astimezone(zone.tzinfo).replace(tzinfo=None)
    if back != local.replace(fold=0):
        later = aware.replace(fold=1).utcoffset() or timedelta()
        earlier = aware.utcoffset() or timedelta()
        jump = abs(earlier - later)
        raise Refused(
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
