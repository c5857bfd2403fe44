"""A stdio server over the embedded actions, run by the tests as a process of its own."""

import os
import sys
import threading
from contextlib import aclosing
from typing import Any

import anyio

from scalekit_mcp.actions.models import ToolResult
from scalekit_mcp.server.callers.caller import fixed_caller
from scalekit_mcp.server.mcp.app import ServerOptions, create_server
from scalekit_mcp.server.mcp.consent import ConsentTimes
from scalekit_mcp.server.stdio.listener import Listener
from scalekit_mcp.server.stdio.server import serve_stdio
from scalekit_mcp.server.stopping import StopDeadline
from scalekit_mcp.telemetry import configure_logging
from tests.support.watched_actions import WatchedActions


class SlowActions(WatchedActions):
    """Takes as long as it is told for every tool, and says on stderr when it has begun."""

    async def execute_tool(self, **keywords: Any) -> ToolResult:
        print("begun", file=sys.stderr, flush=True)  # noqa: T201
        if os.environ.get("HANG") == "loop":  # mistakes that no event loop can mend
            threading.Event().wait()
        elif os.environ.get("HANG") == "thread":
            threading.Thread(target=threading.Event().wait).start()
        await anyio.sleep(float(os.environ.get("SLOW_SECONDS", "0")))
        print("stray")  # noqa: T201 - must not reach the wire
        return await super().execute_tool(**keywords)


async def main() -> None:
    verification = "confirm" if os.environ.get("CONFIRM") else "off"
    async with aclosing(SlowActions(user_verification=verification)) as actions, Listener(preferred_port=0) as listener:
        actions.pages = listener.base_url
        if os.environ.get("CONNECTED"):
            await actions.connect()
        listener.serve(actions)
        no_time = ConsentTimes(legacy_seconds=0.0, round_seconds=0.0, rounds=2)
        options = ServerOptions(consent_times=no_time if os.environ.get("NO_TIME") else ConsentTimes())
        server = create_server(actions, identify=fixed_caller("ana"), options=options)
        drain_seconds = float(os.environ.get("DRAIN_SECONDS", "20"))
        await serve_stdio(server, drain_seconds=drain_seconds, deadline=StopDeadline())


if __name__ == "__main__":
    configure_logging(level="INFO", log_format="text")
    anyio.run(main)
