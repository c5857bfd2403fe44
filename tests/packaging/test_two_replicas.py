"""Two replicas on one database behind a proxy that sends each request to the other one, as docs/hosting.md promises."""

from __future__ import annotations

import base64
import contextlib
import itertools
import os
import re
import signal
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx2 as httpx
import pytest
import uvicorn
from anyio.abc import Process
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from scalekit_mcp.clock import SystemClock
from scalekit_mcp.demo.browser import Browser, consent
from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.server.callers.session_tokens import SessionTokens
from scalekit_mcp.server.http.protocol import UnsignalledServer
from tests.support.postgres import NoPostgreSQL, new_database, postgresql_server
from tests.support.processes import command, environment

KEY = b"session-key-of-the-two-replicas-0123456789"
LIST = "outlook_list_calendar_events"


@dataclass
class Proxy:
    """Round robin over the replicas; counts who answered what."""

    replicas: list[str]
    answered: list[tuple[str, str]]
    http: httpx.AsyncClient
    turn: Any

    async def __call__(self, request: Request) -> Response:
        headers = [(name, value) for name, value in request.headers.raw if name != b"content-length"]
        body = await request.body()
        for _ in self.replicas:
            base = self.replicas[next(self.turn) % len(self.replicas)]
            url = f"{base}{request.url.path}" + (f"?{request.url.query}" if request.url.query else "")
            try:
                answer = await self.http.request(request.method, url, content=body, headers=headers)
            except httpx.ConnectError:
                continue  # refused: the other one
            self.answered.append((base, request.url.path.split("/")[1]))
            response = Response(answer.content, status_code=answer.status_code)
            kept = [pair for pair in answer.headers.raw if pair[0].lower() not in (b"content-length", b"connection")]
            response.raw_headers = [*kept, (b"content-length", str(len(answer.content)).encode())]
            return response
        return Response(status_code=502)


def listening() -> socket.socket:
    opened = socket.socket()
    opened.bind(("127.0.0.1", 0))
    opened.listen()
    return opened


@contextlib.asynccontextmanager
async def proxied(proxy: Proxy, opened: socket.socket) -> AsyncIterator[None]:
    methods = ["GET", "POST", "DELETE"]

    async def endpoint(request: Request) -> Response:
        return await proxy(request)

    app = Starlette(routes=[Route("/{path:path}", endpoint, methods=methods)])
    server = UnsignalledServer(uvicorn.Config(app, log_config=None, access_log=False))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: server.serve(sockets=[opened]))
        try:
            yield
        finally:
            server.should_exit = True


async def up(http: httpx.AsyncClient, base: str) -> None:
    while True:
        try:
            if (await http.get(f"{base}/readyz")).status_code == 200:
                return
        except httpx.TransportError:
            await anyio.sleep(0.05)  # the process is starting; bounded by the caller


@contextlib.asynccontextmanager
async def replica(folder: Path, port: int, values: dict[str, str]) -> AsyncIterator[Process]:
    await anyio.Path(folder).mkdir()
    with (folder / "log").open("wb") as log:
        line = command("serve", "--transport", "http", "--port", str(port))
        async with await anyio.open_process(line, env=environment(folder, **values), stdout=log, stderr=log) as process:
            try:
                yield process
            finally:
                if process.returncode is None:
                    process.terminate()


async def whole_life(folder: Path, database_url: str) -> Proxy:
    """Consent, code and calls through the proxy; then one replica goes, and the other serves on."""
    outside, ports = listening(), [0, 0]
    for number in range(2):
        with listening() as probe:
            ports[number] = probe.getsockname()[1]
    public = f"http://localhost:{outside.getsockname()[1]}"
    tokens = SessionTokens({"k1": KEY}, audience=f"{public}/mcp", clock=SystemClock())
    sent = {"authorization": f"Bearer {tokens.mint('ana')[0]}"}
    async with contextlib.AsyncExitStack() as stack:
        microsoft = await stack.enter_async_context(Sandbox().serve())
        values = {
            **Sandbox().environment(microsoft),
            "SCALEKIT_MCP_DATABASE_URL": database_url,
            "SCALEKIT_MCP_VAULT_KEYS": f"v1:{base64.b64encode(b'v' * 32).decode()}",
            "SCALEKIT_MCP_SESSION_KEYS": f"k1:{base64.b64encode(KEY).decode()}",
            "SCALEKIT_MCP_PUBLIC_URL": public,
            "SCALEKIT_MCP_STATELESS": "true",
        }
        processes = [await stack.enter_async_context(replica(folder / str(port), port, values)) for port in ports]
        plain = await stack.enter_async_context(httpx.AsyncClient(timeout=60))
        bases = [f"http://127.0.0.1:{port}" for port in ports]
        for base in bases:
            await up(plain, base)
        proxy = Proxy(bases, [], plain, itertools.count())
        await stack.enter_async_context(proxied(proxy, outside))
        for era in ("legacy", "auto"):
            async with (
                httpx.AsyncClient(headers=sent, timeout=60) as http,
                Client(streamable_http_client(f"{public}/mcp", http_client=http), mode=era) as client,
            ):
                told = (await client.call_tool(LIST, {})).structured_content
                if era == "legacy":
                    async with httpx.AsyncClient(timeout=60) as http_of_person:
                        page = await consent(
                            Browser(http_of_person), told["error"]["authorization_url"], "dana@company.com"
                        )
                    found = re.search(r"\b[0-9A-HJKMNP-TV-Z]{8}\b", page.text)
                    assert found, page.text
                    connected = await client.call_tool("authorize", {"confirmation_code": found[0]})
                    assert connected.structured_content["status"] == "ACTIVE"
                for _ in range(4):
                    assert (await client.call_tool(LIST, {})).structured_content["value"]
        processes[0].send_signal(signal.SIGTERM)
        await processes[0].wait()
        async with (
            httpx.AsyncClient(headers=sent, timeout=60) as http,
            Client(streamable_http_client(f"{public}/mcp", http_client=http)) as client,
        ):
            assert (await client.call_tool(LIST, {})).structured_content["value"]
        return proxy


pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM for another process")


async def test_consent_and_calls_go_back_and_forth_between_two_replicas_on_one_file(tmp_path: Path):
    with anyio.fail_after(120):
        proxy = await whole_life(tmp_path, f"sqlite+aiosqlite:///{(tmp_path / 'vault.sqlite3').as_posix()}")
    for part in ("mcp", "connect", "oauth"):
        assert {base for base, path in proxy.answered if path == part} == set(proxy.replicas), part


@pytest.mark.full
async def test_consent_and_calls_go_back_and_forth_between_two_replicas_on_postgresql(tmp_path: Path):
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(postgresql_server())
        except NoPostgreSQL as missing:
            pytest.skip(str(missing) or "there is no PostgreSQL")
        async with new_database(server) as database_url:
            with anyio.fail_after(120):
                proxy = await whole_life(tmp_path, database_url)
    for part in ("mcp", "connect", "oauth"):
        assert {base for base, path in proxy.answered if path == part} == set(proxy.replicas), part
