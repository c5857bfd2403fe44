"""Access tokens of connected accounts: one that is good for a call, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from scalekit_mcp.accounts.accounts import Accounts
from scalekit_mcp.accounts.misconfiguration import MisconfigurationGuard
from scalekit_mcp.accounts.model import statuses, texts
from scalekit_mcp.accounts.model.records import AccountKey, AccountSettings, AccountStatus, Reason, StoredAccount
from scalekit_mcp.accounts.model.statuses import Cause
from scalekit_mcp.accounts.provider import AdminConsentProvider, OAuthProvider
from scalekit_mcp.accounts.tokens.last_uses import LastUses
from scalekit_mcp.accounts.tokens.refresh import Need, Refresher
from scalekit_mcp.accounts.tokens.scopes import missing_scopes
from scalekit_mcp.accounts.tokens.tenant_marks import TRIAL_INTERVAL
from scalekit_mcp.accounts.vault.changes import ChangeStatus, ClaimTrial
from scalekit_mcp.accounts.vault.vault import Vault
from scalekit_mcp.clock import Clock


class Tokens:
    """The access tokens of the accounts of one vault. All calls raise `ScalekitMCPError`, `VaultError` among them."""

    def __init__(
        self,
        vault: Vault,
        providers: Mapping[str, OAuthProvider],
        accounts: Accounts,
        clock: Clock,
        settings: AccountSettings,
        operator: MisconfigurationGuard,
    ) -> None:
        self._vault = vault
        self._providers = providers
        self._accounts = accounts
        self._clock = clock
        self._settings = settings
        self._uses = LastUses(vault)
        self._refresher = Refresher(vault, providers, clock, settings, accounts.remember, operator)

    async def aclose(self) -> None:
        """Wait a bounded time until the tokens of requests that were already sent are saved."""
        await self._refresher.aclose()
        await self._uses.aclose()

    async def access_token(
        self,
        key: AccountKey,
        *,
        required_scopes: Sequence[str] = (),
        rejected: str | None = None,
        claims: str | None = None,
    ) -> str:
        """An access token that is good for a call, refreshed if less than five minutes are left.

        `rejected` is a token that the API just refused with 401, `claims` its claims challenge (a JSON text).

        Raises:
            AuthorizationRequired: the account is not ACTIVE, or its tenant took the application away.
            PermissionMissing: the grant does not cover `required_scopes`; `details["missing_scopes"]` names them.
            ConnectionMisconfigured: the provider refuses the application.
            ProviderUnavailable: the provider fails and no valid token is left.
            ConnectedAccountNotFound: there is no such account.
        """
        stored = self._accounts.snapshot(key)
        just_read = stored is None
        stored = stored or await self._accounts.recent(key)
        account = stored.account
        now = self._clock.now()
        if account.status is not AccountStatus.ACTIVE:
            shown = statuses.as_shown(account, stored.attempt, now)
            provider = self._providers[key.connection_name]
            raise texts.not_active(shown, has_administrators=isinstance(provider, AdminConsentProvider))
        await self._same_connection(stored)
        if required_scopes:
            missing = missing_scopes(account.granted_scopes, required_scopes)
            if missing:
                raise texts.permission_missing(account, missing)
        need = Need(rejected, claims)
        if stored.tenant_mark is not None:
            mark = stored.tenant_mark
            if now < mark.next_trial_at or not await self._vault.commit(ClaimTrial(mark, now + TRIAL_INTERVAL)):
                raise texts.calls_stopped(account, texts.stopped_by_tenant(account))
            need = replace(need, trial=mark)
        elif (
            rejected is None
            and claims is None
            and stored.tokens is not None
            and stored.tokens.expires_at - timedelta(seconds=self._settings.refresh_leeway_seconds) > now
        ):
            self._uses.note(account, now)
            return stored.tokens.access_token
        refreshed = await self._refresher.refreshed(stored, need, just_read=just_read)
        missing = missing_scopes(refreshed.account.granted_scopes, required_scopes)
        if missing:
            raise texts.permission_missing(refreshed.account, missing)
        if refreshed.tokens is None:
            raise texts.not_active(replace(refreshed.account, reason=Reason.GRANT_EXPIRED, who_acts="user"))
        return refreshed.tokens.access_token

    async def _same_connection(self, stored: StoredAccount) -> None:
        """Refuse an account whose tokens came from another login host or client id: they are not sent elsewhere."""
        account = stored.account
        provider = self._providers[account.connection_name]
        if (account.client_id, account.login_host) == (provider.client_id, provider.login_host):
            return
        changed = statuses.change(
            account, Cause.CONNECTION_CHANGED, reason=Reason.CONNECTION_CHANGED, at=self._clock.now()
        )
        await self._vault.commit(ChangeStatus(changed))
        self._accounts.forget(account.key)
        raise texts.not_active(changed.after)
