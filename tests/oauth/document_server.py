"""A real https server on loopback that publishes clients' documents, and counts every connection that is made to it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.proxies import make_authority


@dataclass
class DocumentServer:
    """Answers every request with what `answers` holds for its target; `hold` keeps answers back until it is set."""

    port: int = 0
    answers: dict[str, bytes] = field(default_factory=dict[str, bytes])
    connections: int = 0
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list[tuple[str, dict[str, str]]])
    arrived: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    hold: asyncio.Event | None = None
    trusting: ssl.SSLContext = field(default_factory=ssl.create_default_context)

    def publish(self, target: str, content: bytes, *, status: str = "200 OK", headers: str = "") -> None:
        kind = "" if "content-type" in headers else "content-type: application/json\r\n"
        head = f"HTTP/1.1 {status}\r\ncontent-length: {len(content)}\r\n{kind}{headers}connection: close\r\n\r\n"
        self.answers[target] = head.encode() + content

    async def requests_come(self, number: int) -> None:
        """Wait until so many more requests have arrived."""
        async with asyncio.timeout(5):
            for _ in range(number):
                await self.arrived.acquire()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            target = lines[0].split(" ")[1]
            headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
            self.requests.append((target, headers))
            self.arrived.release()
            if self.hold is not None:
                await self.hold.wait()
            writer.write(self.answers.get(target, b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"))
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def document_server(folder: Path, *names: str) -> AsyncGenerator[DocumentServer]:
    """A server whose certificate stands for `names`, on 127.0.0.1."""
    authority = make_authority(folder, *names)
    server = DocumentServer(trusting=ssl.create_default_context(cafile=str(authority.file)))

    def accepted() -> asyncio.StreamReaderProtocol:
        server.connections += 1  # before the handshake: one that fails counts too
        return asyncio.StreamReaderProtocol(asyncio.StreamReader(), server.serve)

    listening = await asyncio.get_running_loop().create_server(accepted, "127.0.0.1", 0, ssl=authority.tls)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        if server.hold is not None:
            server.hold.set()
        listening.close()
        await listening.wait_closed()
