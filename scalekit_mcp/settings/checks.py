"""Checks which settings exclude or need each other; one sentence per problem, naming the setting."""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import Literal
from urllib.parse import urlsplit

from scalekit_mcp.errors import ConfigurationError
from scalekit_mcp.network import is_loopback
from scalekit_mcp.settings.model import Settings, listed

Transport = Literal["stdio", "http"]

_WEBHOOK_SECRET = re.compile(r"whsec_[A-Za-z0-9+/]{32,86}={0,2}")


def check_settings(settings: Settings, *, transport: Transport | None = None, calls_provider: bool = True) -> None:
    """Raise `ConfigurationError`, with all problems at once, for settings that cannot work together.

    Without `calls_provider` an application at Microsoft may be missing, because nothing is asked of it.
    """
    problems = _problems_of(settings, transport, calls_provider=calls_provider)
    if problems:
        raise ConfigurationError(*problems)


def _problems_of(settings: Settings, transport: Transport | None, *, calls_provider: bool) -> list[str]:
    """Everything that keeps these settings from working."""
    problems: list[str] = []
    try:
        mode = settings.resolved_mode
    except ConfigurationError as error:
        problems += error.problems
        mode = None
    if calls_provider and mode == "embedded" and not settings.sandbox and not settings.microsoft_client_id:
        problems.append("MICROSOFT_CLIENT_ID is missing: it is the Application (client) ID of your Azure app.")
    if mode == "hosted" and not settings.sandbox:
        problems += _hosted_problems(settings)
    problems += _connection_problems(settings, mode)
    if settings.microsoft_client_secret and settings.microsoft_client_certificate:
        problems.append(
            f"{settings.named('microsoft_client_secret')} and {settings.named('microsoft_client_certificate')} are "
            "both set: keep one."
        )
    database = settings.database_url.get_secret_value() if settings.database_url else ""
    problems += _database_problems(settings, database)
    if database.startswith("postgresql") and not settings.vault_keys:
        problems.append("SCALEKIT_MCP_VAULT_KEYS is missing: PostgreSQL needs it, as kid:base64 of 32 bytes.")
    if settings.user_verification == "url" and not settings.user_verify_url:
        problems.append(
            "SCALEKIT_MCP_USER_VERIFY_URL is missing: "
            f"{settings.named('user_verification')} is 'url', which sends people there."
        )
    problems += _webhook_problems(settings, mode)
    if transport == "stdio" and not settings.identifier and not settings.sandbox:
        problems.append("No identifier is set: say whose account this is with --identifier or SCALEKIT_MCP_IDENTIFIER.")
    if transport == "stdio" and settings.auth == "microsoft":
        problems.append(f"{settings.named('auth')} is microsoft, which is for HTTP: serve with --transport http.")
    if transport == "http":
        problems += _http_problems(settings, database)
        problems += _microsoft_problems(settings, mode)
    if mode is not None:
        problems += _network_problems(settings)
    return problems


def _database_problems(settings: Settings, database: str) -> list[str]:
    named = settings.named("database_url")
    if not database:
        return []
    if not database.startswith(("sqlite+aiosqlite://", "postgresql+asyncpg://")):
        return [f"{named} must begin with sqlite+aiosqlite:// or postgresql+asyncpg://."]
    try:
        parts = urlsplit(database)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return [f"{named} is not valid: its host or its port cannot be read."]
    if database.startswith("sqlite") and database != "sqlite+aiosqlite://" and (host or not parts.path):
        return [f"{named} is not valid: a file follows three slashes, an absolute path four."]
    if database.startswith("postgresql") and find_spec("asyncpg") is None:
        return [
            f"{named} names PostgreSQL, whose driver is not installed: install scalekit-mcp with its extra postgres."
        ]
    return []


def _hosted_problems(settings: Settings) -> list[str]:
    needed = (
        ("SCALEKIT_CLIENT_ID", settings.scalekit_client_id),
        ("SCALEKIT_CLIENT_SECRET", settings.scalekit_client_secret),
        ("SCALEKIT_ENV_URL", settings.scalekit_env_url),
    )
    return [f"{name} is missing: hosted mode needs it." for name, value in needed if not value]


def _connection_problems(settings: Settings, mode: str | None) -> list[str]:
    """Further connections are Scalekit's to run, and stand beside that of the calendar."""
    problems: list[str] = []
    named, names = settings.named("connections"), listed(settings.connections)
    if mode == "embedded" and settings.further_connections:
        problems.append(
            f"{named} names {', '.join(settings.further_connections)}: only Scalekit runs the tools of further "
            "connections. Set SCALEKIT_CLIENT_ID, SCALEKIT_CLIENT_SECRET and SCALEKIT_ENV_URL and "
            "SCALEKIT_MCP_MODE=hosted, or leave them out."
        )
    elif names and settings.connection not in names:
        problems.append(
            f"{named} does not name {settings.connection}, the connection of the calendar: add it, or set "
            "SCALEKIT_MCP_CONNECTION to the name that the calendar's connection has."
        )
    if settings.tools and not settings.further_connections:
        problems.append(
            f"{settings.named('tools')} is set, and no further connection is: name them in SCALEKIT_MCP_CONNECTIONS."
        )
    return problems


def _webhook_problems(settings: Settings, mode: str | None) -> list[str]:
    problems: list[str] = []
    if bool(settings.webhook_url) != bool(settings.webhook_secret):
        given, missing = ("webhook_url", "SECRET") if settings.webhook_url else ("webhook_secret", "URL")
        problems.append(
            f"{settings.named(given)} is set and SCALEKIT_MCP_WEBHOOK_{missing} is not: they belong together, set both."
        )
    elif settings.webhook_secret and not _WEBHOOK_SECRET.fullmatch(settings.webhook_secret.get_secret_value().strip()):
        problems.append(f"{settings.named('webhook_secret')} must be whsec_ and the base64 of 24 to 64 random bytes.")
    if settings.webhook_url and mode == "hosted":
        problems.append(
            f"{settings.named('webhook_url')} is for embedded mode: in hosted mode Scalekit sends webhooks."
        )
    return problems


def _http_problems(settings: Settings, database: str) -> list[str]:
    problems: list[str] = []
    auth = settings.named("auth")
    if (
        settings.auth in ("session-token", "microsoft")
        and database.startswith("postgresql")
        and not settings.session_keys
    ):
        problems.append("SCALEKIT_MCP_SESSION_KEYS is missing: PostgreSQL needs it, as kid:base64.")
    if settings.auth == "oidc" and not (settings.oidc_issuer and settings.oidc_audience):
        problems.append(f"{auth} is oidc, which needs SCALEKIT_MCP_OIDC_ISSUER and SCALEKIT_MCP_OIDC_AUDIENCE.")
    if settings.auth == "gateway" and not settings.service_key:
        problems.append(f"{auth} is gateway, which needs SCALEKIT_MCP_SERVICE_KEY.")
    if settings.auth == "none":
        if not settings.identifier and not settings.sandbox:
            problems.append(f"{auth} is none, which needs --identifier: every caller acts as that one user.")
        if not is_loopback(settings.host) or not is_loopback(urlsplit(settings.base_url).hostname):
            problems.append(f"{auth} is none, which is refused on an address that others can reach.")
    return problems


def _microsoft_problems(settings: Settings, mode: str | None) -> list[str]:
    """What sign-in with Microsoft cannot have beside it, and what belongs to it alone."""
    auth = settings.named("auth")
    if settings.auth != "microsoft":
        return [
            f"{settings.named(name)} is set, and is for SCALEKIT_MCP_AUTH=microsoft alone: {auth} is {settings.auth}."
            for name in ("allowed_tenants", "client_metadata_hosts")
            if getattr(settings, name)
        ]
    problems: list[str] = []
    if mode == "hosted":
        problems.append(f"{auth} is microsoft, which needs an Azure app of your own: it is for embedded mode.")
    if urlsplit(settings.base_url).path not in ("", "/"):
        problems.append(
            f"{settings.named('public_url')} has a path, and {auth} is microsoft: the documents that hosts look for "
            "stand at the root of a host (RFC 8414 section 3.1). Give the server a host name of its own."
        )
    if settings.user_verification is not None:
        problems.append(
            f"{settings.named('user_verification')} is set, and {auth} is microsoft: whoever signs in is the caller, "
            "so nobody is verified another way."
        )
    return problems


def _network_problems(settings: Settings) -> list[str]:
    try:
        settings.network.check(settings.addresses)
    except ConfigurationError as error:
        return list(error.problems)
    return []
