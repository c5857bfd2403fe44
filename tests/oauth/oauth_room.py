"""A whole authorization server in one process on a real vault; Microsoft's part is played by a few lines."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, parse_qsl, quote, urlencode, urlsplit

import httpx2 as httpx
from starlette.applications import Starlette
from starlette.routing import Route

from scalekit_mcp.accounts.model.approval_request import ApprovalRequest
from scalekit_mcp.accounts.model.grants import SignIn, SignInRequest
from scalekit_mcp.accounts.provider_sign_ins import NotSignedIn, SignedIn, SignInProvider
from scalekit_mcp.accounts.vault.sealing.key_ring import KeyRing
from scalekit_mcp.actions.models import AuthorizationOutcome, OutcomeKind
from scalekit_mcp.languages import verbatim
from scalekit_mcp.server.oauth.access_tokens import AccessTokens
from scalekit_mcp.server.oauth.authorize import AuthorizationEndpoint
from scalekit_mcp.server.oauth.browser import Browser, BrowserOptions
from scalekit_mcp.server.oauth.clients import OAuthClient, Registrations, registration_route
from scalekit_mcp.server.oauth.documents import DocumentError
from scalekit_mcp.server.oauth.metadata import OAuthMetadata
from scalekit_mcp.server.oauth.requests import RequestChecks, code_url
from scalekit_mcp.server.oauth.returning import ReturnEndpoint
from scalekit_mcp.server.oauth.token import TokenEndpoint
from scalekit_mcp.server.web.pages import Pages
from scalekit_mcp.telemetry import Metrics
from tests.accounts.grants_support import KEY, GrantRoom, open_grants
from tests.oauth.oauth_support import CLAUDE, RING, body
from tests.support.clock import HandClock

ISSUER = "https://mcp.example"
COOKIE = "__Host-scalekit_signin"
VERIFIER = "a-verifier-of-the-host-with-enough-characters-in-it"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
SCOPES = ("openid", "profile", "offline_access", "User.Read", "Calendars.ReadWrite")


class Microsoft:
    """Begins real sign-ins and remembers them; the address of its page holds the `state`."""

    def __init__(self, room: GrantRoom) -> None:
        self.room = room
        self.begun: list[SignIn] = []
        self.redeemed: list[str] = []
        self.outcome = AuthorizationOutcome(
            kind=OutcomeKind.DECLINED,
            title=verbatim("Microsoft did not give access"),
            message=verbatim("Nothing was changed."),
            next_step=verbatim("Try again, or go back to the app."),
            approval=ApprovalRequest("https://login.example/adminconsent", "<client>", ("Calendars.ReadWrite",)),
        )

    async def provider(self) -> SignInProvider:
        approval = ApprovalRequest("https://login.example/adminconsent?client_id=1", "<client>", ("User.Read",))
        return SignInProvider("Microsoft", SCOPES, approval)

    async def start(self, request: SignInRequest, *, browser_secret: str) -> str:
        return self._left(await self.room.sign_ins.begin(request, browser_secret=browser_secret))

    async def complete(self, query: Mapping[str, str], *, browser_secret: str | None) -> SignedIn | NotSignedIn:
        sign_in = await self.room.sign_ins.take(query.get("state", ""), browser_secret=browser_secret)
        self.redeemed.append(query.get("code", ""))
        if "error" in query:
            outcome = self.outcome
            return NotSignedIn(await self.room.sign_ins.fail(sign_in), outcome, query["error"])
        return SignedIn(sign_in.request, await self.room.sign_ins.issue_code(sign_in, KEY))

    async def failed(self, sign_in_id: str, *, browser_secret: str) -> SignIn:
        return await self.room.sign_ins.failed(sign_in_id, browser_secret=browser_secret)

    async def try_again(self, sign_in_id: str, *, browser_secret: str) -> str:
        return self._left(await self.room.sign_ins.try_again(sign_in_id, browser_secret=browser_secret))

    def _left(self, sign_in: SignIn) -> str:
        self.begun.append(sign_in)
        return f"https://login.example/authorize?state={quote(sign_in.secrets.state or '')}"


class KnownDocuments:
    """Documents that were fetched before; every other one is refused."""

    def __init__(self) -> None:
        self.clients: dict[str, OAuthClient] = {}
        self.asked: list[str] = []

    async def find(self, client_id: str) -> OAuthClient:
        self.asked.append(client_id)
        if client_id not in self.clients:
            raise DocumentError("Its document is not JSON.")
        return self.clients[client_id]


@dataclass
class OAuthRoom:
    """One replica. `browser` keeps cookies, `host` is an app that calls without any."""

    grants: GrantRoom
    microsoft: Microsoft
    documents: KnownDocuments
    registrations: Registrations
    tokens: AccessTokens
    metrics: Metrics
    app: Starlette
    browser: httpx.AsyncClient
    host: httpx.AsyncClient
    client_id: str = ""
    client: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def clock(self) -> HandClock:
        return self.grants.clock

    def register(self, **members: Any) -> dict[str, Any]:
        """Register an app, which from now on asks."""
        self.client = self.registrations.register(body(**members))
        self.client_id = self.client["client_id"]
        return self.client

    def query(self, **changes: str | None) -> dict[str, str]:
        """An authorization request as a host makes it; what is None is left out."""
        asked: dict[str, str | None] = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": CLAUDE,
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            "state": "the host's state",
            "scope": "calendar.read calendar.write",
            "resource": f"{ISSUER}/mcp",
            **changes,
        }
        return {name: value for name, value in asked.items() if value is not None}

    async def show(self, **changes: str | None) -> httpx.Response:
        return await self.browser.get("/authorize", params=self.query(**changes))

    async def press(self, page: httpx.Response, *, headers: dict[str, str] | None = None) -> httpx.Response:
        """Press Continue on a page."""
        return await self.browser.post("/authorize", data=form_of(page), headers={"origin": ISSUER, **(headers or {})})

    async def code(self, **changes: str | None) -> str:
        """A code, at the end of the whole road through the browser."""
        answer = await self.press(await self.show(**changes))
        assert answer.status_code == 200, answer.text
        state = state_of(answer)
        secret = self.browser.cookies.get(COOKIE)
        sign_in = await self.grants.sign_ins.take(state, browser_secret=secret)
        code = await self.grants.sign_ins.issue_code(sign_in, KEY)
        back = dict(parse_qsl(urlsplit(code_url(ISSUER, sign_in.request, code)).query))
        assert back["code"] == code
        assert back["iss"] == ISSUER
        return code

    async def post(self, path: str, basic: tuple[str, str] | None = None, /, **fields: str | None) -> httpx.Response:
        """A form of the host; what is None is left out."""
        kept = {name: value for name, value in fields.items() if value is not None}
        return await self.host.post(path, data=kept, auth=basic or httpx.USE_CLIENT_DEFAULT)

    async def redeem(self, brought: str, /, **changes: str | None) -> httpx.Response:
        asked: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": brought,
            "client_id": self.client_id,
            "redirect_uri": CLAUDE,
            "code_verifier": VERIFIER,
            **changes,
        }
        return await self.post("/token", **asked)

    async def refresh(self, brought: str, /, **changes: str | None) -> httpx.Response:
        asked = {"grant_type": "refresh_token", "refresh_token": brought, "client_id": self.client_id, **changes}
        return await self.post("/token", **asked)

    async def pair(self, **changes: str | None) -> dict[str, Any]:
        """The tokens of a new sign-in."""
        answer = await self.redeem(await self.code(**changes))
        assert answer.status_code == 200, answer.text
        return answer.json()


def form_of(page: httpx.Response) -> dict[str, str]:
    """The hidden fields of a page's form."""
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text)
    return {name: html.unescape(value) for name, value in found}


def state_of(leaving: httpx.Response) -> str:
    """The provider's `state` in the page that leads there."""
    found = re.search(r'href="(https://login\.example/[^"]*)"', leaving.text)
    assert found is not None, leaving.text
    return parse_qs(urlsplit(html.unescape(found[1])).query)["state"][0]


def error_of(answer: httpx.Response) -> dict[str, str]:
    """What a redirect tells an app."""
    assert answer.status_code == 302, answer.text
    location = answer.headers["location"]
    assert location.startswith(f"{CLAUDE}?")
    return dict(parse_qsl(urlsplit(location).query, errors="surrogateescape"))


def encoded(parameters: dict[str, str]) -> str:
    return urlencode(parameters)


@asynccontextmanager
async def open_oauth(
    database_url: str = "sqlite+aiosqlite:///:memory:",
    *,
    ring: KeyRing = RING,
    clock: HandClock | None = None,
    read_only: bool = False,
) -> AsyncIterator[OAuthRoom]:
    """The authorization server of one process."""
    async with open_grants(database_url, clock=clock) as grants:
        registrations, documents = Registrations(ring, grants.clock), KnownDocuments()
        keys = {key_id: key for key_id in ring.key_ids if (key := ring.key(key_id)) is not None}
        tokens = AccessTokens(keys, issuer=ISSUER, clock=grants.clock, grants=grants.grants)
        microsoft, metrics = Microsoft(grants), Metrics()
        options = BrowserOptions(issuer=ISSUER, origins=lambda: [ISSUER], secure=True, ring=ring)
        browsers = Browser(Pages(), options, metrics)
        checks = RequestChecks(registrations, documents, issuer=ISSUER, read_only=read_only)
        authorize = AuthorizationEndpoint(checks, microsoft, browsers, grants.clock)
        endpoint = TokenEndpoint(grants.sign_ins, grants.grants, tokens, registrations, issuer=ISSUER, metrics=metrics)
        routes = [*OAuthMetadata(ISSUER).routes(), registration_route(registrations), *authorize.routes()]
        returning = ReturnEndpoint(microsoft, browsers, grants.clock)
        routes += [*endpoint.routes(), *returning.routes(), Route("/oauth/callback", returning.callback)]
        app = Starlette(routes=routes)
        transport = httpx.ASGITransport(app=app)
        async with (
            httpx.AsyncClient(transport=transport, base_url=ISSUER) as browser,
            httpx.AsyncClient(transport=transport, base_url=ISSUER) as host,
        ):
            room = OAuthRoom(grants, microsoft, documents, registrations, tokens, metrics, app, browser, host)
            room.register()
            yield room
