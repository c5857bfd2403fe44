"""Which proxy a request goes through: one rule for the requests themselves and for what `doctor` says of them."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import TypeVar

P = TypeVar("P")
_PORTS = {"http": 80, "https": 443}


def proxy_for(
    scheme: str, host: str, port: int | None, *, proxies: Mapping[str, P], without_proxy: Iterable[str]
) -> P | None:
    """The one of `proxies` (by `https`, `http` and `all`) for an address; None for the direct way.

    `without_proxy` are the entries of `NO_PROXY`.
    """
    proxy = proxies.get(scheme) or proxies.get("all")
    if proxy is None:
        return None
    port = port or _PORTS.get(scheme, 0)
    return None if any(excepts(entry, host, port) for entry in without_proxy) else proxy


def excepts(entry: str, host: str, port: int) -> bool:
    """Whether an entry of `NO_PROXY` stands for a host and port.

    `*` is every host; `example.com`, `.example.com` and `*.example.com` are that host and all below it (curl,
    `--noproxy`); `10.0.0.0/8` is a network; `example.com:8443` holds for that port alone.
    """
    rule = entry.strip().casefold()
    if rule == "*":
        return True
    bare = host.strip("[]").casefold().rstrip(".")
    try:
        return ipaddress.ip_address(bare) in ipaddress.ip_network(rule.replace("[", "").replace("]", ""), strict=False)
    except (ValueError, TypeError):
        pass
    name, colon, digits = rule.rpartition(":")
    if colon and digits.isdigit():
        if int(digits) != port:
            return False
        rule = name
    rule = rule.strip("[]").removeprefix("*").removeprefix(".").rstrip(".")
    return bool(rule) and (bare == rule or bare.endswith(f".{rule}"))
