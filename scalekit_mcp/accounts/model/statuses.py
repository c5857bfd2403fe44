r"""The state machine of a connected account: every status, every reason, every transition and its cause.

```
            consent                      refusal of a refresh (the same person can repair it)
 PENDING ------------> ACTIVE ------------------------------------------------------> EXPIRED
    |                  ^  |  \\                                                          |
    |  (attempts move  |  |   `--- refusal of a refresh (somebody took it away) --> REVOKED
    |   the reason)    |  |                                                          ^   |
    |                  |  `--- disconnect -------------------------------------------'   |
    |                  `------------------------------- consent <--------- EXPIRED, REVOKED
    `--- disconnect ------------------------------------------------------------> REVOKED
```

A change of status exists only as a `StatusChange`, and `StatusChange` refuses what this table does not hold; the
vault takes nothing else, and its schema checks the pairs of status and reason once more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from scalekit_mcp.accounts.model.records import (
    AccountStatus,
    AttemptState,
    AttemptSummary,
    ConnectedAccount,
    HistoryEntry,
    Reason,
)
from scalekit_mcp.errors import WhoActs

STATUS_REASONS: dict[AccountStatus, frozenset[Reason | None]] = {
    AccountStatus.PENDING: frozenset(
        {
            Reason.NEVER_AUTHORIZED,
            Reason.AWAITING_CONSENT,
            Reason.AWAITING_CONFIRMATION,
            Reason.ADMIN_APPROVAL_REQUIRED,
            Reason.CONSENT_DECLINED,
        }
    ),
    AccountStatus.ACTIVE: frozenset({None}),
    AccountStatus.EXPIRED: frozenset(
        {
            Reason.INACTIVE,
            Reason.INTERACTION_REQUIRED,
            Reason.POLICY_BLOCKED,
            Reason.GRANT_EXPIRED,
            Reason.CONNECTION_CHANGED,
            Reason.UNKNOWN,
        }
    ),
    AccountStatus.REVOKED: frozenset(
        {
            Reason.GRANT_REVOKED,
            Reason.GRANT_REVOKED_BY_USER,
            Reason.GRANT_REVOKED_BY_ADMIN,
            Reason.ACCOUNT_DISABLED,
            Reason.ACCOUNT_DELETED,
            Reason.APP_DISABLED,
            Reason.DISCONNECTED,
        }
    ),
}
"""Which reasons a status may have; ACTIVE has none."""

WHO_ACTS: dict[Reason | None, WhoActs] = {
    None: "nobody",
    Reason.NEVER_AUTHORIZED: "user",
    Reason.AWAITING_CONSENT: "user",
    Reason.AWAITING_CONFIRMATION: "user",
    Reason.ADMIN_APPROVAL_REQUIRED: "it_admin",
    Reason.CONSENT_DECLINED: "user",
    Reason.INACTIVE: "user",
    Reason.INTERACTION_REQUIRED: "user",
    Reason.POLICY_BLOCKED: "it_admin",
    Reason.GRANT_EXPIRED: "user",
    Reason.CONNECTION_CHANGED: "user",
    Reason.UNKNOWN: "user",
    Reason.GRANT_REVOKED: "user",
    Reason.GRANT_REVOKED_BY_USER: "user",
    Reason.GRANT_REVOKED_BY_ADMIN: "it_admin",
    Reason.ACCOUNT_DISABLED: "it_admin",
    Reason.ACCOUNT_DELETED: "it_admin",
    Reason.APP_DISABLED: "it_admin",
    Reason.DISCONNECTED: "user",
}
"""Who acts by default; a provider's refusal may name somebody else."""


class Cause(StrEnum):
    """Why a status or a reason changes."""

    CREATED = "created"
    LINK_GIVEN = "link_given"
    SIGN_IN_STARTED = "sign_in_started"
    TOKENS_HELD = "tokens_held"
    CONSENT_DECLINED = "consent_declined"
    ADMIN_APPROVAL_NEEDED = "admin_approval_needed"
    ATTEMPT_ENDED = "attempt_ended"
    CONSENTED = "consented"
    REFRESH_REFUSED = "refresh_refused"
    REFRESH_IMPOSSIBLE = "refresh_impossible"
    CONNECTION_CHANGED = "connection_changed"
    DISCONNECTED = "disconnected"
    DELETED = "deleted"


_P, _A, _E, _R = AccountStatus.PENDING, AccountStatus.ACTIVE, AccountStatus.EXPIRED, AccountStatus.REVOKED
_REFUSAL = STATUS_REASONS[_E] | (STATUS_REASONS[_R] - {Reason.DISCONNECTED})

TRANSITIONS: dict[Cause, tuple[frozenset[AccountStatus], frozenset[Reason | None]]] = {
    Cause.LINK_GIVEN: (frozenset({_P}), frozenset({Reason.AWAITING_CONSENT})),
    Cause.SIGN_IN_STARTED: (frozenset({_P}), frozenset({Reason.AWAITING_CONSENT})),
    Cause.TOKENS_HELD: (frozenset({_P}), frozenset({Reason.AWAITING_CONFIRMATION})),
    Cause.CONSENT_DECLINED: (frozenset({_P}), frozenset({Reason.CONSENT_DECLINED})),
    Cause.ADMIN_APPROVAL_NEEDED: (frozenset({_P}), frozenset({Reason.ADMIN_APPROVAL_REQUIRED})),
    Cause.ATTEMPT_ENDED: (frozenset({_P}), frozenset({Reason.NEVER_AUTHORIZED})),
    Cause.CONSENTED: (frozenset({_P, _A, _E, _R}), frozenset({None})),
    Cause.REFRESH_REFUSED: (frozenset({_A}), _REFUSAL),
    Cause.REFRESH_IMPOSSIBLE: (frozenset({_A}), frozenset({Reason.GRANT_EXPIRED})),
    Cause.CONNECTION_CHANGED: (frozenset({_A}), frozenset({Reason.CONNECTION_CHANGED})),
    Cause.DISCONNECTED: (frozenset({_P, _A, _E, _R}), frozenset({Reason.DISCONNECTED})),
}
"""From which statuses a cause may move an account, and to which reasons; the reason decides the status."""

_STATUS_OF: dict[Reason | None, AccountStatus] = {
    reason: status for status, reasons in STATUS_REASONS.items() for reason in reasons
}


class IllegalTransitionError(Exception):
    """A status change that the table of transitions does not allow; an error in this program."""


@dataclass(frozen=True, slots=True)
class StatusChange:
    """A legal change of one account: `before`, `after`, why, and the provider's code if it said one."""

    before: ConnectedAccount
    after: ConnectedAccount
    cause: Cause
    code: str | None = None

    def __post_init__(self) -> None:
        origins, reasons = TRANSITIONS[self.cause]
        if (
            self.before.id != self.after.id
            or self.before.status not in origins
            or self.after.reason not in reasons
            or self.after.reason not in STATUS_REASONS[self.after.status]
        ):
            raise IllegalTransitionError(
                f"{self.before.status}/{self.before.reason} -> {self.after.status}/{self.after.reason} by {self.cause}"
            )

    @property
    def visible(self) -> bool:
        """Whether status or reason differ at all."""
        return (self.before.status, self.before.reason) != (self.after.status, self.after.reason)

    def entry(self) -> HistoryEntry:
        """The line of the history."""
        return HistoryEntry(
            at=self.after.updated_at,
            account_id=self.after.id,
            connection_name=self.after.connection_name,
            identifier=self.after.identifier,
            old_status=self.before.status,
            new_status=self.after.status,
            old_reason=self.before.reason,
            new_reason=self.after.reason,
            cause=self.cause,
            code=self.code,
        )


def change(
    account: ConnectedAccount,
    cause: Cause,
    *,
    reason: Reason | None,
    at: datetime,
    who_acts: WhoActs | None = None,
    code: str | None = None,
) -> StatusChange:
    """Move `account` by `cause` to `reason` (None: ACTIVE). The version grows by one.

    Raises:
        IllegalTransitionError: the table does not hold the step.
    """
    after = replace(
        account,
        status=_STATUS_OF[reason],
        reason=reason,
        who_acts=who_acts or WHO_ACTS[reason],
        updated_at=at,
        version=account.version + 1,
        epoch=account.version + 1,
    )
    return StatusChange(account, after, cause, code)


def status_of(reason: Reason | None) -> AccountStatus:
    """The status that a reason belongs to."""
    return _STATUS_OF[reason]


_OF_AN_ATTEMPT = frozenset({Reason.AWAITING_CONSENT, Reason.AWAITING_CONFIRMATION})


def attempt_in_progress(attempt: AttemptSummary | None, now: datetime) -> AttemptSummary | None:
    """The live attempt, unless its time is over."""
    return attempt if attempt is not None and attempt.expires_at > now else None


def as_shown(account: ConnectedAccount, attempt: AttemptSummary | None, now: datetime) -> ConnectedAccount:
    """The account with the reason to show: an attempt that ran out without an outcome no longer counts."""
    if account.reason not in _OF_AN_ATTEMPT:
        return account
    running = attempt_in_progress(attempt, now)
    if running is None:
        return replace(account, reason=Reason.NEVER_AUTHORIZED, who_acts="user")
    if account.reason is Reason.AWAITING_CONFIRMATION and running.state is not AttemptState.HELD:
        return replace(account, reason=Reason.AWAITING_CONSENT, who_acts="user")
    return account
