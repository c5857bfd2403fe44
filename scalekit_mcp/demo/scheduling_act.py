"""The second act of the tour: finding a person and a time, booking it, declining, moving a series from a date on."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

import httpx2 as httpx

from scalekit_mcp.demo.steps import Agent, Steps, held
from scalekit_mcp.network import Network
from scalekit_mcp.sandbox import Sandbox

PERSON, ALICE, BOB = "dana@company.com", "alice@company.com", "bob@company.com"
ZONE = "America/New_York"
FIND, SEARCH, RESPOND = "outlook_find_meeting_times", "outlook_search_people", "outlook_respond_to_event"
CREATE, LIST, UPDATE = "outlook_create_calendar_event", "outlook_list_calendar_events", "outlook_update_calendar_event"

DIRECTORY_IN_HOSTED_MODE = "The directory needs People.Read, which the operator adds to the connection; no link can."


class SchedulingAct:
    """The steps and what they share: the agent, the sandbox at `base_url`, and the Monday of the next full week.

    `hosted`: the calls go through Scalekit's proxy.
    """

    def __init__(self, agent: Agent, sandbox: Sandbox, base_url: str, today: date, *, hosted: bool) -> None:
        self.agent = agent
        self.sandbox = sandbox
        self.base_url = base_url
        self.hosted = hosted
        self.monday = today + timedelta(days=14 - today.weekday())
        self.alice = ""
        self.slot: dict[str, Any] = {}

    async def run(self, steps: Steps) -> None:
        """All steps, in order."""
        await steps.step("“Who is Alice?”", self.find_alice)
        await steps.step("“An hour with Alice and Bob on Monday after next”", self.find_time)
        await steps.step("“Book it, if I am still free then”", self.book)
        await steps.step("“I cannot make Alice's budget review, propose Wednesday”", self.decline)
        await steps.step("“From the second week on, move the standup to 3 pm”", self.move_series)

    async def find_alice(self) -> str:
        """Alice has invited the user; that is how they know her."""
        await self._as_alice(
            "/v1.0/me/events",
            {
                "subject": "Budget review",
                "start": self._moment(1, 15),
                "end": self._moment(1, 16),
                "attendees": [{"type": "required", "emailAddress": {"address": PERSON}}],
            },
        )
        answer = await self.agent.ok(SEARCH, {"query": "alice"})
        held([row["address"] for row in answer["value"]] == [ALICE], f"found were {answer['value']}")
        self.alice = answer["value"][0]["address"]
        found = f"{answer['value'][0]['name']} <{self.alice}>, from the user's own meetings."
        return f"{found}\n  {DIRECTORY_IN_HOSTED_MODE}" if self.hosted else found

    async def find_time(self) -> str:
        """Everybody's free time and working hours, in each one's zone."""
        for hours in ((9, 11), (13, 14)):
            start, end = (datetime.combine(self.monday, time(hour)) for hour in hours)  # by the clock of each zone
            self.sandbox.scheduling.add_busy(BOB, start, end, time_zone=ZONE)
            self.sandbox.scheduling.add_busy(ALICE, start, end, time_zone="Europe/Berlin")
        answer = await self.agent.ok(
            FIND,
            {
                "attendees": f"{self.alice},{BOB}",
                "duration_minutes": 60,
                "start_datetime": f"{self.monday}T06:00:00",
                "end_datetime": f"{self.monday}T20:00:00",
                "timezone": ZONE,
                "max_results": 3,
            },
        )
        held(answer["suggestions"], f"no time was found: {answer.get('reason')}")
        self.slot = answer["suggestions"][0]
        held(set(self.slot["availability"].values()) == {"free"}, f"not all are free: {self.slot}")
        starts = ", ".join(each["start"]["dateTime"][11:16] for each in answer["suggestions"])
        return f"All three are free and at work at {starts} in New York."

    async def book(self) -> str:
        """Booked once; a second meeting at that time is refused before anybody is mailed."""
        meeting = {
            "subject": "Planning",
            "start_datetime": self.slot["start"]["dateTime"],
            "start_timezone": ZONE,
            "end_datetime": self.slot["end"]["dateTime"],
            "end_timezone": ZONE,
            "attendees_required": f"{self.alice},{BOB}",
            "only_if_free": True,
        }
        event = await self.agent.ok(CREATE, meeting)
        held(set(event["told"]) == {ALICE, BOB}, f"mailed were {event.get('told')}")
        error = await self.agent.refused(CREATE, {**meeting, "subject": "Something else"})
        held(error.get("code") == "conflict", f"unexpected: {error}")
        return f"Booked; {' and '.join(event['told'])} were mailed. Asked again, it refuses: {error['message']}"

    async def decline(self) -> str:
        """The invitation is answered once, with another time."""
        answer = await self.agent.ok(LIST, {**self._week(), "filter": "subject eq 'Budget review'"})
        [invitation] = answer["value"]
        wednesday = self.monday + timedelta(days=2)
        declined = await self.agent.ok(
            RESPOND,
            {
                "event_id": invitation["id"],
                "response": "decline",
                "comment": "Could we do Wednesday?",
                "proposed_start_datetime": f"{wednesday}T10:00:00",
                "proposed_end_datetime": f"{wednesday}T11:00:00",
                "proposed_timezone": ZONE,
            },
        )
        held(declined["told"] == [ALICE], f"mailed were {declined.get('told')}")
        return f"Declined; {ALICE} has the proposal and decides. The event has left the calendar."

    async def move_series(self) -> str:
        """The series is split: the first date stays, the others move."""
        await self.agent.ok(
            CREATE,
            {
                "subject": "Standup",
                "start_datetime": f"{self.monday}T09:00:00",
                "start_timezone": ZONE,
                "end_datetime": f"{self.monday}T09:15:00",
                "end_timezone": ZONE,
                "recurrence_type": "weekly",
                "recurrence_days_of_week": "monday",
                "recurrence_occurrences": 4,
            },
        )
        window = {**self._week(weeks=4), "filter": "subject eq 'Standup'"}
        second = (await self.agent.ok(LIST, window, show=False))["value"][1]
        day = second["start"]["dateTime"][:10]
        await self.agent.ok(
            UPDATE,
            {
                "event_id": second["id"],
                "apply_to": "following",
                "start_datetime": f"{day}T15:00:00",
                "start_timezone": ZONE,
            },
        )
        rows = (await self.agent.ok(LIST, window, show=False))["value"]
        starts = [row["start"]["dateTime"][11:16] for row in rows]
        held(starts == ["09:00", "15:00", "15:00", "15:00"], f"the dates start at {starts}")
        return "The first date stays at 09:00, the three after it are at 15:00."

    def _week(self, weeks: int = 1) -> dict[str, Any]:
        return {
            "start_datetime": f"{self.monday}T00:00:00",
            "end_datetime": f"{self.monday + timedelta(weeks=weeks)}T00:00:00",
            "timezone": ZONE,
        }

    def _moment(self, days: int, hour: int) -> dict[str, str]:
        return {"dateTime": f"{self.monday + timedelta(days=days)}T{hour:02}:00:00", "timeZone": ZONE}

    async def _as_alice(self, path: str, body: dict[str, Any]) -> None:
        headers = {"Authorization": f"Bearer {self.sandbox.access_token(ALICE)}"}
        async with Network().client([], make=httpx.AsyncClient) as http:
            answer = await http.post(f"{self.base_url}{path}", json=body, headers=headers)
        held(answer.status_code == 201, f"the sandbox said {answer.status_code}")
