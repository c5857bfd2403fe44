"""The embedded actions on the sandbox, for tests of the server: the calls can be seen, held back and made to fail."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import date
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import anyio

from scalekit_mcp.accounts.model.records import NOBODY_EXPECTED, ExpectedPerson
from scalekit_mcp.actions.embedded.actions import EmbeddedActions
from scalekit_mcp.actions.models import (
    AuthorizationLinkResponse,
    AuthorizationOutcome,
    ConnectedAccountView,
    ToolResult,
)
from scalekit_mcp.actions.options import CallOptions
from scalekit_mcp.actions.protocol import LinkBase
from scalekit_mcp.clock import Clock, SystemClock
from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.sandbox.browser import Browser
from scalekit_mcp.settings import Settings
from scalekit_mcp.tools import Arguments
from tests.support.settings import sandbox_settings

BASE = "http://localhost:8754"
DANA = "dana@company.com"
ALICE = "alice@company.com"
MAILBOXES = {"ana": DANA, "bob": ALICE}
"""Who signs in for which identifier, unless a test says otherwise."""
CREATE = "outlook_create_calendar_event"
MEETING = {
    "start_datetime": "2026-04-06T10:00:00",
    "start_timezone": "UTC",
    "end_datetime": "2026-04-06T10:30:00",
    "end_timezone": "UTC",
}


async def _own_pages() -> str:
    return BASE


class WatchedActions(EmbeddedActions):
    """The embedded actions on a sandbox of their own, which starts with the first call that needs it.

    A tool call waits at `gate` while there is one, and raises `failure` if there is one. `entered` and `cancelled`
    count tool calls, `calls` are those that were carried out, `vouched` is what the callers vouched for in links.
    """

    def __init__(self, *, user_verification: str = "off", clock: Clock | None = None, **settings: Any) -> None:
        self.sandbox = Sandbox(week_of=date(2026, 4, 6))
        self.pages: LinkBase = _own_pages
        self.gate: anyio.Event | None = None
        self.failure: Exception | None = None
        self.calls: list[tuple[str, str, dict[str, Any]]] = []
        self.vouched: list[ExpectedPerson] = []
        self.entered = 0
        self.cancelled = 0
        self.checks = 0
        self._sockets = AsyncExitStack()
        self._given = {"public_url": BASE, **settings}
        super().__init__(
            sandbox_settings(self.sandbox, "http://localhost", **self._given),
            CallOptions(
                clock=clock or SystemClock(), link_base=lambda: self.pages(), user_verification=user_verification
            ),
            resolve=self._serve,
        )

    async def _serve(self) -> Settings:
        base_url = await self._sockets.enter_async_context(self.sandbox.serve())
        return sandbox_settings(self.sandbox, base_url, **self._given)

    async def aclose(self) -> None:
        await super().aclose()
        await self._sockets.aclose()

    # What a test watches

    async def check(self) -> None:
        self.checks += 1
        if self.failure is not None:
            raise self.failure
        await super().check()

    async def get_authorization_link(self, **options: Any) -> AuthorizationLinkResponse:
        self.vouched.append(options.get("expected", NOBODY_EXPECTED))
        return await super().get_authorization_link(**options)

    async def complete_authorization(self, query: Mapping[str, str], **options: Any) -> AuthorizationOutcome:
        if self.failure is not None:
            raise self.failure
        return await super().complete_authorization(query, **options)

    async def execute_tool(
        self,
        *,
        identifier: str,
        tool_name: str,
        tool_input: Mapping[str, Any] | Arguments | None = None,
        **options: Any,
    ) -> ToolResult:
        self.entered += 1
        if self.gate is not None:
            try:
                await self.gate.wait()
            except anyio.get_cancelled_exc_class():
                self.cancelled += 1
                raise
        if self.failure is not None:
            raise self.failure
        answer = await super().execute_tool(
            identifier=identifier, tool_name=tool_name, tool_input=tool_input, **options
        )
        given = tool_input.to_wire() if isinstance(tool_input, Arguments) else dict(tool_input or {})
        self.calls.append((identifier, tool_name, given))
        return answer

    # What people do in their browsers

    async def account(self, identifier: str = "ana") -> ConnectedAccountView:
        return (await self.get_connected_account(identifier=identifier)).connected_account

    async def sign_in(self, link: str, address: str = DANA) -> AuthorizationOutcome:
        """Press Continue on the page behind `link`, sign in, accept, and come back."""
        return await self._come_back(await self.at_microsoft(await self._continue(link), address))

    async def turned_away(self, link: str, error: str = "access_denied", code: int = 65004) -> AuthorizationOutcome:
        """Press Continue on the page behind `link`, and come back with a refusal of Microsoft; 65004: Cancel."""
        state = dict(parse_qsl(urlsplit(await self._continue(link)).query))["state"]
        return await self._come_back({"state": state, "error": error, "error_description": f"AADSTS{code}: refused."})

    async def at_microsoft(self, to_microsoft: str, address: str = DANA) -> dict[str, str]:
        """Sign in on the consent page and accept; the query with which the browser is sent back."""
        base = (await self.pages()) + "/"
        async with Browser.of(self.sandbox.app, base_url=self.sandbox.base_url, stop_at=(base,)) as browser:
            return dict(parse_qsl(urlsplit(await browser.sign_in(to_microsoft, address)).query))

    async def _continue(self, link: str) -> str:
        to_microsoft = await self.start_authorization(link.rpartition("/")[2], browser_secret="a browser's")
        assert isinstance(to_microsoft, str), to_microsoft
        return to_microsoft

    async def _come_back(self, query: Mapping[str, str]) -> AuthorizationOutcome:
        return await super().complete_authorization(query, browser_secrets=["a browser's"])

    async def held(self, identifier: str = "ana") -> str:
        """Sign in where a code must be typed afterwards; the code on the page."""
        link = await super().get_authorization_link(identifier=identifier)
        code = (await self.sign_in(link.link, MAILBOXES[identifier])).confirmation_code
        assert code is not None
        return code

    async def connect(self, identifier: str = "ana", *, subject: str | None = None) -> None:
        """Make the account ACTIVE; its calendar has one event then, "of" the identifier."""
        link = await super().get_authorization_link(identifier=identifier)
        outcome = await self.sign_in(link.link, MAILBOXES[identifier])
        if outcome.confirmation_code is not None:
            await self.confirm_authorization(identifier=identifier, confirmation_code=outcome.confirmation_code)
        await self.book(identifier, subject=subject or f"of {identifier}", alone=True)

    async def book(self, identifier: str = "ana", *, alone: bool = False, **arguments: Any) -> str:
        """An event in the calendar of this identifier, whoever put it there; its id. `alone`: no other is left."""
        if alone:
            await super().execute_tool(identifier=identifier, tool_name="outlook_list_calendar_events")
            person = self.sandbox.people[MAILBOXES[identifier]]
            self.sandbox.world.mailboxes[person.oid].events.clear()  # it comes to be with its first request
        event = await super().execute_tool(identifier=identifier, tool_name=CREATE, tool_input={**MEETING, **arguments})
        return event["id"]


@asynccontextmanager
async def watched_actions(**options: Any) -> AsyncGenerator[WatchedActions]:
    """The embedded actions on a sandbox, closed at the end."""
    actions = WatchedActions(**options)
    try:
        yield actions
    finally:
        await actions.aclose()
