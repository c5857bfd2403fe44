"""A person of the sandbox, signed in for real, and the calendar room on top of their mailbox."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2 as httpx

from scalekit_mcp.accounts.model.records import ProviderAccount
from scalekit_mcp.calendar.listing.page_tokens import Pages
from scalekit_mcp.calendar.outlook_calendar import OutlookCalendar
from scalekit_mcp.calendar.scheduling.people_search import MetPeopleCache, Searcher
from scalekit_mcp.calendar.scheduling.scheduling import Scheduling
from scalekit_mcp.microsoft.graph.client import GraphClient, GraphSession
from scalekit_mcp.microsoft.graph.endpoint import DirectGraph
from scalekit_mcp.microsoft.graph.mailbox import GraphMailbox
from scalekit_mcp.sandbox import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, Sandbox
from scalekit_mcp.sandbox.browser import Browser
from scalekit_mcp.sandbox.world import RecordedRequest
from scalekit_mcp.tools.calendar.arguments import (
    CreateCalendarEvent,
    DeleteCalendarEvent,
    GetCalendarEvent,
    ListCalendarEvents,
    UpdateCalendarEvent,
)
from scalekit_mcp.tools.catalogue import parse_arguments
from scalekit_mcp.upstream import UpstreamClient
from tests.support.call_ways import BASE_URL, GRAPH_URL, FixedToken, ToolsCalendar, current_way, session_of
from tests.support.clock import HandClock
from tests.support.sealing import Sealer

CALLBACK = "http://localhost:8754/oauth/callback"
SCOPE = "openid profile offline_access User.Read Calendars.ReadWrite"
CODE_VERIFIER = "v" * 64


async def signed_in_token(sandbox: Sandbox, address: str) -> str:
    """An access token that the sandbox's identity half gave for a consent of this person."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(CODE_VERIFIER.encode()).digest()).rstrip(b"=").decode()
    query = {
        "client_id": DEFAULT_CLIENT_ID,
        "response_type": "code",
        "redirect_uri": CALLBACK,
        "scope": SCOPE,
        "state": "s",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    async with Browser.of(sandbox.app, stop_at=("http://localhost:8754/",)) as browser:
        back = await browser.sign_in(f"{BASE_URL}/common/oauth2/v2.0/authorize?{urlencode(query)}", address)
    form = {
        "grant_type": "authorization_code",
        "client_id": DEFAULT_CLIENT_ID,
        "client_secret": DEFAULT_CLIENT_SECRET,
        "code": parse_qs(urlsplit(back).query)["code"][0],
        "redirect_uri": CALLBACK,
        "code_verifier": CODE_VERIFIER,
    }
    async with sandbox_http(sandbox) as http:
        answer = await http.post("/common/oauth2/v2.0/token", data=form)
    token: str = answer.json()["access_token"]
    return token


def sandbox_http(sandbox: Sandbox) -> httpx.AsyncClient:
    """An HTTP client that reaches the sandbox in process; a dropped connection is a transport error."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=sandbox.app), base_url=BASE_URL)


@dataclass
class SignedIn:
    """One person's calendar: the tools on wire arguments, and a look at what Microsoft received."""

    sandbox: Sandbox
    address: str
    account: ProviderAccount
    session: GraphSession
    clock: HandClock
    calendar: OutlookCalendar
    scheduling: Scheduling
    http: httpx.AsyncClient
    token: str

    async def create(self, **arguments: Any) -> dict[str, Any]:
        return await self.calendar.create(CreateCalendarEvent.parse(arguments))

    async def get(self, event_id: str, **arguments: Any) -> dict[str, Any]:
        return await self.calendar.get(GetCalendarEvent.parse({"event_id": event_id, **arguments}))

    async def list(self, **arguments: Any) -> dict[str, Any]:
        return await self.calendar.list(ListCalendarEvents.parse(arguments))

    async def update(self, event_id: str, **arguments: Any) -> dict[str, Any]:
        return await self.calendar.update(UpdateCalendarEvent.parse({"event_id": event_id, **arguments}))

    async def delete(self, event_id: str, **arguments: Any) -> dict[str, Any]:
        return await self.calendar.delete(DeleteCalendarEvent.parse({"event_id": event_id, **arguments}))

    async def schedule(self, tool_name: str, **arguments: Any) -> dict[str, Any]:
        """One of the scheduling tools."""
        return (await self.scheduling.run(parse_arguments(tool_name, arguments))).result

    async def graph(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None, **params: str
    ) -> dict[str, Any]:
        """A bare call to the sandbox's Graph, as somebody else's application would make it."""
        answer = await self.http.request(
            method,
            f"/v1.0{path}",
            json=body,
            params=params or None,
            headers={"Authorization": f"Bearer {self.token}", "Prefer": 'IdType="ImmutableId"', **(headers or {})},
        )
        answer.raise_for_status()
        return answer.json() if answer.content else {}

    def received(self, method: str | None = None) -> list[RecordedRequest]:
        """The Graph requests of this person, oldest first."""
        return [
            request
            for request in self.sandbox.requests
            if request.area == "graph" and (method is None or request.method == method)
        ]


@asynccontextmanager
async def signed_in(
    sandbox: Sandbox,
    address: str = "dana@company.com",
    *,
    timezone: str = "UTC",
    empty: bool = True,
    directory: bool = False,
    between: Callable[[httpx.AsyncBaseTransport], httpx.AsyncBaseTransport] | None = None,
) -> AsyncGenerator[SignedIn]:
    """This person's calendar, without the week that the sandbox comes with; retries move a clock by hand.

    `between` puts a transport between the product and the sandbox; `directory` says that People.Read was granted.
    """
    token = await signed_in_token(sandbox, address)
    person = sandbox.people[address.lower()]
    account = ProviderAccount(
        tid=person.tenant_id,
        oid=person.oid,
        preferred_username=address,
        mail=address,
        personal=sandbox.world.tenants[person.tenant_id].personal,
    )
    clock = HandClock()
    transport: httpx.AsyncBaseTransport = httpx.ASGITransport(app=sandbox.app)
    if between is not None:
        transport = between(transport)
    async with UpstreamClient(transport=transport, base_url=BASE_URL) as http:
        session = session_of(sandbox, address, token, http, clock)
        mailbox = GraphMailbox(session, owner_id=None if account.personal else account.oid)
        calendar = OutlookCalendar(
            mailbox,
            personal=account.personal,
            clock=clock,
            timezone=timezone,
            pages=Pages(Sealer(), connection_name="outlook", identifier=address),
        )
        if current_way() == "tools":
            calendar = ToolsCalendar.of(sandbox, address, token, http, clock, timezone)
        searcher = Searcher(address, address, personal=account.personal, may_ask_directory=directory)
        scheduling = Scheduling(mailbox, searcher, MetPeopleCache(), clock, timezone)
        me = SignedIn(sandbox, address, account, session, clock, calendar, scheduling, http, token)
        if empty:
            await me.graph("GET", "/me/calendar")
            sandbox.world.mailboxes[person.oid].events.clear()
            sandbox.world.requests.clear()
        yield me


async def signed_in_session(sandbox: Sandbox, address: str, http: httpx.AsyncClient, clock: HandClock) -> GraphSession:
    """A Graph session of this person over a client that the caller closes."""
    token = await signed_in_token(sandbox, address)
    return GraphSession(
        GraphClient(http, endpoint=DirectGraph(GRAPH_URL), clock=clock), FixedToken(token), f"mailbox of {address}"
    )
