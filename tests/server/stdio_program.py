"""A stdio server over in-memory actions, run by the tests as a process of its own."""

import logging
import os
import sys

import anyio
from server_support import MemoryActions

from scalekit_mcp.server.app import ServerOptions, create_server
from scalekit_mcp.server.callers import fixed_caller
from scalekit_mcp.server.consent import ConsentTimes
from scalekit_mcp.server.listener import Listener
from scalekit_mcp.server.stdio import serve_stdio


class SlowActions(MemoryActions):
    """Takes as long as it is told for every tool, and says on stderr when it has begun."""

    async def execute_tool(self, **keywords):
        print("begun", file=sys.stderr, flush=True)  # noqa: T201
        await anyio.sleep(float(os.environ.get("SLOW_SECONDS", "0")))
        print("stray")  # noqa: T201 - must not reach the wire
        return await super().execute_tool(**keywords)


async def main() -> None:
    async with Listener(preferred_port=0) as listener:
        actions = SlowActions(base=listener.base_url, confirm=bool(os.environ.get("CONFIRM")))
        if os.environ.get("CONNECTED"):
            actions.activate("ana")
        listener.serve(actions)
        no_time = ConsentTimes(legacy_seconds=0.0, round_seconds=0.0, rounds=2)
        options = ServerOptions(consent_times=no_time if os.environ.get("NO_TIME") else ConsentTimes())
        await serve_stdio(create_server(actions, identify=fixed_caller("ana"), options=options))


if __name__ == "__main__":
    logging.basicConfig(level="INFO", stream=sys.stderr)
    anyio.run(main)
