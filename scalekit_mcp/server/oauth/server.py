"""The authorization server as one thing: its routes, its part of the callback, and the callers who bring its tokens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from scalekit_mcp.accounts import KeyRing
from scalekit_mcp.clock import Clock
from scalekit_mcp.server.callers.authentication import AuthenticationError
from scalekit_mcp.server.oauth.access_tokens import AccessTokens, LiveGrants
from scalekit_mcp.server.oauth.authorize import AuthorizationEndpoint, SignInStart
from scalekit_mcp.server.oauth.browser import Browser, BrowserOptions
from scalekit_mcp.server.oauth.clients import Registrations, registration_route
from scalekit_mcp.server.oauth.metadata import MCP, OAuthMetadata
from scalekit_mcp.server.oauth.requests import DocumentClients, RequestChecks
from scalekit_mcp.server.oauth.returning import ReturnEndpoint, SignInCompletion
from scalekit_mcp.server.oauth.token import Codes, TokenEndpoint, TokenGrants
from scalekit_mcp.server.web.brand import Brand
from scalekit_mcp.server.web.pages import Pages
from scalekit_mcp.telemetry import Metrics


class SignInService(SignInStart, SignInCompletion, Codes, TokenGrants, LiveGrants, Protocol):
    """The sign-ins, codes and grants behind the authorization server."""

    async def ready(self) -> None:
        """Raises `ScalekitMCPError` while nobody can sign in."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationServerOptions:
    """What the composition root decides.

    `page_keys`, `registration_keys` and `access_token_keys` are derived for these purposes alone, and the same on all
    replicas; of `access_token_keys` (by their ids) the first signs. `brand` is the product that the pages show.
    """

    public_url: str
    page_keys: KeyRing
    registration_keys: KeyRing
    access_token_keys: Mapping[str, bytes] = field(repr=False)
    read_only: bool = False
    sandbox: bool = False
    brand: Brand = field(default_factory=Brand)


class AuthorizationServer:
    """Signs people in at the provider and hosts in here (OAuth 2.1), for the resource of the same address."""

    def __init__(
        self,
        service: SignInService,
        documents: DocumentClients,
        options: AuthorizationServerOptions,
        *,
        clock: Clock,
        metrics: Metrics | None = None,
    ) -> None:
        issuer, metrics = options.public_url.rstrip("/"), metrics or Metrics()
        parts = urlsplit(issuer)
        origins = (f"{parts.scheme}://{parts.netloc}".casefold(),)
        browser_options = BrowserOptions(
            issuer=issuer, origins=lambda: origins, secure=parts.scheme == "https", ring=options.page_keys
        )
        browser = Browser(Pages(sandbox=options.sandbox, brand=options.brand), browser_options, metrics)
        registrations = Registrations(options.registration_keys, clock)
        checks = RequestChecks(registrations, documents, issuer=issuer, read_only=options.read_only)
        self._service = service
        self._metadata = OAuthMetadata(issuer, read_only=options.read_only)
        self.access_tokens = AccessTokens(options.access_token_keys, issuer=issuer, clock=clock, grants=service)
        endpoint = TokenEndpoint(service, service, self.access_tokens, registrations, issuer=issuer, metrics=metrics)
        self._returning = ReturnEndpoint(service, browser, clock)
        self.routes: list[Route] = [
            *self._metadata.routes(),
            registration_route(registrations),
            *AuthorizationEndpoint(checks, service, browser, clock).routes(),
            *endpoint.routes(),
            *self._returning.routes(),
        ]

    @property
    def own_cors(self) -> Collection[str]:
        """The paths that say themselves who may call them from another origin."""
        return frozenset(route.path for route in self.routes)

    async def ready(self) -> None:
        """Raises `ScalekitMCPError` while nobody can sign in."""
        await self._service.ready()

    def refusal(self, path: str, denied: AuthenticationError, *, with_token: bool) -> Response:
        """The refusal of a request on `path`, with the challenge by which a host finds us."""
        return self._metadata.denial(path, denied, with_token=with_token)

    def sign_in_challenge(self, description: str) -> str:
        """A challenge for a tool's answer, on which a host may begin its sign-in at once."""
        denied = AuthenticationError(401, "invalid_token", description)
        return self._metadata.challenge(MCP, denied, with_token=True)

    @property
    def callback(self) -> Callable[[Request], Awaitable[Response]]:
        """What `/oauth/callback` does for the answer to a sign-in."""
        return self._returning.callback
