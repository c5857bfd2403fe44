"""An app on `mcp` 1.x that signs in. Arguments: the server's address and the redirect URI. See `app_protocol`.

An address that ends with `/sse` is spoken to by HTTP+SSE.
"""

import asyncio
import sys
from contextlib import AsyncExitStack

from app_protocol import CALL, hear, say, serve
from mcp import ClientSession
from mcp.client.auth import OAuthClientProvider
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamablehttp_client
from mcp.shared.auth import OAuthClientMetadata


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


class OldApp:
    """The app; it lives in `stack`."""

    def __init__(self, server, redirect_uri, stack):
        metadata = OAuthClientMetadata(redirect_uris=[redirect_uri], client_name="An old host")
        self.server = server
        self.stack = stack
        self.storage = Storage()
        self.provider = OAuthClientProvider(server, metadata, self.storage, self.show, self.back)

    async def show(self, url):
        say({"open": url})

    async def back(self):
        query = await hear()
        return query["code"], query["state"]

    async def connect(self):
        await self.stack.aclose()
        speak = sse_client if self.server.endswith("/sse") else streamablehttp_client
        reading, writing, *_ = await self.stack.enter_async_context(speak(self.server, auth=self.provider, timeout=60))
        self.session = await self.stack.enter_async_context(ClientSession(reading, writing))
        await self.session.initialize()
        return {"tools": [tool.name for tool in (await self.session.list_tools()).tools]}

    async def call(self):
        answer = await self.session.call_tool(*CALL)
        return {"error": answer.isError}

    def keep(self, access_token):
        self.provider.context.current_tokens.access_token = access_token
        self.provider.context.token_expiry_time = 1  # this generation refreshes by its own clock alone

    def kept(self):
        return {
            "access_token": self.storage.tokens.access_token,
            "refresh_token": self.storage.tokens.refresh_token,
            "client_id": self.storage.client.client_id,
        }


async def main(server: str, redirect_uri: str) -> None:
    async with AsyncExitStack() as stack:
        await serve(OldApp(server, redirect_uri, stack))


asyncio.run(main(sys.argv[1], sys.argv[2]))
