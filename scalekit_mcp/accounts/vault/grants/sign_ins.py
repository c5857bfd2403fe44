"""Statements on sign-ins."""

from __future__ import annotations

import secrets
from datetime import timedelta

from sqlalchemy import ColumnElement, Connection, delete, select, type_coerce, update
from sqlalchemy.types import NullType

from scalekit_mcp.accounts.model.grants import SignIn, SignInState
from scalekit_mcp.accounts.vault import rows
from scalekit_mcp.accounts.vault.changes import InsertSignIn, SaveSignIn, SignInKey
from scalekit_mcp.accounts.vault.database.statements import VERSION_COLUMNS, Statements
from scalekit_mcp.accounts.vault.grants import grant_rows
from scalekit_mcp.accounts.vault.tables import record_versions, sign_ins

MOST_OPEN = 20
"""How many sign-ins one browser has open at once; one more ends the oldest."""
MOST_OPEN_OF_ALL = 100_000
"""How many are open in all browsers together: whoever makes browsers up must not fill the disk. The oldest end.

So large that nobody who signs in within minutes is displaced at the rate that a server can be asked.
"""
LOOKED_EVERY = 128
"""One of so many new sign-ins looks whether there are too many in all; it takes more away than came since."""
KEPT = timedelta(hours=1)
"""How long a sign-in is kept after its end, so that a code that comes again is known."""
PURGED_AT_ONCE = 200

_sign_in = sign_ins.c
_version = record_versions.c
_IS_OPEN = _sign_in.status.in_((SignInState.AT_PROVIDER, SignInState.FAILED))
_FOUND = select(
    *(column for column in sign_ins.c if column is not _sign_in.sealed_secrets),
    type_coerce(_sign_in.sealed_secrets, NullType()).label("sealed_secrets"),
    *VERSION_COLUMNS,
).select_from(sign_ins.outerjoin(record_versions, _version.record_id == _sign_in.id))


class SignInStatements:
    """What a vault does about sign-ins."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements
        self._ring = statements.ring

    async def find(self, key: SignInKey, value: str) -> SignIn | None:
        """See `Vault`."""
        row = await self._statements.first(_FOUND.where(sign_ins.c[key.value] == value))
        return None if row is None else grant_rows.sign_in_from_row(row, self._ring)

    def apply(self, connection: Connection, change: InsertSignIn | SaveSignIn) -> bool:
        """Write one change; False if it no longer holds."""
        return self._insert(connection, change) if isinstance(change, InsertSignIn) else self._save(connection, change)

    def _insert(self, connection: Connection, change: InsertSignIn) -> bool:
        """Store a new sign-in. The open ones of the same browser for the same request end, and those that are too many.

        Old ones are purged on the way, a bounded number of them.
        """
        sign_in = change.sign_in
        self._purge(connection, sign_in)
        if secrets.randbelow(LOOKED_EVERY) == 0:
            self._end_surplus(connection)
        theirs = _sign_in.browser_sha256 == sign_in.browser_sha256
        open_ones = select(_sign_in.id, _sign_in.request_sha256).where(theirs, _IS_OPEN)
        found = connection.execute(open_ones.order_by(_sign_in.created_at.desc(), _sign_in.id)).all()
        others = [row.id for row in found if row.request_sha256 != sign_in.request_sha256]
        ended = [row.id for row in found if row.request_sha256 == sign_in.request_sha256] + others[MOST_OPEN - 1 :]
        self._forget(connection, ended, only=_IS_OPEN)
        values = grant_rows.sign_in_values(self._ring, sign_in, version=sign_in.version)
        statement = self._statements.insert(sign_ins).values(values).on_conflict_do_nothing()
        if self._statements.execute(connection, statement) != 1:
            return False
        self._statements.write_version(connection, sign_in.id, sign_in.version)
        return True

    def _save(self, connection: Connection, change: SaveSignIn) -> bool:
        """Write a sign-in on its version; False if somebody else did."""
        sign_in = change.sign_in
        values = grant_rows.sign_in_values(self._ring, sign_in, version=sign_in.version + 1)
        statement = update(sign_ins).where(_sign_in.id == sign_in.id, _sign_in.version == sign_in.version)
        if self._statements.execute(connection, statement.values(values)) != 1:
            return False
        self._statements.write_version(connection, sign_in.id, sign_in.version + 1)
        return True

    def _purge(self, connection: Connection, sign_in: SignIn) -> None:
        old = select(_sign_in.id).where(_sign_in.expires_at < rows.to_micros(sign_in.created_at - KEPT))
        old = old.limit(PURGED_AT_ONCE).with_for_update(skip_locked=True)
        self._forget(connection, list(connection.execute(old).scalars()))

    def _end_surplus(self, connection: Connection) -> None:
        newest_first = select(_sign_in.id).where(_IS_OPEN).order_by(_sign_in.expires_at.desc(), _sign_in.id)
        surplus = list(connection.execute(newest_first.offset(MOST_OPEN_OF_ALL).limit(PURGED_AT_ONCE)).scalars())
        # Locked by a statement of its own: rows that an offset passes over would be locked too.
        free = select(_sign_in.id).where(_sign_in.id.in_(surplus)).with_for_update(skip_locked=True)
        self._forget(connection, list(connection.execute(free).scalars()) if surplus else [], only=_IS_OPEN)

    def _forget(self, connection: Connection, ids: list[str], *, only: ColumnElement[bool] | None = None) -> None:
        """Remove rows with their versions; `only` those that are still so."""
        if not ids:
            return
        statement = delete(sign_ins).where(_sign_in.id.in_(ids)).returning(_sign_in.id)
        removed = list(connection.execute(statement if only is None else statement.where(only)).scalars())
        self._statements.execute(connection, delete(record_versions).where(_version.record_id.in_(removed)))
