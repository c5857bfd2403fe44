"""The scheduling tools on one connected account's mailbox: which calendars there are, who is meant, who is free."""

from __future__ import annotations

from dataclasses import dataclass

from scalekit_mcp.calendar.answer import CalendarAnswer
from scalekit_mcp.calendar.mailbox import SchedulingMailbox
from scalekit_mcp.calendar.reading import asked_zone
from scalekit_mcp.calendar.scheduling.calendars import list_calendars
from scalekit_mcp.calendar.scheduling.free_busy import free_busy_schedule
from scalekit_mcp.calendar.scheduling.meeting_times import find_meeting_times
from scalekit_mcp.calendar.scheduling.people_search import MetPeopleCache, Searcher, search_people
from scalekit_mcp.calendar.scheduling.reading_schedules import ScheduleReader
from scalekit_mcp.calendar.scheduling.respond import respond_to_event
from scalekit_mcp.clock import Clock
from scalekit_mcp.tools import (
    Arguments,
    FindMeetingTimes,
    GetFreeBusySchedule,
    ListCalendars,
    RespondToEvent,
    SearchPeople,
    present,
)


@dataclass(frozen=True, slots=True)
class Scheduling:
    """The tools of the toolset `scheduling` for one account; `timezone` is that of answers when a call names none."""

    mailbox: SchedulingMailbox
    searcher: Searcher
    met_people: MetPeopleCache
    clock: Clock
    timezone: str

    async def run(self, arguments: Arguments) -> CalendarAnswer:
        """Carry out the tool that the arguments belong to; raises `ScalekitMCPError`."""
        match arguments:
            case ListCalendars():
                rows, remarks = await list_calendars(self.mailbox)
                return CalendarAnswer({"value": rows, "now": self._now(self.timezone)} | remarks.members())
            case FindMeetingTimes():
                return CalendarAnswer(
                    await find_meeting_times(self._reader(), arguments, clock=self.clock, timezone=self.timezone)
                )
            case GetFreeBusySchedule():
                return CalendarAnswer(
                    await free_busy_schedule(self._reader(), arguments, clock=self.clock, timezone=self.timezone)
                )
            case RespondToEvent():
                return CalendarAnswer(await respond_to_event(self.mailbox, arguments, timezone=self.timezone))
            case SearchPeople():
                found = await search_people(
                    self.mailbox, arguments, self.searcher, cache=self.met_people, clock=self.clock
                )
                answer = {"value": found.rows} | (arguments.remarks + found.remarks).members()
                return CalendarAnswer(answer, found.further_scopes)
            case _:
                raise LookupError(f"no operation for {arguments.tool_name}")

    def _reader(self) -> ScheduleReader:
        return ScheduleReader(self.mailbox, self.searcher.address, personal=self.searcher.personal)

    def _now(self, zone_name: str) -> dict[str, str]:
        return present(self.clock.now(), asked_zone(zone_name))
