"""A services of connected accounts on a real vault, with the sandbox playing the provider."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2 as httpx

from scalekit_mcp.accounts.accounts import Accounts
from scalekit_mcp.accounts.authorization.engine import Authorizations
from scalekit_mcp.accounts.authorization.links import LinkRequest, ListenerAlive
from scalekit_mcp.accounts.authorization.outcomes import AuthorizationOutcome
from scalekit_mcp.accounts.model.records import (
    AccountKey,
    AccountSettings,
    AccountView,
    AuthorizationLink,
    TokenSet,
    UserVerification,
)
from scalekit_mcp.accounts.services import AccountServices
from scalekit_mcp.accounts.tokens.tokens import Tokens
from scalekit_mcp.accounts.vault.sealing.key_ring import KeyRing
from scalekit_mcp.accounts.vault.vault import Vault
from scalekit_mcp.clock import Clock
from scalekit_mcp.microsoft.identity.credentials import ClientSecret
from scalekit_mcp.microsoft.identity.oauth import MicrosoftOAuth
from scalekit_mcp.sandbox import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, Sandbox
from scalekit_mcp.sandbox.browser import Browser
from tests.support.clock import HandClock

MEMORY = "sqlite+aiosqlite:///:memory:"
BASE = "http://localhost:8754"
CALLBACK = f"{BASE}/oauth/callback"
ADMIN_CALLBACK = f"{BASE}/oauth/admin-consent"
SCOPES = ("openid", "profile", "offline_access", "User.Read", "Calendars.ReadWrite")
DANA = "dana@company.com"
ALICE = "alice@company.com"
PAT = "pat@outlook.example"
FIONA = "fiona@fabrikam.example"
OFF = AccountSettings(user_verification=UserVerification.OFF)
COOKIE = "the browser's cookie"


def provider_for(
    http: httpx.AsyncClient,
    clock: Clock,
    *,
    login_url: str = "http://localhost",
    client_id: str = DEFAULT_CLIENT_ID,
    secret: str = DEFAULT_CLIENT_SECRET,
    scopes: tuple[str, ...] = SCOPES,
) -> MicrosoftOAuth:
    return MicrosoftOAuth(
        http,
        client_id=client_id,
        credentials=ClientSecret(secret),
        login_url=login_url,
        tenant="common",
        scopes=scopes,
        graph_url=f"{login_url}/v1.0",
        clock=clock,
    )


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite vault in a file."""
    return f"sqlite+aiosqlite:///{path.as_posix()}"


@dataclass
class Room:
    """One services, its vault and the sandbox behind it; time moves for all of them together."""

    sandbox: Sandbox
    clock: HandClock
    http: httpx.AsyncClient
    vault: Vault
    services: AccountServices
    others: list[AccountServices] = field(default_factory=list)

    @property
    def accounts(self) -> Accounts:
        return self.services.accounts

    @property
    def authorizations(self) -> Authorizations:
        return self.services.authorizations

    @property
    def tokens(self) -> Tokens:
        return self.services.tokens

    def key(self, identifier: str = "ana") -> AccountKey:
        return AccountKey("outlook", identifier)

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.follow()

    def follow(self) -> None:
        """Bring the sandbox to the time that the services' own pauses moved to."""
        self.sandbox.freeze_clock(self.clock.at)

    def other_services(
        self,
        *,
        vault: Vault | None = None,
        clock: Clock | None = None,
        provider: Any = None,
        listener_alive: ListenerAlive | None = None,
        **settings: Any,
    ) -> AccountServices:
        clock = clock or self.clock
        services = AccountServices.on(
            vault or self.vault,
            providers={"outlook": provider or provider_for(self.http, clock)},
            clock=clock,
            settings=replace(OFF, **settings),
            listener_alive=listener_alive,
        )
        self.others.append(services)
        return services

    async def link(
        self, identifier: str = "ana", *, services: AccountServices | None = None, **options: Any
    ) -> AuthorizationLink:
        """Begin an attempt, or meet the one that is live."""
        request = LinkRequest(link_base=BASE, redirect_uri=CALLBACK, admin_redirect_uri=ADMIN_CALLBACK, **options)
        return await (services or self.services).authorizations.begin(self.key(identifier), request)

    async def begin(self, identifier: str = "ana", *, services: AccountServices | None = None, **options: Any) -> str:
        """Begin an attempt; its ticket."""
        return (await self.link(identifier, services=services, **options)).link.rsplit("/", 1)[1]

    async def sign_in(self, url: str, address: str = DANA, *, accept: bool = True) -> dict[str, str]:
        """Go to the consent page as this person; what comes back to the callback."""
        async with Browser.of(self.sandbox.app, stop_at=(BASE,)) as browser:
            back = await browser.sign_in(url, address, accept=accept)
        return dict(parse_qsl(urlsplit(back).query))

    async def consent(
        self,
        identifier: str = "ana",
        address: str = DANA,
        *,
        accept: bool = True,
        services: AccountServices | None = None,
        **options: Any,
    ) -> AuthorizationOutcome:
        """The whole road from link to callback."""
        services = services or self.services
        ticket = await self.begin(identifier, services=services, **options)
        url = await services.authorizations.start(ticket, COOKIE)
        assert isinstance(url, str), url
        return await services.authorizations.complete(await self.sign_in(url, address, accept=accept), [COOKIE])

    async def view(self, identifier: str = "ana") -> AccountView:
        return await self.services.accounts.get(self.key(identifier))

    async def token(self, identifier: str = "ana", **options: Any) -> str:
        self.follow()
        return await self.services.tokens.access_token(AccountKey("outlook", identifier), **options)

    async def stored_tokens(self, identifier: str = "ana") -> TokenSet | None:
        stored = await self.vault.find_account(AccountKey("outlook", identifier))
        assert stored is not None
        return stored.tokens

    def grants(self, grant_type: str = "refresh_token") -> int:
        """How many token requests of this kind the sandbox received."""
        return sum(
            1
            for request in self.sandbox.requests
            if request.path.endswith("/token") and dict(request.body or {}).get("grant_type") == grant_type
        )


@asynccontextmanager
async def open_room(
    database_url: str = MEMORY, *, key_ring: KeyRing | None = None, clock: HandClock | None = None, **settings: Any
) -> AsyncIterator[Room]:
    """A room with verification off unless `settings` say otherwise."""
    sandbox, clock = Sandbox(), clock or HandClock()
    sandbox.freeze_clock(clock.at)
    http = httpx.AsyncClient(transport=httpx.ASGITransport(app=sandbox.app))
    vault = Vault(database_url, key_ring or KeyRing.generate())
    services = AccountServices.on(
        vault,
        providers={"outlook": provider_for(http, clock)},
        clock=clock,
        settings=replace(OFF, **settings),
    )
    room = Room(sandbox, clock, http, vault, services)
    try:
        yield room
    finally:
        for other in room.others:
            await other.aclose()
        await services.aclose()
        await http.aclose()
