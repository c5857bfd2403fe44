"""What errors of Microsoft's sign-in can mean: for the account, for the person, and who must act.

`status` and `reason` are what an account becomes that had worked before; an account that never worked stays PENDING,
which `accounts` decides.
"""

from __future__ import annotations

from dataclasses import dataclass

from scalekit_mcp.accounts import AccountStatus, GrantFault, Reason
from scalekit_mcp.errors import WhoActs
from scalekit_mcp.languages import Sentence, said


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an error means for the account (`status`, `reason`) and for people (`who_acts`, `next_step`)."""

    fault: GrantFault
    who_acts: WhoActs
    next_step: Sentence
    status: AccountStatus | None = None
    reason: Reason | None = None
    pause_seconds: float | None = None


def sentence(key: str) -> Sentence:
    """What happened, by its key in the section `microsoft` of the language files."""
    return said(f"microsoft.{key}")


def next_step(key: str) -> Sentence:
    """What to do next, by its key in the section `microsoft_next`."""
    return said(f"microsoft_next.{key}")


def _dead(status: AccountStatus, reason: Reason, who_acts: WhoActs, what_next: Sentence) -> Verdict:
    return Verdict(GrantFault.PERMANENT, who_acts, what_next, status, reason)


_SIGN_IN_AGAIN = next_step("sign_in_again")

INACTIVE = _dead(AccountStatus.EXPIRED, Reason.INACTIVE, "user", _SIGN_IN_AGAIN)
GRANT_EXPIRED = _dead(AccountStatus.EXPIRED, Reason.GRANT_EXPIRED, "user", _SIGN_IN_AGAIN)
SPA_GRANT_EXPIRED = _dead(
    AccountStatus.EXPIRED,
    Reason.GRANT_EXPIRED,
    "user",
    next_step("as_web"),
)
INTERACTION = _dead(
    AccountStatus.EXPIRED,
    Reason.INTERACTION_REQUIRED,
    "user",
    next_step("do_what_is_asked"),
)
POLICY = _dead(
    AccountStatus.EXPIRED,
    Reason.POLICY_BLOCKED,
    "it_admin",
    next_step("allow_app"),
)
UNKNOWN = _dead(
    AccountStatus.EXPIRED,
    Reason.UNKNOWN,
    "user",
    next_step("show_it"),
)
AT_SIGN_IN_BY_IT = _dead(
    AccountStatus.EXPIRED,
    Reason.UNKNOWN,
    "it_admin",
    next_step("number_to_it"),
)
REVOKED = _dead(AccountStatus.REVOKED, Reason.GRANT_REVOKED, "user", _SIGN_IN_AGAIN)
CONSENT_GONE = _dead(
    AccountStatus.REVOKED,
    Reason.GRANT_REVOKED,
    "user",
    next_step("consent_again"),
)
REVOKED_BY_USER = _dead(
    AccountStatus.REVOKED,
    Reason.GRANT_REVOKED_BY_USER,
    "user",
    next_step("consent_anew"),
)
NOT_ASSIGNED = _dead(
    AccountStatus.REVOKED,
    Reason.GRANT_REVOKED_BY_ADMIN,
    "it_admin",
    next_step("assign"),
)
ACCOUNT_DISABLED = _dead(
    AccountStatus.REVOKED,
    Reason.ACCOUNT_DISABLED,
    "it_admin",
    next_step("enable_account"),
)
ACCOUNT_DELETED = _dead(
    AccountStatus.REVOKED,
    Reason.ACCOUNT_DELETED,
    "it_admin",
    next_step("restore_account"),
)
APP_DISABLED_NEXT = next_step("enable_app")
APP_DISABLED = _dead(AccountStatus.REVOKED, Reason.APP_DISABLED, "it_admin", APP_DISABLED_NEXT)
APP_DISABLED_IN_TENANT = Verdict(
    GrantFault.TENANT, "it_admin", APP_DISABLED_NEXT, AccountStatus.REVOKED, Reason.APP_DISABLED
)
DECLINED = Verdict(
    GrantFault.DECLINED,
    "user",
    next_step("accept"),
)
ADMIN_APPROVAL = Verdict(
    GrantFault.ADMIN_APPROVAL,
    "it_admin",
    next_step("approve"),
)
START_AGAIN = Verdict(GrantFault.RESTART, "user", next_step("sign_in_again"))
OTHER_ACCOUNT = Verdict(GrantFault.RESTART, "user", next_step("right_account"))
LOCKED_OUT = Verdict(
    GrantFault.TRANSIENT,
    "user",
    next_step("wait_minutes"),
    pause_seconds=60.0,
)
WAIT = Verdict(GrantFault.TRANSIENT, "nobody", next_step("wait_minute"))
BACK_OFF = Verdict(GrantFault.TRANSIENT, "nobody", next_step("wait_few"), pause_seconds=60.0)
MISCONFIGURED = Verdict(GrantFault.MISCONFIGURED, "operator", next_step("registration"))
SECRET = Verdict(
    GrantFault.MISCONFIGURED,
    "operator",
    next_step("new_secret"),
)
CERTIFICATE = Verdict(
    GrantFault.MISCONFIGURED,
    "operator",
    next_step("certificate"),
)
WRONG_TENANT = Verdict(GrantFault.MISCONFIGURED, "operator", next_step("tenant"))
WRONG_AUDIENCE = Verdict(
    GrantFault.MISCONFIGURED,
    "operator",
    next_step("audience"),
)
WRONG_CLOUD = Verdict(GrantFault.MISCONFIGURED, "operator", next_step("cloud"))
WRONG_SCOPES = Verdict(GrantFault.MISCONFIGURED, "operator", next_step("scopes"))
OUR_FAULT = Verdict(GrantFault.OUR_FAULT, "operator", next_step("report"))
