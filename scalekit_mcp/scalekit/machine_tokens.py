"""The machine token of one Scalekit environment: one for the process, renewed once for all that wait for it.

Source: Scalekit's REST API reference, "Authentication".
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import anyio
import httpx2 as httpx

from scalekit_mcp.clock import Clock
from scalekit_mcp.errors import ConnectionMisconfigured, ProviderUnavailable
from scalekit_mcp.microsoft import json_object

TOKEN_SECONDS = 20.0
TOKEN_MARGIN_SECONDS = 300
DEFAULT_TOKEN_SECONDS = 3600.0
MAX_SAID_SECONDS = 86_400.0
"""Longest pause or lifetime that is believed, in seconds."""

_TOKEN = re.compile(r"[\x21-\x7e]{1,16000}")
"""What fits into a header (RFC 6750 section 2.1)."""


@dataclass(frozen=True, slots=True)
class _Token:
    text: str = field(repr=False)
    renew_at: datetime


class MachineTokens:
    """The access token of one API client (RFC 6749 section 4.4). Takes an HTTP client that its owner closes."""

    def __init__(
        self, http: httpx.AsyncClient, *, env_url: str, client_id: str, client_secret: str, clock: Clock
    ) -> None:
        self._http = http
        self._env_url = env_url.rstrip("/")
        self._client_id = client_id
        self._client_secret = client_secret
        self._clock = clock
        self._token: _Token | None = None
        self._renewing = anyio.Lock()

    async def access_token(self, *, rejected: str | None = None, claims: str | None = None) -> str:
        """A token that is valid now; another one if `rejected` names one that Scalekit refused.

        `claims` is what a provider may demand of a person's token and says nothing about a machine's. Raises
        `ConnectionMisconfigured` or `ProviderUnavailable` when there is none.
        """
        del claims
        async with self._renewing:
            token = self._token
            if token is not None and token.text != rejected and self._clock.now() < token.renew_at:
                return token.text
            self._token = await self._client_credentials_grant()
            return self._token.text

    async def _client_credentials_grant(self) -> _Token:
        form = {
            "grant_type": "client_credentials",
            "client_id": self._client_id,
            "client_secret": self._client_secret,
        }
        asked_at = self._clock.now()
        try:
            response = await self._http.post(
                f"{self._env_url}/oauth/token", data=form, timeout=TOKEN_SECONDS, follow_redirects=False
            )
        except httpx.RequestError as exc:
            raise ProviderUnavailable("Scalekit cannot be reached for an access token.") from exc
        if response.status_code == 429 or response.status_code >= 500:
            raise ProviderUnavailable(f"Scalekit gives no access token now (HTTP {response.status_code}).")
        body = json_object(response.content) or {}
        text = body.get("access_token")
        if not response.is_success or not isinstance(text, str) or not _TOKEN.fullmatch(text):
            raise ConnectionMisconfigured(
                f"Scalekit gives no access token for the API credentials (HTTP {response.status_code}).",
                next_step="The operator checks SCALEKIT_CLIENT_ID, SCALEKIT_CLIENT_SECRET and SCALEKIT_ENV_URL.",
            )
        seconds = seconds_of(body.get("expires_in")) or DEFAULT_TOKEN_SECONDS
        lifetime = timedelta(seconds=max(seconds - TOKEN_MARGIN_SECONDS, seconds / 2))
        return _Token(text, asked_at + lifetime)


def seconds_of(value: object) -> float | None:
    """A number of seconds, at most a day; None for what is no such number."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    return min(max(0.0, seconds), MAX_SAID_SECONDS) if math.isfinite(seconds) else None
