"""Two stdio servers of one person: a link is good for as long as the process that gave it serves it."""

from __future__ import annotations

import base64
import secrets
from pathlib import Path

import httpx2 as httpx
from mcp import Client
from mcp.client.stdio import stdio_client

from scalekit_mcp.actions.own_vault.own_vault import listener_alive
from scalekit_mcp.demo.browser import Browser, consent
from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.sandbox.serving import serving
from scalekit_mcp.server.stdio.listener import Listener
from tests.accounts.accounts_support import DANA
from tests.support.processes import server


async def link_of(client: Client) -> str:
    answer = await client.call_tool("authorize", {})
    assert answer.structured_content is not None
    return answer.structured_content["authorization_url"]


async def test_the_link_of_a_process_that_ended_is_superseded_and_that_of_a_living_one_is_given_again(tmp_path: Path):
    sandbox = Sandbox()
    async with sandbox.serve() as base_url:
        keys = f"k1:{base64.b64encode(secrets.token_bytes(32)).decode()}"
        values = {**sandbox.environment(base_url), "SCALEKIT_MCP_VAULT_KEYS": keys}
        with (tmp_path / "log").open("w") as log:

            def process() -> Client:
                started = stdio_client(server(tmp_path, "--identifier", "ana", **values), errlog=log)
                return Client(started, read_timeout_seconds=60)

            async with process() as second:
                async with process() as first:
                    of_first = await link_of(first)
                    assert await link_of(second) == of_first
                of_second = await link_of(second)
                assert of_second != of_first
                async with httpx.AsyncClient(timeout=20) as http:
                    page = await consent(Browser(http), of_second, DANA)
                assert page.status == 200
                answer = await second.call_tool("authorize", {})
                assert answer.structured_content is not None
                assert answer.structured_content["status"] == "ACTIVE"


async def test_only_our_own_pages_count_as_a_listener_that_answers():
    sandbox = Sandbox()
    async with serving(sandbox.app, port=0, host="127.0.0.1") as base_url:
        assert not await listener_alive(f"http://localhost:{base_url.rsplit(':', 1)[1]}/oauth/callback")
    assert not await listener_alive("http://localhost:9/oauth/callback")
    assert await listener_alive("https://calendar.example/oauth/callback")
    async with Listener(preferred_port=0) as listener:
        base = await listener.base_url()
        # Nothing stands behind these pages yet: an error page is not the way back.
        assert not await listener_alive(f"{base}/oauth/callback")
