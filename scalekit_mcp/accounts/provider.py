"""What the account manager needs of a provider. Microsoft implements it in `scalekit_mcp.microsoft.identity.oauth`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, runtime_checkable

from scalekit_mcp.accounts.model.records import AccountStatus, ProviderAccount, Reason, TokenSet
from scalekit_mcp.errors import WhoActs
from scalekit_mcp.languages import Sentence


class GrantFault(StrEnum):
    """What an error of the provider means for the account."""

    PERMANENT = "permanent"
    """The grant is dead: `status`, `reason` and `who_acts` of the failure say what the account becomes."""
    TENANT = "tenant"
    """As `PERMANENT`, and it says something about the whole tenant of the account."""
    TRANSIENT = "transient"
    """Nothing is known about the grant; try again after `retry_after_seconds`."""
    MISCONFIGURED = "misconfigured"
    """The application or its secret is wrong: the operator acts, no account changes."""
    DECLINED = "declined"
    """The person pressed Cancel."""
    ADMIN_APPROVAL = "admin_approval"
    """The customer's IT has to approve the application first."""
    RESTART = "restart"
    """This attempt is spent (code used or expired, page left open); a new one can succeed."""
    OUR_FAULT = "our_fault"
    """The request was malformed."""


class GrantError(Exception):
    """An error of the provider in our own terms; it never holds a token, a code or the provider's raw answer.

    `code` is the provider's own number or word (`AADSTS50173`) for support; `message` and `next_step` are for a person.
    `claims` is a claims challenge (a JSON text) to be put into the next authorization. `whole_connection` says
    of a misconfiguration that it meets every account: the application's own credentials are refused.
    """

    def __init__(
        self,
        fault: GrantFault,
        message: Sentence,
        *,
        code: str,
        who_acts: WhoActs,
        next_step: Sentence,
        status: AccountStatus | None = None,
        reason: Reason | None = None,
        retry_after_seconds: float | None = None,
        claims: str | None = None,
        correlation_id: str | None = None,
        whole_connection: bool = False,
    ) -> None:
        super().__init__(message.key)
        self.fault = fault
        self.message = message
        self.code = code
        self.who_acts: WhoActs = who_acts
        self.next_step = next_step
        self.status = status
        self.reason = reason
        self.retry_after_seconds = retry_after_seconds
        self.claims = claims
        self.correlation_id = correlation_id
        self.whole_connection = whole_connection


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """The parameters of the provider's consent page (RFC 6749 section 4.1.1, RFC 7636 section 4.3)."""

    redirect_uri: str
    state: str = field(repr=False)
    nonce: str = field(repr=False)
    code_challenge: str = field(repr=False)
    scopes: tuple[str, ...]
    login_hint: str | None = None
    claims: str | None = None
    select_account: bool = False


@dataclass(frozen=True, slots=True)
class Grant:
    """A successful code redemption: the tokens and who signed in."""

    tokens: TokenSet
    account: ProviderAccount


class OAuthProvider(Protocol):
    """One configured provider application (a connection) as the manager sees it.

    All token requests are bounded to 20 s by the implementation and raise nothing but `GrantError`.
    """

    provider_name: str
    """What a page calls it: `Microsoft`."""
    client_id: str
    login_host: str
    scopes: tuple[str, ...]

    def authorization_url(self, request: AuthorizationRequest) -> str:
        """The address of the consent page."""
        ...

    def authorization_response_failure(self, query: dict[str, str]) -> GrantError:
        """Translate a callback query that carries `error` (RFC 6749 section 4.1.2.1)."""
        ...

    async def authorization_code_grant(
        self, *, code: str, redirect_uri: str, code_verifier: str, nonce: str, scopes: Sequence[str]
    ) -> Grant:
        """Redeem a code and validate the id_token: audience, issuer with tenant substituted, nonce, expiry."""
        ...

    async def refresh_token_grant(
        self, *, refresh_token: str, account: ProviderAccount, scopes: Sequence[str], claims: str | None = None
    ) -> TokenSet:
        """Get new tokens for a refresh token; `refresh_token` of the result is None when the provider sent none."""
        ...


@runtime_checkable
class AdminConsentProvider(Protocol):
    """A provider whose application an administrator can approve for a whole organization; not every one has that."""

    def admin_consent_url(self, *, tid: str | None, redirect_uri: str, state: str, scopes: Sequence[str]) -> str:
        """The address of that approval for the organization `tid`, or for the administrator's own if it is unknown."""
        ...
