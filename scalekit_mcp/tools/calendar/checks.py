"""Rules between parameters. Pure functions: they take the read values, return remarks and raise `ArgumentError`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any, cast

from scalekit_mcp.tools.inputs.people import MAXIMUM_ATTENDEES, Attendee, sort_by_kind
from scalekit_mcp.tools.inputs.recurrence import Recurrence
from scalekit_mcp.tools.inputs.values import ArgumentError, DateOnly, NothingToChangeError, shown
from scalekit_mcp.tools.remarks import NO_REMARKS, Remarks, noted
from scalekit_mcp.tools.zones.zone import fold_note, resolve_zone, to_instant

MAXIMUM_WINDOW = timedelta(days=1825)
"""The longest window that Microsoft expands (List calendarView)."""

_KINDS = ("attendees_required", "attendees_optional", "attendees_resource")


def check_create(read: dict[str, Any]) -> Remarks:
    """Rules of create; completes the recurrence in `read`."""
    remarks = _check_times(read)
    sort_by_kind(read, update=False)
    _check_people(read)
    for name in _KINDS:
        for attendee in cast("tuple[Attendee, ...]", read.get(name, ())):
            if not attendee.can_be_invited:
                raise ArgumentError(f"names {shown(attendee.name or attendee.address)} without an e-mail address", name)
    _check_companions(read, update=False)
    recurrence = recurrence_of(read)
    if recurrence.given():
        whole = recurrence.complete(read["start_datetime"].date())
        if recurrence.range_type is None and whole.range_type == "noEnd":
            remarks += noted("The series has no end; give recurrence_end_date or recurrence_occurrences to limit it.")
    return remarks


def check_update(read: dict[str, Any]) -> Remarks:
    """Rules of update, as far as they need no knowledge of the event."""
    for edge in ("start", "end"):
        for one, other in ((f"{edge}_datetime", f"{edge}_timezone"), (f"{edge}_timezone", f"{edge}_datetime")):
            if one in read and other not in read:
                raise ArgumentError(f"is missing: {one} needs it", other)
    if not set(read) - {"event_id", "apply_to", "discard_exceptions", "only_if_free"}:
        raise NothingToChangeError("alone changes nothing; give what shall change", "event_id")
    remarks = _check_times(read)
    sort_by_kind(read, update=True)
    _check_people(read)
    _check_companions(read, update=True)
    _check_clear(read)
    recurrence_of(read).check_parts()
    return remarks


def check_list(read: dict[str, Any]) -> Remarks:
    """Rules of list: a window is complete, forward, at most 1825 days long, and knows no `skip`."""
    start, end = read.get("start_datetime"), read.get("end_datetime")
    if "page" not in read and (start is None) != (end is None):
        _check_times_of_day(read)
        missing, there = ("end", "start") if end is None else ("start", "end")
        raise ArgumentError(f"is missing: a window needs it beside {there}_datetime", f"{missing}_datetime")
    if (start is not None or end is not None) and read.get("skip") == 0:
        del read["skip"]  # skips nothing
    if (start is not None or end is not None) and "skip" in read:
        raise ArgumentError("does not go with a window; follow next_page by the parameter page instead", "skip")
    check_whole_window(read)
    return NO_REMARKS


def check_whole_window(read: Mapping[str, Any]) -> None:
    """The edges of a window, as far as they are given: times of day, and the end after the start."""
    _check_times_of_day(read)
    start, end = read.get("start_datetime"), read.get("end_datetime")
    if start is not None and end is not None:
        if "timezone" in read:
            start = _instant(read, "start_datetime", "timezone")
            end = _instant(read, "end_datetime", "timezone")
        check_window(start, end)


def check_proposed_time(read: Mapping[str, Any]) -> None:
    """The edges of a proposed time: times of day that exist, and the end after the start."""
    names = ("proposed_start_datetime", "proposed_end_datetime")
    _check_times_of_day(read, names)
    start, end = (_instant(read, name, "proposed_timezone") for name in names)
    if end <= start:
        raise ArgumentError("must lie after proposed_start_datetime", "proposed_end_datetime")


def _check_times_of_day(read: Mapping[str, Any], names: Sequence[str] = ("start_datetime", "end_datetime")) -> None:
    for name in names:
        value = read.get(name)
        if isinstance(value, DateOnly):
            at = f"{value.date()}T00:00:00"
            if "end" in name:
                at += f", or {value.date() + timedelta(days=1)}T00:00:00 to include that day"
            raise ArgumentError(f"has no time of day; write {at}", name)


def check_window(start: datetime, end: datetime) -> None:
    """Refuse a window that is empty or longer than Microsoft expands; both local or both instants."""
    if end <= start:
        raise ArgumentError("must lie after start_datetime", "end_datetime")
    if end - start > MAXIMUM_WINDOW:
        raise ArgumentError(
            f"lies {(end - start).days} days after start_datetime; Microsoft expands at most {MAXIMUM_WINDOW.days} "
            "days: ask for a shorter window",
            "end_datetime",
        )


def check_delete(read: dict[str, Any]) -> Remarks:
    """Rules of delete."""
    if "cancellation_message" in read and read.get("permanent"):
        raise ArgumentError("cannot be mailed when permanent is true; give one of them", "cancellation_message")
    if read.get("apply_to") == "following":
        for name in ("cancellation_message", "permanent"):
            if read.get(name):
                raise ArgumentError("does not go with apply_to=following, which ends the series earlier", name)
    return NO_REMARKS


def check_authorize(read: dict[str, Any]) -> Remarks:
    """Rules of authorize."""
    if "confirmation_code" in read and read.get("reconnect"):
        raise ArgumentError("would void the code given in confirmation_code; give one of them", "reconnect")
    return NO_REMARKS


def recurrence_of(read: Mapping[str, Any]) -> Recurrence:
    """The `recurrence_*` values of a mapping."""
    prefix = "recurrence_"
    return Recurrence(**{n.removeprefix(prefix): v for n, v in read.items() if n.startswith(prefix) and v is not None})


def _instant(read: Mapping[str, Any], name: str, zone_name: str) -> datetime:
    try:
        return to_instant(read[name], resolve_zone(read[zone_name]))
    except ArgumentError as refused:
        raise ArgumentError(refused.message, name) from None


def _check_times(read: dict[str, Any]) -> Remarks:
    names = [n for n in ("start", "end") if f"{n}_datetime" in read]
    remarks = NO_REMARKS
    if read.get("isAllDay"):
        check_all_day(read)
    else:
        for name in names:
            value = cast(datetime, read[f"{name}_datetime"])
            if isinstance(value, DateOnly):
                at = value.isoformat(timespec="seconds")
                raise ArgumentError(f"has no time of day; write {at}, or set isAllDay to true", f"{name}_datetime")
    instants = {n: _instant(read, f"{n}_datetime", f"{n}_timezone") for n in names if not read.get("isAllDay")}
    for name in instants:
        zone = resolve_zone(read[f"{name}_timezone"])
        remarks += noted(fold_note(f"{name}_datetime", read[f"{name}_datetime"], zone))
    if len(instants) == 2 and instants["end"] <= instants["start"]:
        same = read["start_timezone"] == read["end_timezone"]
        raise ArgumentError(
            f"must lie after start_datetime, {read['start_datetime'].isoformat(timespec='seconds')}"
            + ("" if same else " (compared across the two zones)"),
            "end_datetime",
        )
    for name in names:
        value = read[f"{name}_datetime"]
        read[f"{name}_datetime"] = datetime.combine(value.date(), value.time())
    return remarks


def check_all_day(read: Mapping[str, Any]) -> None:
    """Midnight to midnight, the end exclusive, one zone where zones are given (event resource type)."""
    start, end = read.get("start_datetime"), read.get("end_datetime")
    if start is not None and start.time() != time.min:
        midnight = datetime.combine(start.date(), time.min).isoformat()
        raise ArgumentError(f"must be midnight when isAllDay is true; write {midnight}", "start_datetime")
    if end is not None and end.time() != time.min:
        following = datetime.combine(end.date() + timedelta(days=1), time.min).isoformat()
        raise ArgumentError(
            "must be midnight when isAllDay is true, and it is exclusive: for an event that lasts through "
            f"{end.date()} write {following}",
            "end_datetime",
        )
    if start is None or end is None:
        return
    if end <= start:
        following = datetime.combine(start.date() + timedelta(days=1), time.min).isoformat()
        raise ArgumentError(
            f"is exclusive when isAllDay is true and must lie after the start day; for one day write {following}",
            "end_datetime",
        )
    zones = [read[name] for name in ("start_timezone", "end_timezone") if name in read]
    if len({resolve_zone(name).windows for name in zones}) > 1:
        raise ArgumentError(f"must be {read['start_timezone']} too when isAllDay is true", "end_timezone")


def _check_people(read: Mapping[str, Any]) -> None:
    seen: dict[str, str] = {}
    for name in (*_KINDS, "attendees_remove"):
        for attendee in cast("tuple[Attendee | str, ...]", read.get(name, ())):
            key = attendee.key if isinstance(attendee, Attendee) else attendee.casefold()
            if key in seen:
                raise ArgumentError(f"and {seen[key]} both name {key}; name each address once", name)
            seen[key] = name
    for name, fitting in (("attendees_add", "attendees_required"), ("attendees_add_optional", "attendees_optional")):
        for attendee in cast("tuple[Attendee, ...]", read.get(name, ())):
            before = seen.setdefault(attendee.key, name)
            if before not in {name, fitting}:
                raise ArgumentError(f"and {before} both name {attendee.key}; name each address once", name)
    if sum(1 for name in seen.values() if name in _KINDS) > MAXIMUM_ATTENDEES:
        raise ArgumentError(
            f"and the other lists name {len(seen)} people; an event takes {MAXIMUM_ATTENDEES}", _KINDS[0]
        )


def _check_companions(read: Mapping[str, Any], *, update: bool) -> None:
    if "body_contentType" in read and "body_content" not in read:
        raise ArgumentError("says nothing without body_content; give both", "body_contentType")
    if "onlineMeetingProvider" in read and not read.get("isOnlineMeeting"):
        raise ArgumentError("needs isOnlineMeeting=true", "onlineMeetingProvider")
    if "reminderMinutesBeforeStart" in read and read.get("isReminderOn") is False:
        raise ArgumentError("contradicts isReminderOn=false; leave one of them out", "reminderMinutesBeforeStart")
    if not update:
        parts = recurrence_of(read)
        if parts.given() and parts.type is None:
            raise ArgumentError("is missing: the other recurrence parameters need it", "recurrence_type")


def _check_clear(read: Mapping[str, Any]) -> None:
    if read.get("apply_to") == "following" and "recurrence" in read.get("clear", ()):
        raise ArgumentError("cannot empty recurrence with apply_to=following: the rest stays a series", "clear")
    for name in cast("tuple[str, ...]", read.get("clear", ())):
        touching = [g for g in read if g == name or (name == "recurrence" and g.startswith("recurrence_"))]
        if name in {"location", "locations"}:
            touching = [g for g in ("location", "locations") if g in read]
        if touching:
            raise ArgumentError(f"empties {name}, but {touching[0]} is given too; do one of them", "clear")
