"""The requests of `doctor` to Microsoft, and the parts of their answers that it uses."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import parse_qs, quote, urlencode, urljoin, urlsplit
from uuid import uuid4

import httpx2 as httpx

from scalekit_mcp.cli.doctor.mistakes import BY_NUMBER
from scalekit_mcp.clock import Clock
from scalekit_mcp.microsoft import ClientCredentials, graph_resource, wire_scopes
from scalekit_mcp.network import is_loopback
from scalekit_mcp.settings import Settings

_MOST_REDIRECTS = 4
_NUMBER = re.compile(r"AADSTS(\d{5,9})|\"s?[Ee]rrorCode\"\s*:\s*\"(\d{5,9})\"")


@dataclass(frozen=True, slots=True)
class Answer:
    """What one request brought: AADSTS numbers, the OAuth error, the body if it was JSON."""

    status: int
    numbers: tuple[int, ...] = ()
    error: str | None = None
    body: dict[str, Any] = field(default_factory=dict[str, Any], repr=False)
    redirected: bool = False

    @property
    def evidence(self) -> str:
        """Microsoft's number, else its word, else the HTTP status."""
        return f"AADSTS{self.numbers[0]}" if self.numbers else self.error or f"HTTP {self.status}"

    @property
    def mistake(self) -> str | None:
        """The mistake that a number of this answer stands for."""
        return next((BY_NUMBER[number] for number in self.numbers if number in BY_NUMBER), None)


class Wire:
    """Microsoft's addresses of one configuration; no answer at all is None."""

    def __init__(self, settings: Settings, http: httpx.AsyncClient, clock: Clock) -> None:
        self._settings = settings
        self._http = http
        self._clock = clock
        self._login = settings.login_url.rstrip("/")
        self.scopes = wire_scopes(settings.scopes, resource=graph_resource(settings.graph_url))

    async def discovery(self) -> httpx.Response:
        """The OpenID configuration of the configured authority; raises `httpx.HTTPError`."""
        return await self._http.get(f"{self._authority()}/v2.0/.well-known/openid-configuration")

    async def graph(self) -> httpx.Response:
        """Graph without a token; raises `httpx.HTTPError`."""
        return await self._http.get(f"{self._settings.graph_url}/me", headers={"Accept": "application/json"})

    def _authority(self, tenant: str | None = None) -> str:
        return f"{self._login}/{quote(tenant or self._settings.microsoft_tenant, safe='')}"

    async def authorize(self, tenant: str, redirect_uri: str) -> Answer | None:
        """Ask silently, without PKCE: a single-page registration refuses that, all others do not mind."""
        query = {
            "client_id": self._settings.microsoft_client_id or "",
            "response_type": "code",
            "redirect_uri": redirect_uri,
            "response_mode": "query",
            "scope": self.scopes,
            "state": "doctor",
            "nonce": uuid4().hex,
            "prompt": "none",
        }
        url = f"{self._authority(tenant)}/oauth2/v2.0/authorize?{urlencode(query, quote_via=quote)}"
        for _ in range(_MOST_REDIRECTS):
            try:
                response = await self._http.get(url, follow_redirects=False)
            except httpx.HTTPError:
                return None
            location = response.headers.get("location")
            if not response.is_redirect or location is None:
                return read(response)
            url = urljoin(url, location)
            if url.startswith(redirect_uri):
                return read_redirect(url, response.status_code)
            if urlsplit(url).scheme != "https" and not is_loopback(urlsplit(url).hostname):
                return None
        return None

    async def post(
        self, name: str, fields: dict[str, str], credentials: ClientCredentials | None = None
    ) -> Answer | None:
        """Post a form to an endpoint of the configured authority, with the proof of the client if one is given."""
        endpoint = f"{self._authority()}/oauth2/v2.0/{name}"
        client_id = self._settings.microsoft_client_id or ""
        proof = (
            credentials.token_parameters(client_id=client_id, token_endpoint=endpoint, now=self._clock.now())
            if credentials
            else {}
        )
        try:
            response = await self._http.post(endpoint, data={"client_id": client_id, **fields, **proof})
        except httpx.HTTPError:
            return None
        return read(response)


def host_of(url: str) -> str:
    """The host with its port; the names of loopback are one."""
    parts = urlsplit(url)
    if is_loopback(parts.hostname):
        return f"localhost:{parts.port}" if parts.port else "localhost"
    return parts.netloc.casefold()


def read(response: httpx.Response) -> Answer:
    """An answer of an endpoint or a page: JSON, or HTML that shows a number."""
    text = response.text[:200_000]
    body: object = None
    if "json" in response.headers.get("content-type", ""):
        try:
            body = json.loads(text)
        except (ValueError, RecursionError):
            body = None
    if not isinstance(body, dict):
        error = "unauthorized_client" if "unauthorized_client" in text else None
        return Answer(response.status_code, numbers_in(text), error)
    fields = cast("dict[str, Any]", body)
    listed: object = fields.get("error_codes")
    codes = cast("list[object]", listed) if isinstance(listed, list) else []
    numbers = [int(str(code)) for code in codes if str(code).isdigit()]
    error = fields.get("error")
    return Answer(
        response.status_code,
        tuple(numbers) or numbers_in(str(fields.get("error_description", ""))),
        error if isinstance(error, str) else None,
        fields,
    )


def read_redirect(url: str, status: int) -> Answer:
    """An answer that came back to the redirect URI (RFC 6749 section 4.1.2.1)."""
    query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    return Answer(
        status,
        numbers_in(query.get("error_description", "") + " " + query.get("error_uri", "")),
        query.get("error"),
        redirected=True,
    )


def numbers_in(text: str) -> tuple[int, ...]:
    """The AADSTS numbers in a text, in their order."""
    return tuple(dict.fromkeys(int(first or second) for first, second in _NUMBER.findall(text)))
