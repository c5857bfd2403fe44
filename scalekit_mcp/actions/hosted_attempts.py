"""Authorizations in progress on hosted accounts: one live attempt per account, in this process.

An attempt holds no token. What a browser must not lose and nobody may read (the ticket, the id with which Scalekit
promotes the tokens it holds) is kept sealed; whatever a browser or a person brings is compared by its SHA-256.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from scalekit_mcp.accounts.model.records import AccountKey, AttemptState, UserVerification
from scalekit_mcp.accounts.vault.sealing import KeyRing, SealBroken, sha256_text
from scalekit_mcp.confirmation_code import new_code

ATTEMPT_SECONDS = 900
MIN_LINK_SECONDS = 180
CONFIRMATION_SECONDS = 600
WRONG_TRIES = 5
MOST_ATTEMPTS = 20_000


@dataclass(frozen=True, slots=True)
class HostedAttempt:
    """One authorization in progress. `expires_at` is an aware datetime in UTC.

    `status_before` is the account's status when it began. `error` is what the person was told last, without secrets.
    """

    id: str
    key: AccountKey
    state: AttemptState
    created_at: datetime
    expires_at: datetime
    verification: UserVerification
    link_base: str
    ticket_sha256: str = field(repr=False)
    sealed_ticket: str = field(repr=False)
    status_before: str = "PENDING"
    declined: bool = False
    error: str | None = None
    caller_state: str | None = field(default=None, repr=False)
    user_verify_url: str | None = None
    state_sha256: str | None = field(default=None, repr=False)
    state_used: bool = False
    browser_sha256: str | None = field(default=None, repr=False)
    confirmation_sha256: str | None = field(default=None, repr=False)
    sealed_request: str | None = field(default=None, repr=False)
    wrong_tries: int = 0


class HostedAttempts:
    """The newest attempt of every account, and the ways to find one."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring
        self._newest: dict[AccountKey, HostedAttempt] = {}

    def new(
        self,
        key: AccountKey,
        *,
        now: datetime,
        verification: UserVerification,
        link_base: str,
        status_before: str,
        caller_state: str | None,
        user_verify_url: str | None,
    ) -> HostedAttempt:
        """Begin an attempt; an earlier one of the account is superseded by it."""
        ticket = secrets.token_urlsafe(32)
        attempt = HostedAttempt(
            id="att_" + secrets.token_hex(12),
            key=key,
            state=AttemptState.LINK_GIVEN,
            created_at=now,
            expires_at=now + timedelta(seconds=ATTEMPT_SECONDS),
            verification=verification,
            link_base=link_base.rstrip("/"),
            ticket_sha256=sha256_text(ticket),
            sealed_ticket=self._seal("ticket", key, ticket),
            status_before=status_before,
            caller_state=caller_state,
            user_verify_url=user_verify_url,
        )
        self.save(attempt)
        return attempt

    def save(self, attempt: HostedAttempt) -> None:
        """Keep what became of an attempt."""
        self._newest.pop(attempt.key, None)
        if len(self._newest) >= MOST_ATTEMPTS:
            del self._newest[next(iter(self._newest))]
        self._newest[attempt.key] = attempt

    def newest(self, key: AccountKey) -> HostedAttempt | None:
        """The newest attempt of an account, however it ended."""
        return self._newest.get(key)

    def live(self, key: AccountKey, now: datetime) -> HostedAttempt | None:
        """The attempt of an account that may still succeed."""
        attempt = self._newest.get(key)
        ended = (AttemptState.SUCCEEDED, AttemptState.EXPIRED, AttemptState.SUPERSEDED)
        if attempt is None or attempt.state in ended or attempt.expires_at <= now:
            return None
        return attempt

    def is_present(self, attempt: HostedAttempt) -> bool:
        """Whether the attempt is still as it was read: nothing came in between."""
        return self._newest.get(attempt.key) is attempt

    def forget(self, key: AccountKey) -> None:
        """Remove what is known of an account."""
        self._newest.pop(key, None)

    def by_ticket(self, ticket: str) -> HostedAttempt | None:
        """The attempt whose link holds `ticket`."""
        sha256 = sha256_text(ticket)
        return next((attempt for attempt in self._newest.values() if attempt.ticket_sha256 == sha256), None)

    def by_state(self, state: str) -> HostedAttempt | None:
        """The attempt that sent `state` along."""
        sha256 = sha256_text(state)
        return next((attempt for attempt in self._newest.values() if attempt.state_sha256 == sha256), None)

    def ticket(self, attempt: HostedAttempt) -> str:
        """The ticket in the authorization link."""
        return self._open("ticket", attempt.key, attempt.sealed_ticket, attempt.created_at)

    def link(self, attempt: HostedAttempt) -> str:
        """The authorization link."""
        return f"{attempt.link_base}/connect/{self.ticket(attempt)}"

    def hold(self, attempt: HostedAttempt, auth_request_id: str, now: datetime) -> tuple[HostedAttempt, str]:
        """Keep the id sealed until its person is confirmed; the attempt as it is then, and the code for the page."""
        code = new_code()
        held = replace(
            attempt,
            state=AttemptState.HELD,
            expires_at=now + timedelta(seconds=CONFIRMATION_SECONDS),
            confirmation_sha256=code_sha256(attempt.id, code),
            sealed_request=self._seal("auth-request", attempt.key, auth_request_id),
            wrong_tries=0,
        )
        self.save(held)
        return held, code

    def held_request(self, attempt: HostedAttempt) -> str | None:
        """The id that `hold` kept."""
        if attempt.sealed_request is None:
            return None
        try:
            return self._open("auth-request", attempt.key, attempt.sealed_request, attempt.created_at)
        except SealBroken:
            return None

    def _seal(self, kind: str, key: AccountKey, text: str) -> str:
        return self._ring.seal_token(f"hosted-{kind}", _whose(key), {"text": text})

    def _open(self, kind: str, key: AccountKey, sealed: str, now: datetime) -> str:
        return str(self._ring.open_token(f"hosted-{kind}", _whose(key), sealed, now=now)["text"])


def _whose(key: AccountKey) -> str:
    return f"{key.connection_name}\n{key.identifier}"


def code_sha256(attempt_id: str, code: str) -> str:
    """What a confirmation code is compared by."""
    return sha256_text(f"{attempt_id}:{code}")
