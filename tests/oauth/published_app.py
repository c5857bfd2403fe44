"""An app as its vendor publishes it: it registers or names its document, and brings what its browser got."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import httpx2 as httpx

from scalekit_mcp.demo.browser import Browser, consent
from tests.oauth.remote_host import DANA


class StopsAtTheApp(httpx.AsyncBaseTransport):
    """The way of a browser through pages; what is sent to `redirect_uri` reaches the app, whatever its scheme."""

    def __init__(self, redirect_uri: str) -> None:
        self._redirect_uri = redirect_uri
        self._web = httpx.AsyncHTTPTransport()
        self.answers: list[dict[str, str]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if not str(request.url).startswith(f"{self._redirect_uri}?"):
            return await self._web.handle_async_request(request)
        self.answers.append(dict(parse_qsl(urlsplit(str(request.url)).query)))
        return httpx.Response(200, text="Back in the app.", request=request)

    async def aclose(self) -> None:
        await self._web.aclose()


@dataclass
class AuthorizationRequest:
    """One request for a code, with a `state` and a verifier of its own."""

    base: str
    client_id: str
    redirect_uri: str
    scope: str
    state: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    @property
    def url(self) -> str:
        """The address for the browser."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
            "state": self.state,
            "scope": self.scope,
            "resource": f"{self.base}/mcp",
        }
        return f"{self.base}/authorize?{urlencode(asked)}"


@dataclass
class PublishedApp:
    """An app at the server `base`, known there as `client_id`; with a secret it proves itself by Basic."""

    base: str
    client_id: str
    secret: str | None = None
    http: httpx.AsyncClient = field(default_factory=lambda: httpx.AsyncClient(timeout=60), repr=False)

    def ask(self, redirect_uri: str, *, scope: str) -> AuthorizationRequest:
        """What it asks for in the browser."""
        return AuthorizationRequest(self.base, self.client_id, redirect_uri, scope)

    async def redeem(self, asked: AuthorizationRequest, answer: Mapping[str, str]) -> dict[str, Any]:
        """A pair of tokens for what came back from the browser."""
        assert {**answer, "code": ""} == {"code": "", "state": asked.state, "iss": self.base}
        form = {"grant_type": "authorization_code", "code": answer["code"], "redirect_uri": asked.redirect_uri}
        return await self._tokens(**form, code_verifier=asked.verifier)

    async def sign_in(self, redirect_uri: str, *, scope: str) -> dict[str, Any]:
        """A pair of tokens for a person who accepts."""
        asked = self.ask(redirect_uri, scope=scope)
        async with StopsAtTheApp(redirect_uri) as road, httpx.AsyncClient(transport=road, timeout=60) as browser:
            page = await consent(Browser(browser), asked.url, DANA)
            assert road.answers, page.text
        return await self.redeem(asked, road.answers[0])

    async def refresh(self, refresh_token: str) -> dict[str, Any]:
        return await self._tokens(grant_type="refresh_token", refresh_token=refresh_token)

    async def post(self, path: str, form: Mapping[str, str]) -> httpx.Response:
        """A form, by which the app says who it is."""
        if self.secret is None:
            return await self.http.post(self.base + path, data={**form, "client_id": self.client_id})
        proof = (quote(self.client_id, safe=""), quote(self.secret, safe=""))
        return await self.http.post(self.base + path, data=dict(form), auth=proof)

    async def _tokens(self, **form: str) -> dict[str, Any]:
        answer = await self.post("/token", {**form, "resource": f"{self.base}/mcp"})
        assert answer.status_code == 200, answer.text
        return answer.json()
