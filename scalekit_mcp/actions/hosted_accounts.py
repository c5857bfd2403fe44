"""Connected accounts on Scalekit's wire, and as this product shows them.

Scalekit says no reason; a server of this product that stands in its place does, in members of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from scalekit_mcp.accounts.model import texts
from scalekit_mcp.accounts.model.records import AccountKey, AccountStatus, AttemptState, Reason, UserVerification
from scalekit_mcp.accounts.model.scalekit_names import STATUS_OF_SCALEKIT
from scalekit_mcp.accounts.model.statuses import WHO_ACTS, status_of
from scalekit_mcp.actions.hosted_attempts import HostedAttempt
from scalekit_mcp.actions.models import ConnectedAccountView
from scalekit_mcp.calendar.text import microsofts_words
from scalekit_mcp.errors import AuthorizationRequired, InvalidInput, ProviderUnavailable
from scalekit_mcp.scalekit.rest import safe_id

_RUNNING = (AttemptState.LINK_GIVEN, AttemptState.AT_PROVIDER)
_REFUSED_AT_PROVIDER = (Reason.CONSENT_DECLINED, Reason.ADMIN_APPROVAL_REQUIRED)


@dataclass(frozen=True, slots=True)
class WireAccount:
    """A connected account as Scalekit answers it. `reason` and `last_authorization_error` come from our server only."""

    id: str
    connector: str
    identifier: str
    status: str
    reason: Reason | None = None
    last_authorization_error: str | None = None
    token_expires_at: datetime | None = None
    last_used_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def key(self) -> AccountKey | None:
        """Which account it is; None where Scalekit has an identifier that cannot be one here: only lists show it."""
        try:
            return AccountKey(self.connector, self.identifier)
        except InvalidInput:
            return None

    @classmethod
    def read(cls, value: object, *, connection_name: str, identifier: str | None) -> WireAccount:
        """Read `connected_account` of an answer about the account of `identifier` (None: of anybody).

        Another person's account, or one of another connection, is never used: identifiers are compared exactly, names
        of connections without case. Raises `ProviderUnavailable` for it, and for something else than an account.
        """
        members = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
        account_id, whose = safe_id(members.get("id")), members.get("identifier")
        connector = members.get("connector") or connection_name
        if account_id is None or not isinstance(whose, str) or not isinstance(connector, str):
            raise unusable("Scalekit's answer holds no connected account.")
        if connector.casefold() != connection_name.casefold():
            raise unusable("Scalekit answered with an account of another connection than it was asked for.")
        if identifier not in (None, whose):
            raise unusable("Scalekit answered with the account of another identifier than it was asked for.")
        return cls(
            id=account_id,
            connector=connection_name,
            identifier=whose,
            status=_wire_status(members.get("status")),
            reason=_reason(members),
            last_authorization_error=_text(members.get("last_authorization_error")),
            token_expires_at=instant(members.get("token_expires_at")),
            last_used_at=instant(members.get("last_used_at")),
            updated_at=instant(members.get("updated_at")),
        )


def unusable(message: str) -> ProviderUnavailable:
    """The error of an answer that cannot be used, whenever it comes; `message` says what is wrong with it."""
    return ProviderUnavailable(
        message, who_acts="operator", retryable=False, next_step="The operator reports this to Scalekit."
    )


def instant(value: object) -> datetime | None:
    """An RFC 3339 time in UTC; None for none, and for the zero that stands for "never"."""
    if not isinstance(value, str) or not value:
        return None
    try:
        read = datetime.fromisoformat(value)
        aware = read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return aware if aware.year > 1970 else None


def meaning_of(wire: WireAccount) -> tuple[AccountStatus, Reason | None]:
    """Our status and reason; a wire status that is not known makes no calls."""
    if wire.reason is not None:
        return status_of(wire.reason), wire.reason
    return STATUS_OF_SCALEKIT.get(wire.status, (AccountStatus.EXPIRED, Reason.UNKNOWN))


def view_of(wire: WireAccount, attempt: HostedAttempt | None, now: datetime) -> ConnectedAccountView:
    """The account as every face shows it; an account that never had a grant shows its newest attempt as its reason."""
    status, reason = meaning_of(wire)
    live = attempt is not None and attempt.expires_at > now
    state = None
    if attempt is not None:
        state = attempt.state if live or attempt.state is AttemptState.SUCCEEDED else AttemptState.EXPIRED
    if status is AccountStatus.PENDING:
        reason = _pending_reason(wire, attempt if live else None)
        if state is AttemptState.AT_PROVIDER and reason in _REFUSED_AT_PROVIDER:
            state = AttemptState.FAILED
    error = None if attempt is None else attempt.error
    return ConnectedAccountView(
        id=wire.id,
        connection_name=wire.connector,
        identifier=wire.identifier,
        status=status.value,
        reason=None if reason is None else reason.value,
        who_acts=WHO_ACTS[reason],
        token_expires_at=wire.token_expires_at,
        last_used_at=wire.last_used_at,
        updated_at=wire.updated_at,
        last_authorization_error=error or wire.last_authorization_error,
        attempt_state=None if state is None else state.value,
        attempt_expires_at=attempt.expires_at if attempt is not None and live else None,
        held=live and state is AttemptState.HELD,
    )


def _pending_reason(wire: WireAccount, attempt: HostedAttempt | None) -> Reason:
    if attempt is not None and attempt.state is AttemptState.HELD:
        return Reason.AWAITING_CONFIRMATION
    if wire.status == "PENDING_VERIFICATION" and (attempt is None or attempt.verification is UserVerification.URL):
        return Reason.AWAITING_CONFIRMATION
    if attempt is None:
        return Reason.NEVER_AUTHORIZED
    if attempt.state is AttemptState.AT_PROVIDER and wire.reason is not None and wire.reason in _REFUSED_AT_PROVIDER:
        return wire.reason
    if attempt.state in _RUNNING:
        return Reason.AWAITING_CONSENT
    return Reason.CONSENT_DECLINED if attempt.declined else Reason.NEVER_AUTHORIZED


def not_active(view: ConnectedAccountView) -> AuthorizationRequired:
    """The error for an account that makes no calls."""
    reason = Reason(view.reason or Reason.UNKNOWN)
    return AuthorizationRequired(
        texts.sentence(reason, view.identifier),
        next_step=texts.next_step(reason),
        who_acts=view.who_acts,
        status=view.status,
        reason=reason.value,
    )


def is_status(text: str) -> bool:
    """Whether a filter names a status: ours, or Scalekit's as published samples write it."""
    wanted = text.strip().upper()
    return wanted in STATUS_OF_SCALEKIT or wanted in {status.value for status in AccountStatus}


def has_status(wire: WireAccount, text: str) -> bool:
    """Whether the account has a status, in our words or in Scalekit's."""
    return text.strip().upper() in (wire.status, meaning_of(wire)[0].value)


def _wire_status(value: object) -> str:
    return value.strip().upper() if isinstance(value, str) else ""


def _reason(members: Mapping[str, Any]) -> Reason | None:
    try:
        return Reason(members["reason"])
    except (KeyError, ValueError):
        return None


def _text(value: object) -> str | None:
    return microsofts_words(value) or None if isinstance(value, str) else None
