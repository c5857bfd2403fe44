"""outlook_find_meeting_times: reads everybody's time, finds when they can meet, and says it in the asked zone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from scalekit_mcp.calendar.listing.window import Window
from scalekit_mcp.calendar.reading import asked_zone
from scalekit_mcp.calendar.scheduling.free_time import Found, Question, Suggestion, find_times
from scalekit_mcp.calendar.scheduling.reading_schedules import ScheduleReader
from scalekit_mcp.calendar.scheduling.schedules import PersonSchedule
from scalekit_mcp.clock import Clock
from scalekit_mcp.concurrency import off_loop
from scalekit_mcp.tools import FindMeetingTimes, Remarks, Zone, noted, present, to_local, warned

_CHARACTERS_A_BLOCK = 50
"""A block of time is as much work as so much text."""

MOST_WARNINGS = 10
"""Of how many people it is said why they could not be read."""

MOST_NAMED = 3
"""Of how many people a reason says how much they are taken."""


async def find_meeting_times(
    reader: ScheduleReader, args: FindMeetingTimes, *, clock: Clock, timezone: str
) -> dict[str, Any]:
    """`{suggestions, reason?, now, notes?, warnings?}`; raises what reading the schedules raises."""
    zone = asked_zone(args.timezone or timezone)
    window = Window.of(args.start_datetime, args.end_datetime, zone)
    user = reader.user.casefold()
    required = [p.address for p in args.attendees if p.address.casefold() != user]
    optional = [p.address for p in args.attendees_optional if p.address.casefold() != user]
    (optional if args.organizer_optional else required).insert(0, reader.user)
    rooms = [p.address for p in args.rooms if p.address.casefold() != user]
    read = await reader.read([*required, *optional, *rooms], window.start_instant, window.end_instant, zone)
    people, places = read[: len(required) + len(optional)], read[len(required) + len(optional) :]
    now = clock.now()
    question = Question(
        begin=window.start_instant,
        end=window.end_instant,
        duration=timedelta(minutes=args.duration_minutes),
        now=now,
        required=people[: len(required)],
        optional=people[len(required) :],
        rooms=places,
        working_hours=args.working_hours,
        most=args.max_results,
    )
    blocks = sum(len(person.blocks) for person in read)
    found = await off_loop(blocks * _CHARACTERS_A_BLOCK, lambda: find_times(question))
    result: dict[str, Any] = {"suggestions": [_shown(each, zone, with_rooms=bool(rooms)) for each in found.suggestions]}
    if not found.suggestions:
        result["reason"] = _reason(found, question, zone)
    remarks = args.remarks + noted(*window.remarks.notes) + _about_hours(question) + unread(read)
    return result | {"now": present(now, zone)} | remarks.members()


def unread(people: Sequence[PersonSchedule]) -> Remarks:
    """Warnings about those whose time is not known, or not wholly."""
    told = [f"{person.address}: {person.problem}" for person in people if person.problem]
    more = len(told) - MOST_WARNINGS
    return warned(*told[:MOST_WARNINGS], f"{more} more people could not be read." if more > 0 else None)


def _shown(suggestion: Suggestion, zone: Zone, *, with_rooms: bool) -> dict[str, Any]:
    edges = (suggestion.start, suggestion.end)
    start, end = ({"dateTime": to_local(at, zone).isoformat(), "timeZone": zone.given} for at in edges)
    shown: dict[str, Any] = {"start": start, "end": end, "availability": suggestion.availability}
    return shown | ({"rooms": list(suggestion.rooms)} if with_rooms else {})


def _about_hours(question: Question) -> Remarks:
    """Whose working hours were not looked at because they are not known."""
    if not question.working_hours:
        return Remarks()
    unknown = [person.address for person in question.required if person.hours is None and not person.problem]
    rough = [person.address for person in question.required if person.hours is not None and person.hours.approximate]
    return noted(
        f"The working hours of {', '.join(unknown[:10])} are not known and were not looked at." if unknown else None,
        f"The zone of {', '.join(rough[:10])} has odd rules; their hours may be off by one." if rough else None,
    )


def _reason(found: Found, question: Question, zone: Zone) -> str:
    minutes = int(question.duration.total_seconds() // 60)
    if found.no_time_left:
        return f"No {minutes} minutes are left in the window: it is too short or past. Give a later end_datetime."
    if found.no_common_hours:
        hours = [f"{person.address}: {person.hours.described()}" for person in question.required if person.hours]
        return (
            f"There are no {minutes} minutes in this window in which all who must come work "
            f"({'; '.join(hours[:10])}). Give a longer window, or working_hours=false."
        )
    named = [f"{each.address} ({each.share:.0%})" for each in found.blocking[:MOST_NAMED] if each.share > 0]
    if named:
        return (
            f"At every time somebody who must come is taken. Alone in the way of that share of the times: "
            f"{', '.join(named)}. Give a longer window, make somebody optional, or shorten the meeting."
        )
    return (
        "At every time at least two of those who must come are taken. Give a longer window, make somebody optional, or "
        "shorten the meeting."
    )
