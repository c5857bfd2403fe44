"""The tour itself: every step is carried out, looked at, and counted."""

from __future__ import annotations

import json
import os
import secrets
import sys
import tempfile
import webbrowser
from base64 import b64encode
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import date
from pathlib import Path
from typing import Any, cast

import anyio
import httpx2 as httpx
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.types import CallToolResult
from rich.console import Console
from rich.panel import Panel
from rich.syntax import Syntax

from scalekit_mcp.demo.browser import Browser, consent
from scalekit_mcp.demo.picture import week_picture
from scalekit_mcp.network import Network
from scalekit_mcp.sandbox import Sandbox

IDENTIFIER = "user_outlook_789"
PERSON = "dana@company.com"
MONDAY = date(2026, 4, 6)
TOOL_NAMES = (
    "outlook_create_calendar_event",
    "outlook_get_calendar_event",
    "outlook_list_calendar_events",
    "outlook_update_calendar_event",
    "outlook_delete_calendar_event",
    "authorize",
)
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


class StepError(Exception):
    """A step of the tour did not hold."""


def held(condition: object, otherwise: str) -> None:
    """Stop the step unless `condition` is true."""
    if not condition:
        raise StepError(otherwise)


def addresses(event: dict[str, Any], kind: str) -> set[str]:
    """The addresses of one kind of attendee of a Graph event."""
    return {attendee["emailAddress"]["address"].lower() for attendee in event["attendees"] if attendee["type"] == kind}


def join_url(event: dict[str, Any]) -> str:
    """The address of the online meeting, empty if there is none."""
    online: dict[str, Any] = event.get("onlineMeeting") or {}
    return str(online.get("joinUrl") or "")


class Tour:
    """State that the steps share: the client, the sandbox, what was created."""

    def __init__(self, console: Console, sandbox: Sandbox, client: Client, *, hosted: bool, interactive: bool) -> None:
        self.console = console
        self.sandbox = sandbox
        self.client = client
        self.hosted = hosted
        self.interactive = interactive
        self.event_id = ""
        self.link = ""
        self.held_steps = 0
        self.failed_steps = 0

    async def step(self, title: str, action: Callable[[], Awaitable[str]]) -> None:
        """Carry out one step and say how it went."""
        number = self.held_steps + self.failed_steps + 1
        self.console.rule(f"[bold]{number}. {title}", align="left", style="dim")
        try:
            said = await action()
        except (StepError, LookupError, KeyError, TypeError, httpx.HTTPError) as problem:
            self.failed_steps += 1
            self.console.print(f"[bold red]✗[/] {type(problem).__name__}: {problem}")
        else:
            self.held_steps += 1
            self.console.print(f"[bold green]✓[/] {said}")

    async def call(self, tool: str, arguments: dict[str, Any], *, show: bool = True) -> CallToolResult:
        """One tool call through the real client, shown as the agent makes it."""
        if show:
            # An event id is too long to read; its beginning tells it from others.
            short = {"event_id": f"{arguments['event_id'][:8]}…"} if "event_id" in arguments else {}
            text = json.dumps({**arguments, **short}, ensure_ascii=False)
            self.console.print(Syntax(f"{tool}({text})", "json", word_wrap=True, background_color="default"))
        return await self.client.call_tool(tool, arguments)

    async def ok(self, tool: str, arguments: dict[str, Any], *, show: bool = True) -> dict[str, Any]:
        """A call that must succeed; its structured answer."""
        result = await self.call(tool, arguments, show=show)
        held(not result.is_error, text_of(result))
        return cast("dict[str, Any]", result.structured_content or {})

    async def refused(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """A call that must be refused; its error object."""
        result = await self.call(tool, arguments)
        held(result.is_error, "the call was not refused")
        content = cast("dict[str, dict[str, Any]]", result.structured_content or {})
        return content.get("error", {})

    async def list_tools(self) -> str:
        """The six tools, from the server's own answer."""
        names = tuple(tool.name for tool in (await self.client.list_tools()).tools)
        held(names == TOOL_NAMES, f"the server offers {names}")
        return f"The server offers {len(names)} tools: {', '.join(names)}"

    async def first_call(self) -> str:
        """A calendar tool before consent: refused, with a link for the person."""
        error = await self.refused("outlook_list_calendar_events", {"top": 5})
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
            answer = await self.ok("authorize", {}, show=False)
        held(answer["status"] == "ACTIVE", f"the account is {answer['status']}: {answer.get('next_step')}")
        return f"Consent given as {PERSON if not self.interactive else 'the chosen person'}: the account is ACTIVE."

    async def _wait_until_active(self) -> dict[str, Any]:
        with anyio.fail_after(600):
            while True:
                answer = await self.ok("authorize", {}, show=False)
                if answer["status"] == "ACTIVE":
                    return answer
                await anyio.sleep(1)

    async def list_odata(self) -> str:
        """The published list call."""
        answer = await self.ok(
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
        event = await self.ok("outlook_create_calendar_event", KICKOFF)
        self.event_id = event["id"]
        held(addresses(event, "required") == {"alice@company.com", "bob@company.com"}, "other people are required")
        held(addresses(event, "optional") == {"carol@company.com"}, "other people are optional")
        held(join_url(event), "there is no Teams link")
        held(event["reminderMinutesBeforeStart"] == 15, "the reminder is another")
        return f"I've scheduled '{event['subject']}' for you, with a Teams link and three invitations."

    async def update(self) -> str:
        """Four hours later, with one more person; nobody is lost."""
        event = await self.ok(
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
        event = await self.ok("outlook_create_calendar_event", STANDUP)
        held(event["type"] == "seriesMaster", f"it is a {event['type']}")
        return f"'{event['subject']}' repeats every Monday until {event['recurrence']['range']['endDate']}."

    async def window(self) -> str:
        """A window list expands the series."""
        answer = await self.ok(
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
        event = await self.ok("outlook_get_calendar_event", {"event_id": self.event_id, "timezone": "America/New_York"})
        held(event["start"]["dateTime"].startswith("2026-04-01T14:00"), f"it starts at {event['start']}")
        held(join_url(event), "there is no join address")
        held("Please review the Q2 roadmap doc" in event["body"]["content"], "the text of the body is lost")
        answers = ", ".join(f"{a['emailAddress']['address']}: {a['status']['response']}" for a in event["attendees"])
        return f"Responses: {answers}. Join at {join_url(event)[:60]}…"

    async def delete(self) -> str:
        """Deleted once."""
        answer = await self.ok("outlook_delete_calendar_event", {"event_id": self.event_id})
        held(answer["deleted"] and not answer["already_gone"], f"unexpected: {answer}")
        return "Deleted; the invited people get a cancellation."

    async def delete_again(self) -> str:
        """Deleted twice: a success that says so."""
        answer = await self.ok("outlook_delete_calendar_event", {"event_id": self.event_id})
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
        error = await self.refused("outlook_list_calendar_events", {"top": 5})
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
        answer = await self.ok(
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

    async def run(self) -> None:
        """All steps, in order."""
        await self.step("The agent asks what it can do", self.list_tools)
        await self.step("It lists events before anybody gave consent", self.first_call)
        await self.step("The person gives consent, once", self.consent)
        await self.step("It lists events, with OData", self.list_odata)
        await self.step("“Schedule the Q2 kickoff with Alice and Bob, Carol if she can”", self.create)
        await self.step("“Make it 2 pm and add Dave”", self.update)
        await self.step("“A standup every Monday until the end of June”", self.create_series)
        await self.step("It looks at four weeks", self.window)
        await self.step("It reads the kickoff", self.get)
        await self.step("“Cancel the kickoff”", self.delete)
        await self.step("It cancels once more", self.delete_again)
        await self.step("The company's IT takes the grant away", self.revoked)
        await self.step("The person gives consent again", self.consent)
        await self.step("The same call works again", self.works_again)


def text_of(result: CallToolResult) -> str:
    """The text a model would read."""
    return " ".join(block.text for block in result.content if block.type == "text")


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
            args=["-m", "scalekit_mcp", "serve", "--identifier", IDENTIFIER],
            env={
                **os.environ,
                **(sandbox.scalekit_environment() if hosted else sandbox.environment(base_url)),
                "SCALEKIT_MCP_MODE": "hosted" if hosted else "embedded",
                "SCALEKIT_MCP_DATABASE_URL": f"sqlite+aiosqlite:///{(Path(folder) / 'vault.sqlite3').as_posix()}",
                "SCALEKIT_MCP_VAULT_KEYS": f"demo:{b64encode(secrets.token_bytes(32)).decode()}",
            },
        )
        console.print(
            Panel(
                f"A real MCP client talks to a real server process ([cyan]{' '.join(server.args[1:])}[/]) over stdio.\n"
                f"Instead of Microsoft it uses the built-in sandbox at {base_url}: this is not Microsoft.",
                title="scalekit-mcp: the guided tour",
            )
        )
        client = await stack.enter_async_context(Client(stdio_client(server, errlog=log), read_timeout_seconds=60))
        tour = Tour(console, sandbox, client, hosted=hosted, interactive=interactive)
        await tour.run()
        if tour.failed_steps:
            log.seek(0)
            console.print(Panel(log.read()[-4000:] or "(empty)", title="What the server logged", style="red"))
    steps = tour.held_steps + tour.failed_steps
    console.print(f"\n[bold]{tour.held_steps} of {steps} steps held.[/]")
    return 0 if tour.failed_steps == 0 else 1
