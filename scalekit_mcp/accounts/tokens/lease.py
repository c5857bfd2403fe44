"""The lease of the process that refreshes an account: short, and renewed while that process lives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

from scalekit_mcp.accounts.vault.changes import RenewLease
from scalekit_mcp.accounts.vault.vault import Vault
from scalekit_mcp.clock import Clock
from scalekit_mcp.errors import VaultError

RENEWALS_PER_LEASE = 4
"""How often a lease is renewed before it would run out; one or two may come late."""


@asynccontextmanager
async def renewed_lease(
    vault: Vault, clock: Clock, account_id: str, owner: str, seconds: float
) -> AsyncGenerator[None]:
    """Renew a lease of `seconds` while the block runs; if the process dies, the lease ends by itself."""

    async def renew() -> None:
        while True:
            await asyncio.sleep(seconds / RENEWALS_PER_LEASE)
            with suppress(VaultError):  # the next renewal may reach the vault; the save says what is wrong
                if not await vault.commit(RenewLease(account_id, owner, clock.now() + timedelta(seconds=seconds))):
                    return

    task = asyncio.create_task(renew())
    try:
        yield
    finally:
        task.cancel()
