"""A vault with one ACTIVE account, its sign-ins and its grants; time moves by hand."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

from scalekit_mcp.accounts.grants import Grants, RefreshPresented
from scalekit_mcp.accounts.model import statuses
from scalekit_mcp.accounts.model.grants import Client, ClientKind, GrantTokens, SignIn, SignInRequest
from scalekit_mcp.accounts.model.records import (
    AccountKey,
    AccountStatus,
    ConnectedAccount,
    HistoryEntry,
    ProviderAccount,
    Reason,
    TokenSet,
)
from scalekit_mcp.accounts.model.statuses import Cause
from scalekit_mcp.accounts.sign_ins import CodePresented, SignIns, s256
from scalekit_mcp.accounts.vault.changes import ChangeStatus
from scalekit_mcp.accounts.vault.sealing.key_ring import KeyRing, sha256_text
from scalekit_mcp.accounts.vault.vault import Vault
from scalekit_mcp.notifications import GrantLog
from scalekit_mcp.telemetry import Metrics
from tests.support.clock import HandClock

KEYS = "a:" + "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="
TID, OID = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"
KEY = AccountKey("outlook", f"ms:{TID}:{OID}")
VERIFIER = "v" * 43
CLIENT_ID = "dcr.some-client"
CLIENT = Client(sha256_text(CLIENT_ID), None, "An app", "claude.ai", ClientKind.REGISTRATION)
REDIRECT_URI = "https://claude.ai/api/mcp/auth_callback"
BROWSER = "the browser's secret"
SCOPES = ("calendar.read", "calendar.write")


def request(**values: object) -> SignInRequest:
    asked = SignInRequest(
        client=CLIENT, redirect_uri=REDIRECT_URI, code_challenge=s256(VERIFIER), scopes=SCOPES, state="the app's state"
    )
    return replace(asked, **values)  # type: ignore[arg-type]


@dataclass
class GrantRoom:
    vault: Vault
    clock: HandClock
    grants: Grants
    sign_ins: SignIns
    metrics: Metrics

    async def create_account(self, key: AccountKey = KEY) -> ConnectedAccount:
        """An ACTIVE account, or the one that another process created."""
        now = self.clock.now()
        account = ConnectedAccount(
            id="ca_" + secrets.token_hex(12),
            connection_name=key.connection_name,
            identifier=key.identifier,
            status=AccountStatus.PENDING,
            reason=Reason.NEVER_AUTHORIZED,
            who_acts="user",
            created_at=now,
            updated_at=now,
        )
        entry = HistoryEntry(now, account.id, *(key.connection_name, key.identifier), None, None, None, None, "created")
        assert await self.vault.create_account(account, entry)
        return await self.move(Cause.CONSENTED, None, TokenSet("access", "refresh", now + timedelta(hours=1), ()))

    async def account(self, key: AccountKey = KEY) -> ConnectedAccount:
        stored = await self.vault.find_account(key)
        assert stored is not None
        return stored.account

    async def move(self, cause: Cause, reason: Reason | None, tokens: TokenSet | None = None) -> ConnectedAccount:
        """Change the account's status."""
        before = await self.account()
        known = replace(before, provider_account=ProviderAccount(TID, OID, "dana@company.com"))
        change = replace(statuses.change(known, cause, reason=reason, at=self.clock.now()), before=before)
        assert await self.vault.commit(ChangeStatus(change, tokens))
        return change.after

    async def code(self, **asked: object) -> str:
        """A code, at the end of a whole sign-in."""
        return (await self.code_and_sign_in(**asked))[0]

    async def code_and_sign_in(self, **asked: object) -> tuple[str, SignIn]:
        sign_in = await self.sign_ins.begin(request(**asked), browser_secret=BROWSER)
        taken = await self.sign_ins.take(sign_in.secrets.state or "", browser_secret=BROWSER)
        return await self.sign_ins.issue_code(taken, KEY), taken

    async def granted(self, **asked: object) -> GrantTokens:
        """A grant with its first refresh token."""
        return await self.sign_ins.redeem(presented(await self.code(**asked)))

    def refresh(self, token: str | None, /, **values: object) -> RefreshPresented:
        assert token is not None
        return replace(RefreshPresented(token, CLIENT.id_sha256, None), **values)  # type: ignore[arg-type]


def presented(code: str, **values: object) -> CodePresented:
    return replace(CodePresented(code, CLIENT.id_sha256, REDIRECT_URI, VERIFIER), **values)  # type: ignore[arg-type]


@asynccontextmanager
async def open_grants(
    database_url: str,
    *,
    clock: HandClock | None = None,
    keys: str = KEYS,
    allowed_tenants: frozenset[str] = frozenset(),
) -> AsyncIterator[GrantRoom]:
    """The room of one process on a database; the account is made by whoever comes first."""
    vault, clock, metrics = Vault(database_url, KeyRing.from_text(keys)), clock or HandClock(), Metrics()
    vault.on_grant_end(GrantLog(metrics))
    grants = Grants(vault, clock, tenant_allowed=lambda tid: not allowed_tenants or tid in allowed_tenants)
    room = GrantRoom(vault, clock, grants, SignIns(vault, grants, clock), metrics)
    try:
        if await vault.find_account(KEY) is None:
            await room.create_account()
        yield room
    finally:
        await vault.aclose()
