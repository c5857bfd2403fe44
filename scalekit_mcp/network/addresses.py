"""Checks of trusted addresses: where people sign in, where tokens are sent, where browsers are redirected.

One rule for all of them, whether a setting names the address or a call does.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urlsplit

from scalekit_mcp.errors import InvalidInput

MAX_ADDRESS = 2048
"""Longest address that is taken, in characters."""


def is_loopback(host: str | None) -> bool:
    """Whether a host name or IP address is this machine: `localhost`, 127.0.0.0/8 or `::1` (RFC 6890)."""
    name = (host or "").strip("[]").casefold().removesuffix(".")
    if name == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def loopback_hosts(port: int | str) -> tuple[str, ...]:
    """What a `Host` header may call this machine at a port (`*`: at any)."""
    return (f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}")


def leads_to_loopback(url: str) -> bool:
    """Whether the host of an address is this machine; False for an address that cannot be parsed."""
    try:
        return is_loopback(urlsplit(url).hostname)
    except ValueError:
        return False


def trusted_address(value: str, *, query: bool = True, longest: int = MAX_ADDRESS) -> str:
    """The address unchanged if it can be trusted.

    It begins with https://, or with http:// where the host is this machine (what crosses no network needs no TLS). It
    names a host, and neither a user nor a fragment. `query` says whether it may have a query.

    Raises:
        ValueError: it is none; the message fits behind "it" and never quotes the address, which may hold a password.
    """
    if len(value) > longest:
        raise ValueError(f"it is longer than {longest} characters")
    if not value.isascii() or not value.isprintable() or " " in value or "\\" in value:
        raise ValueError(
            "it must be an address without spaces, backslashes or control characters, with other letters encoded"
        )
    try:
        parts = urlsplit(value)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError("it must be an address that begins with https:// and names a host") from error
    if parts.scheme not in {"http", "https"} or not host or port == 0:
        raise ValueError("it must be an address that begins with https:// and names a host")
    if "@" in parts.netloc:
        raise ValueError("it must not hold a user name or a password")
    if parts.scheme == "http" and not is_loopback(host):
        raise ValueError("it must begin with https:// unless the host is localhost")
    _check_rest(value, parts, query=query)
    return value


def trusted_argument(value: str, *, field: str) -> str:
    """An address from a caller's argument, checked as by `trusted_address`; raises `InvalidInput` naming `field`."""
    try:
        return trusted_address(value)
    except ValueError as error:
        raise InvalidInput(f"{field} is not valid: {error}.", field=field) from error


def _check_rest(value: str, parts: SplitResult, *, query: bool) -> None:
    if "#" in value:
        raise ValueError("it must not have a fragment (the part after #)")
    if not query and (parts.query or "?" in value):
        raise ValueError("it must not have a query (the part after ?)")
