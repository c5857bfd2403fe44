"""Two servers on one machine, and a vault that does not open."""

import base64
import hashlib
import secrets
from pathlib import Path

import httpx2 as httpx
from mcp import Client
from mcp.client.stdio import stdio_client

from scalekit_mcp.demo.browser import Browser, consent
from scalekit_mcp.sandbox import Sandbox
from tests.support.processes import server

LIST = "outlook_list_calendar_events"


def key(name: str) -> str:
    return f"{name}:{base64.b64encode(secrets.token_bytes(32)).decode()}"


def fingerprint(folder: Path) -> dict[str, str]:
    """What the vault's tables hold (the write-ahead log is not the content)."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("vault.sqlite3")}


async def connected(client: Client, address: str) -> None:
    refused = await client.call_tool(LIST, {"top": 1})
    assert refused.structured_content is not None
    link = refused.structured_content["error"]["authorization_url"]
    async with httpx.AsyncClient(timeout=20) as http:
        page = await consent(Browser(http), link, address)
    assert page.status == 200


async def test_two_servers_share_a_vault_and_want_the_same_port(tmp_path):
    """The second one takes another port, and both see an account that either connected."""
    sandbox = Sandbox()
    async with sandbox.serve() as base_url:
        values = {**sandbox.environment(base_url), "SCALEKIT_MCP_VAULT_KEYS": key("k1")}
        with (tmp_path / "log").open("w") as log:
            first_process = stdio_client(server(tmp_path, "--identifier", "ana", **values), errlog=log)
            second_process = stdio_client(server(tmp_path, "--identifier", "ana", **values), errlog=log)
            async with (
                Client(first_process, read_timeout_seconds=60) as first,
                Client(second_process, read_timeout_seconds=60) as second,
            ):
                one = await first.call_tool("authorize", {})
                await connected(second, "dana@company.com")
                answer = await first.call_tool(LIST, {"top": 1})
    assert one.structured_content is not None
    assert one.structured_content["status"] == "PENDING"
    assert not answer.is_error, answer.content


async def test_a_vault_that_the_key_at_hand_does_not_open_is_refused_and_untouched(tmp_path):
    sandbox = Sandbox()
    async with sandbox.serve() as base_url:
        values = sandbox.environment(base_url)
        with (tmp_path / "log").open("w") as log:
            right = server(tmp_path, "--identifier", "ana", **values, SCALEKIT_MCP_VAULT_KEYS=key("right"))
            async with Client(stdio_client(right, errlog=log), read_timeout_seconds=60) as client:
                await connected(client, "dana@company.com")
                assert not (await client.call_tool(LIST, {"top": 1})).is_error
            (folder,) = {path.parent for path in tmp_path.rglob("vault.sqlite3")}
            before = fingerprint(folder)
            wrong = server(tmp_path, "--identifier", "ana", **values, SCALEKIT_MCP_VAULT_KEYS=key("wrong"))
            async with Client(stdio_client(wrong, errlog=log), read_timeout_seconds=60) as client:
                refused = await client.call_tool(LIST, {"top": 1})
            assert refused.is_error
            assert refused.structured_content is not None
            assert refused.structured_content["error"]["code"] == "vault_error"
            assert "right" in refused.structured_content["error"]["message"]
            assert fingerprint(folder) == before
            async with Client(stdio_client(right, errlog=log), read_timeout_seconds=60) as client:
                assert not (await client.call_tool(LIST, {"top": 1})).is_error
