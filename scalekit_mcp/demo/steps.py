"""What a tour is made of: steps that are carried out, looked at and counted, and the calls of a real client."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, cast

from mcp import Client
from mcp.types import CallToolResult
from rich.console import Console
from rich.markup import escape
from rich.syntax import Syntax

TOOL_NAMES = (
    "outlook_create_calendar_event",
    "outlook_get_calendar_event",
    "outlook_list_calendar_events",
    "outlook_update_calendar_event",
    "outlook_delete_calendar_event",
    "authorize",
)
SCHEDULING_TOOL_NAMES = (
    "outlook_find_meeting_times",
    "outlook_get_free_busy_schedule",
    "outlook_respond_to_event",
    "outlook_list_calendars",
    "outlook_search_people",
)


class StepError(Exception):
    """A step of the tour did not hold."""


def held(condition: object, otherwise: str) -> None:
    """Stop the step unless `condition` is true."""
    if not condition:
        raise StepError(otherwise)


class Steps:
    """The steps of one tour, in the order in which they are carried out."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._held = 0
        self.failed = 0

    async def step(self, title: str, action: Callable[[], Awaitable[str]]) -> None:
        """Carry out one step and say how it went."""
        number = self._held + self.failed + 1
        self._console.rule(f"[bold]{number}. {title}", align="left", style="dim")
        try:
            said = await action()
        except Exception as problem:  # noqa: BLE001 - whatever it is, the step did not hold, and the tour says so
            self.failed += 1
            for cause in causes(problem):
                self._console.print(f"[bold red]✗[/] {type(cause).__name__}: {escape(str(cause))}")
        else:
            self._held += 1
            self._console.print(f"[bold green]✓[/] {said}")

    def conclude(self) -> int:
        """Say how many steps held; the exit status, which is 0 only if all of them did."""
        self._console.print(f"\n[bold]{self._held} of {self._held + self.failed} steps held.[/]")
        return 0 if self.failed == 0 else 1


class Agent:
    """The calls of an agent through a real client, shown as the agent makes them."""

    def __init__(self, console: Console, client: Client, offered: tuple[str, ...] = TOOL_NAMES) -> None:
        self._console = console
        self._offered = offered
        self.client = client

    async def list_tools(self) -> str:
        """The tools that the server is to offer, from its own answer."""
        names = tuple(tool.name for tool in (await self.client.list_tools()).tools)
        held(names == self._offered, f"the server offers {names}")
        return f"The server offers {len(names)} tools: {', '.join(names)}"

    async def call(self, tool: str, arguments: dict[str, Any], *, show: bool = True) -> CallToolResult:
        """One tool call."""
        if show:
            # An event id is too long to read; its beginning tells it from others.
            short = {"event_id": f"{arguments['event_id'][:8]}…"} if "event_id" in arguments else {}
            text = json.dumps({**arguments, **short}, ensure_ascii=False)
            self._console.print(Syntax(f"{tool}({text})", "json", word_wrap=True, background_color="default"))
        return await self.client.call_tool(tool, arguments)

    async def ok(self, tool: str, arguments: dict[str, Any], *, show: bool = True) -> dict[str, Any]:
        """A call that must succeed; its structured answer."""
        result = await self.call(tool, arguments, show=show)
        held(not result.is_error, text_of(result))
        return cast("dict[str, Any]", result.structured_content or {})

    async def refused(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """A call that must be refused; its error object."""
        return error_of(await self.call(tool, arguments))


def text_of(result: CallToolResult) -> str:
    """The text a model would read."""
    return " ".join(block.text for block in result.content if block.type == "text")


def error_of(result: CallToolResult) -> dict[str, Any]:
    """The error object of an answer that must be a refusal."""
    held(result.is_error, "the call was not refused")
    content = cast("dict[str, dict[str, Any]]", result.structured_content or {})
    return content.get("error", {})


def causes(problem: BaseException) -> list[BaseException]:
    """The single problems of a group that tasks of a library raised together, or the one problem."""
    if not isinstance(problem, BaseExceptionGroup):
        return [problem]
    group = cast("BaseExceptionGroup[BaseException]", problem)
    return [cause for member in group.exceptions for cause in causes(member)]
