"""What identity remembers between two requests: codes, refresh tokens, sign-ins in progress, browser sessions."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from scalekit_mcp.sandbox.world import Person, World

MOST_RECORDS = 50_000
V = TypeVar("V")


@dataclass(repr=False)
class AuthorizeRequest:
    """A validated authorization request."""

    client_id: str
    authority: str
    """The first segment of the path: `common`, a tenant id, ..."""
    redirect_uri: str
    scopes: frozenset[str]
    response_mode: str = "query"
    state: str | None = None
    nonce: str | None = None
    prompt: str | None = None
    login_hint: str | None = None
    domain_hint: str | None = None
    code_challenge: str | None = None
    code_challenge_method: str = "plain"
    claims: str | None = None
    client_info: bool = False
    kind: str = "code"
    """What ends it: `code`, `admin_v2`, `admin_v1` or `device`."""
    device_code: str | None = None


@dataclass(repr=False)
class Flow:
    """One sign-in in progress: what was asked, and how far the person has come."""

    id: str
    request: AuthorizeRequest
    started_at: datetime
    home: Person | None = None
    """The account that was chosen."""
    person: Person | None = None
    """The same account as seen by the tenant, a guest for instance."""
    mfa: bool = False
    device_confirmed: bool = False


@dataclass(repr=False)
class Grant:
    """What a person granted at one sign-in; codes and refresh tokens point to it."""

    person: Person
    home: Person
    client_id: str
    scopes: frozenset[str]
    authenticated_at: datetime
    authority: str
    mfa: bool = False
    claims: str | None = None
    nonce: str | None = None
    client_info: bool = False
    spa: bool = False


@dataclass(repr=False)
class AuthorizationCode:
    """One code: ten minutes, once."""

    grant: Grant
    redirect_uri: str
    code_challenge: str | None
    code_challenge_method: str
    expires_at: datetime
    used: bool = False


@dataclass(repr=False)
class RefreshToken:
    """One refresh token."""

    grant: Grant
    issued_at: datetime
    first_issued_at: datetime
    ended_by: int | None = None
    """The AADSTS number that its next use is answered with, once something ended it; 0: an answer without number."""
    ended_at: datetime | None = None


@dataclass(repr=False)
class DeviceRequest:
    """One device authorization (RFC 8628)."""

    device_code: str
    user_code: str
    client_id: str
    authority: str
    scopes: frozenset[str]
    expires_at: datetime
    interval_seconds: int
    last_polled_at: datetime | None = None
    state: str = "pending"
    grant: Grant | None = None


@dataclass
class AdminRequest:
    """Somebody asked the administrators to approve an application."""

    address: str
    client_id: str
    tenant_id: str
    scopes: list[str]
    justification: str
    number: int = 0
    state: str = "pending"
    """`pending`, `approved` or `denied`."""


@dataclass(repr=False)
class BrowserSession:
    """Who is signed in, in one browser."""

    homes: list[Person] = field(default_factory=list[Person])
    mfa: set[str] = field(default_factory=set[str])


class IdentityStore:
    """All of it, in memory."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.flows: dict[str, Flow] = {}
        self.codes: dict[str, AuthorizationCode] = {}
        self.refresh_tokens: dict[str, RefreshToken] = {}
        self.devices: dict[str, DeviceRequest] = {}
        self.sessions: dict[str, BrowserSession] = {}
        self.admin_requests: list[AdminRequest] = []

    def begin(self, request: AuthorizeRequest) -> Flow:
        """A new sign-in."""
        flow = Flow(id=secrets.token_urlsafe(24), request=request, started_at=self._world.clock.now())
        _bounded(self.flows)[flow.id] = flow
        return flow

    def add_code(self, code: AuthorizationCode) -> str:
        """Keep a code; its text is long and opaque as Microsoft's."""
        text = "1.A" + secrets.token_urlsafe(750)
        _bounded(self.codes)[text] = code
        return text

    def add_refresh_token(self, token: RefreshToken, *, personal: bool) -> str:
        """Keep a refresh token; its text."""
        text = ("M.C5" if personal else "1.A") + secrets.token_urlsafe(900)
        _bounded(self.refresh_tokens)[text] = token
        return text

    def session(self, key: str | None) -> tuple[str, BrowserSession]:
        """The browser session of a cookie, a new one for an unknown cookie."""
        if key is None or key not in self.sessions:
            key = secrets.token_urlsafe(24)
            _bounded(self.sessions)[key] = BrowserSession()
        return key, self.sessions[key]

    def end_refresh_tokens(self, person: Person, code: int, *, client_id: str | None = None) -> int:
        """End every refresh token of a person (by own account or as a guest) with an AADSTS number; how many."""
        ended = 0
        for token in self.refresh_tokens.values():
            if token.ended_by is None and (token.grant.person is person or token.grant.home is person):
                if client_id is not None and token.grant.client_id != client_id:
                    continue
                token.ended_by, token.ended_at = code, self._world.clock.now()
                ended += 1
        return ended

    def sign_out(self, person: Person) -> None:
        """End the person's sign-in in every browser; others signed in there stay."""
        for session in self.sessions.values():
            session.homes[:] = [home for home in session.homes if home is not person]


def _bounded(records: dict[str, V]) -> dict[str, V]:
    if len(records) >= MOST_RECORDS:
        del records[next(iter(records))]
    return records
