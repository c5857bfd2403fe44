"""Grants of apps: made when a code is redeemed, kept by refresh tokens that are replaced at every use, and ended.

Of a refresh token only the hash is kept, so an answer that was lost cannot be repeated. Instead a token that was just
replaced may be used again for a short while, and brings a sibling that is as good as the first successor: several
processes of one app refresh at the same moment, and a lost answer is asked for again. After that while the same token
comes from somebody who copied it, and the grant ends (OAuth 2.1 section 4.3.1).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from scalekit_mcp.accounts.model.grants import Client, ClientGrant, GrantEnd, GrantTokens, RefreshToken
from scalekit_mcp.accounts.model.records import AccountKey, AccountStatus, ConnectedAccount
from scalekit_mcp.accounts.vault.changes import EndGrant, InsertGrant, ReplaceRefreshToken
from scalekit_mcp.accounts.vault.sealing.key_ring import same_text, sha256_text
from scalekit_mcp.accounts.vault.vault import Vault
from scalekit_mcp.clock import Clock
from scalekit_mcp.concurrency import SingleFlight
from scalekit_mcp.errors import VaultError

GRANT_DAYS = 90
"""How long a grant lives without use: Microsoft's own limit for an idle grant (AADSTS700082)."""
GRACE_SECONDS = 120
"""How long a replaced refresh token may come again: bursts of up to 76 s were measured after parallel refreshes."""
GRACE_RETRIES = 10
ACCESS_SECONDS = 3600
"""The life of an access token, and so of a grant without refresh tokens."""
REFRESH_TOKEN_PREFIX = "rt_"  # noqa: S105 - a prefix, not a token
SNAPSHOT_SECONDS = 2.0
MOST_SNAPSHOTS = 10_000
_RACES = 40


class RefreshOutcome(StrEnum):
    """What became of a refresh."""

    ROTATED = "rotated"
    GRACE = "grace"
    UNKNOWN = "unknown"
    OTHER_CLIENT = "other_client"
    WRONG_SECRET = "wrong_secret"  # noqa: S105 - a word, not a secret
    EXPIRED = "expired"
    ENDED = "ended"
    REUSED = "reused"
    TOO_MANY_RETRIES = "too_many_retries"
    WIDER_SCOPE = "wider_scope"
    ACCOUNT_REVOKED = "account_revoked"
    TENANT_NOT_ALLOWED = "tenant_not_allowed"


class RefreshError(Exception):
    """A refresh token is not taken. The message holds no token."""

    def __init__(self, why: RefreshOutcome) -> None:
        super().__init__(f"The refresh token was refused: {why}.")
        self.why = why


@dataclass(frozen=True, slots=True)
class RefreshPresented:
    """What an app brings to refresh. `scopes` None asks for those of the grant."""

    refresh_token: str = field(repr=False)
    client_sha256: str = field(repr=False)
    secret: str | None = field(repr=False)
    scopes: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Refreshed:
    """A grant with a new refresh token and the account that it is for; `scopes` are those of this answer."""

    tokens: GrantTokens
    account: ConnectedAccount
    scopes: tuple[str, ...]
    outcome: RefreshOutcome


class Grants:
    """The grants of one vault.

    `tenant_allowed` says whether the accounts of a tenant may be used: it is asked at every refresh and at every
    reading of a grant.
    """

    def __init__(self, vault: Vault, clock: Clock, *, tenant_allowed: Callable[[str], bool] = lambda _: True) -> None:
        self._vault = vault
        self._clock = clock
        self._tenant_allowed = tenant_allowed
        self._snapshots: dict[str, tuple[datetime, ClientGrant | None]] = {}
        self._readings: SingleFlight[str, ClientGrant | None] = SingleFlight()

    def new(
        self, account: ConnectedAccount, client: Client, scopes: Sequence[str], *, refreshes: bool
    ) -> tuple[InsertGrant, GrantTokens]:
        """A new grant for an account, as a change to be committed, and its first refresh token."""
        now = self._clock.now()
        life = timedelta(days=GRANT_DAYS) if refreshes else timedelta(seconds=ACCESS_SECONDS)
        grant = ClientGrant(
            id="gr_" + secrets.token_hex(12),
            account_id=account.id,
            connection_name=account.connection_name,
            identifier=account.identifier,
            client=client,
            scopes=tuple(scopes),
            created_at=now,
            last_used_at=now,
            expires_at=now + life,
        )
        if not refreshes:
            return InsertGrant(grant), GrantTokens(grant, None)
        text, token = self._new_token(grant.id, now)
        return InsertGrant(grant, token), GrantTokens(grant, text)

    async def refresh(self, presented: RefreshPresented) -> Refreshed:
        """Replace a refresh token; raises `RefreshError`.

        Checks, in this order: the token is known, its app brings it, its secret holds, the grant lives, the token is
        not reused, the scopes are within the grant's, the account may be used. The new token is written before it is
        returned.
        """
        for _ in range(_RACES):
            found = await self._vault.find_refresh_token(sha256_text(presented.refresh_token))
            if found is None:
                raise RefreshError(RefreshOutcome.UNKNOWN)
            token, grant = found
            _check_client(grant.client, presented)
            now = self._clock.now()
            outcome = await self._use(token, grant, now)
            scopes = grant.scopes if presented.scopes is None else presented.scopes
            if not set(scopes) <= set(grant.scopes):
                raise RefreshError(RefreshOutcome.WIDER_SCOPE)
            account = await self._usable_account(grant)
            text, successor = self._new_token(grant.id, now)
            if await self._vault.commit(ReplaceRefreshToken(token, successor, now)):
                return Refreshed(GrantTokens(grant, text), account, tuple(scopes), outcome)
        raise VaultError("The grant kept being changed by others.", next_step="Repeat the call.", retryable=True)

    async def revoke_refresh_token(self, refresh_token: str, *, client_sha256: str, secret: str | None) -> bool:
        """End the grant of a refresh token that its app gives back; as `revoke`."""
        found = await self._vault.find_refresh_token(sha256_text(refresh_token))
        return found is not None and await self._revoke(found[1], client_sha256, secret)

    async def revoke(self, grant_id: str, *, client_sha256: str, secret: str | None) -> bool:
        """End a grant that its app gives back; False for an unknown or foreign one.

        Raises:
            RefreshError: the app's secret is wrong.
        """
        grant = await self._vault.find_grant(grant_id)
        return grant is not None and await self._revoke(grant, client_sha256, secret)

    async def _revoke(self, grant: ClientGrant, client_sha256: str, secret: str | None) -> bool:
        if not same_text(grant.client.id_sha256, client_sha256):
            return False
        _check_secret(grant.client, secret)
        return await self.end(grant.id, GrantEnd.REVOKED_BY_APP)

    async def find(self, grant_id: str) -> ClientGrant | None:
        """A grant as it was at most two seconds ago; also one that has ended. Callers at the same time share a read."""
        now = self._clock.now()
        read_at, grant = self._snapshots.get(grant_id, (None, None))
        if read_at is not None and abs((now - read_at).total_seconds()) < SNAPSHOT_SECONDS:
            return grant
        grant = await self._readings.run(grant_id, lambda: self._vault.find_grant(grant_id))
        self._snapshots.pop(grant_id, None)
        if len(self._snapshots) >= MOST_SNAPSHOTS:
            del self._snapshots[next(iter(self._snapshots))]
        self._snapshots[grant_id] = (now, grant)
        return grant

    async def alive(self, grant_id: str, *, tid: str) -> ClientGrant | None:
        """The grant, if tokens of it are taken: it has not ended, and its tenant is still allowed."""
        grant = await self.find(grant_id)
        if grant is None or not grant.alive(self._clock.now()) or not self._tenant_allowed(tid):
            return None
        return grant

    async def end(self, grant_id: str, why: GrantEnd) -> bool:
        """End a grant and all tokens of it; False if there is none that lives."""
        for _ in range(_RACES):
            grant = await self._vault.find_grant(grant_id)
            if grant is None or grant.ended_at is not None:
                return False
            if await self._vault.commit(EndGrant(grant, why, self._clock.now())):
                self._readings.forget(grant_id)
                self._snapshots.pop(grant_id, None)
                return True
        raise VaultError("The grant kept being changed by others.", next_step="Repeat the call.", retryable=True)

    async def list(self, key: AccountKey) -> Sequence[ClientGrant]:
        """The live grants of an account, the most recently used first."""
        stored = await self._vault.find_account(key)
        return () if stored is None else await self.of_account(stored.account.id)

    async def of_account(self, account_id: str) -> Sequence[ClientGrant]:
        """As `list`, by the account's id."""
        return await self._vault.list_grants(account_id, now=self._clock.now())

    async def _use(self, token: RefreshToken, grant: ClientGrant, now: datetime) -> RefreshOutcome:
        """Whether a token is used for the first time or within its grace; raises `RefreshError`."""
        if grant.ended_at is not None:
            raise RefreshError(RefreshOutcome.ENDED)
        if now >= token.expires_at:
            raise RefreshError(RefreshOutcome.EXPIRED)
        if token.replaced_at is None:
            return RefreshOutcome.ROTATED
        if now > token.replaced_at + timedelta(seconds=GRACE_SECONDS):
            await self.end(grant.id, GrantEnd.REFRESH_TOKEN_REUSED)
            raise RefreshError(RefreshOutcome.REUSED)
        if token.retries >= GRACE_RETRIES:
            raise RefreshError(RefreshOutcome.TOO_MANY_RETRIES)
        return RefreshOutcome.GRACE

    async def _usable_account(self, grant: ClientGrant) -> ConnectedAccount:
        """The account, EXPIRED too: a repair by link needs the app to stay. Raises `RefreshError`."""
        stored = await self._vault.find_account(grant.key)
        if stored is None or stored.account.id != grant.account_id:
            raise RefreshError(RefreshOutcome.ENDED)
        account = stored.account
        if account.status is AccountStatus.REVOKED:
            raise RefreshError(RefreshOutcome.ACCOUNT_REVOKED)
        tid = "" if account.provider_account is None else account.provider_account.tid
        if not self._tenant_allowed(tid):
            raise RefreshError(RefreshOutcome.TENANT_NOT_ALLOWED)
        return account

    def _new_token(self, grant_id: str, now: datetime) -> tuple[str, RefreshToken]:
        text = REFRESH_TOKEN_PREFIX + secrets.token_urlsafe(32)
        return text, RefreshToken(sha256_text(text), grant_id, now, now + timedelta(days=GRANT_DAYS))


def _check_client(client: Client, presented: RefreshPresented) -> None:
    if not same_text(client.id_sha256, presented.client_sha256):
        raise RefreshError(RefreshOutcome.OTHER_CLIENT)
    _check_secret(client, presented.secret)


def _check_secret(client: Client, secret: str | None) -> None:
    """A secret that an app without one brings is ignored."""
    given = None if secret is None else sha256_text(secret)
    if client.secret_sha256 is not None and not same_text(client.secret_sha256, given):
        raise RefreshError(RefreshOutcome.WRONG_SECRET)
