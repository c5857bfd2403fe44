"""A process that redeems one code, or refreshes with one token, when it is told to; prints the outcome."""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime

from scalekit_mcp.accounts.grants import RefreshError
from scalekit_mcp.accounts.sign_ins import CodeError
from tests.accounts.grants_support import open_grants, presented
from tests.support.clock import HandClock


async def main(database_url: str, at: str, verb: str, secret: str, times: int) -> None:
    async with open_grants(database_url, clock=HandClock(datetime.fromisoformat(at))) as room:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)

        async def once() -> str:
            try:
                if verb == "redeem":
                    await room.sign_ins.redeem(presented(secret))
                    return "done"
                return (await room.grants.refresh(room.refresh(secret))).outcome
            except (CodeError, RefreshError) as refused:
                return refused.why

        sys.stdout.write(" ".join(await asyncio.gather(*(once() for _ in range(times)))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    url, at, verb, secret, times = sys.argv[1:]
    asyncio.run(main(url, at, verb, secret, int(times)))
