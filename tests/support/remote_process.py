"""`scalekit-mcp serve --transport http` as a process of its own, on a loopback port."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import httpx2 as httpx

from tests.support.processes import command, environment

START_SECONDS = 60


def free_port() -> int:
    """A port that nobody listens on just now."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """Different ports that nobody listens on just now."""
    with contextlib.ExitStack() as probes:
        sockets = [probes.enter_context(socket.socket()) for _ in range(count)]
        for probe in sockets:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in sockets]


@dataclass
class RemoteProcess:
    """One server process; `log` is what it wrote to stderr, `environment` is for other commands of the same server."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path
    environment: dict[str, str] = field(default_factory=dict[str, str], repr=False)

    @property
    def base(self) -> str:
        return f"http://localhost:{self.port}"

    def wait_until_ready(self) -> None:
        """Raises AssertionError with the log if the process ends or does not answer in time."""
        began = time.monotonic()
        while time.monotonic() - began < START_SECONDS:
            assert self.process.poll() is None, self.log.read_text(encoding="utf-8")[-3000:]
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"http://127.0.0.1:{self.port}/readyz", timeout=5).status_code == 200:
                    return
        raise AssertionError(self.log.read_text(encoding="utf-8")[-3000:])

    def stop(self, *, kill: bool = False) -> int:
        """End the process, by force with `kill`; its exit status."""
        if self.process.poll() is None:
            self.process.kill() if kill else self.process.terminate()
        return self.process.wait(timeout=40)


def start(home: Path, *arguments: str, port: int | None = None, **values: str) -> RemoteProcess:
    """Start one; not ready yet."""
    port = port or free_port()
    log = home / f"server-{port}.log"
    given = environment(home, **{"SCALEKIT_MCP_PUBLIC_URL": f"http://localhost:{port}", **values})
    with log.open("ab") as stderr:
        process = subprocess.Popen(
            command("serve", "--transport", "http", "--port", str(port), *arguments),
            env=given,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        )
    return RemoteProcess(port, process, log, given)


@contextlib.contextmanager
def remote_process(home: Path, *arguments: str, **values: str) -> Generator[RemoteProcess]:
    """One that answers, ended afterwards."""
    server = start(home, *arguments, port=None, **values)
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.stop()


async def until_healthy(base: str) -> None:
    """Wait until the server there answers; the caller bounds the wait."""
    async with httpx.AsyncClient() as http:
        while True:
            try:
                if (await http.get(f"{base}/healthz")).status_code == 200:
                    return
            except httpx.TransportError:
                await anyio.sleep(0.02)  # the process is starting; bounded by the caller
