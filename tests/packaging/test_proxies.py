"""The files of `deploy/` in the real Caddy and the real nginx, before two real replicas on one PostgreSQL."""

from __future__ import annotations

import base64
import contextlib
import re
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx2 as httpx
import pytest
import yaml
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from proxy_support import DEPLOY, Caddy, Nginx, Proxy, needs

from scalekit_mcp.clock import SystemClock
from scalekit_mcp.demo.browser import Browser, consent
from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.server.callers.session_tokens import SessionTokens
from tests.support.postgres import NoPostgreSQL, new_database, postgresql_server
from tests.support.remote_process import RemoteProcess, free_ports, start

KEY = b"session-key-behind-a-real-proxy-0123456789"
SERVICE_KEY = "service-key-behind-a-real-proxy"
LIST = "outlook_list_calendar_events"
INSIDE = ("/metrics", "/readyz", "/healthz")
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]["server-1"]["environment"]

pytestmark = [pytest.mark.full, pytest.mark.xdist_group("proxies")]


async def no_failure_of_a_server(response: httpx.Response) -> None:
    """Names what answered where the client of MCP would only say that it was an error."""
    if response.status_code >= 500:
        await response.aread()
        raise AssertionError(f"{response.status_code} by {response.headers.get('server')}: {response.text[:300]}")


@dataclass
class Deployment:
    """The proxy, the replicas behind it by port, and how callers reach them."""

    home: Path
    proxy: Proxy
    values: dict[str, str]
    replicas: dict[int, RemoteProcess] = field(default_factory=dict)

    async def start(self, port: int) -> None:
        self.replicas[port] = start(self.home, port=port, **self.values)
        await anyio.to_thread.run_sync(self.replicas[port].wait_until_ready)

    async def stop(self, port: int) -> None:
        assert await anyio.to_thread.run_sync(self.replicas[port].stop) == 0

    def http(self, number: int = 0, **options: Any) -> httpx.AsyncClient:
        """A client at an address of its own, so that not all are routed to one replica."""
        address = f"127.0.{number}.1" if sys.platform == "linux" else None
        transport = httpx.AsyncHTTPTransport(
            verify=self.proxy.verify,
            local_address=address,
            limits=options.pop("limits", httpx.Limits()),
            retries=options.pop("retries", 0),
        )
        return httpx.AsyncClient(transport=transport, timeout=60, **options)

    @property
    def bearer(self) -> dict[str, str]:
        tokens = SessionTokens({"k1": KEY}, audience=f"{self.proxy.public}/mcp", clock=SystemClock())
        return {"authorization": f"Bearer {tokens.mint('ana')[0]}"}

    @contextlib.asynccontextmanager
    async def client(self, era: Any, number: int = 0, **options: Any) -> AsyncIterator[Client]:
        async with (
            self.http(number, headers=self.bearer, **options) as http,
            Client(streamable_http_client(f"{self.proxy.public}/mcp", http_client=http), mode=era) as client,
        ):
            yield client

    @contextlib.asynccontextmanager
    async def sse(self) -> AsyncIterator[Client]:
        def made(headers: Any = None, timeout: Any = None, auth: Any = None) -> httpx.AsyncClient:
            del timeout
            return self.http(headers=headers, auth=auth)

        target = sse_client(f"{self.proxy.public}/sse", headers=self.bearer, httpx_client_factory=made)
        async with Client(target, mode="legacy") as client:
            yield client


@pytest.fixture(scope="module")
def postgresql() -> Any:
    with contextlib.ExitStack() as stack:
        try:
            yield stack.enter_context(postgresql_server())
        except NoPostgreSQL as missing:
            pytest.skip(str(missing) or "there is no PostgreSQL")


@contextlib.asynccontextmanager
async def deployment(home: Path, server_url: str, kind: type[Proxy]) -> AsyncIterator[Deployment]:
    """Both replicas ready and the proxy before them."""
    own, *ports = free_ports(3)
    proxy = kind(home / kind.program, own, ports)
    sandbox = Sandbox()
    sandbox.add_redirect_uri(f"{proxy.public}/oauth/callback")
    async with new_database(server_url) as database_url, sandbox.serve() as microsoft:
        values = {
            **sandbox.environment(microsoft),
            "SCALEKIT_MCP_DATABASE_URL": database_url,
            "SCALEKIT_MCP_VAULT_KEYS": f"v1:{base64.b64encode(b'v' * 32).decode()}",
            "SCALEKIT_MCP_SESSION_KEYS": f"k1:{base64.b64encode(KEY).decode()}",
            "SCALEKIT_MCP_SERVICE_KEY": SERVICE_KEY,
            "SCALEKIT_MCP_PUBLIC_URL": proxy.public,
            **{name: COMPOSE[name] for name in ("SCALEKIT_MCP_STATELESS", "SCALEKIT_MCP_STOP_DELAY_SECONDS")},
        }
        running = Deployment(home, proxy, values)
        try:
            async with anyio.create_task_group() as tasks:
                for port in ports:
                    tasks.start_soon(running.start, port)
            with proxy.running():
                yield running
        finally:
            for replica in running.replicas.values():
                replica.stop(kill=True)


async def connect(running: Deployment) -> None:
    """Dana's consent for Ana, from the link to the code."""
    async with running.client("legacy") as client:
        told = (await client.call_tool(LIST, {})).structured_content or {}
        link = told["error"]["authorization_url"]
        assert link.startswith(f"{running.proxy.public}/connect/")
        async with running.http() as http:
            page = await consent(Browser(http), link, "dana@company.com")
        code = re.search(r"\b[0-9A-HJKMNP-TV-Z]{8}\b", page.text)
        assert code, page.text
        connected = (await client.call_tool("authorize", {"confirmation_code": code[0]})).structured_content
        assert connected
        assert connected["status"] == "ACTIVE"


async def listed(client: Client) -> None:
    result = await client.call_tool(LIST, {})
    assert (result.structured_content or {})["value"], result


async def hidden(running: Deployment) -> None:
    """Nothing of the operator's own pages comes through, in whatever way the path is written, also with the key."""
    key = {"authorization": f"Bearer {SERVICE_KEY}"}
    async with httpx.AsyncClient() as inside, running.http(headers=key) as http:
        for path in INSIDE:
            for base in (replica.base for replica in running.replicas.values()):
                assert (await inside.get(base + path, headers=key)).status_code == 200
            assert (await http.get(running.proxy.public + path)).status_code == 404
            for written in (f"/{path}", f"{path}/", f"/.{path}", f"/%{ord(path[1]):x}{path[2:]}", path.upper()):
                answer = await http.get(running.proxy.public + written, follow_redirects=True)
                assert answer.status_code in (400, 404), written


async def nothing_secret_is_logged(running: Deployment) -> None:
    """Neither links nor codes nor headers, although nobody answers any more and the proxy tells so."""
    headers = {"authorization": "Bearer planted", "cookie": "planted=planted"}
    paths = ("/connect/planted", "/oauth/callback?code=planted&state=planted", "/messages/?session_id=planted", "/mcp")
    async with running.http(headers=headers) as http, anyio.create_task_group() as tasks:

        async def ask(path: str) -> None:
            referer = {} if path == "/mcp" else {"referer": f"{running.proxy.public}/connect/planted"}
            assert (await http.get(running.proxy.public + path, headers=referer)).status_code in (502, 503)

        for path in paths:
            tasks.start_soon(ask, path)
    logs = running.proxy.logs()
    assert "/mcp" in logs
    assert "planted" not in logs


@pytest.mark.parametrize("kind", [Caddy, Nginx], ids=["caddy", "nginx"])
async def test_consent_and_every_transport_pass_the_proxy_and_the_inside_stays_inside(
    tmp_path: Path, postgresql: str, kind: type[Proxy]
) -> None:
    needs(kind)
    with anyio.fail_after(180):
        async with deployment(tmp_path, postgresql, kind) as running:
            await connect(running)
            for era in ("legacy", "auto"):
                async with running.client(era) as client:
                    await listed(client)
            async with running.sse() as client:  # its first event comes before the stream ends
                await listed(client)
            await hidden(running)
            for port in running.proxy.ports:
                running.replicas[port].stop(kill=True)
            await nothing_secret_is_logged(running)


@pytest.mark.parametrize("kind", [Caddy, Nginx], ids=["caddy", "nginx"])
async def test_no_call_fails_while_both_replicas_are_restarted_one_after_the_other(
    tmp_path: Path, postgresql: str, kind: type[Proxy]
) -> None:
    needs(kind)
    served: dict[str, int] = {}
    moved = [anyio.Event()]
    enough = anyio.Event()
    with anyio.fail_after(240):
        async with deployment(tmp_path, postgresql, kind) as running:
            await connect(running)

            def count(name: str) -> None:
                served[name] += 1
                moved[0].set()

            # When nginx reads its file anew, it closes connections that are idle or still shake hands, perhaps just as
            # a request is on the way: here each request has a connection of its own, and connecting is tried again.
            options: dict[str, Any] = {"event_hooks": {"response": [no_failure_of_a_server]}}
            if kind is Nginx:
                options |= {"limits": httpx.Limits(max_keepalive_connections=0), "retries": 3}

            async def keeps_calling(name: str, era: str, number: int) -> None:
                async with running.client(era, number, **options) as client:
                    while not enough.is_set():
                        await listed(client)
                        count(name)

            async def comes_anew(name: str, era: str, number: int) -> None:
                while not enough.is_set():
                    async with running.client(era, number, **options) as client:
                        await listed(client)
                        count(name)

            async def all_are_served_again() -> None:
                before = dict(served)
                while any(served[name] <= before[name] for name in served):
                    moved[0] = anyio.Event()
                    await moved[0].wait()

            async with anyio.create_task_group() as tasks:
                for number in range(4):
                    served |= {f"keeps {number}": 0, f"anew {number}": 0}
                    era = ("legacy", "auto")[number % 2]
                    tasks.start_soon(keeps_calling, f"keeps {number}", era, number)
                    tasks.start_soon(comes_anew, f"anew {number}", era, number + 4)
                await all_are_served_again()
                for port in running.proxy.ports:
                    running.proxy.take_out(port)
                    await running.stop(port)
                    await all_are_served_again()
                    await running.start(port)
                    running.proxy.take_out(None)
                await all_are_served_again()
                enough.set()
