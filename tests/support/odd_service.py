"""A service on a socket that answers every request with the bytes that a test chooses, as odd as they may be."""

from __future__ import annotations

import asyncio
import gzip
import sys
import zlib
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager

MEGABYTE = 1024 * 1024

Bytes = Callable[[], Iterable[bytes]]


def plain(size: int, *, status: str = "200 OK", headers: str = "") -> Bytes:
    """A body of `size` bytes in pieces, its length announced."""

    def pieces() -> Iterable[bytes]:
        yield f"HTTP/1.1 {status}\r\ncontent-length: {size}\r\n{headers}\r\n".encode()
        for sent in range(0, size, MEGABYTE):
            yield b"x" * min(MEGABYTE, size - sent)

    return pieces


def endless(*, status: str = "200 OK") -> Bytes:
    """A chunked body that never ends."""

    def pieces() -> Iterable[bytes]:
        yield f"HTTP/1.1 {status}\r\ntransfer-encoding: chunked\r\n\r\n".encode()
        while True:
            yield b"10000\r\n" + b"x" * 65536 + b"\r\n"

    return pieces


def whole(body: bytes, *, status: str = "200 OK", headers: str = "content-type: application/json\r\n") -> Bytes:
    """A body that is sent whole."""
    return lambda: [f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n{headers}\r\n".encode() + body]


def bomb(encoding: str, megabytes: int) -> Bytes:
    """A body of zeros that is small on the wire and large unpacked."""
    wbits = {"gzip": 31, "deflate": 15, "raw deflate": -15}[encoding]
    packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    packed = b"".join(packer.compress(b"\0" * MEGABYTE) for _ in range(megabytes)) + packer.flush()
    return whole(packed, headers=f"content-encoding: {encoding.removeprefix('raw ')}\r\n")


def zipped(body: bytes) -> Bytes:
    """An ordinary gzip answer."""
    return whole(gzip.compress(body), headers="content-encoding: gzip\r\n")


def silent() -> Bytes:
    """Takes the request and answers nothing until the client goes."""
    return list


def cut_off(body: bytes) -> Bytes:
    """A body that ends before its announced length; what follows never comes."""
    return lambda: [f"HTTP/1.1 200 OK\r\ncontent-length: {len(body) + 10}\r\n\r\n".encode() + body]


@asynccontextmanager
async def odd_service(answer: Bytes) -> AsyncGenerator[str]:
    """The base URL of a service that gives this answer to everything."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await _request(reader):
                for piece in answer():
                    writer.write(piece)
                    await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        if sys.version_info >= (3, 13):
            server.close_clients()


async def _request(reader: asyncio.StreamReader) -> bool:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return False
    length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    await reader.readexactly(length)
    return True
