"""A remote host as the SDK makes one: its OAuth client, a listener for the way back, and a person with a browser."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2 as httpx
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata

from scalekit_mcp.demo.browser import Browser, consent
from scalekit_mcp.demo.remote_host import HostStorage

DANA = "dana@company.com"


class RemoteHost:
    """Connects to one server; `signed_in` counts how often the person was sent to a browser."""

    def __init__(self, base: str, callback: str, *, address: str = DANA) -> None:
        self.base = base
        self.callback = callback
        self.address = address
        self.storage = HostStorage()
        self.signed_in = 0
        self.answers: list[dict[str, str]] = []
        self.last_page = ""

    async def took(self, query: str) -> None:
        self.answers.append(dict(parse_qsl(query)))

    async def open(self, url: str) -> None:
        """Sign in at an address, as the person in a browser; a program that listens may still be starting."""
        self.signed_in += 1
        async with httpx.AsyncClient(timeout=60, transport=httpx.AsyncHTTPTransport(retries=5)) as http:
            self.last_page = (await consent(Browser(http), url, self.address)).text

    async def visit(self, url: str) -> dict[str, str]:
        """Sign in at an address that another program shows; what came back to the callback."""
        await self.open(url)
        assert self.answers, self.last_page
        return self.answers.pop()

    async def _back(self) -> AuthorizationCodeResult:
        assert self.answers, self.last_page
        return AuthorizationCodeResult(**self.answers.pop())

    async def repair(self, link: str) -> str:
        """Open the link of a tool's answer as the person; what the last page says."""
        async with httpx.AsyncClient(timeout=60) as http:
            return (await consent(Browser(http), link, self.address)).text

    def authentication(self, scope: str | None = None) -> OAuthClientProvider:
        metadata: Any = {"redirect_uris": [self.callback], "client_name": "A host", "scope": scope}
        return OAuthClientProvider(
            f"{self.base}/mcp",
            OAuthClientMetadata(**metadata),
            self.storage,
            redirect_handler=self.open,
            callback_handler=self._back,
        )

    @asynccontextmanager
    async def connected(self, era: str = "auto", *, expired: bool = False) -> AsyncIterator[Client]:
        """An MCP client that signs in by itself; `expired` says that its clock calls the kept token over."""
        provider = self.authentication()
        async with httpx.AsyncClient(auth=provider, timeout=60) as http:
            if expired:
                await provider._initialize()  # pyright: ignore[reportPrivateUsage] - as a host that has just started
                provider.context.token_expiry_time = 1
            async with Client(streamable_http_client(f"{self.base}/mcp", http_client=http), mode=era) as client:
                yield client


@asynccontextmanager
async def open_host(base: str, *, address: str = DANA) -> AsyncIterator[RemoteHost]:
    """A host whose callback listens on a free port."""
    hosts: list[RemoteHost] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1].decode()
        if (came := urlsplit(line)).path == "/callback":  # a browser also asks for an icon
            await hosts[0].took(came.query)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\nconnection: close\r\n\r\nConnected")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        hosts.append(RemoteHost(base, f"http://127.0.0.1:{port}/callback", address=address))
        yield hosts[0]
