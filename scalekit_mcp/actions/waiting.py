"""Waiting until an authorization attempt ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from scalekit_mcp.actions.models import AttemptState, ConnectedAccountResponse, ConnectedAccountView
from scalekit_mcp.clock import Clock

_RUNNING = frozenset({AttemptState.LINK_GIVEN.value, AttemptState.AT_PROVIDER.value})


async def wait_for_attempt(
    read: Callable[[], Awaitable[ConnectedAccountView]],
    *,
    clock: Clock,
    timeout_seconds: float,
    poll_seconds: float,
    verification: str,
) -> ConnectedAccountResponse:
    """Read the account until its attempt ends, fails, or needs a code typed, or the time is over; the account then.

    With verification at the operator's page (`url`) held tokens need nobody here, and the wait goes on.
    """
    began = clock.now()
    while True:
        account = await read()
        running = account.attempt_state in _RUNNING or (account.held and verification == "url")
        left = timeout_seconds - (clock.now() - began).total_seconds()
        if not running or left <= 0:
            return ConnectedAccountResponse(account)
        await clock.sleep(min(poll_seconds, left))
