"""Replicas as processes on one PostgreSQL, each request to the next one."""

from __future__ import annotations

import contextlib
import secrets
from base64 import b64encode
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from scalekit_mcp.sandbox import Sandbox
from tests.support import postgres
from tests.support.remote_process import RemoteProcess, free_ports, start
from tests.support.round_robin import RoundRobin


@dataclass
class Replicas:
    """The processes behind the proxy, and the look-alike behind them."""

    home: Path
    values: dict[str, str]
    proxy: RoundRobin
    sandbox: Sandbox
    processes: dict[int, RemoteProcess] = field(default_factory=dict)

    async def start(self, port: int) -> None:
        server = start(self.home, port=port, **self.values)
        self.processes[port] = server
        await anyio.to_thread.run_sync(server.wait_until_ready)

    async def stop(self, port: int, *, kill: bool = False) -> None:
        await anyio.to_thread.run_sync(lambda: self.processes[port].stop(kill=kill))

    async def restart(self, port: int, *, kill: bool = False) -> None:
        """As a roll-out does it: SIGTERM, wait, start; or after a crash."""
        await self.stop(port, kill=kill)
        await self.start(port)

    def last(self, method: str = "", path: str = "/") -> int:
        """The port of the replica that answered last."""
        return next(port for m, p, port in reversed(self.proxy.served) if m.startswith(method) and p.startswith(path))


def key(name: str = "k1") -> str:
    return f"{name}:{b64encode(secrets.token_bytes(32)).decode()}"


@contextlib.asynccontextmanager
async def replicas(home: Path, count: int, **values: str) -> AsyncGenerator[Replicas]:
    """So many replicas that answer; the test is skipped where there is no PostgreSQL."""
    with contextlib.ExitStack() as stack:
        try:
            server_url = await anyio.to_thread.run_sync(stack.enter_context, postgres.postgresql_server())
        except postgres.NoPostgreSQL as exc:
            pytest.skip(str(exc))
        sandbox = Sandbox()
        async with (
            postgres.new_database(server_url) as database_url,
            sandbox.serve() as microsoft,
            RoundRobin(free_ports(count)).serving() as proxy,
        ):
            given = {
                **sandbox.environment(microsoft),
                "SCALEKIT_MCP_PUBLIC_URL": proxy.base,
                "SCALEKIT_MCP_DATABASE_URL": database_url,
                "SCALEKIT_MCP_VAULT_KEYS": key(),
                "SCALEKIT_MCP_SESSION_KEYS": key(),
                "SCALEKIT_MCP_STATELESS": "true",
                **values,
            }
            running = Replicas(home, given, proxy, sandbox)
            try:
                async with anyio.create_task_group() as tasks:
                    for port in proxy.ports:
                        tasks.start_soon(running.start, port)
                yield running
            finally:
                for port in running.processes:
                    running.processes[port].stop(kill=True)
