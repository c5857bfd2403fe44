"""The authorization endpoint: one page of ours before Microsoft's, at every sign-in.

GET has no effect and may be repeated: some hosts load the page themselves before they open the browser, and throw it
away. The form carries the whole request, sealed, and a proof that it was made for this browser's cookie; only POST
begins a sign-in. Nothing is remembered: a client with a document has the same id at every server, so that an approval
of yesterday could be walked through by somebody else today.
"""

from __future__ import annotations

from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from scalekit_mcp.accounts import SignInProvider, SignInRequest
from scalekit_mcp.clock import Clock
from scalekit_mcp.server.oauth.browser import Browser, new_secret, proof
from scalekit_mcp.server.oauth.metadata import AUTHORIZE
from scalekit_mcp.server.oauth.requests import AuthorizationRequest, RequestChecks, error_url
from scalekit_mcp.server.oauth.scopes import SCOPE_WORDS
from scalekit_mcp.server.web.consent_page import ConsentPage

_KIND = "authorization request"


class SignInStart(Protocol):
    """What begins sign-ins."""

    async def provider(self) -> SignInProvider:
        """Where people sign in."""
        ...

    async def start(self, request: SignInRequest, *, browser_secret: str) -> str:
        """Begin a sign-in bound to a browser; the address of the provider's page."""
        ...


class AuthorizationEndpoint:
    """`/authorize`; no page of another origin may call it."""

    def __init__(self, checks: RequestChecks, sign_ins: SignInStart, browser: Browser, clock: Clock) -> None:
        self._checks = checks
        self._sign_ins = sign_ins
        self._browser = browser
        self._clock = clock

    def routes(self) -> list[Route]:
        """The page, and its form."""
        return [
            Route(AUTHORIZE, self._browser.guarded(self.show), methods=["GET"]),
            Route(AUTHORIZE, self._browser.guarded(self.submit), methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """The page; the browser's secret is kept where there is one, so that a second tab does not break the first."""
        query: bytes = request.scope["query_string"]
        asked = await self._checks.of_query(query.decode("utf-8", "surrogateescape"))
        secret = self._browser.secret(request) or new_secret()
        response = self._browser.pages.for_reader(request).consent(await self._page(asked, secret))
        self._browser.keep_secret(response, secret)
        return response

    async def submit(self, request: Request) -> Response:
        """Continue was pressed: begin a sign-in, and on to the provider."""
        form, secret = await self._browser.form(request)
        kept = self._browser.opened(_KIND, form.get("request", ""), self._clock.now())
        asked = await self._checks.of_parameters(kept["parameters"], kept["resources"])
        url = await self._sign_ins.start(asked.request, browser_secret=secret)
        self._browser.tell("begun", asked.request.client.host)
        return self._browser.pages.for_reader(request).redirect_to_provider(url)

    async def _page(self, asked: AuthorizationRequest, secret: str) -> ConsentPage:
        provider = await self._sign_ins.provider()
        kept = {"parameters": dict(asked.parameters), "resources": list(asked.resources)}
        sealed = self._browser.sealed(_KIND, kept, self._clock.now())
        request = asked.request
        return ConsentPage(
            destination=asked.destination.kind,
            destination_name=asked.destination.name,
            client_name=asked.client.name,
            document_host=asked.client.document_host,
            access=tuple(SCOPE_WORDS[scope] for scope in request.scopes),
            provider_name=provider.name,
            provider_scopes=provider.scopes,
            approval=provider.approval,
            cancel_url=error_url(self._browser.issuer, request, "access_denied", "The person did not go on."),
            action=AUTHORIZE,
            sealed_request=sealed,
            csrf=proof(secret, sealed),
        )
