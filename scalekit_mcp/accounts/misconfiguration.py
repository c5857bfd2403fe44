"""Connections that the provider refuses: the operator gets one log line, and the provider is not asked for a while.

No account is to blame, so nothing of this is stored; each process finds out for itself.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from scalekit_mcp.accounts.model.records import AccountSettings, ConnectedAccount
from scalekit_mcp.accounts.provider import GrantError
from scalekit_mcp.clock import Clock
from scalekit_mcp.errors import ConnectionMisconfigured

_log = logging.getLogger(__name__)

_ALARM_INTERVAL = timedelta(minutes=10)
_MOST_REFUSED = 10_000


@dataclass(frozen=True, slots=True)
class _Refusal:
    message: str
    code: str
    next_step: str


class MisconfigurationGuard:
    """Remembers which connections or accounts the provider refused, and until when they are not tried again.

    A refusal of the application's own credentials meets the whole connection. Others, such as a licence that one
    customer lacks, meet the account that had them.
    """

    def __init__(self, clock: Clock, settings: AccountSettings) -> None:
        self._clock = clock
        self._settings = settings
        # Words, not the failure itself: the frames of its traceback hold the token that was sent.
        self._refused: dict[tuple[str, str], tuple[_Refusal, datetime]] = {}
        self._told: dict[tuple[str, str], datetime] = {}

    def remembered_error(self, account: ConnectedAccount) -> ConnectionMisconfigured | None:
        """The error to raise without sending a token request; None if one may be sent."""
        now = self._clock.now()
        for key in (_key(account, whole=True), _key(account, whole=False)):
            failure, until = self._refused.get(key, (None, now))
            if failure is not None and until > now:
                return _error(account, failure)
        return None

    def refresh_refused(self, account: ConnectedAccount, failure: GrantError) -> ConnectionMisconfigured:
        """Remember a refusal and log it once, not once per user; returns the error to raise."""
        self._remember(_key(account, whole=failure.whole_connection), failure)
        self._log(account.connection_name, failure)
        return _error(account, _Refusal(str(failure.message), failure.code, str(failure.next_step)))

    def code_refused(self, connection_name: str, failure: GrantError) -> None:
        """Log that the provider refused a code; if it refused our credentials, the whole connection is stopped."""
        if failure.whole_connection:
            self._remember((connection_name, ""), failure)
        self._log(connection_name, failure)

    def redirect_refused(self, connection_name: str, failure: GrantError) -> None:
        """Log a refusal that a browser brought back in the address of the callback.

        Anybody with a link of their own can write such an address: it stops nobody's calls, and does not use up the
        line that a refusal by the provider itself gets.
        """
        self._log(connection_name, failure, source="browser")

    def _remember(self, key: tuple[str, str], failure: GrantError) -> None:
        if len(self._refused) >= _MOST_REFUSED:
            self._refused.clear()
        refusal = _Refusal(str(failure.message), failure.code, str(failure.next_step))
        self._refused[key] = (refusal, self._clock.now() + timedelta(seconds=self._settings.misconfigured_seconds))

    def _log(self, connection_name: str, failure: GrantError, *, source: str = "provider") -> None:
        """Write at most one line in ten minutes for each connection and source."""
        now = self._clock.now()
        last = self._told.get((connection_name, source))
        if last is not None and now - last < _ALARM_INTERVAL:
            return
        self._told[connection_name, source] = now
        _log.error(
            "The connection '%s' is misconfigured: %s (%s) %s",
            connection_name,
            failure.message,
            failure.code,
            failure.next_step,
        )


def _key(account: ConnectedAccount, *, whole: bool) -> tuple[str, str]:
    return account.connection_name, "" if whole else account.id


def _error(account: ConnectedAccount, failure: _Refusal) -> ConnectionMisconfigured:
    return ConnectionMisconfigured(
        f"The connection '{account.connection_name}' is refused: {failure.message} ({failure.code})",
        next_step=failure.next_step,
        who_acts="operator",
    )
