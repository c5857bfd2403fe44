"""Requests written to a socket by hand: HTTP clients do not send what these tests send."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable

import anyio
import anyio.lowlevel
from anyio.abc import SocketStream
from http_support import Remote


@contextlib.asynccontextmanager
async def connected(server: Remote) -> AsyncIterator[SocketStream]:
    async with await anyio.connect_tcp("127.0.0.1", int(server.base.rsplit(":", 1)[1])) as stream:
        yield stream


async def everything(stream: SocketStream) -> bytes:
    """What the server sends until it ends the connection."""
    answer = b""
    with contextlib.suppress(anyio.BrokenResourceError, anyio.EndOfStream):
        while True:
            answer += await stream.receive()
    return answer


async def answer_to(server: Remote, *parts: bytes | Iterable[bytes]) -> bytes:
    """What the server sends back, while the parts are being sent; a part may be endless."""
    answers: list[bytes] = []
    async with connected(server) as stream, anyio.create_task_group() as tasks:

        async def send() -> None:
            with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
                for part in parts:
                    for piece in (part,) if isinstance(part, bytes) else part:
                        await stream.send(piece)
                        await anyio.lowlevel.checkpoint()

        tasks.start_soon(send)
        answers.append(await everything(stream))
        tasks.cancel_scope.cancel()
    return answers[0]


def status_of(answer: bytes) -> int:
    """The status of the first answer; 0 where there is none."""
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0
