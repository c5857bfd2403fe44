"""A provider nobody has heard of, through the same engine, vault and pages: what is Microsoft's own is said nowhere."""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import httpx2 as httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from scalekit_mcp.accounts.authorization.links import LinkRequest
from scalekit_mcp.accounts.model.records import (
    AccountKey,
    AccountSettings,
    AccountStatus,
    ProviderAccount,
    Reason,
    TokenSet,
    UserVerification,
)
from scalekit_mcp.accounts.provider import AuthorizationRequest, Grant, GrantError, GrantFault
from scalekit_mcp.accounts.services import AccountServices
from scalekit_mcp.accounts.vault.sealing.key_ring import KeyRing
from scalekit_mcp.accounts.vault.vault import Vault
from scalekit_mcp.actions.models import AuthorizationOutcome, AuthorizationPrompt
from scalekit_mcp.clock import Clock
from scalekit_mcp.demo.browser import Browser, Page
from scalekit_mcp.errors import AuthorizationRequired, InvalidInput
from scalekit_mcp.languages import verbatim
from scalekit_mcp.sandbox.serving import serving
from scalekit_mcp.server.web.app import Web, WebOptions
from scalekit_mcp.server.web.pages import ServiceNames
from tests.support.clock import HandClock

KEY = AccountKey("meadow", "ana")
FOREIGN = re.compile(r"(?i:microsoft|outlook|entra|azure|aadsts|administrator)|\bIT\b")


class Meadow:
    """An OAuth 2.0 provider (RFC 6749): one person, two scopes, no administrators."""

    provider_name, client_id, login_host = "Meadow", "client-1", "meadow.example"
    scopes: tuple[str, ...] = ("calendar", "stay")

    def __init__(self, clock: Clock) -> None:
        self.clock, self.base_url, self.refreshes = clock, "", 0
        self.valid: set[str] = set()

    def authorization_url(self, request: AuthorizationRequest) -> str:
        query = {"redirect_uri": request.redirect_uri, "state": request.state, "scope": " ".join(request.scopes)}
        return f"{self.base_url}/meadow?{urlencode(query)}"

    async def consent_page(self, request: Request) -> Response:
        """Where the person would be asked; here whatever `answer` says."""
        given = {"code": secrets.token_hex(8)} if self.answer == "yes" else {"error": "access_denied"}
        self.valid.add(given.get("code", ""))
        back = {**given, "state": request.query_params["state"]}
        return RedirectResponse(f"{request.query_params['redirect_uri']}?{urlencode(back)}", 303)

    answer = "yes"

    def authorization_response_failure(self, query: dict[str, str]) -> GrantError:
        return GrantError(
            GrantFault.DECLINED,
            verbatim("You said no."),
            code=query["error"],
            who_acts="user",
            next_step=verbatim("Open the link again."),
        )

    async def authorization_code_grant(
        self, *, code: str, redirect_uri: str, code_verifier: str, nonce: str, scopes: Sequence[str]
    ) -> Grant:
        self.valid.remove(code)
        return Grant(self._tokens(scopes), ProviderAccount("meadow", "person-1", mail="ana@meadow.example"))

    async def refresh_token_grant(
        self, *, refresh_token: str, account: ProviderAccount, scopes: Sequence[str], claims: str | None = None
    ) -> TokenSet:
        if refresh_token not in self.valid:
            raise GrantError(
                GrantFault.PERMANENT, verbatim("The permission was taken back."), code="invalid_grant", who_acts="user",
                next_step=verbatim("Sign in again."), status=AccountStatus.REVOKED, reason=Reason.GRANT_REVOKED,
            )  # fmt: skip
        self.valid.remove(refresh_token)
        self.refreshes += 1
        return self._tokens(scopes)

    def _tokens(self, scopes: Sequence[str]) -> TokenSet:
        refresh_token = secrets.token_hex(8)
        self.valid.add(refresh_token)
        return TokenSet(secrets.token_hex(8), refresh_token, self.clock.now() + timedelta(hours=1), tuple(scopes))


@dataclass
class Calls:
    """What the pages ask of the calls, straight at the engine."""

    services: AccountServices

    async def authorization_prompt(self, ticket: str) -> AuthorizationPrompt | AuthorizationOutcome:
        return await self.services.authorizations.prompt(ticket)

    async def start_authorization(self, ticket: str, *, browser_secret: str | None = None) -> Any:
        return await self.services.authorizations.start(ticket, browser_secret)

    async def complete_authorization(self, query: Mapping[str, str], *, browser_secrets: Sequence[str] = ()) -> Any:
        return await self.services.authorizations.complete(query, browser_secrets)

    async def cancel_held_authorization(self, ticket: str, *, browser_secret: str | None = None) -> Any:
        return await self.services.authorizations.cancel(ticket, browser_secret)


@dataclass
class Field:
    """The provider, the services on it, a browser, and every text that anybody met."""

    clock: HandClock
    provider: Meadow
    services: AccountServices
    browser: Browser
    texts: list[str] = field(default_factory=list)

    async def link(self, **options: Any) -> str:
        base = self.provider.base_url
        link = await self.services.authorizations.begin(
            KEY,
            LinkRequest(
                link_base=base,
                redirect_uri=f"{base}/oauth/callback",
                admin_redirect_uri=f"{base}/oauth/admin-consent",
                **options,
            ),
        )
        assert link.admin_consent_url is None
        return link.link

    def read(self, page: Page) -> Page:
        self.texts.append(page.text)
        return page

    async def consent(self, **options: Any) -> Page:
        page = self.read(await self.browser.open(await self.link(**options)))
        return self.read(await self.browser.press(page, "Continue to Meadow"))

    async def refused(self) -> AuthorizationRequired:
        with pytest.raises(AuthorizationRequired) as refused:
            await self.services.tokens.access_token(KEY)
        self.texts += [refused.value.message, refused.value.next_step]
        return refused.value


@asynccontextmanager
async def open_field() -> AsyncIterator[Field]:
    clock = HandClock()
    provider = Meadow(clock)
    services = AccountServices.on(
        Vault("sqlite+aiosqlite:///:memory:", KeyRing.generate()),
        providers={"meadow": provider},
        clock=clock,
        settings=AccountSettings(user_verification=UserVerification.CONFIRM),
    )
    calls: Any = Calls(services)
    names = ServiceNames(provider="Meadow", calendar="Meadow")
    options = WebOptions(origins=lambda: {provider.base_url}, names=names)
    routes = [Route("/meadow", provider.consent_page), *Web(lambda: calls, clock=clock, options=options).routes()]
    try:
        async with serving(Starlette(routes=routes), port=0, host="127.0.0.1") as base_url:
            provider.base_url = base_url
            async with httpx.AsyncClient(timeout=20) as http:
                yield Field(clock, provider, services, Browser(http))
    finally:
        await services.aclose()


async def test_an_account_of_another_provider_is_connected_refreshed_and_revoked_on_the_same_road() -> None:
    async with open_field() as field:
        page = await field.consent()
        found = re.search(r"\b[0-9A-Z]{8}\b", page.text)
        assert found, page.text
        with pytest.raises(InvalidInput) as wrong:
            await field.services.authorizations.confirm(KEY, "0" * 8)
        field.texts += [wrong.value.message, wrong.value.next_step]
        field.texts.append(str((await field.refused()).to_dict()))
        view = await field.services.authorizations.confirm(KEY, found[0])
        assert (view.account.status, view.account.granted_scopes) == (AccountStatus.ACTIVE, ("calendar", "stay"))
        first = await field.services.tokens.access_token(KEY, required_scopes=("calendar",))
        field.clock.advance(3500)
        assert await field.services.tokens.access_token(KEY) != first
        assert field.provider.refreshes == 1
        field.provider.valid.clear()
        field.clock.advance(3500)
        assert (await field.refused()).details["reason"] == "grant_revoked"
        view = await field.services.accounts.get(KEY)
        assert view.account.status is AccountStatus.REVOKED
        assert "Connect your Meadow calendar" in field.texts[0]
        assert [text for text in field.texts if FOREIGN.search(text)] == []


async def test_every_page_that_another_provider_meets_speaks_of_that_provider() -> None:
    async with open_field() as field:
        await field.services.accounts.get_or_create(KEY)
        await field.refused()
        field.provider.answer = "no"
        page = await field.consent()
        assert "You said no." in page.text
        assert (await field.refused()).details["reason"] == "consent_declined"
        field.provider.answer = "yes"
        held = await field.consent()
        field.read(await field.browser.open(held.url))
        field.read(await field.browser.press(held, "Cancel"))
        for address in ("/connect/" + "x" * 43, "/oauth/callback?state=x", "/oauth/outcome/" + "x" * 22):
            field.read(await field.browser.open(field.provider.base_url + address))
        old = await field.link()
        await field.link(reconnect=True)
        field.read(await field.browser.open(old))
        expired = await field.link()
        field.clock.advance(3600)
        field.read(await field.browser.open(expired))
        assert len(field.texts) > 12
        assert [text for text in field.texts if FOREIGN.search(text)] == []
