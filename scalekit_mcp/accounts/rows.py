"""Records to rows and back. The only place that knows how an instant, a scope list or a secret is stored."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from scalekit_mcp.accounts.models import (
    AccountStatus,
    Attempt,
    AttemptSecrets,
    AttemptState,
    AttemptSummary,
    ConnectedAccount,
    HeldGrant,
    HistoryEntry,
    ProviderAccount,
    Reason,
    StoredAccount,
    TenantMark,
    TokenSet,
    UserVerification,
)
from scalekit_mcp.accounts.sealing import KeyRing
from scalekit_mcp.errors import VaultError

Row = Mapping[str, Any]

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


def seal_tokens(ring: KeyRing, account: ConnectedAccount, tokens: TokenSet) -> bytes:
    """The sealed record of an account's tokens."""
    plain = json.dumps(_tokens_to_json(tokens), separators=(",", ":")).encode()
    return ring.seal(plain, kind="tokens", owner=account.id, context=[account.connection_name, account.identifier])


def open_tokens(ring: KeyRing, account_id: str, connection_name: str, identifier: str, record: bytes) -> TokenSet:
    """Open an account's tokens; raises `VaultError`."""
    plain = ring.open(record, kind="tokens", owner=account_id, context=[connection_name, identifier])
    return _tokens_from_json(json.loads(plain))


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
    }


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
    )


def stored_from_row(row: Row, ring: KeyRing | None) -> StoredAccount:
    """The whole record of a joined row; without a ring the tokens stay sealed."""
    account = account_from_row(row)
    sealed = row.get("sealed_tokens")
    tokens = None
    if ring is not None and sealed is not None:
        tokens = open_tokens(ring, account.id, account.connection_name, account.identifier, sealed)
    attempt = None
    if row["attempt_id"] is not None:
        attempt = AttemptSummary(
            row["attempt_id"], AttemptState(row["attempt_state"]), from_micros(row["attempt_expires_at"])
        )
    mark = None
    if row["mark_tid"] is not None:
        mark = TenantMark(
            account.connection_name,
            row["mark_tid"],
            row["mark_code"],
            from_micros(row["mark_marked_at"]),
            from_micros(row["mark_next_trial_at"]),
        )
    return StoredAccount(
        account=account,
        tokens=tokens,
        lease_owner=row["lease_owner"],
        lease_until=_instant(row["lease_until"]),
        refresh_not_before=_instant(row["refresh_not_before"]),
        attempt=attempt,
        tenant_mark=mark,
    )


# Attempts


def attempt_values(ring: KeyRing, attempt: Attempt, *, version: int) -> dict[str, Any]:
    """All columns of an attempt, its secrets sealed."""
    return {
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
        "sealed_secrets": ring.seal(_secrets_to_json(attempt.secrets), **_attempt_seal(attempt)),
        "key_id": ring.sealing_key_id,
    }


def attempt_from_row(row: Row, ring: KeyRing) -> Attempt:
    """The attempt of a row, its secrets opened; raises `VaultError`."""
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
    plain = ring.open(row["sealed_secrets"], **_attempt_seal(bare))
    return replace(bare, secrets=_secrets_from_json(plain))


def reseal_attempt(row: Row, ring: KeyRing) -> bytes:
    """The secrets of an attempt's row under the first key of the ring; raises `VaultError`."""
    seal: dict[str, Any] = {
        "kind": "attempt",
        "owner": row["id"],
        "context": [row["account_id"], row["connection_name"], row["identifier"]],
    }
    return ring.seal(ring.open(row["sealed_secrets"], **seal), **seal)


def _attempt_seal(attempt: Attempt) -> dict[str, Any]:
    return {
        "kind": "attempt",
        "owner": attempt.id,
        "context": [attempt.account_id, attempt.connection_name, attempt.identifier],
    }


def _secrets_to_json(secrets: AttemptSecrets) -> bytes:
    data: dict[str, Any] = {name: getattr(secrets, name) for name in AttemptSecrets.__dataclass_fields__}
    if secrets.held is not None:
        data["held"] = {"t": _tokens_to_json(secrets.held.tokens), "p": asdict(secrets.held.account)}
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
        held=None if held is None else HeldGrant(_tokens_from_json(held["t"]), ProviderAccount(**held["p"])),
    )


# History


def history_values(entry: HistoryEntry, entry_id: str) -> dict[str, Any]:
    """The columns of a history entry."""
    return {
        "id": entry_id,
        "at": to_micros(entry.at),
        "account_id": entry.account_id,
        "connection_name": entry.connection_name,
        "identifier": entry.identifier,
        "old_status": entry.old_status,
        "new_status": entry.new_status,
        "old_reason": entry.old_reason,
        "new_reason": entry.new_reason,
        "cause": str(entry.cause),
        "code": entry.code,
    }


def history_from_row(row: Row) -> HistoryEntry:
    """The history entry of a row."""
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


@contextmanager
def readable(what: str) -> Generator[None]:
    """Turn a value that this version does not know into `VaultError`."""
    try:
        yield
    except (ValueError, KeyError, TypeError) as exc:
        raise VaultError(
            f"{what} holds a value that this version does not know. Nothing was overwritten.",
            next_step="The operator installs the version that wrote it, or restores the database from a backup.",
        ) from exc
