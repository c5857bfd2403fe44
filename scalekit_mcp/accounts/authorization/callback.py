"""The callback from the provider: the code is redeemed once, then the account is connected, or the tokens are held."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlencode, urlsplit, urlunsplit

from scalekit_mcp.accounts.accounts import RACES, too_many_races
from scalekit_mcp.accounts.authorization import texts
from scalekit_mcp.accounts.authorization.acceptance import Acceptance
from scalekit_mcp.accounts.authorization.approvals import Approvals
from scalekit_mcp.accounts.authorization.attempts import (
    AttemptRecords,
    is_named_by,
    is_switch,
    pending_reason,
    same_browser,
)
from scalekit_mcp.accounts.authorization.outcomes import AuthorizationOutcome
from scalekit_mcp.accounts.model.records import (
    AccountSettings,
    Attempt,
    AttemptState,
    Held,
    ProviderAccount,
    Reason,
    StoredAccount,
    UserVerification,
)
from scalekit_mcp.accounts.model.statuses import Cause
from scalekit_mcp.accounts.provider import GrantError, GrantFault
from scalekit_mcp.accounts.vault.changes import NoteAccount, SaveAttempt
from scalekit_mcp.accounts.vault.sealing.key_ring import sha256_text
from scalekit_mcp.clock import Clock
from scalekit_mcp.confirmation_code import new_code
from scalekit_mcp.errors import ScalekitMCPError, VaultError
from scalekit_mcp.languages import said


class Callback:
    """Handles the query with which the provider sends the browser back."""

    def __init__(
        self,
        records: AttemptRecords,
        acceptance: Acceptance,
        approvals: Approvals,
        *,
        clock: Clock,
        settings: AccountSettings,
    ) -> None:
        self._records = records
        self._acceptance = acceptance
        self._approvals = approvals
        self._clock = clock
        self._settings = settings

    async def complete(self, query: Mapping[str, str], browser_secrets: Sequence[str]) -> AuthorizationOutcome:
        """Handle the callback with this `state`: once, and only from the browser that started the attempt."""
        for _ in range(RACES):
            attempt = await self._records.by_state(query.get("state", ""))
            if attempt is None:
                return texts.unknown_link()
            ended = self._records.ended_outcome(attempt)
            if ended is not None:
                return ended
            if attempt.state_used or attempt.state is not AttemptState.AT_PROVIDER:
                return texts.used_link(attempt)
            if not same_browser(attempt, browser_secrets):
                return texts.other_browser(attempt)
            used = replace(attempt, state_used=True)
            if await self._records.save(used):
                return await self._redeem(replace(used, version=used.version + 1), query)
        raise too_many_races()

    async def _redeem(self, attempt: Attempt, query: Mapping[str, str]) -> AuthorizationOutcome:
        try:
            held = await self._records.keeper(attempt.connection_name).redeem(attempt, query)
        except GrantError as failure:
            return await self._failed(attempt, failure)
        return await self._granted(attempt, held)

    async def _granted(self, attempt: Attempt, held: Held) -> AuthorizationOutcome:
        stored = await self._records.account(attempt)
        if stored is None:
            return texts.unknown_link()
        if held.account is not None and is_switch(attempt.reconnect, stored.account, held.account):
            return await self._acceptance.refuse_switch(attempt, stored.account, held.account)
        if attempt.verification is UserVerification.OFF or (
            attempt.verification is UserVerification.CONFIRM and _vouched(attempt, held.account)
        ):
            try:
                return await self._acceptance.connect(attempt, held)
            except VaultError:
                raise
            except ScalekitMCPError as error:
                return await self._failed(attempt, _not_accepted(error))
        return await self._hold(attempt, stored, held)

    async def _hold(self, attempt: Attempt, stored: StoredAccount, held: Held) -> AuthorizationOutcome:
        now = self._clock.now()
        by_code = attempt.verification is UserVerification.CONFIRM
        code = new_code() if by_code else None
        request_id = None if by_code else secrets.token_urlsafe(32)
        holding = replace(
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
                held=held,
            ),
        )
        for _ in range(RACES):
            moved = pending_reason(stored.account, Cause.TOKENS_HELD, Reason.AWAITING_CONFIRMATION, at=now)
            if await self._records.commit(stored.account, SaveAttempt(holding), *moved):
                if code is not None:
                    minutes = round(self._settings.confirmation_seconds / 60)
                    return texts.confirmation_needed(holding, held.account, code, minutes=minutes)
                return texts.verify_at_url(holding, held.account, _verify_url(holding, request_id or ""))
            current = await self._records.current_account(attempt)
            if isinstance(current, AuthorizationOutcome):
                return current
            stored = current
        raise too_many_races()

    async def _failed(self, attempt: Attempt, failure: GrantError) -> AuthorizationOutcome:
        outcome = texts.failed(attempt, failure)
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
            stored = await self._records.account(attempt)
            if stored is None:
                return outcome
            moved = (
                []
                if cause is None or reason is None
                else pending_reason(stored.account, cause, reason, at=self._clock.now(), code=failure.code)
            )
            note = NoteAccount(stored.account.id, last_authorization_error=f"{failure.message} ({failure.code})")
            if failure.claims is not None:
                note = replace(note, pending_claims=failure.claims)
            if await self._records.commit(stored.account, SaveAttempt(failed), note, *moved):
                return self._approvals.with_approval(outcome, attempt, stored.account)
            if isinstance(await self._records.current_account(attempt), AuthorizationOutcome):
                return outcome
        return outcome


def _vouched(attempt: Attempt, signed_in: ProviderAccount | None) -> bool:
    """Whether the identifier or the caller's credential names the account that consents, so that no code is needed."""
    if signed_in is None:
        return False
    if is_named_by(attempt.identifier, signed_in):
        return True
    secrets_ = attempt.secrets
    if secrets_.expected_account is not None and secrets_.expected_account == signed_in.key:
        return True
    hint = (secrets_.login_hint or "").strip().casefold()
    names = (signed_in.preferred_username, signed_in.mail, signed_in.user_principal_name)
    return bool(hint) and any(name is not None and name.casefold() == hint for name in names)


def code_hash(attempt_id: str, code: str) -> str:
    """The SHA-256 of a confirmation code, as it is stored; the record around it is sealed with the vault key."""
    return sha256_text(f"{attempt_id}:{code}")


def _verify_url(attempt: Attempt, request_id: str) -> str:
    parts = urlsplit(attempt.secrets.user_verify_url or "")
    query = {"auth_request_id": request_id}
    if attempt.secrets.caller_state is not None:
        query["state"] = attempt.secrets.caller_state
    joined = "&".join(part for part in (parts.query, urlencode(query)) if part)
    return urlunsplit((parts.scheme, parts.netloc, parts.path, joined, parts.fragment))


def _not_accepted(error: ScalekitMCPError) -> GrantError:
    return GrantError(
        GrantFault.RESTART,
        said("sign_in.not_accepted"),
        code=error.code,
        who_acts=error.who_acts,
        next_step=texts.ASK_ANEW,
    )
