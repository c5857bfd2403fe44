"""The whole product in one process over ASGI: pages, REST, MCP, a real vault, the sandbox as Microsoft."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import httpx2 as httpx
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from scalekit_mcp.accounts.vault.sealing.key_ring import KeyRing
from scalekit_mcp.actions import open_actions
from scalekit_mcp.clock import SystemClock
from scalekit_mcp.demo.browser import Browser, consent
from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.server.callers.caller import authenticated_caller
from scalekit_mcp.server.callers.session_tokens import SessionTokens
from scalekit_mcp.server.http.app import HttpOptions, create_http_app
from scalekit_mcp.server.mcp.app import ServerOptions, create_server
from scalekit_mcp.server.rest.app import RestOptions
from tests.support.settings import sandbox_settings

BASE = "http://localhost:8754"
SERVICE_KEY = "service-key-of-the-security-tests"
SESSION_KEY = b"session-key-of-the-security-tests-0123456789"
DANA = "dana@company.com"


@dataclass
class Product:
    """A running product, a client that reaches it without credentials, and the Microsoft behind it."""

    http: httpx.AsyncClient
    actions: Any
    tokens: SessionTokens
    sandbox: Sandbox

    async def connect(self, identifier: str = "ana") -> None:
        """Connect Dana's mailbox through the pages; verification is off in these tests."""
        link = await self.actions.get_authorization_link(identifier=identifier)
        async with httpx.AsyncClient(mounts={BASE: self.http._transport}, timeout=20) as browser:
            page = await consent(Browser(browser), link.link, DANA)
        assert page.status == 200

    @contextlib.asynccontextmanager
    async def client(self, identifier: str = "ana", *, era: str = "auto") -> AsyncIterator[Client]:
        """A real MCP client with a session token for `identifier`."""
        sent = {"authorization": f"Bearer {self.tokens.mint(identifier)[0]}"}
        async with (
            httpx.AsyncClient(transport=self.http._transport, headers=sent, timeout=30) as http,
            Client(streamable_http_client(f"{BASE}/mcp", http_client=http), mode=era) as client,
        ):
            yield client


@contextlib.asynccontextmanager
async def product(*, timezone: str = "UTC") -> AsyncIterator[Product]:
    """What `serve --transport http` puts together, in this event loop; an escaping exception fails the test."""
    sandbox = Sandbox(week_of=date(2026, 4, 6))
    tokens = SessionTokens({"k1": SESSION_KEY}, audience=f"{BASE}/mcp", clock=SystemClock())
    async with sandbox.serve() as base_url:
        settings = sandbox_settings(sandbox, base_url, timezone=timezone)
        async with open_actions(settings, user_verification="off") as actions:
            offered = ServerOptions(list_scope="private", toolsets=("calendar", "scheduling"))
            server = create_server(actions, identify=authenticated_caller, options=offered)
            app = create_http_app(
                server,
                actions,
                authentication=tokens,
                options=HttpOptions(
                    public_url=BASE,
                    cookie_keys=KeyRing([("c1", b"c" * 32)]),
                    rest=RestOptions(service_key=SERVICE_KEY, public_url=BASE, session_tokens=tokens),
                ),
            )
            async with (
                app.router.lifespan_context(app),
                httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=BASE, timeout=30) as http,
            ):
                yield Product(http, actions, tokens, sandbox)
