"""The tour itself: every step is carried out, looked at, and counted."""

from __future__ import annotations

import os
import secrets
import sys
import tempfile
import webbrowser
from base64 import b64encode
from contextlib import AsyncExitStack
from datetime import date
from pathlib import Path
from typing import Any

import anyio
import httpx2 as httpx
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from rich.console import Console
from rich.panel import Panel

from scalekit_mcp.demo.browser import Browser, consent
from scalekit_mcp.demo.picture import week_picture
from scalekit_mcp.demo.scheduling_act import SchedulingAct
from scalekit_mcp.demo.steps import SCHEDULING_TOOL_NAMES, TOOL_NAMES, Agent, Steps, held
from scalekit_mcp.network import Network
from scalekit_mcp.sandbox import Sandbox

IDENTIFIER = "user_outlook_789"
PERSON = "dana@company.com"
MONDAY = date(2026, 4, 6)
KICKOFF: dict[str, Any] = {
    "subject": "Q2 Planning Kickoff",
    "start_datetime": "2026-04-01T10:00:00",
    "start_timezone": "America/New_York",
    "end_datetime": "2026-04-01T11:00:00",
    "end_timezone": "America/New_York",
    "attendees_required": "alice@company.com,bob@company.com",
    "attendees_optional": "carol@company.com",
    "body_content": "Please review the Q2 roadmap doc before joining.",
    "body_contentType": "text",
    "isOnlineMeeting": True,
    "onlineMeetingProvider": "teamsForBusiness",
    "isReminderOn": True,
    "reminderMinutesBeforeStart": 15,
}
STANDUP: dict[str, Any] = {
    "subject": "Weekly Team Standup",
    "start_datetime": "2026-04-06T09:00:00",
    "start_timezone": "America/Chicago",
    "end_datetime": "2026-04-06T09:30:00",
    "end_timezone": "America/Chicago",
    "isOnlineMeeting": True,
    "recurrence_type": "weekly",
    "recurrence_interval": 1,
    "recurrence_days_of_week": "Monday",
    "recurrence_range_type": "endDate",
    "recurrence_start_date": "2026-04-06",
    "recurrence_end_date": "2026-06-30",
}


def addresses(event: dict[str, Any], kind: str) -> set[str]:
    """The addresses of one kind of attendee of a Graph event."""
    return {
        attendee["emailAddress"]["address"].lower()
        for attendee in event["attendees"]
        if attendee.get("type", "required") == kind
    }


def join_url(event: dict[str, Any]) -> str:
    """The address of the online meeting, empty if there is none."""
    online: dict[str, Any] = event.get("onlineMeeting") or {}
    return str(online.get("joinUrl") or "")


def _response(attendee: dict[str, Any]) -> str:
    """What somebody answered; an attendee without a status has not."""
    return str(attendee.get("status", {}).get("response", "no answer yet"))


class Tour:
    """State that the steps share: the agent, the sandbox, what was created."""

    def __init__(self, console: Console, sandbox: Sandbox, client: Client, *, hosted: bool, interactive: bool) -> None:
        self.console = console
        self.sandbox = sandbox
        self.agent = Agent(console, client, TOOL_NAMES + SCHEDULING_TOOL_NAMES)
        self.steps = Steps(console)
        self.hosted = hosted
        self.interactive = interactive
        self.event_id = ""
        self.link = ""

    async def first_call(self) -> str:
        """A calendar tool before consent: refused, with a link for the person."""
        error = await self.agent.refused("outlook_list_calendar_events", {"top": 5})
        held(error.get("code") == "authorization_required", f"unexpected: {error}")
        held(error.get("status") == "PENDING" and error.get("who_acts") == "user", f"unexpected: {error}")
        self.link = error["authorization_url"]
        return f"Refused, as it must be: {error['message']}\n  The person opens {self.link}"

    async def consent(self) -> str:
        """The person signs in at the built-in Microsoft and accepts."""
        if self.interactive:
            self.console.print(f"Your browser opens {self.link}\nChoose a person there and press Accept.")
            await anyio.to_thread.run_sync(webbrowser.open, self.link)
            answer = await self._wait_until_active()
        else:
            # A browser of its own, not the server's client: the consent goes over HTTP, with cookies and forms.
            async with Network().client([], make=httpx.AsyncClient, cookies=True) as http:
                page = await consent(Browser(http), self.link, PERSON)
            held(page.status == 200, f"the last page says {page.status}: {page.text[:200]}")
            answer = await self.agent.ok("authorize", {}, show=False)
        held(answer["status"] == "ACTIVE", f"the account is {answer['status']}: {answer.get('next_step')}")
        return f"Consent given as {PERSON if not self.interactive else 'the chosen person'}: the account is ACTIVE."

    async def _wait_until_active(self) -> dict[str, Any]:
        with anyio.fail_after(600):
            while True:
                answer = await self.agent.ok("authorize", {}, show=False)
                if answer["status"] == "ACTIVE":
                    return answer
                await anyio.sleep(1)

    async def list_odata(self) -> str:
        """The published list call."""
        answer = await self.agent.ok(
            "outlook_list_calendar_events",
            {
                "filter": "start/dateTime ge '2026-04-01T00:00:00' and end/dateTime le '2026-04-07T23:59:59'",
                "select": "subject,start,end,location,attendees",
                "orderby": "start/dateTime asc",
                "top": 20,
            },
        )
        starts = [event["start"]["dateTime"] for event in answer["value"]]
        held(starts == sorted(starts), f"the events are not in order: {starts}")
        subjects = ", ".join(repr(event["subject"]) for event in answer["value"][:4])
        return f"{len(answer['value'])} events: {subjects}"

    async def create(self) -> str:
        """The kickoff, with three people and a Teams link."""
        event = await self.agent.ok("outlook_create_calendar_event", KICKOFF)
        self.event_id = event["id"]
        held(addresses(event, "required") == {"alice@company.com", "bob@company.com"}, "other people are required")
        held(addresses(event, "optional") == {"carol@company.com"}, "other people are optional")
        held(join_url(event), "there is no Teams link")
        held(event["reminderMinutesBeforeStart"] == 15, "the reminder is another")
        return f"I've scheduled '{event['subject']}' for you, with a Teams link and three invitations."

    async def update(self) -> str:
        """Four hours later, with one more person; nobody is lost."""
        event = await self.agent.ok(
            "outlook_update_calendar_event",
            {
                "event_id": self.event_id,
                "start_datetime": "2026-04-01T14:00:00",
                "start_timezone": "America/New_York",
                "end_datetime": "2026-04-01T15:00:00",
                "end_timezone": "America/New_York",
                "attendees_required": "alice@company.com,bob@company.com,dave@company.com",
            },
        )
        required = addresses(event, "required")
        held(required == {"alice@company.com", "bob@company.com", "dave@company.com"}, f"required are {required}")
        held(addresses(event, "optional") == {"carol@company.com"}, "carol is no longer invited")
        return "Moved to 14:00-15:00; dave joins, carol is still invited."

    async def create_series(self) -> str:
        """A weekly meeting."""
        event = await self.agent.ok("outlook_create_calendar_event", STANDUP)
        held(event["type"] == "seriesMaster", f"it is a {event['type']}")
        return f"'{event['subject']}' repeats every Monday until {event['recurrence']['range']['endDate']}."

    async def window(self) -> str:
        """A window list expands the series."""
        answer = await self.agent.ok(
            "outlook_list_calendar_events",
            {
                "start_datetime": "2026-04-06T00:00:00",
                "end_datetime": "2026-05-04T00:00:00",
                "timezone": "America/Chicago",
                "filter": "subject eq 'Weekly Team Standup'",
            },
        )
        starts = [event["start"]["dateTime"][:16] for event in answer["value"]]
        held(starts == [f"2026-04-{day:02}T09:00" for day in (6, 13, 20, 27)], f"the occurrences are {starts}")
        return f"{len(starts)} occurrences in four weeks, each at 09:00 in Chicago."

    async def get(self) -> str:
        """One event with responses and join address."""
        event = await self.agent.ok(
            "outlook_get_calendar_event", {"event_id": self.event_id, "timezone": "America/New_York"}
        )
        held(event["start"]["dateTime"].startswith("2026-04-01T14:00"), f"it starts at {event['start']}")
        held(join_url(event), "there is no join address")
        held("Please review the Q2 roadmap doc" in event["body"]["content"], "the text of the body is lost")
        answers = ", ".join(f"{a['emailAddress']['address']}: {_response(a)}" for a in event["attendees"])
        return f"Responses: {answers}. Join at {join_url(event)[:60]}…"

    async def delete(self) -> str:
        """Deleted once."""
        answer = await self.agent.ok("outlook_delete_calendar_event", {"event_id": self.event_id})
        held(answer["deleted"] and not answer["already_gone"], f"unexpected: {answer}")
        return "Deleted; the invited people get a cancellation."

    async def delete_again(self) -> str:
        """Deleted twice: a success that says so."""
        answer = await self.agent.ok("outlook_delete_calendar_event", {"event_id": self.event_id})
        held(answer["deleted"] and answer["already_gone"], f"unexpected: {answer}")
        return "Deleting it again is no error: it was already gone."

    async def revoked(self) -> str:
        """The customer's IT takes the grant away."""
        self.sandbox.revoke_grant(PERSON, by="admin")
        self.sandbox.expire_access_tokens(PERSON)
        self.console.print(
            "An IT administrator withdraws the grant at Microsoft, and the access token runs out "
            "(a live one would go on working for up to 90 minutes)."
        )
        error = await self.agent.refused("outlook_list_calendar_events", {"top": 5})
        # Scalekit does not say why a refresh failed: its word for every dead grant is EXPIRED.
        expected = "EXPIRED" if self.hosted else "REVOKED"
        held(error.get("status") == expected, f"the account is {error.get('status')}: {error.get('message')}")
        self.link = error["authorization_url"]
        return (
            f"{error['status']} ({error['reason']}): {error['message']}\n  Who acts: {error['who_acts']}. "
            f"{error['next_step']}\n  {self.link}"
        )

    async def works_again(self) -> str:
        """After the second consent the same call works; the picture of the week."""
        answer = await self.agent.ok(
            "outlook_list_calendar_events",
            {
                "start_datetime": "2026-04-06T00:00:00",
                "end_datetime": "2026-04-13T00:00:00",
                "timezone": "America/Chicago",
                "top": 50,
            },
        )
        held(any(event["subject"] == "Weekly Team Standup" for event in answer["value"]), "the standup is not there")
        self.console.print(week_picture(answer["value"], MONDAY, title="The week, times in Chicago"))
        return f"The call works again: {len(answer['value'])} events in the week of 6 April."

    async def run(self) -> int:
        """All steps, in order; the exit status."""
        step = self.steps.step
        await step("The agent asks what it can do", self.agent.list_tools)
        await step("It lists events before anybody gave consent", self.first_call)
        await step("The person gives consent, once", self.consent)
        await step("It lists events, with OData", self.list_odata)
        await step("“Schedule the Q2 kickoff with Alice and Bob, Carol if she can”", self.create)
        await step("“Make it 2 pm and add Dave”", self.update)
        await step("“A standup every Monday until the end of June”", self.create_series)
        await step("It looks at four weeks", self.window)
        await step("It reads the kickoff", self.get)
        await step("“Cancel the kickoff”", self.delete)
        await step("It cancels once more", self.delete_again)
        if not self.interactive:  # of the person who consents in a browser nothing is known
            today = self.sandbox.clock.now().date()
            act = SchedulingAct(self.agent, self.sandbox, self.sandbox.url, today, hosted=self.hosted)
            await act.run(self.steps)
        await step("The company's IT takes the grant away", self.revoked)
        await step("The person gives consent again", self.consent)
        await step("The same call works again", self.works_again)
        return self.steps.conclude()


def _stand_in(base_url: str, *, hosted: bool) -> str:
    """Who is played by the sandbox at `base_url`."""
    if not hosted:
        return f"Instead of Microsoft it uses the built-in sandbox at {base_url}: this is not Microsoft."
    return (
        f"Instead of Scalekit and Microsoft it uses the built-in sandbox at {base_url}: this is neither of them.\n"
        "Scalekit keeps the tokens, and every call goes to Microsoft through its proxy."
    )


async def run_tour(*, hosted: bool = False, interactive: bool = False, console: Console | None = None) -> int:
    """Run the tour; the exit status is 0 only if every step held.

    `hosted` lets the look-alike of Scalekit's hosted API keep the tokens instead of our own vault.
    """
    console = console or Console()
    sandbox = Sandbox(week_of=MONDAY)
    async with AsyncExitStack() as stack:
        base_url = await stack.enter_async_context(sandbox.serve())
        folder = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="scalekit-mcp-demo-", ignore_cleanup_errors=True)
        )
        log = stack.enter_context((Path(folder) / "server.log").open("w+", encoding="utf-8"))
        server = StdioServerParameters(
            command=sys.executable,
            args=["-m", "scalekit_mcp", "serve", "--identifier", IDENTIFIER, "--toolsets", "all"],
            env={
                **os.environ,
                **(sandbox.scalekit_environment() if hosted else sandbox.environment(base_url)),
                "SCALEKIT_MCP_MODE": "hosted" if hosted else "embedded",
                "SCALEKIT_MCP_HOSTED_CALLS": "proxy",  # Scalekit's tools have nothing for the second act
                "SCALEKIT_MCP_DATABASE_URL": f"sqlite+aiosqlite:///{(Path(folder) / 'vault.sqlite3').as_posix()}",
                "SCALEKIT_MCP_VAULT_KEYS": f"demo:{b64encode(secrets.token_bytes(32)).decode()}",
            },
        )
        console.print(
            Panel(
                f"A real MCP client talks to a real server process ([cyan]{' '.join(server.args[1:])}[/]) over stdio.\n"
                + _stand_in(base_url, hosted=hosted),
                title="scalekit-mcp: the guided tour",
            )
        )
        client = await stack.enter_async_context(Client(stdio_client(server, errlog=log), read_timeout_seconds=60))
        tour = Tour(console, sandbox, client, hosted=hosted, interactive=interactive)
        status = await tour.run()
        if status:
            log.seek(0)
            console.print(Panel(log.read()[-4000:] or "(empty)", title="What the server logged", style="red"))
    return status
