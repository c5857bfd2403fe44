"""Making sure that the person who consented is the one who asked: confirmation code, operator's backend, or Cancel."""

from __future__ import annotations

from dataclasses import replace

from scalekit_mcp.accounts.accounts import RACES, Accounts, too_many_races
from scalekit_mcp.accounts.authorization import texts
from scalekit_mcp.accounts.authorization.acceptance import Acceptance
from scalekit_mcp.accounts.authorization.attempts import AttemptRecords, pending_reason, same_browser
from scalekit_mcp.accounts.authorization.callback import code_hash
from scalekit_mcp.accounts.authorization.outcomes import AuthorizationOutcome, OutcomeKind
from scalekit_mcp.accounts.model.records import (
    AccountKey,
    AccountView,
    Attempt,
    AttemptState,
    Held,
    Reason,
    UserVerification,
)
from scalekit_mcp.accounts.model.statuses import Cause
from scalekit_mcp.accounts.vault.changes import NoteAccount, SaveAttempt
from scalekit_mcp.accounts.vault.sealing.key_ring import same_text
from scalekit_mcp.clock import Clock
from scalekit_mcp.confirmation_code import not_a_code, read_code
from scalekit_mcp.errors import InvalidInput

WRONG_TRIES = 5
CANCELLED_ON_THE_PAGE = "The user pressed Cancel on the page before signing in. Nothing was changed."
_CODE = "confirmation_code"


class Confirmation:
    """Accepts or discards held tokens; `Authorizations` describes the calls."""

    def __init__(self, records: AttemptRecords, acceptance: Acceptance, accounts: Accounts, clock: Clock) -> None:
        self._records = records
        self._acceptance = acceptance
        self._accounts = accounts
        self._clock = clock

    async def confirm(self, key: AccountKey, confirmation_code: str) -> AccountView:
        """Accept the held tokens of an account because its caller gave the code from the page."""
        typed = read_code(confirmation_code)
        if typed is None:
            raise not_a_code()
        for _ in range(RACES):
            attempt = await self._records.live(key)
            if (
                attempt is None
                or attempt.state is not AttemptState.HELD
                or attempt.verification is not UserVerification.CONFIRM
                or self._records.is_expired(attempt)
            ):
                if attempt is not None and attempt.state is AttemptState.HELD:
                    await self._records.end_without_result(attempt)
                raise InvalidInput(
                    f"No sign-in for '{key.identifier}' waits for a confirmation code; its time may be over.",
                    field=_CODE,
                    next_step="Call authorize without arguments for a new link.",
                )
            if same_text(attempt.secrets.confirmation_sha256, code_hash(attempt.id, typed)):
                held = attempt.secrets.held
                if held is not None:
                    return await self._accept(attempt, held, _CODE)
            else:
                await self._wrong(attempt, _CODE, "The confirmation code is wrong.")
        raise too_many_races()

    async def verify_user(self, auth_request_id: str, identifier: str) -> AccountView:
        """Accept the held tokens because the operator's backend says who consented."""
        for _ in range(RACES):
            attempt = await self._records.by_auth_request(auth_request_id)
            if (
                attempt is not None
                and attempt.state is AttemptState.SUCCEEDED
                and same_text(attempt.identifier, identifier)
            ):
                return await self._accounts.get(attempt.key)
            if attempt is None or attempt.state is not AttemptState.HELD or self._records.is_expired(attempt):
                if attempt is not None and attempt.state is AttemptState.HELD:
                    await self._records.end_without_result(attempt)
                raise InvalidInput(
                    "There is no sign-in with this auth_request_id; it was used, or its time is over.",
                    field="auth_request_id",
                    next_step="Begin a new authorization.",
                )
            if same_text(attempt.identifier, identifier):
                held = attempt.secrets.held
                if held is not None:
                    return await self._accept(attempt, held, "auth_request_id")
            else:
                await self._wrong(attempt, "identifier", "The identifier is not the one that asked for this sign-in.")
        raise too_many_races()

    async def _accept(self, attempt: Attempt, held: Held, field: str) -> AccountView:
        try:
            outcome = await self._acceptance.connect(attempt, held)
        except InvalidInput as spent:
            await self._records.end_without_result(attempt)
            spent.details["field"] = field
            raise
        if outcome.kind is not OutcomeKind.CONNECTED:
            raise InvalidInput(str(outcome.message), next_step=str(outcome.next_step))
        return await self._accounts.get(attempt.key)

    async def _wrong(self, attempt: Attempt, field: str, what: str) -> None:
        """Count a wrong try and raise `InvalidInput`; returns only if somebody else changed the attempt meanwhile."""
        tries = attempt.wrong_tries + 1
        if tries >= WRONG_TRIES:
            if not await self._records.end_without_result(attempt, tries):
                return
            raise InvalidInput(
                f"{what} That was try number {tries}: the sign-in is void and its tokens were discarded.",
                field=field,
                next_step="Call authorize for a new link and let the user sign in again.",
            )
        if not await self._records.save(replace(attempt, wrong_tries=tries)):
            return
        raise InvalidInput(
            f"{what} {WRONG_TRIES - tries} of {WRONG_TRIES} tries are left.",
            field=field,
            next_step="Read the eight characters from the page again."
            if field == _CODE
            else "Verify only the user who began this authorization.",
        )

    async def cancel(self, ticket: str, browser_secret: str | None) -> AuthorizationOutcome:
        """End an attempt because the person pressed Cancel, in the browser that started it."""
        for _ in range(RACES):
            attempt = await self._records.by_ticket(ticket)
            if isinstance(attempt, AuthorizationOutcome):
                return attempt
            if not same_browser(attempt, () if browser_secret is None else (browser_secret,)):
                return texts.other_browser(attempt)
            held = attempt.state is AttemptState.HELD
            if await (self._records.end_without_result(attempt) if held else self._decline(attempt)):
                return texts.cancelled(attempt)
        raise too_many_races()

    async def _decline(self, attempt: Attempt) -> bool:
        """End an attempt that the person declined before there were any tokens."""
        stored = await self._records.account(attempt)
        if stored is None:
            return True
        account, now = stored.account, self._clock.now()
        note = NoteAccount(account.id, last_authorization_error=CANCELLED_ON_THE_PAGE)
        moved = pending_reason(account, Cause.CONSENT_DECLINED, Reason.CONSENT_DECLINED, at=now)
        return await self._records.commit(account, SaveAttempt(attempt.ended(AttemptState.FAILED)), note, *moved)
