"""Asking the user in the way that the client supports: URL elicitation, form elicitation, or text in the result.

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

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import anyio
from mcp.types import CallToolRequestParams, CallToolResult, ElicitResult, InputRequiredResult

from scalekit_mcp.actions import Actions, AttemptState, ConnectedAccountView
from scalekit_mcp.clock import rfc3339
from scalekit_mcp.errors import AuthorizationRequired, InternalError
from scalekit_mcp.server.callers.caller import RequestContext
from scalekit_mcp.server.mcp import consent_texts as words
from scalekit_mcp.server.mcp.asking import (
    ASK_FOR_CODE,
    CODE_KEY,
    CODE_SCHEMA,
    MAIL_KEY,
    MAIL_SCHEMA,
    URL_KEY,
    Asking,
    ask_by_form,
    form_question,
    is_modern,
    opens_urls,
    response_to,
    shows_forms,
    url_question,
)
from scalekit_mcp.server.mcp.call_state import CallState, Step
from scalekit_mcp.server.mcp.results import success_result

_RUNNING = frozenset({AttemptState.LINK_GIVEN, AttemptState.AT_PROVIDER})
_SLICE_SECONDS = 5.0
_RETURNED_EARLY_PAUSE_SECONDS = 0.25
_QUESTIONS_OF_A_CALL = 2

Answer = CallToolResult | InputRequiredResult


@dataclass(frozen=True, slots=True)
class ConsentTimes:
    """How long a call waits for the user. A 2026-07-28 call waits `round_seconds` in each of `rounds` rounds."""

    legacy_seconds: float = 50.0
    round_seconds: float = 25.0
    rounds: int = 8


class ConfirmationNeededError(Exception):
    """The user must confirm this call before it is made; `question` is the question."""

    def __init__(self, question: str) -> None:
        super().__init__(question)
        self.question = question


class Job(Protocol):
    """One tool call that may turn out to need a person. `confirmed` says that a person has said yes to it.

    `connection` names the connection of the account where it is another than that of the calendar.
    """

    identifier: str
    connection: str | None
    confirmed: bool

    async def run(self, *, resumed: bool) -> dict[str, Any]:
        """Run the job; `resumed` means that a person signed in for this call.

        Raises `AuthorizationRequired` or `ConfirmationNeededError`.
        """
        ...

    async def refuse(self, error: AuthorizationRequired) -> CallToolResult:
        """The answer in words, for a client that cannot be asked or a person who did not finish."""
        ...


class Consent:
    """Runs a job; if it needs the user, asks in the way that the client supports and then finishes the same call."""

    def __init__(
        self,
        actions: Actions,
        *,
        times: ConsentTimes,
        code_in_chat: bool = True,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._stopping = stopping
        self._code_in_chat = code_in_chat
        self._actions = actions
        self._times = times

    async def complete(self, context: RequestContext, params: CallToolRequestParams, job: Job) -> Answer:
        """The answer of the call: the result, a question to the user, or an error text with the link."""
        if is_modern(context):
            return await self._modern(context, params, job)
        return await self._legacy(context, job)

    # -- 2026-07-28: the question is returned, and the call comes again with the answer

    async def _modern(self, context: RequestContext, params: CallToolRequestParams, job: Job) -> Answer:
        state = CallState.load(params.request_state)
        resumed = False
        if state is not None:
            job.confirmed = state.confirmed
            if state.step is Step.MAIL:
                answer = response_to(params, MAIL_KEY)
                if answer is not None:  # a round without the answer is asked again
                    if not _said_yes(answer):
                        raise words.not_confirmed()
                    job.confirmed = True
            else:
                resumed = True
                verdict = await self._next_round(context, params, job, state)
                if verdict is not None:
                    return verdict
        try:
            return success_result(await job.run(resumed=resumed))
        except ConfirmationNeededError as need:
            if not shows_forms(context):
                raise words.cannot_confirm(job.connection) from need
            return form_question(MAIL_KEY, need.question, MAIL_SCHEMA, CallState(Step.MAIL))
        except AuthorizationRequired as need:
            if resumed:
                return await job.refuse(need)
            return await self._modern_question(context, job, need)

    async def _modern_question(self, context: RequestContext, job: Job, need: AuthorizationRequired) -> Answer:
        url = self._link_to_ask(context, need)
        if url is not None:
            admin = need.details.get("admin_consent_url")
            state = CallState(
                Step.URL,
                admin_consent_url=admin,
                authorization_url=url,
                confirmed=job.confirmed,
                failed_at=await self._earlier_failure(job),
            )
            return url_question(url, state, words.ask_to_sign_in(job.connection))
        if self._asks_for_code(need) and shows_forms(context):
            return _code_question(CallState(Step.CODE, confirmed=job.confirmed))
        return await job.refuse(need)

    async def _next_round(
        self, context: RequestContext, params: CallToolRequestParams, job: Job, state: CallState
    ) -> Answer | None:
        """What to answer in this round, or None when the account is ready and the job can run."""
        if state.step is Step.CODE:
            typed = response_to(params, CODE_KEY)
            if typed is None:
                return _code_question(state)
            refusal = await self._take_code(job, typed)
            return None if refusal is None else await job.refuse(refusal)
        if state.step is Step.URL:
            answer = response_to(params, URL_KEY)
            if answer is None and state.authorization_url is not None:
                return url_question(state.authorization_url, state, words.ask_to_sign_in(job.connection))
            if answer is None or answer.action != "accept":
                action = answer.action if answer else "cancel"
                refusal = words.not_opened(action, state.authorization_url, job.connection)
                return await job.refuse(refusal)
        view = await self._wait(context, job, self._times.round_seconds, failed_at=state.failed_at)
        if self._needs_code(view):
            if shows_forms(context):
                return _code_question(state)
            return await job.refuse(words.code_needed(view, job.connection))
        if self._is_running(view):
            if state.round >= self._times.rounds:
                return await job.refuse(words.not_finished(view, state.authorization_url, job.connection))
            return InputRequiredResult(request_state=replace(state, step=Step.WAIT, round=state.round + 1).dump())
        if _is_connected(view):
            return None
        return await job.refuse(words.ended(view, state.admin_consent_url, job.connection))

    # -- older revisions: the question is a request inside the call

    async def _legacy(self, context: RequestContext, job: Job) -> CallToolResult:
        resumed = False
        for _ in range(1 + _QUESTIONS_OF_A_CALL):
            try:
                return success_result(await job.run(resumed=resumed))
            except ConfirmationNeededError as need:
                await self._legacy_confirmation(context, need, job.connection)
                job.confirmed = True
            except AuthorizationRequired as need:
                refusal = need if resumed else await self._legacy_consent(context, job, need)
                if refusal is not None:
                    return await job.refuse(refusal)
                resumed = True
        raise InternalError("A call asked more questions than it has.")

    async def _legacy_confirmation(
        self, context: RequestContext, need: ConfirmationNeededError, connection: str | None
    ) -> None:
        if not (context.session.can_send_request and shows_forms(context)):
            raise words.cannot_confirm(connection) from need
        if not _said_yes(await ask_by_form(context, need.question, MAIL_SCHEMA, self._times.legacy_seconds)):
            raise words.not_confirmed() from need

    async def _legacy_consent(
        self, context: RequestContext, job: Job, need: AuthorizationRequired
    ) -> AuthorizationRequired | None:
        if not context.session.can_send_request:
            return need
        url = self._link_to_ask(context, need)
        if url is not None:
            return await self._legacy_sign_in(context, job, url, need)
        if self._asks_for_code(need) and shows_forms(context):
            return await self._legacy_code(context, job)
        return need

    async def _legacy_sign_in(
        self, context: RequestContext, job: Job, url: str, need: AuthorizationRequired
    ) -> AuthorizationRequired | None:
        """Ask, and watch the account meanwhile: some clients answer only when the person closes their dialogue."""
        elicitation_id = uuid.uuid4().hex
        failed_at = await self._earlier_failure(job)
        message = words.ask_to_sign_in(job.connection)
        asking = Asking(lambda: context.session.elicit_url(message, url, elicitation_id, context.request_id))

        async def watch() -> ConnectedAccountView:
            return await self._wait(context, job, self._times.legacy_seconds, failed_at=failed_at)

        view = await asking.until(watch)
        if asking.unsupported:
            return need
        if view is None:
            return words.not_opened(asking.refusal or "cancel", url, job.connection)
        await context.session.send_elicit_complete(elicitation_id, related_request_id=context.request_id)
        if self._needs_code(view):
            if shows_forms(context):
                return await self._legacy_code(context, job)
            return words.code_needed(view, job.connection)
        if self._is_running(view):
            return words.not_finished(view, url, job.connection)
        if _is_connected(view):
            return None
        return words.ended(view, need.details.get("admin_consent_url"), job.connection)

    async def _legacy_code(self, context: RequestContext, job: Job) -> AuthorizationRequired | None:
        return await self._take_code(
            job, await ask_by_form(context, ASK_FOR_CODE, CODE_SCHEMA, self._times.legacy_seconds)
        )

    # -- both

    def _link_to_ask(self, context: RequestContext, need: AuthorizationRequired) -> str | None:
        """The link, where the client opens links and the next step is the user's."""
        url = need.details.get("authorization_url")
        asked = isinstance(url, str) and opens_urls(context) and need.who_acts == "user"
        return url if asked else None

    def _asks_for_code(self, need: AuthorizationRequired) -> bool:
        waits = need.awaits_code or need.details.get("reason") == "awaiting_confirmation"
        return self._code_in_chat and waits

    def _needs_code(self, view: ConnectedAccountView) -> bool:
        return view.held and self._code_in_chat

    def _is_running(self, view: ConnectedAccountView) -> bool:
        return view.attempt_state in _RUNNING or (view.held and not self._code_in_chat)

    async def _take_code(self, job: Job, answer: ElicitResult | None) -> AuthorizationRequired | None:
        """Redeem the code that the person typed; raises `InvalidInput` for a wrong one."""
        if answer is None or answer.action != "accept":
            return words.code_not_typed(job.connection)
        code = (answer.content or {}).get("confirmation_code")
        await self._actions.confirm_authorization(
            connection_name=job.connection, identifier=job.identifier, confirmation_code=str(code or "")
        )
        return None

    async def _earlier_failure(self, job: Job) -> str | None:
        """When the attempt failed whose link is about to be given again; None where it did not.

        A link can be used again after a sign-in that failed. Until the person does so, the account goes on to show the
        failure, which is no answer to the question that is about to be asked.
        """
        response = await self._actions.get_connected_account(connection_name=job.connection, identifier=job.identifier)
        return _failed_at(response.connected_account)

    async def _wait(
        self, context: RequestContext, job: Job, seconds: float, *, failed_at: str | None
    ) -> ConnectedAccountView:
        """Wait until the attempt ends or is held, or the time is over; progress keeps the client waiting.

        `failed_at` is the earlier failure: an account that shows it still waits for the person, who has the link. A
        server that is being shut down does not make anybody wait: the next round finds another replica.
        """
        started = anyio.current_time()
        while True:
            left = 0.0 if self._stopping() else seconds - (anyio.current_time() - started)
            response = await self._actions.wait_for_authorization(
                connection_name=job.connection,
                identifier=job.identifier,
                timeout_seconds=max(0.0, min(left, _SLICE_SECONDS)),
            )
            view = response.connected_account
            if failed_at is not None and _failed_at(view) == failed_at:
                view = replace(view, attempt_state=AttemptState.LINK_GIVEN)
            spent = anyio.current_time() - started
            if self._needs_code(view) or not self._is_running(view) or spent >= seconds or self._stopping():
                return view
            await context.session.report_progress(spent, seconds, words.waiting(job.connection))
            await anyio.sleep(min(_RETURNED_EARLY_PAUSE_SECONDS, max(0.0, seconds - spent)))


def _code_question(state: CallState) -> InputRequiredResult:
    return form_question(CODE_KEY, ASK_FOR_CODE, CODE_SCHEMA, replace(state, step=Step.CODE))


def _said_yes(answer: ElicitResult | None) -> bool:
    return answer is not None and answer.action == "accept" and (answer.content or {}).get("confirm") is True


def _failed_at(view: ConnectedAccountView) -> str | None:
    """When the account's attempt failed, as text; None where it did not."""
    failed = view.attempt_state == AttemptState.FAILED
    return rfc3339(view.updated_at) if failed and view.updated_at is not None else None


def _is_connected(view: ConnectedAccountView) -> bool:
    """Whether the attempt ended well: a failed reconnect leaves an account ACTIVE with its old grant."""
    return view.status == "ACTIVE" and view.attempt_state != AttemptState.FAILED
