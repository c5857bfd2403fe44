"""How this process reaches other machines: the proxies and certificate authorities that the environment names.

Every HTTP client of the product is built here. What leads to this machine itself goes directly, whatever is set.
Variables as curl and Python's `urllib.request` read them (`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`, small
letters first) and as OpenSSL does (`SSL_CERT_FILE`, `SSL_CERT_DIR`).
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies

from scalekit_mcp.errors import ConfigurationError
from scalekit_mcp.network.addresses import leads_to_loopback
from scalekit_mcp.network.choice import proxy_for

if TYPE_CHECKING:
    import ssl

    import httpx2 as httpx

C = TypeVar("C", bound="httpx.AsyncClient")

TIMEOUT_SECONDS = 20.0

_KINDS = ("https", "http", "all")
_SCHEMES = {"http": "http", "https": "https", "socks": "socks5h", "socks5": "socks5h", "socks5h": "socks5h"}
"""What a proxy's address may begin with, and what it stands for. With SOCKS the proxy looks names up."""
_HASHED_NAME = re.compile(r"[0-9a-fA-F]{8}\.\d+")
_SYSTEM = "the proxy settings of this system"
_CA_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
VARIABLES = (
    *(spelled for kind in (*_KINDS, "no") for spelled in (f"{kind}_proxy", f"{kind}_proxy".upper())),
    *_CA_VARIABLES,
)
"""Every variable that is read here."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy for `https`, `http` or `all` addresses; `variable` is what named it. The address may hold a password."""

    kind: str
    variable: str
    url: str = field(repr=False)

    def __str__(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]} ({self.variable})"


@dataclass(frozen=True, slots=True)
class Network:
    """The proxies and certificate authorities that environment variables name. Opens nothing until `client` is called.

    `values` are environment variables by name; `named` tells where the value of one came from.
    """

    values: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)
    named: Callable[[str], str] = field(default=str, repr=False)

    def proxies(self) -> tuple[Proxy, ...]:
        """The proxies that are set; raises `ConfigurationError` with one sentence per unusable one."""
        found = [(kind, *value) for kind in _KINDS if (value := self._proxy(kind)) is not None]
        if not found and sys.platform in {"win32", "darwin"}:
            system = getproxies()  # what the user set for the whole machine
            found = [(kind, _SYSTEM, system[kind]) for kind in _KINDS if system.get(kind)]
        problems: list[str] = []
        proxies: list[Proxy] = []
        for kind, variable, text in found:
            try:
                proxies.append(Proxy(kind, variable, _proxy_address(text)))
            except ValueError as error:
                problems.append(f"{self.named(variable)} is not valid: {error}.")
        if any(proxy.url.startswith("socks") for proxy in proxies) and find_spec("socksio") is None:
            problems.append("A SOCKS proxy is set, and the package 'socksio' is not installed: install it.")
        if problems:
            raise ConfigurationError(*problems)
        return tuple(proxies)

    def proxy_of(self, url: str) -> Proxy | None:
        """The proxy that requests to an address go through; None where they go directly, as to this machine."""
        return None if leads_to_loopback(url) else self.proxy_of_others(url)

    def proxy_of_others(self, url: str) -> Proxy | None:
        """The proxy that other programs would use, which reach this machine directly only where `NO_PROXY` says so."""
        parts = urlsplit(url)
        proxies = {proxy.kind: proxy for proxy in self.proxies()}
        return proxy_for(
            parts.scheme, parts.hostname or "", parts.port, proxies=proxies, without_proxy=self.without_proxy()
        )

    def without_proxy(self) -> tuple[str, ...]:
        """The entries of `NO_PROXY`."""
        text = self.values.get("no_proxy") or self.values.get("NO_PROXY") or ""
        return tuple(text.replace(",", " ").split())

    def authorities(self) -> tuple[str, str]:
        """`SSL_CERT_FILE` and `SSL_CERT_DIR`, empty where not set; raises `ConfigurationError` for unusable ones."""
        file, folders = (self.values.get(name, "") for name in _CA_VARIABLES)
        of_folders = _folder_fault(folders) if folders else None
        of_file = _file_fault(file, "" if of_folders else folders) if file else None
        problems = [
            f"{self.named(name)} is not valid: {fault}."
            for name, fault in zip(_CA_VARIABLES, (of_file, of_folders), strict=True)
            if fault is not None
        ]
        if problems:
            raise ConfigurationError(*problems)
        return file, folders

    def check(self, addresses: Iterable[str]) -> None:
        """Raise `ConfigurationError`, with all problems, if `addresses` cannot be reached with these settings.

        Proxies do not matter where every address is this machine, nor authorities where none is https.
        """
        wanted = [address for address in addresses if address]
        checks: list[Callable[[], object]] = []
        if any(not leads_to_loopback(address) for address in wanted):
            checks.append(self.proxies)
        if any(address.lower().startswith("https:") for address in wanted):
            checks.append(self.authorities)
        problems: list[str] = []
        for check in checks:
            try:
                check()
            except ConfigurationError as error:
                problems += error.problems
        if problems:
            raise ConfigurationError(*problems)

    def client(
        self,
        addresses: Iterable[str],
        *,
        make: Callable[..., C],
        timeout: httpx.Timeout | float = TIMEOUT_SECONDS,
        cookies: bool = False,
        **options: Any,
    ) -> C:
        """An HTTP client for requests to `addresses` and wherever they lead, made by `make`; its owner closes it.

        It follows no redirect by itself. Without `cookies` it keeps none: those of a login host would travel from one
        user's request to another's. Raises `ConfigurationError`, as `check` does.
        """
        from scalekit_mcp.network.routes import Routes

        wanted = [address for address in addresses if address]
        self.check(wanted)
        outside = any(not leads_to_loopback(address) for address in wanted)
        return make(
            transport=Routes(
                proxies={proxy.kind: proxy.url for proxy in self.proxies()} if outside else {},
                without_proxy=self.without_proxy(),
                tls=self.tls(),
            ),
            trust_env=False,
            timeout=timeout,
            follow_redirects=False,
            cookies=None if cookies else CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            **options,
        )

    def description(self) -> str:
        """One line for `doctor`: proxies, exceptions, authorities; raises `ConfigurationError`."""
        proxies = self.proxies()
        said = f"proxies {', '.join(map(str, proxies))}" if proxies else "no proxy"
        if proxies and self.without_proxy():
            said += f", none for {', '.join(self.without_proxy())} (NO_PROXY)"
        named = [f"{path} ({name})" for name, path in zip(_CA_VARIABLES, self.authorities(), strict=True) if path]
        return f"{said}; certificate authorities: {' and '.join(named) or 'those of this system'}"

    def tls(self) -> ssl.SSLContext:
        """What trusts the authorities of the environment, or those of the system where it names none."""
        try:
            return _context(*self.authorities())
        except ConfigurationError:
            return _context("", "")  # nothing that is called needs TLS, or the check would have refused

    def _proxy(self, kind: str) -> tuple[str, str] | None:
        """The variable and the value of one kind. A web server hands a request's `Proxy` header on as `HTTP_PROXY`."""
        for name in (f"{kind}_proxy", f"{kind}_proxy".upper()):
            if self.values.get(name, "").strip() and not (name == "HTTP_PROXY" and "REQUEST_METHOD" in self.values):
                return name, self.values[name]
        return None


LONGEST_PROXY_ADDRESS = 2_000
"""In characters. Python reads some addresses in a time that grows with the square of their length."""


def _proxy_address(text: str) -> str:
    """A proxy's address as the HTTP client takes it; raises ValueError, whose words never quote it."""
    address = text.strip()
    if "://" not in address:
        address = f"http://{address}"
    expected = "it must be a proxy's address, such as http://proxy.example:8080 or socks5://127.0.0.1:1080"
    if len(address) > LONGEST_PROXY_ADDRESS:
        raise ValueError(expected)
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(expected) from error
    if parts.scheme not in _SCHEMES:
        raise ValueError(
            f"a proxy's address begins with http://, https://, socks5:// or socks5h://, not {parts.scheme[:20]}://"
        )
    if not host or port == 0 or any(character.isspace() or not character.isprintable() for character in address):
        raise ValueError(expected)
    return f"{_SCHEMES[parts.scheme]}://{parts.netloc}"


def _file_fault(file: str, folders: str) -> str | None:
    """Why a file of authorities cannot be used; None if it can. It is read together with `folders`, once for both."""
    import ssl

    path = Path(file)
    try:
        if path.is_dir():
            return "it names a folder, which is what SSL_CERT_DIR is for"
        if not path.exists():
            return "it names a file that does not exist"
        _context(file, folders)
    except ssl.SSLError:
        return "it names a file without a certificate; it must be a PEM file of certificate authorities"
    except (OSError, ValueError) as error:
        return f"it names a file that cannot be read ({getattr(error, 'strerror', None) or 'no path'})"
    return None


def _folder_fault(folders: str) -> str | None:
    """Why folders of authorities cannot be used: OpenSSL looks them up by hashed names, in folders joined as `PATH`."""
    try:
        present = [path for part in folders.split(os.pathsep) if part and (path := Path(part)).is_dir()]
        names = [entry.name for path in present for entry in path.iterdir()]
    except (OSError, ValueError) as error:
        return f"it names a folder that cannot be read ({getattr(error, 'strerror', None) or 'no path'})"
    if not present:
        return "it names a folder that does not exist"
    if not any(_HASHED_NAME.fullmatch(name) for name in names):
        return "its folder holds no certificate with a hashed name; `openssl rehash FOLDER` gives them"
    return None


@lru_cache(maxsize=8)
def _context(file: str, folder: str) -> ssl.SSLContext:
    """Whom TLS trusts: these authorities, else those of the system, whose list takes some 20 ms to read."""
    import ssl

    if not file and not folder:
        from httpx2 import create_ssl_context

        return create_ssl_context(trust_env=False)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(file or None, folder or None)
    return context
