"""A server process of its own, over HTTP, for the tour of a remote host."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
from base64 import b64encode
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import httpx2 as httpx
from anyio.abc import Process

from scalekit_mcp.demo.steps import StepError
from scalekit_mcp.network import Network

START_SECONDS = 60
END_SECONDS = 20
_OURS = ("SCALEKIT_", "MICROSOFT_")


@dataclass(frozen=True, slots=True)
class RemoteServer:
    """Where it answers, and the key of its operator."""

    base_url: str
    service_key: str = field(repr=False)


def open_http(*, cookies: bool = False) -> httpx.AsyncClient:
    """A client for addresses of this machine; its user closes it."""
    return Network().client([], make=httpx.AsyncClient, cookies=cookies)


@asynccontextmanager
async def remote_server(folder: Path, log: Path, microsoft: dict[str, str]) -> AsyncGenerator[RemoteServer]:
    """A server process on a free port, once it answers.

    Raises:
        StepError: it ended, or it does not answer in time.
    """
    port = _free_port()
    server = RemoteServer(f"http://localhost:{port}", secrets.token_urlsafe(32))
    keys = {name: f"demo:{b64encode(secrets.token_bytes(32)).decode()}" for name in ("VAULT", "SESSION")}
    command = [sys.executable, "-m", "scalekit_mcp", "serve", "--transport", "http", "--auth", "microsoft"]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(_OURS)},
        **microsoft,
        "SCALEKIT_MCP_MODE": "embedded",
        "SCALEKIT_MCP_PORT": str(port),
        "SCALEKIT_MCP_PUBLIC_URL": server.base_url,
        "SCALEKIT_MCP_SERVICE_KEY": server.service_key,
        "SCALEKIT_MCP_DATABASE_URL": f"sqlite+aiosqlite:///{(folder / 'vault.sqlite3').as_posix()}",
        **{f"SCALEKIT_MCP_{name}_KEYS": key for name, key in keys.items()},
    }
    with log.open("w", encoding="utf-8") as stderr:
        process = await anyio.open_process(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr, env=environment
        )
        try:
            await _until_ready(f"{server.base_url}/readyz", process, log)
            yield server
        finally:
            with anyio.CancelScope(shield=True):
                if process.returncode is None:
                    process.terminate()
                with anyio.move_on_after(END_SECONDS) as waited:
                    await process.wait()
                if waited.cancelled_caught:
                    process.kill()
                    await process.wait()


async def _until_ready(url: str, process: Process, log: Path) -> None:
    with anyio.move_on_after(START_SECONDS):
        async with open_http() as http:
            while process.returncode is None:
                try:
                    if (await http.get(url)).status_code == 200:
                        return
                except httpx.TransportError:
                    pass
                await anyio.sleep(0.1)
    said = await anyio.Path(log).read_text(encoding="utf-8", errors="replace")
    raise StepError(f"the server did not start; it said:\n{said[-2000:]}")


def _free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
