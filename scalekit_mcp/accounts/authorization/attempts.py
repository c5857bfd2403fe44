"""What all steps of an authorization share: finding an attempt, judging it, ending it, and making an account ACTIVE."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from scalekit_mcp.accounts.accounts import RACES, Accounts, too_many_races
from scalekit_mcp.accounts.authorization.outcomes import AuthorizationOutcome
from scalekit_mcp.accounts.authorization.texts import Pages
from scalekit_mcp.accounts.misconfiguration import MisconfigurationGuard
from scalekit_mcp.accounts.model import statuses
from scalekit_mcp.accounts.model.records import (
    AccountKey,
    AccountStatus,
    AccountView,
    Attempt,
    AttemptState,
    ConnectedAccount,
    HeldGrant,
    ManagerSettings,
    ProviderAccount,
    Reason,
    StoredAccount,
)
from scalekit_mcp.accounts.model.statuses import Cause
from scalekit_mcp.accounts.provider import Grant, OAuthProvider
from scalekit_mcp.accounts.tokens.scopes import missing_scopes, united
from scalekit_mcp.accounts.vault.changes import (
    AttemptKey,
    Change,
    ChangeStatus,
    ClearTenant,
    NoteAccount,
    SaveAttempt,
)
from scalekit_mcp.accounts.vault.sealing import same_text, sha256_text
from scalekit_mcp.accounts.vault.vault import Vault
from scalekit_mcp.clock import Clock
from scalekit_mcp.concurrency import RunningTasks
from scalekit_mcp.errors import InvalidInput

_log = logging.getLogger(__name__)

ListenerAlive = Callable[[str], Awaitable[bool]]
"""Whether the way back at a redirect URI, which another process gave, is still served."""


class Attempts:
    """The attempts of all connections of one vault."""

    def __init__(
        self,
        vault: Vault,
        providers: Mapping[str, OAuthProvider],
        clock: Clock,
        settings: ManagerSettings,
        accounts: Accounts,
        operator: MisconfigurationGuard,
        listener_alive: ListenerAlive | None = None,
    ) -> None:
        self._vault = vault
        self._providers = providers
        self._clock = clock
        self._settings = settings
        self._accounts = accounts
        self._operator = operator
        self._listener_alive = listener_alive
        self._pages = Pages(vault, providers, clock, settings)
        self._running = RunningTasks()

    async def aclose(self) -> None:
        """Let a redemption that was sent be saved; bounded."""
        await self._running.aclose(self._settings.token_call_seconds + 10)

    # Success and the end

    async def _connect(self, attempt: Attempt, held: HeldGrant) -> AuthorizationOutcome:
        for _ in range(RACES):
            stored = await self._again(attempt)
            if isinstance(stored, AuthorizationOutcome):
                return stored
            if is_switch(attempt.reconnect, stored.account, held.account):
                return await self._switch_refused(attempt, stored.account, held.account)
            done = SaveAttempt(attempt.ended(AttemptState.SUCCEEDED))
            if await self._activate(stored.account, held, done):
                return self._pages.connected(attempt, held.account)
        raise too_many_races()

    async def adopt(self, key: AccountKey, grant: Grant, *, reconnect: bool = False) -> AccountView:
        """Connect with a grant that came without our pages (RFC 8628: a device code on the operator's own machine).

        Raises:
            InvalidInput: another account of the provider signed in than the connected one, and not `reconnect`.
        """
        for _ in range(RACES):
            stored = await self._accounts.find_or_create(key)
            if is_switch(reconnect, stored.account, grant.account):
                raise InvalidInput(
                    f"'{key.identifier}' is connected with another account; {grant.account.mailbox} signed in.",
                    next_step="Sign in with the same account, or reconnect to switch accounts.",
                )
            held = HeldGrant(grant.tokens, grant.account)
            if await self._activate(stored.account, held, *await self._accounts.end_attempt(stored)):
                return await self._accounts.get(key)
        raise too_many_races()

    async def _activate(self, account: ConnectedAccount, held: HeldGrant, *also: Change) -> bool:
        """Make an account ACTIVE with these tokens; False if it was changed in between."""
        provider, now, tokens = self._providers[account.connection_name], self._clock.now(), held.tokens
        if (
            account.status is AccountStatus.ACTIVE
            and same_account(account, held.account)
            and missing_scopes(tokens.granted_scopes, account.granted_scopes)
        ):
            # This consent asked for a part only. The next call refreshes, which brings a token for all of it.
            tokens = replace(
                tokens, granted_scopes=united(tokens.granted_scopes, account.granted_scopes), expires_at=now
            )
        fresh = replace(
            account,
            provider_account=_as_known(account, held.account),
            granted_scopes=tokens.granted_scopes,
            client_id=provider.client_id,
            login_host=provider.login_host,
            token_expires_at=tokens.expires_at,
            pending_claims=None,
        )
        moved = replace(statuses.change(fresh, Cause.CONSENTED, reason=None, at=now), before=account)
        written = await self._commit(
            account,
            ChangeStatus(moved, tokens),
            NoteAccount(account.id, last_used_at=now, last_authorization_error=None),
            ClearTenant(account.connection_name, held.account.tid),
            *also,
        )
        if written:
            _log.info("Connected '%s' on '%s'.", account.identifier, account.connection_name)
        return written

    async def _switch_refused(
        self, attempt: Attempt, account: ConnectedAccount, signed_in: ProviderAccount
    ) -> AuthorizationOutcome:
        outcome = self._pages.other_account(attempt, account, signed_in)
        failed = replace(
            attempt,
            state=AttemptState.FAILED,
            live=attempt.state is not AttemptState.HELD,
            secrets=replace(attempt.secrets, state=None, nonce=None, code_verifier=None, held=None),
        )
        await self._vault.commit(SaveAttempt(failed), NoteAccount(account.id, last_authorization_error=outcome.message))
        self._accounts.forget(account.key)
        return outcome

    async def _void(self, attempt: Attempt, wrong_tries: int | None = None) -> bool:
        """End an attempt without a result and discard what it holds."""
        expired = attempt.expires_at <= self._clock.now()
        voided = attempt.ended(AttemptState.EXPIRED if expired else AttemptState.FAILED)
        if wrong_tries is not None:
            voided = replace(voided, wrong_tries=wrong_tries)
        stored = await self._vault.find_account(attempt.key)
        if stored is None:
            return True
        moved = self._reason(stored.account, Cause.ATTEMPT_ENDED, Reason.NEVER_AUTHORIZED)
        return await self._commit(stored.account, SaveAttempt(voided), *moved)

    # Finding

    async def _by_ticket(self, ticket: str) -> Attempt | AuthorizationOutcome:
        attempt = await self._vault.find_attempt(AttemptKey.TICKET, sha256_text(ticket))
        if attempt is None or attempt.connection_name not in self._providers:
            return self._pages.unknown_link()
        return self._over(attempt) or attempt

    def _over(self, attempt: Attempt) -> AuthorizationOutcome | None:
        if attempt.state is AttemptState.SUPERSEDED:
            return self._pages.superseded_link(attempt)
        if attempt.state is AttemptState.SUCCEEDED:
            return self._pages.used_link(attempt)
        if attempt.expires_at <= self._clock.now() or attempt.state is AttemptState.EXPIRED:
            return self._pages.expired_link(attempt)
        return None if attempt.live else self._pages.used_link(attempt)

    async def _again(self, attempt: Attempt) -> StoredAccount | AuthorizationOutcome:
        """The account as it is now, or what to say if the attempt has been overtaken."""
        current = (
            None
            if attempt.ticket_sha256 is None
            else await self._vault.find_attempt(AttemptKey.TICKET, attempt.ticket_sha256)
        )
        stored = await self._vault.find_account(attempt.key)
        if current is None or stored is None:
            return self._pages.unknown_link()
        if current.version != attempt.version:
            return self._over(current) or self._pages.used_link(current)
        return stored

    def _reason(
        self, account: ConnectedAccount, cause: Cause, reason: Reason | None, code: str | None = None
    ) -> list[Change]:
        """An account that never had a grant shows its newest attempt; any other keeps status and reason."""
        if account.status is not AccountStatus.PENDING or account.reason is reason:
            return []
        return [ChangeStatus(statuses.change(account, cause, reason=reason, at=self._clock.now(), code=code))]

    async def _commit(self, account: ConnectedAccount, *changes: Change) -> bool:
        written = await self._vault.commit(*changes)
        self._accounts.forget(account.key)
        return written


def same_browser(attempt: Attempt, browser_secrets: Sequence[str]) -> bool:
    """Whether one of the cookies is that of the browser that started, if it brought one."""
    expected = attempt.secrets.browser_sha256
    return expected is None or any(same_text(expected, sha256_text(given)) for given in browser_secrets)


def same_account(account: ConnectedAccount, other: ProviderAccount) -> bool:
    """Whether this is the account of the provider that is connected."""
    return account.provider_account is not None and account.provider_account.key == other.key


def _as_known(account: ConnectedAccount, signed_in: ProviderAccount) -> ProviderAccount:
    """Who signed in; the addresses that a consent for a part only does not bring stay as they were."""
    known = account.provider_account
    if known is None or not same_account(account, signed_in):
        return signed_in
    return replace(
        signed_in,
        mail=signed_in.mail or known.mail,
        user_principal_name=signed_in.user_principal_name or known.user_principal_name,
    )


def is_switch(reconnect: bool, account: ConnectedAccount, signed_in: ProviderAccount) -> bool:
    """Whether another account of the provider would silently take the place of the connected one."""
    return account.provider_account is not None and not reconnect and not same_account(account, signed_in)
