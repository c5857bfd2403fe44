"""Where the tasks happen: one point in time, its people, what stands in their calendars, and how it gets there.

Everything is written over the sandbox's Graph, as the owners of the calendars would.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2 as httpx

from scalekit_mcp.sandbox import Sandbox

NOW = datetime(2027, 3, 10, 14, 30, tzinfo=UTC)
"""Wednesday, 08:30 in Chicago. North America's clocks change on the Sunday after it, Europe's on the 28th."""
ZONE = "America/Chicago"
NOW_IN_WORDS = "Wednesday 10 March 2027, 08:30"

DANA, ALICE, BOB = "dana@company.com", "alice@company.com", "bob@company.com"
CAROL, DAVE, ERIN = "carol@company.com", "dave@company.com", "erin.park@northwind.example"
LISBON, OSLO = "lisbon@company.com", "oslo@company.com"
COLLEAGUES = (ALICE, BOB, CAROL, DAVE)
"""Those with a calendar of their own in the sandbox, beside Dana, whose assistant is asked."""

_NAMES = {ERIN: "Erin Park"}
_VERBS = {"accepted": "accept", "declined": "decline", "tentative": "tentativelyAccept"}


@dataclass(frozen=True)
class Entry:
    """An event that stands in a calendar before the task; `start` is `2027-03-16 09:00`, or a date for whole days.

    `recurrence` is Graph's pattern and range without the dates that follow from `start`; `more` are further members of
    Graph's event. `answers` are those of people who were invited.
    """

    subject: str
    start: str
    minutes: int = 60
    owner: str = DANA
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    rooms: tuple[str, ...] = ()
    zone: str = ZONE
    calendar: str = ""
    recurrence: Mapping[str, Any] | None = None
    more: Mapping[str, Any] = field(default_factory=dict[str, Any])
    answers: Mapping[str, str] = field(default_factory=dict[str, str])

    def body(self) -> dict[str, Any]:
        """The event as Graph takes it."""
        whole_day = len(self.start) == len("2027-03-16")
        begins = datetime.fromisoformat(self.start)
        ends = begins + (timedelta(days=self.minutes // 1440 or 1) if whole_day else timedelta(minutes=self.minutes))
        body: dict[str, Any] = {
            "subject": self.subject,
            "start": {"dateTime": begins.isoformat(), "timeZone": self.zone},
            "end": {"dateTime": ends.isoformat(), "timeZone": self.zone},
            "isAllDay": whole_day,
            "attendees": [
                {"type": kind, "emailAddress": {"address": address, "name": _NAMES.get(address, address)}}
                for kind, people in (("required", self.required), ("optional", self.optional), ("resource", self.rooms))
                for address in people
            ],
            **self.more,
        }
        if self.recurrence is not None:
            pattern, span = self.recurrence["pattern"], self.recurrence.get("range", {"type": "noEnd"})
            body["recurrence"] = {"pattern": pattern, "range": {"startDate": self.start[:10], **span}}
        return body


def weekly(*days: str, until: str | None = None) -> dict[str, Any]:
    """The recurrence of a weekly series."""
    span = {"type": "noEnd"} if until is None else {"type": "endDate", "endDate": until}
    return {"pattern": {"type": "weekly", "interval": 1, "daysOfWeek": list(days)}, "range": span}


def text(content: str) -> dict[str, Any]:
    """A body of plain text."""
    return {"body": {"contentType": "text", "content": content}}


ALWAYS_THERE: tuple[Entry, ...] = (
    Entry("Kick-off", "2027-02-16 10:00", required=(ALICE, BOB)),
    Entry("Stand-up", "2027-02-02 09:00", 15, required=(ALICE, BOB, CAROL), recurrence=weekly("tuesday")),
    Entry("Design review", "2027-03-03 14:00", owner=ALICE, required=(DANA, CAROL), answers={DANA: "accepted"}),
    Entry("Customer call Northwind", "2027-03-04 11:00", 45, required=(ERIN,)),
    Entry("Retro", "2027-03-05 13:00", required=(CAROL, DAVE), rooms=(LISBON,)),
    Entry("Workshop planning", "2027-02-24 15:00", required=(DAVE,), rooms=(OSLO,)),
    Entry("Dentist", "2027-03-11 16:00", 45, more={"sensitivity": "private", "showAs": "oof"}),
    Entry("Lunch with Sam", "2027-03-12 12:00"),
    Entry("Release planning", "2027-03-15 13:00", required=(ALICE, BOB), more={"isOnlineMeeting": True}),
    Entry("1:1 with Bob", "2027-03-16 14:00", 30, required=(BOB,)),
    Entry("Budget review", "2027-03-18 10:00", owner=CAROL, required=(DANA, ALICE)),
    Entry("Trade fair", "2027-03-24", 2 * 1440, more={"showAs": "oof"}),
    Entry("Choir", "2027-03-15 19:00", 90, calendar="Private"),
)
"""What every task finds in the calendars: so the people whom Dana has met are the same in all of them."""


@dataclass(frozen=True)
class Mail:
    """A mail that somebody got from a calendar."""

    kind: str
    to: str
    subject: str
    comment: str


class Scene:
    """The sandbox's mailboxes, to be filled before a task and read before and after it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._tokens = {address: sandbox.access_token(address) for address in (DANA, *COLLEAGUES)}

    async def prepare(self, seeds: Sequence[Entry]) -> None:
        """Empty every calendar and put in what is always there and `seeds`; it is `NOW`, and nobody was mailed."""
        sandbox = self._sandbox
        sandbox.world.mailboxes.clear()
        sandbox.world.room_requests.clear()
        sandbox.switches_off()
        sandbox.freeze_clock(NOW)
        for address in (DANA, *COLLEAGUES, LISBON, OSLO):
            sandbox.scheduling.clear_calendar(address)
        async with self._graph() as graph:
            for entry in (*ALWAYS_THERE, *seeds):
                await self._write(graph, entry)
            await self._ask(graph, DANA, "GET", "/v1.0/me/calendars")  # rooms answer before the request that follows
        sandbox.world.mails.clear()
        sandbox.unfreeze_clock()

    async def _write(self, graph: httpx.AsyncClient, entry: Entry) -> None:
        folder = "/v1.0/me"
        if entry.calendar:
            listed = await self._ask(graph, entry.owner, "GET", "/v1.0/me/calendars?$top=50")
            [calendar] = [each for each in listed["value"] if each["name"] == entry.calendar]
            folder += f"/calendars/{calendar['id']}"
        await self._ask(graph, entry.owner, "POST", f"{folder}/events", entry.body())
        for address, answer in entry.answers.items():
            self._sandbox.answer_invitation(address, entry.subject, _VERBS[answer])  # pyright: ignore[reportArgumentType] - the values are its verbs

    async def read(self) -> dict[str, list[tuple[str, dict[str, Any]]]]:
        """By person: every event of fourteen months, series expanded, with the name of its calendar.

        Of the others, what their default calendars hold.
        """
        async with self._graph() as graph:
            calendars = await self._ask(graph, DANA, "GET", "/v1.0/me/calendars?$top=50")
            found = {
                DANA: [
                    (calendar["name"], event)
                    for calendar in calendars["value"]
                    for event in await self._view(graph, DANA, f"/v1.0/me/calendars/{calendar['id']}")
                ]
            }
            for address in COLLEAGUES:
                found[address] = [("Calendar", event) for event in await self._view(graph, address, "/v1.0/me")]
        return found

    async def _view(self, graph: httpx.AsyncClient, address: str, folder: str) -> list[dict[str, Any]]:
        path = f"{folder}/calendarView?startDateTime=2027-01-01T00:00:00Z&endDateTime=2028-03-01T00:00:00Z&$top=1000"
        events: list[dict[str, Any]] = []
        while path:
            page = await self._ask(graph, address, "GET", path)
            events += page["value"]
            path = str(page.get("@odata.nextLink", ""))
        return events

    def mails(self) -> list[Mail]:
        """Everything that was mailed since `prepare`, oldest first."""
        return [Mail(mail.kind, mail.to.lower(), mail.subject, mail.comment) for mail in self._sandbox.world.mails]

    def _graph(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(app=self._sandbox.app), base_url="http://sandbox")

    async def _ask(self, graph: httpx.AsyncClient, address: str, method: str, path: str, body: Any = None) -> Any:
        headers = {
            "Authorization": f"Bearer {self._tokens[address]}",
            "Prefer": f'outlook.timezone="{ZONE}", outlook.body-content-type="text"',
        }
        answer = await graph.request(method, path, json=body, headers=headers)
        if answer.status_code >= 300:
            raise RuntimeError(f"{method} {path} as {address}: the sandbox answers {answer.status_code} {answer.text}")
        return answer.json()
