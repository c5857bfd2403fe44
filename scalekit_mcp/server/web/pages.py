"""The pages a person sees on the way to the provider and back.

No external resource, no inline script but one whose hash the policy names, not frameable, everything escaped.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.responses import HTMLResponse

from scalekit_mcp.actions import AuthorizationOutcome, AuthorizationPrompt, OutcomeKind
from scalekit_mcp.server.web.consent_page import ConsentPage, FailedPage

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).with_name("templates")

SCOPE_DESCRIPTIONS: Mapping[str, str] = {
    "calendars.readwrite": "see, create, change and delete events in your calendar",
    "calendars.read": "see the events in your calendar",
    "calendars.readwrite.shared": "see and change calendars that others share with you",
    "calendars.read.shared": "see calendars that others share with you",
    "onlinemeetings.readwrite": "create Teams meetings for you",
    "mailboxsettings.read": "see your time zone and working hours",
    "user.read": "see your name and address",
    "offline_access": "stay connected while you are away, until you or your IT takes it back",
    "openid": "know which {provider} account you signed in with",
    "profile": "know which {provider} account you signed in with",
    "email": "know which {provider} account you signed in with",
}
_WITHOUT_ADMINISTRATORS: Mapping[str, str] = {
    **SCOPE_DESCRIPTIONS,
    "offline_access": "stay connected while you are away, until you take it back",
}

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

    @property
    def a_calendar(self) -> str:
        """One calendar there, with its article."""
        return f"{'an' if self.calendar[:1].upper() in _VOWELS else 'a'} {self.calendar} calendar"


_VOWELS = frozenset("AEIOU")


class Pages:
    """Renders each page as a response with its security headers; the templates are read on first use."""

    def __init__(self, *, sandbox: bool = False, names: ServiceNames | None = None) -> None:
        self._sandbox = sandbox
        self._names = names or ServiceNames()

    def connect(self, prompt: AuthorizationPrompt, *, action: str, csrf: str) -> HTMLResponse:
        """The page that explains the consent, with Continue and Cancel. Opening it changes nothing."""
        return self._render(
            "connect.html",
            script=True,
            prompt=prompt,
            scopes=scope_descriptions(
                prompt.scopes, provider=prompt.provider_name, has_administrators=prompt.has_administrators
            ),
            expires_at=_clock_time(prompt.expires_at),
            action=action,
            csrf=csrf,
        )

    def consent(self, page: ConsentPage) -> HTMLResponse:
        """Which app wants what, before a sign-in. Changes nothing by being looked at."""
        words = scope_descriptions(page.provider_scopes, provider=page.provider_name, has_administrators=True)
        return self._render("consent.html", script=True, page=page, provider_words=words)

    def sign_in_failed(self, page: FailedPage) -> HTMLResponse:
        """Why nothing came of a sign-in: another try, or back to the app, as the person chooses."""
        tone = _TONES.get(page.outcome.kind, "bad")
        return self._render("sign_in_failed.html", script=True, page=page, outcome=page.outcome, tone=tone)

    def redirect_to_provider(self, url: str) -> HTMLResponse:
        """A page that leads on to the provider by meta refresh and a link.

        No redirect: the page's security policy (`form-action 'self'`) forbids a form to redirect to another site.
        """
        return self._redirect(url, "the sandbox" if self._sandbox else self._names.provider)

    def redirect_to_app(self, url: str) -> HTMLResponse:
        """As `redirect_to_provider`, back to the app that asked for a sign-in."""
        return self._redirect(url, "the app")

    def _redirect(self, url: str, to: str) -> HTMLResponse:
        return self._render("redirect_to_provider.html", url=url, provider=to)

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
            script=True,
            outcome=outcome,
            tone=_TONES.get(outcome.kind, "bad"),
            cancel_action=cancel_action,
            csrf=csrf,
        )

    def _render(self, name: str, *, status_code: int = 200, script: bool = False, **values: Any) -> HTMLResponse:
        values |= {"sandbox": self._sandbox, "names": self._names}
        template = self._environment.get_template(name)
        body = template.render(css=self._asset("page.css"), script=self._asset("copy.js") if script else None, **values)
        return HTMLResponse(body, status_code=status_code, headers=self._headers)

    @cached_property
    def _environment(self) -> Environment:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined

        return Environment(
            loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )

    def _asset(self, name: str) -> Any:
        from markupsafe import Markup

        return Markup(_asset_text(name))  # noqa: S704 - our own files

    @cached_property
    def _headers(self) -> dict[str, str]:
        policy = (
            "default-src 'none'; "
            f"style-src {_source_hash('page.css')}; script-src {_source_hash('copy.js')}; "
            "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
        )
        return {**PAGE_HEADERS, "content-security-policy": policy}


PAGE_HEADERS: Mapping[str, str] = {
    "cache-control": "no-store",  # here too: the routes may stand in an application of somebody else
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "x-robots-tag": "noindex",
    "cross-origin-opener-policy": "same-origin",
}
"""On every answer to a browser."""


def scope_descriptions(
    scopes: tuple[str, ...], *, provider: str = "Microsoft", has_administrators: bool = True
) -> list[str]:
    """One sentence for each scope, the calendar first, without repeats; an unknown scope is named as it is."""
    table = SCOPE_DESCRIPTIONS if has_administrators else _WITHOUT_ADMINISTRATORS
    known_words = {scope: words.format(provider=provider) for scope, words in table.items()}
    words = [known_words.get(scope.rsplit("/", 1)[-1].casefold(), scope) for scope in scopes]
    order = list(known_words.values())
    known = sorted({word for word in words if word in order}, key=order.index)
    return known + [word for word in dict.fromkeys(words) if word not in order]


def _asset_text(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8").strip()


def _source_hash(name: str) -> str:
    digest = hashlib.sha256(_asset_text(name).encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _clock_time(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%H:%M UTC")
