"""The flags of settings: how each is spelled and explained, and how a command gets them."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from pathlib import Path
from typing import Any

import click

from scalekit_mcp.settings import load_settings

OPTIONS: dict[str, Callable[..., Any]] = {
    "env_file": click.option("--env-file", type=click.Path(path_type=Path), help="Read settings from this file too."),
    "mode": click.option(
        "--mode",
        type=click.Choice(["auto", "embedded", "hosted"]),
        help="Who keeps the tokens [default: auto, by whose credentials are set].",
    ),
    "sandbox": click.option("--sandbox", is_flag=True, default=None, help="Use the built-in Microsoft look-alike."),
    "identifier": click.option("--identifier", help="Whose account: your own string for a user."),
    "connection": click.option("--connection", help="Connection name [default: outlook]."),
    "connections": click.option("--connections", help="Hosted mode: all connections, such as outlook,gmail,slack."),
    "tools": click.option("--tools", help="Hosted mode: tools of further connections that are shown [default: all]."),
    "microsoft_client_id": click.option("--client-id", "MICROSOFT_CLIENT_ID", help="Application id of the Azure app."),
    "tenant": click.option("--tenant", "MICROSOFT_TENANT", help="Microsoft tenant [default: common]."),
    "timezone": click.option("--timezone", help="Time zone of answers, by its IANA or Windows name."),
    "read_only": click.option("--read-only", is_flag=True, default=None, help="Offer no tool that changes anything."),
    "hosted_calls": click.option(
        "--hosted-calls",
        type=click.Choice(["auto", "proxy", "tools"]),
        help="Hosted: which way calls to Microsoft take [default: auto].",
    ),
    "toolsets": click.option("--toolsets", help="Sets of tools: calendar, scheduling or all [default: calendar]."),
    "log_level": click.option("--log-level", help="DEBUG, INFO, WARNING or ERROR [default: INFO]."),
    "host": click.option("--host", help="Address to listen on [default: 127.0.0.1]."),
    "port": click.option("--port", type=int, help="Port to listen on [default: 8754]."),
    "public_url": click.option(
        "--public-url", help="How browsers and clients reach us [default: http://localhost:PORT]."
    ),
    "auth": click.option(
        "--auth",
        type=click.Choice(["session-token", "microsoft", "oidc", "gateway", "none"]),
        help="How callers over HTTP prove who they are [default: session-token].",
    ),
    "allowed_tenants": click.option(
        "--allowed-tenants", help="--auth microsoft: who may sign in, tenant ids or domains [default: all]."
    ),
    "client_metadata_hosts": click.option(
        "--client-metadata-hosts", help="--auth microsoft: private hosts whose client documents may be fetched."
    ),
    "rest_proxy": click.option(
        "--rest-proxy", is_flag=True, default=None, help="Pass a backend's own calls on to Microsoft."
    ),
    "stateless": click.option(
        "--stateless",
        is_flag=True,
        default=None,
        help="Keep no sessions for older clients, so that any replica can answer.",
    ),
    "user_verification": click.option(
        "--user-verification",
        type=click.Choice(["off", "confirm", "url"]),
        help="What makes sure that who consents is who asked [default: off on stdio, confirm on HTTP].",
    ),
    "log_format": click.option(
        "--log-format",
        type=click.Choice(["text", "json"]),
        help="Form of the log, which always goes to stderr [default: text].",
    ),
}


def settings_options(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the named settings as flags and hand the function a `Settings` as its first argument."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(**values: Any) -> Any:
            given = {name: values.pop(name, None) for name in spelled}
            return function(load_settings(**given, flags=spelled), **values)

        command: Callable[..., Any] = update_wrapper(call, function)
        own = set(_parameters(command))
        for name in reversed((*names, "env_file")):
            command = OPTIONS[name](command)
        spelled = {name: flag for name, flag in _parameters(command).items() if name not in own}
        return command

    return decorate


def _parameters(command: Callable[..., Any]) -> dict[str, str]:
    """The options that decorators have put on a function so far: by their names, as they are spelled."""
    found: list[click.Parameter] = getattr(command, "__click_params__", [])
    return {parameter.name: parameter.opts[0] for parameter in found if parameter.name}
