"""The results of the steps that a browser takes in an authorization."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from scalekit_mcp.accounts.model.approval_request import ApprovalRequest
from scalekit_mcp.errors import WhoActs
from scalekit_mcp.languages import Sentence, said


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
    `approval` is for an administrator.
    """

    kind: OutcomeKind
    title: Sentence
    message: Sentence
    next_step: Sentence
    who_acts: WhoActs = "user"
    identifier: str | None = None
    mailbox: str | None = None
    confirmation_code: str | None = field(default=None, repr=False)
    redirect_url: str | None = field(default=None, repr=False)
    approval: ApprovalRequest | None = None
    reference: str | None = None
    connection_name: str | None = None
    ticket: str | None = field(default=None, repr=False)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> AuthorizationOutcome:
        """The outcome that `dataclasses.asdict` took apart and JSON carried; what was None may be left out.

        Raises:
            ValueError: it is none, or one of another version of this program.
        """
        try:
            members: dict[str, Any] = {**value, "kind": OutcomeKind(value["kind"])}
            for name in ("title", "message", "next_step"):
                members[name] = Sentence.from_json(members[name])
            if members.get("approval") is not None:
                members["approval"] = ApprovalRequest.from_json(members["approval"])
            return cls(**members)
        except (KeyError, TypeError) as error:
            raise ValueError("It is no outcome of this program.") from error


CANCELLED = AuthorizationOutcome(
    OutcomeKind.CANCELLED, said("cancelled.title"), said("cancelled.message"), said("cancelled.next")
)
OTHER_BROWSER = AuthorizationOutcome(
    OutcomeKind.OTHER_BROWSER,
    said("browser.started_elsewhere_title"),
    said("browser.started_elsewhere"),
    said("browser.started_elsewhere_next"),
)
"""Without an account; of another browser the identifier is never told."""


@dataclass(frozen=True, slots=True)
class AuthorizationPrompt:
    """The content of our own page before it sends a person to the provider.

    `account_name` is the address or the name of the account, where it is known.
    """

    identifier: str
    connection_name: str
    provider_name: str
    scopes: tuple[str, ...]
    expires_at: datetime
    approval: ApprovalRequest | None
    has_administrators: bool = True
    account_name: str | None = None
