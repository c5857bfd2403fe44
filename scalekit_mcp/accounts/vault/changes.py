"""What is written into the vault: changes, all or nothing.

Everything that must happen together is one `commit` of several changes; each change names the version it was decided
on, and if one no longer holds, none is written and `commit` answers False: the caller reads again and decides again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum

from scalekit_mcp.accounts.model.grants import ClientGrant, GrantEnd, RefreshToken, SignIn
from scalekit_mcp.accounts.model.records import (
    Attempt,
    ConnectedAccount,
    StoredAccount,
    TenantMark,
    TokenSet,
)
from scalekit_mcp.accounts.model.statuses import StatusChange


class Keep(Enum):
    """Leave the sealed tokens as they are."""

    TOKENS = "tokens"


KEEP = Keep.TOKENS


@dataclass(frozen=True, slots=True)
class ChangeStatus:
    """Write a legal change of an account on the version it was decided on, with new tokens, none, or the old ones.

    The lease ends. Holds only while nobody else changed the account.
    """

    change: StatusChange
    tokens: TokenSet | Keep | None = field(default=KEEP, repr=False)


@dataclass(frozen=True, slots=True)
class SaveTokens:
    """Write refreshed tokens. Holds only while `account.version` is the stored one and `owner` has the lease.

    The version grows by one and the lease ends.
    """

    account: ConnectedAccount
    tokens: TokenSet = field(repr=False)
    owner: str
    at: datetime

    def applied(self, before: StoredAccount) -> StoredAccount:
        """What the vault holds once this was written, and a mark of the tenant was cleared with it."""
        return StoredAccount(self.saved(), self.tokens, attempt=before.attempt)

    def saved(self) -> ConnectedAccount:
        """The account as it is written."""
        return replace(
            self.account,
            version=self.account.version + 1,
            updated_at=self.at,
            last_used_at=self.at,
            granted_scopes=self.tokens.granted_scopes,
            token_expires_at=self.tokens.expires_at,
            pending_claims=None,
            tokens_version=self.account.version + 1,
        )


@dataclass(frozen=True, slots=True)
class TakeLease:
    """Take the lease for a refresh. Written only if `version` is the stored one and no other lease runs."""

    account_id: str
    version: int
    owner: str
    now: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class RenewLease:
    """Extend the lease. Written only if `owner` still has it."""

    account_id: str
    owner: str
    until: datetime


@dataclass(frozen=True, slots=True)
class ReleaseLease:
    """Give the lease back without a result; nobody tries again before `refresh_not_before`."""

    account_id: str
    owner: str
    refresh_not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class NoteAccount:
    """Write information that decides nothing, without a new version, so that a refresh in progress is not disturbed."""

    account_id: str
    last_used_at: datetime | None = None
    last_authorization_error: str | Keep | None = KEEP
    pending_claims: str | Keep | None = KEEP


@dataclass(frozen=True, slots=True)
class InsertAttempt:
    """Store a new live attempt. Holds only while its account has no other live one."""

    attempt: Attempt


@dataclass(frozen=True, slots=True)
class SaveAttempt:
    """Write an attempt whose stored version is `attempt.version`; the stored version grows by one."""

    attempt: Attempt


@dataclass(frozen=True, slots=True)
class MarkTenant:
    """Mark a tenant, or move the next trial of a marked one."""

    mark: TenantMark


@dataclass(frozen=True, slots=True)
class ClaimTrial:
    """Take the hourly trial of a marked tenant. Holds only while `mark` is the stored one."""

    mark: TenantMark
    next_trial_at: datetime

    def claimed(self) -> TenantMark:
        """The mark as it is written."""
        return replace(self.mark, next_trial_at=self.next_trial_at)


@dataclass(frozen=True, slots=True)
class ClearTenant:
    """Forget the mark of a tenant."""

    connection_name: str
    tid: str


@dataclass(frozen=True, slots=True)
class InsertSignIn:
    """Store a new sign-in; the open ones of the same browser for the same request end."""

    sign_in: SignIn


@dataclass(frozen=True, slots=True)
class SaveSignIn:
    """Write a sign-in whose stored version is `sign_in.version`; the stored version grows by one."""

    sign_in: SignIn


@dataclass(frozen=True, slots=True)
class InsertGrant:
    """Store a new grant with its first refresh token. Holds only while its account is ACTIVE.

    Of the account's live grants the least recently used end, so that at most `MOST_GRANTS` are left.
    """

    grant: ClientGrant
    token: RefreshToken | None = None


@dataclass(frozen=True, slots=True)
class ReplaceRefreshToken:
    """Count a use of `token` and store its successor. Holds only while `token` is as it was read and its grant lives.

    The grant lives until the successor runs out; its `last_used_at` is written at most once an hour.
    """

    token: RefreshToken
    successor: RefreshToken
    at: datetime

    def used(self) -> RefreshToken:
        """The token as it is written: replaced now, or tried once more after that."""
        if self.token.replaced_at is None:
            return replace(self.token, replaced_at=self.at)
        return replace(self.token, retries=self.token.retries + 1)


@dataclass(frozen=True, slots=True)
class EndGrant:
    """End one grant. Holds only while it has not ended."""

    grant: ClientGrant
    why: GrantEnd
    at: datetime


@dataclass(frozen=True, slots=True)
class EndGrantsOf:
    """End all live grants of an account."""

    account_id: str
    why: GrantEnd
    at: datetime


Change = (
    ChangeStatus
    | SaveTokens
    | TakeLease
    | RenewLease
    | ReleaseLease
    | NoteAccount
    | InsertAttempt
    | SaveAttempt
    | MarkTenant
    | ClaimTrial
    | ClearTenant
    | InsertSignIn
    | SaveSignIn
    | InsertGrant
    | ReplaceRefreshToken
    | EndGrant
    | EndGrantsOf
)


class SignInKey(Enum):
    """By what a sign-in is found."""

    ID = "id"
    STATE = "state_sha256"
    CODE = "code_sha256"


class AttemptKey(Enum):
    """By what an attempt is found; the last four are SHA-256 in hexadecimal or ids."""

    TICKET = "ticket_sha256"
    STATE = "state_sha256"
    AUTH_REQUEST = "auth_request_sha256"
    LIVE_ACCOUNT = "live_account_id"


@dataclass(frozen=True, slots=True)
class ResealStep:
    """One step of a rotation: how many records were sealed anew, could not be opened, and are still to do.

    `after` is where the next step begins; None when the walk is over.
    """

    resealed: int
    unreadable: int
    remaining: int
    after: str | None
