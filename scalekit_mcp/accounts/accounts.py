"""Finding, creating, listing, disconnecting and deleting the accounts of a vault."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from scalekit_mcp.accounts.misconfiguration import MisconfigurationGuard
from scalekit_mcp.accounts.model import statuses, texts
from scalekit_mcp.accounts.model.grants import GrantEnd
from scalekit_mcp.accounts.model.records import (
    AccountKey,
    AccountPage,
    AccountSettings,
    AccountStatus,
    AccountView,
    Attempt,
    AttemptState,
    CallsStopped,
    ConnectedAccount,
    DamagedAccount,
    HistoryEntry,
    Reason,
    StoredAccount,
)
from scalekit_mcp.accounts.model.statuses import Cause
from scalekit_mcp.accounts.snapshots import Snapshots
from scalekit_mcp.accounts.vault.changes import AttemptKey, Change, ChangeStatus, EndGrantsOf, NoteAccount, SaveAttempt
from scalekit_mcp.accounts.vault.sealing.key_ring import BrokenSealError
from scalekit_mcp.accounts.vault.sealing.seals import DamagedRecordError
from scalekit_mcp.accounts.vault.vault import Vault
from scalekit_mcp.clock import Clock
from scalekit_mcp.concurrency import RunningTasks, SingleFlight
from scalekit_mcp.errors import ConnectedAccountNotFound, InvalidInput, VaultError

RACES = 20
"""How often a step is tried again because the record was changed by somebody else in between."""
_PRUNE_INTERVAL = timedelta(days=1)
_CLOSE_SECONDS = 2.0


class Accounts:
    """The accounts of one vault; this process caches each record that it reads for two seconds."""

    def __init__(
        self,
        vault: Vault,
        connections: Collection[str],
        clock: Clock,
        settings: AccountSettings,
        operator: MisconfigurationGuard,
    ) -> None:
        self._vault = vault
        self._operator = operator
        self._connections = connections
        self._clock = clock
        self._settings = settings
        self._snapshots = Snapshots(clock, settings.snapshot_seconds)
        self._readings: SingleFlight[AccountKey, StoredAccount] = SingleFlight()
        self._pruned_at: datetime | None = None
        self._pruning = RunningTasks()

    async def get_or_create(self, key: AccountKey) -> AccountView:
        """The account, created as PENDING if there is none; idempotent, also under races.

        Raises:
            InvalidInput: a connection that is not configured.
        """
        return self.view(await self.find_or_create(key))

    async def get(self, key: AccountKey, *, cached: bool = False) -> AccountView:
        """The account; raises `ConnectedAccountNotFound`. `cached` accepts what was read up to two seconds ago."""
        if not cached:
            return self.view(await self.find(key))
        return self.view(self.snapshot(key) or await self.recent(key))

    async def find(self, key: AccountKey) -> StoredAccount:
        """The record as the vault has it now; raises `ConnectedAccountNotFound`."""
        self.check_connection(key.connection_name)
        stored = await self._vault.find_account(key)
        if stored is None:
            raise ConnectedAccountNotFound(key.connection_name, key.identifier)
        self.remember(stored)
        return stored

    async def recent(self, key: AccountKey) -> StoredAccount:
        """As `find`; callers who ask at the same time share one read."""
        return await self._readings.run(key, lambda: self.find(key))

    async def find_or_create(self, key: AccountKey) -> StoredAccount:
        """The record, made as PENDING if there is none; raises `InvalidInput` for a connection that is none."""
        self.check_connection(key.connection_name)
        self._prune()
        stored = await self._vault.find_account(key)
        if stored is not None:
            return stored
        now = self._clock.now()
        account = ConnectedAccount(
            id="ca_" + secrets.token_hex(12),
            connection_name=key.connection_name,
            identifier=key.identifier,
            status=AccountStatus.PENDING,
            reason=Reason.NEVER_AUTHORIZED,
            who_acts="user",
            created_at=now,
            updated_at=now,
        )
        entry = HistoryEntry(
            at=now,
            account_id=account.id,
            connection_name=key.connection_name,
            identifier=key.identifier,
            old_status=None,
            new_status=account.status,
            old_reason=None,
            new_reason=account.reason,
            cause=Cause.CREATED,
        )
        await self._vault.create_account(account, entry)
        return await self.find(key)

    def check_connection(self, connection_name: str) -> None:
        """Raise `InvalidInput` for a connection that is not configured."""
        if connection_name not in self._connections:
            raise InvalidInput(
                f"There is no connection '{connection_name}'; there is {', '.join(sorted(self._connections))}.",
                field="connection_name",
            )

    async def aclose(self) -> None:
        """Wait a short time for the clean-up of old records if it is running."""
        await self._pruning.aclose(_CLOSE_SECONDS)

    def _prune(self) -> None:
        """Delete old history and attempts, once a day, in the background of the first call."""
        now = self._clock.now()
        if self._pruned_at is not None and now - self._pruned_at < _PRUNE_INTERVAL:
            return
        self._pruned_at = now
        self._pruning.start(self._forget_old(now))

    async def _forget_old(self, now: datetime) -> None:
        with suppress(VaultError):  # what cannot be written today is forgotten tomorrow
            await self._vault.prune(
                history_before=now - timedelta(days=self._settings.history_days),
                attempts_before=now - _PRUNE_INTERVAL,
            )

    def view(self, stored: StoredAccount) -> AccountView:
        """The account as callers see it, made from the stored record; it holds no token."""
        now = self._clock.now()
        attempt = statuses.attempt_in_progress(stored.attempt, now)
        return AccountView(
            statuses.as_shown(stored.account, stored.attempt, now),
            None if attempt is None else attempt.state,
            None if attempt is None else attempt.expires_at,
            self._stopped(stored, now),
        )

    def _stopped(self, stored: StoredAccount, now: datetime) -> CallsStopped | None:
        """Why this process makes no calls with the account although its own status allows them; None if it does."""
        account = stored.account
        active = account.status is AccountStatus.ACTIVE
        if active and stored.tenant_mark is not None:
            return texts.stopped_by_tenant(account)
        refused = self._operator.remembered_error(account)
        served = active and account.token_expires_at is not None and account.token_expires_at > now
        if refused is None or served:
            return None
        return CallsStopped(refused.message, refused.who_acts, refused.next_step)

    def snapshot(self, key: AccountKey) -> StoredAccount | None:
        """The cached record of the account; None if it was not read within the cache time."""
        return self._snapshots.get(key)

    def remember(self, stored: StoredAccount) -> None:
        """Put a record that was just read into the cache."""
        self._snapshots.put(stored)

    def forget(self, key: AccountKey) -> None:
        """Read the record anew next time."""
        self._readings.forget(key)
        self._snapshots.drop(key)

    async def list(
        self,
        *,
        connection_name: str | None = None,
        identifier: str | None = None,
        status: str | None = None,
        page_size: int = 50,
        page_token: str | None = None,
        account_id: str | None = None,
    ) -> AccountPage:
        """One page of accounts in the order of (connection_name, identifier); with `account_id`, that one or none.

        Raises:
            InvalidInput: an unknown status, a page size outside 1 to 1000, or a page token of another list.
        """
        if not 1 <= page_size <= 1000:
            raise InvalidInput("page_size must be between 1 and 1000.", field="page_size")
        wanted = _status(status)
        query = f"{connection_name}\n{identifier}\n{wanted}" + (f"\n{account_id}" if account_id else "")
        context = hashlib.sha256(query.encode()).hexdigest()
        ring = self._vault.key_ring
        after: tuple[str, str] | None = None
        if page_token:
            try:
                opened = ring.open_token("account page", context, page_token, now=self._clock.now())
            except BrokenSealError:
                raise InvalidInput(
                    "The page token does not belong to this list, or is damaged.",
                    field="page_token",
                    next_step="Repeat the call without a page token.",
                ) from None
            after, total = (str(opened["c"]), str(opened["i"])), int(opened["n"])
        else:
            total = await self._vault.count_accounts(
                connection_name=connection_name, identifier=identifier, status=wanted, account_id=account_id
            )
        found = await self._vault.list_accounts(
            connection_name=connection_name,
            identifier=identifier,
            status=wanted,
            after=after,
            limit=page_size + 1,
            account_id=account_id,
        )
        page, token = found[:page_size], None
        if len(found) > page_size:
            last = page[-1] if isinstance(page[-1], DamagedAccount) else page[-1].account
            payload = {"c": last.connection_name, "i": last.identifier, "n": total}
            token = ring.seal_token("account page", context, payload)
        shown = (each if isinstance(each, DamagedAccount) else self.view(each) for each in page)
        return AccountPage(tuple(shown), total, token)

    async def live_attempt(self, stored: StoredAccount) -> Attempt | None:
        """The attempt of an account that may still succeed, with its secrets."""
        if stored.attempt is None:
            return None
        return await self._vault.find_attempt(AttemptKey.LIVE_ACCOUNT, stored.account.id)

    async def end_attempt(self, stored: StoredAccount) -> list[Change]:
        """The change that ends the live attempt of an account, if there is one."""
        live = await self.live_attempt(stored)
        return [] if live is None else [SaveAttempt(live.ended(AttemptState.SUPERSEDED))]

    async def delete(self, key: AccountKey) -> bool:
        """Remove the account and its sealed tokens for good; False if there was none."""
        self.forget(key)
        try:
            stored = await self._vault.find_account(key)
        except DamagedRecordError as damaged:  # what cannot be read can still be removed
            whose = (damaged.account_id, key.connection_name, key.identifier)
            entry = HistoryEntry(self._clock.now(), *whose, None, None, None, None, Cause.DELETED)
            return await self._vault.delete_account(damaged.account_id, entry)
        if stored is None:
            return False
        account = stored.account
        entry = HistoryEntry(
            at=self._clock.now(),
            account_id=account.id,
            connection_name=account.connection_name,
            identifier=account.identifier,
            old_status=account.status,
            new_status=None,
            old_reason=account.reason,
            new_reason=None,
            cause=Cause.DELETED,
        )
        return await self._vault.delete_account(account.id, entry)

    async def disconnect(self, key: AccountKey) -> AccountView:
        """Forget the tokens, end a live attempt and the grants of apps, keep the record as REVOKED / `disconnected`."""
        for _ in range(RACES):
            stored = await self.find(key)
            account = stored.account
            cleared = replace(account, token_expires_at=None, granted_scopes=(), pending_claims=None)
            changed = statuses.change(cleared, Cause.DISCONNECTED, reason=Reason.DISCONNECTED, at=self._clock.now())
            changes: list[Change] = [
                ChangeStatus(replace(changed, before=account), None),
                EndGrantsOf(account.id, GrantEnd.DISCONNECTED, changed.after.updated_at),
            ]
            changes += await self.end_attempt(stored)
            written = await self._vault.commit(*changes)
            self.forget(key)
            if written:
                return await self.get(key)
        raise too_many_races()

    async def note_challenge(self, key: AccountKey, *, claims: str) -> None:
        """Store a claims challenge (a JSON text), so that the next authorization sends it; no status changes."""
        stored = await self.find(key)
        await self._vault.commit(NoteAccount(stored.account.id, pending_claims=claims))
        self.forget(key)

    async def history(
        self,
        *,
        connection_name: str | None = None,
        identifier: str | None = None,
        since: datetime | None = None,
        limit: int = 100,
    ) -> Sequence[HistoryEntry]:
        """Changes of status, the newest first; kept for 400 days."""
        return await self._vault.history(
            connection_name=connection_name, identifier=identifier, since=since, limit=limit
        )


def _status(status: str | None) -> AccountStatus | None:
    if status is None or status == "":
        return None
    try:
        return AccountStatus(status.upper())
    except ValueError:
        raise InvalidInput(
            f"There is no status '{status}'; there are {', '.join(AccountStatus)}.", field="status"
        ) from None


def too_many_races() -> VaultError:
    """The error to raise when a record was changed by somebody else during every try of a step."""
    return VaultError("The account kept being changed by others.", next_step="Repeat the call.", retryable=True)
