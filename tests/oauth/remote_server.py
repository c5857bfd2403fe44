"""A server process that signs people in with Microsoft, for which the sandbox stands in, and what happens to access."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx2 as httpx
import jwt

from scalekit_mcp.cli.http import _derived  # pyright: ignore[reportPrivateUsage] - the keys of the process
from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.server.callers.session_tokens import parse_keys
from tests.support.bounds import HANG_SECONDS
from tests.support.processes import command
from tests.support.remote_process import RemoteProcess, start

SESSION_KEYS = f"one:{'MDEy' * 10}MDE="


@asynccontextmanager
async def serving(
    home: Path, port: int | None = None, /, **values: str
) -> AsyncGenerator[tuple[Sandbox, RemoteProcess]]:
    """A server process in this mode whose Microsoft is the sandbox of the test."""
    sandbox = Sandbox()
    async with AsyncExitStack() as stack:
        microsoft = await stack.enter_async_context(sandbox.serve())
        given = {**sandbox.environment(microsoft), **values}
        yield sandbox, await stack.enter_async_context(signing_in_process(home, port, **given))


@asynccontextmanager
async def signing_in_process(home: Path, port: int | None = None, /, **values: str) -> AsyncGenerator[RemoteProcess]:
    """A server process in this mode; what an earlier one of the same `home` has kept is there."""
    given = {"SCALEKIT_MCP_AUTH": "microsoft", "SCALEKIT_MCP_SESSION_KEYS": SESSION_KEYS, **values}
    server = start(home, port=port, **given)
    try:
        await anyio.to_thread.run_sync(server.wait_until_ready)
        yield server
    finally:
        await anyio.to_thread.run_sync(server.stop)


def expired(access_token: str) -> str:
    """An access token of `serving` as it is two hours later: the same, but issued two hours earlier."""
    header = jwt.get_unverified_header(access_token)
    claims = jwt.decode(access_token, options={"verify_signature": False})
    earlier = {name: claims[name] - 7_200 for name in ("iat", "exp")}
    key = _derived(parse_keys(SESSION_KEYS), b"access tokens")[header["kid"]]
    return jwt.encode({**claims, **earlier}, key, algorithm=header["alg"], headers=header)


async def apps_of(server: RemoteProcess, identifier: str, *arguments: str) -> list[dict[str, Any]]:
    """The apps of an account, as the command line lists them."""
    asked = command("accounts", "hosts", identifier, "--json", *arguments)
    return json.loads((await anyio.run_process(asked, env=server.environment)).stdout)


async def end_access(server: RemoteProcess, identifier: str) -> list[str]:
    """Take an account away from all its apps, as an operator does it; what these call themselves."""
    apps = await apps_of(server, identifier)
    for app in apps:
        await apps_of(server, identifier, "--end", app["grant"])
    return [app["client_name"] for app in apps]


async def refusal(server: RemoteProcess, access_token: str) -> str:
    """The challenge with which a token is refused; what a process has read of a grant is good for two seconds."""
    headers = {"Authorization": f"Bearer {access_token}"}
    async with httpx.AsyncClient(headers=headers) as http:
        with anyio.fail_after(HANG_SECONDS):
            while (told := await http.post(f"{server.base}/mcp", json={})).status_code != 401:
                pass
    return told.headers["www-authenticate"]
