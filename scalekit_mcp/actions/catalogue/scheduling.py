"""The catalogue's spelling of four scheduling tools that have the same names here, and Microsoft's answers.

Sources: user: findMeetingTimes, meetingTimeSuggestion, calendar: getSchedule, scheduleInformation, calendar and person
resource types.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from scalekit_mcp.actions.catalogue.moments import CatalogueWindow, minutes_parameter, moment_parameter
from scalekit_mcp.actions.catalogue.tool import REMARKS, ROWS, CatalogueTool, Run, members
from scalekit_mcp.errors import InvalidInput
from scalekit_mcp.tools import (
    Arguments,
    FindMeetingTimes,
    Parameter,
    Zone,
    attendees,
    boolean_parameter,
    integer_parameter,
    resolve_zone,
    text_parameter,
    to_instant,
    zone_parameter,
)

DEFAULT_CANDIDATES = 20
DEFAULT_INTERVAL_MINUTES = 60
MOST_PEOPLE = 50
"""Most people of one search (the bound of our own tool)."""

_FIND = "outlook_find_meeting_times"
_SCHEDULE = "outlook_get_free_busy_schedule"
_CALENDARS = "outlook_list_calendars"
_PEOPLE = "outlook_search_people"

_CHANCES = {"free": 100, "workingElsewhere": 100, "tentative": 49, "unknown": 49}
"""How likely it is, in percent, that somebody of this availability comes; nobody who is busy or away does."""

_CODES = {"tentative": 1, "busy": 2, "oof": 3}
"""The digits of availabilityView; whoever works elsewhere counts as free there."""


# --- outlook_find_meeting_times


async def _find(run: Run, read: dict[str, Any]) -> dict[str, Any]:
    window = CatalogueWindow.of(read)
    arguments: Arguments = FindMeetingTimes.parse(
        {
            **window.arguments(),
            "duration_minutes": read["meeting_duration"],
            "attendees": list(read["attendee_emails"]),
        }
    )
    # The catalogue offers twice as many suggestions as a model is given, and a meeting without its organizer.
    more = {
        "max_results": read.get("max_candidates", DEFAULT_CANDIDATES),
        "organizer_optional": read.get("is_organizer_optional", False),
    }
    answer = await run(_FIND, arguments.model_copy(update=more))
    organizer_last: bool = more["organizer_optional"]
    rows = [
        _suggestion(row, order, organizer_last=organizer_last)
        for order, row in enumerate(answer["suggestions"], start=1)
    ]
    found = {"meetingTimeSuggestions": rows, "emptySuggestionsReason": "" if rows else "unknown"}
    reason = {"reason": _FIND_TOOL.renamed_in(answer["reason"])} if "reason" in answer else {}
    return found | reason | members(answer, "notes", "warnings")


def _suggestion(row: Mapping[str, Any], order: int, *, organizer_last: bool) -> dict[str, Any]:
    """A meetingTimeSuggestion; our availability has the organizer first, or last where they are optional."""
    everybody: list[tuple[str, str]] = list(row["availability"].items())
    (_, organizer), others = (everybody[-1], everybody[:-1]) if organizer_last else (everybody[0], everybody[1:])
    chances = [_CHANCES.get(availability, 0) for _, availability in everybody]
    return {
        "order": order,
        "confidence": sum(chances) / len(chances),
        "organizerAvailability": organizer,
        "attendeeAvailability": [
            {
                "availability": availability,
                "attendee": {"type": "required", "emailAddress": {"address": address}},
            }
            for address, availability in others
        ],
        "meetingTimeSlot": {"start": row["start"], "end": row["end"]},
        "locations": [],
    }


# --- outlook_get_free_busy_schedule


async def _schedule(run: Run, read: dict[str, Any]) -> dict[str, Any]:
    window = CatalogueWindow.of(read)
    answer = await run(_SCHEDULE, {**window.arguments(), "people": list(read["schedules"])})
    zone = resolve_zone(answer["now"]["timeZone"])
    begin, end = (to_instant(datetime.fromisoformat(edge), zone) for edge in (window.start, window.end))
    slot = timedelta(minutes=read.get("availability_view_interval", DEFAULT_INTERVAL_MINUTES))
    if slot > end - begin:
        raise InvalidInput(
            "`availability_view_interval` is longer than the window.", field="availability_view_interval"
        )
    slots = [(begin + index * slot, begin + (index + 1) * slot) for index in range(-(-(end - begin) // slot))]
    rows = [_information(row, zone, slots) for row in answer["value"]]
    return {"value": rows} | members(answer, "notes", "warnings")


def _information(row: Mapping[str, Any], zone: Zone, slots: Sequence[tuple[datetime, datetime]]) -> dict[str, Any]:
    """A scheduleInformation; without a view where part of the time is not known, for no digit means that."""
    busy: list[dict[str, Any]] = row["busy"]
    information: dict[str, Any] = {"scheduleId": row["address"]}
    if not any(block["status"] == "unknown" for block in busy):
        information["availabilityView"] = _view(busy, zone, slots)
    information["scheduleItems"] = [
        {
            "status": block["status"],
            **members(block, "subject"),
            **{edge: {"dateTime": block[edge], "timeZone": zone.given} for edge in ("start", "end")},
        }
        for block in busy
    ]
    if "working_hours" in row:
        hours = row["working_hours"]
        information["workingHours"] = {
            "daysOfWeek": hours["days"],
            "startTime": f"{hours['start']}:00.0000000",
            "endTime": f"{hours['end']}:00.0000000",
            "timeZone": {"name": hours["timeZone"]},
        }
    if "error" in row:
        information["error"] = {"message": row["error"]}
    return information


def _view(busy: Iterable[Mapping[str, Any]], zone: Zone, slots: Sequence[tuple[datetime, datetime]]) -> str:
    """A digit for each slot: the one that takes most of what meets it."""
    digits = [0] * len(slots)
    begin, length = slots[0][0], slots[0][1] - slots[0][0]
    for block in busy:
        start, end = (to_instant(datetime.fromisoformat(block[edge]), zone) for edge in ("start", "end"))
        first = max((start - begin) // length, 0)
        last = min(-(-(end - begin) // length), len(slots))
        for index in range(first, last):
            digits[index] = max(digits[index], _CODES.get(block["status"], 0))
    return "".join(map(str, digits))


# --- outlook_list_calendars, outlook_search_people


async def _calendars(run: Run, read: dict[str, Any]) -> dict[str, Any]:
    answer = await run(_CALENDARS, {})
    skip = read.get("skip", 0)
    rows = [
        {**members(row, "id", "name", "owner"), "isDefaultCalendar": row["is_default"], "canEdit": row["can_edit"]}
        for row in answer["value"]
    ]
    top = read.get("top", len(rows))
    return {"value": rows[skip : skip + top]} | members(answer, "notes", "warnings")


async def _people(run: Run, read: dict[str, Any]) -> dict[str, Any]:
    arguments = {"query": read["search"], "max_results": min(read.get("top", 10), MOST_PEOPLE)}
    answer = await run(_PEOPLE, arguments)
    rows = [
        {
            "displayName": row["name"],
            "scoredEmailAddresses": [{"address": row["address"]}],
            "personType": {"class": "Other", "subclass": "Room"} if row["kind"] == "room" else {"class": "Person"},
        }
        for row in answer["value"]
    ]
    return {"value": rows} | members(answer, "notes", "warnings", "authorization_url")


# --- the tools


def _addresses(description: str) -> Parameter:
    def parse(value: object) -> tuple[str, ...]:
        return tuple(person.address for person in attendees(value))

    return Parameter(description, parse, {"type": "array", "items": {"type": "string"}}, many=True)


_WINDOW = {
    "start_date_time": moment_parameter("Start of the window, RFC 3339; in time_zone without an offset."),
    "end_date_time": moment_parameter("End of the window, exclusive; at most 62 days later."),
}
_ZONE = {"time_zone": zone_parameter("Zone of the window and of the answer; default UTC.")}
_WINDOW_NAMES = {"start_datetime": "start_date_time", "end_datetime": "end_date_time", "timezone": "time_zone"}
_ONLY_SEARCH = "people are found by search and top alone"

_FIND_TOOL = CatalogueTool(
    name=_FIND,
    title="Find meeting times",
    description="Suggests times at which the organizer and the attendees can meet, best first.",
    parameters={
        "attendee_emails": _addresses("Addresses of who must come."),
        **_WINDOW,
        "meeting_duration": minutes_parameter("Length of the meeting, such as PT30M or PT1H30M.", 5, 1440),
        "is_organizer_optional": boolean_parameter("Whether the meeting can be without the user; default false."),
        "max_candidates": integer_parameter(f"Most suggestions; default {DEFAULT_CANDIDATES}.", 1, 40),
        **_ZONE,
    },
    required=("attendee_emails", "start_date_time", "end_date_time", "meeting_duration"),
    output_schema={"type": "object", "properties": {"meetingTimeSuggestions": ROWS, **REMARKS}},
    work=_find,
    renamed={
        **_WINDOW_NAMES,
        "duration_minutes": "meeting_duration",
        "attendees": "attendee_emails",
        "max_results": "max_candidates",
    },
)

SAME_NAME_TOOLS = (
    _FIND_TOOL,
    CatalogueTool(
        name=_SCHEDULE,
        title="Get free/busy schedule",
        description="Shows when people and rooms are taken, as Microsoft's getSchedule answers it.",
        parameters={
            "schedules": _addresses("Addresses of people and rooms; at most 100."),
            **_WINDOW,
            "availability_view_interval": integer_parameter(
                f"Minutes for each digit of availabilityView; default {DEFAULT_INTERVAL_MINUTES}.", 5, 1440
            ),
            **_ZONE,
        },
        required=("schedules", "start_date_time", "end_date_time"),
        output_schema={"type": "object", "properties": {"value": ROWS, **REMARKS}},
        work=_schedule,
        renamed={**_WINDOW_NAMES, "people": "schedules"},
    ),
    CatalogueTool(
        name=_CALENDARS,
        title="List calendars",
        description="Lists the user's calendars.",
        parameters={
            "skip": integer_parameter("How many to leave out at the start.", 0, 100_000),
            "top": integer_parameter("Most calendars; default all.", 1, 1000),
        },
        required=(),
        output_schema={"type": "object", "properties": {"value": ROWS, **REMARKS}},
        work=_calendars,
    ),
    CatalogueTool(
        name=_PEOPLE,
        title="Search people",
        description="Finds people and rooms by name.",
        parameters={
            "search": text_parameter("Name, part of it, or part of the address.", 100, literal=True),
            "top": integer_parameter("Most people; default 10.", 1, 1000),
        },
        required=("search",),
        output_schema={"type": "object", "properties": {"value": ROWS, **REMARKS}},
        work=_people,
        renamed={"query": "search", "max_results": "top"},
        refused=dict.fromkeys(("filter", "select", "order_by", "skip"), _ONLY_SEARCH),
    ),
)
"""They are listed under our own parameters; a call shows by its parameters which of the two it means."""
