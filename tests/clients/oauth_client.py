"""An app on `mcp` 2.x that signs in. Arguments: the server's address, the redirect URI, the era. See `app_protocol`.

An address that ends with `/sse` is spoken to by HTTP+SSE.
"""

import asyncio
import sys
from contextlib import AsyncExitStack

import httpx2 as httpx
from app_protocol import CALL, hear, say, serve
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata


class Storage:
    """What the app keeps."""

    tokens = None
    client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client_info):
        self.client = client_info


class NewApp:
    """The app; it lives in `stack`."""

    def __init__(self, server, redirect_uri, era, stack):
        metadata = OAuthClientMetadata(redirect_uris=[redirect_uri], client_name="A new host")
        self.server = server
        self.era = era
        self.stack = stack
        self.storage = Storage()
        self.provider = OAuthClientProvider(
            server, metadata, self.storage, redirect_handler=self.show, callback_handler=self.back
        )

    async def show(self, url):
        say({"open": url})

    async def back(self):
        return AuthorizationCodeResult(**await hear())

    async def connect(self):
        await self.stack.aclose()
        if self.server.endswith("/sse"):
            transport = sse_client(self.server, auth=self.provider, timeout=60)
        else:
            http = await self.stack.enter_async_context(httpx.AsyncClient(auth=self.provider, timeout=60))
            transport = streamable_http_client(self.server, http_client=http)
        self.client = await self.stack.enter_async_context(Client(transport, mode=self.era))
        return {"tools": [tool.name for tool in (await self.client.list_tools()).tools]}

    async def call(self):
        answer = await self.client.call_tool(*CALL)
        return {"error": answer.is_error}

    def keep(self, access_token):
        self.provider.context.current_tokens.access_token = access_token
        self.provider.context.token_expiry_time = 1  # it refreshes by its own clock alone

    def kept(self):
        return {
            "access_token": self.storage.tokens.access_token,
            "refresh_token": self.storage.tokens.refresh_token,
            "client_id": self.storage.client.client_id,
        }


async def main(server: str, redirect_uri: str, era: str) -> None:
    async with AsyncExitStack() as stack:
        await serve(NewApp(server, redirect_uri, era, stack))


asyncio.run(main(*sys.argv[1:]))
