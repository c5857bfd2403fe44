"""Scalekit's names of account statuses, for our REST API, for webhooks and for reading Scalekit's answers."""

from __future__ import annotations

from collections.abc import Mapping

from scalekit_mcp.accounts.model.records import AccountStatus, Reason

STATUS_OF_SCALEKIT: Mapping[str, tuple[AccountStatus, Reason | None]] = {
    "ACTIVE": (AccountStatus.ACTIVE, None),
    "EXPIRED": (AccountStatus.EXPIRED, Reason.UNKNOWN),
    "PENDING_AUTH": (AccountStatus.PENDING, Reason.NEVER_AUTHORIZED),
    "PENDING_VERIFICATION": (AccountStatus.PENDING, Reason.AWAITING_CONSENT),
    "DISCONNECTED": (AccountStatus.REVOKED, Reason.DISCONNECTED),
}


def scalekit_status(status: str, reason: str | None, *, held: bool) -> str:
    """Scalekit's name of our `status`; `held` says that tokens wait for a confirmation.

    There is no REVOKED there: what the user ended is DISCONNECTED, what Microsoft ended EXPIRED.
    """
    if status == AccountStatus.PENDING:
        return "PENDING_VERIFICATION" if held else "PENDING_AUTH"
    if status == AccountStatus.REVOKED:
        return "DISCONNECTED" if reason == Reason.DISCONNECTED else "EXPIRED"
    return status
