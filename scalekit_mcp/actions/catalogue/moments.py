"""Times as the catalogue takes them: with an offset, or local in a zone that stands beside them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from scalekit_mcp.tools import (
    ArgumentError,
    Parameter,
    Zone,
    check_lasting_zone_name,
    resolve_zone,
    shown,
    to_instant,
    to_local,
)

_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})?", re.IGNORECASE)
_DURATION = re.compile(r"P(?:(\d{1,3})D)?(?:T(?:(\d{1,4})H)?(?:(\d{1,6})M)?(?:(\d{1,7})S)?)?", re.IGNORECASE)


def _moment(value: object) -> datetime:
    """A time as it was written: aware where it has an offset."""
    text = value.strip() if isinstance(value, str) else ""
    if not _INSTANT.fullmatch(text):
        raise ArgumentError(f"is {shown(value)}; write an instant such as 2026-04-06T00:00:00Z")
    try:
        moment = datetime.fromisoformat(text.upper()).replace(microsecond=0)
        return moment if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ArgumentError(f"is {shown(value)}, which is not in the calendar") from None


def _utc(value: object) -> str:
    # Without an offset Microsoft reads UTC (List calendarView).
    return _written(_moment(value))


def _written(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="seconds")


def instant_parameter(description: str) -> Parameter:
    """An instant, read into its local time in UTC as text."""
    return Parameter(description, _utc, {"type": "string", "format": "date-time"})


def moment_parameter(description: str) -> Parameter:
    """A time with an offset, or in the call's zone."""
    return Parameter(description, _moment, {"type": "string", "format": "date-time"})


@dataclass(frozen=True, slots=True)
class CatalogueWindow:
    """The window of a call, in the form of our tools."""

    start: str
    end: str
    zone_name: str

    @classmethod
    def of(cls, read: Mapping[str, Any]) -> CatalogueWindow:
        """The window between `start_date_time` and `end_date_time`.

        Times with an offset are told by the clock of the call's zone, or by UTC where that clock shows one of them
        twice. Raises `ArgumentError`.
        """
        zone_name: str = read.get("time_zone", "UTC")
        edges = {name: cast("datetime", read[name]) for name in ("start_date_time", "end_date_time")}
        if all(edge.tzinfo is None for edge in edges.values()):
            start, end = edges.values()
            return cls(_written(start), _written(end), zone_name)
        zone = _zone(zone_name)
        begin, until = (_instant(edge, zone, name) for name, edge in edges.items())
        start, end = to_local(begin, zone), to_local(until, zone)
        if to_instant(start, zone) != begin or to_instant(end, zone) != until:
            return cls(_written(begin), _written(until), "UTC")
        return cls(_written(start), _written(end), zone_name)

    def arguments(self) -> dict[str, Any]:
        """The parameters of our tools."""
        return {"start_datetime": self.start, "end_datetime": self.end, "timezone": self.zone_name}


def _zone(name: str) -> Zone:
    try:
        return resolve_zone(name)
    except ArgumentError as refused:
        raise ArgumentError(refused.message, "time_zone") from None


def _instant(moment: datetime, zone: Zone, field: str) -> datetime:
    if moment.tzinfo is not None:
        return moment
    try:
        return to_instant(moment, zone)
    except ArgumentError as refused:
        raise ArgumentError(refused.message, field) from None


def minutes_parameter(description: str, minimum: int, maximum: int) -> Parameter:
    """A duration as ISO 8601 writes it, read into whole minutes."""

    def parse(value: object) -> int:
        text = value.strip() if isinstance(value, str) else ""
        found = _DURATION.fullmatch(text)
        if found is None or not any(found.groups()):
            raise ArgumentError(f"is {shown(value)}; write a duration such as PT30M or PT1H30M")
        days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
        total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
        if total % 60:
            raise ArgumentError(f"is {shown(value)}; only whole minutes can be asked for")
        if not minimum <= total // 60 <= maximum:
            raise ArgumentError(f"is {shown(value)}; it has to be {minimum} to {maximum} minutes long")
        return total // 60

    return Parameter(description, parse, {"type": "string"})


@dataclass(frozen=True, slots=True)
class Proposal:
    """Another time for a meeting, as instants."""

    start: datetime
    end: datetime


def proposal_parameter(description: str) -> Parameter:
    """Graph's timeSlot: `{start: {dateTime, timeZone}, end: {dateTime, timeZone}}`."""
    return Parameter(description, _proposal, {"type": "object"})


def _proposal(value: object) -> Proposal:
    if not isinstance(value, Mapping):
        raise ArgumentError("must be an object: {start: {dateTime, timeZone}, end: {dateTime, timeZone}}")
    slot = cast("Mapping[str, object]", value)
    unknown = [name for name in slot if name not in ("start", "end")]
    if unknown:
        raise ArgumentError(f"has {shown(unknown[0])}, which is not a member of it; it has start and end")
    start, end = _edge(slot, "start"), _edge(slot, "end")
    if end <= start:
        raise ArgumentError("ends before it has begun: its end must be after its start")
    return Proposal(start, end)


def _edge(slot: Mapping[str, object], name: str) -> datetime:
    edge = slot.get(name)
    if not isinstance(edge, Mapping):
        raise ArgumentError(f"needs {name}: {{dateTime, timeZone}}")
    given = cast("Mapping[str, object]", edge)
    zone_name = given.get("timeZone") or "UTC"
    if not isinstance(zone_name, str):
        raise ArgumentError(f"has a {name}.timeZone that is not the name of a zone")
    try:
        moment = _moment(given.get("dateTime"))
        if moment.tzinfo is not None:
            return moment
        check_lasting_zone_name(zone_name)
        return to_instant(moment, resolve_zone(zone_name))
    except ArgumentError as refused:
        raise ArgumentError(f"has a {name} that {refused.message}") from None
