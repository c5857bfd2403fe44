"""The argument models of the toolset `scheduling`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar

from scalekit_mcp.tools import parameters as p
from scalekit_mcp.tools.base import Arguments
from scalekit_mcp.tools.inputs.people import Attendee
from scalekit_mcp.tools.remarks import Remarks
from scalekit_mcp.tools.scheduling import checks

_START = p.local_datetime("Window start, local, e.g. 2026-04-01T09:00:00.", "timezone")
_END = p.local_datetime("Window end, exclusive; at most 62 days later.", "timezone")
_ZONE = p.zone("Zone of the window and of the answer.", "start_datetime", "end_datetime")


class FindMeetingTimes(Arguments):
    """Arguments of `outlook_find_meeting_times`."""

    tool_name: ClassVar[str] = "outlook_find_meeting_times"

    duration_minutes: Annotated[int, p.integer("Length of the meeting.", 5, 1440)]
    start_datetime: Annotated[datetime, _START]
    end_datetime: Annotated[datetime, _END]
    timezone: Annotated[str | None, _ZONE] = None
    attendees: Annotated[tuple[Attendee, ...], p.attendees("Addresses of who must come; the user always does.")] = ()
    attendees_optional: Annotated[tuple[Attendee, ...], p.attendees("Addresses of who may come.")] = ()
    rooms: Annotated[tuple[Attendee, ...], p.attendees("Addresses of rooms, any one of which will do.")] = ()
    working_hours: Annotated[bool, p.boolean("Only when all who must come work; default true.")] = True
    max_results: Annotated[int, p.integer("Most suggestions; default 5.", 1, 20)] = 5
    organizer_optional: bool = False
    """Whether the meeting can be without the user; no parameter of the tool."""

    @classmethod
    def check(cls, read: dict[str, Any]) -> Remarks:
        """See `Arguments.check`."""
        return checks.check_find_meeting_times(read)


class GetFreeBusySchedule(Arguments):
    """Arguments of `outlook_get_free_busy_schedule`."""

    tool_name: ClassVar[str] = "outlook_get_free_busy_schedule"

    people: Annotated[tuple[Attendee, ...], p.attendees("Addresses of people and rooms, comma-separated; at most 100.")]
    start_datetime: Annotated[datetime, _START]
    end_datetime: Annotated[datetime, _END]
    timezone: Annotated[str | None, _ZONE] = None

    @classmethod
    def check(cls, read: dict[str, Any]) -> Remarks:
        """See `Arguments.check`."""
        return checks.check_free_busy(read)


class RespondToEvent(Arguments):
    """Arguments of `outlook_respond_to_event`."""

    tool_name: ClassVar[str] = "outlook_respond_to_event"

    event_id: Annotated[str, p.identifier_of("Id of the invitation in the user's calendar, as list gave it.")]
    response: Annotated[str, p.choice("The answer.", "accept", "tentative", "decline")]
    comment: Annotated[str | None, p.text("What the organizer reads.", 10_000, one_line=False, publish=False)] = None
    send_response: Annotated[bool, p.boolean("Mail the organizer; default true.")] = True
    proposed_start_datetime: Annotated[
        datetime | None,
        p.local_datetime("Another time to propose, with tentative or decline; the next two too.", "proposed_timezone"),
    ] = None
    proposed_end_datetime: Annotated[datetime | None, p.local_datetime("Its end.", "proposed_timezone")] = None
    proposed_timezone: Annotated[
        str | None, p.zone("Its zone.", "proposed_start_datetime", "proposed_end_datetime")
    ] = None
    apply_to: Annotated[str | None, p.choice("this: the date of the id. series: all.", "this", "series")] = None

    @classmethod
    def check(cls, read: dict[str, Any]) -> Remarks:
        """See `Arguments.check`."""
        return checks.check_respond(read)


class ListCalendars(Arguments):
    """Arguments of `outlook_list_calendars`: none."""

    tool_name: ClassVar[str] = "outlook_list_calendars"


class SearchPeople(Arguments):
    """Arguments of `outlook_search_people`."""

    tool_name: ClassVar[str] = "outlook_search_people"

    query: Annotated[str, p.text("Name, part of it, or part of the address, e.g. alice mill.", 100, literal=True)]
    max_results: Annotated[int, p.integer("Most people; default 10.", 1, 50)] = 10
