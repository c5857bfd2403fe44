"""Statements on attempts and tenant marks."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, select, type_coerce, update
from sqlalchemy.types import NullType

from scalekit_mcp.accounts.model.records import Attempt
from scalekit_mcp.accounts.vault import rows, seals
from scalekit_mcp.accounts.vault.changes import (
    AttemptKey,
    ClaimTrial,
    ClearTenant,
    InsertAttempt,
    MarkTenant,
    SaveAttempt,
)
from scalekit_mcp.accounts.vault.database import Database
from scalekit_mcp.accounts.vault.floors import Floors, is_older
from scalekit_mcp.accounts.vault.keys import VERSION_COLUMNS, KeyStore
from scalekit_mcp.accounts.vault.sealing import KeyRing
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


class AttemptStore(KeyStore):
    """What a vault does about attempts and tenants."""

    def __init__(self, database: Database, ring: KeyRing) -> None:
        super().__init__(database, ring)
        self._floors = Floors()

    async def find_attempt(self, key: AttemptKey, value: str) -> Attempt | None:
        """See `Vault`."""
        floor = self._floors.of((key, value))
        with rows.readable({"identifier": "an authorization", "id": key.value}):
            row = await self._first(_FOUND.where(_COLUMNS[key] == value))
        if row is None:
            return None
        attempt = rows.attempt_from_row(row, self._ring)
        if is_older(floor, attempt.id, attempt.version):
            raise seals.put_back(row)
        self._floors.saw((key, value), attempt.id, attempt.version)
        return attempt

    def _insert_attempt(self, connection: Connection, change: InsertAttempt) -> bool:
        attempt = change.attempt
        values = rows.attempt_values(self._ring, attempt, version=attempt.version)
        statement = self._insert(attempts).values(values).on_conflict_do_nothing()
        if self._execute(connection, statement) != 1:
            return False
        self._write_version(connection, attempt.id, attempt.version)
        return True

    def _save_attempt(self, connection: Connection, change: SaveAttempt) -> bool:
        attempt = change.attempt
        values = rows.attempt_values(self._ring, attempt, version=attempt.version + 1)
        statement = update(attempts).where(_attempt.id == attempt.id, _attempt.version == attempt.version)
        if self._execute(connection, statement.values(values)) != 1:
            return False
        self._write_version(connection, attempt.id, attempt.version + 1)
        return True

    def _saw_attempt(self, attempt: Attempt, version: int) -> None:
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

    def _write_version(self, connection: Connection, record_id: str, version: int) -> None:
        values = seals.version_values(self._ring, record_id, version)
        upsert = self._insert(record_versions).values(values)
        changed = {"version": values["version"], "sealed": values["sealed"]}
        self._execute(connection, upsert.on_conflict_do_update(index_elements=["record_id"], set_=changed))

    def _tenant(self, connection: Connection, change: MarkTenant | ClaimTrial | ClearTenant) -> bool:
        if isinstance(change, ClearTenant):
            statement = delete(tenant_marks).where(
                _mark.connection_name == change.connection_name, _mark.tid == change.tid
            )
            self._execute(connection, statement)
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
            return self._execute(connection, claim.values(values)) == 1
        values = rows.mark_values(self._ring, change.mark)
        upsert = self._insert(tenant_marks).values(values)
        upsert = upsert.on_conflict_do_update(index_elements=["connection_name", "tid"], set_=values)
        return self._execute(connection, upsert) == 1

    def _prune_attempts(self, connection: Connection, before: datetime) -> None:
        old = select(_attempt.id).where(_attempt.expires_at < rows.to_micros(before))
        self._execute(connection, delete(record_versions).where(_version.record_id.in_(old)))
        self._execute(connection, delete(attempts).where(_attempt.expires_at < rows.to_micros(before)))
        # The mark of a deleted account goes with its history.
        kept = select(history.c.account_id)
        gone = (_version.version == seals.DELETED) & _version.record_id.not_in(kept)
        self._execute(connection, delete(record_versions).where(gone))
