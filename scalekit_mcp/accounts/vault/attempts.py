"""Statements on attempts and tenant marks."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, select, type_coerce, update
from sqlalchemy.types import NullType

from scalekit_mcp.accounts.model.records import Attempt
from scalekit_mcp.accounts.vault import rows
from scalekit_mcp.accounts.vault.changes import (
    AttemptKey,
    ClaimTrial,
    ClearTenant,
    InsertAttempt,
    MarkTenant,
    SaveAttempt,
)
from scalekit_mcp.accounts.vault.database.statements import VERSION_COLUMNS, Statements
from scalekit_mcp.accounts.vault.sealing import seals
from scalekit_mcp.accounts.vault.seen_versions import SeenVersions, is_older
from scalekit_mcp.accounts.vault.tables import attempts, history, record_versions, tenant_marks

_attempt = attempts.c
_mark = tenant_marks.c
_version = record_versions.c
_FOUND = select(
    *(column for column in attempts.c if column is not _attempt.sealed_secrets),
    type_coerce(_attempt.sealed_secrets, NullType()).label("sealed_secrets"),
    *VERSION_COLUMNS,
).select_from(attempts.outerjoin(record_versions, _version.record_id == _attempt.id))
_COLUMNS = {
    AttemptKey.TICKET: _attempt.ticket_sha256,
    AttemptKey.STATE: _attempt.state_sha256,
    AttemptKey.AUTH_REQUEST: _attempt.auth_request_sha256,
    AttemptKey.LIVE_ACCOUNT: _attempt.live_account_id,
}


class Attempts:
    """The attempts and the tenant marks of a vault."""

    def __init__(self, statements: Statements, floors: SeenVersions) -> None:
        self._statements = statements
        self._ring = statements.ring
        self._floors = floors

    async def find(self, key: AttemptKey, value: str) -> Attempt | None:
        """See `Vault`."""
        floor = self._floors.of((key, value))
        with rows.readable({"identifier": "an authorization", "id": key.value}):
            row = await self._statements.first(_FOUND.where(_COLUMNS[key] == value))
        if row is None:
            return None
        attempt = rows.attempt_from_row(row, self._ring)
        if is_older(floor, attempt.id, attempt.version):
            raise seals.put_back(row)
        self._floors.saw((key, value), attempt.id, attempt.version)
        return attempt

    def insert(self, connection: Connection, change: InsertAttempt) -> bool:
        """Store a new live attempt; False if its account has another one."""
        attempt = change.attempt
        values = rows.attempt_values(self._ring, attempt, version=attempt.version)
        statement = self._statements.insert(attempts).values(values).on_conflict_do_nothing()
        if self._statements.execute(connection, statement) != 1:
            return False
        self._statements.write_version(connection, attempt.id, attempt.version)
        return True

    def save(self, connection: Connection, change: SaveAttempt) -> bool:
        """Write an attempt if its version is still the stored one; False otherwise."""
        attempt = change.attempt
        values = rows.attempt_values(self._ring, attempt, version=attempt.version + 1)
        statement = update(attempts).where(_attempt.id == attempt.id, _attempt.version == attempt.version)
        if self._statements.execute(connection, statement.values(values)) != 1:
            return False
        self._statements.write_version(connection, attempt.id, attempt.version + 1)
        return True

    def remember(self, attempt: Attempt, version: int) -> None:
        """Remember an attempt that was written, under everything that it can be found by."""
        found_by = (
            (AttemptKey.LIVE_ACCOUNT, attempt.account_id),
            (AttemptKey.TICKET, attempt.ticket_sha256),
            (AttemptKey.STATE, attempt.state_sha256),
            (AttemptKey.AUTH_REQUEST, attempt.auth_request_sha256),
        )
        for key, value in found_by:
            if value is not None:
                self._floors.saw((key, value), attempt.id, version)

    def change_tenant(self, connection: Connection, change: MarkTenant | ClaimTrial | ClearTenant) -> bool:
        """Mark a tenant, take its trial or forget its mark; False if the mark is no longer the one that was read."""
        if isinstance(change, ClearTenant):
            statement = delete(tenant_marks).where(
                _mark.connection_name == change.connection_name, _mark.tid == change.tid
            )
            self._statements.execute(connection, statement)
            return True
        values: dict[str, Any]
        if isinstance(change, ClaimTrial):
            mark = change.mark
            claim = update(tenant_marks).where(
                _mark.connection_name == mark.connection_name,
                _mark.tid == mark.tid,
                _mark.next_trial_at == rows.to_micros(mark.next_trial_at),
            )
            values = rows.mark_values(self._ring, change.claimed())
            return self._statements.execute(connection, claim.values(values)) == 1
        values = rows.mark_values(self._ring, change.mark)
        upsert = self._statements.insert(tenant_marks).values(values)
        upsert = upsert.on_conflict_do_update(index_elements=["connection_name", "tid"], set_=values)
        return self._statements.execute(connection, upsert) == 1

    def prune(self, connection: Connection, before: datetime) -> None:
        """Forget attempts that ran out before `before`, and the versions of accounts without a history."""
        old = select(_attempt.id).where(_attempt.expires_at < rows.to_micros(before))
        self._statements.execute(connection, delete(record_versions).where(_version.record_id.in_(old)))
        self._statements.execute(connection, delete(attempts).where(_attempt.expires_at < rows.to_micros(before)))
        # The mark of a deleted account goes with its history.
        kept = select(history.c.account_id)
        gone = (_version.version == seals.DELETED) & _version.record_id.not_in(kept)
        self._statements.execute(connection, delete(record_versions).where(gone))
