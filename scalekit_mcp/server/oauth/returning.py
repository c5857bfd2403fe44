"""The way back of a sign-in: what the provider sent is taken once; the person goes on to the app, or learns why not.

An app is told about success at once, because the person went on from our page before. A failure stays on a page of ours
until the person chooses: hosts show none of what an error says, and who reads it may have to ask an administrator.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Protocol

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from scalekit_mcp.accounts import NotSignedIn, SignedIn, SignIn, SignInRequest, same_text
from scalekit_mcp.actions import AuthorizationOutcome
from scalekit_mcp.clock import Clock
from scalekit_mcp.errors import ScalekitMCPError
from scalekit_mcp.languages import Sentence, said
from scalekit_mcp.server.oauth import redirects
from scalekit_mcp.server.oauth.answers import unique_parameters
from scalekit_mcp.server.oauth.browser import Browser, CanBeReloadedError, proof
from scalekit_mcp.server.oauth.requests import PageError, code_url, error_url
from scalekit_mcp.server.web.consent_page import FailedPage
from scalekit_mcp.server.web.pages import PAGE_HEADERS

FAILED_PATH = "/oauth/sign-in"
_KIND = "failed sign-in"
_COOKIE = "signin_failed"
_COOKIE_CHARACTERS = 3_900
_TOLD = {
    "access_denied": "Access was not given.",
    "server_error": "The sign-in failed at the provider or at this server.",
    "temporarily_unavailable": "The sign-in cannot be finished just now.",
}


class SignInCompletion(Protocol):
    """What takes the provider's answers."""

    async def complete(self, query: Mapping[str, str], *, browser_secret: str | None) -> SignedIn | NotSignedIn:
        """Take an answer of the provider; raises `SignInError`, with nothing redeemed."""
        ...

    async def failed(self, sign_in_id: str, *, browser_secret: str) -> SignIn:
        """A sign-in that failed and may be tried again; raises `SignInError`."""
        ...

    async def try_again(self, sign_in_id: str, *, browser_secret: str) -> str:
        """Begin anew after a failure; the address of the provider's page. Raises `SignInError`."""
        ...


class ReturnEndpoint:
    """What `/oauth/callback` does for a sign-in, and the clean address of a failure."""

    def __init__(self, sign_ins: SignInCompletion, browser: Browser, clock: Clock) -> None:
        self._sign_ins = sign_ins
        self._browser = browser
        self._clock = clock

    def routes(self) -> list[Route]:
        """The page of a failure, and its form."""
        return [
            Route(FAILED_PATH, self._browser.guarded(self.show), methods=["GET"]),
            Route(FAILED_PATH, self._browser.guarded(self.submit), methods=["POST"]),
        ]

    async def callback(self, request: Request) -> Response:
        """What the provider sent back (RFC 6749 section 4.1.2), whatever it is: always an answer, never an error."""
        return await self._browser.guarded(self._callback)(request)

    async def show(self, request: Request) -> Response:
        """Why nothing came of the sign-in, and what next; changes nothing."""
        secret, text = self._browser.secret(request), self._browser.cookie(request, _COOKIE)
        if secret is None or not text:
            raise PageError(said("request.gone_title"), said("request.gone"))
        kept = self._browser.opened(_KIND, text, self._clock.now())
        try:
            outcome = AuthorizationOutcome.from_json(kept["outcome"])
        except ValueError:  # a replica of another version kept it
            raise PageError(said("request.gone_title"), said("request.gone")) from None
        try:
            sign_in = await self._sign_ins.failed(kept["id"], browser_secret=secret)
            where, return_url = self._way_back(sign_in.request, kept["error"])
        except ScalekitMCPError:
            # The vault may be what failed the sign-in; the way back stands in the cookie, if it is short enough.
            if "way_back" not in kept or not same_text(proof(secret, kept["id"]), kept["browser"]):
                raise
            where, return_url = Sentence.from_json(kept["way_back"][0]), kept["way_back"][1]
        page = FailedPage(
            outcome=outcome,
            action=FAILED_PATH,
            sealed_request=text,
            csrf=proof(secret, text),
            where=where,
            return_url=return_url,
        )
        return self._browser.pages.for_reader(request).sign_in_failed(page)

    async def submit(self, request: Request) -> Response:
        """Try again was pressed."""
        form, secret = await self._browser.form(request)
        kept = self._browser.opened(_KIND, form.get("request", ""), self._clock.now())
        url = await self._sign_ins.try_again(kept["id"], browser_secret=secret)
        self._browser.tell("begun", "again")
        return self._browser.pages.for_reader(request).redirect_to_provider(url)

    async def _callback(self, request: Request) -> Response:
        try:
            query, _ = unique_parameters(request.scope["query_string"].decode("utf-8", "surrogateescape"))
        except ValueError:
            raise PageError(said("trouble.unreadable_title"), said("trouble.twice")) from None
        secret = self._browser.secret(request)
        try:
            completed = await self._sign_ins.complete(query, browser_secret=secret)
        except ScalekitMCPError as error:
            raise CanBeReloadedError(error) from error
        if isinstance(completed, SignedIn):
            self._browser.tell("finished", completed.request.client.host)
            return self._to_the_app(
                request, completed.request, code_url(self._browser.issuer, completed.request, completed.code)
            )
        self._browser.tell("failed", completed.error)
        return self._to_the_page(completed, secret or "")

    def _to_the_app(self, browser: Request, request: SignInRequest, url: str) -> Response:
        """303 to the app. An app of this device is opened by a page: its scheme may need the person's hand."""
        if redirects.destination(request.redirect_uri).kind == "app":
            return self._browser.pages.for_reader(browser).redirect_to_app(url)
        return RedirectResponse(url, status_code=303, headers=dict(PAGE_HEADERS))

    def _way_back(self, request: SignInRequest, error: str) -> tuple[Sentence, str]:
        """Where the app is told about an error: what a person calls it, and the address."""
        where = redirects.destination(request.redirect_uri).app
        return where, error_url(self._browser.issuer, request, error, _TOLD[error])

    def _to_the_page(self, failed: NotSignedIn, secret: str) -> Response:
        """303 to a clean address, so that neither history nor a log keeps a query; a sealed cookie says why."""
        told = {name: value for name, value in asdict(failed.outcome).items() if value is not None}
        where, return_url = self._way_back(failed.sign_in.request, failed.error)
        kept = {
            "id": failed.sign_in.id,
            "error": failed.error,
            "outcome": told,
            "browser": proof(secret, failed.sign_in.id),
            "way_back": (asdict(where), return_url),
        }
        text = self._browser.sealed(_KIND, kept, self._clock.now())
        for left_out, member in ((kept, "way_back"), (told, "approval")):
            if len(text) > _COOKIE_CHARACTERS:
                left_out.pop(member, None)
                text = self._browser.sealed(_KIND, kept, self._clock.now())
        response = RedirectResponse(FAILED_PATH, status_code=303, headers=dict(PAGE_HEADERS))
        self._browser.set_cookie(response, _COOKIE, text)
        return response
