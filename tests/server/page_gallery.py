"""Every kind of page at an address of its own, for a browser to look at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from scalekit_mcp.accounts import ApprovalRequest
from scalekit_mcp.actions.models import AuthorizationOutcome, AuthorizationPrompt, OutcomeKind
from scalekit_mcp.languages import said, verbatim
from scalekit_mcp.server.web.brand import Brand, Logo
from scalekit_mcp.server.web.consent_page import ConsentPage, FailedPage
from scalekit_mcp.server.web.home import Home
from scalekit_mcp.server.web.pages import Pages

LOGO = Logo(
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64"><rect width="64" height="64" rx="14" fill="#7a1fa2"/>'
    b'<path d="M20 34l9 9 17-22" stroke="#fff" stroke-width="7" fill="none"/></svg>',
    "image/svg+xml",
)
CONTOSO = Brand(
    name="Contoso Desk",
    logo=LOGO,
    color="#7a1fa2",
    support_url="mailto:help@contoso.example",
    privacy_url="https://contoso.example/privacy",
)
SCOPES = ("openid", "profile", "offline_access", "User.Read", "Calendars.ReadWrite")
APPROVAL = ApprovalRequest(
    "https://login.microsoftonline.com/organizations/v2.0/adminconsent?client_id=5b1c8a4e-6f0e-4d44-9a2a-1f0c7b0a9d11"
    "&redirect_uri=https%3A%2F%2Fcalendar.contoso.example%2Foauth%2Fadmin-consent&state=" + "Zm9vYmFy" * 40,
    "5b1c8a4e-6f0e-4d44-9a2a-1f0c7b0a9d11",
    ("User.Read", "Calendars.ReadWrite"),
    ends_on_own_computer=True,
)
UNTIL = datetime(2026, 11, 29, 21, 45, tzinfo=UTC)
DANA = "dana.whitfield@contoso.example"


def connect(pages: Pages) -> Response:
    prompt = AuthorizationPrompt("user_outlook_789", "outlook", "Microsoft", SCOPES, UNTIL, APPROVAL, account_name=DANA)
    return pages.connect(prompt, action="/connect/x", csrf="c")


def consent(pages: Pages) -> Response:
    page = ConsentPage(
        destination="computer",
        destination_name="localhost",
        client_name="Claude Code",
        document_host="claude.ai",
        access=(said("permission.calendar_read"), said("permission.calendar_write")),
        provider_name="Microsoft",
        provider_scopes=SCOPES,
        approval=APPROVAL,
        cancel_url="http://localhost:1/?error=access_denied",
        action="/authorize",
        sealed_request="s",
        csrf="c",
    )
    return pages.consent(page)


def code(pages: Pages) -> Response:
    outcome = AuthorizationOutcome(
        OutcomeKind.CONFIRMATION_NEEDED,
        said("confirmation.title"),
        said("confirmation.message"),
        said("confirmation.next", count=10),
        mailbox=DANA,
        confirmation_code="7K3M9QXZ",
    )
    return pages.outcome(outcome, cancel_action="/connect/x", csrf="c")


def connected(pages: Pages) -> Response:
    message = said("connected.message", mailbox=DANA)
    return pages.outcome(
        AuthorizationOutcome(OutcomeKind.CONNECTED, said("connected.title"), message, said("connected.next"))
    )


def refused(pages: Pages) -> Response:
    outcome = AuthorizationOutcome(
        OutcomeKind.ADMIN_APPROVAL_REQUIRED,
        said("refused.approval_title"),
        said("microsoft.needs_approval"),
        said("microsoft_next.approve"),
        who_acts="it_admin",
        approval=APPROVAL,
        reference="AADSTS90094 5b1c8a4e-6f0e-4d44-9a2a-1f0c7b0a9d11",
    )
    return pages.outcome(outcome)


def sign_in_failed(pages: Pages) -> Response:
    outcome = AuthorizationOutcome(
        OutcomeKind.OTHER_ACCOUNT,
        said("account.refused_title"),
        said("account.refused_personal", signed_in="pat@outlook.example"),
        said("account.refused_next"),
        mailbox="pat@outlook.example",
    )
    page = FailedPage(
        outcome=outcome,
        action="/oauth/sign-in",
        sealed_request="s",
        csrf="c",
        where=verbatim("claude.ai"),
        return_url="https://claude.ai/callback?error=access_denied",
    )
    return pages.sign_in_failed(page)


def trouble(pages: Pages) -> Response:
    outcome = AuthorizationOutcome(
        OutcomeKind.FAILED,
        said("trouble.title"),
        said("trouble.vault"),
        said("trouble.operator_next"),
        reference="8f3a2c1d",
    )
    return pages.outcome(outcome, status_code=503)


KINDS: dict[str, Callable[[Pages], Response]] = {
    kind.__name__: kind for kind in (connect, consent, code, connected, refused, sign_in_failed, trouble)
}


def gallery(base_url: str) -> Starlette:
    """`/plain/{kind}` and `/brand/{kind}`, with a start page for each under `home`."""
    routes = [Route(LOGO.path, LOGO.show)]
    for look, pages in (("plain", Pages(sandbox=True)), ("brand", Pages(brand=CONTOSO))):
        for name, kind in KINDS.items():
            routes.append(Route(f"/{look}/{name}", shown(kind, pages)))
        home = Home(auth="microsoft").route(pages, base_url)
        routes.append(Route(f"/{look}/home", home.endpoint))
    return Starlette(routes=routes)


def shown(kind: Callable[[Pages], Response], pages: Pages) -> Callable[[Request], Awaitable[Response]]:
    async def show(request: Request) -> Response:
        return kind(pages.for_reader(request))

    return show
