"""Refusals that concern a whole tenant, not only one account.

Some refusals mean that the application is gone for everybody there: they mark the tenant. Others only come in groups
when an administrator clears out, and group the notice.
"""

from __future__ import annotations

import logging
from collections import deque
from datetime import datetime, timedelta

from scalekit_mcp.accounts.model.records import ConnectedAccount, Reason
from scalekit_mcp.accounts.provider import GrantError, GrantFault

_log = logging.getLogger(__name__)

TRIAL_INTERVAL = timedelta(hours=1)
"""How often one account of a marked tenant tries again."""

_GROUP_WINDOW = timedelta(minutes=10)
_GROUP_SIZE = 3


class RevocationAlerts:
    """One log line per account that lost its grant, or one per tenant where they come in a group."""

    def __init__(self) -> None:
        self._recent: dict[tuple[str, str], deque[datetime]] = {}
        self._told: dict[tuple[str, str], datetime] = {}

    def record(self, account: ConnectedAccount, failure: GrantError, now: datetime) -> None:
        """Log that `account` lost its grant, or count it for the line about its tenant."""
        tid = account.provider_account.tid if account.provider_account is not None else None
        if tid is not None and failure.fault is GrantFault.TENANT:
            _log.warning(
                "The application was taken away in tenant %s on '%s' (%s); its accounts are tried once an hour.",
                tid,
                account.connection_name,
                failure.code,
            )
            return
        if tid is not None and failure.reason is Reason.GRANT_REVOKED:
            recent = self._recent.setdefault((account.connection_name, tid), deque(maxlen=_GROUP_SIZE))
            recent.append(now)
            if len(recent) == _GROUP_SIZE and now - recent[0] <= _GROUP_WINDOW:
                if now - self._told.get((account.connection_name, tid), now - 2 * _GROUP_WINDOW) > _GROUP_WINDOW:
                    self._told[account.connection_name, tid] = now
                    _log.warning(
                        "Accounts of tenant %s on '%s' are losing their grants (%s): at least %d within ten minutes.",
                        tid,
                        account.connection_name,
                        failure.code,
                        _GROUP_SIZE,
                    )
                return
        _log.warning(
            "The account of '%s' on '%s' lost its grant: %s (%s); %s acts.",
            account.identifier,
            account.connection_name,
            failure.reason,
            failure.code,
            failure.who_acts,
        )
