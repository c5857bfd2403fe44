"""A reverse proxy that gives each request to the next backend, as a load balancer without sticky routing does."""

from __future__ import annotations

import contextlib
import itertools
import socket
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpx2 as httpx
import uvicorn

from scalekit_mcp.server.http.protocol import UnsignalledServer

_HOP_BY_HOP = frozenset({b"connection", b"keep-alive", b"transfer-encoding", b"content-length"})


@dataclass
class RoundRobin:
    """`served` says which backend answered which request: (method, path, port), in order.

    `given` has the port of every tool call that a backend has received whole.

    A backend that cannot be reached, or says that it is shutting down before it took the request (503), is passed over.
    """

    ports: list[int]
    port: int = 0
    served: list[tuple[str, str, int]] = field(default_factory=list)
    given: list[int] = field(default_factory=list)

    @property
    def base(self) -> str:
        return f"http://localhost:{self.port}"

    def __post_init__(self) -> None:
        self._next = itertools.count()
        self._clients: dict[int, httpx.AsyncClient] = {}
        self._more = anyio.Event()

    async def until_given(self, calls: int) -> None:
        """Wait until so many tool calls are at their backends."""
        while len(self.given) < calls:
            await self._more.wait()

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncGenerator[RoundRobin]:
        listening = socket.socket()
        listening.bind(("127.0.0.1", self.port))
        listening.listen()
        self.port = listening.getsockname()[1]
        config = uvicorn.Config(self, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1)
        server = UnsignalledServer(config)
        async with contextlib.AsyncExitStack() as stack:
            for port in self.ports:
                client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=120)
                self._clients[port] = await stack.enter_async_context(client)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(lambda: server.serve(sockets=[listening]))
                while not server.started:
                    await anyio.lowlevel.checkpoint()
                try:
                    yield self
                finally:
                    server.should_exit = True

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        first = next(self._next)
        for turn in range(len(self.ports)):
            port = self.ports[(first + turn) % len(self.ports)]

            async def trace(event: str, _: Any, port: int = port) -> None:
                if event == "http11.send_request_body.complete" and b'"tools/call"' in body:
                    self.given.append(port)
                    self._more.set()
                    self._more = anyio.Event()

            request = self._clients[port].build_request(
                scope["method"],
                scope["path"] + (f"?{scope['query_string'].decode()}" if scope["query_string"] else ""),
                headers=[(k, v) for k, v in scope["headers"] if k not in _HOP_BY_HOP],
                content=body,
                extensions={"trace": trace},
            )
            try:
                answer = await self._clients[port].send(request, stream=True)
            except httpx.ConnectError:
                continue
            except httpx.TransportError:
                break  # it had the request: nobody knows how far it came
            if answer.status_code == 503 and turn + 1 < len(self.ports):
                await answer.aclose()
                continue
            self.served.append((scope["method"], scope["path"], port))
            await self._pass_on(answer, send)
            return
        await send({"type": "http.response.start", "status": 502, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def _pass_on(self, answer: httpx.Response, send: Any) -> None:
        headers = [(k.lower(), v) for k, v in answer.headers.raw if k.lower() not in _HOP_BY_HOP]
        await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
        try:
            async for chunk in answer.aiter_raw():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        finally:
            await answer.aclose()
        await send({"type": "http.response.body", "body": b""})
