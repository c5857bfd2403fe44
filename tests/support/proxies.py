"""Real proxies on loopback that lead every name to one plain HTTP server, TLS included, and note what they were asked.

A name such as `login.example` does not exist: who reaches the server behind it came through the proxy.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


@dataclass
class Authority:
    """A certificate authority of this test: what clients trust, and what the server behind a proxy shows."""

    file: Path
    tls: ssl.SSLContext


def make_authority(folder: Path, *names: str, ended: timedelta = -timedelta(days=1)) -> Authority:
    """An authority whose one certificate stands for `names`; it ended that long ago, or ends in a day."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority of a test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=400))
        .not_valid_after(now - ended)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([*map(x509.DNSName, names), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    file, private = folder / "authority.pem", folder / "authority.key"
    file.write_bytes(certificate.public_bytes(Encoding.PEM))
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(file, private)
    return Authority(file, tls)


@dataclass
class TestProxy:
    """A proxy that listens on `port`; `asked` are the hosts and ports that it was told to reach."""

    __test__ = False
    kind: str
    target: int
    tls: ssl.SSLContext
    login: tuple[str, str] | None = None
    refusal: str = "403 Forbidden"
    port: int = 0
    asked: list[str] = field(default_factory=list[str])
    running: set[asyncio.Task[None]] = field(default_factory=set["asyncio.Task[None]"])

    def url(self, scheme: str) -> str:
        """The proxy's address as a setting."""
        user = f"{self.login[0]}:{self.login[1]}@" if self.login else ""
        return f"{scheme}://{user}127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until either side ends it or the proxy does."""
        task = asyncio.current_task()
        assert task is not None
        self.running.add(task)
        try:
            shakes = {"socks": self._socks, "http": self._connect, "mute": self._mute, "refusing": self._refuse}
            with contextlib.suppress(EOFError, OSError, asyncio.LimitOverrunError, asyncio.CancelledError):
                if await shakes[self.kind](reader, writer):
                    await writer.start_tls(self.tls)
                    await self._relay(reader, writer)
        finally:
            await _close(writer)
            self.running.discard(task)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind_reader, behind_writer = await asyncio.open_connection("127.0.0.1", self.target)
        try:
            await asyncio.gather(pump(reader, behind_writer), pump(behind_reader, writer))
        finally:
            await _close(behind_writer)

    async def end(self) -> None:
        """End every connection and wait until its sockets are closed."""
        running = list(self.running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _mute(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Something that listens there and is no proxy."""
        await reader.read(1)
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        await writer.drain()
        return False

    async def _refuse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """A proxy that leads to no host, or to none without a login."""
        self.asked.append((await reader.readuntil(b"\r\n\r\n")).decode().split()[1])
        writer.write(f"HTTP/1.1 {self.refusal}\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        return False

    async def _socks(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """The handshake of RFC 1928, with the login of RFC 1929 where one is asked for."""
        _, count = await reader.readexactly(2)
        methods = await reader.readexactly(count)
        wanted = 2 if self.login else 0
        writer.write(bytes([5, wanted if wanted in methods else 255]))
        if wanted not in methods:
            return False
        if self.login:
            _, length = await reader.readexactly(2)
            user = (await reader.readexactly(length)).decode()
            password = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
            good = (user, password) == self.login
            writer.write(bytes([1, 0 if good else 1]))
            if not good:
                return False
        _, _, _, kind = await reader.readexactly(4)
        if kind == 3:
            host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        else:
            host = str(ipaddress.ip_address(await reader.readexactly(4 if kind == 1 else 16)))
        self.asked.append(f"{host}:{int.from_bytes(await reader.readexactly(2))}")
        writer.write(bytes([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]))
        await writer.drain()
        return True

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """The CONNECT of RFC 9110 section 9.3.6."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.asked.append(head.split()[1])
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await writer.drain()
        return True


async def pump(source: asyncio.StreamReader, drain: asyncio.StreamWriter) -> None:
    """Pass on what comes until one side ends."""
    with contextlib.suppress(OSError):
        while data := await source.read(65_536):
            drain.write(data)
            await drain.drain()
    drain.close()


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    try:
        async with asyncio.timeout(1):  # a TLS peer that is gone never says good-bye
            await writer.wait_closed()
    except (OSError, ssl.SSLError):
        writer.transport.abort()


@asynccontextmanager
async def proxy(
    kind: str,
    *,
    target: int,
    authority: Authority,
    login: tuple[str, str] | None = None,
    refusal: str = "403 Forbidden",
) -> AsyncGenerator[TestProxy]:
    """A proxy of a kind (`socks`, `http`, `mute`, `refusing`) in front of the plain HTTP server at port `target`."""
    made = TestProxy(kind, target, authority.tls, login, refusal)
    async with await asyncio.start_server(made.serve, "127.0.0.1", 0) as server:
        made.port = server.sockets[0].getsockname()[1]
        try:
            yield made
        finally:
            server.close()
            await made.end()
