"""A server process in which secrets and content are planted, and everything that comes out of it."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpx2 as httpx
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from scalekit_mcp.demo.browser import Browser, Page, consent
from scalekit_mcp.sandbox import Sandbox

DANA = "dana@company.com"
LIST = "outlook_list_calendar_events"
VAULT_KEY = base64.b64encode(b"planted-vault-key-0123456789abcd").decode()
SESSION_KEY = b"planted-session-key-0123456789ab"
SERVICE_KEY = "planted-service-key-0123456789"
CLIENT_SECRET = "planted-client-secret-0123456789"
WORDS = {"subject": "planted subject words", "body_content": "planted body words", "location": "planted place words"}


@dataclass
class Heard:
    """Everything that came out of the product, by where it came out."""

    outputs: dict[str, str] = field(default_factory=dict)
    tickets: set[str] = field(default_factory=set)
    codes: set[str] = field(default_factory=set)
    port: int = 0

    def add(self, where: str, text: str) -> None:
        self.outputs[where] = self.outputs.get(where, "") + text + "\n"

    async def answer(self, answer: httpx.Response) -> None:
        """Hook of every client: what our server answered, heads and bodies."""
        if urlsplit(str(answer.request.url)).port == self.port:
            self.add("http headers", str(answer.headers.multi_items()))
            if "event-stream" not in answer.headers.get("content-type", ""):
                await answer.aread()
                self.add("http bodies", answer.text)


@dataclass
class Life:
    """A running server, its Microsoft, and what was heard of it."""

    base: str
    sandbox: Sandbox
    heard: Heard
    bearer: str
    folder: Path

    def http(self, **headers: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(headers=headers, timeout=30, event_hooks={"response": [self.heard.answer]})

    @asynccontextmanager
    async def client(self, era: str = "auto") -> AsyncIterator[Client]:
        async with (
            self.http(authorization=f"Bearer {self.bearer}") as http,
            Client(streamable_http_client(f"{self.base}/mcp", http_client=http), mode=era) as client,
        ):
            yield client

    async def call(self, client: Client, name: str, **arguments: Any) -> dict[str, Any]:
        result = await client.call_tool(name, arguments)
        self.heard.add("tool results", result.model_dump_json())
        told: dict[str, Any] = result.structured_content
        return told

    async def sign_in(self, link: str) -> str:
        """Consent in a browser; the confirmation code of the last page."""
        self.heard.tickets.add(link.rsplit("/", 1)[-1])
        async with self.http() as http:
            page = await consent(Browser(http), link, DANA)
        code = self.code_on(page)
        assert code, page.text
        return code

    def code_on(self, page: Page) -> str | None:
        """The confirmation code that the last page of a consent shows, if it shows one."""
        found = re.search(r"\b[0-9A-HJKMNP-TV-Z]{8}\b", page.text)
        if found:
            self.heard.codes.add(found[0])
        return found[0] if found else None

    def secrets(self) -> dict[str, str]:
        """Every secret that exists, by what it is."""
        found = {
            VAULT_KEY: "vault key",
            VAULT_KEY.rstrip("="): "vault key",
            base64.b64encode(SESSION_KEY).decode(): "session key",
            SESSION_KEY.decode(): "session key",
            SERVICE_KEY: "service key",
            CLIENT_SECRET: "client secret",
            self.bearer: "session token",
            self.bearer.rpartition(".")[2]: "signature of the session token",
        }
        identity = self.sandbox.halves.identity.store
        found |= dict.fromkeys(identity.codes, "authorization code")
        found |= dict.fromkeys(identity.refresh_tokens, "refresh token")
        for request in self.sandbox.requests:
            sent = request.headers.get("authorization", "")
            if sent.startswith("Bearer "):
                found[sent.removeprefix("Bearer ")] = "access token"
            if isinstance(request.body, dict) and request.body.get("code_verifier"):
                found[request.body["code_verifier"]] = "code verifier"
        return found


async def up(http: httpx.AsyncClient, url: str) -> None:
    while True:
        try:
            if (await http.get(url)).status_code == 200:
                return
        except httpx.TransportError:
            await anyio.sleep(0.02)  # the process is starting; bounded by the caller
