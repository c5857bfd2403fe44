"""The server under test as a process: what `scalekit-mcp serve` runs over stdio, at the time of the tasks."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

import anyio

from evaluation.scene import NOW
from scalekit_mcp import __version__
from scalekit_mcp.actions import open_actions
from scalekit_mcp.server import (
    Listener,
    ServerOptions,
    StopDeadline,
    create_server,
    fixed_caller,
    serve_stdio,
)
from scalekit_mcp.settings import load_settings
from scalekit_mcp.telemetry import configure_logging


class ClockFromThen:
    """A clock that showed `NOW` when the process began."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def now(self) -> datetime:
        return NOW + timedelta(seconds=time.monotonic() - self._began)

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)


async def main() -> None:
    settings = load_settings()
    configure_logging(level=settings.log_level, log_format=settings.log_format)
    clock = ClockFromThen()
    async with (
        Listener(preferred_port=0, clock=clock) as listener,
        open_actions(settings, clock=clock, link_base=listener.base_url) as actions,
    ):
        listener.serve(actions)
        options = ServerOptions(
            version=__version__, toolsets=settings.offered_toolsets, timezone=settings.timezone, sandbox=False
        )
        server = create_server(actions, identify=fixed_caller(settings.identifier or "dana"), options=options)
        await serve_stdio(server, deadline=StopDeadline())


if __name__ == "__main__":
    anyio.run(main)
