"""The state machine: legal steps can be written, all others cannot."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from scalekit_mcp.accounts.model import texts
from scalekit_mcp.accounts.model.records import AccountStatus, AttemptState, AttemptSummary, ConnectedAccount, Reason
from scalekit_mcp.accounts.model.statuses import (
    STATUS_REASONS,
    TRANSITIONS,
    WHO_ACTS,
    Cause,
    IllegalTransitionError,
    StatusChange,
    as_shown,
    change,
    status_of,
)

NOW = datetime(2026, 3, 30, 9, 0, tzinfo=UTC)
PENDING = ConnectedAccount(
    id="ca_1",
    connection_name="outlook",
    identifier="ana",
    status=AccountStatus.PENDING,
    reason=Reason.NEVER_AUTHORIZED,
    who_acts="user",
    created_at=NOW,
    updated_at=NOW,
)
EVERY_STATE = [(status, reason) for status, reasons in STATUS_REASONS.items() for reason in sorted(reasons, key=str)]


def in_state(status: AccountStatus, reason: Reason | None) -> ConnectedAccount:
    return replace(PENDING, status=status, reason=reason, who_acts=WHO_ACTS[reason])


def test_every_reason_belongs_to_one_status_and_has_somebody_who_acts_and_words():
    every = [reason for _, reason in EVERY_STATE if reason is not None]
    assert sorted(every) == sorted(Reason)
    for reason in Reason:
        assert WHO_ACTS[reason] in {"user", "it_admin", "operator", "nobody"}
        assert "'ana'" in texts.sentence(reason, "ana") or reason is Reason.CONNECTION_CHANGED
        assert texts.next_step(reason)


@pytest.mark.parametrize("cause", sorted(TRANSITIONS))
def test_each_cause_leads_only_where_the_table_says(cause: Cause):
    origins, targets = TRANSITIONS[cause]
    for (status, reason), target in itertools.product(EVERY_STATE, [*Reason, None]):
        account = in_state(status, reason)
        if status in origins and target in targets:
            after = change(account, cause, reason=target, at=NOW).after
            assert (after.status, after.reason, after.version) == (status_of(target), target, 1)
        else:
            with pytest.raises(IllegalTransitionError):
                change(account, cause, reason=target, at=NOW)


def test_no_account_returns_to_pending_after_a_grant():
    for cause, (origins, targets) in TRANSITIONS.items():
        if targets & STATUS_REASONS[AccountStatus.PENDING]:
            assert origins == {AccountStatus.PENDING}, cause


def test_a_change_with_a_reason_of_another_status_cannot_be_built():
    active = in_state(AccountStatus.ACTIVE, None)
    with pytest.raises(IllegalTransitionError):
        StatusChange(PENDING, replace(active, reason=Reason.INACTIVE), Cause.CONSENTED)
    with pytest.raises(IllegalTransitionError):
        StatusChange(PENDING, replace(active, id="ca_2"), Cause.CONSENTED)


@pytest.mark.parametrize(
    ("reason", "state", "seconds_left", "shown"),
    [
        (Reason.AWAITING_CONSENT, AttemptState.LINK_GIVEN, 10, Reason.AWAITING_CONSENT),
        (Reason.AWAITING_CONSENT, AttemptState.LINK_GIVEN, 0, Reason.NEVER_AUTHORIZED),
        (Reason.AWAITING_CONSENT, None, 0, Reason.NEVER_AUTHORIZED),
        (Reason.AWAITING_CONFIRMATION, AttemptState.HELD, 10, Reason.AWAITING_CONFIRMATION),
        (Reason.AWAITING_CONFIRMATION, AttemptState.HELD, 0, Reason.NEVER_AUTHORIZED),
        (Reason.AWAITING_CONFIRMATION, AttemptState.LINK_GIVEN, 10, Reason.AWAITING_CONSENT),
        (Reason.CONSENT_DECLINED, None, 0, Reason.CONSENT_DECLINED),
        (Reason.ADMIN_APPROVAL_REQUIRED, AttemptState.FAILED, 0, Reason.ADMIN_APPROVAL_REQUIRED),
    ],
)
def test_an_attempt_that_ran_out_no_longer_counts(
    reason: Reason, state: AttemptState | None, seconds_left: int, shown: Reason
):
    attempt = None if state is None else AttemptSummary("att_1", state, NOW + timedelta(seconds=seconds_left))
    assert as_shown(replace(PENDING, reason=reason), attempt, NOW).reason is shown
