"""Who consented is who asked: the code from the page, the operator's backend, or Cancel."""

from __future__ import annotations

from dataclasses import replace

from scalekit_mcp.accounts.accounts import RACES, too_many_races
from scalekit_mcp.accounts.authorization.attempts import Attempts, same_browser
from scalekit_mcp.accounts.authorization.callback import code_hash
from scalekit_mcp.accounts.authorization.outcomes import AuthorizationOutcome, OutcomeKind
from scalekit_mcp.accounts.model.records import (
    AccountKey,
    AccountView,
    Attempt,
    AttemptState,
    HeldGrant,
    Reason,
    UserVerification,
)
from scalekit_mcp.accounts.model.statuses import Cause
from scalekit_mcp.accounts.vault.changes import (
    AttemptKey,
    NoteAccount,
    SaveAttempt,
)
from scalekit_mcp.accounts.vault.sealing import same_text, sha256_text
from scalekit_mcp.confirmation_code import not_a_code, read_code
from scalekit_mcp.errors import InvalidInput

WRONG_TRIES = 5
CANCELLED_ON_THE_PAGE = "The user pressed Cancel on the page before signing in. Nothing was changed."


class Confirmation(Attempts):
    """Redeems, verifies and discards held tokens."""

    async def confirm(self, key: AccountKey, confirmation_code: str) -> AccountView:
        """Redeem the code from the page; only the identifier that asked can do it. Answers the connected account.

        Raises:
            InvalidInput: nothing waits for a code, the code is wrong, or too many were. What cannot be a code at all
                is refused without counting as one of five tries: it could not have been right.
        """
        typed = read_code(confirmation_code)
        if typed is None:
            raise not_a_code()
        for _ in range(RACES):
            stored = await self._vault.find_account(key)
            attempt = None if stored is None else await self._accounts.live_attempt(stored)
            if (
                attempt is None
                or attempt.state is not AttemptState.HELD
                or attempt.verification is not UserVerification.CONFIRM
                or attempt.expires_at <= self._clock.now()
            ):
                if attempt is not None and attempt.state is AttemptState.HELD:
                    await self._void(attempt)
                raise InvalidInput(
                    f"No sign-in for '{key.identifier}' waits for a confirmation code; its time may be over.",
                    field="confirmation_code",
                    next_step="Call authorize without arguments for a new link.",
                )
            if same_text(attempt.secrets.confirmation_sha256, code_hash(attempt.id, typed)):
                held = attempt.secrets.held
                if held is not None:
                    return await self._accept(attempt, held)
            else:
                await self._wrong(attempt, "confirmation_code", "The confirmation code is wrong.")
        raise too_many_races()

    async def verify_user(self, auth_request_id: str, identifier: str) -> AccountView:
        """The operator's backend says who consented; answers the connected account.

        Raises:
            InvalidInput: `field` is `auth_request_id` for an unknown or expired request, `identifier` for the wrong
                person, which counts as one of five tries.
        """
        for _ in range(RACES):
            attempt = await self._vault.find_attempt(AttemptKey.AUTH_REQUEST, sha256_text(auth_request_id))
            if (
                attempt is not None
                and attempt.state is AttemptState.SUCCEEDED
                and same_text(attempt.identifier, identifier)
            ):
                return await self._accounts.get(attempt.key)
            if attempt is None or attempt.state is not AttemptState.HELD or attempt.expires_at <= self._clock.now():
                if attempt is not None and attempt.state is AttemptState.HELD:
                    await self._void(attempt)
                raise InvalidInput(
                    "There is no sign-in with this auth_request_id; it was used, or its time is over.",
                    field="auth_request_id",
                    next_step="Begin a new authorization.",
                )
            if same_text(attempt.identifier, identifier):
                held = attempt.secrets.held
                if held is not None:
                    return await self._accept(attempt, held)
            else:
                await self._wrong(attempt, "identifier", "The identifier is not the one that asked for this sign-in.")
        raise too_many_races()

    async def _accept(self, attempt: Attempt, held: HeldGrant) -> AccountView:
        outcome = await self._connect(attempt, held)
        if outcome.kind is not OutcomeKind.CONNECTED:
            raise InvalidInput(outcome.message, next_step=outcome.next_step)
        return await self._accounts.get(attempt.key)

    async def _wrong(self, attempt: Attempt, field: str, what: str) -> None:
        """Count a wrong try and raise; comes back only if somebody else changed the attempt first."""
        tries = attempt.wrong_tries + 1
        if tries >= WRONG_TRIES:
            if not await self._void(attempt, tries):
                return
            raise InvalidInput(
                f"{what} That was try number {tries}: the sign-in is void and its tokens were discarded.",
                field=field,
                next_step="Call authorize for a new link and let the user sign in again.",
            )
        if not await self._vault.commit(SaveAttempt(replace(attempt, wrong_tries=tries))):
            return
        raise InvalidInput(
            f"{what} {WRONG_TRIES - tries} of {WRONG_TRIES} tries are left.",
            field=field,
            next_step="Read the eight characters from the page again."
            if field == "confirmation_code"
            else "Verify only the user who began this authorization.",
        )

    async def cancel(self, ticket: str, browser_secret: str | None = None) -> AuthorizationOutcome:
        """End the attempt as declined; held tokens are discarded, from the browser that brought them alone."""
        for _ in range(RACES):
            attempt = await self._by_ticket(ticket)
            if isinstance(attempt, AuthorizationOutcome):
                return attempt
            if not same_browser(attempt, () if browser_secret is None else (browser_secret,)):
                return self._pages.other_browser(attempt)
            if await (self._void(attempt) if attempt.state is AttemptState.HELD else self._decline(attempt)):
                return self._pages.cancelled(attempt)
        raise too_many_races()

    async def _decline(self, attempt: Attempt) -> bool:
        """End an attempt whose person does not want it, before any token came."""
        stored = await self._vault.find_account(attempt.key)
        if stored is None:
            return True
        note = NoteAccount(stored.account.id, last_authorization_error=CANCELLED_ON_THE_PAGE)
        moved = self._reason(stored.account, Cause.CONSENT_DECLINED, Reason.CONSENT_DECLINED)
        return await self._commit(stored.account, SaveAttempt(attempt.ended(AttemptState.FAILED)), note, *moved)
