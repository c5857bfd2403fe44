"""The embedded calls on the sandbox, its clock, and our own pages in browsers without a socket."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2 as httpx
from starlette.applications import Starlette

from scalekit_mcp.accounts.model.records import AccountKey
from scalekit_mcp.accounts.provider import Grant
from scalekit_mcp.accounts.services import AccountServices
from scalekit_mcp.actions import open_actions
from scalekit_mcp.actions.embedded.actions import EmbeddedActions
from scalekit_mcp.actions.models import ConnectedAccountView
from scalekit_mcp.demo.browser import Browser, Page, consent, read_page
from scalekit_mcp.errors import ScalekitMCPError
from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.sandbox.browser import Browser as SandboxBrowser
from scalekit_mcp.sandbox.world import RecordedRequest
from scalekit_mcp.server.web.app import Web, WebOptions
from tests.support.clock import SandboxTime
from tests.support.settings import sandbox_settings

PAGES = "http://localhost:8754"
DANA = "dana@company.com"
ALICE = "alice@company.com"
PAT = "pat@outlook.example"
FIONA = "fiona@fabrikam.example"
LIST = "outlook_list_calendar_events"


@dataclass
class Seam:
    """The calls, the Microsoft behind them, and whoever opens a browser."""

    actions: EmbeddedActions
    sandbox: Sandbox
    clock: SandboxTime

    async def services(self) -> AccountServices:
        return (await self.actions.services()).connected

    @asynccontextmanager
    async def browser(self) -> AsyncGenerator[Browser]:
        """A browser profile with cookies of its own; our pages are in process."""
        web = Web(lambda: self.actions, clock=self.clock, options=WebOptions(origins=lambda: {PAGES}))
        pages = httpx.ASGITransport(app=Starlette(routes=web.routes()))
        async with httpx.AsyncClient(mounts={PAGES: pages}, timeout=20) as http:
            yield Browser(http)

    async def link(self, identifier: str, **options: Any) -> str:
        return (await self.actions.get_authorization_link(identifier=identifier, **options)).link

    async def consent(self, identifier: str, address: str = DANA, *, link: str | None = None, **options: Any) -> Page:
        """Open the link in a new browser, sign in and accept; the page it ends on."""
        link = link or await self.link(identifier, **options)
        async with self.browser() as browser:
            page = await consent(browser, link, address)
        assert page.status == 200, page.text
        account = await self.account(identifier)
        assert account.status == "ACTIVE" or account.held, page.text
        return page

    async def account(self, identifier: str) -> ConnectedAccountView:
        return (await self.actions.get_connected_account(identifier=identifier)).connected_account

    async def call(self, identifier: str, tool: str = LIST, **arguments: Any) -> dict[str, Any]:
        arguments = arguments or {"top": 1}
        return await self.actions.execute_tool(identifier=identifier, tool_name=tool, tool_input=arguments)

    async def refused(self, identifier: str, tool: str = LIST, **arguments: Any) -> dict[str, Any]:
        """The error object of a call that is refused."""
        try:
            answer = await self.call(identifier, tool, **arguments)
        except ScalekitMCPError as error:
            return error.to_dict()
        raise AssertionError(f"The call was not refused: {answer}")

    async def grant_of(self, identifier: str) -> Grant:
        """The tokens that an account has, as a provider would give them; the access token has run out."""
        services = await self.services()
        stored = await services.vault.find_account(AccountKey("outlook", identifier))
        assert stored is not None
        assert stored.tokens is not None
        assert stored.account.provider_account is not None
        tokens = stored.tokens.__class__(
            stored.tokens.access_token,
            stored.tokens.refresh_token,
            self.clock.now() - timedelta(minutes=1),
            stored.tokens.granted_scopes,
        )
        return Grant(tokens, stored.account.provider_account)

    def token_requests(self, grant_type: str = "refresh_token") -> list[RecordedRequest]:
        """The token requests that Microsoft received, oldest first."""
        return [
            request
            for request in self.sandbox.requests
            if request.path.endswith("/token") and dict(request.body or {}).get("grant_type") == grant_type
        ]

    def forget(self) -> None:
        """Begin the record of requests anew."""
        self.sandbox.world.requests.clear()


async def pressed_continue(browser: Browser, link: str) -> str:
    """Open a link, press Continue, and stay there: the address at Microsoft that the page goes on to."""
    form = (await browser.open(link)).forms[0]
    http = browser._http  # pyright: ignore[reportPrivateUsage] - a browser that stops half way has no public call
    leaving = await http.post(form.action, data={**form.fields, "action": "continue"})
    to_microsoft = read_page(str(leaving.url), leaving.status_code, leaving.text).refresh
    assert to_microsoft is not None, leaving.text
    return to_microsoft


async def signed_in(seam: Seam, to_microsoft: str, address: str) -> str:
    """Sign in and accept in some browser at Microsoft; the way back that it was sent to, not yet opened."""
    async with SandboxBrowser.of(
        seam.sandbox.app, base_url=seam.sandbox.base_url, stop_at=(f"{PAGES}/oauth/callback",)
    ) as elsewhere:
        return await elsewhere.sign_in(to_microsoft, address)


def state_in(url: str) -> str:
    """The `state` of a consent page's address."""
    return parse_qs(urlsplit(url).query)["state"][0]


@asynccontextmanager
async def open_seam(*, user_verification: str = "off", **settings: Any) -> AsyncGenerator[Seam]:
    """A vault in memory and the sandbox on a socket; time stands until it is moved."""
    sandbox = Sandbox()
    async with sandbox.serve() as base_url:
        sandbox.freeze_clock()
        clock = SandboxTime(sandbox)
        loaded = sandbox_settings(sandbox, base_url, public_url=PAGES, **settings)

        async def link_base() -> str:
            return PAGES

        async with open_actions(
            loaded, clock=clock, link_base=link_base, user_verification=user_verification
        ) as actions:
            assert isinstance(actions, EmbeddedActions)
            yield Seam(actions, sandbox, clock)
