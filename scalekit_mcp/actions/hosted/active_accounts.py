"""Which hosted accounts may make calls, as Scalekit says."""

from __future__ import annotations

from scalekit_mcp.accounts import AccountKey, AccountStatus
from scalekit_mcp.actions.hosted.views import HostedViews, not_active
from scalekit_mcp.actions.models import ConnectedAccountView
from scalekit_mcp.clock import Clock
from scalekit_mcp.errors import AuthorizationRequired, ConnectionMisconfigured, ScalekitMCPError
from scalekit_mcp.scalekit import ScalekitAccounts, ScalekitError, meaning_of

ACTIVE_SECONDS = 30
"""How long an account that was seen ACTIVE is not looked up again; Scalekit checks it at every call anyway."""

MOST_SEEN_ACTIVE = 10_000
ACCOUNT_MAY_BE_WHY = frozenset({400, 403, 404, 409, 412})
"""Statuses with which Scalekit refuses a call of an account that is not ACTIVE; its text does not say so."""


class ActiveAccounts:
    """The accounts of one connection; one that was seen ACTIVE is believed for `ACTIVE_SECONDS`."""

    def __init__(self, directory: ScalekitAccounts, views: HostedViews, *, clock: Clock, own_connection: str) -> None:
        self._directory = directory
        self._views = views
        self._clock = clock
        self._own_connection = own_connection
        self._seen: dict[AccountKey, float] = {}

    async def require(self, key: AccountKey) -> None:
        """Return only where the account is ACTIVE; else raises `AuthorizationRequired` without a link."""
        now = self._clock.now().timestamp()
        if now < self._seen.get(key, 0):
            return
        view = await self.inactive(key)
        if view is not None:
            raise self.not_active(view)
        if len(self._seen) > MOST_SEEN_ACTIVE:
            self._seen.clear()
        self._seen[key] = now + ACTIVE_SECONDS

    async def inactive(self, key: AccountKey) -> ConnectedAccountView | None:
        """How the account stands, unless it is ACTIVE: then the vault, which has its attempts, is not asked."""
        account = await self._directory.get_or_create(key)
        return None if meaning_of(account)[0] is AccountStatus.ACTIVE else await self._views.view(account)

    def not_active(self, view: ConnectedAccountView) -> AuthorizationRequired:
        """The error for an account that makes no calls."""
        return not_active(view, own_connection=self._own_connection)

    def forget(self, key: AccountKey) -> None:
        """Look the account up at Scalekit again before its next call."""
        self._seen.pop(key, None)

    async def explained(self, key: AccountKey, error: ScalekitMCPError) -> ScalekitMCPError:
        """The error of a call through the proxy, or the reason for it where the account is no longer ACTIVE.

        A refusal that nobody gave a reason for (401) is the API client's where Scalekit refuses that one here, too.
        """
        cause = error.__cause__
        if not isinstance(cause, ScalekitError) or cause.status not in {401, *ACCOUNT_MAY_BE_WHY}:
            return error
        self.forget(key)
        try:
            view = await self.inactive(key)
        except ConnectionMisconfigured as refused:
            return refused if cause.status == 401 else error
        except ScalekitMCPError:
            return error
        return error if view is None else self.not_active(view)
