"""`serve --transport http|sse` and `session-token`: the composition of the HTTP face."""

from __future__ import annotations

import logging
import sys
from contextlib import AsyncExitStack, ExitStack, redirect_stdout, suppress
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import anyio

from scalekit_mcp import __version__
from scalekit_mcp.actions import Actions, connections_of, open_actions
from scalekit_mcp.cli.progress import Progress
from scalekit_mcp.cli.serve import configure_logging, prepare_calls, server_options, warn_of_exposed_files
from scalekit_mcp.clock import SystemClock
from scalekit_mcp.concurrency import RunningTasks
from scalekit_mcp.errors import ConfigurationError, ScalekitMCPError
from scalekit_mcp.network import is_loopback
from scalekit_mcp.settings import SANDBOX_IDENTIFIER, Settings, listed
from scalekit_mcp.start_up import without_collector
from scalekit_mcp.telemetry import Metrics

if TYPE_CHECKING:
    from scalekit_mcp.server import Authentication, AuthorizationServer, OidcOptions, SessionTokens

logger = logging.getLogger("scalekit_mcp")


def run_http(settings: Settings, *, sse: bool) -> None:
    """Serve many users over HTTP until told to stop."""
    configure_logging(settings)
    warn_of_exposed_files(settings)
    with redirect_stdout(sys.stderr):  # nobody promises to read what a library prints
        anyio.run(lambda: _serve(settings, sse=sse))


async def _serve(settings: Settings, *, sse: bool) -> None:
    from scalekit_mcp.accounts import KeyRing
    from scalekit_mcp.actions import check_key_file
    from scalekit_mcp.server import (
        AccountNumbers,
        CallLimiter,
        CallMetrics,
        Home,
        HttpOptions,
        RestOptions,
        Shutdown,
        StopDeadline,
        authenticated_caller,
        brand_of,
        create_http_app,
        create_server,
        serve_http,
    )

    if settings.user_verification == "off":
        logger.warning(
            "SCALEKIT_MCP_USER_VERIFICATION=off: whoever opens an authorization link connects their mailbox to the "
            "identifier it was made for, also if the link was sent to the wrong person."
        )
    clock = SystemClock()
    brand = brand_of(settings)
    check_key_file(settings)  # before any other key file is made
    keys = session_keys(settings)
    public_url = settings.base_url
    tokens = _session_tokens(settings, keys)
    resource_metadata = resource_metadata_of(settings)
    async with AsyncExitStack() as stack:
        starting = stack.enter_context(ExitStack())
        starting.enter_context(without_collector())
        if settings.log_format == "text":
            starting.enter_context(Progress("Starting", lines=True))
        registry = Metrics()
        actions = await stack.enter_async_context(open_actions(settings, user_verification="confirm", metrics=registry))
        if settings.webhook_url:
            with suppress(ScalekitMCPError):  # /readyz tells what is wrong; what an earlier process left is told now
                await actions.list_connected_accounts(page_size=1)
        numbers = AccountNumbers(registry, actions, connection_name=settings.connection)
        metrics = CallMetrics(registry, gather=numbers)
        oauth = await _authorization_server(settings, keys, actions, registry, stack)
        authentication = oauth.access_tokens if oauth else await _authentication(settings, tokens, stack)
        shutdown = Shutdown()
        limiter = CallLimiter()
        server = create_server(
            actions,
            identify=authenticated_caller,
            options=replace(
                server_options(settings),
                list_scope="private",
                stopping=lambda: shutdown.rejecting,
                request_state_keys=tuple(_derived(keys, b"request state").values()),
                metrics=metrics,
                limiter=limiter,
                sign_in_challenge=oauth.sign_in_challenge if oauth else None,
            ),
        )
        service_key = settings.service_key.get_secret_value() if settings.service_key else None
        app = create_http_app(
            server,
            actions,
            authentication=authentication,
            options=HttpOptions(
                public_url=public_url,
                allowed_hosts=listed(settings.allowed_hosts),
                allowed_origins=listed(settings.allowed_origins),
                stateless=settings.stateless,
                sandbox=settings.sandbox,
                brand=brand,
                home=Home(auth=settings.auth, issuer=settings.oidc_authorization_server or settings.oidc_issuer or ""),
                cookie_keys=KeyRing(list(_derived(keys, b"cookies").items())),
                rest=RestOptions(
                    service_key=service_key,
                    public_url=public_url,
                    version=__version__,
                    read_only=settings.read_only,
                    connections=connections_of(settings),
                    proxy=settings.rest_proxy,
                    session_tokens=None if settings.auth == "microsoft" else tokens,
                    metrics=metrics,
                    limiter=limiter,
                )
                if service_key
                else None,
                resource_metadata=resource_metadata,
                authorization_server=oauth,
                metrics=metrics if service_key or _is_local(settings) else None,
                metrics_key=service_key,
            ),
            clock=clock,
            shutdown=shutdown,
        )
        ahead = RunningTasks()
        stack.push_async_callback(ahead.aclose, 0)
        path = "/sse" if sse else "/mcp"
        serving = f"Serving {public_url}{path} (callers: {settings.auth}). Ctrl-C stops."

        def listening() -> None:
            ahead.start(prepare_calls(actions))
            if settings.log_format == "json":
                logger.info(serving)
            else:
                sys.stderr.write(serving + "\n")

        starting.close()
        await serve_http(
            app,
            host=settings.host,
            port=settings.port,
            shutdown=shutdown,
            delay_seconds=settings.stop_delay_seconds,
            listening=listening,
            deadline=StopDeadline(),
        )


def mint_session_token(
    settings: Settings, identifier: str, *, ttl_seconds: int, read_only: bool, email: str | None
) -> tuple[str, datetime]:
    """A session token for `identifier` and when it expires; raises `InvalidInput` or `ConfigurationError`."""
    tokens = _session_tokens(settings, session_keys(settings))
    return tokens.mint(identifier, ttl_seconds=ttl_seconds, read_only=read_only, email=email)


def session_keys(settings: Settings) -> dict[str, bytes]:
    """The configured session keys, else those of a private file that is made on first use."""
    from scalekit_mcp.server import parse_keys

    if settings.session_keys is not None:
        with settings.naming("session_keys"):
            return parse_keys(settings.session_keys.get_secret_value())
    from scalekit_mcp.accounts import KeyRing
    from scalekit_mcp.actions import read_key_file, session_key_file

    path = session_key_file()
    ring = read_key_file(path, "session") if path.exists() else KeyRing.from_file(path, kind="session")
    return parse_keys(ring.to_text())


def _session_tokens(settings: Settings, keys: dict[str, bytes]) -> SessionTokens:
    from scalekit_mcp.server import SessionTokens

    return SessionTokens(keys, audience=f"{settings.base_url}/mcp", clock=SystemClock())


async def _authorization_server(
    settings: Settings, keys: dict[str, bytes], actions: Actions, metrics: Metrics, stack: AsyncExitStack
) -> AuthorizationServer | None:
    """Sign-in with Microsoft, in its mode alone; raises `ConfigurationError` for a tenant that does not exist."""
    if settings.auth != "microsoft":
        return None
    from scalekit_mcp.accounts import KeyRing
    from scalekit_mcp.actions import RemoteSignIn
    from scalekit_mcp.server import AuthorizationServer, AuthorizationServerOptions, Documents, brand_of

    service = RemoteSignIn(actions)
    if settings.tenants:
        try:
            await service.ready()
        except ConfigurationError:
            raise
        except ScalekitMCPError as error:
            logger.warning("Nobody can sign in yet: %s It is tried again.", error.message)
    documents = Documents(
        SystemClock(),
        tls=settings.network.tls(),
        own_hosts=[urlsplit(settings.base_url).hostname or ""],
        allowed_hosts=listed(settings.client_metadata_hosts),
        metrics=metrics,
    )
    stack.push_async_callback(documents.aclose)
    options = AuthorizationServerOptions(
        public_url=settings.base_url,
        page_keys=KeyRing(list(_derived(keys, b"sign-in pages").items())),
        registration_keys=KeyRing(list(_derived(keys, b"client registrations").items())),
        access_token_keys=_derived(keys, b"access tokens"),
        read_only=settings.read_only,
        sandbox=settings.sandbox,
        brand=brand_of(settings),
    )
    return AuthorizationServer(service, documents, options, clock=SystemClock(), metrics=metrics)


async def _authentication(settings: Settings, tokens: SessionTokens, stack: AsyncExitStack) -> Authentication:
    from scalekit_mcp.server import Gateway, NoAuthentication

    match settings.auth:
        case "session-token" | "microsoft":
            return tokens
        case "none":
            return NoAuthentication(settings.identifier or SANDBOX_IDENTIFIER)
        case "gateway":
            if settings.service_key is None:
                raise ConfigurationError("SCALEKIT_MCP_AUTH=gateway needs SCALEKIT_MCP_SERVICE_KEY.")
            return Gateway(settings.service_key.get_secret_value())
        case "oidc":
            from scalekit_mcp.server import OidcTokens
            from scalekit_mcp.upstream import UpstreamClient

            options = _oidc_options(settings)
            http = await stack.enter_async_context(
                settings.network.client(options.issuers, make=UpstreamClient, timeout=10)
            )
            access_tokens = OidcTokens(options, http=http, clock=SystemClock())
            stack.push_async_callback(access_tokens.aclose)
            return access_tokens


def _oidc_options(settings: Settings) -> OidcOptions:
    from scalekit_mcp.server import OidcOptions

    with settings.naming("oidc_scopes"):
        return OidcOptions(
            issuer=settings.oidc_issuer or "",
            audience=settings.oidc_audience or "",
            identifier_claim=settings.oidc_identifier_claim,
            require_scopes=settings.oidc_require_scopes,
            authorization_server=settings.oidc_authorization_server or "",
            scopes=tuple(settings.oidc_scopes.split()),
            metadata_url=f"{settings.base_url}/.well-known/oauth-protected-resource/mcp",
            login_url=settings.login_url,
        )


def resource_metadata_of(settings: Settings) -> dict[str, Any] | None:
    """The protected-resource metadata that is published for `oidc`; None in other modes."""
    if settings.auth != "oidc":
        return None
    from scalekit_mcp.server import resource_metadata

    options = _oidc_options(settings)
    return resource_metadata(
        options.advertised_server, resource=f"{settings.base_url}/mcp", scopes=options.advertised_scopes
    )


def _derived(keys: dict[str, bytes], purpose: bytes) -> dict[str, bytes]:
    """A key for one purpose from each session key, so that all replicas agree without another setting (RFC 5869)."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    info = b"scalekit-mcp " + purpose
    return {
        key_id: HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(key) for key_id, key in keys.items()
    }


def _is_local(settings: Settings) -> bool:
    """Whether nobody beyond this machine reaches the server, also through a proxy on it."""
    return is_loopback(settings.host) and is_loopback(urlsplit(settings.base_url).hostname)
