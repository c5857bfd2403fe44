"""Both implementations of the seam over the same sandbox, with our pages and a person's browser."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Any

import httpx2 as httpx
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from scalekit_mcp.actions import Actions, open_actions
from scalekit_mcp.actions.hosted.actions import HostedActions, ScalekitEnvironment
from scalekit_mcp.actions.options import CallOptions
from scalekit_mcp.clock import SystemClock
from scalekit_mcp.demo.browser import Browser, Page, consent
from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.sandbox.scalekit.app import (
    SCALEKIT_CLIENT_ID,
    SCALEKIT_CLIENT_SECRET,
    SCALEKIT_PREFIX,
    ScalekitLookAlike,
)
from scalekit_mcp.sandbox.serving import serving
from scalekit_mcp.sandbox.world import RecordedRequest
from scalekit_mcp.server.rest.app import Rest, RestOptions
from scalekit_mcp.server.web.app import Web, WebOptions
from scalekit_mcp.settings import HostedCalls
from tests.support.clock import SandboxTime
from tests.support.confirmation_codes import code_on
from tests.support.dropping import DroppingTransport
from tests.support.settings import sandbox_settings

LIST = "outlook_list_calendar_events"
GET = "outlook_get_calendar_event"
CREATE = "outlook_create_calendar_event"
UPDATE = "outlook_update_calendar_event"
DELETE = "outlook_delete_calendar_event"
EVENT: dict[str, Any] = {
    "subject": "Review",
    "start_datetime": "2026-04-08T10:00:00",
    "start_timezone": "UTC",
    "end_datetime": "2026-04-08T11:00:00",
    "end_timezone": "UTC",
}
"""The least that an event needs, on a Wednesday of the sandbox's week."""

PAGES = "http://localhost:8754"
DANA = "dana@company.com"
ALICE = "alice@company.com"
IDENTIFIER = "user_outlook_789"
MONDAY = date(2026, 4, 6)


async def link_base() -> str:
    return PAGES


@dataclass
class Bench:
    """One implementation, the sandbox behind it, and a browser."""

    name: str
    actions: Actions
    sandbox: Sandbox
    scalekit: ScalekitLookAlike | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @asynccontextmanager
    async def browser(self) -> AsyncIterator[Browser]:
        web = Web(lambda: self.actions, clock=SystemClock(), options=WebOptions(origins=lambda: {PAGES}))
        pages = httpx.ASGITransport(app=Starlette(routes=web.routes()))
        async with httpx.AsyncClient(mounts={PAGES: pages}, timeout=20) as http:
            yield Browser(http)

    async def link(self, identifier: str = IDENTIFIER, **options: Any) -> str:
        return (await self.actions.get_authorization_link(identifier=identifier, **options)).link

    async def at_microsoft(self, browser: Browser, link: str) -> Page:
        """Open the link as a person would and go on to Microsoft, where an account is chosen."""
        return await browser.press(await browser.open(link), "Continue")

    async def agree(self, browser: Browser, link: str, address: str = DANA) -> Page:
        """Open the link as a person would, sign in and accept; the page it ends on."""
        return await consent(browser, link, address)

    async def consent(self, identifier: str = IDENTIFIER, address: str = DANA, **options: Any) -> Page:
        """Make a link, open it as a person would and accept; the page it ends on."""
        link = await self.link(identifier, **options)
        async with self.browser() as browser:
            return await self.agree(browser, link, address)

    async def connect(self, identifier: str = IDENTIFIER, address: str = DANA) -> None:
        """Make the account ACTIVE, whatever the verification."""
        page = await self.consent(identifier, address)
        assert page.status == 200, page.text
        account = (await self.actions.get_connected_account(identifier=identifier)).connected_account
        if account.held:
            await self.actions.confirm_authorization(identifier=identifier, confirmation_code=code_on(page))

    async def status(self, identifier: str = IDENTIFIER) -> tuple[str, str | None]:
        account = (await self.actions.get_connected_account(identifier=identifier)).connected_account
        return account.status, account.reason

    async def run(self, tool: str, identifier: str = IDENTIFIER, /, **tool_input: Any) -> dict[str, Any]:
        return await self.actions.execute_tool(identifier=identifier, tool_name=tool, tool_input=tool_input)


OpenBench = Callable[..., AbstractAsyncContextManager[Bench]]


@asynccontextmanager
async def embedded_bench(*, user_verification: str = "off") -> AsyncIterator[Bench]:
    sandbox = Sandbox(week_of=MONDAY)
    async with sandbox.serve() as base_url:
        settings = sandbox_settings(sandbox, base_url, public_url=PAGES)
        async with open_actions(settings, link_base=link_base, user_verification=user_verification) as actions:
            yield Bench("embedded", actions, sandbox)


@asynccontextmanager
async def hosted_bench(
    *, user_verification: str = "off", calls: HostedCalls = "proxy", **options: Any
) -> AsyncIterator[Bench]:
    sandbox = Sandbox(week_of=MONDAY)
    scalekit = ScalekitLookAlike(sandbox.world, sandbox.app)
    async with serving(side_by_side(sandbox.app, scalekit.app), port=0, host="127.0.0.1") as base_url:
        sandbox.base_url = base_url
        values = scalekit.environment()
        actions = HostedActions(
            ScalekitEnvironment(
                values["SCALEKIT_ENV_URL"], values["SCALEKIT_CLIENT_ID"], values["SCALEKIT_CLIENT_SECRET"]
            ),
            CallOptions(
                clock=options.pop("clock", SystemClock()),
                link_base=link_base,
                user_verification=user_verification,
                **options,
            ),
            calls=calls,
        )
        try:
            yield Bench("hosted", actions, sandbox, scalekit)
        finally:
            await actions.aclose()


@dataclass
class HostedBench(Bench):
    """The hosted implementation without a socket, on the sandbox's own clock."""

    clock: Any = None

    @asynccontextmanager
    async def browser(self) -> AsyncIterator[Browser]:
        web = Web(lambda: self.actions, clock=self.clock, options=WebOptions(origins=lambda: {PAGES}))
        pages = httpx.ASGITransport(app=Starlette(routes=web.routes()))
        assert self.scalekit is not None
        rest = httpx.ASGITransport(app=side_by_side(self.sandbox.app, self.scalekit.app))
        async with httpx.AsyncClient(transport=rest, mounts={PAGES: pages}, timeout=20) as http:
            yield Browser(http)

    @property
    def look_alike(self) -> ScalekitLookAlike:
        assert self.scalekit is not None
        return self.scalekit

    def received(self, path: str) -> list[RecordedRequest]:
        """What the hosted API received under paths that end with `path`, oldest first."""
        return [r for r in self.sandbox.requests if r.area == "scalekit" and r.path.endswith(path)]

    def tools(self) -> list[tuple[str, dict[str, Any]]]:
        """The hosted tools that were called, with their parameters."""
        return [(r.body["tool_name"], r.body.get("params", {})) for r in self.received("/execute_tool")]


@asynccontextmanager
async def fast_bench(
    *, user_verification: str = "off", calls: HostedCalls = "tools", **options: Any
) -> AsyncIterator[HostedBench]:
    open_vault = options.pop("open_vault", None)
    client_id = options.pop("client_id", SCALEKIT_CLIENT_ID)
    client_secret = options.pop("client_secret", SCALEKIT_CLIENT_SECRET)
    sandbox = Sandbox(week_of=MONDAY)
    sandbox.base_url = "http://localhost:9400"
    scalekit = ScalekitLookAlike(sandbox.world, sandbox.app)
    clock = SandboxTime(sandbox)
    async with httpx.AsyncClient(transport=DroppingTransport(scalekit.app), timeout=20) as http:
        actions = HostedActions(
            ScalekitEnvironment(
                scalekit.base_url,
                client_id,
                client_secret,
            ),
            CallOptions(clock=clock, link_base=link_base, user_verification=user_verification, **options),
            http=http,
            open_vault=open_vault,
            calls=calls,
        )
        try:
            yield HostedBench("hosted", actions, sandbox, scalekit, clock=clock)
        finally:
            await actions.aclose()


def side_by_side(microsoft: ASGIApp, scalekit: ASGIApp) -> ASGIApp:
    """Both look-alikes on one port."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        path = str(scope.get("path", ""))
        await (scalekit if path.startswith(SCALEKIT_PREFIX + "/") else microsoft)(scope, receive, send)

    return app


INNER_PAGES = "http://localhost:8801"
SERVICE_KEY = "service-key-of-the-tests"


@dataclass
class OwnRestBench(Bench):
    """The hosted client in front of our own `/api/v1`, behind which the embedded implementation works."""

    inner: Actions | None = None
    http: httpx.AsyncClient | None = None

    async def execute(self, tool_name: str, params: dict[str, Any], identifier: str = IDENTIFIER) -> httpx.Response:
        """Call a tool as any client of Scalekit would, without ours."""
        assert self.http is not None
        body = {"tool_name": tool_name, "identifier": identifier, "params": params}
        headers = {"Authorization": f"Bearer {SERVICE_KEY}"}
        return await self.http.post(f"{INNER_PAGES}/api/v1/execute_tool", json=body, headers=headers)

    @asynccontextmanager
    async def browser(self) -> AsyncIterator[Browser]:
        assert self.inner is not None
        inner = self.inner
        mounts: dict[str, httpx.AsyncBaseTransport | None] = {}
        for base, actions in ((PAGES, self.actions), (INNER_PAGES, inner)):
            options = WebOptions(origins=lambda base=base: {base})
            web = Web(lambda actions=actions: actions, clock=SystemClock(), options=options)
            mounts[base] = httpx.ASGITransport(app=Starlette(routes=web.routes()))
        async with httpx.AsyncClient(mounts=mounts, timeout=20) as http:
            yield Browser(http)

    async def at_microsoft(self, browser: Browser, link: str) -> Page:
        return await browser.press(await super().at_microsoft(browser, link), "Continue")

    async def agree(self, browser: Browser, link: str, address: str = DANA) -> Page:
        page = await self.at_microsoft(browser, link)
        if any(address in text for form in page.forms for text in form.buttons):
            page = await browser.press(page, address)
        if any("accept" in text.lower() for form in page.forms for text in form.buttons):
            page = await browser.press(page, "Accept")
        return page


@asynccontextmanager
async def own_rest_bench(*, user_verification: str = "off") -> AsyncIterator[OwnRestBench]:
    """Our own REST routes speak Scalekit's wire; the client's secret is the service key."""

    async def inner_base() -> str:
        return INNER_PAGES

    sandbox = Sandbox(week_of=MONDAY)
    async with sandbox.serve() as base_url:
        settings = sandbox_settings(
            sandbox, base_url, public_url=INNER_PAGES, user_verify_url=f"{PAGES}/oauth/callback"
        )
        async with open_actions(settings, link_base=inner_base, user_verification="url") as inner:
            rest = Rest(inner, RestOptions(service_key=SERVICE_KEY, public_url=INNER_PAGES))
            routes = [*rest.root_routes(), Mount("/api/v1", app=rest.application())]
            transport = httpx.ASGITransport(app=Starlette(routes=routes))
            async with httpx.AsyncClient(transport=transport, timeout=20) as http:
                environment = ScalekitEnvironment(INNER_PAGES, "skc_own", SERVICE_KEY)
                actions = HostedActions(
                    environment,
                    CallOptions(clock=SystemClock(), link_base=link_base, user_verification=user_verification),
                    http=http,
                    calls="tools",
                )
                try:
                    yield OwnRestBench("own_rest", actions, sandbox, inner=inner, http=http)
                finally:
                    await actions.aclose()


BENCHES: dict[str, OpenBench] = {
    "embedded": embedded_bench,
    "hosted": hosted_bench,
    "hosted_tools": partial(hosted_bench, calls="tools"),
    "own_rest": own_rest_bench,
}
