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
    "VerifiedUserResponse",
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
    provider: str = "OUTLOOK"
    """Scalekit's key of the service behind the connection."""

    @property
    def connector(self) -> str:
        """The connection's name under the name that Scalekit's SDK uses."""
        return self.connection_name

    @property
    def authorization_type(self) -> str:
        """Scalekit's word for how the account was authorized."""
        return "OAUTH"

    @property
    def authorization_details(self) -> None:
        """Where Scalekit's SDK has the tokens; they never leave."""
        return

    @property
    def api_config(self) -> dict[str, Any]:
        """The configuration of the account, which has none."""
        return {}

    def to_dict(self) -> dict[str, Any]:
        """For a program: the members that Scalekit's SDK has, and the reason; instants as RFC 3339 writes them."""
        instants = {
            "token_expires_at": self.token_expires_at,
            "updated_at": self.updated_at,
            "last_used_at": self.last_used_at,
        }
        return {
            "id": self.id,
            "identifier": self.identifier,
            "provider": self.provider,
            "connector": self.connector,
            "status": self.status,
            "reason": self.reason,
            "who_acts": self.who_acts,
            "authorization_type": self.authorization_type,
            "authorization_details": None,
            "api_config": self.api_config,
            **{name: None if instant is None else rfc3339(instant) for name, instant in instants.items()},
        }


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

    def to_dict(self) -> dict[str, Any]:
        """For a program."""
        return {"connected_account": self.connected_account.to_dict()}


@dataclass(frozen=True, slots=True)
class VerifiedUserResponse(ConnectedAccountResponse):
    """The account whose person was verified; Scalekit's SDK has an address to go on to here, which is always None."""

    post_user_verify_redirect_url: None = None


@dataclass(frozen=True, slots=True)
class ListConnectedAccountsResponse:
    """One page of accounts; `next_page_token` is None on the last."""

    connected_accounts: tuple[ConnectedAccountView, ...]
    total_size: int
    next_page_token: str | None = None

    @property
    def total_count(self) -> int:
        """The number of all accounts under the name that Scalekit's SDK uses."""
        return self.total_size

    @property
    def previous_page_token(self) -> None:
        """Pages go forward only."""
        return

    def to_dict(self) -> dict[str, Any]:
        """For a program."""
        return {
            "connected_accounts": [account.to_dict() for account in self.connected_accounts],
            "total_count": self.total_size,
            "next_page_token": self.next_page_token,
            "previous_page_token": None,
        }


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

    def to_dict(self) -> dict[str, Any]:
        """For a program."""
        return {"link": self.link, "expiry": rfc3339(self.expires_at)}


class ToolResult(dict[str, Any]):
    """A tool's answer: the Graph-shaped dictionary itself, and the same under `.data` as published samples read it."""

    execution_id: str | None = None

    @property
    def data(self) -> dict[str, Any]:
        """The dictionary itself."""
        return self

    def to_dict(self) -> dict[str, Any]:
        """For a program, in the form that Scalekit's SDK has."""
        return {"data": dict(self), "execution_id": self.execution_id}
