"""The results of the calls of `Actions`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from scalekit_mcp.accounts import AttemptState, AuthorizationOutcome, AuthorizationPrompt, CallsStopped, OutcomeKind
from scalekit_mcp.clock import rfc3339
from scalekit_mcp.errors import WhoActs

__all__ = [
    "AttemptState",
    "AuthorizationLinkResponse",
    "AuthorizationOutcome",
    "AuthorizationPrompt",
    "CallsStopped",
    "ConnectedAccountResponse",
    "ConnectedAccountView",
    "GrantView",
    "ListConnectedAccountsResponse",
    "OutcomeKind",
    "ToolResult",
]


@dataclass(frozen=True, slots=True)
class ConnectedAccountView:
    """A connected account as all interfaces show it; holds no token.

    `status`, `reason` and `who_acts` are the words of `scalekit_mcp.accounts`. `attempt_state` and
    `attempt_expires_at` describe an authorization in progress. `held` is true while tokens wait for a confirmation.
    `calls_stopped` says why no call is made although the account itself may be ACTIVE (its tenant disabled the
    application, Microsoft refuses the connection); `reason` and `who_acts` are then those of the stop.
    """

    id: str
    connection_name: str
    identifier: str
    status: str
    reason: str | None
    who_acts: WhoActs
    mailbox: str | None = None
    display_name: str | None = None
    granted_scopes: tuple[str, ...] = ()
    token_expires_at: datetime | None = None
    last_used_at: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    last_authorization_error: str | None = None
    attempt_state: str | None = None
    attempt_expires_at: datetime | None = None
    held: bool = False
    calls_stopped: CallsStopped | None = None


@dataclass(frozen=True, slots=True)
class GrantView:
    """One app that may use an account, because its person signed in there; holds no token and no hash.

    `client_name` is what the app calls itself, `client_host` is where its answers go. `client_kind` is `document` where
    a host published who the app is, `registration` where the app said so itself. `grant` is the id to end it by.
    """

    grant: str
    client_name: str
    client_host: str
    client_kind: str
    scopes: tuple[str, ...]
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime

    def to_dict(self) -> dict[str, Any]:
        """For a program: instants as RFC 3339 writes them."""
        return {
            "grant": self.grant,
            "client_name": self.client_name,
            "client_host": self.client_host,
            "client_kind": self.client_kind,
            "scopes": list(self.scopes),
            "created_at": rfc3339(self.created_at),
            "last_used_at": rfc3339(self.last_used_at),
            "expires_at": rfc3339(self.expires_at),
        }


@dataclass(frozen=True, slots=True)
class ConnectedAccountResponse:
    """An account, in the wrapper that published samples read: `response.connected_account.status`.

    `grants` are the apps that may use it, last used first; `get_connected_account` alone looks for them.
    """

    connected_account: ConnectedAccountView
    grants: tuple[GrantView, ...] = ()


@dataclass(frozen=True, slots=True)
class ListConnectedAccountsResponse:
    """One page of accounts; `next_page_token` is None on the last."""

    connected_accounts: tuple[ConnectedAccountView, ...]
    total_size: int
    next_page_token: str | None = None


@dataclass(frozen=True, slots=True)
class AuthorizationLinkResponse:
    """The authorization link. `expires_at` is an aware datetime in UTC; `expiry` is its name in published samples."""

    link: str
    expires_at: datetime
    admin_consent_url: str | None = None
    attempt_id: str | None = None

    @property
    def expiry(self) -> datetime:
        """The same instant under the name that Scalekit's SDK uses."""
        return self.expires_at


class ToolResult(dict[str, Any]):
    """A tool's answer: the Graph-shaped dictionary itself, and the same under `.data` as published samples read it."""

    execution_id: str | None = None

    @property
    def data(self) -> dict[str, Any]:
        """The dictionary itself."""
        return self
