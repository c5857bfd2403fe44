"""Rules between the parameters of the scheduling tools. Pure functions, like `checks`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, cast

from scalekit_mcp.tools.calendar.checks import check_proposed_time, check_whole_window
from scalekit_mcp.tools.inputs.people import Attendee
from scalekit_mcp.tools.inputs.values import ArgumentError, shown
from scalekit_mcp.tools.remarks import NO_REMARKS, Remarks

MAXIMUM_DAYS = 62
"""Longest window in which Microsoft tells free from busy (calendar: getSchedule)."""

MAXIMUM_PEOPLE = 100
"""Most people and rooms of one call."""


def check_find_meeting_times(read: dict[str, Any]) -> Remarks:
    """Rules of find_meeting_times; leaves everybody in one list only, the first of required, optional and rooms."""
    check_span(read)
    duration = timedelta(minutes=read["duration_minutes"])
    if read["end_datetime"] - read["start_datetime"] < duration:
        raise ArgumentError("is too short a window for a meeting of this duration_minutes", "end_datetime")
    seen: set[str] = set()
    for name in ("attendees", "attendees_optional", "rooms"):
        people = _with_address(read, name)
        if name in read:
            read[name] = tuple(person for person in people if person.key not in seen)
        seen.update(person.key for person in people)
    if len(seen) > MAXIMUM_PEOPLE:
        raise ArgumentError(
            f"names {len(seen)} people and rooms with the others; at most {MAXIMUM_PEOPLE} are looked at"
        )
    return NO_REMARKS


def check_free_busy(read: dict[str, Any]) -> Remarks:
    """Rules of get_free_busy_schedule."""
    check_span(read)
    people = _with_address(read, "people")
    if len(people) > MAXIMUM_PEOPLE:
        raise ArgumentError(f"names {len(people)} people; at most {MAXIMUM_PEOPLE} are looked at", "people")
    return NO_REMARKS


def check_respond(read: dict[str, Any]) -> Remarks:
    """Rules of respond_to_event: a mail is needed for a comment and for a proposal, and a proposal is whole."""
    proposal = ("proposed_start_datetime", "proposed_end_datetime", "proposed_timezone")
    given = [name for name in proposal if name in read]
    if given:
        if read["response"] == "accept":
            raise ArgumentError("cannot be proposed with accept; answer tentative or decline", given[0])
        missing = [name for name in proposal if name not in read]
        if missing:
            raise ArgumentError(f"is missing: {given[0]} needs it", missing[0])
        check_proposed_time(read)
    if read.get("send_response") is False:
        for name in ("comment", "proposed_start_datetime"):
            if name in read:
                raise ArgumentError("reaches the organizer by mail only; leave out send_response=false", name)
    return NO_REMARKS


def check_span(read: Mapping[str, Any]) -> None:
    """A window that goes forward and is at most 62 days long."""
    check_whole_window(read)
    start, end = cast("datetime", read["start_datetime"]), cast("datetime", read["end_datetime"])
    if end - start > timedelta(days=MAXIMUM_DAYS):
        raise ArgumentError(
            f"is {(end - start).days} days after start_datetime; at most {MAXIMUM_DAYS} days are looked at in one call",
            "end_datetime",
        )


def _with_address(read: Mapping[str, Any], name: str) -> tuple[Attendee, ...]:
    people = cast("tuple[Attendee, ...]", read.get(name, ()))
    for person in people:
        if not person.can_be_invited:
            raise ArgumentError(f"names {shown(person.name or person.address)} without an e-mail address", name)
    return people
