"""What the pages of a sign-in share: the browser's secret, forms that prove their page, and a page for every fault."""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import secrets
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response

from scalekit_mcp.accounts import (
    SIGN_IN_SECONDS,
    BrokenSealError,
    KeyRing,
    SignInError,
    SignInRefusal,
    same_text,
    trouble,
)
from scalekit_mcp.actions import AuthorizationOutcome, OutcomeKind
from scalekit_mcp.errors import ScalekitMCPError
from scalekit_mcp.languages import said
from scalekit_mcp.server.failures import log_failure, new_reference
from scalekit_mcp.server.hosts import matches
from scalekit_mcp.server.oauth.answers import OAuthError, form_of
from scalekit_mcp.server.oauth.requests import PageError, RedirectError
from scalekit_mcp.server.web.pages import PAGE_HEADERS, Pages
from scalekit_mcp.telemetry import Metrics

_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
_OTHER_BROWSER = PageError(said("browser.cookie_app_title"), said("browser.cookie"), said("browser.cookie_app_next"))
_REFUSALS = {
    SignInRefusal.OTHER_BROWSER: _OTHER_BROWSER,
    SignInRefusal.EXPIRED: PageError(said("request.slow_title"), said("browser.foreign")),
    SignInRefusal.USED: PageError(said("request.used_title"), said("request.used")),
    SignInRefusal.UNKNOWN: PageError(said("request.unknown_title"), said("request.unknown")),
}

logger = logging.getLogger(__name__)

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserOptions:
    """`origins` are ours; `secure` says that all of them are https; `ring` seals what a page's form or cookie keeps."""

    issuer: str
    origins: Callable[[], Collection[str]]
    secure: bool
    ring: KeyRing


class CanBeReloadedError(Exception):
    """An error while an answer of the provider was taken, which was not used up: the page can be loaded again."""

    def __init__(self, error: ScalekitMCPError) -> None:
        super().__init__(error.code)
        self.error = error


class Browser:
    """The browser's side of all sign-ins of one server."""

    def __init__(self, pages: Pages, options: BrowserOptions, metrics: Metrics | None = None) -> None:
        self.pages = pages
        self.issuer = options.issuer.rstrip("/")
        self._options = options
        self._metrics = metrics or Metrics()
        self._prefix = "__Host-scalekit_" if options.secure else "scalekit_"

    # The secret

    def secret(self, request: Request) -> str | None:
        """The secret of the browser that a request comes from."""
        value = request.cookies.get(f"{self._prefix}signin", "")
        return value if _SECRET.fullmatch(value) else None

    def keep_secret(self, response: Response, secret: str) -> None:
        """Set the browser's secret, or prolong it."""
        self.set_cookie(response, "signin", secret)

    def cookie(self, request: Request, name: str) -> str:
        """What a cookie of ours holds; empty where there is none."""
        return request.cookies.get(self._prefix + name, "")

    def set_cookie(self, response: Response, name: str, value: str) -> None:
        """Set a cookie that no script, no subdomain and no other site reaches; it lives as long as a sign-in."""
        response.set_cookie(
            self._prefix + name,
            value,
            max_age=SIGN_IN_SECONDS,
            httponly=True,
            samesite="lax",
            secure=self._options.secure,
        )

    # Forms

    async def form(self, request: Request) -> tuple[dict[str, str], str]:
        """A form of ours and the secret of its browser.

        Raises:
            PageError: another site sent it, or the field `request` was not made for this browser.
        """
        # A browser that hides the origin says `null`; the cookie then decides.
        origin = request.headers.get("origin")
        foreign = origin is not None and origin != "null" and not matches(origin, self._options.origins())
        if foreign or request.headers.get("sec-fetch-site") == "cross-site":
            raise PageError(said("browser.foreign_title"), said("browser.foreign"))
        secret = self.secret(request)
        try:
            form, _ = await form_of(request)
        except OAuthError:
            form = {}
        if secret is None or not same_text(proof(secret, form.get("request", "")), form.get("csrf")):
            raise _OTHER_BROWSER
        return form, secret

    def sealed(self, kind: str, kept: Mapping[str, Any], now: datetime) -> str:
        """A small object that a page's form or a cookie keeps, for as long as a sign-in lives."""
        expires_at = now + timedelta(seconds=SIGN_IN_SECONDS)
        return self._options.ring.seal_token(kind, "", kept, expires_at=expires_at)

    def opened(self, kind: str, text: str, now: datetime) -> dict[str, Any]:
        """What `sealed` made; raises `PageError`."""
        try:
            return self._options.ring.open_token(kind, "", text, now=now)
        except BrokenSealError:
            raise PageError(said("request.open_long_title"), said("browser.foreign")) from None

    # Faults

    def guarded(self, handler: Handler) -> Handler:
        """A page or a redirect for what does not hold; a page with a number for what nobody foresaw."""

        async def handle(request: Request) -> Response:
            try:
                return await handler(request)
            except RedirectError as fault:
                self.tell("refused", fault.error)
                if request.method == "POST":  # the policy keeps a form from redirecting away
                    return self.pages.for_reader(request).redirect_to_app(fault.url)
                return RedirectResponse(fault.url, status_code=302, headers=dict(PAGE_HEADERS))
            except (PageError, SignInError) as refused:
                fault = _REFUSALS[refused.why] if isinstance(refused, SignInError) else refused
                self.tell("refused", str(fault.title))
                return self._fault_page(request, fault, status=400)
            except ClientDisconnect:
                raise  # nobody is there to be answered; the outer layer knows
            except (ScalekitMCPError, CanBeReloadedError) as exc:
                error = exc.error if isinstance(exc, CanBeReloadedError) else exc
                reference = new_reference()
                logger.warning("A sign-in could not go on: %s (%s), reference %s", error.code, error.message, reference)
                message, next_step = trouble(error)
                if error is not exc:
                    next_step = said("request.reload_next")
                fault = PageError(said("trouble.title"), message, next_step)
                return self._fault_page(request, fault, status=503, reference=reference)
            except Exception as failure:  # noqa: BLE001 - logged with its traceback by `log_failure`
                reference = log_failure(logger, request.url.path, failure)
                fault = PageError(said("trouble.title"), said("trouble.ours"))
                return self._fault_page(request, fault, status=500, reference=reference)

        return handle

    def tell(self, outcome: str, what: str) -> None:
        """Count what became of a sign-in, and log it; `what` is a host or a rule."""
        self._metrics.count("sign_ins_total", outcome=outcome)
        logger.info("A sign-in was %s: %s", outcome, what, extra={"event": "sign_in", "outcome": outcome})

    def _fault_page(self, request: Request, fault: PageError, *, status: int, reference: str | None = None) -> Response:
        outcome = AuthorizationOutcome(
            kind=OutcomeKind.FAILED,
            title=fault.title,
            message=fault.message,
            next_step=fault.next_step,
            reference=reference,
        )
        return self.pages.for_reader(request).outcome(outcome, status_code=status)


def new_secret() -> str:
    """A secret for a browser that has none."""
    return secrets.token_urlsafe(32)


def proof(secret: str, text: str) -> str:
    """What proves that a form with `text` was made for the browser with this secret."""
    message = b"sign-in:" + text.encode("utf-8", "surrogatepass")
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
