"""Records to rows and back. The only place that knows how an instant, a scope list or a secret is stored."""

from __future__ import annotations

import json
import logging
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from scalekit_mcp.accounts.model.records import (
    AccountStatus,
    Attempt,
    AttemptSecrets,
    AttemptState,
    AttemptSummary,
    CallsStopped,
    ConnectedAccount,
    DamagedAccount,
    Held,
    HeldGrant,
    HeldRequest,
    HistoryEntry,
    ProviderAccount,
    Reason,
    StoredAccount,
    TenantMark,
    TokenSet,
    UserVerification,
)
from scalekit_mcp.accounts.vault.sealing import seals
from scalekit_mcp.accounts.vault.sealing.key_ring import KeyRing
from scalekit_mcp.errors import VaultError

Row = seals.Row

UNREADABLE = "unreadable"
"""The cause of a history entry that is damaged."""
_UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, OverflowError, IndexError, RecursionError)
_LAST_MICROS = 250_000_000_000_000_000
_log = logging.getLogger(__name__)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(at: datetime) -> int:
    """An aware datetime as microseconds since 1970 in UTC."""
    return (at - _EPOCH) // _MICROSECOND


def from_micros(value: int) -> datetime:
    """The aware datetime in UTC behind `to_micros`."""
    return _EPOCH + timedelta(microseconds=value)


def maybe_micros(at: datetime | None) -> int | None:
    """`to_micros`, None stays None."""
    return None if at is None else to_micros(at)


def _instant(value: int | None) -> datetime | None:
    return None if value is None else from_micros(value)


# Tokens


def seal_tokens(ring: KeyRing, row: Row, tokens: TokenSet) -> bytes:
    """The sealed record of an account's tokens, bound to the account and to the version that wrote them."""
    plain = json.dumps(_tokens_to_json(tokens), separators=(",", ":")).encode()
    return ring.seal(plain, **tokens_seal(row))


def open_tokens(ring: KeyRing, row: Row) -> TokenSet | None:
    """Open the tokens of an account's row; raises `VaultError`."""
    if row["sealed_tokens"] is None and row["tokens_version"] is None:
        return None
    if not isinstance(row["sealed_tokens"], bytes):
        raise TypeError("no sealed record")
    return _tokens_from_json(json.loads(ring.open(row["sealed_tokens"], **tokens_seal(row))))


def tokens_seal(row: Row) -> dict[str, Any]:
    """What the tokens of an account's row are sealed under."""
    bound = [str(row["tokens_version"]), row["connection_name"], row["identifier"]]
    return {"kind": "tokens", "owner": row["id"], "context": bound}


def _tokens_to_json(tokens: TokenSet) -> dict[str, Any]:
    return {
        "a": tokens.access_token,
        "r": tokens.refresh_token,
        "e": to_micros(tokens.expires_at),
        "s": list(tokens.granted_scopes),
    }


def _tokens_from_json(data: dict[str, Any]) -> TokenSet:
    return TokenSet(data["a"], data["r"], from_micros(data["e"]), tuple(data["s"]))


# Accounts


def account_values(account: ConnectedAccount) -> dict[str, Any]:
    """The columns that a change of status writes."""
    provider_account = account.provider_account
    return {
        "status": account.status.value,
        "reason": None if account.reason is None else account.reason.value,
        "who_acts": account.who_acts,
        "version": account.version,
        "updated_at": to_micros(account.updated_at),
        "pending_claims": account.pending_claims,
        "tid": None if provider_account is None else provider_account.tid,
        "provider_account": None if provider_account is None else json.dumps(asdict(provider_account)),
        "granted_scopes": " ".join(account.granted_scopes),
        "client_id": account.client_id,
        "login_host": account.login_host,
        "token_expires_at": maybe_micros(account.token_expires_at),
        "epoch": account.epoch,
        "tokens_version": account.tokens_version,
    }


def sealed_account_values(ring: KeyRing, account: ConnectedAccount, tokens: TokenSet | None = None) -> dict[str, Any]:
    """The columns of `account_values` with their seal; with `tokens`, those too."""
    key = {
        "id": account.id,
        "connection_name": account.connection_name,
        "identifier": account.identifier,
        "created_at": to_micros(account.created_at),
    }
    values = account_values(account)
    sealed = seals.seal_account(ring, {**key, **values})
    if tokens is not None:
        sealed |= {"sealed_tokens": seal_tokens(ring, {**key, **values}, tokens), "key_id": ring.sealing_key_id}
    elif account.tokens_version is None:
        sealed |= {"sealed_tokens": None, "key_id": None}
    return {**values, **sealed}


def account_from_row(row: Row) -> ConnectedAccount:
    """The account of a row."""
    provider_account = row["provider_account"]
    return ConnectedAccount(
        id=row["id"],
        connection_name=row["connection_name"],
        identifier=row["identifier"],
        status=AccountStatus(row["status"]),
        reason=None if row["reason"] is None else Reason(row["reason"]),
        who_acts=row["who_acts"],
        created_at=from_micros(row["created_at"]),
        updated_at=from_micros(row["updated_at"]),
        version=row["version"],
        provider_account=None if provider_account is None else ProviderAccount(**json.loads(provider_account)),
        granted_scopes=tuple(row["granted_scopes"].split()),
        client_id=row["client_id"],
        login_host=row["login_host"],
        token_expires_at=_instant(row["token_expires_at"]),
        last_used_at=_instant(row["last_used_at"]),
        last_authorization_error=row["last_authorization_error"],
        pending_claims=row["pending_claims"],
        epoch=row["epoch"],
        tokens_version=row["tokens_version"],
    )


def stored_from_row(row: Row, ring: KeyRing, *, with_tokens: bool) -> StoredAccount:
    """The whole record of a joined row.

    Raises:
        DamagedRecordError: it is not as this product wrote it last, or holds what cannot be read.
        VaultError: it is sealed with a key that is not at hand.
    """
    with readable(row):
        account = account_from_row(row)
        seals.check_account(ring, row)
        attempt = None
        if row["attempt_id"] is not None:
            attempt = AttemptSummary(
                row["attempt_id"], AttemptState(row["attempt_state"]), from_micros(row["attempt_expires_at"])
            )
        return StoredAccount(
            account=account,
            tokens=open_tokens(ring, row) if with_tokens else None,
            lease_owner=row["lease_owner"],
            lease_until=_instant(row["lease_until"]),
            refresh_not_before=_instant(row["refresh_not_before"]),
            attempt=attempt,
            tenant_mark=_mark_from_row(row, ring),
        )


def listed_from_row(row: Row, ring: KeyRing) -> StoredAccount | DamagedAccount:
    """The record of a row in a list, without its tokens; a damaged one is named and hides no other."""
    try:
        return stored_from_row(row, ring, with_tokens=False)
    except VaultError as exc:
        problem = CallsStopped(exc.message, exc.who_acts, exc.next_step)
        return DamagedAccount(str(row["id"]), str(row["connection_name"]), str(row["identifier"]), problem)


def mark_values(ring: KeyRing, mark: TenantMark) -> dict[str, Any]:
    """All columns of a tenant's mark."""
    values = {
        "connection_name": mark.connection_name,
        "tid": mark.tid,
        "code": mark.code,
        "marked_at": to_micros(mark.marked_at),
        "next_trial_at": to_micros(mark.next_trial_at),
    }
    return {**values, "sealed": seals.seal_tenant(ring, values)}


def _mark_from_row(row: Row, ring: KeyRing) -> TenantMark | None:
    """The mark of the account's tenant; one that is not as this product wrote it stops nobody."""
    if row["mark_tid"] is None:
        return None
    values = {name: row[f"mark_{name}"] for name in ("tid", "code", "marked_at", "next_trial_at")}
    values["connection_name"] = row["connection_name"]
    if not seals.is_tenant_whole(ring, values, row["mark_sealed"]):
        _log_damaged_mark(values["connection_name"], str(values["tid"]))
        return None
    return TenantMark(
        values["connection_name"],
        values["tid"],
        values["code"],
        from_micros(values["marked_at"]),
        from_micros(values["next_trial_at"]),
    )


@lru_cache(maxsize=1000)
def _log_damaged_mark(connection_name: str, tid: str) -> None:
    """Once for each."""
    _log.error("The mark of the tenant %s on '%s' is damaged and counts as none.", tid, connection_name)


# Attempts


def attempt_values(ring: KeyRing, attempt: Attempt, *, version: int) -> dict[str, Any]:
    """All columns of an attempt, its secrets sealed together with what decides about it."""
    values = {
        "id": attempt.id,
        "account_id": attempt.account_id,
        "live_account_id": attempt.account_id if attempt.live else None,
        "connection_name": attempt.connection_name,
        "identifier": attempt.identifier,
        "state": attempt.state.value,
        "created_at": to_micros(attempt.created_at),
        "expires_at": to_micros(attempt.expires_at),
        "redirect_uri": attempt.redirect_uri,
        "verification": attempt.verification.value,
        "reconnect": attempt.reconnect,
        "state_used": attempt.state_used,
        "wrong_tries": attempt.wrong_tries,
        "version": version,
        "ticket_sha256": attempt.ticket_sha256,
        "state_sha256": attempt.state_sha256,
        "auth_request_sha256": attempt.auth_request_sha256,
    }
    sealed = ring.seal(_secrets_to_json(attempt.secrets), **attempt_seal(values))
    return {**values, "sealed_secrets": sealed, "key_id": ring.sealing_key_id}


def attempt_from_row(row: Row, ring: KeyRing) -> Attempt:
    """The attempt of a row joined with its version, its secrets opened; raises `VaultError`."""
    with readable(row):
        bare = Attempt(
            id=row["id"],
            account_id=row["account_id"],
            connection_name=row["connection_name"],
            identifier=row["identifier"],
            state=AttemptState(row["state"]),
            created_at=from_micros(row["created_at"]),
            expires_at=from_micros(row["expires_at"]),
            redirect_uri=row["redirect_uri"],
            verification=UserVerification(row["verification"]),
            reconnect=bool(row["reconnect"]),
            live=row["live_account_id"] is not None,
            state_used=bool(row["state_used"]),
            wrong_tries=row["wrong_tries"],
            version=row["version"],
            ticket_sha256=row["ticket_sha256"],
            state_sha256=row["state_sha256"],
            auth_request_sha256=row["auth_request_sha256"],
        )
        if not isinstance(row["sealed_secrets"], bytes):
            raise TypeError("no sealed record")
        plain = ring.open(row["sealed_secrets"], **attempt_seal(row))
        seals.check_version(ring, row, bare.version, row["least_version"], row["sealed_version"])
        return replace(bare, secrets=_secrets_from_json(plain))


def attempt_seal(row: Row) -> dict[str, Any]:
    """What the secrets of an attempt's row are sealed under."""
    return {"kind": "attempt", "owner": row["id"], "context": seals.attempt_context(row)}


def _secrets_to_json(secrets: AttemptSecrets) -> bytes:
    data: dict[str, Any] = {name: getattr(secrets, name) for name in AttemptSecrets.__dataclass_fields__}
    if secrets.status_before is None:
        del data["status_before"]  # replicas of an earlier version do not know it
    data["held"] = None if secrets.held is None else _held_to_json(secrets.held)
    return json.dumps(data, separators=(",", ":")).encode()


def _secrets_from_json(plain: bytes) -> AttemptSecrets:
    data: dict[str, Any] = json.loads(plain)
    held = data.pop("held")
    expected = data.pop("expected_account")
    scopes = tuple(data.pop("scopes"))
    return AttemptSecrets(
        **data,
        scopes=scopes,
        expected_account=None if expected is None else (expected[0], expected[1]),
        held=None if held is None else _held_from_json(held),
    )


def _held_to_json(held: Held) -> dict[str, Any]:
    if isinstance(held, HeldRequest):
        return {"r": held.auth_request_id, "b": held.status_before}
    return {"t": _tokens_to_json(held.tokens), "p": asdict(held.account)}


def _held_from_json(held: dict[str, Any]) -> Held:
    if "r" in held:
        return HeldRequest(held["r"], held["b"])
    return HeldGrant(_tokens_from_json(held["t"]), ProviderAccount(**held["p"]))


# History


def history_values(entry: HistoryEntry, entry_id: str) -> dict[str, Any]:
    """The columns of a history entry."""
    return {"id": entry_id, **asdict(entry), "at": to_micros(entry.at)}


def history_from_row(row: Row) -> HistoryEntry:
    """The history entry of a row; of one that cannot be read what is left of it, with the cause `unreadable`."""
    try:
        return HistoryEntry(
            at=from_micros(row["at"]),
            account_id=row["account_id"],
            connection_name=row["connection_name"],
            identifier=row["identifier"],
            old_status=None if row["old_status"] is None else AccountStatus(row["old_status"]),
            new_status=None if row["new_status"] is None else AccountStatus(row["new_status"]),
            old_reason=None if row["old_reason"] is None else Reason(row["old_reason"]),
            new_reason=None if row["new_reason"] is None else Reason(row["new_reason"]),
            cause=row["cause"],
            code=row["code"],
        )
    except _UNREADABLE:
        at = row["at"] if isinstance(row["at"], int) else 0
        whose = (str(row["account_id"]), str(row["connection_name"]), str(row["identifier"]))
        return HistoryEntry(from_micros(max(0, min(at, _LAST_MICROS))), *whose, None, None, None, None, UNREADABLE)


@contextmanager
def readable(row: Row) -> Generator[None]:
    """Turn a value that this version does not know into `DamagedRecordError`."""
    try:
        yield
    except _UNREADABLE as exc:
        message = f"The record of {seals.whose(row)} holds a value that this version does not know."
        raise seals.DamagedRecordError(message, row) from exc
