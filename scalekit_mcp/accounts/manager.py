"""The manager of connected accounts: who is connected, how they become it, and a fresh token for each call."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from scalekit_mcp.accounts.accounts import Accounts
from scalekit_mcp.accounts.authorization.attempts import ListenerAlive, too_many_races
from scalekit_mcp.accounts.authorization.engine import Authorizations
from scalekit_mcp.accounts.authorization.outcomes import AuthorizationOutcome, AuthorizationPrompt
from scalekit_mcp.accounts.model import statuses, texts
from scalekit_mcp.accounts.model.records import (
    AccountKey,
    AccountPage,
    AccountStatus,
    AccountView,
    AttemptState,
    AuthorizationLink,
    ConnectedAccount,
    HistoryEntry,
    ManagerSettings,
    Reason,
    StoredAccount,
    UserVerification,
)
from scalekit_mcp.accounts.model.statuses import Cause
from scalekit_mcp.accounts.provider import Grant, OAuthProvider
from scalekit_mcp.accounts.tokens.misconfiguration import MisconfigurationGuard
from scalekit_mcp.accounts.tokens.refresh import Need, Refresher
from scalekit_mcp.accounts.tokens.scopes import missing_scopes
from scalekit_mcp.accounts.tokens.tenant_marks import TRIAL_INTERVAL
from scalekit_mcp.accounts.tokens.uses import Uses
from scalekit_mcp.accounts.vault.changes import Change, ChangeStatus, ClaimTrial, NoteAccount
from scalekit_mcp.accounts.vault.rotation import RotationProgress, rotate_keys
from scalekit_mcp.accounts.vault.seals import DamagedRecord
from scalekit_mcp.accounts.vault.vault import Vault
from scalekit_mcp.clock import Clock
from scalekit_mcp.errors import (
    WhoActs,
)

_log = logging.getLogger(__name__)

_RACES = 20
_WAIT_POLL_SECONDS = 0.25


class ConnectedAccountManager:
    """Connected accounts on one vault.

    Constructing it does no I/O; the vault opens on first use. All calls
    raise `ScalekitMCPError` and nothing else on purpose, `VaultError` among them.
    """

    def __init__(
        self,
        vault: Vault,
        *,
        providers: Mapping[str, OAuthProvider],
        clock: Clock,
        settings: ManagerSettings | None = None,
        listener_alive: ListenerAlive | None = None,
    ) -> None:
        self._vault = vault
        self._providers = providers
        self._clock = clock
        self._settings = settings or ManagerSettings()
        operator = MisconfigurationGuard(clock, self._settings)
        self._uses = Uses(vault)
        self._directory = Accounts(vault, providers, clock, self._settings, operator)
        self._refresher = Refresher(vault, providers, clock, self._settings, self._directory.remember, operator)
        self._authorizations = Authorizations(
            vault,
            providers,
            clock,
            self._settings,
            self._directory.find_or_create,
            self._directory.forget,
            operator,
            listener_alive,
        )

    async def aclose(self) -> None:
        """Finish what was sent, then close the vault."""
        await self._authorizations.aclose()
        await self._refresher.aclose()
        await self._directory.aclose()
        await self._uses.aclose()
        await self._vault.aclose()

    async def check(self) -> None:
        """Write and read the vault and open what its keys were proved with; raises `VaultError`."""
        await self._vault.check()

    # Accounts

    async def get_or_create(self, key: AccountKey) -> AccountView:
        """The account, created as PENDING if there is none; idempotent, also under races.

        Raises:
            InvalidInput: an unknown connection, or an identifier that is empty, too long or has control characters.
        """
        return self._directory.view(await self._directory.find_or_create(key))

    async def get(self, key: AccountKey, *, cached: bool = False) -> AccountView:
        """The account; raises `ConnectedAccountNotFound`. `cached` accepts what was read up to two seconds ago."""
        find = self._directory.recent if cached else self._directory.find
        stored = self._directory.snapshot(key) if cached else None
        return self._directory.view(stored or await find(key))

    async def list(
        self,
        *,
        connection_name: str | None = None,
        identifier: str | None = None,
        status: str | None = None,
        page_size: int = 50,
        page_token: str | None = None,
        account_id: str | None = None,
    ) -> AccountPage:
        """One page of accounts in the order of (connection_name, identifier); with `account_id`, that one or none.

        Raises:
            InvalidInput: an unknown status, a page size outside 1 to 1000, or a page token of another list.
        """
        return await self._directory.list(
            connection_name=connection_name,
            identifier=identifier,
            status=status,
            page_size=page_size,
            page_token=page_token,
            account_id=account_id,
        )

    async def delete(self, key: AccountKey) -> bool:
        """Remove the account and its sealed tokens for good; False if there was none."""
        self._directory.forget(key)
        try:
            stored = await self._vault.find_account(key)
        except DamagedRecord as damaged:  # what cannot be read can still be removed
            whose = (damaged.account_id, key.connection_name, key.identifier)
            entry = HistoryEntry(self._clock.now(), *whose, None, None, None, None, Cause.DELETED)
            return await self._vault.delete_account(damaged.account_id, entry)
        if stored is None:
            return False
        account = stored.account
        entry = HistoryEntry(
            at=self._clock.now(),
            account_id=account.id,
            connection_name=account.connection_name,
            identifier=account.identifier,
            old_status=account.status,
            new_status=None,
            old_reason=account.reason,
            new_reason=None,
            cause=Cause.DELETED,
        )
        return await self._vault.delete_account(account.id, entry)

    async def disconnect(self, key: AccountKey) -> AccountView:
        """Forget the tokens, end a live attempt, keep the record as REVOKED / `disconnected`."""
        for _ in range(_RACES):
            stored = await self._directory.find(key)
            account = stored.account
            cleared = replace(account, token_expires_at=None, granted_scopes=(), pending_claims=None)
            changed = statuses.change(cleared, Cause.DISCONNECTED, reason=Reason.DISCONNECTED, at=self._clock.now())
            changes: list[Change] = [ChangeStatus(replace(changed, before=account), None)]
            changes += await self._authorizations.end_live(stored)
            view = await self._committed(account, *changes)
            if view is not None:
                return view
        raise too_many_races()

    async def report(
        self,
        key: AccountKey,
        *,
        reason: Reason,
        code: str | None = None,
        who_acts: WhoActs | None = None,
        claims: str | None = None,
    ) -> AccountView:
        """Write what a call to the provider's API proved about an ACTIVE account, such as a grant taken back."""
        for _ in range(_RACES):
            stored = await self._directory.find(key)
            if stored.account.status is not AccountStatus.ACTIVE:
                return self._directory.view(stored)
            changed = statuses.change(
                stored.account, Cause.CALL_REFUSED, reason=reason, at=self._clock.now(), who_acts=who_acts, code=code
            )
            changed = replace(changed, after=replace(changed.after, pending_claims=claims))
            view = await self._committed(stored.account, ChangeStatus(changed))
            if view is not None:
                return view
        raise too_many_races()

    async def _committed(self, account: ConnectedAccount, *changes: Change) -> AccountView | None:
        """The account after the changes; None where somebody else changed it since it was read."""
        written = await self._vault.commit(*changes)
        self._directory.forget(account.key)
        return await self._view(account.key) if written else None

    async def _view(self, key: AccountKey) -> AccountView:
        return self._directory.view(await self._directory.find(key))

    async def note_challenge(self, key: AccountKey, *, claims: str) -> None:
        """Keep a claims challenge (a JSON text) of a single call for the next authorization; no status changes."""
        stored = await self._directory.find(key)
        await self._vault.commit(NoteAccount(stored.account.id, pending_claims=claims))
        self._directory.forget(key)

    async def history(
        self,
        *,
        connection_name: str | None = None,
        identifier: str | None = None,
        since: datetime | None = None,
        limit: int = 100,
    ) -> Sequence[HistoryEntry]:
        """Changes of status, the newest first; kept for 400 days."""
        return await self._vault.history(
            connection_name=connection_name, identifier=identifier, since=since, limit=limit
        )

    # Authorization

    async def begin_authorization(
        self,
        key: AccountKey,
        *,
        link_base: str,
        redirect_uri: str,
        admin_redirect_uri: str,
        reconnect: bool = False,
        login_hint: str | None = None,
        expected_account: tuple[str, str] | None = None,
        state: str | None = None,
        user_verify_url: str | None = None,
        scopes: Sequence[str] | None = None,
    ) -> AuthorizationLink:
        """Begin an attempt, or return the live one while at least three minutes remain; `reconnect` supersedes it.

        `login_hint` (an address) and `expected_account` (tid, oid) are what the caller's own token vouches for.
        `state` and `user_verify_url` are for verification by URL. `scopes` asks for just those.

        Raises:
            AuthorizationRequired: tokens wait for their confirmation, so no new link is given.
        """
        return await self._authorizations.begin(
            key,
            link_base=link_base,
            redirect_uri=redirect_uri,
            admin_redirect_uri=admin_redirect_uri,
            reconnect=reconnect,
            login_hint=login_hint,
            expected_account=expected_account,
            state=state,
            user_verify_url=user_verify_url,
            scopes=scopes,
        )

    async def adopt_grant(self, key: AccountKey, *, grant: Grant, reconnect: bool = False) -> AccountView:
        """Connect with tokens that were got without our pages (RFC 8628, a device code on the operator's own machine).

        Raises:
            InvalidInput: another account of the provider signed in than the connected one, and not `reconnect`.
        """
        await self._directory.find_or_create(key)
        await self._authorizations.adopt(key, grant, reconnect=reconnect)
        return await self._view(key)

    async def prompt(self, ticket: str) -> AuthorizationPrompt | AuthorizationOutcome:
        """What the page behind the link shows; changes nothing."""
        return await self._authorizations.prompt(ticket)

    async def start(self, ticket: str, browser_secret: str | None = None) -> str | AuthorizationOutcome:
        """Bind the attempt to a browser; the address of the consent page. The last call wins."""
        return await self._authorizations.start(ticket, browser_secret)

    async def complete(self, query: Mapping[str, str], browser_secrets: Sequence[str] = ()) -> AuthorizationOutcome:
        """Take what the callback received; raises `VaultError` and nothing else."""
        return await self._authorizations.complete(query, browser_secrets)

    async def cancel_held(self, ticket: str, browser_secret: str | None = None) -> AuthorizationOutcome:
        """Discard tokens that wait for a confirmation."""
        return await self._authorizations.cancel(ticket, browser_secret)

    async def confirm(self, key: AccountKey, *, confirmation_code: str) -> AccountView:
        """Redeem the code from the page as the caller `identifier`; raises `InvalidInput`."""
        await self._authorizations.confirm(key, confirmation_code)
        return await self._view(key)

    async def verify_user(self, *, auth_request_id: str, identifier: str) -> AccountView:
        """The operator's backend confirms who consented.

        Raises:
            InvalidInput: `details["field"]` is `auth_request_id` (unknown, used, expired) or `identifier` (wrong).
        """
        return await self._view(await self._authorizations.verify_user(auth_request_id, identifier))

    async def complete_admin_consent(self, query: Mapping[str, str]) -> AuthorizationOutcome:
        """Take what the admin-consent callback received; for display only."""
        return await self._authorizations.complete_admin_consent(query)

    async def wait(self, key: AccountKey, *, timeout_seconds: float) -> AccountView:
        """Wait until the live attempt ends, fails, or needs a code typed, or the time is over; the account then."""
        deadline = self._clock.now() + timedelta(seconds=timeout_seconds)
        while True:
            stored = await self._directory.find(key)
            view = self._directory.view(stored)
            needs_code = view.held and self._settings.user_verification is UserVerification.CONFIRM
            if view.attempt_state is None or view.attempt_state is AttemptState.FAILED or needs_code:
                return view
            left = (deadline - self._clock.now()).total_seconds()
            if left <= 0:
                return view
            await self._clock.sleep(min(_WAIT_POLL_SECONDS, left))

    # Tokens

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
        stored = self._directory.snapshot(key)
        just_read = stored is None
        stored = stored or await self._directory.recent(key)
        account = stored.account
        now = self._clock.now()
        if account.status is not AccountStatus.ACTIVE:
            raise texts.not_active(statuses.as_shown(account, stored.attempt, now))
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
        """A token never goes to another login host or with another client id than the one that got it."""
        account = stored.account
        provider = self._providers[account.connection_name]
        if (account.client_id, account.login_host) == (provider.client_id, provider.login_host):
            return
        changed = statuses.change(
            account, Cause.CONNECTION_CHANGED, reason=Reason.CONNECTION_CHANGED, at=self._clock.now()
        )
        await self._vault.commit(ChangeStatus(changed))
        self._directory.forget(account.key)
        raise texts.not_active(changed.after)

    # Keys

    async def rotate_keys(self, progress: Callable[[RotationProgress], None] | None = None) -> RotationProgress:
        """Seal every record anew with the first key, while others read and write; may be stopped and begun again."""
        return await rotate_keys(self._vault, progress)
