"""The proxies of `deploy/` as real processes on loopback, from their real files; only addresses are replaced."""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from packaging_support import ROOT

DEPLOY = ROOT / "deploy"
REPLICAS = ("server-1:8754", "server-2:8754")


class Proxy:
    """One running proxy in front of the replicas at `ports`; `take_out` is what its operator does before a restart."""

    program: str
    scheme: str

    def __init__(self, folder: Path, port: int, ports: list[int]) -> None:
        self.folder = folder
        self.port = port
        self.ports = ports
        self.process: subprocess.Popen[bytes] | None = None
        folder.mkdir()

    @property
    def public(self) -> str:
        return f"{self.scheme}://localhost:{self.port}"

    @property
    def verify(self) -> ssl.SSLContext | bool:
        return True

    def command(self) -> list[str]:
        raise NotImplementedError

    def take_out(self, port: int | None) -> None:
        """Send no new call to this replica; with None, to all again."""

    def logs(self) -> str:
        return "".join(path.read_text("utf-8", "replace") for path in self.folder.glob("*.log"))

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
        return {**kept, "HOME": str(self.folder), "PUBLIC_URL": self.public}

    @contextlib.contextmanager
    def running(self) -> Iterator[Proxy]:
        with (self.folder / "output.log").open("wb") as log:
            self.process = subprocess.Popen(
                self.command(),
                env=self.environment(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            while not self._answers():
                assert self.process.poll() is None, self.logs()
            yield self
        finally:
            self.process.terminate()
            self.process.wait(timeout=30)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def _with_replicas(self, text: str) -> str:
        for name, port in zip(REPLICAS, self.ports, strict=True):
            assert text.count(name) == 1, text
            text = text.replace(name, f"127.0.0.1:{port}")
        return text


class Caddy(Proxy):
    """Adapts `deploy/Caddyfile` by Caddy itself, then changes addresses alone."""

    program = "caddy"
    scheme = "http"

    def environment(self) -> dict[str, str]:
        told = subprocess.run(["caddy", "version"], capture_output=True, text=True, check=True).stdout
        version = re.match(r"v?(\d+)\.(\d+)\.(\d+)", told)
        assert version, told
        old = tuple(map(int, version.groups())) < (2, 6, 4)
        return super().environment() | ({"REQUEST_BUFFERING": "buffer_requests"} if old else {})

    def command(self) -> list[str]:
        adapted = subprocess.run(
            ["caddy", "adapt", "--adapter", "caddyfile", "--config", str(DEPLOY / "Caddyfile")],
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert adapted.returncode == 0, adapted.stderr
        config = json.loads(self._with_replicas(adapted.stdout))
        (server,) = config["apps"]["http"]["servers"].values()
        assert server["listen"] == [f":{self.port}"]
        server["listen"] = [f"127.0.0.1:{self.port}"]
        config["admin"] = {"disabled": True}
        path = self.folder / "caddy.json"
        path.write_text(json.dumps(config), "utf-8")
        return ["caddy", "run", "--config", str(path)]


class Nginx(Proxy):
    """Includes `deploy/nginx.conf` in an http block as the operator's own file would."""

    program = "nginx"
    scheme = "https"

    def __init__(self, folder: Path, port: int, ports: list[int]) -> None:
        super().__init__(folder, port, ports)
        self.certificate = Certificate.made(folder)

    @property
    def verify(self) -> ssl.SSLContext | bool:
        return ssl.create_default_context(cafile=self.certificate.path)

    def command(self) -> list[str]:
        self._write(None)
        line = ["nginx", "-p", str(self.folder), "-e", str(self.folder / "error.log"), "-c"]
        line += [str(self.folder / "nginx.conf")]
        tried = subprocess.run([*line, "-t"], capture_output=True, text=True, check=False)
        assert tried.returncode == 0, tried.stderr
        return line

    def take_out(self, port: int | None) -> None:
        assert self.process
        self._write(port)
        self.process.send_signal(signal.SIGHUP)

    def _write(self, out: int | None) -> None:
        text = self._with_replicas((DEPLOY / "nginx.conf").read_text("utf-8"))
        for old, new in (
            ("listen 443 ssl http2;", f"listen 127.0.0.1:{self.port} ssl http2;"),
            ("server_name calendar.example.com;", "server_name localhost;"),
            (f"server 127.0.0.1:{out};", f"server 127.0.0.1:{out} down;"),
        ):
            assert text.count(old) == 1 or out is None
            text = text.replace(old, new)
        (self.folder / "site.conf").write_text(text, "utf-8")
        temporary = "".join(
            f"{kind}_temp_path {self.folder / kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        # The workers of a server that root starts could not enter the test's private folder.
        user = "user root;\n" if os.geteuid() == 0 else ""
        (self.folder / "nginx.conf").write_text(
            f"{user}daemon off;\nworker_processes 2;\npid {self.folder / 'pid'};\n"
            f"error_log {self.folder / 'error.log'} info;\nevents {{}}\n"
            f"http {{\n{temporary}access_log {self.folder / 'access.log'};\n"
            f"ssl_certificate {self.certificate.path};\nssl_certificate_key {self.certificate.key};\n"
            f"include {self.folder / 'site.conf'};\n}}\n",
            "utf-8",
        )


@dataclass(frozen=True)
class Certificate:
    """A self-signed one for localhost."""

    path: Path
    key: Path = field(repr=False)

    @classmethod
    def made(cls, folder: Path) -> Certificate:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import NameOID

        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        now = dt.datetime.now(dt.UTC)
        signed = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256())
        )
        made = cls(folder / "certificate.pem", folder / "key.pem")
        made.path.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        made.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return made


def needs(kind: type[Proxy]) -> None:
    """Skip the test where the program is not installed."""
    if shutil.which(kind.program) is None:
        pytest.skip(f"{kind.program} is not installed")
