"""The pages a person sees on the way to the provider and back.

No external resource, no inline script but one whose hash the policy names, not frameable, everything escaped.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import HTMLResponse

from scalekit_mcp.accounts import ApprovalRequest
from scalekit_mcp.actions import AuthorizationOutcome, AuthorizationPrompt, OutcomeKind
from scalekit_mcp.languages import LANGUAGES, Sentence, Words, preferred, said, verbatim, words_in
from scalekit_mcp.server.web.brand import Brand
from scalekit_mcp.server.web.consent_page import ConsentPage, FailedPage

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

_TEMPLATES = Path(__file__).with_name("templates")
_PRODUCT = "scalekit-mcp"

_PERMISSIONS: Mapping[str, str] = {
    "calendars.readwrite": "calendars_readwrite",
    "calendars.read": "calendars_read",
    "calendars.readwrite.shared": "calendars_readwrite_shared",
    "calendars.read.shared": "calendars_read_shared",
    "onlinemeetings.readwrite": "onlinemeetings_readwrite",
    "mailboxsettings.read": "mailboxsettings_read",
    "user.read": "user_read",
    "offline_access": "offline_access",
    "openid": "identity",
    "profile": "identity",
    "email": "identity",
}
"""The scopes that pages have words for, in the order in which they are told, with their keys in `permission`."""

_TONES: Mapping[OutcomeKind, str] = {
    OutcomeKind.CONNECTED: "good",
    OutcomeKind.CONFIRMATION_NEEDED: "warn",  # not done yet: a tick would let people close the page
    OutcomeKind.VERIFY_AT_URL: "warn",
    OutcomeKind.DECLINED: "warn",
    OutcomeKind.CANCELLED: "warn",
    OutcomeKind.ADMIN_APPROVAL_REQUIRED: "warn",
    OutcomeKind.LINK_EXPIRED: "warn",
    OutcomeKind.LINK_USED: "warn",
}

_STATUS: Mapping[OutcomeKind, int] = {
    OutcomeKind.LINK_UNKNOWN: 404,
    OutcomeKind.LINK_EXPIRED: 410,
    OutcomeKind.LINK_USED: 410,
    OutcomeKind.OTHER_BROWSER: 403,
    OutcomeKind.OTHER_ACCOUNT: 403,
    OutcomeKind.FAILED: 400,
}


@dataclass(frozen=True, slots=True)
class ServiceNames:
    """What pages call the provider where people sign in, and its calendars."""

    provider: str = "Microsoft"
    calendar: str = "Outlook"


class Pages:
    """Renders each page as a response with its security headers; the templates are read on first use."""

    def __init__(self, *, sandbox: bool = False, names: ServiceNames | None = None, brand: Brand | None = None) -> None:
        self._sandbox = sandbox
        self._brand = brand or Brand()
        self._names = names or ServiceNames()
        self._words = words_in(LANGUAGES[0])
        self._templates = _Templates(self._brand)

    def for_reader(self, request: Request) -> Pages:
        """The same pages in the language that a browser asks for."""
        language = preferred(request.headers.get("accept-language"), LANGUAGES)
        theirs = copy(self)
        theirs._words = words_in(language)
        return theirs

    def connect(self, prompt: AuthorizationPrompt, *, action: str, csrf: str) -> HTMLResponse:
        """The page that explains the consent, with Continue and Cancel. Opening it changes nothing."""
        return self._render(
            "connect.html",
            prompt=prompt,
            permissions=permissions(prompt.scopes, has_administrators=prompt.has_administrators),
            provider=prompt.provider_name,
            service=prompt.provider_name != self._names.provider,
            mail=self._mail(prompt.approval),
            action=action,
            csrf=csrf,
        )

    def consent(self, page: ConsentPage) -> HTMLResponse:
        """Which app wants what, before a sign-in. Changes nothing by being looked at."""
        return self._render(
            "consent.html",
            page=page,
            provider_permissions=permissions(page.provider_scopes),
            provider=page.provider_name,
            mail=self._mail(page.approval),
        )

    def sign_in_failed(self, page: FailedPage) -> HTMLResponse:
        """Why nothing came of a sign-in: another try, or back to the app, as the person chooses."""
        return self._render("sign_in_failed.html", page=page, **self._told(page.outcome))

    def home(self, **values: Any) -> HTMLResponse:
        """What this server is and how an app is connected to it; `Home` says with which values."""
        return self._render("home.html", **values)

    def redirect_to_provider(self, url: str) -> HTMLResponse:
        """A page that leads on to the provider by meta refresh and a link.

        No redirect: the page's security policy (`form-action 'self'`) forbids a form to redirect to another site.
        """
        return self._redirect(url, said("leaving.sandbox") if self._sandbox else verbatim(self._names.provider))

    def redirect_to_app(self, url: str) -> HTMLResponse:
        """As `redirect_to_provider`, back to the app that asked for a sign-in."""
        return self._redirect(url, said("leaving.app"))

    def _redirect(self, url: str, to: Sentence) -> HTMLResponse:
        return self._render("redirect_to_provider.html", script=False, url=url, to=to)

    def outcome(
        self,
        outcome: AuthorizationOutcome,
        *,
        status_code: int | None = None,
        cancel_action: str | None = None,
        csrf: str = "",
    ) -> HTMLResponse:
        """The page for the result of a step; `cancel_action` is the address that discards held tokens."""
        return self._render(
            "outcome.html",
            status_code=status_code or _STATUS.get(outcome.kind, 200),
            cancel_action=cancel_action,
            csrf=csrf,
            **self._told(outcome),
        )

    def _told(self, outcome: AuthorizationOutcome) -> dict[str, Any]:
        """What the templates of outcomes need; the account is named once."""
        message = self._words.text(outcome.message)
        return {
            "outcome": outcome,
            "tone": _TONES.get(outcome.kind, "bad"),
            "mailbox": None if outcome.mailbox and outcome.mailbox in message else outcome.mailbox,
            "mail": self._mail(outcome.approval),
        }

    def _mail(self, approval: ApprovalRequest | None) -> str | None:
        """The mail to an administrator, in the language of the person who sends it."""
        if approval is None:
            return None
        mail = said(
            "approval.mail_product" if self._brand.name else "approval.mail",
            product=self._brand.name,
            application_id=approval.application_id,
            permissions=", ".join(approval.permissions),
            url=approval.url,
            last_page=said("approval.last_page") if approval.ends_on_own_computer else "",
        )
        return self._words.text(mail)

    def _render(self, name: str, *, status_code: int = 200, script: bool = True, **values: Any) -> HTMLResponse:
        usual = {
            "product": self._brand.name or _PRODUCT,
            "provider": self._names.provider,
            "calendar": self._names.calendar,
        }
        usual |= {name: values.pop(name) for name in ("provider",) if name in values}
        say = Saying(self._words, usual)
        body = self._templates.render(
            name, script=script, t=say.key, say=say, brand=self._brand, sandbox=self._sandbox, **usual, **values
        )
        headers = {**self._templates.headers, "content-language": self._words.language}
        return HTMLResponse(body, status_code=status_code, headers=headers)


class Saying:
    """Turns sentences into markup: our own words and places are escaped once, and what is markup already stays."""

    def __init__(self, words: Words, usual: Mapping[str, str]) -> None:
        self._usual = usual
        self.words = words

    def __call__(self, sentence: Sentence) -> Markup:
        """A sentence."""
        return self.key(sentence.key, **dict(sentence.facts))

    def key(self, key: str, **facts: Any) -> Markup:
        """The sentence under a key; beside its own facts it knows the product, the provider and the calendar."""
        from markupsafe import escape

        told = {name: self(fact) if isinstance(fact, Sentence) else fact for name, fact in facts.items()}
        return escape(self.words.pattern(key, facts.get("count"))).format(**{**self._usual, **told})


class _Templates:
    """The templates, style sheet and script; read on first use, once for all languages."""

    def __init__(self, brand: Brand) -> None:
        self._brand = brand

    def render(self, name: str, *, script: bool, **values: Any) -> str:
        from markupsafe import Markup

        css = Markup(self._css)  # noqa: S704 - our own file
        js = Markup(_asset_text("page.js")) if script else None  # noqa: S704 - our own file
        return self._environment.get_template(name).render(css=css, script=js, **values)

    @cached_property
    def _environment(self) -> Environment:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined

        return Environment(
            loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )

    @cached_property
    def _css(self) -> str:
        return _asset_text("page.css") + self._brand.style

    @cached_property
    def headers(self) -> dict[str, str]:
        """What every page is sent with."""
        images = "img-src 'self'; " if self._brand.logo is not None else ""
        policy = (
            "default-src 'none'; "
            f"style-src {_source_hash(self._css)}; script-src {_source_hash(_asset_text('page.js'))}; "
            f"{images}form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
        )
        return {**PAGE_HEADERS, "content-security-policy": policy}


PAGE_HEADERS: Mapping[str, str] = {
    "cache-control": "no-store",  # here too: the routes may stand in an application of somebody else
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "x-robots-tag": "noindex",
    "cross-origin-opener-policy": "same-origin",
    "vary": "Accept-Language",
}
"""On every answer to a browser."""


def permissions(scopes: Sequence[str], *, has_administrators: bool = True) -> list[Sentence]:
    """A sentence for each scope, the calendar first, without repeats; an unknown scope is named as it is."""
    names = [scope.rsplit("/", 1)[-1].casefold() for scope in scopes]
    keys = dict.fromkeys(_PERMISSIONS[scope] for scope in _PERMISSIONS if scope in names)
    unknown = dict.fromkeys(scope for scope, name in zip(scopes, names, strict=True) if name not in _PERMISSIONS)
    told = [f"{key}_alone" if key == "offline_access" and not has_administrators else key for key in keys]
    return [*(said(f"permission.{key}") for key in told), *map(verbatim, unknown)]


def _asset_text(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8").strip()


def _source_hash(content: str) -> str:
    digest = hashlib.sha256(content.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
