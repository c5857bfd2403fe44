"""An app on `fastmcp` that signs in by `auth="oauth"`. Argument: the server's address. See `app_protocol`.

It listens for the way back itself; the address for the browser comes out of a browser that is registered with Python.
"""

import asyncio
import sys
import webbrowser
from contextlib import AsyncExitStack

from app_protocol import CALL, say, serve
from fastmcp import Client


class Teller(webbrowser.BaseBrowser):
    """A browser that says where it is sent to."""

    def open(self, url, new=0, autoraise=True):
        say({"open": url})
        return True


class FastApp:
    """The app; it lives in `stack`."""

    def __init__(self, server, stack):
        self.stack = stack
        self.client = Client(server, auth="oauth")
        self.oauth = self.client.transport.auth

    async def connect(self):
        await self.stack.aclose()
        await self.stack.enter_async_context(self.client)
        return {"tools": [tool.name for tool in await self.client.list_tools()]}

    async def call(self):
        answer = await self.client.call_tool(*CALL, raise_on_error=False)
        return {"error": answer.is_error}

    def keep(self, access_token):
        self.oauth.context.current_tokens.access_token = access_token
        self.oauth.context.token_expiry_time = 1

    def kept(self):
        context = self.oauth.context
        return {
            "access_token": context.current_tokens.access_token,
            "refresh_token": context.current_tokens.refresh_token,
            "client_id": context.client_info.client_id,
        }


async def main(server: str) -> None:
    async with AsyncExitStack() as stack:
        await serve(FastApp(server, stack))


webbrowser.register("teller", None, Teller(), preferred=True)
asyncio.run(main(sys.argv[1]))
