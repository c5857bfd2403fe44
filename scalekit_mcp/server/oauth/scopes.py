"""The scopes of our own tokens: what a host asks for, what it gets, and which resource it means."""

from __future__ import annotations

from urllib.parse import urlsplit

from scalekit_mcp.languages import said
from scalekit_mcp.server.callers.caller import READ_SCOPE, WRITE_SCOPE

OFFLINE_ACCESS = "offline_access"
"""Taken and without effect: a refresh token is always issued. Hosts ask for it where the metadata lists it."""
RESOURCE_PATHS = ("", "/mcp", "/sse")

SCOPE_WORDS = {
    READ_SCOPE: said("permission.calendar_read"),
    WRITE_SCOPE: said("permission.calendar_write"),
}


def supported_scopes(*, read_only: bool) -> tuple[str, ...]:
    """The scopes that this server knows."""
    return (READ_SCOPE,) if read_only else (READ_SCOPE, WRITE_SCOPE)


def granted_scopes(asked: str | None, *, read_only: bool) -> tuple[str, ...]:
    """What a request for scopes is granted: those of ours, else all of them.

    Foreign ones are ignored, and asking never fails: some hosts ask for `openid profile email`, some for nothing, some
    with a blank in front. Writing implies reading.
    """
    supported = supported_scopes(read_only=read_only)
    ours = set(supported) & set((asked or "").split())
    if WRITE_SCOPE in ours:
        ours.add(READ_SCOPE)
    return tuple(scope for scope in supported if scope in ours) or supported


def refreshed_scopes(asked: str | None) -> tuple[str, ...] | None:
    """The scopes that a refresh asks for (RFC 6749 section 6); None, for none of ours, asks for those of the grant."""
    ours = set((asked or "").split())
    return tuple(scope for scope in (READ_SCOPE, WRITE_SCOPE) if scope in ours) or None


def is_our_resource(resource: str, public_url: str) -> bool:
    """Whether a resource indicator (RFC 8707) means this server: its origin, `/mcp` or `/sse`.

    With a trailing slash or without, the host in any case.
    """
    try:
        parts = urlsplit(resource)
    except ValueError:
        return False
    if parts.query or parts.fragment or "#" in resource or "?" in resource:
        return False
    path = parts.path.removesuffix("/")
    return f"{parts.scheme}://{parts.netloc}".casefold() == public_url.casefold() and path in RESOURCE_PATHS
