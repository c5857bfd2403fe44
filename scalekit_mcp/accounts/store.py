"""Statements and transactions of the SQL vault. Heavy: imported with the first use of a vault."""

from __future__ import annotations

import itertools
import logging
import secrets
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, Executable, delete, exists, func, or_, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from scalekit_mcp.accounts import rows
from scalekit_mcp.accounts.database import Database, in_words, translated
from scalekit_mcp.accounts.models import AccountStatus, Attempt, ConnectedAccount, HistoryEntry, StoredAccount
from scalekit_mcp.accounts.schema import attempts, connected_accounts, history, tenant_marks, vault_keys
from scalekit_mcp.accounts.sealing import KeyRing
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
    ResealStep,
    SaveAttempt,
    SaveTokens,
    TakeLease,
)
from scalekit_mcp.errors import VaultError

_log = logging.getLogger(__name__)

_KEY_CHECK = b"scalekit-mcp"

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
_LISTED = select(*(column for column in connected_accounts.c if column is not _account.sealed_tokens), *_BESIDE)
_ATTEMPT_COLUMNS = {
    AttemptKey.TICKET: _attempt.ticket_sha256,
    AttemptKey.STATE: _attempt.state_sha256,
    AttemptKey.AUTH_REQUEST: _attempt.auth_request_sha256,
    AttemptKey.LIVE_ACCOUNT: _attempt.live_account_id,
}


class _NoLongerHolds(Exception):
    """A change of a commit was decided on something that is no longer so."""


class Store:
    """An opened vault."""

    def __init__(self, database: Database, ring: KeyRing) -> None:
        self._database = database
        self._ring = ring
        self._written = itertools.count()
        self._insert: Callable[..., Any] = postgresql.insert if database.is_postgresql else sqlite.insert

    @classmethod
    async def open(cls, database_url: str, ring: KeyRing) -> Store:
        """Open the database, bring its tables up to date under a lock, and check the keys.

        Raises:
            VaultError: it cannot be opened, or was sealed with other keys.
        """
        database = Database(database_url)
        try:
            await database.migrate()
            store = cls(database, ring)
            with translated():
                await store._check_keys()
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
        row = await self._first(
            _FULL.where(_account.connection_name == connection_name, _account.identifier == identifier)
        )
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
        async with self._writing() as connection:
            inserted = await self._execute(
                connection, self._insert(connected_accounts).values(values).on_conflict_do_nothing()
            )
            if inserted == 1:
                await self._add_history(connection, entry)
        return inserted == 1

    async def delete_account(self, account_id: str, entry: HistoryEntry) -> bool:
        """See `Vault`."""
        async with self._writing() as connection:
            await self._execute(connection, delete(attempts).where(_attempt.account_id == account_id))
            removed = await self._execute(connection, delete(connected_accounts).where(_account.id == account_id))
            if removed:
                await self._add_history(connection, entry)
        await self._database.forget_free_pages()
        return removed == 1

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
        async with self._writing() as connection:
            await self._execute(connection, delete(history).where(history.c.at < rows.to_micros(history_before)))
            await self._execute(
                connection, delete(attempts).where(_attempt.expires_at < rows.to_micros(attempts_before))
            )

    # Changes

    async def commit(self, changes: Sequence[Change]) -> bool:
        """See `Vault`."""
        try:
            async with self._writing() as connection:
                for change in changes:
                    await self._apply_or_stop(connection, change)
        except _NoLongerHolds:
            return False
        if any(isinstance(change, ChangeStatus) and change.tokens is None for change in changes):
            await self._database.forget_free_pages()
        return True

    async def _apply_or_stop(self, connection: AsyncConnection, change: Change) -> None:
        if not await self._apply(connection, change):
            raise _NoLongerHolds

    async def _apply(self, connection: AsyncConnection, change: Change) -> bool:
        match change:
            case ChangeStatus():
                return await self._change_status(connection, change)
            case SaveTokens():
                return await self._save_tokens(connection, change)
            case TakeLease():
                free = or_(_account.lease_owner.is_(None), _account.lease_until <= rows.to_micros(change.now))
                statement = update(connected_accounts).where(
                    _account.id == change.account_id, _account.version == change.version, free
                )
                values = {"lease_owner": change.owner, "lease_until": rows.to_micros(change.until)}
                return await self._execute(connection, statement.values(values)) == 1
            case ReleaseLease():
                statement = update(connected_accounts).where(
                    _account.id == change.account_id, _account.lease_owner == change.owner
                )
                values = {
                    "lease_owner": None,
                    "lease_until": None,
                    "refresh_not_before": rows.maybe_micros(change.refresh_not_before),
                }
                return await self._execute(connection, statement.values(values)) == 1
            case NoteAccount():
                return await self._note(connection, change)
            case InsertAttempt():
                values = rows.attempt_values(self._ring, change.attempt, version=change.attempt.version)
                statement = self._insert(attempts).values(values).on_conflict_do_nothing()
                return await self._execute(connection, statement) == 1
            case SaveAttempt():
                attempt = change.attempt
                values = rows.attempt_values(self._ring, attempt, version=attempt.version + 1)
                statement = update(attempts).where(_attempt.id == attempt.id, _attempt.version == attempt.version)
                return await self._execute(connection, statement.values(values)) == 1
            case MarkTenant() | ClaimTrial() | ClearTenant():
                return await self._tenant(connection, change)
            case AddHistory():
                await self._add_history(connection, change.entry)
                return True

    async def _change_status(self, connection: AsyncConnection, change: ChangeStatus) -> bool:
        before, after = change.change.before, change.change.after
        values = {
            **rows.account_values(after),
            "lease_owner": None,
            "lease_until": None,
            "refresh_not_before": None,
            **self._token_values(after, change.tokens),
        }
        statement = update(connected_accounts).where(_account.id == before.id, _account.version == before.version)
        if await self._execute(connection, statement.values(values)) != 1:
            return False
        if change.change.visible:
            await self._add_history(connection, change.change.entry())
        return True

    async def _save_tokens(self, connection: AsyncConnection, change: SaveTokens) -> bool:
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
        return await self._execute(connection, statement.values(values)) == 1

    async def _note(self, connection: AsyncConnection, note: NoteAccount) -> bool:
        values: dict[str, Any] = {}
        if note.last_used_at is not None:
            values["last_used_at"] = rows.to_micros(note.last_used_at)
        if not isinstance(note.last_authorization_error, Keep):
            values["last_authorization_error"] = note.last_authorization_error
        if not isinstance(note.pending_claims, Keep):
            values["pending_claims"] = note.pending_claims
        statement = update(connected_accounts).where(_account.id == note.account_id)
        return not values or await self._execute(connection, statement.values(values)) == 1

    async def _tenant(self, connection: AsyncConnection, change: MarkTenant | ClaimTrial | ClearTenant) -> bool:
        if isinstance(change, ClearTenant):
            statement = delete(tenant_marks).where(
                _mark.connection_name == change.connection_name, _mark.tid == change.tid
            )
            await self._execute(connection, statement)
            return True
        mark = change.mark
        if isinstance(change, ClaimTrial):
            claim = update(tenant_marks).where(
                _mark.connection_name == mark.connection_name,
                _mark.tid == mark.tid,
                _mark.next_trial_at == rows.to_micros(mark.next_trial_at),
            )
            values = {"next_trial_at": rows.to_micros(change.next_trial_at)}
            return await self._execute(connection, claim.values(values)) == 1
        values = {
            "code": mark.code,
            "marked_at": rows.to_micros(mark.marked_at),
            "next_trial_at": rows.to_micros(mark.next_trial_at),
        }
        upsert = self._insert(tenant_marks).values(connection_name=mark.connection_name, tid=mark.tid, **values)
        upsert = upsert.on_conflict_do_update(index_elements=["connection_name", "tid"], set_=values)
        return await self._execute(connection, upsert) == 1

    def _token_values(self, account: ConnectedAccount, tokens: Any) -> dict[str, Any]:
        if tokens is KEEP:
            return {}
        if tokens is None:
            return {"sealed_tokens": None, "key_id": None}
        return {
            "sealed_tokens": rows.seal_tokens(self._ring, account, tokens),
            "key_id": self._ring.sealing_key_id,
        }

    async def _add_history(self, connection: AsyncConnection, entry: HistoryEntry) -> None:
        values = rows.history_values(entry, self._history_id(entry))
        await self._execute(connection, self._insert(history).values(values))

    def _history_id(self, entry: HistoryEntry) -> str:
        # Sorts by instant, then by the order in which this process wrote.
        return f"{rows.to_micros(entry.at):020d}{next(self._written):010d}{secrets.token_hex(6)}"

    # Keys

    async def check(self) -> None:
        """See `Vault`. What is written is what stood there: a write that fails is what is looked for."""
        key_id = self._ring.sealing_key_id
        async with self._writing() as connection:
            statement = update(vault_keys).where(vault_keys.c.key_id == key_id).values(key_id=key_id)
            await self._execute(connection, statement)
        with translated():
            await self._check_keys()

    async def _check_keys(self) -> None:
        known = {row["key_id"]: row["sealed_check"] for row in await self._all(select(vault_keys))}
        for key_id, check in known.items():
            if self._ring.key(key_id) is None:
                used = await self._first(select(exists().where(_account.key_id == key_id).label("used")))
                if used is not None and used["used"]:
                    raise VaultError(
                        f"The vault holds tokens sealed with the key '{key_id}', which is not among the keys given "
                        f"({', '.join(self._ring.key_ids)}). Nothing was overwritten.",
                        next_step="The operator adds the missing key to the vault keys and starts again.",
                    )
            else:
                self._open_check(key_id, check)
        if self._ring.sealing_key_id not in known:
            key_id = self._ring.sealing_key_id
            check = self._ring.seal(_KEY_CHECK, kind="key check", owner=key_id, context=[key_id])
            statement = self._insert(vault_keys).values(key_id=key_id, sealed_check=check)
            async with self._writing() as connection:
                await self._execute(connection, statement.on_conflict_do_nothing())
            row = await self._first(select(vault_keys).where(vault_keys.c.key_id == key_id))
            if row is not None:
                self._open_check(key_id, row["sealed_check"])

    def _open_check(self, key_id: str, check: bytes) -> None:
        try:
            self._ring.open(check, kind="key check", owner=key_id, context=[key_id])
        except VaultError as exc:
            raise VaultError(
                f"The vault key '{key_id}' is not the one that this vault was sealed with. Nothing was overwritten.",
                next_step="The operator restores the right vault key and starts again.",
            ) from exc

    async def reseal(self, after: str | None, limit: int) -> ResealStep:
        """See `Vault`."""
        current = self._ring.sealing_key_id
        table, key = ("accounts", after) if after is None else cast("tuple[str, str]", tuple(after.split(":", 1)))
        if table == "accounts":
            statement = select(
                _account.id, _account.connection_name, _account.identifier, _account.version, _account.sealed_tokens
            ).where(_account.key_id.is_not(None), _account.key_id != current)
            found = await self._all(_page(statement, _account.id, key, limit))
            resealed, unreadable = await self._reseal(found, self._resealed_account)
            following = f"accounts:{found[-1]['id']}" if len(found) == limit else "attempts:"
        else:
            statement = select(attempts).where(_attempt.key_id != current)
            found = await self._all(_page(statement, _attempt.id, key, limit))
            resealed, unreadable = await self._reseal(found, self._resealed_attempt)
            following = f"attempts:{found[-1]['id']}" if len(found) == limit else None
        return ResealStep(resealed, unreadable, await self._to_reseal(current), following)

    async def _reseal(self, found: Sequence[rows.Row], resealed: Callable[[rows.Row], Executable]) -> tuple[int, int]:
        done = unreadable = 0
        statements: list[Executable] = []
        for row in found:
            try:
                statements.append(resealed(row))
            except VaultError as exc:
                unreadable += 1
                _log.error("Not sealed anew: %s", exc.message)
        if statements:
            async with self._writing() as connection:
                for statement in statements:
                    done += await self._execute(connection, statement)
        return done, unreadable

    def _resealed_account(self, row: rows.Row) -> Executable:
        seal: dict[str, Any] = {
            "kind": "tokens",
            "owner": row["id"],
            "context": [row["connection_name"], row["identifier"]],
        }
        sealed = self._ring.seal(self._ring.open(row["sealed_tokens"], **seal), **seal)
        statement = update(connected_accounts).where(_account.id == row["id"], _account.version == row["version"])
        return statement.values(sealed_tokens=sealed, key_id=self._ring.sealing_key_id)

    def _resealed_attempt(self, row: rows.Row) -> Executable:
        statement = update(attempts).where(_attempt.id == row["id"], _attempt.version == row["version"])
        sealed = rows.reseal_attempt(row, self._ring)
        return statement.values(sealed_secrets=sealed, key_id=self._ring.sealing_key_id)

    async def _to_reseal(self, current: str) -> int:
        accounts_left = select(func.count()).where(_account.key_id.is_not(None), _account.key_id != current)
        attempts_left = select(func.count()).where(_attempt.key_id != current)
        row = await self._first(select((accounts_left.scalar_subquery() + attempts_left.scalar_subquery()).label("n")))
        return 0 if row is None else int(row["n"])

    # One place for errors and transactions

    async def _first(self, statement: Any) -> rows.Row | None:
        with translated():
            async with self._database.reading() as connection:
                return cast("rows.Row | None", (await connection.execute(statement)).mappings().first())

    async def _all(self, statement: Any) -> Sequence[rows.Row]:
        with translated():
            async with self._database.reading() as connection:
                return cast("Sequence[rows.Row]", (await connection.execute(statement)).mappings().all())

    @asynccontextmanager
    async def _writing(self) -> AsyncGenerator[AsyncConnection]:
        with translated():
            try:
                async with self._database.writing() as connection:
                    yield connection
            except IntegrityError as exc:
                if "CHECK" in str(exc.orig).upper():
                    raise VaultError("The vault refused a status that does not exist. Nothing was written.") from exc
                raise _NoLongerHolds from in_words(exc)

    @staticmethod
    async def _execute(connection: AsyncConnection, statement: Executable) -> int:
        return cast("CursorResult[Any]", await connection.execute(statement)).rowcount


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


def _page(statement: Any, column: Any, after: str | None, limit: int) -> Any:
    if after:
        statement = statement.where(column > after)
    return statement.order_by(column).limit(limit)
