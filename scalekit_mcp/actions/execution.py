"""What every tool call goes through, whoever keeps the tokens: reading the input, `authorize`, the deadline."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from scalekit_mcp.actions.authorize import Requester, account_guidance, run_authorize
from scalekit_mcp.actions.inputs import tool_arguments
from scalekit_mcp.actions.models import ToolResult
from scalekit_mcp.actions.options import CallOptions
from scalekit_mcp.actions.protocol import Actions
from scalekit_mcp.call_deadline import before_deadline
from scalekit_mcp.errors import AuthorizationRequired, PermissionMissing
from scalekit_mcp.tools import Arguments, Authorize, noted

Run = Callable[[Arguments], Awaitable[ToolResult]]


async def execute(
    actions: Actions,
    tool_name: str,
    tool_input: Mapping[str, Any] | Arguments | None,
    begin: Callable[[], tuple[Requester, Run]],
    options: CallOptions,
) -> ToolResult:
    """Run a tool of ours or of Scalekit's catalogue: `authorize`, or a calendar tool within the time that a call has.

    `begin` checks whose account is meant and gives who asks and what runs a calendar tool there; it is asked once the
    arguments were read. Raises `InvalidInput`, and what `begin` and the run raise.
    """

    async def run_ours(name: str, given: Mapping[str, Any] | Arguments | None) -> ToolResult:
        arguments = tool_arguments(name, given)
        requester, run = begin()
        if isinstance(arguments, Authorize):
            return ToolResult((await run_authorize(actions, arguments, requester)).answer())
        return await before_deadline(partial(run, arguments), clock=options.clock, seconds=options.call_seconds)

    if isinstance(tool_input, Arguments):  # of ours, and read already
        return await run_ours(tool_name, tool_input)
    # Loaded with the first call that may be of the catalogue.
    from scalekit_mcp.actions.catalogue.calls import run_of_catalogue

    answer = await run_of_catalogue(tool_name, tool_input, run_ours)
    return await run_ours(tool_name, tool_input) if answer is None else answer


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
