"""The sandbox as a process of its own; prints its environment as one JSON line.

With a file and a number it first writes that many refresh tokens of one person there, and one more.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import anyio

from scalekit_mcp.sandbox import Sandbox


async def write_grants(sandbox: Sandbox, path: Path, count: int) -> None:
    """As if one person had consented so often: copies of one real grant."""
    from tests.support.microsoft import signed_in_token

    address = "dana@company.com"
    access_token = await signed_in_token(sandbox, address)
    person = sandbox.people[address]
    store = sandbox.halves.identity.store
    granted = next(iter(store.refresh_tokens.values()))
    tokens = [store.add_refresh_token(replace(granted), personal=False) for _ in range(count + 1)]
    given = {
        "tid": person.tenant_id,
        "oid": person.oid,
        "address": address,
        "access_token": access_token,
        "refresh_tokens": tokens,
    }
    await anyio.Path(path).write_text(json.dumps(given), encoding="utf-8")


async def main() -> None:
    sandbox = Sandbox()
    if len(sys.argv) > 2:
        await write_grants(sandbox, Path(sys.argv[1]), int(sys.argv[2]))
    async with sandbox.serve() as base_url:
        print(json.dumps(sandbox.environment(base_url)), flush=True)
        await anyio.sleep_forever()


if __name__ == "__main__":
    anyio.run(main)
