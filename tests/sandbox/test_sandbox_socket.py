"""The sandbox on a real socket."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import httpx2 as httpx
import pytest

from scalekit_mcp.sandbox import Sandbox

DANA, ALICE = "dana@company.com", "alice@company.com"


async def test_the_sandbox_answers_on_both_loopback_addresses_and_stops() -> None:
    sandbox = Sandbox()
    async with sandbox.serve() as base_url, httpx.AsyncClient() as client:
        port = base_url.rpartition(":")[2]
        assert sandbox.url == base_url
        assert (await client.get(f"{base_url}/_sandbox/state")).json()["base_url"] == base_url
        assert (await client.get(f"http://localhost:{port}/_sandbox/state")).status_code == 200
        document = (await client.get(f"{base_url}/common/v2.0/.well-known/openid-configuration")).json()
        assert document["token_endpoint"] == f"{base_url}/common/oauth2/v2.0/token"
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(base_url)


async def test_a_taken_port_is_an_os_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            async with Sandbox().serve(port=taken.getsockname()[1]):
                pass


async def test_a_dropped_connection_is_a_protocol_error_on_the_wire_and_the_server_goes_on() -> None:
    sandbox = Sandbox()
    async with sandbox.serve() as base_url, httpx.AsyncClient() as client:
        headers = {"authorization": f"Bearer {sandbox.access_token(DANA)}"}
        turns: list[Callable[[], None]] = [
            lambda: sandbox.drop_connection("before"),
            lambda: sandbox.drop_connection("after"),
        ]
        for turn in turns:
            turn()
            with pytest.raises(httpx.RemoteProtocolError):
                await client.get(f"{base_url}/v1.0/me/events", headers=headers)
        sandbox.drop_connection("before", area="identity")
        with pytest.raises(httpx.RemoteProtocolError):
            await client.post(f"{base_url}/common/oauth2/v2.0/token", data={"grant_type": "refresh_token"})
        assert (await client.get(f"{base_url}/v1.0/me/events", headers=headers)).status_code == 200


async def test_many_requests_at_once_on_a_socket_all_get_their_own_answer() -> None:
    sandbox = Sandbox()
    async with sandbox.serve() as base_url, httpx.AsyncClient() as client:
        tokens = [sandbox.access_token(address) for address in (DANA, ALICE) for _ in range(10)]
        answers = await asyncio.gather(
            *(client.get(f"{base_url}/v1.0/me", headers={"authorization": f"Bearer {token}"}) for token in tokens)
        )
    owners = [answer.json()["userPrincipalName"] for answer in answers]
    assert owners == [DANA] * 10 + [ALICE] * 10
