"""How this process reaches other machines, and which addresses may carry trust."""

from scalekit_mcp.network.addresses import (
    is_loopback,
    leads_to_loopback,
    loopback_hosts,
    trusted_address,
    trusted_argument,
)
from scalekit_mcp.network.environment import VARIABLES, Network, Proxy

__all__ = [
    "VARIABLES",
    "Network",
    "Proxy",
    "is_loopback",
    "leads_to_loopback",
    "loopback_hosts",
    "trusted_address",
    "trusted_argument",
]
