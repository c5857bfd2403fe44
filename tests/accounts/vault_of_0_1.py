"""Run beside the code of version 0.1: makes a vault with an account in each status, as its users have them.

`python vault_of_0_1.py SANDBOX_URL`, with the settings in the environment; prints the accounts as JSON.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress

import anyio
import httpx2 as httpx

import scalekit_mcp
from scalekit_mcp import ScalekitClient
from scalekit_mcp.demo.browser import Browser, consent
from scalekit_mcp.errors import AuthorizationRequired

DANA, ALICE, BOB = "dana@company.com", "alice@company.com", "bob@company.com"
LIST = "outlook_list_calendar_events"


def agree(client: ScalekitClient, identifier: str, person: str) -> None:
    link = client.actions.get_authorization_link(identifier=identifier).link

    async def open_and_accept() -> None:
        async with httpx.AsyncClient(timeout=30) as http:
            page = await consent(Browser(http), link, person)
            assert page.status == 200, page.text

    anyio.run(open_and_accept)
    client.actions.execute_tool({"top": 1}, LIST, identifier)


def main(sandbox_url: str) -> None:
    assert scalekit_mcp.__version__ == "0.1.0"
    with ScalekitClient() as client:
        agree(client, "ana", DANA)
        agree(client, "bea", ALICE)
        client.actions.disconnect(identifier="bea")
        agree(client, "dee", BOB)
        for switch in ("expire_access_tokens", "expire_refresh_tokens"):
            httpx.post(f"{sandbox_url}/_sandbox/{switch}", json={"address": BOB}).raise_for_status()
        with suppress(AuthorizationRequired):
            client.actions.execute_tool({"top": 1}, LIST, "dee")
        client.actions.get_authorization_link(identifier="cem")
        accounts = client.actions.list_connected_accounts().connected_accounts
        sys.stdout.write(json.dumps({each.identifier: [each.id, each.status, each.reason] for each in accounts}))


if __name__ == "__main__":
    main(sys.argv[1])
