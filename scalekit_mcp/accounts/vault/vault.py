"""The vault on SQLAlchemy Core: SQLite in a file or in memory, PostgreSQL by URL; the same code for all.

This module is light: the database libraries are imported with the first use of the vault.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

import anyio

from scalekit_mcp.accounts.model.grants import ClientGrant, RefreshToken, SignIn
from scalekit_mcp.accounts.model.records import (
    AccountKey,
    AccountStatus,
    Attempt,
    ConnectedAccount,
    DamagedAccount,
    HistoryEntry,
    StoredAccount,
)
from scalekit_mcp.accounts.vault.changes import AttemptKey, Change, ChangeStatus, ResealStep, SignInKey
from scalekit_mcp.accounts.vault.sealing.key_ring import KeyRing
from scalekit_mcp.concurrency import OpenOnce, RunningTasks
from scalekit_mcp.errors import ConfigurationError

if TYPE_CHECKING:
    from scalekit_mcp.accounts.vault.store import Store

_T = TypeVar("_T")

StatusListener = Callable[[HistoryEntry], None]
"""Is called with every change of an account's status after it was written; must neither wait nor raise."""

GrantListener = Callable[[ClientGrant], None]
"""Is called with every grant that has ended, as it ended, after that was written; must neither wait nor raise."""

WRITE_SECONDS = 5.0
"""How long a SQLite writer waits for one of another process, and at most twice that for those of its own process."""
CLOSE_SECONDS = 25.0
"""How long `aclose` waits for what is being written."""


class Vault:
    """The store of accounts, sealed tokens, attempts and history.

    Opens itself, and migrates under a lock, on first use; raises nothing but `VaultError`. Records in, records out:
    everything that must happen together is one `commit`. With `outbox` every change of a status is due to be told.

    Every operation runs in a task of its own and is shielded: a caller that goes away leaves no half of it behind.
    `write_seconds` bounds how long a SQLite file that another process keeps locked is waited for.
    """

    def __init__(
        self, database_url: str, key_ring: KeyRing, *, outbox: bool = False, write_seconds: float = WRITE_SECONDS
    ) -> None:
        if not database_url.startswith(("sqlite+aiosqlite://", "postgresql+asyncpg://")):
            raise ConfigurationError(
                "The database URL must begin with 'sqlite+aiosqlite:///' or 'postgresql+asyncpg://'."
            )
        self._database_url = database_url
        self._key_ring = key_ring
        self._write_seconds = write_seconds
        self._outbox = outbox
        self._listeners: list[StatusListener] = []
        self._grant_listeners: list[GrantListener] = []
        self._store = OpenOnce(self._open)
        self._running = RunningTasks()

    def __repr__(self) -> str:
        return f"Vault({self._database_url.partition('://')[0]})"

    @property
    def key_ring(self) -> KeyRing:
        """The keys that records are sealed with."""
        return self._key_ring

    def on_status_change(self, listener: StatusListener) -> None:
        """Have `listener` called after every change of a status that this vault writes."""
        self._listeners.append(listener)

    def on_grant_end(self, listener: GrantListener) -> None:
        """Have `listener` called after every end of a grant that this vault writes, whatever ended it."""
        self._grant_listeners.append(listener)

    async def find_account(self, key: AccountKey) -> StoredAccount | None:
        """One account with tokens, lease, live attempt and tenant mark, in one read."""
        return await self._run(lambda store: store.find_account(key))

    async def create_account(self, account: ConnectedAccount, entry: HistoryEntry) -> bool:
        """Store a new account; False if its (connection_name, identifier) exists already."""
        created = await self._run(lambda store: store.create_account(account, entry))
        if created:
            self._notify(entry)
        return created

    async def delete_account(self, account_id: str, entry: HistoryEntry) -> bool:
        """Remove an account, its tokens and its attempts for good; False if there is none."""
        ended = await self._run(lambda store: store.delete_account(account_id, entry))
        if ended is None:
            return False
        self._notify(entry)
        self._notify_ended(ended)
        return True

    async def list_accounts(
        self,
        *,
        connection_name: str | None,
        identifier: str | None,
        status: AccountStatus | None,
        after: tuple[str, str] | None,
        limit: int,
        account_id: str | None = None,
    ) -> Sequence[StoredAccount | DamagedAccount]:
        """Accounts after `after` in the order of (connection_name, identifier), without their tokens."""
        return await self._run(
            lambda store: store.list_accounts(connection_name, identifier, status, after, limit, account_id)
        )

    async def count_accounts(
        self,
        *,
        connection_name: str | None,
        identifier: str | None,
        status: AccountStatus | None,
        account_id: str | None = None,
    ) -> int:
        """How many accounts a list has on all its pages."""
        return await self._run(lambda store: store.count_accounts(connection_name, identifier, status, account_id))

    async def find_attempt(self, key: AttemptKey, value: str) -> Attempt | None:
        """An attempt with its secrets."""
        return await self._run(lambda store: store.attempts.find(key, value))

    async def find_sign_in(self, key: SignInKey, value: str) -> SignIn | None:
        """A sign-in with its request and its secrets."""
        return await self._run(lambda store: store.sign_ins.find(key, value))

    async def find_grant(self, grant_id: str) -> ClientGrant | None:
        """A grant, also one that has ended and is not purged yet."""
        return await self._run(lambda store: store.grants.find(grant_id))

    async def find_refresh_token(self, sha256: str) -> tuple[RefreshToken, ClientGrant] | None:
        """A refresh token with its grant."""
        return await self._run(lambda store: store.grants.find_token(sha256))

    async def list_grants(self, account_id: str, *, now: datetime) -> Sequence[ClientGrant]:
        """The live grants of an account, the most recently used first."""
        return await self._run(lambda store: store.grants.list(account_id, now))

    async def commit(self, *changes: Change) -> bool:
        """Write all changes or none; False if one of them no longer holds."""
        ended = await self._run(lambda store: store.commit(changes))
        if ended is None:
            return False
        for change in changes:
            if isinstance(change, ChangeStatus) and change.change.visible:
                self._notify(change.change.entry())
        self._notify_ended(ended)
        return True

    async def history(
        self, *, connection_name: str | None, identifier: str | None, since: datetime | None, limit: int
    ) -> Sequence[HistoryEntry]:
        """The newest entries first."""
        return await self._run(lambda store: store.history.entries(connection_name, identifier, since, limit))

    async def due_deliveries(self, *, now: datetime, limit: int) -> Sequence[tuple[str, datetime, int, HistoryEntry]]:
        """What is due to be told at `now`, the oldest first: (id, due at, tries so far, entry)."""
        return await self._run(lambda store: store.history.due_deliveries(now, limit))

    async def settle_delivery(
        self, entry_id: str, *, due_at: datetime, next_due_at: datetime | None, tries: int
    ) -> bool:
        """Postpone the event due at `due_at`, or remove it (None); False if another process did so first."""
        return await self._run(lambda store: store.history.settle_delivery(entry_id, due_at, next_due_at, tries))

    async def prune(self, *, history_before: datetime, attempts_before: datetime) -> None:
        """Forget old history, and attempts that ended or ran out before `attempts_before`."""
        await self._run(lambda store: store.prune(history_before, attempts_before))

    async def reseal(self, *, after: str | None, limit: int) -> ResealStep:
        """Seal up to `limit` records anew that are not sealed with the first key; safe while others read and write."""
        return await self._run(lambda store: store.keys.reseal(after, limit))

    async def open(self) -> None:
        """Load the libraries, open the database and bring its tables up to date, ahead of the first call.

        Raises `VaultError`, as the first call would.
        """
        await anyio.to_thread.run_sync(_load_store)
        await self._running.run(self._opened())

    async def _opened(self) -> None:
        await self._store.get()

    async def check(self) -> None:
        """Write, read, and open what the keys were proved with; raises `VaultError` when any of it fails."""
        await self._run(lambda store: store.keys.check())

    async def aclose(self) -> None:
        """Close all connections; waits for what is being written, and cancels what is late."""
        await self._running.aclose(CLOSE_SECONDS)
        store = self._store.take()
        if store is not None:
            await store.aclose()

    def _notify(self, entry: HistoryEntry) -> None:
        for listener in self._listeners:
            listener(entry)

    def _notify_ended(self, ended: Sequence[ClientGrant]) -> None:
        for grant in ended:
            for listener in self._grant_listeners:
                listener(grant)

    async def _open(self) -> Store:
        return await _load_store().open(self._database_url, self._key_ring, self._write_seconds, outbox=self._outbox)

    async def _run(self, operation: Callable[[Store], Awaitable[_T]]) -> _T:
        async def run() -> _T:
            return await operation(await self._store.get())

        return await self._running.run(run())


def _load_store() -> type[Store]:
    """Import the database libraries: a fifth of a second the first time."""
    from scalekit_mcp.accounts.vault.store import Store

    return Store
