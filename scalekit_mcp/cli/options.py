"""The flags of settings: how each is spelled and explained, and how a command gets them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, update_wrapper
from pathlib import Path
from typing import Any

import click

from scalekit_mcp.settings import CLOUDS, load_settings


class SettingOption(click.Option):
    """The flag of a setting. `part` is the heading under which a long help shows it."""

    def __init__(self, *arguments: Any, part: str, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.part = part


def _part(part: str) -> Callable[..., Callable[..., Any]]:
    """`click.option` for the flags under one heading."""
    return partial(click.option, cls=SettingOption, part=part)


_general = _part("Accounts")
_microsoft = _part("Your own Azure app")
_scalekit = _part("Hosted mode")
_tools = _part("Tools")
_http = _part("HTTP")
_callers = _part("Callers over HTTP")
_pages = _part("Consent and pages")
_log = _part("Log")

OPTIONS: dict[str, Callable[..., Any]] = {
    "env_file": click.option("--env-file", type=click.Path(path_type=Path), help="Read settings from this file too."),
    "mode": _general(
        "--mode",
        type=click.Choice(["auto", "embedded", "hosted"]),
        help="Who keeps the tokens [default: auto, by whose credentials are set].",
    ),
    "sandbox": _general("--sandbox", is_flag=True, default=None, help="Use the built-in Microsoft look-alike."),
    "identifier": _general("--identifier", help="Whose account: your own string for a user."),
    "connection": _general("--connection", help="Connection name [default: outlook]."),
    "microsoft_client_id": _microsoft("--client-id", "MICROSOFT_CLIENT_ID", help="Application id of the Azure app."),
    "microsoft_client_certificate": _microsoft(
        "--client-certificate",
        "microsoft_client_certificate",
        metavar="FILE",
        help="PEM file with key and certificate, in place of a client secret.",
    ),
    "tenant": _microsoft("--tenant", "MICROSOFT_TENANT", help="Microsoft tenant [default: common]."),
    "microsoft_cloud": _microsoft(
        "--cloud",
        "microsoft_cloud",
        type=click.Choice(list(CLOUDS)),
        help="Microsoft's cloud [default: global].",
    ),
    "microsoft_scopes": _microsoft(
        "--microsoft-scopes", help="Scopes that a consent asks for, with spaces between them."
    ),
    "microsoft_login_url": _microsoft("--login-url", "microsoft_login_url", help="Login host [default: the cloud's]."),
    "microsoft_graph_url": _microsoft(
        "--graph-url", "microsoft_graph_url", help="Base address of Microsoft Graph [default: the cloud's]."
    ),
    "scalekit_client_id": _scalekit("--scalekit-client-id", help="Id of Scalekit's API client."),
    "scalekit_env_url": _scalekit("--scalekit-env-url", help="Address of the environment at Scalekit."),
    "connections": _scalekit("--connections", help="All connections, such as outlook,gmail,slack."),
    "tools": _scalekit("--tools", help="Tools of further connections that are shown [default: all]."),
    "hosted_calls": _scalekit(
        "--hosted-calls",
        type=click.Choice(["auto", "proxy", "tools"]),
        help="Which way calls to Microsoft take [default: auto].",
    ),
    "toolsets": _tools("--toolsets", help="Sets of tools: calendar, scheduling or all [default: calendar]."),
    "timezone": _tools("--timezone", help="Time zone of answers, by its IANA or Windows name."),
    "read_only": _tools("--read-only", is_flag=True, default=None, help="Offer no tool that changes anything."),
    "confirm": _tools(
        "--confirm",
        type=click.Choice(["off", "mail"]),
        help="With mail, a person confirms what mails people or deletes [default: off].",
    ),
    "host": _http("--host", help="Address to listen on [default: 127.0.0.1]."),
    "port": _http("--port", type=int, help="Port to listen on [default: 8754]."),
    "public_url": _http("--public-url", help="How browsers and clients reach us [default: http://localhost:PORT]."),
    "allowed_hosts": _http("--allowed-hosts", help="Hosts that requests may name [default: that of the public URL]."),
    "allowed_origins": _http("--allowed-origins", help="Origins of web pages that may call [default: our own]."),
    "stateless": _http(
        "--stateless",
        is_flag=True,
        default=None,
        help="Keep no sessions for older clients, so that any replica can answer.",
    ),
    "stop_delay_seconds": _http(
        "--stop-delay-seconds", type=float, help="Seconds to go on after a stop, until balancers know [default: 0]."
    ),
    "rest_proxy": _http("--rest-proxy", is_flag=True, default=None, help="Pass a backend's own calls on to Microsoft."),
    "webhook_url": _http("--webhook-url", help="Where changes of status are sent."),
    "auth": _callers(
        "--auth",
        type=click.Choice(["session-token", "microsoft", "oidc", "gateway", "none"]),
        help="How callers over HTTP prove who they are [default: session-token].",
    ),
    "allowed_tenants": _callers(
        "--allowed-tenants", help="--auth microsoft: who may sign in, tenant ids or domains [default: all]."
    ),
    "client_metadata_hosts": _callers(
        "--client-metadata-hosts", help="--auth microsoft: private hosts whose client documents may be fetched."
    ),
    "oidc_issuer": _callers("--oidc-issuer", help="--auth oidc: issuer of the access tokens."),
    "oidc_audience": _callers("--oidc-audience", help="--auth oidc: audience that access tokens must have."),
    "oidc_identifier_claim": _callers(
        "--oidc-identifier-claim", help="--auth oidc: claim that is the identifier [default: sub]."
    ),
    "oidc_require_scopes": _callers(
        "--oidc-require-scopes/--no-oidc-require-scopes",
        default=None,
        help="--auth oidc: whether access tokens need our scopes [default: they do].",
    ),
    "oidc_authorization_server": _callers(
        "--oidc-authorization-server", help="--auth oidc: authorization server that hosts are led to [default: issuer]."
    ),
    "oidc_scopes": _callers("--oidc-scopes", help="--auth oidc: scopes that hosts ask for [default: ours]."),
    "user_verification": _pages(
        "--user-verification",
        type=click.Choice(["off", "confirm", "url"]),
        help="What makes sure that who consents is who asked [default: off on stdio, confirm on HTTP].",
    ),
    "user_verify_url": _pages("--user-verify-url", help="Your page for --user-verification url."),
    "product_name": _pages("--product-name", help="Name of the product that asks, on pages and in mails."),
    "product_logo": _pages("--product-logo", metavar="FILE", help="Logo: PNG, JPEG, WebP or SVG."),
    "product_color": _pages("--product-color", help="Color of buttons and links, such as #0b5cad."),
    "support_url": _pages("--support-url", help="Where people get help: a page, or mailto: and a mail address."),
    "privacy_url": _pages("--privacy-url", help="Address of the privacy policy."),
    "log_level": _log("--log-level", help="DEBUG, INFO, WARNING or ERROR [default: INFO]."),
    "log_format": _log(
        "--log-format",
        type=click.Choice(["text", "json"]),
        help="Form of the log, which always goes to stderr [default: text].",
    ),
}
"""The flag of each setting. Secrets have none, nor have OpenTelemetry's variables, which its own exporter reads."""

MICROSOFT = ("microsoft_client_id", "microsoft_client_certificate", "tenant", "microsoft_cloud", "microsoft_scopes")
ADDRESSES = ("microsoft_login_url", "microsoft_graph_url")
SCALEKIT = ("scalekit_client_id", "scalekit_env_url")
OIDC = ("oidc_issuer", "oidc_audience", "oidc_authorization_server", "oidc_scopes")
BRAND = ("product_name", "product_logo", "product_color", "support_url", "privacy_url")
EVERYTHING = tuple(name for name in OPTIONS if name != "env_file")


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
