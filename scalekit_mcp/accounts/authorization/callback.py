"""The way back from the provider: one callback per state, redeemed once, then connected, held, or explained."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlencode, urlsplit, urlunsplit

from scalekit_mcp.accounts.accounts import RACES, too_many_races
from scalekit_mcp.accounts.authorization.attempts import Attempts, is_switch, same_browser
from scalekit_mcp.accounts.authorization.outcomes import AuthorizationOutcome
from scalekit_mcp.accounts.model.records import (
    Attempt,
    AttemptSecrets,
    AttemptState,
    HeldGrant,
    ProviderAccount,
    Reason,
    StoredAccount,
    UserVerification,
)
from scalekit_mcp.accounts.model.statuses import Cause
from scalekit_mcp.accounts.provider import Grant, GrantFailure, GrantFault
from scalekit_mcp.accounts.vault.changes import (
    AttemptKey,
    NoteAccount,
    SaveAttempt,
)
from scalekit_mcp.accounts.vault.sealing import sha256_text
from scalekit_mcp.confirmation_code import new_code


class Callback(Attempts):
    """Takes what the callback received."""

    async def complete(self, query: Mapping[str, str], browser_secrets: Sequence[str] = ()) -> AuthorizationOutcome:
        """Take what the callback received; in a task that the browser's going away does not reach."""
        return await self._running.run(self._complete(dict(query), tuple(browser_secrets)))

    async def _complete(self, query: dict[str, str], browser_secrets: Sequence[str]) -> AuthorizationOutcome:
        state = query.get("state", "")
        for _ in range(RACES):
            attempt = await self._vault.find_attempt(AttemptKey.STATE, sha256_text(state)) if state else None
            if attempt is None or attempt.connection_name not in self._providers:
                return self._pages.unknown_link()
            over = self._over(attempt)
            if over is not None:
                return over
            if attempt.state_used or attempt.state is not AttemptState.AT_PROVIDER:
                return self._pages.used_link(attempt)
            if not same_browser(attempt, browser_secrets):
                return self._pages.other_browser(attempt)
            used = replace(attempt, state_used=True)
            if await self._vault.commit(SaveAttempt(used)):
                return await self._redeem(replace(used, version=used.version + 1), query)
        raise too_many_races()

    async def _redeem(self, attempt: Attempt, query: dict[str, str]) -> AuthorizationOutcome:
        provider = self._providers[attempt.connection_name]
        if "error" in query or not query.get("code"):
            failure = provider.authorization_response_failure(query)
            if failure.fault is GrantFault.MISCONFIGURED:
                self._operator.claimed_by_browser(attempt.connection_name, failure)
            return await self._failed(attempt, failure)
        try:
            async with asyncio.timeout(self._settings.token_call_seconds * 2):
                grant = await provider.authorization_code_grant(
                    code=query["code"],
                    redirect_uri=attempt.redirect_uri,
                    code_verifier=attempt.secrets.code_verifier or "",
                    nonce=attempt.secrets.nonce or "",
                    scopes=attempt.secrets.scopes,
                )
        except GrantFailure as failure:
            if failure.fault is GrantFault.MISCONFIGURED:
                self._operator.met_at_redemption(attempt.connection_name, failure)
            return await self._failed(attempt, failure)
        except TimeoutError:
            return await self._failed(attempt, _no_answer())
        return await self._granted(attempt, grant)

    async def _granted(self, attempt: Attempt, grant: Grant) -> AuthorizationOutcome:
        stored = await self._vault.find_account(attempt.key)
        if stored is None:
            return self._pages.unknown_link()
        if is_switch(attempt.reconnect, stored.account, grant.account):
            return await self._switch_refused(attempt, stored.account, grant.account)
        if attempt.verification is UserVerification.OFF or (
            attempt.verification is UserVerification.CONFIRM and _vouched(attempt.secrets, grant.account)
        ):
            return await self._connect(attempt, HeldGrant(grant.tokens, grant.account))
        return await self._hold(attempt, stored, grant)

    async def _hold(self, attempt: Attempt, stored: StoredAccount, grant: Grant) -> AuthorizationOutcome:
        now = self._clock.now()
        by_code = attempt.verification is UserVerification.CONFIRM
        code = new_code() if by_code else None
        request_id = None if by_code else secrets.token_urlsafe(32)
        held = replace(
            attempt,
            state=AttemptState.HELD,
            # Held tokens live as long as their code and no longer; the attempt with them.
            expires_at=now + timedelta(seconds=self._settings.confirmation_seconds)
            if by_code
            else max(attempt.expires_at, now + timedelta(seconds=self._settings.confirmation_seconds)),
            wrong_tries=0,
            auth_request_sha256=None if request_id is None else sha256_text(request_id),
            secrets=replace(
                attempt.secrets,
                state=None,
                nonce=None,
                code_verifier=None,
                confirmation_sha256=None if code is None else code_hash(attempt.id, code),
                held=HeldGrant(grant.tokens, grant.account),
            ),
        )
        for _ in range(RACES):
            moved = self._reason(stored.account, Cause.TOKENS_HELD, Reason.AWAITING_CONFIRMATION)
            if await self._commit(stored.account, SaveAttempt(held), *moved):
                if code is not None:
                    return self._pages.confirmation_needed(held, grant.account, code)
                return self._pages.verify_at_url(held, grant.account, _verify_url(held, request_id or ""))
            again = await self._again(attempt)
            if isinstance(again, AuthorizationOutcome):
                return again
            stored = again
        raise too_many_races()

    async def _failed(self, attempt: Attempt, failure: GrantFailure) -> AuthorizationOutcome:
        outcome = self._pages.failed(attempt, failure)
        cause, reason = {
            GrantFault.DECLINED: (Cause.CONSENT_DECLINED, Reason.CONSENT_DECLINED),
            GrantFault.ADMIN_APPROVAL: (Cause.ADMIN_APPROVAL_NEEDED, Reason.ADMIN_APPROVAL_REQUIRED),
        }.get(failure.fault, (None, None))
        # The link stays good: a declined or failed sign-in may be started again from it until its time is over.
        failed = replace(
            attempt,
            state=AttemptState.FAILED,
            secrets=replace(attempt.secrets, state=None, nonce=None, code_verifier=None),
        )
        for _ in range(RACES):
            stored = await self._vault.find_account(attempt.key)
            if stored is None:
                return outcome
            moved = [] if cause is None else self._reason(stored.account, cause, reason, failure.code)
            note = NoteAccount(stored.account.id, last_authorization_error=f"{failure.message} ({failure.code})")
            if failure.claims is not None:
                note = replace(note, pending_claims=failure.claims)
            if await self._commit(stored.account, SaveAttempt(failed), note, *moved):
                return (
                    replace(
                        outcome, admin_consent_url=self._pages.admin_consent_url(attempt, stored.account, always=True)
                    )
                    if outcome.admin_text
                    else outcome
                )
            if isinstance(await self._again(attempt), AuthorizationOutcome):
                return outcome
        return outcome


def _vouched(secrets_: AttemptSecrets, signed_in: ProviderAccount) -> bool:
    """Whether the caller's own token names the account that consents."""
    if secrets_.expected_account is not None and secrets_.expected_account == signed_in.key:
        return True
    hint = (secrets_.login_hint or "").strip().casefold()
    names = (signed_in.preferred_username, signed_in.mail, signed_in.user_principal_name)
    return bool(hint) and any(name is not None and name.casefold() == hint for name in names)


def code_hash(attempt_id: str, code: str) -> str:
    """What is stored of a confirmation code; it says nothing without the vault key around it."""
    return sha256_text(f"{attempt_id}:{code}")


def _verify_url(attempt: Attempt, request_id: str) -> str:
    parts = urlsplit(attempt.secrets.user_verify_url or "")
    query = {"auth_request_id": request_id}
    if attempt.secrets.caller_state is not None:
        query["state"] = attempt.secrets.caller_state
    joined = "&".join(part for part in (parts.query, urlencode(query)) if part)
    return urlunsplit((parts.scheme, parts.netloc, parts.path, joined, parts.fragment))


def _no_answer() -> GrantFailure:
    return GrantFailure(
        GrantFault.TRANSIENT,
        "The sign-in service did not answer in time.",
        code="timeout",
        who_acts="user",
        next_step="Open the authorization link again.",
    )
