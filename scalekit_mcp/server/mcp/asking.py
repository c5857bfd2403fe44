"""Questions to the user through the client: by URL or form elicitation, inside a call or between its rounds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

import anyio
from mcp import MCPError
from mcp.types import (
    CallToolRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitRequestURLParams,
    ElicitResult,
    InputRequiredResult,
)
from mcp.types.version import is_version_at_least

from scalekit_mcp.actions import ConnectedAccountView
from scalekit_mcp.confirmation_code import MAX_TYPED_CHARACTERS
from scalekit_mcp.errors import ScalekitMCPError
from scalekit_mcp.server.callers.caller import RequestContext
from scalekit_mcp.server.mcp.call_state import CallState

MODERN_VERSION = "2026-07-28"
URL_KEY = "outlook_sign_in"
CODE_KEY = "outlook_confirmation_code"
MAIL_KEY = "outlook_confirm_call"
ASK_FOR_CODE = "Type the confirmation code that the sign-in page shows."
CODE_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "confirmation_code": {
            "type": "string",
            "title": "Confirmation code",
            "description": "Eight characters, shown by the page after signing in.",
            "minLength": 8,
            "maxLength": MAX_TYPED_CHARACTERS,
        }
    },
    "required": ["confirmation_code"],
}
MAIL_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"confirm": {"type": "boolean", "title": "Yes, do it", "description": "Leave unticked to refuse."}},
    "required": ["confirm"],
}


def opens_urls(context: RequestContext) -> bool:
    """Whether the client declared URL elicitation. A bare `elicitation: {}` means form mode only."""
    capabilities = context.session.client_capabilities
    return (
        capabilities is not None and capabilities.elicitation is not None and capabilities.elicitation.url is not None
    )


def shows_forms(context: RequestContext) -> bool:
    """Whether the client declared form elicitation, by name or by the bare object of older revisions."""
    capabilities = context.session.client_capabilities
    if capabilities is None or capabilities.elicitation is None:
        return False
    elicitation = capabilities.elicitation
    return elicitation.form is not None or elicitation.url is None


def is_modern(context: RequestContext) -> bool:
    """Whether the request speaks 2026-07-28 or later, where a server returns its questions."""
    return is_version_at_least(context.protocol_version, MODERN_VERSION)


def url_question(url: str, state: CallState, message: str) -> InputRequiredResult:
    """Ask by URL; the call comes again with the answer and the state."""
    ask = ElicitRequest(params=ElicitRequestURLParams(message=message, url=url))
    return InputRequiredResult(input_requests={URL_KEY: ask}, request_state=state.dump())


def form_question(key: str, message: str, schema: dict[str, Any], state: CallState) -> InputRequiredResult:
    """Ask by form; the call comes again with the answer and the state."""
    form = ElicitRequestFormParams(message=message, requested_schema=schema)
    return InputRequiredResult(input_requests={key: ElicitRequest(params=form)}, request_state=state.dump())


def response_to(params: CallToolRequestParams, key: str) -> ElicitResult | None:
    """The person's answer that this round brought."""
    answer = cast("object", (params.input_responses or {}).get(key))
    return answer if isinstance(answer, ElicitResult) else None


async def ask_by_form(
    context: RequestContext, message: str, schema: dict[str, Any], seconds: float
) -> ElicitResult | None:
    """Ask by form inside a call of an older revision; None when the client fails or nobody answers in time."""
    with anyio.move_on_after(seconds):
        try:
            return await context.session.elicit_form(message, schema, context.request_id)
        except MCPError:
            return None
    return None


class Asking:
    """Asks the user and watches the account at the same time; whichever gives a result first cancels the other."""

    def __init__(self, ask: Callable[[], Awaitable[ElicitResult]]) -> None:
        self._ask = ask
        self.refusal: str | None = None
        self.unsupported = False

    async def until(self, watch: Callable[[], Awaitable[ConnectedAccountView]]) -> ConnectedAccountView | None:
        """The account at the end of the watch, or None when the person refused or the client could not ask."""
        view: ConnectedAccountView | None = None
        failure: ScalekitMCPError | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._put, tasks.cancel_scope)
            try:
                view = await watch()
            except ScalekitMCPError as exc:  # taken out of the group, or it would arrive wrapped
                failure = exc
            tasks.cancel_scope.cancel()
        if failure is not None:
            raise failure
        return None if self.refusal is not None or self.unsupported else view

    async def _put(self, scope: anyio.CancelScope) -> None:
        try:
            answer = await self._ask()
        except MCPError:
            self.unsupported = True
            scope.cancel()
            return
        if answer.action != "accept":
            self.refusal = answer.action
            scope.cancel()
