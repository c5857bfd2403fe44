"""Abbreviations such as EST, which name an offset although people mean the clock of a place.

An abbreviation is taken for its place where that place's clock shows the offset at the time in question. Otherwise it
has two readings, an hour apart, and is refused with both. Sources: the files `northamerica`, `europe`, `asia` and
`australasia` of the tz database, which say which abbreviations are used where.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from scalekit_mcp.tools.inputs.values import ArgumentError, shown
from scalekit_mcp.tools.remarks import NO_REMARKS, Remarks, noted
from scalekit_mcp.tools.zones.names import folded
from scalekit_mcp.tools.zones.zone import resolve_zone, to_local


@dataclass(frozen=True, slots=True)
class Abbreviation:
    """The place whose clock is meant by `name` (an IANA name), and the hours from UTC that the name says."""

    name: str
    place: str
    hours: float

    @property
    def city(self) -> str:
        """The place in words."""
        return self.place.rpartition("/")[2].replace("_", " ")

    def agrees(self, local: datetime) -> bool:
        """Whether the place's clock shows this offset then; of two equal local times the first counts."""
        return _hours(local, self.place) == self.hours


_PLACES: Mapping[str, Sequence[tuple[str, float]]] = {
    "America/New_York": (("EST", -5), ("EDT", -4)),
    "America/Chicago": (("CST", -6), ("CDT", -5)),
    "America/Denver": (("MST", -7), ("MDT", -6)),
    "America/Los_Angeles": (("PST", -8), ("PDT", -7)),
    "America/Anchorage": (("AKST", -9), ("AKDT", -8)),
    "Pacific/Honolulu": (("HST", -10),),
    "Europe/Berlin": (("CEST", 2),),
    "Europe/Bucharest": (("EEST", 3),),
    "Europe/Moscow": (("MSK", 3),),
    "Africa/Johannesburg": (("SAST", 2),),
    "Asia/Karachi": (("PKT", 5),),
    "Asia/Singapore": (("SGT", 8),),
    "Asia/Hong_Kong": (("HKT", 8),),
    "Asia/Tokyo": (("JST", 9),),
    "Asia/Seoul": (("KST", 9),),
    "Australia/Perth": (("AWST", 8),),
    "Australia/Adelaide": (("ACST", 9.5), ("ACDT", 10.5)),
    "Australia/Sydney": (("AEST", 10), ("AEDT", 11)),
    "Pacific/Auckland": (("NZST", 12), ("NZDT", 13)),
}
_ABBREVIATIONS = {
    name.casefold(): Abbreviation(name, place, hours) for place, names in _PLACES.items() for name, hours in names
}

_SEVERAL: Mapping[str, Sequence[str]] = {
    "IST": ("Asia/Kolkata", "Europe/Dublin", "Asia/Jerusalem"),
    "BST": ("Europe/London", "Asia/Dhaka"),
    "AST": ("America/Halifax", "Asia/Riyadh"),
    "ADT": ("America/Halifax",),
    "GST": ("Asia/Dubai",),
    "ET": ("America/New_York",),
    "CT": ("America/Chicago",),
    "MT": ("America/Denver",),
    "PT": ("America/Los_Angeles",),
    "Z": ("UTC",),
}
_WITH_SUMMER_TIME: Mapping[str, float] = {"CET": 1, "EET": 2, "MET": 1, "WET": 0}
"""IANA names that look like abbreviations of winter time and do have summer time."""


def check_zone_name(name: str) -> None:
    """Refuse what is no zone whatever the date; raises `ArgumentError`."""
    key = folded(name)
    several = _SEVERAL.get(key.upper())
    if several is not None:
        raise ArgumentError(f"is {shown(name)}, an abbreviation; write {_either(several)}")
    if key not in _ABBREVIATIONS:
        resolve_zone(name)


def check_lasting_zone_name(name: str) -> None:
    """Refuse what is no zone without a date, abbreviations too; raises `ArgumentError`."""
    check_zone_name(name)
    abbreviation = _ABBREVIATIONS.get(folded(name))
    if abbreviation is not None:
        raise _without_date(abbreviation)


def place_zones(read: dict[str, Any], dated_by: Mapping[str, Sequence[str]]) -> Remarks:
    """Replace abbreviations by the zone of their place, with remarks on names that are often misunderstood.

    `dated_by` gives the parameters with the local times that a zone parameter is for. Raises `ArgumentError` with both
    readings where an abbreviation and the clock of its place disagree.
    """
    remarks = NO_REMARKS
    for field, times in dated_by.items():
        if field not in read:
            continue
        name = str(read[field])
        dates = {time: read[time] for time in times if time in read}
        abbreviation = _ABBREVIATIONS.get(folded(name))
        if abbreviation is None:
            remarks += noted(_reversed_sign(name), *(_summer_time(name, local) for local in dates.values()))
            continue
        if not read.get("isAllDay"):
            _check_agreement(abbreviation, field, dates)
        read[field] = abbreviation.place
        remarks += noted(f"'{abbreviation.name}' was read as {abbreviation.place}.")
    return remarks


def _check_agreement(abbreviation: Abbreviation, field: str, dates: Mapping[str, datetime]) -> None:
    if not dates and not _lasts(abbreviation):
        raise ArgumentError(_without_date(abbreviation).message, field)
    for time, local in dates.items():
        if not abbreviation.agrees(local):
            instant = (local - timedelta(hours=abbreviation.hours)).replace(tzinfo=UTC)
            there = _offset(_hours(local, abbreviation.place))
            raise ArgumentError(
                f"is {shown(abbreviation.name)}, {_offset(abbreviation.hours)}, but on {local.date()} the clock of "
                f"{abbreviation.city} is at {there}; write {abbreviation.place} if that clock is meant, or "
                f"UTC and {time} {instant.replace(tzinfo=None).isoformat(timespec='seconds')} if "
                f"{_offset(abbreviation.hours)} is meant",
                field,
            )


def _without_date(abbreviation: Abbreviation) -> ArgumentError:
    return ArgumentError(
        f"is {shown(abbreviation.name)}, an abbreviation; write {abbreviation.place} for the clock of "
        f"{abbreviation.city}"
    )


def _lasts(abbreviation: Abbreviation) -> bool:
    return all(abbreviation.agrees(datetime(2026, month, 1)) for month in (1, 7))  # noqa: DTZ001 - local times


def _hours(local: datetime, place: str) -> float:
    zone = resolve_zone(place)
    offset = local.replace(tzinfo=zone.tzinfo, fold=0).utcoffset() or timedelta()
    return offset / timedelta(hours=1)


def _summer_time(name: str, local: datetime) -> str | None:
    usual = _WITH_SUMMER_TIME.get(folded(name).upper())
    if usual is None or _hours(local, name) == usual:
        return None
    return f"'{name.upper()}' has summer time: on {local.date()} it is at {_offset(_hours(local, name))}."


def _reversed_sign(name: str) -> str | None:
    if not folded(name).startswith(("etc/gmt+", "etc/gmt-")):
        return None
    zone = resolve_zone(name)
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    hours = (to_local(moment, zone) - moment.replace(tzinfo=None)) / timedelta(hours=1)
    return f"{zone.given} is {_offset(hours)}: the sign of these names is reversed." if hours else None


def _offset(hours: float) -> str:
    whole, minutes = divmod(round(abs(hours) * 60), 60)
    text = f"{whole}:{minutes:02d}" if minutes else str(whole)
    return f"UTC{'-' if hours < 0 else '+'}{text}" if hours else "UTC"


def _either(names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"{names[0]} if that is meant"
    return f"{', '.join(names[:-1])} or {names[-1]}, whichever is meant"
