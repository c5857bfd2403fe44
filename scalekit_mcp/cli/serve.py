"""The commands `serve` and `sandbox`: they put the parts of a server together."""

from __future__ import annotations

import logging
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from datetime import date
from typing import TYPE_CHECKING

import anyio

from scalekit_mcp import __version__, telemetry
from scalekit_mcp.actions import Actions, open_actions
from scalekit_mcp.concurrency import RunningTasks
from scalekit_mcp.errors import ConfigurationError, ScalekitMCPError
from scalekit_mcp.settings import SANDBOX_IDENTIFIER, Settings
from scalekit_mcp.start_up import without_collector

if TYPE_CHECKING:
    from scalekit_mcp.server import ServerOptions

logger = logging.getLogger("scalekit_mcp")


def configure_logging(settings: Settings) -> None:
    """Log to stderr, in the form that the settings name, and send spans where they name a collector."""
    telemetry.configure_logging(level=settings.log_level, log_format=settings.log_format)
    telemetry.export_spans(
        endpoint=settings.otlp_endpoint, service_name=settings.otel_service_name, version=__version__
    )


def warn_of_exposed_files(settings: Settings) -> None:
    """Log which private files other users of this machine can open, and the command that mends it."""
    from scalekit_mcp.actions import exposed_files

    for exposed in exposed_files(settings):
        logger.warning("%s", exposed)


@asynccontextmanager
async def stdio_composition(settings: Settings) -> AsyncGenerator[Actions]:
    """The calls with a loopback listener for the consent pages, which starts when a consent begins."""
    from scalekit_mcp.server import Listener, brand_of

    async with (
        Listener(preferred_port=settings.port, sandbox=settings.sandbox, brand=brand_of(settings)) as listener,
        open_actions(settings, link_base=listener.base_url, timezone=answer_zone(settings)) as actions,
    ):
        listener.serve(actions)
        yield actions


def server_options(settings: Settings) -> ServerOptions:
    """What the settings say about the MCP server over any transport."""
    from scalekit_mcp.server import ServerOptions

    return ServerOptions(
        version=__version__,
        sandbox=settings.sandbox,
        read_only=settings.read_only,
        toolsets=settings.offered_toolsets,
        connections=(settings.connection, *settings.further_connections),
        tool_patterns=settings.tool_patterns,
        timezone=settings.timezone,
        code_in_chat=settings.user_verification != "url",
        confirm_mail=settings.confirm == "mail",
    )


def answer_zone(settings: Settings) -> str:
    """The zone of answers on stdio: the setting, else the machine's own, else UTC."""
    if settings.timezone:
        return settings.timezone
    from tzlocal import get_localzone_name

    from scalekit_mcp.tools import resolve_zone

    try:
        name = get_localzone_name() or "UTC"
        resolve_zone(name)
    except (LookupError, ValueError):  # the machine has none, or one that Microsoft does not know
        return "UTC"
    return name


def run_stdio(settings: Settings) -> None:
    """Serve one person over stdin and stdout until the client goes away."""
    starting = ExitStack()
    starting.enter_context(without_collector())

    from scalekit_mcp.server import StopDeadline, create_server, fixed_caller, serve_stdio

    configure_logging(settings)
    warn_of_exposed_files(settings)

    async def run() -> None:
        ahead = RunningTasks()
        async with stdio_composition(settings) as actions:
            identify = fixed_caller(settings.identifier or SANDBOX_IDENTIFIER)
            server = create_server(actions, identify=identify, options=server_options(settings))
            starting.close()
            try:
                await serve_stdio(
                    server, deadline=StopDeadline(), when_listed=lambda: ahead.start(prepare_calls(actions))
                )
            finally:
                await ahead.aclose(0)

    with starting:
        anyio.run(run)


async def prepare_calls(actions: Actions) -> None:
    """Make ready what a first call needs while the person still types; what is wrong there, the call itself tells."""
    try:
        await actions.prepare()
    except ScalekitMCPError as error:
        logger.debug("The first call was not made ready: %s", error.code)


def run_sandbox(*, port: int, host: str, week_of: date | None) -> None:
    """Run the look-alike alone until interrupted."""
    from scalekit_mcp.sandbox import Sandbox

    async def run() -> None:
        sandbox = Sandbox(week_of=week_of)
        async with AsyncExitStack() as stack:
            try:
                base_url = await stack.enter_async_context(sandbox.serve(port=port, host=host))
            except (OSError, OverflowError) as exc:
                raise ConfigurationError(
                    f"The sandbox cannot listen on {host}, port {port}: another process has the port, or the address "
                    "is not this machine's. Stop that process, or choose another --port or --host."
                ) from exc
            lines = [
                f"The built-in Microsoft (not Microsoft) runs at {base_url}",
                "Point a server at it with:",
                *(f"  {name}={value}" for name, value in sandbox.environment(base_url).items()),
                "Ctrl-C stops it.",
            ]
            sys.stderr.write("\n".join(lines) + "\n")
            await anyio.sleep_forever()

    try:
        anyio.run(run)
    except KeyboardInterrupt:
        sys.stderr.write("Stopped.\n")
