"""A remote host: the SDK's own OAuth client, what it keeps, and a listener for the browser's way back."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from urllib.parse import parse_qsl, urlsplit

import anyio
import httpx2 as httpx
from anyio.abc import SocketAttribute, SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream
from mcp import Client
from mcp.client.auth import OAuthClientProvider, TokenStorage
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken

from scalekit_mcp.demo.steps import StepError
from scalekit_mcp.network import Network

CLIENT_NAME = "The host of the tour"
SIGN_IN_SECONDS = 600
"""How long a person may take in their own browser."""
_PAGE = b"Connected. This is the remote host; go back to the terminal."
_MOST_HEAD_BYTES = 16_384


class HostStorage(TokenStorage):
    """Registration and tokens of one host, in memory."""

    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None
        self.client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        """The tokens that were kept last."""
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        """Keep new tokens."""
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        """The registration at the authorization server."""
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        """Keep the registration."""
        self.client = client_info


class RemoteHost:
    """An MCP host that knows nothing but the address of a server.

    `open_browser` shows the person an address; `sign_ins` counts how often the host had to ask for that. `callback` is
    the redirect URI; what arrives there is handed over by `took`.
    """

    def __init__(self, address: str, callback: str, open_browser: Callable[[str], Awaitable[None]]) -> None:
        self.storage = HostStorage()
        self.sign_ins = 0
        self._address = address
        self._open_browser = open_browser
        self._arriving, self._arrived = anyio.create_memory_object_stream[dict[str, str]](1)
        metadata = OAuthClientMetadata.model_validate({"redirect_uris": [callback], "client_name": CLIENT_NAME})
        self._oauth = OAuthClientProvider(
            address, metadata, self.storage, redirect_handler=self._sign_in, callback_handler=self._came_back
        )

    @asynccontextmanager
    async def connected(self) -> AsyncGenerator[Client]:
        """A client of the server, which signs in by itself as soon as it is refused."""
        async with (
            Network().client([], make=httpx.AsyncClient, timeout=60, auth=self._oauth) as http,
            Client(streamable_http_client(self._address, http_client=http)) as client,
        ):
            yield client

    def let_an_hour_pass(self) -> None:
        """The host's clock then says that its access token is over."""
        self._oauth.context.token_expiry_time = 1

    async def took(self, query: str) -> None:
        """The person's browser came back with this query."""
        with suppress(anyio.WouldBlock):  # a reload of the last page
            self._arriving.send_nowait(dict(parse_qsl(query)))

    async def _sign_in(self, url: str) -> None:
        self.sign_ins += 1
        await self._open_browser(url)

    async def _came_back(self) -> AuthorizationCodeResult:
        with anyio.fail_after(SIGN_IN_SECONDS):
            answer = await self._arrived.receive()
        if "code" not in answer:
            raise StepError(f"the sign-in ended with {answer.get('error')}: {answer.get('error_description')}")
        return AuthorizationCodeResult.model_validate(answer)

    def close(self) -> None:
        """Close the way back."""
        self._arriving.close()
        self._arrived.close()


@asynccontextmanager
async def open_host(address: str, open_browser: Callable[[str], Awaitable[None]]) -> AsyncGenerator[RemoteHost]:
    """A host whose redirect URI leads to a listener of its own on a free port, as hosts on somebody's computer do."""
    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0) as listener,
        anyio.create_task_group() as tasks,
    ):
        port = listener.extra(SocketAttribute.local_port)  # noqa: S610 - no Django here
        host = RemoteHost(address, f"http://127.0.0.1:{port}/callback", open_browser)

        async def answer(stream: SocketStream) -> None:
            async with stream:
                head = await BufferedByteReceiveStream(stream).receive_until(b"\r\n\r\n", _MOST_HEAD_BYTES)
                target = urlsplit(head.split(b" ")[1].decode("ascii", "replace"))
                known = target.path == "/callback"  # a browser also asks for an icon
                status, page = (b"200 OK", _PAGE) if known else (b"404 Not Found", b"")
                fields = b"content-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\nconnection: close" % len(
                    page
                )
                await stream.send(b"HTTP/1.1 %s\r\n%s\r\n\r\n%s" % (status, fields, page))
                if known:
                    await host.took(target.query)

        tasks.start_soon(listener.serve, answer)
        try:
            yield host
        finally:
            tasks.cancel_scope.cancel()
            host.close()
