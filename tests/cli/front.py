"""A reverse proxy in front of a real server, which may spoil the answers as proxies, caches and firewalls do."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anyio
import httpx2 as httpx
import uvicorn

from scalekit_mcp.server.http.protocol import UnsignalledServer


@dataclass(frozen=True)
class Reply:
    """One answer on its way to the client; `headers` by their small names."""

    status: int
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""

    def saying(self, old: str, new: str) -> Reply:
        return replace(self, body=self.body.replace(old.encode(), new.encode()))

    def without(self, *names: str) -> Reply:
        return replace(self, headers={name: value for name, value in self.headers.items() if name not in names})


def page(status: int, **headers: str) -> Reply:
    """A web page of somebody else."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, {"content-type": "text/html; charset=utf-8", **named}, b"<html>Just a moment...</html>")


Spoil = Callable[[str, str, Reply], Reply]
"""Changes an answer, given the request's method and its path with its query."""


@dataclass
class Front:
    """Hands requests on to `backend`, a base address; `asked` is what came, in order."""

    backend: str
    port: int
    spoil: Spoil = lambda _method, _target, reply: reply
    asked: list[str] = field(default_factory=list[str])

    @property
    def base(self) -> str:
        return f"http://localhost:{self.port}"

    @contextlib.asynccontextmanager
    async def serving(self, *, certificate: tuple[Path, Path] | None = None) -> AsyncGenerator[Front]:
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", self.port))
        listening.listen()
        files = {} if certificate is None else {"ssl_certfile": certificate[0], "ssl_keyfile": certificate[1]}
        config = uvicorn.Config(self, log_config=None, access_log=False, lifespan="off", **files)  # type: ignore[arg-type]
        server = UnsignalledServer(config)
        async with (
            httpx.AsyncClient(base_url=self.backend, timeout=20) as self._http,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(lambda: server.serve(sockets=[listening]))
            while not server.started:
                await anyio.lowlevel.checkpoint()
            try:
                yield self
            finally:
                server.should_exit = True

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        target = scope["path"] + (f"?{scope['query_string'].decode()}" if scope["query_string"] else "")
        self.asked.append(f"{scope['method']} {target}")
        headers = [pair for pair in scope["headers"] if pair[0] not in (b"connection", b"accept-encoding")]
        answer = await self._http.request(scope["method"], target, content=body, headers=headers)
        kept = {name: value for name, value in answer.headers.items() if name not in ("content-length", "connection")}
        reply = self.spoil(scope["method"], target, Reply(answer.status_code, kept, answer.content))
        raw = [(name.encode(), value.encode()) for name, value in reply.headers.items()]
        await send({"type": "http.response.start", "status": reply.status, "headers": raw})
        await send({"type": "http.response.body", "body": reply.body})
