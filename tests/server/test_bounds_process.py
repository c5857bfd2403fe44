"""The command with few descriptors and a crowd at its door: it goes on answering, and says little about it."""

from __future__ import annotations

import contextlib
import os
import shlex
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import anyio
import httpx2 as httpx
import pytest

from scalekit_mcp.clock import SystemClock
from scalekit_mcp.server.callers.session_tokens import SessionTokens, parse_keys
from tests.support.bounds import HANG_SECONDS
from tests.support.mcp_messages import ACCEPT, INITIALIZE
from tests.support.processes import command, environment
from tests.support.remote_process import RemoteProcess, free_port

DESCRIPTORS = 256
CROWD = 400
KEYS = "k1:" + "A" * 43 + "="


@contextlib.contextmanager
def server_with_few_descriptors(home: Path) -> Iterator[RemoteProcess]:
    port = free_port()
    log = home / "server.log"
    words = command("serve", "--transport", "http", "--sandbox", "--port", str(port))
    limited = f"ulimit -Sn 128 && ulimit -Hn {DESCRIPTORS} && exec {shlex.join(words)}"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            ["/bin/sh", "-c", limited],
            env=environment(home, SCALEKIT_MCP_SESSION_KEYS=KEYS),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        )
    server = RemoteProcess(port, process, log)
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.stop()


def crowd(port: int, said: bytes) -> contextlib.ExitStack:
    stack = contextlib.ExitStack()
    for _ in range(CROWD):
        stranger = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=HANG_SECONDS))
        with contextlib.suppress(OSError):  # it may have given way already
            stranger.sendall(said)
    return stack


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit of descriptors")
async def test_a_crowd_larger_than_the_descriptors_leaves_callers_and_probes_alone(tmp_path: Path) -> None:
    with anyio.fail_after(2 * HANG_SECONDS), server_with_few_descriptors(tmp_path) as server:
        token, _ = SessionTokens(parse_keys(KEYS), audience=f"{server.base}/mcp", clock=SystemClock()).mint("ana")
        bearer = {**ACCEPT, "authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(base_url=server.base, timeout=HANG_SECONDS) as http:
            opened = await http.post("/mcp", headers=bearer, json=INITIALIZE)
            session = {"mcp-session-id": opened.headers["mcp-session-id"], "mcp-protocol-version": "2025-11-25"}
            async with http.stream("GET", "/mcp", headers={**bearer, **session}) as stream:
                for said in (
                    b"",
                    b"GET / HTTP/1.1\r\nX: ",
                    b"POST /connect/x HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n",
                ):
                    with await anyio.to_thread.run_sync(crowd, server.port, said):
                        assert (await http.get("/healthz")).status_code == 200
                        ping = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
                        assert (await http.post("/mcp", headers={**bearer, **session}, json=ping)).status_code == 200
                for _ in range(200):
                    assert (await http.post("/mcp", headers=ACCEPT, json=INITIALIZE)).status_code == 401
                assert not stream.is_closed
        assert server.process.poll() is None
        log = server.log.read_text("utf-8")
    assert "Traceback" not in log
    assert "out of system resource" not in log
    assert len(log) < 20_000
