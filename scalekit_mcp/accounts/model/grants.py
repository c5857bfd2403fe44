"""Sign-ins that apps begin, and the grants that come of them: who may use an account, through which app.

An *app* (a client, in the words of OAuth) is known here by hashes of its id and secret and by what people are shown
of it. A grant is one app's right to act for one account; refresh tokens belong to a grant and end with it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from scalekit_mcp.accounts.model.records import AccountKey


class ClientKind(StrEnum):
    """How an app said who it is: by a document on its own host, or by registering itself here."""

    DOCUMENT = "document"
    REGISTRATION = "registration"


@dataclass(frozen=True, slots=True)
class Client:
    """An app as a grant remembers it. `host` is where its answers go; `secret_sha256` is None for one without."""

    id_sha256: str = field(repr=False)
    secret_sha256: str | None = field(repr=False)
    name: str
    host: str
    kind: ClientKind


class SignInState(StrEnum):
    """Where a sign-in stands."""

    AT_PROVIDER = "at_provider"
    TAKEN = "taken"
    FAILED = "failed"
    CODE_ISSUED = "code_issued"
    REDEEMED = "redeemed"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class SignInRequest:
    """What an app asked for, once it was checked: all that the sign-in needs to end at that app.

    `redirect_uri_given` is whether the request itself named the redirect URI. `state` is the app's own, returned as it
    came. `scopes` are those of the grant; `refreshes` says whether the app may hold refresh tokens.
    """

    client: Client
    redirect_uri: str = field(repr=False)
    code_challenge: str = field(repr=False)
    scopes: tuple[str, ...]
    state: str | None = field(default=None, repr=False)
    redirect_uri_given: bool = True
    refreshes: bool = True


@dataclass(frozen=True, slots=True)
class SignInSecrets:
    """What a sign-in must not show; stored sealed, and emptied of what is no longer needed at each step."""

    state: str | None = field(default=None, repr=False)
    nonce: str | None = field(default=None, repr=False)
    code_verifier: str | None = field(default=None, repr=False)
    account: AccountKey | None = None


@dataclass(frozen=True, slots=True)
class SignIn:
    """One sign-in in progress, begun by an app in a browser.

    It is found by hashes of what comes back: the `state` from the provider, the code from the app. `request_sha256`
    tells which of the sign-ins of one browser ask for the same.
    """

    id: str
    status: SignInState
    browser_sha256: str = field(repr=False)
    request_sha256: str = field(repr=False)
    created_at: datetime
    expires_at: datetime
    request: SignInRequest = field(repr=False)
    state_sha256: str | None = field(default=None, repr=False)
    code_sha256: str | None = field(default=None, repr=False)
    grant_id: str | None = None
    wrong_tries: int = 0
    version: int = 0
    secrets: SignInSecrets = field(default_factory=SignInSecrets, repr=False)


class GrantEnd(StrEnum):
    """Why a grant ended. A closed list."""

    REVOKED_BY_APP = "revoked_by_app"
    ENDED_BY_OPERATOR = "ended_by_operator"
    DISCONNECTED = "disconnected"
    TENANT_NOT_ALLOWED = "tenant_not_allowed"
    CODE_REUSED = "code_reused"
    REFRESH_TOKEN_REUSED = "refresh_token_reused"  # noqa: S105 - a word, not a token
    TOO_MANY = "too_many"
    ACCOUNT_DELETED = "account_deleted"
    """Never stored: the grants of a deleted account are removed with it."""


@dataclass(frozen=True, slots=True)
class ClientGrant:
    """One app's right to act for one account. `expires_at` is when the last token of it runs out."""

    id: str
    account_id: str
    connection_name: str
    identifier: str
    client: Client
    scopes: tuple[str, ...]
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    ended_at: datetime | None = None
    ended_why: GrantEnd | None = None

    @property
    def key(self) -> AccountKey:
        """Which account it is for."""
        return AccountKey(self.connection_name, self.identifier)

    def alive(self, now: datetime) -> bool:
        """Whether tokens of it are taken."""
        return self.ended_at is None and now < self.expires_at


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A refresh token, by its hash. `replaced_at` is when it was used first; `retries` counts uses after that."""

    sha256: str = field(repr=False)
    grant_id: str
    issued_at: datetime
    expires_at: datetime
    replaced_at: datetime | None = None
    retries: int = 0


@dataclass(frozen=True, slots=True)
class GrantTokens:
    """A grant and the refresh token just made for it, which nobody keeps; None where the app takes none."""

    grant: ClientGrant
    refresh_token: str | None = field(repr=False)
