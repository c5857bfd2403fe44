"""Statements and transactions of the SQL vault. Heavy: imported with the first use of a vault."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, or_, select, tuple_, type_coerce, update
from sqlalchemy.types import NullType

from scalekit_mcp.accounts.model.grants import ClientGrant
from scalekit_mcp.accounts.model.records import (
    KEPT_ELSEWHERE,
    AccountKey,
    AccountStatus,
    ConnectedAccount,
    DamagedAccount,
    HistoryEntry,
    StoredAccount,
)
from scalekit_mcp.accounts.vault import rows
from scalekit_mcp.accounts.vault.attempts import Attempts
from scalekit_mcp.accounts.vault.changes import (
    Change,
    ChangeStatus,
    ClaimTrial,
    ClearTenant,
    EndGrant,
    EndGrantsOf,
    InsertAttempt,
    InsertGrant,
    InsertSignIn,
    Keep,
    MarkTenant,
    NoteAccount,
    ReleaseLease,
    RenewLease,
    ReplaceRefreshToken,
    SaveAttempt,
    SaveSignIn,
    SaveTokens,
    TakeLease,
)
from scalekit_mcp.accounts.vault.database.database import Database, translated
from scalekit_mcp.accounts.vault.database.statements import VERSION_COLUMNS, StaleChangeError, Statements
from scalekit_mcp.accounts.vault.grants.sign_ins import SignInStatements
from scalekit_mcp.accounts.vault.grants.statements import GrantStatements
from scalekit_mcp.accounts.vault.history import History
from scalekit_mcp.accounts.vault.keys import VaultKeys
from scalekit_mcp.accounts.vault.sealing import seals
from scalekit_mcp.accounts.vault.sealing.key_ring import KeyRing
from scalekit_mcp.accounts.vault.seen_versions import SeenVersions, is_older
from scalekit_mcp.accounts.vault.tables import attempts, connected_accounts, history, record_versions, tenant_marks

_account = connected_accounts.c
_attempt = attempts.c
_mark = tenant_marks.c

_JOINED = (
    connected_accounts.outerjoin(attempts, _attempt.live_account_id == _account.id)
    .outerjoin(tenant_marks, (_mark.connection_name == _account.connection_name) & (_mark.tid == _account.tid))
    .outerjoin(record_versions, record_versions.c.record_id == _account.id)
)
_BINARY = (_account.sealed_tokens, _account.sealed_state)
_PLAIN = tuple(column for column in connected_accounts.c if column not in set(_BINARY))
_BESIDE = (
    # As the driver has it: one damaged value must not stop the reading of all rows.
    type_coerce(_account.sealed_state, NullType()).label("sealed_state"),
    _attempt.id.label("attempt_id"),
    _attempt.state.label("attempt_state"),
    _attempt.expires_at.label("attempt_expires_at"),
    _mark.tid.label("mark_tid"),
    _mark.code.label("mark_code"),
    _mark.marked_at.label("mark_marked_at"),
    _mark.next_trial_at.label("mark_next_trial_at"),
    type_coerce(_mark.sealed, NullType()).label("mark_sealed"),
    *VERSION_COLUMNS,
)
_LISTED = select(*_PLAIN, *_BESIDE)
# Built once: every call of a user reads an account.
_BY_KEY = (
    select(*_PLAIN, type_coerce(_account.sealed_tokens, NullType()).label("sealed_tokens"), *_BESIDE)
    .select_from(_JOINED)
    .where(_account.connection_name == bindparam("connection_name"), _account.identifier == bindparam("identifier"))
)


_ONE_STATEMENT = (SaveTokens, TakeLease, RenewLease, ReleaseLease, NoteAccount, MarkTenant, ClaimTrial, ClearTenant)


class Store:
    """An opened vault: its accounts and commits here, the rest in `keys`, `attempts` and `history`."""

    def __init__(self, statements: Statements, *, outbox: bool) -> None:
        self._statements = statements
        self._ring = statements.ring
        self._floors = SeenVersions()
        self.keys = VaultKeys(statements)
        self.attempts = Attempts(statements, self._floors)
        self.history = History(statements, outbox=outbox)
        self.sign_ins = SignInStatements(statements)
        self.grants = GrantStatements(statements)

    @classmethod
    async def open(cls, database_url: str, ring: KeyRing, write_seconds: float, *, outbox: bool) -> Store:
        """Open the database, bring its tables up to date under a lock, and check the keys.

        Raises:
            VaultError: it cannot be opened, or was sealed with other keys.
        """
        database = Database(database_url, write_seconds=write_seconds)
        try:
            await database.migrate()
            store = cls(Statements(database, ring), outbox=outbox)
            with translated():
                await store.keys.check_keys()
        except BaseException:
            await database.aclose()
            raise
        return store

    async def aclose(self) -> None:
        """Close all connections."""
        await self._statements.database.aclose()

    # Accounts

    async def find_account(self, key: AccountKey) -> StoredAccount | None:
        """See `Vault`."""
        floor = self._floors.of(key)
        row = await self._statements.first(
            _BY_KEY, {"connection_name": key.connection_name, "identifier": key.identifier}
        )
        if row is None:
            return None
        stored = rows.stored_from_row(row, self._ring, with_tokens=True)
        if is_older(floor, stored.account.id, stored.account.epoch):
            raise seals.put_back(row)
        self._floors.saw(key, stored.account.id, stored.account.epoch)
        return stored

    async def create_account(self, account: ConnectedAccount, entry: HistoryEntry) -> bool:
        """See `Vault`."""
        values = {
            "id": account.id,
            "connection_name": account.connection_name,
            "identifier": account.identifier,
            "created_at": rows.to_micros(account.created_at),
            **rows.sealed_account_values(self._ring, account),
        }
        insert = self._statements.insert(connected_accounts).values(values).on_conflict_do_nothing()

        def create(connection: Connection) -> bool:
            inserted = self._statements.execute(connection, insert) == 1
            if inserted:
                self._statements.write_version(connection, account.id, account.epoch)
                self.history.add(connection, entry)
            return inserted

        return await self._statements.write(create)

    async def delete_account(self, account_id: str, entry: HistoryEntry) -> list[ClientGrant] | None:
        """Remove an account; the grants that ended with it, None if there is no such account."""

        def remove(connection: Connection) -> list[ClientGrant] | None:
            theirs = select(_attempt.id).where(_attempt.account_id == account_id)
            self._statements.execute(connection, delete(record_versions).where(record_versions.c.record_id.in_(theirs)))
            self._statements.execute(connection, delete(attempts).where(_attempt.account_id == account_id))
            ended = self.grants.delete_of(connection, account_id, entry.at)
            removed = (
                self._statements.execute(connection, delete(connected_accounts).where(_account.id == account_id)) == 1
            )
            if removed:
                self._statements.write_version(connection, account_id, seals.DELETED)
                self.history.add(connection, entry)
            return ended if removed else None

        ended = await self._statements.write(remove)
        await self._statements.database.forget_free_pages()
        return ended

    async def list_accounts(
        self,
        connection_name: str | None,
        identifier: str | None,
        status: AccountStatus | None,
        after: tuple[str, str] | None,
        limit: int,
        account_id: str | None = None,
    ) -> Sequence[StoredAccount | DamagedAccount]:
        """See `Vault`."""
        wanted = _filters(connection_name, identifier, status, account_id)
        statement = _LISTED.select_from(_JOINED).where(*wanted)
        if after is not None:
            statement = statement.where(tuple_(_account.connection_name, _account.identifier) > tuple_(*after))
        statement = statement.order_by(_account.connection_name, _account.identifier).limit(limit)
        return [rows.listed_from_row(row, self._ring) for row in await self._statements.all(statement)]

    async def count_accounts(
        self,
        connection_name: str | None,
        identifier: str | None,
        status: AccountStatus | None,
        account_id: str | None = None,
    ) -> int:
        """See `Vault`."""
        statement = select(func.count().label("n")).select_from(connected_accounts)
        row = await self._statements.first(statement.where(*_filters(connection_name, identifier, status, account_id)))
        return 0 if row is None else int(row["n"])

    # Changes

    async def prune(self, history_before: datetime, attempts_before: datetime) -> None:
        """See `Vault`."""

        def prune(connection: Connection) -> None:
            self._statements.execute(connection, delete(history).where(history.c.at < rows.to_micros(history_before)))
            self.attempts.prune(connection, attempts_before)

        await self._statements.write(prune)

    async def commit(self, changes: Sequence[Change]) -> list[ClientGrant] | None:
        """Write all changes or none; the grants that ended by them, None if a change no longer holds."""

        def apply(connection: Connection) -> list[ClientGrant]:
            ended: list[ClientGrant] = []
            for change in changes:
                if not self._apply(connection, change, ended):
                    raise StaleChangeError
            return ended

        try:
            ended = await self._statements.write(apply, one_statement=_is_one_statement(changes))
        except StaleChangeError:
            return None
        for change in changes:
            if isinstance(change, ChangeStatus):
                after = change.change.after
                self._floors.saw(after.key, after.id, after.epoch)
            elif isinstance(change, InsertAttempt):
                self.attempts.remember(change.attempt, change.attempt.version)
            elif isinstance(change, SaveAttempt):
                self.attempts.remember(change.attempt, change.attempt.version + 1)
        if any(isinstance(change, ChangeStatus) and change.tokens is None for change in changes):
            await self._statements.database.forget_free_pages()
        return ended

    def _apply(self, connection: Connection, change: Change, ended: list[ClientGrant]) -> bool:
        match change:
            case ChangeStatus():
                return self._change_status(connection, change)
            case SaveTokens():
                return self._save_tokens(connection, change)
            case TakeLease():
                free = or_(_account.lease_owner.is_(None), _account.lease_until <= rows.to_micros(change.now))
                statement = update(connected_accounts).where(
                    _account.id == change.account_id, _account.version == change.version, free
                )
                values = {"lease_owner": change.owner, "lease_until": rows.to_micros(change.until)}
                return self._statements.execute(connection, statement.values(values)) == 1
            case RenewLease():
                statement = update(connected_accounts).where(
                    _account.id == change.account_id, _account.lease_owner == change.owner
                )
                return (
                    self._statements.execute(connection, statement.values(lease_until=rows.to_micros(change.until)))
                    == 1
                )
            case ReleaseLease():
                statement = update(connected_accounts).where(
                    _account.id == change.account_id, _account.lease_owner == change.owner
                )
                values = {
                    "lease_owner": None,
                    "lease_until": None,
                    "refresh_not_before": rows.maybe_micros(change.refresh_not_before),
                }
                return self._statements.execute(connection, statement.values(values)) == 1
            case NoteAccount():
                return self._note(connection, change)
            case InsertAttempt():
                return self.attempts.insert(connection, change)
            case SaveAttempt():
                return self.attempts.save(connection, change)
            case MarkTenant() | ClaimTrial() | ClearTenant():
                return self.attempts.change_tenant(connection, change)
            case InsertSignIn() | SaveSignIn():
                return self.sign_ins.apply(connection, change)
            case InsertGrant() | ReplaceRefreshToken() | EndGrant() | EndGrantsOf():
                return self.grants.apply(connection, change, ended)

    def _change_status(self, connection: Connection, change: ChangeStatus) -> bool:
        before, after, tokens = change.change.before, change.change.after, change.tokens
        if isinstance(tokens, Keep):
            after, tokens = replace(after, tokens_version=before.tokens_version), None
        else:
            after = replace(after, tokens_version=None if tokens is None else after.version)
        values = {
            **rows.sealed_account_values(self._ring, after, tokens),
            "lease_owner": None,
            "lease_until": None,
            "refresh_not_before": None,
        }
        statement = update(connected_accounts).where(_account.id == before.id, _account.version == before.version)
        if self._statements.execute(connection, statement.values(values)) != 1:
            return False
        self._statements.write_version(connection, after.id, after.epoch)
        if change.change.visible:
            self.history.add(connection, change.change.entry())
        return True

    def _save_tokens(self, connection: Connection, change: SaveTokens) -> bool:
        account = change.account
        values = {
            **rows.sealed_account_values(self._ring, change.saved(), change.tokens),
            "last_used_at": rows.to_micros(change.at),
            "lease_owner": None,
            "lease_until": None,
            "refresh_not_before": None,
        }
        statement = update(connected_accounts).where(
            _account.id == account.id, _account.version == account.version, _account.lease_owner == change.owner
        )
        return self._statements.execute(connection, statement.values(values)) == 1

    def _note(self, connection: Connection, note: NoteAccount) -> bool:
        values: dict[str, Any] = {}
        if note.last_used_at is not None:
            values["last_used_at"] = rows.to_micros(note.last_used_at)
        if not isinstance(note.last_authorization_error, Keep):
            values["last_authorization_error"] = note.last_authorization_error
        if not isinstance(note.pending_claims, Keep):
            values["pending_claims"] = note.pending_claims
        statement = update(connected_accounts).where(_account.id == note.account_id)
        return not values or self._statements.execute(connection, statement.values(values)) == 1


def _is_one_statement(changes: Sequence[Change]) -> bool:
    return len(changes) == 1 and isinstance(changes[0], _ONE_STATEMENT)


def _filters(
    connection_name: str | None, identifier: str | None, status: AccountStatus | None, account_id: str | None
) -> list[ColumnElement[bool]]:
    given: list[ColumnElement[bool]] = []
    if connection_name is None:
        given.append(~_account.connection_name.startswith(KEPT_ELSEWHERE, autoescape=True))
    else:
        given.append(_account.connection_name == connection_name)
    if identifier is not None:
        given.append(_account.identifier == identifier)
    if status is not None:
        given.append(_account.status == status.value)
    if account_id is not None:
        given.append(_account.id == account_id)
    return given
