"""Consent on hosted accounts: our link, Scalekit's magic link behind it, and the verification of the person.

Scalekit's link is good for a moment only and leads whoever opens it to Microsoft, so it is made when the person
presses the button on our page, and never shown in a chat. After the consent Scalekit holds the tokens and sends the
browser back with an `auth_request_id`; only `user/verify` promotes them (AgentKit, "Verify user identity").
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeGuard

from scalekit_mcp.accounts.authorization.outcomes import AuthorizationOutcome, AuthorizationPrompt, OutcomeKind
from scalekit_mcp.accounts.model.records import AccountKey, AttemptState, UserVerification
from scalekit_mcp.accounts.vault.sealing import KeyRing, same_text, sha256_text
from scalekit_mcp.actions import hosted_outcomes as outcomes
from scalekit_mcp.actions.hosted_accounts import WireAccount, view_of
from scalekit_mcp.actions.hosted_attempts import (
    MIN_LINK_SECONDS,
    WRONG_TRIES,
    HostedAttempt,
    HostedAttempts,
    code_sha256,
)
from scalekit_mcp.actions.models import ConnectedAccountView
from scalekit_mcp.actions.protocol import CALLBACK_PATH
from scalekit_mcp.clock import Clock
from scalekit_mcp.confirmation_code import not_a_code, read_code
from scalekit_mcp.errors import InvalidInput, ProviderUnavailable, ScalekitMCPError
from scalekit_mcp.network import trusted_address, trusted_argument
from scalekit_mcp.scalekit.rest import AnswerLostError, ScalekitFailure, ScalekitRest
from scalekit_mcp.scalekit.tool_data import failure_in

logger = logging.getLogger(__name__)

_CODE_FIELD = "confirmation_code"
MAX_LINK_CHARACTERS = 8192
_TRY_AGAIN = "Try again from the link in a minute."


class HostedConsent:
    """The attempts of one connection at Scalekit."""

    def __init__(
        self,
        rest: ScalekitRest,
        *,
        connection_name: str,
        clock: Clock,
        ring: KeyRing,
        user_verification: UserVerification,
        user_verify_url: str | None,
        scopes: Sequence[str] = (),
        sandbox: bool = False,
    ) -> None:
        self.attempts = HostedAttempts(ring)
        self._rest = rest
        self._connection_name = connection_name
        self._clock = clock
        self._verification = user_verification
        self._verify_url = user_verify_url
        self._scopes = tuple(scopes)
        self._sandbox = sandbox

    # -- the link

    def begin(
        self,
        key: AccountKey,
        *,
        link_base: str,
        status: str,
        reconnect: bool,
        state: str | None,
        user_verify_url: str | None,
    ) -> HostedAttempt:
        """Begin an attempt, or return the live one where at least three minutes remain."""
        verify_url = user_verify_url or self._verify_url
        if self._verification is UserVerification.URL and not verify_url:
            raise InvalidInput(
                "This server verifies people at the operator's own page, and no address of it is known.",
                field="user_verify_url",
                next_step="Give user_verify_url, or set SCALEKIT_MCP_USER_VERIFY_URL.",
            )
        if user_verify_url is not None:
            trusted_argument(user_verify_url, field="user_verify_url")
        now = self._clock.now()
        live = self.attempts.live(key, now)
        if live is not None and not reconnect and (live.expires_at - now).total_seconds() >= MIN_LINK_SECONDS:
            renewed = replace(
                live,
                caller_state=state or live.caller_state,
                user_verify_url=verify_url or live.user_verify_url,
            )
            if renewed != live:
                self.attempts.save(renewed)
            return renewed
        return self.attempts.new(
            key,
            now=now,
            verification=self._verification,
            link_base=link_base,
            status_before=status,
            caller_state=state,
            user_verify_url=verify_url,
        )

    def prompt(self, ticket: str) -> AuthorizationPrompt | AuthorizationOutcome:
        """What the page behind the link shows; changes nothing."""
        attempt = self._by_ticket(ticket)
        if isinstance(attempt, AuthorizationOutcome):
            return attempt
        if attempt.state is AttemptState.HELD:
            return self._with_ticket(attempt, outcomes.waits_for_code(attempt))
        return AuthorizationPrompt(
            identifier=attempt.key.identifier,
            connection_name=attempt.key.connection_name,
            provider_name="Microsoft",
            scopes=self._scopes,
            expires_at=attempt.expires_at,
            admin_consent_url=None,
            admin_text=None,
            sandbox=self._sandbox,
        )

    async def start(self, ticket: str, browser_secret: str | None) -> str | AuthorizationOutcome:
        """Bind the attempt to a browser and return Scalekit's link, made now. The last start wins."""
        attempt = self._by_ticket(ticket)
        if isinstance(attempt, AuthorizationOutcome):
            return attempt
        if attempt.state is AttemptState.HELD:
            return self._with_ticket(attempt, outcomes.waits_for_code(attempt))
        state = secrets.token_urlsafe(32)
        own = attempt.verification is not UserVerification.URL
        started = replace(
            attempt,
            state=AttemptState.AT_PROVIDER,
            state_sha256=sha256_text(state) if own else None,
            state_used=False,
            browser_sha256=None if browser_secret is None else sha256_text(browser_secret),
            declined=False,
        )
        self.attempts.save(started)
        body = {
            "connector": attempt.key.connection_name,
            "identifier": attempt.key.identifier,
            "state": state if own else attempt.caller_state or state,
            "user_verify_url": attempt.link_base + CALLBACK_PATH if own else attempt.user_verify_url,
        }
        try:
            answer = await self._rest.post("/connected_accounts/magic_link", body)
        except ScalekitFailure as failure:
            error = failure.as_error("make an authorization link")
            return outcomes.failed(attempt, error.message, error.next_step, who_acts=error.who_acts)
        except (AnswerLostError, ScalekitMCPError) as lost:
            logger.warning("Scalekit gave no authorization link: %s", type(lost).__name__)
            return outcomes.failed(attempt, "Scalekit gave no link to Microsoft.", _TRY_AGAIN)
        link = answer.get("link")
        if not _is_safe_link(link):
            return outcomes.failed(attempt, "Scalekit gave no link to Microsoft.", _TRY_AGAIN, who_acts="operator")
        return link

    # -- the way back

    async def complete(self, query: Mapping[str, str], browser_secrets: Sequence[str]) -> AuthorizationOutcome:
        """Take what the callback received: an `auth_request_id`, or an error."""
        state = query.get("state", "")
        attempt = self.attempts.by_state(state) if state else None
        if attempt is None:
            return outcomes.unknown_link()
        if attempt.expires_at <= self._clock.now():
            return outcomes.over(attempt)
        if attempt.state_used or attempt.state is not AttemptState.AT_PROVIDER:
            return outcomes.used(attempt)
        if not _same_browser(attempt, browser_secrets):
            return outcomes.other_browser(attempt)
        used = replace(attempt, state_used=True)
        self.attempts.save(used)
        request_id = query.get("auth_request_id", "")
        if "error" in query or not 1 <= len(request_id) <= 1000:
            return self._refused(used, query)
        if attempt.verification is UserVerification.CONFIRM:
            held, code = self.attempts.hold(used, request_id, self._clock.now())
            return self._with_ticket(held, outcomes.confirmation_needed(held, code))
        try:
            await self.verify(request_id, attempt.key.identifier)
        except ScalekitMCPError as error:
            self._fail(used, error.message)
            return outcomes.failed(used, error.message, outcomes.ASK_ANEW, who_acts=error.who_acts)
        self.succeed(used)
        return outcomes.connected(used)

    def _refused(self, attempt: HostedAttempt, query: Mapping[str, str]) -> AuthorizationOutcome:
        outcome = outcomes.refused(attempt, query.get("error", ""), query.get("error_description", ""))
        # The link stays good: a declined sign-in may be started again from it until its time is over.
        self._fail(attempt, outcome.message, declined=outcome.kind is OutcomeKind.DECLINED)
        return self._with_ticket(attempt, outcome)

    def cancel(self, ticket: str, browser_secret: str | None) -> AuthorizationOutcome:
        """Forget the id of the held tokens, so that nobody can promote them any more."""
        attempt = self._by_ticket(ticket)
        if isinstance(attempt, AuthorizationOutcome):
            return attempt
        if not _same_browser(attempt, [] if browser_secret is None else [browser_secret]):
            return outcomes.other_browser(attempt)
        self._void(attempt, "The sign-in was cancelled on the page that showed the code.")
        return outcomes.cancelled(attempt)

    # -- who is who

    async def confirm(self, key: AccountKey, typed: str) -> None:
        """Redeem the code of the page as the account's own caller; raises `InvalidInput`.

        What cannot be a code at all is refused without counting as one of five tries: it could not have been right.
        """
        code = read_code(typed)
        if code is None:
            raise not_a_code()
        attempt = self.attempts.live(key, self._clock.now())
        if attempt is None or attempt.state is not AttemptState.HELD or attempt.confirmation_sha256 is None:
            raise InvalidInput(
                "No sign-in waits for a confirmation code.",
                field=_CODE_FIELD,
                next_step="Call authorize without arguments for a link; its page shows a code after the sign-in.",
            )
        if not same_text(code_sha256(attempt.id, code), attempt.confirmation_sha256):
            raise self._wrong(attempt)
        request_id = self.attempts.held_request(attempt)
        if request_id is None:
            self._void(attempt, "The held sign-in could not be opened.")
            raise _start_again("The held sign-in could not be opened.", _CODE_FIELD)
        redeeming = replace(attempt, confirmation_sha256=None)
        self.attempts.save(redeeming)
        try:
            await self.verify(request_id, key.identifier, field=_CODE_FIELD)
        except InvalidInput as error:
            self._void(redeeming, error.message)
            raise
        except BaseException:
            if self.attempts.is_present(redeeming):
                self.attempts.save(attempt)
            raise
        self.succeed(redeeming)

    def _wrong(self, attempt: HostedAttempt) -> InvalidInput:
        tries = attempt.wrong_tries + 1
        if tries >= WRONG_TRIES:
            self._void(attempt, "The confirmation code was wrong five times.")
            return _start_again("The code is wrong, for the fifth time: the sign-in was discarded.", _CODE_FIELD)
        self.attempts.save(replace(attempt, wrong_tries=tries))
        return InvalidInput(
            f"The code is wrong; {WRONG_TRIES - tries} tries are left.",
            field=_CODE_FIELD,
            next_step="Ask the user for the code that the page shows after signing in.",
        )

    async def verify(self, auth_request_id: str, identifier: str, *, field: str = "auth_request_id") -> None:
        """Promote the held tokens; raises `InvalidInput` where this is not the person, or it is too late."""
        body = {"auth_request_id": auth_request_id, "identifier": identifier}
        try:
            answer = await self._rest.post("/connected_accounts/user/verify", body)
            refused = failure_in(answer, wrappings=0)
            if refused is not None:
                raise refused
        except ScalekitFailure as failure:
            if failure.status == 403:
                raise InvalidInput(
                    "The sign-in belongs to another identifier; nothing was connected.", field="identifier"
                ) from failure
            if failure.status in {400, 404}:
                raise _start_again("Scalekit no longer knows this sign-in: it expired or was used.", field) from failure
            raise failure.as_error("verify the person who signed in") from failure
        except AnswerLostError as lost:
            if lost.status is not None and lost.status < 300:
                return  # what it answers says nothing more
            raise ProviderUnavailable(
                "Scalekit was told who signed in, but no answer came back.",
                next_step="Call authorize to see the state.",
            ) from lost

    # -- what became of it

    def view(self, account: WireAccount) -> ConnectedAccountView:
        """The account as every face shows it.

        Scalekit tells nobody that a consent is over: an attempt has succeeded once its account is seen ACTIVE.
        """
        attempt = None if account.key is None else self.attempts.newest(account.key)
        if (
            attempt is not None
            and attempt.state is AttemptState.AT_PROVIDER
            and account.status == "ACTIVE"
            and attempt.status_before != "ACTIVE"
        ):
            if attempt.verification is not UserVerification.OFF and not attempt.user_verify_url:
                logger.warning(
                    "The account of '%s' became ACTIVE without a verification by this server: "
                    "check User Verification in the Scalekit dashboard",
                    account.identifier,
                )
            self.succeed(attempt)
            attempt = self.attempts.newest(attempt.key)
        return view_of(account, attempt, self._clock.now())

    # -- ends

    def succeed(self, attempt: HostedAttempt) -> None:
        """The account is ACTIVE by this attempt."""
        self.attempts.save(
            replace(attempt, state=AttemptState.SUCCEEDED, sealed_request=None, confirmation_sha256=None, error=None)
        )

    def _fail(self, attempt: HostedAttempt, error: str, *, declined: bool = False) -> None:
        self.attempts.save(replace(attempt, state=AttemptState.FAILED, error=error, declined=declined))

    def _void(self, attempt: HostedAttempt, error: str) -> None:
        ended = replace(
            attempt,
            state=AttemptState.FAILED,
            expires_at=self._clock.now(),
            sealed_request=None,
            confirmation_sha256=None,
            error=error,
        )
        self.attempts.save(ended)

    def _by_ticket(self, ticket: str) -> HostedAttempt | AuthorizationOutcome:
        attempt = self.attempts.by_ticket(ticket)
        if attempt is None:
            return outcomes.unknown_link()
        if attempt.state is AttemptState.SUCCEEDED or attempt.expires_at <= self._clock.now():
            return outcomes.over(attempt)
        return attempt

    def _with_ticket(self, attempt: HostedAttempt, outcome: AuthorizationOutcome) -> AuthorizationOutcome:
        return replace(outcome, ticket=self.attempts.ticket(attempt))


def _is_safe_link(link: object) -> TypeGuard[str]:
    """Whether a browser may be sent there."""
    try:
        return isinstance(link, str) and bool(trusted_address(link, longest=MAX_LINK_CHARACTERS))
    except ValueError:
        return False


def _same_browser(attempt: HostedAttempt, browser_secrets: Sequence[str]) -> bool:
    if attempt.browser_sha256 is None:
        return True
    return any(same_text(sha256_text(secret), attempt.browser_sha256) for secret in browser_secrets)


def _start_again(message: str, field: str) -> InvalidInput:
    return InvalidInput(message, field=field, next_step="Call authorize without arguments for a new link.")
