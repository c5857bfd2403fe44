"""The look-alike's own calls to the sandbox's Microsoft: codes, refreshes, Graph."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import httpx2 as httpx
from starlette.types import ASGIApp

from scalekit_mcp.sandbox.scalekit.records import HeldTokens
from scalekit_mcp.sandbox.scalekit.tools import Request
from scalekit_mcp.sandbox.world import World
from scalekit_mcp.sandbox.world.dropped import ConnectionDropped

CALENDAR_SCOPES = "offline_access User.Read Calendars.ReadWrite"


class ProviderError(Exception):
    """Microsoft did not do it. `status` and `text` are its answer; `grant_is_dead` means a refused refresh."""

    def __init__(self, status: int, text: str, *, grant_is_dead: bool = False) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.text = text
        self.grant_is_dead = grant_is_dead


class Microsoft:
    """Speaks to the sandbox's Microsoft without a socket."""

    def __init__(self, world: World, app: ASGIApp, client_id: str, client_secret: str) -> None:
        self._world = world
        self._app = app
        self._client_id = client_id
        self._client_secret = client_secret

    async def redeem(self, code: str, redirect_uri: str) -> HeldTokens:
        """Trade a code; raises `ProviderError`."""
        return await self._grant(
            {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri, "scope": CALENDAR_SCOPES}
        )

    async def refresh(self, tokens: HeldTokens) -> HeldTokens:
        """Trade a refresh token; raises `ProviderError`."""
        if tokens.refresh_token is None:
            raise ProviderError(401, "no refresh token", grant_is_dead=True)
        fresh = await self._grant(
            {"grant_type": "refresh_token", "refresh_token": tokens.refresh_token, "scope": CALENDAR_SCOPES}
        )
        fresh.refresh_token = fresh.refresh_token or tokens.refresh_token
        return fresh

    async def call(self, request: Request, access_token: str) -> dict[str, Any] | None:
        """One request to Graph; its JSON object, None for an answer without a body."""
        headers = {"Authorization": f"Bearer {access_token}"}
        answer = await self._send(
            request.method, "/v1.0" + request.path, params=dict(request.query), json=request.body, headers=headers
        )
        if answer.status_code >= 400:
            raise ProviderError(answer.status_code, answer.text)
        return cast("dict[str, Any]", answer.json()) if answer.content else None

    async def forward(
        self, method: str, path: str, *, headers: list[tuple[str, str]], content: bytes
    ) -> httpx.Response:
        """One request as it is, with its path from the root; its answer, whatever it is.

        Raises `ProviderError` where none came.
        """
        return await self._send(method, path, headers=headers, content=content)

    async def _grant(self, form: dict[str, str]) -> HeldTokens:
        given = {**form, "client_id": self._client_id, "client_secret": self._client_secret}
        answer = await self._send("POST", "/common/oauth2/v2.0/token", data=given)
        body = cast("dict[str, Any]", answer.json())
        if answer.status_code >= 400:
            dead = body.get("error") in {"invalid_grant", "interaction_required"}
            raise ProviderError(401 if dead else 500, str(body.get("error")), grant_is_dead=dead)
        expires_at = self._world.clock.now() + timedelta(seconds=int(body["expires_in"]))
        return HeldTokens(body["access_token"], body.get("refresh_token"), expires_at)

    async def _send(self, method: str, path: str, **keywords: Any) -> httpx.Response:
        transport = httpx.ASGITransport(app=cast("Any", self._app))
        try:
            async with httpx.AsyncClient(transport=transport, base_url=self._world.base_url) as http:
                return await http.request(method, path, **keywords)
        except ConnectionDropped as dropped:
            raise ProviderError(502, "connection reset by the provider") from dropped
