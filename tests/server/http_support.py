"""A remote server on a loopback port, and clients of every transport and era."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import anyio
import httpx2 as httpx
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

from scalekit_mcp.clock import SystemClock
from scalekit_mcp.server.callers.authentication import Authentication
from scalekit_mcp.server.callers.caller import authenticated_caller
from scalekit_mcp.server.callers.session_tokens import SessionTokens
from scalekit_mcp.server.http.app import HttpOptions, create_http_app
from scalekit_mcp.server.http.protocol import UnsignalledServer, bounded_config
from scalekit_mcp.server.http.serving import Shutdown
from scalekit_mcp.server.limits import CallLimiter
from scalekit_mcp.server.mcp.app import ServerOptions, create_server
from scalekit_mcp.server.rest.app import RestOptions
from tests.support.bounds import HANG_SECONDS
from tests.support.watched_actions import WatchedActions, watched_actions

KEYS = {"k1": b"1" * 32, "k2": b"2" * 32}
SERVICE_KEY = "service-key-of-the-tests"
TRANSPORTS = ["http", "sse"]
ERAS = ["legacy", "auto"]


@dataclass
class Remote:
    base: str
    actions: Any
    tokens: SessionTokens
    shutdown: Shutdown

    def bearer(self, identifier: str, **options: Any) -> str:
        return self.tokens.mint(identifier, **options)[0]

    @contextlib.asynccontextmanager
    async def client(
        self,
        identifier: str = "ana",
        *,
        transport: str = "http",
        era: str = "auto",
        headers: dict[str, str] | None = None,
        kind: type[Client] = Client,
        **options: Any,
    ) -> AsyncIterator[Client]:
        sent = {"authorization": f"Bearer {self.bearer(identifier)}"} if headers is None else headers
        async with contextlib.AsyncExitStack() as stack:
            target: Any
            if transport == "sse":
                target = sse_client(f"{self.base}/sse", headers=sent)
            else:
                http = await stack.enter_async_context(httpx.AsyncClient(headers=sent, timeout=30))
                target = streamable_http_client(f"{self.base}/mcp", http_client=http)
            yield await stack.enter_async_context(kind(target, mode=era, **options))

    def browser(self, **headers: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.base, headers=headers)


@contextlib.asynccontextmanager
async def serving(app: Any, listening: socket.socket, **bounds: Any) -> AsyncIterator[None]:
    server = UnsignalledServer(bounded_config(app, timeout_graceful_shutdown=1, **bounds))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: server.serve(sockets=[listening]))
        with anyio.fail_after(HANG_SECONDS):
            while not server.started:
                await anyio.lowlevel.checkpoint()
        try:
            yield
        finally:
            server.should_exit = True


@contextlib.asynccontextmanager
async def remote(
    actions: WatchedActions | None = None,
    *,
    opened: Callable[[str], contextlib.AbstractAsyncContextManager[Any]] | None = None,
    authentication: Authentication | None = None,
    server_options: dict[str, Any] | None = None,
    bounds: dict[str, Any] | None = None,
    **options: Any,
) -> AsyncIterator[Remote]:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # asyncio sets TCP_NODELAY by it
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    base = f"http://localhost:{listening.getsockname()[1]}"

    async def link_base() -> str:
        return base

    async with contextlib.AsyncExitStack() as stack:
        if opened is not None:
            real = await stack.enter_async_context(opened(base))
        else:
            real = actions or await stack.enter_async_context(watched_actions())
            real.pages = link_base
        server = _remote(base, listening, real, authentication, server_options, options, bounds)
        yield await stack.enter_async_context(server)


@contextlib.asynccontextmanager
async def _remote(
    base: str,
    listening: socket.socket,
    actions: Any,
    authentication: Authentication | None,
    server_options: dict[str, Any] | None,
    options: dict[str, Any],
    bounds: dict[str, Any] | None,
) -> AsyncIterator[Remote]:
    clock, limiter = SystemClock(), CallLimiter()
    tokens = SessionTokens(KEYS, audience=f"{base}/mcp", clock=clock)
    server = create_server(
        actions,
        identify=authenticated_caller,
        options=ServerOptions(list_scope="private", limiter=limiter, **(server_options or {})),
    )
    shutdown = Shutdown()
    rest = RestOptions(service_key=SERVICE_KEY, public_url=base, session_tokens=tokens, limiter=limiter)
    app = create_http_app(
        server,
        actions,
        authentication=authentication or tokens,
        options=HttpOptions(public_url=base, rest=rest, **options),
        clock=clock,
        shutdown=shutdown,
    )
    async with serving(app, listening, **(bounds or {})):
        yield Remote(base, actions, tokens, shutdown)
