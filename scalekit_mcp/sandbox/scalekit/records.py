"""What the look-alike of Scalekit remembers, and the switches of an experimenter."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from scalekit_mcp.sandbox.scalekit.services import Box


@dataclass(repr=False)
class HeldTokens:
    """What Microsoft's token endpoint gave."""

    access_token: str
    refresh_token: str | None
    expires_at: datetime


@dataclass(repr=False)
class Account:
    """One connected account; `status` is a name of the wire."""

    id: str
    connector: str
    identifier: str
    updated_at: datetime
    status: str = "PENDING_AUTH"
    tokens: HeldTokens | None = None
    last_used_at: datetime | None = None
    api_config: dict[str, Any] = field(default_factory=dict[str, Any])
    box: Box | None = None
    """What the account holds at a service that has no look-alike of its own."""


@dataclass(repr=False)
class Consent:
    """One magic link and the consent that it leads to."""

    account_id: str
    state: str | None
    user_verify_url: str | None
    expires_at: datetime
    opened: bool = False
    oauth_state: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    cookie: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    done: bool = False


@dataclass(repr=False)
class AuthRequest:
    """Tokens of a consent whose person is not verified yet."""

    account_id: str
    tokens: HeldTokens
    expires_at: datetime
    status_before: str


@dataclass
class Fault:
    """One switched failure of the REST API."""

    status: int | None = None
    grpc_code: int = 13
    error_code: str = "INTERNAL_ERROR"
    message: str = "switched failure"
    path_contains: str = ""
    body_contains: str = ""
    """What the request's body holds, such as the name of a tool."""
    method: str | None = None
    body: str | None = None
    """A raw body instead of the JSON error."""
    headers: dict[str, str] = field(default_factory=dict[str, str])
    tool_error: dict[str, str] | None = None
    apply: bool = False
    """Carry the request out, then answer with the failure."""
    drop: str | None = None
    """`before` or `after` the request is carried out: the connection is closed without an answer."""
    times: int = 1


@dataclass
class ScalekitSwitches:
    """What an experimenter may turn."""

    verification: str = "b2b"
    """`b2b`: tokens are held until `user/verify`; `none`: a consent activates the account."""
    link_seconds: int = 60
    auth_request_seconds: int = 600
    machine_token_seconds: int = 86_399
    page_size: int = 10
    """Accounts on a page when the caller names no `page_size`."""
    preview_routes: bool = True
    """Whether `:disconnect` answers for this API client."""
    tool_error_statuses: str = "provider"
    """`provider`: a refusal of Microsoft keeps its 401, 403, 404 and 429; `always_500`: it never does; `in_data`: the
    call succeeds with 200, and Microsoft's error stands in `data`."""
    wrapper: str = "plain"
    """How `data` holds the provider's answer: `plain`, `response` (under that name) or `text` (as JSON text)."""
    annotations: bool = True
    """Whether `data` keeps the provider's `@odata.nextLink` and its like."""
    scoped_before_consent: bool = False
    """Whether `/tools/scoped` shows a user the tools of a connection before the first consent."""
    most_tools_on_a_page: int = 50
    further_tools: dict[str, list[dict[str, Any]]] = field(default_factory=dict[str, list[dict[str, Any]]])
    """Definitions that are listed for a connection after its own; a call of one is answered with its parameters."""
    faults: list[Fault] = field(default_factory=list[Fault])


class Records:
    """All of it, in memory."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.consents: dict[str, Consent] = {}
        """By the token of the magic link."""
        self.auth_requests: dict[str, AuthRequest] = {}
        self.machine_tokens: dict[str, datetime] = {}
        """Access tokens of API clients and when they end."""

    def find(self, connector: str | None, identifier: str | None, account_id: str | None) -> Account | None:
        """The account by its id, or by connection and identifier."""
        if account_id:
            return self.accounts.get(account_id)
        for account in self.accounts.values():
            if account.identifier == identifier and connector in (None, "", account.connector):
                return account
        return None
