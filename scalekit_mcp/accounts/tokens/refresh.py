"""Keeping access tokens fresh: one refresh per account at a time, in this process and in all others.

In this process callers share one task per account. Between processes a lease in the vault, taken by compare-and-swap,
says who refreshes; the others wait and read the winner's result. What the provider answers is saved before anyone
uses it, in a task that no caller's cancellation reaches.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from scalekit_mcp.accounts.misconfiguration import MisconfigurationGuard
from scalekit_mcp.accounts.model import statuses, texts
from scalekit_mcp.accounts.model.records import (
    AccountSettings,
    AccountStatus,
    ConnectedAccount,
    Reason,
    StoredAccount,
    TenantMark,
    TokenSet,
)
from scalekit_mcp.accounts.model.statuses import Cause
from scalekit_mcp.accounts.provider import GrantError, GrantFault, OAuthProvider
from scalekit_mcp.accounts.tokens.lease import renewed_lease
from scalekit_mcp.accounts.tokens.scopes import identity_scopes, united
from scalekit_mcp.accounts.tokens.tenant_marks import TRIAL_INTERVAL, RevocationAlerts
from scalekit_mcp.accounts.vault.changes import (
    Change,
    ChangeStatus,
    ClearTenant,
    MarkTenant,
    ReleaseLease,
    SaveTokens,
    TakeLease,
)
from scalekit_mcp.accounts.vault.vault import Vault
from scalekit_mcp.clock import Clock
from scalekit_mcp.concurrency import SingleFlight
from scalekit_mcp.errors import (
    ConnectedAccountNotFound,
    InternalError,
    ProviderUnavailable,
    VaultError,
)
from scalekit_mcp.languages import said

_log = logging.getLogger(__name__)

_FIRST_POLL_SECONDS = 0.05
_LONGEST_POLL_SECONDS = 0.2
_LONGEST_COOL_DOWN_SECONDS = 3600.0
MOST_UNSAVED = 1_000
"""How many accounts' tokens wait in memory for a vault that cannot be written."""
_SAVE_SECONDS = 30.0
_SAVE_TRIES = 4


@dataclass(frozen=True, slots=True)
class Need:
    """What a caller needs a refresh for.

    `rejected` is the access token that a call was refused with; `claims` a claims challenge; `trial` is set where a
    marked tenant is tried.
    """

    rejected: str | None = field(default=None, repr=False)
    claims: str | None = None
    trial: TenantMark | None = None


@dataclass(slots=True)
class _Unsaved:
    """Tokens that were answered but could not be saved: kept in memory and saved before anything else is sent."""

    account: ConnectedAccount
    tokens: TokenSet = field(repr=False)
    owner: str


class Refresher:
    """Refreshes the tokens of connected accounts; callers who ask at the same time share one refresh."""

    def __init__(
        self,
        vault: Vault,
        providers: Mapping[str, OAuthProvider],
        clock: Clock,
        settings: AccountSettings,
        remember: Callable[[StoredAccount], None],
        operator: MisconfigurationGuard,
    ) -> None:
        self._vault = vault
        self._providers = providers
        self._clock = clock
        self._settings = settings
        self._remember = remember
        self._owner = secrets.token_hex(8)
        self._flights: SingleFlight[str, StoredAccount] = SingleFlight()
        self._unsaved: dict[str, _Unsaved] = {}
        self._operator = operator
        self._alerts = RevocationAlerts()

    async def refreshed(self, stored: StoredAccount, need: Need, *, just_read: bool = False) -> StoredAccount:
        """The account with a token that is good for a call, refreshed if nobody did it yet.

        `just_read` says that `stored` is no memory: what it tells is not read again.

        Raises:
            AuthorizationRequired: the grant is dead.
            ConnectionMisconfigured: the provider refuses the application.
            ProviderUnavailable: the provider fails, or another process did not finish in time, and no valid token is
                left.
            VaultError: the vault cannot be read or written.
        """
        while True:
            joined = stored.account.id in self._flights
            limit = self._settings.waiter_seconds
            if not joined:  # whoever began it also waits for the token call itself
                limit += self._settings.token_call_seconds
            try:
                async with asyncio.timeout(limit):
                    result = await self._flights.run(
                        stored.account.id, lambda: self._flight(stored, need, just_read=just_read)
                    )
            except TimeoutError:
                if self._still_valid(stored, need):
                    return stored
                raise self._unavailable(stored, "The refresh did not finish in time.") from None
            # A flight begun without this caller's reason may have brought the very token that was refused.
            if not joined or result.tokens is None or result.tokens.access_token != need.rejected:
                return result

    async def aclose(self) -> None:
        """Wait a bounded time until the tokens of requests that were already sent are saved."""
        await self._flights.aclose(self._settings.token_call_seconds + _SAVE_SECONDS)

    async def _flight(self, stored: StoredAccount, need: Need, *, just_read: bool) -> StoredAccount:
        whose = stored.account.key
        deadline = self._clock.now() + timedelta(seconds=self._settings.waiter_seconds)
        poll_seconds = _FIRST_POLL_SECONDS
        known = stored if just_read else None
        while True:
            found = known or await self._vault.find_account(whose)
            known = None
            if found is None:
                raise ConnectedAccountNotFound(whose.connection_name, whose.identifier)
            self._remember(found)
            if found.account.status is not AccountStatus.ACTIVE:
                raise texts.not_active(statuses.as_shown(found.account, found.attempt, self._clock.now()))
            if await self._save_unsaved(found):
                continue
            if self._good(found, need):
                return found
            self._respect_cool_down(found, need)
            if self._must_stay_usable(found, need):
                return found
            refused = self._operator.remembered_error(found.account)
            if refused is not None:
                if self._still_valid(found, need):
                    return found
                raise refused
            owner = f"{self._owner}-{secrets.token_hex(8)}"
            now = self._clock.now()
            until = now + timedelta(seconds=self._settings.lease_seconds)
            if await self._vault.commit(TakeLease(found.account.id, found.account.version, owner, now, until)):
                lease_seconds = self._settings.lease_seconds
                async with renewed_lease(self._vault, self._clock, found.account.id, owner, lease_seconds):
                    return await self._send(found, need, owner)
            if now >= deadline:
                if self._still_valid(found, need):
                    return found
                raise self._unavailable(found, "Another process is refreshing the access and did not finish in time.")
            await self._clock.sleep(poll_seconds)
            poll_seconds = min(poll_seconds * 2, _LONGEST_POLL_SECONDS)

    # Decisions

    def _good(self, found: StoredAccount, need: Need) -> bool:
        if found.tokens is None or need.trial is not None:
            return False
        if need.rejected is not None or need.claims is not None:
            return found.tokens.access_token != need.rejected and self._still_valid(found, need)
        leeway = timedelta(seconds=self._settings.refresh_leeway_seconds)
        return found.tokens.expires_at - leeway > self._clock.now()

    def _still_valid(self, found: StoredAccount, need: Need) -> bool:
        tokens = found.tokens
        return (
            tokens is not None
            and need.trial is None
            and tokens.access_token != need.rejected
            and tokens.expires_at > self._clock.now()
        )

    def _respect_cool_down(self, found: StoredAccount, need: Need) -> None:
        not_before = found.refresh_not_before
        if not_before is not None and not_before > self._clock.now() and not self._still_valid(found, need):
            raise self._unavailable(found, "The sign-in service failed a moment ago and is left alone for now.")

    def _must_stay_usable(self, found: StoredAccount, need: Need) -> bool:
        not_before = found.refresh_not_before
        return not_before is not None and not_before > self._clock.now() and self._still_valid(found, need)

    def _unavailable(self, found: StoredAccount, what: str) -> ProviderUnavailable:
        now = self._clock.now()
        not_before = found.refresh_not_before
        wait = texts.seconds_until(not_before, now) if not_before is not None and not_before > now else None
        return ProviderUnavailable(
            f"{what} The account of '{found.account.identifier}' is unchanged.", retry_after_seconds=wait
        )

    # One token request

    async def _send(self, found: StoredAccount, need: Need, owner: str) -> StoredAccount:
        account, tokens = found.account, found.tokens
        provider = self._providers[account.connection_name]
        if tokens is None or tokens.refresh_token is None or account.provider_account is None:
            ended = statuses.change(
                account, Cause.REFRESH_IMPOSSIBLE, reason=Reason.GRANT_EXPIRED, at=self._clock.now()
            )
            await self._end(ended)
            raise texts.not_active(ended.after)
        try:
            async with asyncio.timeout(self._settings.token_call_seconds):
                answered = await provider.refresh_token_grant(
                    refresh_token=tokens.refresh_token,
                    account=account.provider_account,
                    scopes=_scopes_to_ask(provider, account),
                    claims=need.claims,
                )
        except GrantError as failure:
            return await self._refused(found, need, owner, failure)
        except TimeoutError:
            failure = GrantError(
                GrantFault.TRANSIENT,
                said("sign_in.no_answer"),
                code="timeout",
                who_acts="nobody",
                next_step=said("sign_in.repeat_next"),
            )
            return await self._refused(found, need, owner, failure)
        except BaseException:
            await self._vault.commit(ReleaseLease(account.id, owner))
            raise
        fresh = replace(
            answered,
            refresh_token=answered.refresh_token or tokens.refresh_token,
            granted_scopes=answered.granted_scopes or account.granted_scopes,
        )
        return await self._save(_Unsaved(account, fresh, owner), found)

    async def _save(self, unsaved: _Unsaved, found: StoredAccount) -> StoredAccount:
        account = unsaved.account
        now = self._clock.now()
        save = SaveTokens(account, unsaved.tokens, unsaved.owner, now)
        changes: list[Change] = [save]
        if found.tenant_mark is not None:
            changes.append(ClearTenant(account.connection_name, found.tenant_mark.tid))
        try:
            saved = await self._commit_with_retries(*changes)
        except VaultError:
            if len(self._unsaved) >= MOST_UNSAVED:
                del self._unsaved[next(iter(self._unsaved))]
            self._unsaved[account.id] = unsaved
            raise
        if saved:
            _log.info("Refreshed the access of '%s' on '%s'.", account.identifier, account.connection_name)
            current = save.applied(found)
            self._remember(current)
            return current
        # A disconnect or a consent came in between: what was answered is discarded, what is stored counts.
        current = await self._vault.find_account(account.key)
        if current is None:
            raise ConnectedAccountNotFound(account.connection_name, account.identifier)
        self._remember(current)
        if current.account.status is not AccountStatus.ACTIVE:
            raise texts.not_active(current.account)
        return current

    async def _commit_with_retries(self, *changes: Change) -> bool:
        """Save new tokens, with retries for as long as the lease lasts: the old refresh token may not work again."""
        pause_seconds = 0.1
        for attempt in range(_SAVE_TRIES):
            try:
                async with asyncio.timeout(_SAVE_SECONDS):
                    return await self._vault.commit(*changes)
            except TimeoutError as exc:
                raise VaultError("The vault did not take refreshed tokens in time.") from exc
            except VaultError:
                if attempt == _SAVE_TRIES - 1:
                    raise
            await self._clock.sleep(pause_seconds)
            pause_seconds *= 4
        return False

    async def _save_unsaved(self, found: StoredAccount) -> bool:
        """Save tokens that an earlier call got but could not write; True if the account has to be read again."""
        unsaved = self._unsaved.get(found.account.id)
        if unsaved is None:
            return False
        if unsaved.account.version == found.account.version and found.lease_owner == unsaved.owner:
            await self._vault.commit(SaveTokens(unsaved.account, unsaved.tokens, unsaved.owner, self._clock.now()))
        self._unsaved.pop(found.account.id, None)
        return True

    # Refusals

    async def _refused(self, found: StoredAccount, need: Need, owner: str, failure: GrantError) -> StoredAccount:
        account = found.account
        if failure.fault in {GrantFault.PERMANENT, GrantFault.TENANT} and failure.reason is not None:
            if need.trial is not None and failure.fault is GrantFault.TENANT:
                await self._vault.commit(ReleaseLease(account.id, owner))
                raise texts.calls_stopped(account, texts.stopped_by_tenant(account)) from failure
            raise await self._dead(account, failure, failure.claims or need.claims) from failure
        if failure.fault is GrantFault.MISCONFIGURED:
            await self._vault.commit(ReleaseLease(account.id, owner))
            refused = self._operator.refresh_refused(account, failure)
            if self._still_valid(found, need):
                return found
            raise refused from failure
        if failure.fault is GrantFault.TRANSIENT:
            seconds = min(failure.retry_after_seconds or self._settings.cool_down_seconds, _LONGEST_COOL_DOWN_SECONDS)
            not_before = self._clock.now() + timedelta(seconds=seconds)
            await self._vault.commit(ReleaseLease(account.id, owner, not_before))
            found = replace(found, refresh_not_before=not_before)
            self._remember(replace(found, lease_owner=None, lease_until=None))
            if self._still_valid(found, need):
                return found
            raise self._unavailable(found, f"{failure.message} ({failure.code})") from failure
        await self._vault.commit(ReleaseLease(account.id, owner))
        _log.error("A refresh request of ours was refused as malformed: %s", failure.code)
        raise InternalError(f"{failure.message} ({failure.code})", next_step=str(failure.next_step)) from failure

    async def _dead(self, account: ConnectedAccount, failure: GrantError, claims: str | None) -> Exception:
        """Write a permanent refusal; answers the error to raise. `claims` go into the next authorization."""
        now = self._clock.now()
        change = statuses.change(
            replace(account, pending_claims=None),
            Cause.REFRESH_REFUSED,
            reason=failure.reason,
            at=now,
            who_acts=failure.who_acts,
            code=failure.code,
        )
        change = replace(change, after=replace(change.after, pending_claims=claims))
        also: list[Change] = []
        tid = account.provider_account.tid if account.provider_account is not None else None
        if failure.fault is GrantFault.TENANT and tid is not None:
            also.append(MarkTenant(TenantMark(account.connection_name, tid, failure.code, now, now + TRIAL_INTERVAL)))
        if await self._end(change, *also):
            self._alerts.record(account, failure, now)
        current = await self._vault.find_account(account.key)
        shown = change.after if current is None else current.account
        if shown.status is AccountStatus.ACTIVE:  # a consent came in between
            return ProviderUnavailable(f"The account of '{account.identifier}' was connected anew just now.")
        return texts.not_active(shown)

    async def _end(self, change: statuses.StatusChange, *also: Change) -> bool:
        written = await self._vault.commit(ChangeStatus(change), *also)
        current = await self._vault.find_account(change.after.key)
        if current is not None:
            self._remember(current)
        return written


def _scopes_to_ask(provider: OAuthProvider, account: ConnectedAccount) -> tuple[str, ...]:
    # What was granted, never more: a scope that nobody consented to would read as a withdrawn consent. The scopes of
    # OpenID Connect are not echoed by every provider and are asked for always.
    return united(identity_scopes(provider.scopes), account.granted_scopes or provider.scopes)
