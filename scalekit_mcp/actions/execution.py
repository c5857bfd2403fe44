"""What every tool call goes through, whoever keeps the tokens: reading the input, `authorize`, the deadline."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from scalekit_mcp.actions.authorize import Requester, account_guidance, run_authorize
from scalekit_mcp.actions.models import ToolResult
from scalekit_mcp.actions.options import CallOptions
from scalekit_mcp.actions.protocol import Actions
from scalekit_mcp.call_deadline import before_deadline
from scalekit_mcp.errors import AuthorizationRequired, PermissionMissing
from scalekit_mcp.tools import Arguments, Authorize, noted


async def execute(
    actions: Actions,
    arguments: Arguments,
    requester: Requester,
    run: Callable[[], Awaitable[ToolResult]],
    options: CallOptions,
) -> ToolResult:
    """The answer of `authorize`, or what `run` brings within the time that a call has."""
    if isinstance(arguments, Authorize):
        return ToolResult((await run_authorize(actions, arguments, requester)).answer())
    return await before_deadline(run, clock=options.clock, seconds=options.call_seconds)


async def add_link(
    actions: Actions, error: PermissionMissing, requester: Requester, begin: Callable[[], Awaitable[str]]
) -> None:
    """Put the link that `begin` gives into a refusal: the way to the missing permission.

    Where a code stands on somebody's screen no link is given, which would void it; the refusal says to type the code.
    """
    try:
        link = await begin()
    except AuthorizationRequired:
        error.next_step = (await account_guidance(actions, requester)).guidance.next_step
    else:
        error.details.setdefault("authorization_url", link)


async def offer_link(result: ToolResult, begin: Callable[[], Awaitable[str]]) -> None:
    """Put the link that `begin` gives beside an answer for which a further permission would have found more.

    Where a code stands on somebody's screen no link is given, which would void it.
    """
    try:
        link = await begin()
    except AuthorizationRequired:
        return
    told = noted(*result.get("notes", ()), "If the user wants that, they open authorization_url and agree.")
    result |= {"authorization_url": link} | told.members()
