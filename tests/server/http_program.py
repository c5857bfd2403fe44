"""A remote server over the embedded actions, run by the tests as a process of its own. Argument: the port."""

import os
import sys
import threading
from contextlib import aclosing
from typing import Any

import anyio

from scalekit_mcp.actions.models import ToolResult
from scalekit_mcp.server.callers.authentication import NoAuthentication
from scalekit_mcp.server.callers.caller import authenticated_caller
from scalekit_mcp.server.http.app import HttpOptions, create_http_app
from scalekit_mcp.server.http.serving import Shutdown, serve_http
from scalekit_mcp.server.mcp.app import ServerOptions, create_server
from scalekit_mcp.server.rest.app import RestOptions
from scalekit_mcp.server.stopping import StopDeadline
from scalekit_mcp.telemetry import configure_logging
from tests.support.watched_actions import WatchedActions


class SlowActions(WatchedActions):
    """Takes as long as it is told for every tool, and says on stderr when it has begun."""

    async def execute_tool(self, **keywords: Any) -> ToolResult:
        sys.stderr.write("begun\n")
        sys.stderr.flush()
        if os.environ.get("HANG"):  # a mistake that no event loop can mend
            threading.Event().wait()
        await anyio.sleep(float(os.environ["SLOW_SECONDS"]))
        return await super().execute_tool(**keywords)


async def main(port: int) -> None:
    async with aclosing(SlowActions()) as actions:
        await actions.connect()
        await serve(actions, port)


async def serve(actions: SlowActions, port: int) -> None:
    shutdown = Shutdown()
    server = create_server(actions, identify=authenticated_caller, options=ServerOptions())
    public_url = f"http://localhost:{port}"
    rest = RestOptions(service_key="service-key-of-the-program", public_url=public_url)
    options = HttpOptions(public_url=public_url, rest=rest)
    app = create_http_app(server, actions, authentication=NoAuthentication("ana"), options=options, shutdown=shutdown)
    delay_seconds = float(os.environ.get("STOP_DELAY_SECONDS", "0"))
    await serve_http(
        app,
        host="127.0.0.1",
        port=port,
        shutdown=shutdown,
        drain_seconds=float(os.environ.get("DRAIN_SECONDS", "20")),
        delay_seconds=delay_seconds,
        deadline=StopDeadline(),
    )


if __name__ == "__main__":
    configure_logging(level="INFO", log_format="text")
    anyio.run(main, int(sys.argv[1]))
