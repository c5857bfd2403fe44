"""A client application and its user's browser, for the identity tests."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx2 as httpx

from scalekit_mcp.sandbox import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, Sandbox
from scalekit_mcp.sandbox.browser import Browser

BASE = "http://localhost"
HOST = "http://localhost:8754/"
CALLBACK = f"{HOST}oauth/callback"
SCOPE = "openid profile offline_access User.Read Calendars.ReadWrite"
VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


def query_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))


@dataclass
class Application:
    """The default web application (or another one) as its own code would behave."""

    sandbox: Sandbox
    client_id: str = DEFAULT_CLIENT_ID
    secret: str | None = DEFAULT_CLIENT_SECRET
    authority: str = "common"
    headers: dict[str, str] = field(default_factory=dict[str, str])

    def authorize_url(self, **changes: str | None) -> str:
        parameters: dict[str, str | None] = {
            "client_id": self.client_id,
            "response_type": "code",
            "redirect_uri": CALLBACK,
            "scope": SCOPE,
            "state": "state-1",
            "nonce": "nonce-1",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            **changes,
        }
        given = {name: value for name, value in parameters.items() if value is not None}
        return f"{BASE}/{self.authority}/oauth2/v2.0/authorize?{urlencode(given)}"

    def browser(self) -> Browser:
        return self.sandbox.browser(stop_at=(HOST,))

    async def sign_in(self, address: str, *, accept: bool = True, **changes: str | None) -> dict[str, str]:
        """Walk through the pages; the query with which the browser came back, {} when it did not."""
        async with self.browser() as browser:
            url = await browser.sign_in(self.authorize_url(**changes), address, accept=accept)
        return query_of(url) if url.startswith(HOST) else {}

    async def post(self, path: str, form: dict[str, Any]) -> httpx.Response:
        transport = httpx.ASGITransport(app=self.sandbox.app)
        async with httpx.AsyncClient(transport=transport, base_url=BASE, headers=self.headers) as client:
            return await client.post(path, data={name: value for name, value in form.items() if value is not None})

    async def token(self, authority: str | None = None, **form: str | None) -> httpx.Response:
        given: dict[str, Any] = {"client_id": self.client_id, "client_secret": self.secret, **form}
        return await self.post(f"/{authority or self.authority}/oauth2/v2.0/token", given)

    async def redeem(self, code: str, **changes: str | None) -> httpx.Response:
        form: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": CALLBACK,
            "code_verifier": VERIFIER,
            **changes,
        }
        return await self.token(**form)

    async def refresh(self, refresh_token: str, **changes: str | None) -> httpx.Response:
        form: dict[str, str | None] = {"grant_type": "refresh_token", "refresh_token": refresh_token, "scope": SCOPE}
        return await self.token(**{**form, **changes})

    async def connect(self, address: str, **changes: Any) -> dict[str, Any]:
        """Sign somebody in and redeem the code; the token answer."""
        back = await self.sign_in(address, **changes)
        answer = await self.redeem(back["code"])
        assert answer.status_code == 200, answer.text
        return answer.json()


def refusal(answer: httpx.Response) -> tuple[int, str, list[int], str | None]:
    """Status, error, numbers and suberror of a refused token request, after a look at the shape of the rest."""
    body = answer.json()
    assert body["error_description"].count("\r\n") == 3
    assert body["trace_id"] in body["error_description"]
    assert body["correlation_id"] in body["error_description"]
    assert body["timestamp"].endswith("Z")
    if body["error_codes"]:
        assert body["error_description"].startswith(f"AADSTS{body['error_codes'][0]}: ")
        assert body["error_uri"].endswith(f"code={body['error_codes'][0]}")
    return answer.status_code, body["error"], body["error_codes"], body.get("suberror")
