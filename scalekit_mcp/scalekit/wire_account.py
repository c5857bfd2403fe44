"""Connected accounts as Scalekit's REST API writes them.

Scalekit says no reason; a server of this product that stands in its place does, in members of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from scalekit_mcp.accounts import STATUS_OF_SCALEKIT, AccountKey, AccountStatus, Reason, status_of
from scalekit_mcp.calendar import microsofts_words
from scalekit_mcp.errors import InvalidInput, ProviderUnavailable
from scalekit_mcp.scalekit.rest import safe_id


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
    provider: str | None = None
    """Scalekit's key of the service, in capitals; None where it says none."""

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
            provider=_provider(members.get("provider")),
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


def is_status(text: str) -> bool:
    """Whether a filter names a status: ours, or Scalekit's as published samples write it."""
    wanted = text.strip().upper()
    return wanted in STATUS_OF_SCALEKIT or wanted in {status.value for status in AccountStatus}


def has_status(wire: WireAccount, text: str) -> bool:
    """Whether the account has a status, in our words or in Scalekit's."""
    return text.strip().upper() in (wire.status, meaning_of(wire)[0].value)


def _wire_status(value: object) -> str:
    return value.strip().upper() if isinstance(value, str) else ""


def _provider(value: object) -> str | None:
    return value.upper() if isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9_-]{1,60}", value) else None


def _reason(members: Mapping[str, Any]) -> Reason | None:
    try:
        return Reason(members["reason"])
    except (KeyError, ValueError):
        return None


def _text(value: object) -> str | None:
    return microsofts_words(value) or None if isinstance(value, str) else None
