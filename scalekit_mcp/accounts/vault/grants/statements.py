"""Statements on grants and their refresh tokens.

Rows are locked in one order, account before grant before refresh token, so that no two transactions wait for each
other. What is purged is what nobody holds at the moment.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import ColumnElement, Connection, delete, or_, select, type_coerce, update
from sqlalchemy.types import NullType

from scalekit_mcp.accounts.model.grants import ClientGrant, GrantEnd, RefreshToken
from scalekit_mcp.accounts.model.records import AccountStatus
from scalekit_mcp.accounts.vault import rows
from scalekit_mcp.accounts.vault.changes import EndGrant, EndGrantsOf, InsertGrant, ReplaceRefreshToken
from scalekit_mcp.accounts.vault.database.statements import VERSION_COLUMNS, Statements
from scalekit_mcp.accounts.vault.grants import grant_rows
from scalekit_mcp.accounts.vault.sealing import seals
from scalekit_mcp.accounts.vault.tables import connected_accounts, grants, record_versions, refresh_tokens

MOST_GRANTS = 50
"""How many live grants an account has at most: hosts that connect anew every day leave orphans."""
USE_NOTED_EVERY = timedelta(hours=1)
KEPT = timedelta(days=1)
"""How long a grant is kept after its end."""
PURGED_AT_ONCE = 200

_log = logging.getLogger(__name__)

_grant = grants.c
_token = refresh_tokens.c
_version = record_versions.c
_FOUND = select(
    *(column for column in grants.c if column is not _grant.sealed),
    type_coerce(_grant.sealed, NullType()).label("sealed"),
    *VERSION_COLUMNS,
).select_from(grants.outerjoin(record_versions, _version.record_id == _grant.id))
_TOKEN = select(
    *(column for column in refresh_tokens.c if column is not _token.sealed),
    type_coerce(_token.sealed, NullType()).label("sealed"),
)


class GrantStatements:
    """What a vault does about grants."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements
        self._ring = statements.ring

    async def find(self, grant_id: str) -> ClientGrant | None:
        """See `Vault`."""
        row = await self._statements.first(_FOUND.where(_grant.id == grant_id))
        return None if row is None else grant_rows.grant_from_row(row, self._ring)

    async def find_token(self, sha256: str) -> tuple[RefreshToken, ClientGrant] | None:
        """See `Vault`."""
        row = await self._statements.first(_TOKEN.where(_token.id == sha256))
        if row is None:
            return None
        token = grant_rows.token_from_row(row, self._ring)
        grant = await self.find(token.grant_id)
        return None if grant is None else (token, grant)

    async def list(self, account_id: str, now: datetime) -> Sequence[ClientGrant]:
        """See `Vault`."""
        return self._whole(await self._statements.all(_alive_of(account_id, now)))

    def apply(
        self,
        connection: Connection,
        change: InsertGrant | ReplaceRefreshToken | EndGrant | EndGrantsOf,
        ended: list[ClientGrant],
    ) -> bool:
        """Write one change; False if it no longer holds. Grants that end by it are added to `ended`."""
        match change:
            case InsertGrant():
                return self._insert(connection, change, ended)
            case ReplaceRefreshToken():
                return self._replace(connection, change)
            case EndGrant():
                found = self._end(connection, change.grant, change.why, change.at)
                ended += found
                return bool(found)
            case EndGrantsOf():
                ended += self._end_all(connection, change)
                return True

    def delete_of(self, connection: Connection, account_id: str, at: datetime) -> list[ClientGrant]:
        """Remove all grants of an account with their refresh tokens; the account is locked first.

        Returns those that were alive, as they ended.
        """
        connection.execute(
            select(connected_accounts.c.id).where(connected_accounts.c.id == account_id).with_for_update()
        )
        alive = self._whole(_all(connection, _alive_of(account_id, at)))
        self._remove(connection, _grant.account_id == account_id)
        return [replace(grant, ended_at=at, ended_why=GrantEnd.ACCOUNT_DELETED) for grant in alive]

    def _insert(self, connection: Connection, change: InsertGrant, ended: list[ClientGrant]) -> bool:
        grant = change.grant
        account = select(connected_accounts.c.status).where(connected_accounts.c.id == grant.account_id)
        if connection.execute(account.with_for_update(read=True)).scalar() != AccountStatus.ACTIVE:
            return False
        values = grant_rows.grant_values(self._ring, grant)
        self._statements.execute(connection, self._statements.insert(grants).values(values))
        self._statements.write_version(connection, grant.id, grant_rows.grant_version(grant))
        if change.token is not None:
            self._insert_token(connection, change.token)
        alive = _all(connection, _alive_of(grant.account_id, grant.created_at))
        for old in self._whole(alive)[MOST_GRANTS:]:
            ended += self._end(connection, old, GrantEnd.TOO_MANY, grant.created_at)
        self._purge(connection, grant.created_at)
        return True

    def _replace(self, connection: Connection, change: ReplaceRefreshToken) -> bool:
        before, used = change.token, change.used()
        now, until = rows.to_micros(change.at), rows.to_micros(change.successor.expires_at)
        lives = update(grants).where(_grant.id == before.grant_id, _grant.ended_at.is_(None))
        if self._statements.execute(connection, lives.values(expires_at=until)) != 1:
            return False
        noted = update(grants).where(
            _grant.id == before.grant_id, _grant.last_used_at <= now - USE_NOTED_EVERY // timedelta(microseconds=1)
        )
        self._statements.execute(connection, noted.values(last_used_at=now))
        same = update(refresh_tokens).where(
            _token.id == before.sha256,
            _token.retries == before.retries,
            _token.replaced_at.is_(None)
            if before.replaced_at is None
            else _token.replaced_at == rows.to_micros(before.replaced_at),
        )
        if self._statements.execute(connection, same.values(grant_rows.token_values(self._ring, used))) != 1:
            return False
        self._insert_token(connection, change.successor)
        old = select(_token.id).where(_token.expires_at < now).limit(PURGED_AT_ONCE).with_for_update(skip_locked=True)
        self._statements.execute(connection, delete(refresh_tokens).where(_token.id.in_(_ids(connection, old))))
        return True

    def _insert_token(self, connection: Connection, token: RefreshToken) -> None:
        values = grant_rows.token_values(self._ring, token)
        self._statements.execute(connection, self._statements.insert(refresh_tokens).values(values))

    def _whole(self, found: Sequence[rows.Row]) -> list[ClientGrant]:
        """The grants of rows; a damaged one is left out and hides no other."""
        whole: list[ClientGrant] = []
        for row in found:
            try:
                whole.append(grant_rows.grant_from_row(row, self._ring))
            except seals.DamagedRecordError as exc:
                _log.error("A grant was left out: %s", exc.message)
        return whole

    def _end_all(self, connection: Connection, change: EndGrantsOf) -> list[ClientGrant]:
        """End what has not ended, whatever its time; a damaged grant is removed instead.

        Returns those that were alive until now.
        """
        ended: list[ClientGrant] = []
        found = _FOUND.where(_grant.account_id == change.account_id, _grant.ended_at.is_(None))
        for row in _all(connection, found):
            try:
                grant = grant_rows.grant_from_row(row, self._ring)
            except seals.DamagedRecordError:
                self._remove(connection, _grant.id == row["id"])
            else:
                now_ended = self._end(connection, grant, change.why, change.at)
                ended += now_ended if grant.alive(change.at) else []
        return ended

    def _end(self, connection: Connection, grant: ClientGrant, why: GrantEnd, at: datetime) -> list[ClientGrant]:
        """The grant as it ended; nothing if it had ended before."""
        ended = replace(grant, ended_at=at, ended_why=why)
        values = grant_rows.grant_values(self._ring, ended)
        changed = {name: values[name] for name in ("ended_at", "ended_why", "sealed", "key_id")}
        statement = update(grants).where(_grant.id == grant.id, _grant.ended_at.is_(None)).values(changed)
        if self._statements.execute(connection, statement) != 1:
            return []
        self._statements.write_version(connection, grant.id, grant_rows.grant_version(ended))
        return [ended]

    def _purge(self, connection: Connection, now: datetime) -> None:
        before = rows.to_micros(now - KEPT)
        old = select(_grant.id).where(or_(_grant.ended_at < before, _grant.expires_at < before))
        ids = _ids(connection, old.limit(PURGED_AT_ONCE).with_for_update(skip_locked=True))
        if ids:
            self._remove(connection, _grant.id.in_(ids))

    def _remove(self, connection: Connection, which: ColumnElement[bool]) -> None:
        theirs = select(_grant.id).where(which)
        self._statements.execute(connection, delete(record_versions).where(_version.record_id.in_(theirs)))
        self._statements.execute(connection, delete(refresh_tokens).where(_token.grant_id.in_(theirs)))
        self._statements.execute(connection, delete(grants).where(which))


def _alive_of(account_id: str, now: datetime) -> Any:
    alive = _FOUND.where(
        _grant.account_id == account_id, _grant.ended_at.is_(None), _grant.expires_at > rows.to_micros(now)
    )
    return alive.order_by(_grant.last_used_at.desc(), _grant.created_at.desc(), _grant.id)


def _all(connection: Connection, statement: Any) -> Sequence[rows.Row]:
    return cast("Sequence[rows.Row]", connection.execute(statement).mappings().all())


def _ids(connection: Connection, statement: Any) -> list[str]:
    return list(connection.execute(statement).scalars())
