"""A process of its own that asks for access tokens; started by the tests, told what to do on its command line.

Arguments: database URL, key ring, base URL of the sandbox, number of callers, stage to stop at (`-`, `before`,
`after`, `saved`). It prints `ready`; for each line that it reads, the seconds by which its clock is ahead, it prints
`stopped` at its stage, or the distinct tokens' hashes as JSON.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from datetime import datetime, timedelta
from typing import Any

import httpx2 as httpx

from scalekit_mcp.accounts.model.records import AccountKey, TokenSet
from scalekit_mcp.accounts.services import AccountServices
from scalekit_mcp.accounts.vault.sealing.key_ring import KeyRing
from scalekit_mcp.accounts.vault.vault import Vault
from scalekit_mcp.clock import SystemClock
from tests.accounts.accounts_support import provider_for


class Stopping:
    """A provider that stops for good before or after its token request."""

    def __init__(self, real: Any, stage: str) -> None:
        self._real = real
        self._stage = stage

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    async def refresh_token_grant(self, **arguments: Any) -> TokenSet:
        if self._stage == "before":
            await stop()
        answer = await self._real.refresh_token_grant(**arguments)
        if self._stage == "after":
            await stop()
        return answer


class ClockAhead(SystemClock):
    """The machine's clock, some seconds ahead."""

    ahead = timedelta()

    def now(self) -> datetime:
        return super().now() + self.ahead


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def stop() -> None:
    say("stopped")
    await asyncio.Event().wait()


async def main(database_url: str, keys: str, base_url: str, callers: str, stage: str) -> None:
    clock = ClockAhead()
    async with httpx.AsyncClient() as http:
        provider: Any = Stopping(provider_for(http, clock, login_url=base_url), stage)
        vault = Vault(database_url, KeyRing.from_text(keys))
        services = AccountServices.on(vault, providers={"outlook": provider}, clock=clock)
        await vault.count_accounts(connection_name=None, identifier=None, status=None)
        say("ready")
        while line := await asyncio.to_thread(sys.stdin.readline):
            clock.ahead = timedelta(seconds=int(line))
            tokens = await asyncio.gather(
                *(services.tokens.access_token(AccountKey("outlook", "ana")) for _ in range(int(callers)))
            )
            if stage == "saved":
                await stop()
            say(json.dumps(sorted({hashlib.sha256(token.encode()).hexdigest() for token in tokens})))
        await services.aclose()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
