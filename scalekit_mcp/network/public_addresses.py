"""Which IP addresses are on the public internet: the guard for addresses that somebody else names.

`ipaddress.is_global` alone is not enough. On Python 3.11 it is true for multicast, for NAT64 and 6to4 addresses of
loopback, and for the deprecated IPv4-compatible ones (RFC 4291 section 2.5.5.1).
"""

from __future__ import annotations

import ipaddress

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
"""All that IANA has given out for unicast on the internet."""


def is_public(address: str) -> bool:
    """Whether an IP address, and every one that it carries inside, is a unicast address of the public internet."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv4Address):
        return _is_public_v4(parsed)
    if parsed.scope_id is not None:
        return False
    if parsed.ipv4_mapped is not None:
        return _is_public_v4(parsed.ipv4_mapped)
    if parsed in _NAT64:
        return _is_public_v4(ipaddress.IPv4Address(int(parsed) & 0xFFFF_FFFF))
    inside = [*(parsed.teredo or ()), *((parsed.sixtofour,) if parsed.sixtofour else ())]
    return parsed in _GLOBAL_UNICAST and parsed.is_global and all(map(_is_public_v4, inside))


def _is_public_v4(address: ipaddress.IPv4Address) -> bool:
    return address.is_global and not address.is_multicast and not address.is_reserved
