"""Who is calling: the user of a request, determined for every request in this one place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mcp.server.context import ServerRequestContext

from scalekit_mcp.accounts import NOBODY_EXPECTED, ExpectedPerson
from scalekit_mcp.errors import ConfigurationError, PermissionMissing

READ_SCOPE = "calendar.read"
WRITE_SCOPE = "calendar.write"

RequestContext = ServerRequestContext[Any, Any]


@dataclass(frozen=True, slots=True)
class Caller:
    """A verified caller: whose account it is, and what the credential allows.

    `expected` is what the credential says of the person who will sign in.
    """

    identifier: str
    can_read: bool = True
    can_write: bool = True
    expected: ExpectedPerson = NOBODY_EXPECTED


Identify = Callable[[RequestContext], Caller | str]
"""Names the caller of one request; an identifier alone may do everything. Raises `ScalekitMCPError` for nobody."""


def current_caller(identify: Identify, context: RequestContext) -> Caller:
    """The caller of this request; raises what `identify` raises."""
    caller = identify(context)
    return Caller(caller) if isinstance(caller, str) else caller


def fixed_caller(identifier: str | None) -> Identify:
    """The caller of a stdio server (or of a server without authentication): the configured identifier."""

    def identify(_: RequestContext) -> Caller:
        if identifier is None:
            raise ConfigurationError(
                "No identifier is configured for this session.",
                next_step="Start the server with --identifier or set SCALEKIT_MCP_IDENTIFIER.",
            )
        return Caller(identifier)

    return identify


def authenticated_caller(context: RequestContext) -> Caller:
    """The caller that the HTTP layer verified for this very request, on every transport and protocol revision."""
    from mcp.server.auth.middleware.auth_context import get_access_token

    token = get_access_token()
    if token is None or not token.subject:
        raise PermissionMissing(
            "This request carries no verified caller.",
            next_step="Connect with a valid bearer token.",
            who_acts="operator",
        )
    claims = token.claims or {}
    hint, tid, oid = (claims.get(name) for name in ("email", "tid", "oid"))
    return Caller(
        identifier=token.subject,
        can_read=READ_SCOPE in token.scopes,
        can_write=WRITE_SCOPE in token.scopes,
        expected=ExpectedPerson(
            login_hint=hint if isinstance(hint, str) else None,
            account=(tid, oid) if isinstance(tid, str) and isinstance(oid, str) else None,
        ),
    )
