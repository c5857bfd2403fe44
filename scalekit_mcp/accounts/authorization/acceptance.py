"""The success of an attempt: its account is connected with the tokens that the attempt got."""

from __future__ import annotations

import logging
from dataclasses import replace

from scalekit_mcp.accounts.accounts import RACES, too_many_races
from scalekit_mcp.accounts.authorization import texts
from scalekit_mcp.accounts.authorization.attempts import AttemptRecords, is_switch
from scalekit_mcp.accounts.authorization.outcomes import AuthorizationOutcome
from scalekit_mcp.accounts.model.records import Attempt, AttemptState, ConnectedAccount, Held, ProviderAccount
from scalekit_mcp.accounts.vault.changes import Change, NoteAccount, SaveAttempt

_log = logging.getLogger(__name__)


class Acceptance:
    """Connects accounts; refuses to replace the connected provider account by a different one that nobody asked for."""

    def __init__(self, records: AttemptRecords) -> None:
        self._records = records

    async def connect(self, attempt: Attempt, held: Held) -> AuthorizationOutcome:
        """Connect the account of an attempt and end the attempt, in one transaction.

        Raises what `Keeper.accept` raises, and `VaultError`.
        """
        for _ in range(RACES):
            stored = await self._records.current_account(attempt)
            if isinstance(stored, AuthorizationOutcome):
                return stored
            if held.account is not None and is_switch(attempt.reconnect, stored.account, held.account):
                return await self.refuse_switch(attempt, stored.account, held.account)
            if await self.activate(stored.account, held, SaveAttempt(attempt.ended(AttemptState.SUCCEEDED))):
                return texts.connected(attempt, held.account)
        raise too_many_races()

    async def activate(self, account: ConnectedAccount, held: Held, *also: Change) -> bool:
        """Connect an account and write `also` with it; False if somebody else changed the records in between."""
        changes = await self._records.keeper(account.connection_name).accept(account, held)
        written = await self._records.commit(account, *changes, *also)
        if written:
            _log.info("Connected '%s' on '%s'.", account.identifier, account.connection_name)
        return written

    async def refuse_switch(
        self, attempt: Attempt, account: ConnectedAccount, signed_in: ProviderAccount
    ) -> AuthorizationOutcome:
        """Discard the tokens of a wrong provider account; a link that held no tokens yet can be used again."""
        outcome = texts.other_account(attempt, account, signed_in)
        failed = replace(
            attempt,
            state=AttemptState.FAILED,
            live=attempt.state is not AttemptState.HELD,
            secrets=replace(attempt.secrets, state=None, nonce=None, code_verifier=None, held=None),
        )
        note = NoteAccount(account.id, last_authorization_error=str(outcome.message))
        await self._records.commit(account, SaveAttempt(failed), note)
        return outcome
