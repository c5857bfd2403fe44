"""Decides what an error of Microsoft's sign-in means, by the table in `aadsts_table` and the phase of the sign-in.

The `error` is the protocol, `suberror` refines it, numbers are hints. What ends a grant at a refresh ends only the
attempt while somebody signs in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from scalekit_mcp.accounts import GrantFault
from scalekit_mcp.languages import Sentence
from scalekit_mcp.microsoft.identity.aadsts_table import AADSTS_TABLE, CLASSES, SUBERRORS, AadstsRow
from scalekit_mcp.microsoft.identity.verdicts import (
    ADMIN_APPROVAL,
    APP_DISABLED,
    APP_DISABLED_IN_TENANT,
    AT_SIGN_IN_BY_IT,
    CONSENT_GONE,
    DECLINED,
    GRANT_EXPIRED,
    MISCONFIGURED,
    OTHER_ACCOUNT,
    REVOKED_BY_USER,
    SPA_GRANT_EXPIRED,
    START_AGAIN,
    UNKNOWN,
    WAIT,
    Verdict,
    sentence,
)


class Phase(Enum):
    """The step in which the error came; the same number can mean different things."""

    AUTHORIZATION = "authorization"
    """On the redirect from the consent page."""
    CODE = "code"
    """From the token endpoint, at the redemption of a code."""
    REFRESH = "refresh"
    """From the token endpoint, at a refresh of an account that worked before."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """The verdict on one error answer; `code` is for support (`AADSTS50173`, or the `error` word)."""

    code: str
    verdict: Verdict
    key: str

    @property
    def message(self) -> Sentence:
        """The sentence that says what happened."""
        return sentence(self.key)


_PASSING = frozenset({"temporarily_unavailable", "server_error", "authorization_pending", "slow_down"})
_GRANT_ERRORS = frozenset({"invalid_grant", "interaction_required", "login_required", "consent_required"})
_NOT_UNDERSTOOD = (WAIT, "not_understood")
"""An `error` word outside every specification: no account is given up for something nobody understands."""
_REMOVED = "removed_by_user"


def rule(
    error: str, suberror: str | None, numbers: Sequence[int], *, phase: Phase, personal: bool | None = None
) -> Ruling:
    """Decide what an error answer means: by `error`, then `suberror`, then the first telling number, then the class.

    `personal` says which kind of account it is, where known.
    """
    row = _row(numbers)
    code = f"AADSTS{row.code if row is not None else numbers[0]}" if numbers else _word(error)
    verdict, key = _verdict(error, suberror, row, personal=personal)
    if phase is Phase.REFRESH:
        verdict = _at_refresh(verdict)
    else:
        verdict, key = _at_sign_in(error, verdict, key, row)
    return Ruling(code, verdict, key)


def _verdict(error: str, suberror: str | None, row: AadstsRow | None, *, personal: bool | None) -> tuple[Verdict, str]:
    by_class = CLASSES.get(error, _NOT_UNDERSTOOD)
    if error in _PASSING and (row is None or row.verdict.fault is not GrantFault.TRANSIENT):
        return by_class
    if error in _GRANT_ERRORS:
        if personal and (suberror == "bad_token" or (row is not None and row.code == 70000)):
            return REVOKED_BY_USER, _REMOVED
        by_suberror = SUBERRORS.get(suberror or "")
        grant_is_dead = row is None or row.verdict.fault is GrantFault.PERMANENT
        if by_suberror is not None and (row is None or (suberror in _TELLING_SUBERRORS and grant_is_dead)):
            return by_suberror
    if row is None:
        return by_class
    if error == "invalid_client" and row.verdict.fault in {GrantFault.PERMANENT, GrantFault.TENANT}:
        return by_class
    return row.verdict, row.key


_TELLING_SUBERRORS = frozenset({"consent_required", "user_password_expired"})
"""Suberrors that say more than the number beside them."""


def _at_refresh(verdict: Verdict) -> Verdict:
    """At a refresh nobody sits before a page: what a page would cure is either passing or the end of the grant."""
    if verdict is START_AGAIN:
        return WAIT
    return UNKNOWN if verdict in (OTHER_ACCOUNT, AT_SIGN_IN_BY_IT, ADMIN_APPROVAL, DECLINED) else verdict


def _at_sign_in(error: str, verdict: Verdict, key: str, row: AadstsRow | None) -> tuple[Verdict, str]:
    """During a sign-in no grant exists yet: what ends a grant ends only this attempt."""
    if row is not None and row.code in _APP_UNKNOWN and verdict in (APP_DISABLED, APP_DISABLED_IN_TENANT):
        return MISCONFIGURED, "app_not_known"
    if verdict is CONSENT_GONE or (row is None and error == "consent_required"):
        return DECLINED, "consent_missing"
    if error == "invalid_grant" and verdict in (UNKNOWN, GRANT_EXPIRED, SPA_GRANT_EXPIRED, REVOKED_BY_USER):
        return START_AGAIN, "expired_or_used"
    if row is None and (error in {"interaction_required", "login_required"} or error not in CLASSES):
        return START_AGAIN, key
    return verdict, key


_APP_UNKNOWN = frozenset({700016, 700011})


def _row(numbers: Sequence[int]) -> AadstsRow | None:
    known = [AADSTS_TABLE[number] for number in numbers if number in AADSTS_TABLE]
    return next((row for row in known if not row.generic), None) or next(iter(known), None)


def _word(error: str) -> str:
    return error if error in CLASSES else "unknown_error"
