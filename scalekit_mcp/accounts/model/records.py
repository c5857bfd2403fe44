"""The records of accounts: connected account, token set, attempt, and the values that they are made of."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from scalekit_mcp.errors import WhoActs
from scalekit_mcp.identifiers import check_identifier

KEPT_ELSEWHERE = "elsewhere:"
"""Prefix of the connection name of accounts whose tokens Scalekit keeps; the vault holds only their attempts."""


class AccountStatus(StrEnum):
    """Whether calls may be made with an account."""

    PENDING = "PENDING"
    ACTIVE = "ACTIVE"
    EXPIRED = "EXPIRED"
    REVOKED = "REVOKED"


class Reason(StrEnum):
    """Why an account is not ACTIVE. A closed list."""

    NEVER_AUTHORIZED = "never_authorized"
    AWAITING_CONSENT = "awaiting_consent"
    AWAITING_CONFIRMATION = "awaiting_confirmation"
    ADMIN_APPROVAL_REQUIRED = "admin_approval_required"
    CONSENT_DECLINED = "consent_declined"

    INACTIVE = "inactive"
    INTERACTION_REQUIRED = "interaction_required"
    POLICY_BLOCKED = "policy_blocked"
    GRANT_EXPIRED = "grant_expired"
    CONNECTION_CHANGED = "connection_changed"
    UNKNOWN = "unknown"

    GRANT_REVOKED = "grant_revoked"
    GRANT_REVOKED_BY_USER = "grant_revoked_by_user"
    GRANT_REVOKED_BY_ADMIN = "grant_revoked_by_admin"
    ACCOUNT_DISABLED = "account_disabled"
    ACCOUNT_DELETED = "account_deleted"
    APP_DISABLED = "app_disabled"
    DISCONNECTED = "disconnected"


@dataclass(frozen=True, slots=True)
class AccountKey:
    """Identifies an account: connection name and user identifier. Raises `InvalidInput` for an invalid identifier."""

    connection_name: str
    identifier: str

    def __post_init__(self) -> None:
        check_identifier(self.identifier)


@dataclass(frozen=True, slots=True)
class ExpectedPerson:
    """Who is expected to sign in, as far as the caller's own credential says: an address, an account as (tid, oid).

    Whoever signs in and matches one of them needs no confirmation code.
    """

    login_hint: str | None = None
    account: tuple[str, str] | None = None


NOBODY_EXPECTED = ExpectedPerson()


class UserVerification(StrEnum):
    """How it is checked that the person who consents is the person who asked."""

    OFF = "off"
    CONFIRM = "confirm"
    URL = "url"


@dataclass(frozen=True, slots=True)
class ProviderAccount:
    """The provider account that signed in. Only `key` identifies it; names and addresses can pass to another person."""

    tid: str
    oid: str
    preferred_username: str | None = None
    mail: str | None = None
    user_principal_name: str | None = None
    display_name: str | None = None
    personal: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """The pair (`tid`, `oid`), which identifies the account and never changes."""
        return (self.tid, self.oid)

    @property
    def mailbox(self) -> str | None:
        """The mail address to show to people."""
        return self.mail or self.preferred_username or self.user_principal_name


@dataclass(frozen=True, slots=True)
class TokenSet:
    """The tokens of one answer of a token endpoint; `expires_at` is aware, in UTC. A `repr` shows no token."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_at: datetime
    granted_scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConnectedAccount:
    """The record of one identifier on one connection; holds no token.

    `version` grows by one with every change and is what compare-and-swap compares. `epoch` is the version of the last
    change of status, `tokens_version` that of the last write of tokens (None without tokens); the vault sets both.
    """

    id: str
    connection_name: str
    identifier: str
    status: AccountStatus
    reason: Reason | None
    who_acts: WhoActs
    created_at: datetime
    updated_at: datetime
    version: int = 0
    provider_account: ProviderAccount | None = None
    granted_scopes: tuple[str, ...] = ()
    client_id: str | None = None
    login_host: str | None = None
    token_expires_at: datetime | None = None
    last_used_at: datetime | None = None
    last_authorization_error: str | None = None
    pending_claims: str | None = None
    epoch: int = field(default=0, compare=False)
    tokens_version: int | None = field(default=None, compare=False)

    @property
    def key(self) -> AccountKey:
        """Which account it is."""
        return AccountKey(self.connection_name, self.identifier)


class AttemptState(StrEnum):
    """The state of an authorization attempt."""

    LINK_GIVEN = "link_given"
    AT_PROVIDER = "at_provider"
    HELD = "held"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class HeldGrant:
    """Tokens that cannot be used until the person who consented is confirmed."""

    tokens: TokenSet
    account: ProviderAccount


@dataclass(frozen=True, slots=True)
class HeldRequest:
    """A request whose tokens Scalekit holds until the person is confirmed: its id, and the status before it."""

    auth_request_id: str = field(repr=False)
    status_before: str | None = None

    @property
    def account(self) -> None:
        """None: the service that holds the tokens does not tell who signed in."""
        return None


Held = HeldGrant | HeldRequest
"""The result of `Keeper.redeem`, which `Keeper.accept` takes after the person is confirmed."""


@dataclass(frozen=True, slots=True)
class AttemptSecrets:
    """The secret part of an attempt; stored sealed, and deleted when the attempt ends."""

    ticket: str | None = field(default=None, repr=False)
    state: str | None = field(default=None, repr=False)
    nonce: str | None = field(default=None, repr=False)
    code_verifier: str | None = field(default=None, repr=False)
    browser_sha256: str | None = field(default=None, repr=False)
    confirmation_sha256: str | None = field(default=None, repr=False)
    link_base: str = ""
    admin_redirect_uri: str = ""
    scopes: tuple[str, ...] = ()
    login_hint: str | None = None
    expected_account: tuple[str, str] | None = None
    caller_state: str | None = field(default=None, repr=False)
    user_verify_url: str | None = None
    status_before: str | None = None
    held: Held | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One authorization in progress.

    `live` is true while it is the one attempt of its account that may still succeed. `state_used` is true once a
    callback brought the present `state`; a further start replaces the `state`. The `*_sha256` columns are the only
    way to find an attempt by what a browser brings.
    """

    id: str
    account_id: str
    connection_name: str
    identifier: str
    state: AttemptState
    created_at: datetime
    expires_at: datetime
    redirect_uri: str
    verification: UserVerification
    reconnect: bool = False
    live: bool = True
    state_used: bool = False
    wrong_tries: int = 0
    version: int = 0
    ticket_sha256: str | None = field(default=None, repr=False)
    state_sha256: str | None = field(default=None, repr=False)
    auth_request_sha256: str | None = field(default=None, repr=False)
    secrets: AttemptSecrets = field(default_factory=AttemptSecrets, repr=False)

    @property
    def key(self) -> AccountKey:
        """Which account it connects."""
        return AccountKey(self.connection_name, self.identifier)

    def ended(self, state: AttemptState) -> Attempt:
        """A copy of the attempt that has ended in `state`, without its secrets."""
        return replace(self, state=state, live=False, secrets=AttemptSecrets())


@dataclass(frozen=True, slots=True)
class AttemptSummary:
    """What an account's record shows of its live attempt."""

    id: str
    state: AttemptState
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class TenantMark:
    """A mark that a whole tenant removed the application: its accounts make no calls, except one trial an hour."""

    connection_name: str
    tid: str
    code: str
    marked_at: datetime
    next_trial_at: datetime


@dataclass(frozen=True, slots=True)
class StoredAccount:
    """One record of the vault as it was read: the account, its tokens, its lease, its live attempt, its tenant."""

    account: ConnectedAccount
    tokens: TokenSet | None = field(default=None, repr=False)
    lease_owner: str | None = None
    lease_until: datetime | None = None
    refresh_not_before: datetime | None = None
    attempt: AttemptSummary | None = None
    tenant_mark: TenantMark | None = None


@dataclass(frozen=True, slots=True)
class CallsStopped:
    """Why no call is made with an account, whatever its own status: its tenant or the connection is refused."""

    message: str
    who_acts: WhoActs
    next_step: str
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class AccountView:
    """A connected account with the authorization in progress; what the manager's calls return.

    `account.reason` is already the one to show: an attempt that ran out no longer counts. `stopped` is set where no
    call is made although the account itself is in order.
    """

    account: ConnectedAccount
    attempt_state: AttemptState | None = None
    attempt_expires_at: datetime | None = None
    stopped: CallsStopped | None = None

    @property
    def held(self) -> bool:
        """Whether tokens wait for a confirmation."""
        return self.attempt_state is AttemptState.HELD


@dataclass(frozen=True, slots=True)
class DamagedAccount:
    """An account whose record cannot be read: what is known of it, why, and what next."""

    id: str
    connection_name: str
    identifier: str
    problem: CallsStopped


@dataclass(frozen=True, slots=True)
class AccountPage:
    """One page of accounts in the order of (connection_name, identifier); `next_page_token` is None on the last.

    An account whose record is damaged is named in its place and keeps no other from being listed.
    """

    accounts: tuple[AccountView | DamagedAccount, ...]
    total_size: int
    next_page_token: str | None = None


@dataclass(frozen=True, slots=True)
class AuthorizationLink:
    """The authorization link of the live attempt."""

    link: str = field(repr=False)
    expires_at: datetime
    admin_consent_url: str | None = field(repr=False)
    attempt_id: str


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One change of a status, kept for 400 days. `cause` is a word of `statuses.Cause`, `code` the provider's own."""

    at: datetime
    account_id: str
    connection_name: str
    identifier: str
    old_status: AccountStatus | None
    new_status: AccountStatus | None
    old_reason: Reason | None
    new_reason: Reason | None
    cause: str
    code: str | None = None


@dataclass(frozen=True, slots=True)
class AccountSettings:
    """The operator's choices about accounts, and durations in the units of their names."""

    user_verification: UserVerification = UserVerification.CONFIRM
    user_verify_url: str | None = None
    attempt_seconds: float = 900
    min_link_seconds: float = 180
    confirmation_seconds: float = 600
    refresh_leeway_seconds: float = 300
    lease_seconds: float = 10
    token_call_seconds: float = 20
    waiter_seconds: float = 30
    snapshot_seconds: float = 2
    history_days: int = 400
    admin_state_days: int = 30
    cool_down_seconds: float = 5
    misconfigured_seconds: float = 30
