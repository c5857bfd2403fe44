"""A stdio server over in-memory actions, run by the tests as a process of its own."""

import os
import sys
import threading

import anyio
from server_support import MemoryActions

from scalekit_mcp.server.callers.caller import fixed_caller
from scalekit_mcp.server.mcp.app import ServerOptions, create_server
from scalekit_mcp.server.mcp.consent import ConsentTimes
from scalekit_mcp.server.stdio.listener import Listener
from scalekit_mcp.server.stdio.server import serve_stdio
from scalekit_mcp.server.stopping import StopDeadline
from scalekit_mcp.telemetry import configure_logging


class SlowActions(MemoryActions):
    """Takes as long as it is told for every tool, and says on stderr when it has begun."""

    async def execute_tool(self, **keywords):
        print("begun", file=sys.stderr, flush=True)  # noqa: T201
        if os.environ.get("HANG") == "loop":  # mistakes that no event loop can mend
            threading.Event().wait()
        elif os.environ.get("HANG") == "thread":
            threading.Thread(target=threading.Event().wait).start()
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
        server = create_server(actions, identify=fixed_caller("ana"), options=options)
        drain_seconds = float(os.environ.get("DRAIN_SECONDS", "20"))
        await serve_stdio(server, drain_seconds=drain_seconds, deadline=StopDeadline())


if __name__ == "__main__":
    configure_logging(level="INFO", log_format="text")
    anyio.run(main)
