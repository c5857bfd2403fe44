"""A host that signs in by plain HTTP: one request to the server for each step, and the state in between in the open."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2 as httpx

from scalekit_mcp.sandbox.browser import Browser, Page, read_page
from tests.support.mcp_messages import ACCEPT

DANA = "dana@company.com"
LIST = "outlook_list_calendar_events"
CALLBACK = "https://app.example/callback"


@dataclass
class SteppedHost:
    """One app and the browser of one person; `base` is the server's public address.

    Each step is a method that sends one request to the server and leaves what the next one needs here.
    """

    base: str
    app: httpx.AsyncClient
    browser: httpx.AsyncClient
    address: str = DANA
    client_id: str = ""
    page: Page | None = None
    back: str = ""
    code: str = ""
    tokens: dict[str, Any] = field(default_factory=dict[str, Any])
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    state: str = field(default_factory=lambda: secrets.token_urlsafe(8))

    async def register(self) -> None:
        answer = await self.app.post(f"{self.base}/register", json={"redirect_uris": [CALLBACK], "client_name": "App"})
        assert answer.status_code == 201, answer.text
        self.client_id = answer.json()["client_id"]

    async def opened(self) -> httpx.Response:
        """What the browser gets for the authorization request."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": CALLBACK,
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
            "state": self.state,
            "resource": f"{self.base}/mcp",
        }
        return await self.browser.get(f"{self.base}/authorize", params=asked)

    async def open_page(self) -> None:
        self.page = shown(await self.opened())

    async def press_continue(self) -> None:
        """Press Continue; then the page leads to Microsoft, where the person signs in: that is not the server."""
        assert self.page is not None
        [form] = self.page.forms
        await self.go_to_provider(shown(await self.browser.post(form.action, data=form.fields, headers=self._own())))

    async def go_to_provider(self, page: Page) -> None:
        """Follow a page that leads to Microsoft, and sign in there; the way back is not gone yet."""
        assert page.refresh is not None, page.text
        at_microsoft = Browser(self.browser, stop_at=(f"{self.base}/",))
        self.back = await at_microsoft.sign_in(page.refresh, self.address)
        assert self.back.startswith(f"{self.base}/oauth/callback?"), at_microsoft.text

    async def returned(self) -> httpx.Response:
        """What the browser gets when it comes back from Microsoft."""
        return await self.browser.get(self.back)

    async def come_back(self) -> None:
        answer = await self.returned()
        assert answer.status_code == 303, answer.text
        assert answer.headers["location"].startswith(f"{CALLBACK}?"), answer.headers["location"]
        told = dict(parse_qsl(urlsplit(answer.headers["location"]).query))
        assert (told["state"], told["iss"]) == (self.state, self.base)
        self.code = told["code"]

    async def redeemed(self) -> httpx.Response:
        return await self._token(
            grant_type="authorization_code", code=self.code, redirect_uri=CALLBACK, code_verifier=self.verifier
        )

    async def redeem(self) -> None:
        self.tokens = _tokens(await self.redeemed())

    async def refreshed(self, refresh_token: str | None = None) -> httpx.Response:
        brought = self.tokens["refresh_token"] if refresh_token is None else refresh_token
        return await self._token(grant_type="refresh_token", refresh_token=brought)

    async def refresh(self) -> None:
        self.tokens = _tokens(await self.refreshed())

    async def called(self) -> httpx.Response:
        """One tool call of a client of revision 2026-07-28."""
        meta = {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        params = {"name": LIST, "arguments": {"top": 1}, "_meta": meta}
        headers = {
            **ACCEPT,
            "authorization": f"Bearer {self.tokens['access_token']}",
            "mcp-protocol-version": "2026-07-28",
            "mcp-method": "tools/call",
            "mcp-name": LIST,
        }
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        return await self.app.post(f"{self.base}/mcp", json=body, headers=headers)

    async def call(self) -> None:
        answer = await self.called()
        assert answer.status_code == 200, answer.text
        assert not answer.json()["result"].get("isError"), answer.text

    async def revoke(self) -> None:
        form = {"token": self.tokens["refresh_token"], "client_id": self.client_id}
        answer = await self.app.post(f"{self.base}/revoke", data=form)
        assert answer.status_code == 200, answer.text

    async def sign_in(self) -> None:
        """All steps up to a pair of tokens."""
        for step in (self.register, self.open_page, self.press_continue, self.come_back, self.redeem):
            await step()

    async def _token(self, **form: str) -> httpx.Response:
        return await self.app.post(f"{self.base}/token", data={**form, "client_id": self.client_id})

    def _own(self) -> dict[str, str]:
        return {"origin": self.base}


@asynccontextmanager
async def stepped_host(base: str, address: str = DANA) -> AsyncGenerator[SteppedHost]:
    """A new app, and a browser without cookies."""
    async with httpx.AsyncClient(timeout=60) as app, httpx.AsyncClient(timeout=60) as browser:
        yield SteppedHost(base, app, browser, address)


def shown(answer: httpx.Response) -> Page:
    assert answer.status_code == 200, answer.text
    return read_page(str(answer.url), answer.status_code, answer.text)


def _tokens(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    return answer.json()
