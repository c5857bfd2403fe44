"""Asking a person, in the way that the client at hand can: by URL elicitation, by form elicitation, or in words.

| client                                  | what it gets                                                         |
|-----------------------------------------|----------------------------------------------------------------------|
| 2026-07-28, declares `elicitation.url`  | an input-required result, then state-only rounds while the person    |
|                                         | signs in, then the answer of the very call                           |
| older, declares it, has a back channel  | a live `elicitation/create` inside the call, then the answer         |
| everything else                         | a readable result with the link                                      |

A call that waits finishes by itself when the consent succeeds. An accepted elicitation means only that the person
agreed to open the page (MCP specification, "Elicitation", URL mode), so the account is what is looked at.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any, Protocol, cast

import anyio
from mcp import MCPError
from mcp.types import (
    CallToolRequestParams,
    CallToolResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitRequestURLParams,
    ElicitResult,
    InputRequiredResult,
)
from mcp.types.version import is_version_at_least

from scalekit_mcp.actions.models import AttemptState, ConnectedAccountView
from scalekit_mcp.actions.protocol import Actions
from scalekit_mcp.errors import AdminApprovalRequired, AuthorizationRequired, ScalekitMCPError
from scalekit_mcp.server.callers import RequestContext
from scalekit_mcp.server.results import success_result

MODERN_VERSION = "2026-07-28"
URL_KEY = "outlook_sign_in"
CODE_KEY = "outlook_confirmation_code"
ASK_TO_SIGN_IN = "Sign in to Microsoft so that this assistant can use your Outlook calendar."
ASK_FOR_CODE = "Type the confirmation code that the sign-in page shows."
CODE_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "confirmation_code": {
            "type": "string",
            "title": "Confirmation code",
            "description": "Eight characters, shown by the page after signing in.",
            "minLength": 8,
            "maxLength": 16,
        }
    },
    "required": ["confirmation_code"],
}
_RUNNING = frozenset({AttemptState.LINK_GIVEN, AttemptState.AT_PROVIDER})
_SLICE_SECONDS = 5.0
_RETURNED_EARLY_PAUSE_SECONDS = 0.25

Answer = CallToolResult | InputRequiredResult


@dataclass(frozen=True, slots=True)
class ConsentTimes:
    """How long a call waits for a person. A 2026-07-28 call waits `round_seconds` in each of `rounds` rounds."""

    legacy_seconds: float = 50.0
    round_seconds: float = 25.0
    rounds: int = 8


class Job(Protocol):
    """One tool call that may turn out to need a person."""

    identifier: str

    async def run(self, *, resumed: bool) -> dict[str, Any]:
        """Do it; raises `AuthorizationRequired`. `resumed` says that a person has acted for this very call."""
        ...

    async def refuse(self, error: AuthorizationRequired) -> CallToolResult:
        """The answer in words, for a client that cannot be asked or a person who did not finish."""
        ...


class Step(StrEnum):
    """What the state of a 2026-07-28 call waits for."""

    URL = "url"
    WAIT = "wait"
    CODE = "code"
    MAIL = "mail"


@dataclass(frozen=True, slots=True)
class CallState:
    """What a 2026-07-28 call carries from round to round; sealed and bound to the call by `RequestStateBoundary`.

    Never a token or a ticket. `confirmed` remembers that a person has confirmed the call itself.
    """

    step: Step
    round: int = 0
    admin_consent_url: str | None = None
    authorization_url: str | None = None
    confirmed: bool = False

    def dump(self) -> str:
        """The state as text."""
        return json.dumps({name: value for name, value in asdict(self).items() if value is not None})

    @classmethod
    def load(cls, text: str | None) -> CallState | None:
        """The state out of a request; None for a first round or a text that is not ours."""
        if text is None:
            return None
        try:
            raw = json.loads(text)
            return cls(
                step=Step(raw["step"]),
                round=int(raw.get("round", 0)),
                admin_consent_url=raw.get("admin_consent_url"),
                authorization_url=raw.get("authorization_url"),
                confirmed=raw.get("confirmed") is True,
            )
        except (ValueError, KeyError, TypeError):
            return None


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


class Consent:
    """Runs a job, and where it needs a person, asks in the way the client allows and finishes the same call."""

    def __init__(
        self,
        actions: Actions,
        *,
        connection_name: str | None = None,
        times: ConsentTimes,
        code_in_chat: bool = True,
    ) -> None:
        self._code_in_chat = code_in_chat
        self._actions = actions
        self._connection_name = connection_name
        self._times = times

    async def complete(
        self, context: RequestContext, params: CallToolRequestParams, job: Job, *, confirmed: bool = False
    ) -> Answer:
        """The answer of the call: the calendar's, a question to the person, or words with the link."""
        if is_modern(context):
            return await self._modern(context, params, job, confirmed=confirmed)
        return await self._legacy(context, job)

    # -- 2026-07-28: the question is returned, and the call comes again with the answer

    async def _modern(
        self, context: RequestContext, params: CallToolRequestParams, job: Job, *, confirmed: bool
    ) -> Answer:
        state = CallState.load(params.request_state)
        resumed = state is not None and state.step in (Step.WAIT, Step.URL, Step.CODE)
        if state is not None and resumed:
            verdict = await self._next_round(context, params, job, replace(state, confirmed=confirmed))
            if verdict is not None:
                return verdict
        try:
            return success_result(await job.run(resumed=resumed))
        except AuthorizationRequired as need:
            if resumed:
                return await job.refuse(need)
            return await self._modern_question(context, job, need, confirmed=confirmed)

    async def _modern_question(
        self, context: RequestContext, job: Job, need: AuthorizationRequired, *, confirmed: bool
    ) -> Answer:
        url = _link(need)
        if url is not None and opens_urls(context) and not isinstance(need, AdminApprovalRequired):
            ask = ElicitRequest(params=ElicitRequestURLParams(message=ASK_TO_SIGN_IN, url=url))
            state = CallState(
                Step.URL,
                admin_consent_url=need.details.get("admin_consent_url"),
                authorization_url=url,
                confirmed=confirmed,
            )
            return InputRequiredResult(input_requests={URL_KEY: ask}, request_state=state.dump())
        if self._asks_for_code(need) and shows_forms(context):
            return _code_question(CallState(Step.CODE, confirmed=confirmed))
        return await job.refuse(need)

    async def _next_round(
        self, context: RequestContext, params: CallToolRequestParams, job: Job, state: CallState
    ) -> Answer | None:
        """What to answer in this round, or None when the account is ready and the job can run."""
        if state.step is Step.CODE:
            return await self._take_code(job, _response(params, CODE_KEY))
        if state.step is Step.URL:
            answer = _response(params, URL_KEY)
            if answer is None or answer.action != "accept":
                return await job.refuse(_not_opened(answer.action if answer else "cancel", state.authorization_url))
        view = await self._wait(context, job.identifier, self._times.round_seconds)
        if self._needs_code(view):
            if shows_forms(context):
                return _code_question(replace(state, step=Step.CODE))
            return await job.refuse(_code_needed(view))
        if self._is_running(view):
            if state.round >= self._times.rounds:
                return await job.refuse(_not_finished(view, state.authorization_url))
            return InputRequiredResult(request_state=replace(state, step=Step.WAIT, round=state.round + 1).dump())
        if view.status != "ACTIVE":
            return await job.refuse(_ended(view, state.admin_consent_url))
        return None

    async def _take_code(self, job: Job, answer: ElicitResult | None) -> Answer | None:
        if answer is None or answer.action != "accept":
            return await job.refuse(_code_not_typed())
        await self._confirm(job.identifier, answer)
        return None

    async def _confirm(self, identifier: str, answer: ElicitResult) -> None:
        code = (answer.content or {}).get("confirmation_code")
        await self._actions.confirm_authorization(
            connection_name=self._connection_name, identifier=identifier, confirmation_code=str(code or "")
        )

    # -- older revisions: the question is a request inside the call

    async def _legacy(self, context: RequestContext, job: Job) -> CallToolResult:
        try:
            return success_result(await job.run(resumed=False))
        except AuthorizationRequired as need:
            error = need
        can_ask = context.session.can_send_request
        url = _link(error)
        if url is not None and can_ask and opens_urls(context) and not isinstance(error, AdminApprovalRequired):
            ended = await self._legacy_sign_in(context, job, url, error)
        elif self._asks_for_code(error) and can_ask and shows_forms(context):
            ended = await self._legacy_code(context, job)
        else:
            ended = error
        if ended is not None:
            return await job.refuse(ended)
        try:
            return success_result(await job.run(resumed=True))
        except AuthorizationRequired as need:
            return await job.refuse(need)

    async def _legacy_sign_in(
        self, context: RequestContext, job: Job, url: str, error: AuthorizationRequired
    ) -> AuthorizationRequired | None:
        """Ask, and watch the account meanwhile: some clients answer only when the person closes their dialogue."""
        elicitation_id = uuid.uuid4().hex
        asking = _Asking(lambda: context.session.elicit_url(ASK_TO_SIGN_IN, url, elicitation_id, context.request_id))

        async def watch() -> ConnectedAccountView:
            return await self._wait(context, job.identifier, self._times.legacy_seconds)

        view = await asking.until(watch)
        if asking.unsupported:
            return error
        if view is None:
            return _not_opened(asking.refusal or "cancel", url)
        await context.session.send_elicit_complete(elicitation_id, related_request_id=context.request_id)
        if self._needs_code(view):
            return await self._legacy_code(context, job) if shows_forms(context) else _code_needed(view)
        if self._is_running(view):
            return _not_finished(view, url)
        return None if view.status == "ACTIVE" else _ended(view, error.details.get("admin_consent_url"))

    async def _legacy_code(self, context: RequestContext, job: Job) -> AuthorizationRequired | None:
        answer: ElicitResult | None = None
        with anyio.move_on_after(self._times.legacy_seconds):
            try:
                answer = await context.session.elicit_form(ASK_FOR_CODE, CODE_SCHEMA, context.request_id)
            except MCPError:
                return _code_not_typed()
        if answer is None or answer.action != "accept":
            return _code_not_typed()
        await self._confirm(job.identifier, answer)
        return None

    # -- both

    def _asks_for_code(self, error: AuthorizationRequired) -> bool:
        return self._code_in_chat and error.details.get("reason") == "awaiting_confirmation"

    def _needs_code(self, view: ConnectedAccountView) -> bool:
        return view.held and self._code_in_chat

    def _is_running(self, view: ConnectedAccountView) -> bool:
        return view.attempt_state in _RUNNING or (view.held and not self._code_in_chat)

    async def _wait(self, context: RequestContext, identifier: str, seconds: float) -> ConnectedAccountView:
        """Wait until the attempt ends or is held, or the time is over; progress keeps the client waiting."""
        started = anyio.current_time()
        while True:
            spent = anyio.current_time() - started
            left = seconds - spent
            asked = max(0.0, min(left, _SLICE_SECONDS))
            response = await self._actions.wait_for_authorization(
                connection_name=self._connection_name, identifier=identifier, timeout_seconds=asked
            )
            view = response.connected_account
            spent = anyio.current_time() - started
            if not self._is_running(view) or spent >= seconds:
                return view
            await context.session.report_progress(spent, seconds, "Waiting for the sign-in to Microsoft.")
            await anyio.sleep(min(_RETURNED_EARLY_PAUSE_SECONDS, max(0.0, seconds - spent)))


class _Asking:
    """An elicitation and a watch over the account, side by side: whichever settles the call ends the other."""

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


def _response(params: CallToolRequestParams, key: str) -> ElicitResult | None:
    answer = cast("object", (params.input_responses or {}).get(key))
    return answer if isinstance(answer, ElicitResult) else None


def _code_question(state: CallState) -> InputRequiredResult:
    form = ElicitRequestFormParams(message=ASK_FOR_CODE, requested_schema=CODE_SCHEMA)
    return InputRequiredResult(
        input_requests={CODE_KEY: ElicitRequest(params=form)}, request_state=replace(state, step=Step.CODE).dump()
    )


def _link(error: AuthorizationRequired) -> str | None:
    url = error.details.get("authorization_url")
    return url if isinstance(url, str) else None


# -- the words: declined, not finished, ended without a grant, a code to type


def _not_opened(action: str, url: str | None) -> AuthorizationRequired:
    what = "declined to open the sign-in page" if action == "decline" else "closed the request to sign in"
    return AuthorizationRequired(
        f"The user {what}. Nothing was changed.",
        next_step="Go on without the calendar, or ask the user whether to sign in after all.",
        authorization_url=url,
    )


def _not_finished(view: ConnectedAccountView, url: str | None) -> AuthorizationRequired:
    return AuthorizationRequired(
        "The sign-in to Microsoft is not finished yet.",
        next_step="Tell the user to finish signing in, then repeat this call.",
        status=view.status,
        reason=view.reason,
        authorization_url=url,
    )


def _ended(view: ConnectedAccountView, admin_consent_url: str | None) -> AuthorizationRequired:
    told = view.last_authorization_error
    if view.reason == "admin_approval_required":
        return AdminApprovalRequired(
            told or "Microsoft asks for the approval of the user's IT administrator first.",
            status=view.status,
            reason=view.reason,
            admin_consent_url=admin_consent_url,
        )
    if view.reason == "consent_declined":
        told = told or "The user cancelled the sign-in at Microsoft. Nothing was changed."
    return AuthorizationRequired(
        told or "The sign-in ended without a connection. Nothing was changed.",
        next_step="Ask the user whether to try again, then call `authorize` for a new link.",
        who_acts=view.who_acts,
        status=view.status,
        reason=view.reason,
    )


def _code_needed(view: ConnectedAccountView) -> AuthorizationRequired:
    return AuthorizationRequired(
        "The user has signed in; the page shows a confirmation code.",
        next_step="Ask the user for the code and call `authorize` with `confirmation_code`.",
        status=view.status,
        reason=view.reason,
    )


def _code_not_typed() -> AuthorizationRequired:
    return AuthorizationRequired(
        "The confirmation code was not given.",
        next_step="Ask the user for the code on the sign-in page and call `authorize` with `confirmation_code`.",
        status="PENDING",
        reason="awaiting_confirmation",
    )
