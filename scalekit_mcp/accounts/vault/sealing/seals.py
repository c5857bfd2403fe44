"""Seals the deciding columns of each row, so that a row which another program changed or restored is refused.

A seal here is an empty sealed record (AES-256-GCM) whose associated data is the row's deciding columns. Beside each
record another table holds, sealed too, the version that the record must have at least: a row put back from a copy is
older than that. Names, times of use and leases decide nothing and stay outside.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from scalekit_mcp.accounts.vault.sealing.key_ring import KeyRing
from scalekit_mcp.errors import VaultError

Row = Mapping[str, Any]

ACCOUNT_COLUMNS = (
    *("id", "connection_name", "identifier", "status", "reason", "who_acts", "version", "created_at", "updated_at"),
    *("tid", "provider_account", "granted_scopes", "client_id", "login_host", "token_expires_at"),
    *("epoch", "tokens_version"),
)
ATTEMPT_COLUMNS = (
    *("id", "account_id", "live_account_id", "connection_name", "identifier", "state", "created_at", "expires_at"),
    *("redirect_uri", "verification", "reconnect", "state_used", "wrong_tries", "version"),
    *("ticket_sha256", "state_sha256", "auth_request_sha256"),
)
TENANT_COLUMNS = ("connection_name", "tid", "code", "marked_at", "next_trial_at")
DELETED = 2**62
"""The version that the mark of a deleted record holds: no row of it is new enough."""
_REMOVE_OR_RESTORE = (
    "The operator restores the database from a backup, or removes the account (`scalekit-mcp accounts delete`); then "
    "the user signs in again."
)


class DamagedRecordError(VaultError):
    """One record of the vault cannot be read; the others can. `account_id` and the rest say whose it is."""

    def __init__(self, message: str, row: Row) -> None:
        super().__init__(f"{message} Nothing was overwritten.", next_step=_REMOVE_OR_RESTORE)
        self.account_id = _text(row, "account_id") or _text(row, "id")
        self.connection_name = _text(row, "connection_name")
        self.identifier = _text(row, "identifier")


def whose(row: Row) -> str:
    """A record, by whose it is."""
    return f"'{_text(row, 'identifier')}' ({_text(row, 'account_id') or _text(row, 'id')})"


def seal_account(ring: KeyRing, values: Row) -> dict[str, Any]:
    """The columns that seal an account's row; `values` holds all of `ACCOUNT_COLUMNS`."""
    sealed = ring.seal(b"", kind="account", owner=values["id"], context=record_context(values, ACCOUNT_COLUMNS))
    return {"sealed_state": sealed, "state_key_id": ring.sealing_key_id}


def check_account(ring: KeyRing, row: Row) -> None:
    """Raise `DamagedRecordError` for an account's row that is not as this product wrote it, or is an older one."""
    check_record(ring, row, row["sealed_state"], "account", ACCOUNT_COLUMNS)
    check_version(ring, row, row["epoch"], row["least_version"], row["sealed_version"])


def attempt_context(row: Row) -> list[str]:
    """The associated data of an attempt's secrets."""
    return record_context(row, ATTEMPT_COLUMNS)


def seal_tenant(ring: KeyRing, values: Row) -> bytes:
    """The seal of a tenant's mark."""
    return ring.seal(b"", kind="tenant", owner=values["tid"], context=record_context(values, TENANT_COLUMNS))


def is_tenant_whole(ring: KeyRing, values: Row, sealed: object) -> bool:
    """Whether the mark of a tenant is as this product wrote it."""
    try:
        check_record(ring, values, sealed, "tenant", TENANT_COLUMNS)
    except (VaultError, TypeError, ValueError, AttributeError):
        return False
    return True


def version_values(ring: KeyRing, record_id: str, version: int) -> dict[str, Any]:
    """The row that says how old a record may be at most."""
    sealed = ring.seal(b"", kind="version", owner=record_id, context=[str(version), record_id])
    return {"record_id": record_id, "version": version, "sealed": sealed}


def check_version(ring: KeyRing, row: Row, version: int, least: object, sealed: object) -> None:
    """Raise `DamagedRecordError` unless `version` is the one that was written last."""
    if isinstance(least, int) and isinstance(sealed, bytes):
        try:
            ring.open(sealed, kind="version", owner=row["id"], context=[str(least), row["id"]])
        except VaultError as exc:
            raise DamagedRecordError(f"The version of the record of {whose(row)} does not open.", row) from exc
        if version == least:
            return
    raise put_back(row)


def put_back(row: Row) -> DamagedRecordError:
    """The error for a record that is older than what was written last."""
    return DamagedRecordError(
        f"The record of {whose(row)} is not the one that was written last: an older one was put back, or its version "
        "is gone.",
        row,
    )


def record_context(row: Row, columns: tuple[str, ...]) -> list[str]:
    """The associated data of a row whose `columns` decide."""
    values = [row[name] for name in columns]
    return [json.dumps(values, separators=(",", ":")), str(row.get("identifier") or row.get("tid"))]


def check_record(ring: KeyRing, row: Row, sealed: object, kind: str, columns: tuple[str, ...]) -> None:
    """Raise `DamagedRecordError` for a row whose `columns` are not those that were sealed."""
    if not isinstance(sealed, bytes):
        raise DamagedRecordError(f"The record of {whose(row)} has no seal.", row)
    owner = row["tid"] if kind == "tenant" else row["id"]
    try:
        ring.open(sealed, kind=kind, owner=owner, context=record_context(row, columns))
    except VaultError as exc:
        if "which is not among" in exc.message:
            raise
        message = f"The record of {whose(row)} does not fit its seal: another program changed it, or it is damaged."
        raise DamagedRecordError(message, row) from exc


def _text(row: Row, name: str) -> str:
    value = row.get(name)
    return "" if value is None else str(value)[:200]
