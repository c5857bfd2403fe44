"""The sandbox as a process of its own; prints its environment as one JSON line."""

import json

import anyio

from scalekit_mcp.sandbox import Sandbox


async def main() -> None:
    sandbox = Sandbox()
    async with sandbox.serve() as base_url:
        print(json.dumps(sandbox.environment(base_url)), flush=True)
        await anyio.sleep_forever()


if __name__ == "__main__":
    anyio.run(main)
