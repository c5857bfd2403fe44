"""A host on `mcp` 1.x that connects by OAuth. Arguments: the server's address and the redirect URI.

It prints the address for the browser as a line and reads the query of the way back as a line; last it prints what it
got as JSON.
"""

import asyncio
import json
import sys
from urllib.parse import parse_qs

from mcp import ClientSession
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamablehttp_client
from mcp.shared.auth import OAuthClientMetadata


class Storage:
    """What the host keeps."""

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


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def show(url: str) -> None:
    say(url)


async def back() -> tuple[str, str | None]:
    line = await asyncio.to_thread(sys.stdin.readline)
    query = parse_qs(line.strip())
    return query["code"][0], query["state"][0]


async def main(server: str, redirect_uri: str) -> None:
    storage = Storage()
    provider = OAuthClientProvider(
        server, OAuthClientMetadata(redirect_uris=[redirect_uri], client_name="An old host"), storage, show, back
    )
    results = []
    for _ in range(2):  # the second time the token has run out by the host's clock
        async with (
            streamablehttp_client(server, auth=provider) as (reading, writing, _session),
            ClientSession(reading, writing) as session,
        ):
            await session.initialize()
            answer = await session.call_tool("outlook_list_calendar_events", {"top": 1})
            results.append({"error": answer.isError, "refresh_token": storage.tokens.refresh_token})
        provider.context.token_expiry_time = 1
    say(json.dumps(results))


asyncio.run(main(sys.argv[1], sys.argv[2]))
