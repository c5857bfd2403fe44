"""The results of the steps that a browser takes in an authorization."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from scalekit_mcp.errors import WhoActs


class OutcomeKind(StrEnum):
    """The kinds of result that a page can show after a step of an authorization."""

    CONNECTED = "connected"
    CONFIRMATION_NEEDED = "confirmation_needed"
    VERIFY_AT_URL = "verify_at_url"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    ADMIN_APPROVAL_REQUIRED = "admin_approval_required"
    ADMIN_APPROVED = "admin_approved"
    LINK_UNKNOWN = "link_unknown"
    LINK_EXPIRED = "link_expired"
    LINK_USED = "link_used"
    OTHER_BROWSER = "other_browser"
    OTHER_ACCOUNT = "other_account"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class AuthorizationOutcome:
    """The result of one step of an authorization, for a page to show; holds no token and no code of the provider.

    `confirmation_code` goes from the page to the chat (eight Crockford characters). `redirect_url` is set for
    `VERIFY_AT_URL`. `reference` is what support asks for. `ticket` lets the page offer its own link again.
    """

    kind: OutcomeKind
    title: str
    message: str
    next_step: str
    who_acts: WhoActs = "user"
    identifier: str | None = None
    mailbox: str | None = None
    confirmation_code: str | None = field(default=None, repr=False)
    redirect_url: str | None = field(default=None, repr=False)
    admin_consent_url: str | None = field(default=None, repr=False)
    admin_text: str | None = field(default=None, repr=False)
    reference: str | None = None
    connection_name: str | None = None
    ticket: str | None = field(default=None, repr=False)


CANCELLED = AuthorizationOutcome(
    OutcomeKind.CANCELLED,
    "Cancelled",
    "The sign-in was discarded; nothing was connected.",
    "You can close this page. If you asked for the connection yourself, ask for a new link in the chat.",
)
OTHER_BROWSER = AuthorizationOutcome(
    OutcomeKind.OTHER_BROWSER,
    "This sign-in was started in another browser",
    "A sign-in has to end in the browser where it was started, with cookies allowed. Nothing was connected.",
    "Open the authorization link again and finish in the same browser.",
)
"""Without an account; of another browser the identifier is never told."""


@dataclass(frozen=True, slots=True)
class AuthorizationPrompt:
    """The content of our own page before it sends a person to the provider."""

    identifier: str
    connection_name: str
    provider_name: str
    scopes: tuple[str, ...]
    expires_at: datetime
    admin_consent_url: str | None = field(repr=False)
    admin_text: str | None = field(repr=False)
    has_administrators: bool = True
