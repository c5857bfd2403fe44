"""Failures that wait for their request, as Microsoft usually words them."""

from __future__ import annotations

from scalekit_mcp.sandbox.identity.errors import IdentityError
from scalekit_mcp.sandbox.world import GraphFault, TokenFault

DEFAULT_CLAIMS = '{"access_token":{"acrs":{"essential":true,"value":"c1"}}}'
"""What a claims challenge demands unless it is told otherwise."""


def throttling(seconds: int, *, person: str | None, times: int) -> GraphFault:
    """Graph answers 429 with Retry-After in seconds (Graph page "Microsoft Graph throttling guidance")."""
    return GraphFault(
        status=429,
        code="ApplicationThrottled",
        message="Application is over its MailboxConcurrency limit.",
        headers={"Retry-After": str(seconds)},
        person=person,
        times=times,
    )


def next_token_fault(
    code: int | None,
    *,
    error: str | None = None,
    suberror: str | None = None,
    claims: str | None = None,
    status: int | None = None,
) -> TokenFault:
    """A token fault whose `error`, `suberror` and status are those that usually go with the AADSTS number."""
    usual = IdentityError(code, error=error, suberror=suberror, status=status)
    return TokenFault(code=code, error=usual.error, suberror=usual.suberror, status=usual.status, claims=claims)
