"""Statements and transactions of the SQL vault. Heavy: imported with the first use of a vault."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, or_, select, tuple_, update

from scalekit_mcp.accounts import rows
from scalekit_mcp.accounts.database import Database, translated
from scalekit_mcp.accounts.key_store import KeyStore
from scalekit_mcp.accounts.models import AccountStatus, Attempt, ConnectedAccount, HistoryEntry, StoredAccount
from scalekit_mcp.accounts.schema import attempts, connected_accounts, history, tenant_marks
from scalekit_mcp.accounts.sealing import KeyRing
from scalekit_mcp.accounts.statements import NoLongerHolds
from scalekit_mcp.accounts.vault import (
    KEEP,
    AddHistory,
    AttemptKey,
    Change,
    ChangeStatus,
    ClaimTrial,
    ClearTenant,
    InsertAttempt,
    Keep,
    MarkTenant,
    NoteAccount,
    ReleaseLease,
    RenewLease,
    SaveAttempt,
    SaveTokens,
    TakeLease,
)

_account = connected_accounts.c
_attempt = attempts.c
_mark = tenant_marks.c

_JOINED = connected_accounts.outerjoin(attempts, _attempt.live_account_id == _account.id).outerjoin(
    tenant_marks, (_mark.connection_name == _account.connection_name) & (_mark.tid == _account.tid)
)
_BESIDE = (
    _attempt.id.label("attempt_id"),
    _attempt.state.label("attempt_state"),
    _attempt.expires_at.label("attempt_expires_at"),
    _mark.tid.label("mark_tid"),
    _mark.code.label("mark_code"),
    _mark.marked_at.label("mark_marked_at"),
    _mark.next_trial_at.label("mark_next_trial_at"),
)
_FULL = select(*connected_accounts.c, *_BESIDE).select_from(_JOINED)
# Built once: every call of a user reads an account.
_BY_KEY = _FULL.where(
    _account.connection_name == bindparam("connection_name"), _account.identifier == bindparam("identifier")
)
_LISTED = select(*(column for column in connected_accounts.c if column is not _account.sealed_tokens), *_BESIDE)
_ATTEMPT_COLUMNS = {
    AttemptKey.TICKET: _attempt.ticket_sha256,
    AttemptKey.STATE: _attempt.state_sha256,
    AttemptKey.AUTH_REQUEST: _attempt.auth_request_sha256,
    AttemptKey.LIVE_ACCOUNT: _attempt.live_account_id,
}


class Store(KeyStore):
    """An opened vault."""

    def __init__(self, database: Database, ring: KeyRing) -> None:
        super().__init__(database, ring)
        self._written = itertools.count()

    @classmethod
    async def open(cls, database_url: str, ring: KeyRing, write_seconds: float) -> Store:
        """Open the database, bring its tables up to date under a lock, and check the keys.

        Raises:
            VaultError: it cannot be opened, or was sealed with other keys.
        """
        database = Database(database_url, write_seconds=write_seconds)
        try:
            await database.migrate()
            store = cls(database, ring)
            with translated():
                await store.check_keys()
        except BaseException:
            await database.aclose()
            raise
        return store

    async def aclose(self) -> None:
        """Close all connections."""
        await self._database.aclose()

    # Accounts

    async def find_account(self, connection_name: str, identifier: str) -> StoredAccount | None:
        """See `Vault`."""
        row = await self._first(_BY_KEY, {"connection_name": connection_name, "identifier": identifier})
        with rows.readable("An account's record"):
            return None if row is None else rows.stored_from_row(row, self._ring)

    async def create_account(self, account: ConnectedAccount, entry: HistoryEntry) -> bool:
        """See `Vault`."""
        values = {
            "id": account.id,
            "connection_name": account.connection_name,
            "identifier": account.identifier,
            "created_at": rows.to_micros(account.created_at),
            **rows.account_values(account),
        }
        insert = self._insert(connected_accounts).values(values).on_conflict_do_nothing()

        def create(connection: Connection) -> bool:
            inserted = self._execute(connection, insert) == 1
            if inserted:
                self._add_history(connection, entry)
            return inserted

        return await self._write(create)

    async def delete_account(self, account_id: str, entry: HistoryEntry) -> bool:
        """See `Vault`."""

        def remove(connection: Connection) -> bool:
            self._execute(connection, delete(attempts).where(_attempt.account_id == account_id))
            removed = self._execute(connection, delete(connected_accounts).where(_account.id == account_id)) == 1
            if removed:
                self._add_history(connection, entry)
            return removed

        removed = await self._write(remove)
        await self._database.forget_free_pages()
        return removed

    async def list_accounts(
        self,
        connection_name: str | None,
        identifier: str | None,
        status: AccountStatus | None,
        after: tuple[str, str] | None,
        limit: int,
        account_id: str | None = None,
    ) -> Sequence[StoredAccount]:
        """See `Vault`."""
        wanted = _filters(connection_name, identifier, status, account_id)
        statement = _LISTED.select_from(_JOINED).where(*wanted)
        if after is not None:
            statement = statement.where(tuple_(_account.connection_name, _account.identifier) > tuple_(*after))
        statement = statement.order_by(_account.connection_name, _account.identifier).limit(limit)
        found = await self._all(statement)
        with rows.readable("An account's record"):
            return [rows.stored_from_row(row, None) for row in found]

    async def count_accounts(
        self,
        connection_name: str | None,
        identifier: str | None,
        status: AccountStatus | None,
        account_id: str | None = None,
    ) -> int:
        """See `Vault`."""
        statement = select(func.count().label("n")).select_from(connected_accounts)
        row = await self._first(statement.where(*_filters(connection_name, identifier, status, account_id)))
        return 0 if row is None else int(row["n"])

    # Attempts and history

    async def find_attempt(self, key: AttemptKey, value: str) -> Attempt | None:
        """See `Vault`."""
        row = await self._first(select(attempts).where(_ATTEMPT_COLUMNS[key] == value))
        with rows.readable("The record of an authorization"):
            return None if row is None else rows.attempt_from_row(row, self._ring)

    async def history(
        self, connection_name: str | None, identifier: str | None, since: datetime | None, limit: int
    ) -> Sequence[HistoryEntry]:
        """See `Vault`."""
        statement = select(history).order_by(history.c.at.desc(), history.c.id.desc()).limit(limit)
        if connection_name is not None:
            statement = statement.where(history.c.connection_name == connection_name)
        if identifier is not None:
            statement = statement.where(history.c.identifier == identifier)
        if since is not None:
            statement = statement.where(history.c.at >= rows.to_micros(since))
        found = await self._all(statement)
        with rows.readable("The history"):
            return [rows.history_from_row(row) for row in found]

    async def prune(self, history_before: datetime, attempts_before: datetime) -> None:
        """See `Vault`."""

        def prune(connection: Connection) -> None:
            self._execute(connection, delete(history).where(history.c.at < rows.to_micros(history_before)))
            self._execute(connection, delete(attempts).where(_attempt.expires_at < rows.to_micros(attempts_before)))

        await self._write(prune)

    # Changes

    async def commit(self, changes: Sequence[Change]) -> bool:
        """See `Vault`."""

        def apply(connection: Connection) -> None:
            for change in changes:
                if not self._apply(connection, change):
                    raise NoLongerHolds

        try:
            await self._write(apply, one_statement=_is_one_statement(changes))
        except NoLongerHolds:
            return False
        if any(isinstance(change, ChangeStatus) and change.tokens is None for change in changes):
            await self._database.forget_free_pages()
        return True

    def _apply(self, connection: Connection, change: Change) -> bool:
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
                return self._execute(connection, statement.values(values)) == 1
            case RenewLease():
                statement = update(connected_accounts).where(
                    _account.id == change.account_id, _account.lease_owner == change.owner
                )
                return self._execute(connection, statement.values(lease_until=rows.to_micros(change.until))) == 1
            case ReleaseLease():
                statement = update(connected_accounts).where(
                    _account.id == change.account_id, _account.lease_owner == change.owner
                )
                values = {
                    "lease_owner": None,
                    "lease_until": None,
                    "refresh_not_before": rows.maybe_micros(change.refresh_not_before),
                }
                return self._execute(connection, statement.values(values)) == 1
            case NoteAccount():
                return self._note(connection, change)
            case InsertAttempt():
                values = rows.attempt_values(self._ring, change.attempt, version=change.attempt.version)
                statement = self._insert(attempts).values(values).on_conflict_do_nothing()
                return self._execute(connection, statement) == 1
            case SaveAttempt():
                attempt = change.attempt
                values = rows.attempt_values(self._ring, attempt, version=attempt.version + 1)
                statement = update(attempts).where(_attempt.id == attempt.id, _attempt.version == attempt.version)
                return self._execute(connection, statement.values(values)) == 1
            case MarkTenant() | ClaimTrial() | ClearTenant():
                return self._tenant(connection, change)
            case AddHistory():
                self._add_history(connection, change.entry)
                return True

    def _change_status(self, connection: Connection, change: ChangeStatus) -> bool:
        before, after = change.change.before, change.change.after
        values = {
            **rows.account_values(after),
            "lease_owner": None,
            "lease_until": None,
            "refresh_not_before": None,
            **self._token_values(after, change.tokens),
        }
        statement = update(connected_accounts).where(_account.id == before.id, _account.version == before.version)
        if self._execute(connection, statement.values(values)) != 1:
            return False
        if change.change.visible:
            self._add_history(connection, change.change.entry())
        return True

    def _save_tokens(self, connection: Connection, change: SaveTokens) -> bool:
        account, tokens = change.account, change.tokens
        values = {
            "version": account.version + 1,
            "updated_at": rows.to_micros(change.at),
            "last_used_at": rows.to_micros(change.at),
            "granted_scopes": " ".join(tokens.granted_scopes),
            "token_expires_at": rows.to_micros(tokens.expires_at),
            "lease_owner": None,
            "lease_until": None,
            "refresh_not_before": None,
            "pending_claims": None,
            **self._token_values(account, tokens),
        }
        statement = update(connected_accounts).where(
            _account.id == account.id, _account.version == account.version, _account.lease_owner == change.owner
        )
        return self._execute(connection, statement.values(values)) == 1

    def _note(self, connection: Connection, note: NoteAccount) -> bool:
        values: dict[str, Any] = {}
        if note.last_used_at is not None:
            values["last_used_at"] = rows.to_micros(note.last_used_at)
        if not isinstance(note.last_authorization_error, Keep):
            values["last_authorization_error"] = note.last_authorization_error
        if not isinstance(note.pending_claims, Keep):
            values["pending_claims"] = note.pending_claims
        statement = update(connected_accounts).where(_account.id == note.account_id)
        return not values or self._execute(connection, statement.values(values)) == 1

    def _tenant(self, connection: Connection, change: MarkTenant | ClaimTrial | ClearTenant) -> bool:
        if isinstance(change, ClearTenant):
            statement = delete(tenant_marks).where(
                _mark.connection_name == change.connection_name, _mark.tid == change.tid
            )
            self._execute(connection, statement)
            return True
        mark = change.mark
        if isinstance(change, ClaimTrial):
            claim = update(tenant_marks).where(
                _mark.connection_name == mark.connection_name,
                _mark.tid == mark.tid,
                _mark.next_trial_at == rows.to_micros(mark.next_trial_at),
            )
            values = {"next_trial_at": rows.to_micros(change.next_trial_at)}
            return self._execute(connection, claim.values(values)) == 1
        values = {
            "code": mark.code,
            "marked_at": rows.to_micros(mark.marked_at),
            "next_trial_at": rows.to_micros(mark.next_trial_at),
        }
        upsert = self._insert(tenant_marks).values(connection_name=mark.connection_name, tid=mark.tid, **values)
        upsert = upsert.on_conflict_do_update(index_elements=["connection_name", "tid"], set_=values)
        return self._execute(connection, upsert) == 1

    def _token_values(self, account: ConnectedAccount, tokens: Any) -> dict[str, Any]:
        if tokens is KEEP:
            return {}
        if tokens is None:
            return {"sealed_tokens": None, "key_id": None}
        return {
            "sealed_tokens": rows.seal_tokens(self._ring, account, tokens),
            "key_id": self._ring.sealing_key_id,
        }

    def _add_history(self, connection: Connection, entry: HistoryEntry) -> None:
        values = rows.history_values(entry, self._history_id(entry))
        self._execute(connection, self._insert(history).values(values))

    def _history_id(self, entry: HistoryEntry) -> str:
        # Sorts by instant, then by the order in which this process wrote.
        return f"{rows.to_micros(entry.at):020d}{next(self._written):010d}{secrets.token_hex(6)}"


def _is_one_statement(changes: Sequence[Change]) -> bool:
    return len(changes) == 1 and not isinstance(changes[0], ChangeStatus)


def _filters(
    connection_name: str | None, identifier: str | None, status: AccountStatus | None, account_id: str | None
) -> list[ColumnElement[bool]]:
    given: list[ColumnElement[bool]] = []
    if connection_name is not None:
        given.append(_account.connection_name == connection_name)
    if identifier is not None:
        given.append(_account.identifier == identifier)
    if status is not None:
        given.append(_account.status == status.value)
    if account_id is not None:
        given.append(_account.id == account_id)
    return given
