"""The way to other machines (proxies, certificate authorities), and checks of trusted addresses."""

from scalekit_mcp.network.addresses import (
    is_loopback,
    leads_to_loopback,
    loopback_hosts,
    trusted_address,
    trusted_argument,
)
from scalekit_mcp.network.environment import VARIABLES, Network, Proxy
from scalekit_mcp.network.public_addresses import is_public

__all__ = [
    "VARIABLES",
    "Network",
    "Proxy",
    "is_loopback",
    "is_public",
    "leads_to_loopback",
    "loopback_hosts",
    "trusted_address",
    "trusted_argument",
]
