"""What all steps of an authorization need of the vault: find an attempt, see whether it can still succeed, end it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from scalekit_mcp.accounts.accounts import Accounts
from scalekit_mcp.accounts.authorization import texts
from scalekit_mcp.accounts.authorization.keeper import Keeper
from scalekit_mcp.accounts.authorization.outcomes import AuthorizationOutcome
from scalekit_mcp.accounts.model import statuses
from scalekit_mcp.accounts.model.records import (
    AccountKey,
    AccountSettings,
    AccountStatus,
    Attempt,
    AttemptState,
    ConnectedAccount,
    ProviderAccount,
    Reason,
    StoredAccount,
)
from scalekit_mcp.accounts.model.statuses import Cause
from scalekit_mcp.accounts.vault.changes import AttemptKey, Change, ChangeStatus, SaveAttempt
from scalekit_mcp.accounts.vault.sealing.key_ring import same_text, sha256_text
from scalekit_mcp.accounts.vault.vault import Vault
from scalekit_mcp.clock import Clock
from scalekit_mcp.identifiers import account_named_by


class AttemptRecords:
    """Reads and writes attempts of all connections of one vault, and gives the keeper of each connection."""

    def __init__(
        self,
        vault: Vault,
        accounts: Accounts,
        keepers: Mapping[str, Keeper],
        clock: Clock,
        settings: AccountSettings,
    ) -> None:
        self._vault = vault
        self._accounts = accounts
        self._keepers = keepers
        self._clock = clock
        self._link_minutes = round(settings.attempt_seconds / 60)

    def keeper(self, connection_name: str) -> Keeper:
        """The keeper of a configured connection."""
        return self._keepers[connection_name]

    async def account(self, attempt: Attempt) -> StoredAccount | None:
        """The account that an attempt is for; None if it was deleted."""
        return await self._vault.find_account(attempt.key)

    async def mailbox(self, key: AccountKey) -> str | None:
        """What people call the provider account that is, or was, connected; None if that is not known."""
        stored = await self._vault.find_account(key)
        known = None if stored is None else stored.account.provider_account
        return None if known is None else known.mailbox

    async def by_ticket(self, ticket: str) -> Attempt | AuthorizationOutcome:
        """The attempt whose link holds `ticket`, or the outcome to show if the link can no longer be used."""
        attempt = await self._find(AttemptKey.TICKET, ticket)
        if attempt is None:
            return texts.unknown_link()
        return self.ended_outcome(attempt) or attempt

    async def by_state(self, state: str) -> Attempt | None:
        """The attempt that sent this `state` to the provider, whatever its own state is; None if there is none."""
        return await self._find(AttemptKey.STATE, state) if state else None

    async def by_auth_request(self, auth_request_id: str) -> Attempt | None:
        """The attempt whose held tokens have this id, whatever its state is; None if there is none."""
        return await self._find(AttemptKey.AUTH_REQUEST, auth_request_id)

    async def _find(self, key: AttemptKey, secret: str) -> Attempt | None:
        attempt = await self._vault.find_attempt(key, sha256_text(secret))
        return attempt if attempt is not None and attempt.connection_name in self._keepers else None

    async def live(self, key: AccountKey) -> Attempt | None:
        """The attempt of an account that may still succeed; None if there is none."""
        stored = await self._vault.find_account(key)
        return None if stored is None else await self._accounts.live_attempt(stored)

    def ended_outcome(self, attempt: Attempt) -> AuthorizationOutcome | None:
        """The outcome to show for an attempt that can no longer succeed; None if it still can."""
        if attempt.state is AttemptState.SUPERSEDED:
            return texts.superseded_link(attempt)
        if attempt.state is AttemptState.SUCCEEDED:
            return texts.used_link(attempt)
        if self.is_expired(attempt) or attempt.state is AttemptState.EXPIRED:
            return texts.expired_link(attempt, minutes=self._link_minutes)
        return None if attempt.live else texts.used_link(attempt)

    def is_expired(self, attempt: Attempt) -> bool:
        """Whether the time of the attempt is over."""
        return attempt.expires_at <= self._clock.now()

    async def current_account(self, attempt: Attempt) -> StoredAccount | AuthorizationOutcome:
        """The account as stored now, or the outcome to show if the attempt was deleted or changed by somebody else."""
        current = (
            None
            if attempt.ticket_sha256 is None
            else await self._vault.find_attempt(AttemptKey.TICKET, attempt.ticket_sha256)
        )
        stored = await self.account(attempt)
        if current is None or stored is None:
            return texts.unknown_link()
        if current.version != attempt.version:
            return self.ended_outcome(current) or texts.used_link(current)
        return stored

    async def save(self, attempt: Attempt) -> bool:
        """Write only the attempt; False if it was changed by somebody else since it was read."""
        return await self._vault.commit(SaveAttempt(attempt))

    async def commit(self, account: ConnectedAccount, *changes: Change) -> bool:
        """Write all changes or none; False if a record was changed by somebody else since it was read."""
        written = await self._vault.commit(*changes)
        self._accounts.forget(account.key)
        return written

    async def end_without_result(self, attempt: Attempt, wrong_tries: int | None = None) -> bool:
        """End an attempt without tokens and discard what it holds; False if somebody else changed it meanwhile."""
        voided = attempt.ended(AttemptState.EXPIRED if self.is_expired(attempt) else AttemptState.FAILED)
        if wrong_tries is not None:
            voided = replace(voided, wrong_tries=wrong_tries)
        stored = await self.account(attempt)
        if stored is None:
            return True
        moved = pending_reason(stored.account, Cause.ATTEMPT_ENDED, Reason.NEVER_AUTHORIZED, at=self._clock.now())
        return await self.commit(stored.account, SaveAttempt(voided), *moved)


def pending_reason(
    account: ConnectedAccount, cause: Cause, reason: Reason, *, at: datetime, code: str | None = None
) -> list[Change]:
    """The change that gives a PENDING account the reason of its newest attempt; no change for any other account."""
    if account.status is not AccountStatus.PENDING or account.reason is reason:
        return []
    return [ChangeStatus(statuses.change(account, cause, reason=reason, at=at, code=code))]


def same_browser(attempt: Attempt, browser_secrets: Sequence[str]) -> bool:
    """Whether one of the cookies belongs to the browser that started the attempt; True if the attempt set none."""
    expected = attempt.secrets.browser_sha256
    return expected is None or any(same_text(expected, sha256_text(given)) for given in browser_secrets)


def same_account(account: ConnectedAccount, other: ProviderAccount) -> bool:
    """Whether `other` is the provider account that is connected now."""
    return account.provider_account is not None and account.provider_account.key == other.key


def is_switch(reconnect: bool, account: ConnectedAccount, signed_in: ProviderAccount) -> bool:
    """Whether the provider account that signed in must not be connected here.

    That is so if it would replace a different account although nobody asked to reconnect, or if the identifier itself
    names a different account; `reconnect` does not change the latter.
    """
    if account_named_by(account.identifier) is not None:
        return not is_named_by(account.identifier, signed_in)
    return account.provider_account is not None and not reconnect and not same_account(account, signed_in)


def is_named_by(identifier: str, signed_in: ProviderAccount) -> bool:
    """Whether the identifier itself names the provider account that signed in."""
    tid, oid = signed_in.key
    return account_named_by(identifier) == (tid.casefold(), oid.casefold())
