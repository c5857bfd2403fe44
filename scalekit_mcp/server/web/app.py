"""The browser's routes: the page behind the authorization link, and the callbacks from the provider.

GET of a link changes nothing but the attempt's cookie, because mail scanners open links. POST needs that cookie and a
token derived from it, and refuses a foreign `Origin`. What the provider brings back is taken once and answered with a
redirect to a clean address, so that neither history nor a log keeps a query.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import secrets
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from scalekit_mcp.accounts import STATE_PREFIX, BrokenSealError, KeyRing, trouble
from scalekit_mcp.actions import ADMIN_CALLBACK_PATH, CALLBACK_PATH, Actions, AuthorizationOutcome, OutcomeKind
from scalekit_mcp.clock import Clock
from scalekit_mcp.errors import ScalekitMCPError
from scalekit_mcp.languages import Sentence, said
from scalekit_mcp.server.failures import log_failure, new_reference
from scalekit_mcp.server.hosts import matches
from scalekit_mcp.server.web.brand import Brand
from scalekit_mcp.server.web.pages import PAGE_HEADERS, Pages, ServiceNames

logger = logging.getLogger(__name__)

_TICKET = re.compile(r"[A-Za-z0-9._~-]{16,256}")
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
_OUTCOME_ID = re.compile(r"[A-Za-z0-9_-]{16,64}")
_ATTEMPT_SECONDS = 1800
_OUTCOME_SECONDS = 900
_FORM_BYTES = 8_192
_COOKIE_BYTES = 3_900
_COOKIE = "browser cookie"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebOptions:
    """The options of the pages: `origins` are our own (`https://host`), `secure` says that all of them are https.

    `names` are what pages call the provider and its calendars, `brand` is the product that asks.
    `sign_in_callback` takes what the provider answers to a sign-in of an app.
    `cookie_keys` (the same on all replicas) seal what the browser keeps for us; none means a key of this process.
    """

    origins: Callable[[], Collection[str]]
    secure: bool = False
    sandbox: bool = False
    cookie_keys: KeyRing | None = None
    sign_in_callback: Callable[[Request], Awaitable[Response]] | None = None
    names: ServiceNames = field(default_factory=ServiceNames)
    brand: Brand = field(default_factory=Brand)


class Web:
    """The routes `/connect/{ticket}`, `/oauth/callback`, `/oauth/admin-consent`, an outcome's and the logo."""

    def __init__(self, actions: Callable[[], Actions], *, clock: Clock, options: WebOptions) -> None:
        self._actions = actions
        self._options = options
        self._pages = Pages(sandbox=options.sandbox, names=options.names, brand=options.brand)
        self._ring = options.cookie_keys or KeyRing.generate()
        self._clock = clock
        self._prefix = "__Host-scalekit_" if options.secure else "scalekit_"

    def routes(self) -> list[Route]:
        """The routes, to be put into an application."""
        logo = self._options.brand.logo
        return [
            *([] if logo is None else [Route(logo.path, logo.show, methods=["GET"])]),
            Route("/connect/{ticket}", self._guarded(self.show), methods=["GET"]),
            Route("/connect/{ticket}", self._guarded(self.submit), methods=["POST"]),
            Route(CALLBACK_PATH, self._guarded(self.callback), methods=["GET"]),
            Route(ADMIN_CALLBACK_PATH, self._guarded(self.admin_consent), methods=["GET"]),
            Route("/oauth/outcome/{outcome_id}", self._guarded(self.outcome), methods=["GET"]),
        ]

    async def show(self, request: Request) -> Response:
        """The page behind the authorization link; sets the attempt's cookie and changes nothing else."""
        ticket = request.path_params["ticket"]
        if not _TICKET.fullmatch(ticket):
            return self._pages.for_reader(request).outcome(_UNKNOWN_LINK)
        prompt = await self._actions().authorization_prompt(ticket)
        if isinstance(prompt, AuthorizationOutcome):
            return self._pages.for_reader(request).outcome(prompt)
        secret = self._browser_secret(request, ticket) or secrets.token_urlsafe(32)
        page = self._pages.for_reader(request).connect(
            prompt, action=f"/connect/{ticket}", csrf=_csrf_token(secret, ticket)
        )
        self._set_cookie(page, _attempt_name(ticket), secret, _ATTEMPT_SECONDS)
        return page

    async def submit(self, request: Request) -> Response:
        """Continue or Cancel, pressed on one of our own pages."""
        ticket = request.path_params["ticket"]
        origin = request.headers.get("origin")
        if origin is not None and origin != "null" and not matches(origin, self._options.origins()):
            return self._pages.for_reader(request).outcome(_FOREIGN_FORM)
        if request.headers.get("sec-fetch-site") == "cross-site":
            return self._pages.for_reader(request).outcome(_FOREIGN_FORM)
        form = await _form(request)
        secret = self._browser_secret(request, ticket)
        given = form.get("csrf", "").encode()
        if secret is None or not hmac.compare_digest(_csrf_token(secret, ticket).encode(), given):
            return self._pages.for_reader(request).outcome(_OTHER_BROWSER)
        if form.get("action") == "cancel":
            outcome = await self._actions().cancel_held_authorization(ticket, browser_secret=secret)
            return self._finished(outcome, request, ticket=ticket)
        started = await self._actions().start_authorization(ticket, browser_secret=secret)
        if isinstance(started, AuthorizationOutcome):
            return self._finished(started, request, ticket=ticket)
        page = self._pages.for_reader(request).redirect_to_provider(started)
        state = _state_of(started)
        if state is not None:
            # the way back brings the state and no ticket
            self._set_cookie(page, _state_name(state), ticket, _ATTEMPT_SECONDS)
        return page

    async def callback(self, request: Request) -> Response:
        """What the authorization endpoint sent back (RFC 6749 section 4.1.2)."""
        if self._options.sign_in_callback is not None and _is_of_sign_in(request):
            return await self._options.sign_in_callback(request)
        query = _query(request)
        if query is None:
            return self._finished(_MALFORMED, request)
        ticket = self._ticket_of(request, query.get("state"))
        secret = self._browser_secret(request, ticket) if ticket else None
        browser_secrets = [secret] if secret else self._all_browser_secrets(request)
        outcome = await self._actions().complete_authorization(query, browser_secrets=browser_secrets)
        if outcome.kind is OutcomeKind.VERIFY_AT_URL and outcome.redirect_url:
            return RedirectResponse(outcome.redirect_url, status_code=303, headers=dict(PAGE_HEADERS))
        response = self._finished(outcome, request, ticket=ticket)
        if query.get("state"):
            self._drop_cookie(response, _state_name(query["state"]))
        return response

    async def admin_consent(self, request: Request) -> Response:
        """What the admin-consent endpoint sent back; for display only."""
        query = _query(request)
        outcome = _MALFORMED if query is None else await self._actions().complete_admin_consent(query)
        return self._finished(outcome, request)

    async def outcome(self, request: Request) -> Response:
        """The page with an outcome, which is read from its cookie; the address holds nothing secret."""
        outcome_id = request.path_params["outcome_id"]
        name = f"outcome_{outcome_id}"
        text = request.cookies.get(self._prefix + name) if _OUTCOME_ID.fullmatch(outcome_id) else None
        kept = self._opened(name, text) if text else None
        if kept is None:
            return self._pages.for_reader(request).outcome(_OUTCOME_GONE)
        ticket = kept.pop("ticket", None)
        try:
            outcome = AuthorizationOutcome.from_json(kept)
        except ValueError:  # a replica of another version kept it
            return self._pages.for_reader(request).outcome(_OUTCOME_GONE)
        secret = self._browser_secret(request, ticket) if ticket else None
        if outcome.kind is OutcomeKind.CONFIRMATION_NEEDED and ticket and secret:
            return self._pages.for_reader(request).outcome(
                outcome, cancel_action=f"/connect/{ticket}", csrf=_csrf_token(secret, ticket)
            )
        return self._pages.for_reader(request).outcome(outcome)

    def _finished(self, outcome: AuthorizationOutcome, request: Request, *, ticket: str | None = None) -> Response:
        """303 to the clean address; the outcome travels in a sealed cookie, so that any replica can show it."""
        outcome_id = secrets.token_urlsafe(16)
        name = f"outcome_{outcome_id}"
        kept = {key: value for key, value in asdict(outcome).items() if value is not None}
        if ticket is not None:
            kept["ticket"] = ticket
        text = self._sealed(name, kept)
        if len(text) > _COOKIE_BYTES:
            kept.pop("approval", None)
            text = self._sealed(name, kept)
        response = RedirectResponse(f"/oauth/outcome/{outcome_id}", status_code=303, headers=dict(PAGE_HEADERS))
        self._set_cookie(response, name, text, _OUTCOME_SECONDS)
        if ticket is not None and outcome.kind is not OutcomeKind.CONFIRMATION_NEEDED:
            self._drop_cookie(response, _attempt_name(ticket))
        for old in request.cookies:
            if old.startswith(f"{self._prefix}outcome_"):
                self._drop_cookie(response, old.removeprefix(self._prefix))
        return response

    def _sealed(self, name: str, kept: Mapping[str, Any]) -> str:
        expires_at = self._clock.now() + timedelta(seconds=_OUTCOME_SECONDS)
        return self._ring.seal_token(_COOKIE, name, kept, expires_at=expires_at)

    def _opened(self, name: str, text: str) -> dict[str, Any] | None:
        try:
            return self._ring.open_token(_COOKIE, name, text, now=self._clock.now())
        except BrokenSealError:
            return None

    def _guarded(self, handler: Callable[[Request], Any]) -> Callable[[Request], Any]:
        """Run a route; an error of ours becomes its page, any other one is logged and shown by a reference number."""

        async def handle(request: Request) -> Response:
            try:
                return await handler(request)
            except ClientDisconnect:
                raise  # nobody is there to be answered; the outer layer knows
            except ScalekitMCPError as exc:
                reference = new_reference()
                logger.warning(
                    "%s could not be served: %s (%s), reference %s", handler.__name__, exc.code, exc.message, reference
                )
                outcome = _failed(*trouble(exc), reference)
                return self._pages.for_reader(request).outcome(outcome, status_code=503)
            except Exception as failure:  # noqa: BLE001 - logged with its traceback by `log_failure`
                reference = log_failure(logger, handler.__name__, failure)
                outcome = _failed(said("trouble.ours"), said("trouble.ask_anew"), reference)
                return self._pages.for_reader(request).outcome(outcome, status_code=500)

        return handle

    def _browser_secret(self, request: Request, ticket: str) -> str | None:
        value = request.cookies.get(self._prefix + _attempt_name(ticket), "")
        return value if _SECRET.fullmatch(value) else None

    def _all_browser_secrets(self, request: Request) -> list[str]:
        prefix = f"{self._prefix}attempt_"
        return [v for n, v in request.cookies.items() if n.startswith(prefix) and _SECRET.fullmatch(v)]

    def _ticket_of(self, request: Request, state: str | None) -> str | None:
        value = request.cookies.get(self._prefix + _state_name(state), "") if state else ""
        return value if _TICKET.fullmatch(value) else None

    def _set_cookie(self, response: Response, name: str, value: str, seconds: int) -> None:
        response.set_cookie(
            self._prefix + name, value, max_age=seconds, httponly=True, samesite="lax", secure=self._options.secure
        )

    def _drop_cookie(self, response: Response, name: str) -> None:
        response.delete_cookie(self._prefix + name, httponly=True, samesite="lax", secure=self._options.secure)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _attempt_name(ticket: str) -> str:
    return f"attempt_{_digest(ticket)}"


def _state_name(state: str) -> str:
    return f"state_{_digest(state)}"


def _csrf_token(secret: str, ticket: str) -> str:
    return hmac.new(secret.encode(), f"csrf:{ticket}".encode(), hashlib.sha256).hexdigest()


def _state_of(url: str) -> str | None:
    values = parse_qs(urlsplit(url).query).get("state")
    return values[0] if values else None


def _is_of_sign_in(request: Request) -> bool:
    """Whether what came back belongs to a sign-in of an app, and not to an authorization link."""
    return request.query_params.get("state", "").startswith(STATE_PREFIX)


def _query(request: Request) -> dict[str, str] | None:
    """The query as a mapping; None where a parameter comes twice (RFC 6749 section 3.1)."""
    items = request.query_params.multi_items()
    query = dict(items)
    return query if len(query) == len(items) else None


async def _form(request: Request) -> Mapping[str, str]:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _FORM_BYTES:
            return {}
    try:
        fields = parse_qs(body.decode("utf-8", errors="replace"), max_num_fields=16)
    except ValueError:
        return {}
    return {name: values[0] for name, values in fields.items()}


_UNKNOWN_LINK = AuthorizationOutcome(
    OutcomeKind.LINK_UNKNOWN, said("link.unknown_title"), said("link.cut_off"), said("trouble.ask_anew")
)
_FOREIGN_FORM = AuthorizationOutcome(
    OutcomeKind.OTHER_BROWSER, said("browser.foreign_title"), said("browser.foreign"), said("browser.foreign_next")
)
_OTHER_BROWSER = AuthorizationOutcome(
    OutcomeKind.OTHER_BROWSER, said("browser.cookie_title"), said("browser.cookie"), said("browser.cookie_next")
)
_MALFORMED = AuthorizationOutcome(
    OutcomeKind.FAILED, said("trouble.unreadable_title"), said("trouble.twice"), said("trouble.ask_anew")
)
_OUTCOME_GONE = AuthorizationOutcome(
    OutcomeKind.LINK_EXPIRED, said("link.gone_title"), said("link.gone"), said("link.gone_next")
)


def _failed(message: Sentence, next_step: Sentence, reference: str) -> AuthorizationOutcome:
    return AuthorizationOutcome(OutcomeKind.FAILED, said("trouble.title"), message, next_step, reference=reference)
