"""What errors of Microsoft's sign-in can mean: for the account, for the person, and who must act.

`status` and `reason` are what an account becomes that had worked before; an account that never worked stays PENDING,
which `accounts` decides.
"""

from __future__ import annotations

from dataclasses import dataclass

from scalekit_mcp.accounts import AccountStatus, GrantFault, Reason
from scalekit_mcp.errors import WhoActs


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an error means for the account (`status`, `reason`) and for people (`who_acts`, `next_step`)."""

    fault: GrantFault
    who_acts: WhoActs
    next_step: str
    status: AccountStatus | None = None
    reason: Reason | None = None
    pause_seconds: float | None = None


def _dead(status: AccountStatus, reason: Reason, who_acts: WhoActs, next_step: str) -> Verdict:
    return Verdict(GrantFault.PERMANENT, who_acts, next_step, status, reason)


_SIGN_IN_AGAIN = "Open a new authorization link and sign in again."
_IT_THEN_SIGN_IN = "After the IT administrator has acted, open a new authorization link and sign in again."

INACTIVE = _dead(AccountStatus.EXPIRED, Reason.INACTIVE, "user", _SIGN_IN_AGAIN)
GRANT_EXPIRED = _dead(AccountStatus.EXPIRED, Reason.GRANT_EXPIRED, "user", _SIGN_IN_AGAIN)
SPA_GRANT_EXPIRED = _dead(
    AccountStatus.EXPIRED,
    Reason.GRANT_EXPIRED,
    "user",
    "Sign in again; so that this does not come back daily, the operator registers the redirect URI as Web, not SPA.",
)
INTERACTION = _dead(
    AccountStatus.EXPIRED,
    Reason.INTERACTION_REQUIRED,
    "user",
    "Open a new authorization link, sign in and do what Microsoft asks for there.",
)
POLICY = _dead(
    AccountStatus.EXPIRED,
    Reason.POLICY_BLOCKED,
    "it_admin",
    "Ask the IT administrator to allow this application, or sign in again from a device that the organization manages.",
)
UNKNOWN = _dead(
    AccountStatus.EXPIRED,
    Reason.UNKNOWN,
    "user",
    "Open a new authorization link and sign in again; if Microsoft refuses, show its page to the IT administrator.",
)
AT_SIGN_IN_BY_IT = _dead(
    AccountStatus.EXPIRED,
    Reason.UNKNOWN,
    "it_admin",
    f"Show the error number to the IT administrator. {_IT_THEN_SIGN_IN}",
)
REVOKED = _dead(AccountStatus.REVOKED, Reason.GRANT_REVOKED, "user", _SIGN_IN_AGAIN)
CONSENT_GONE = _dead(
    AccountStatus.REVOKED,
    Reason.GRANT_REVOKED,
    "user",
    "Open a new authorization link and consent; if Microsoft asks for an administrator, send IT the consent link.",
)
REVOKED_BY_USER = _dead(
    AccountStatus.REVOKED,
    Reason.GRANT_REVOKED_BY_USER,
    "user",
    "To use the calendar again, open a new authorization link and consent.",
)
NOT_ASSIGNED = _dead(
    AccountStatus.REVOKED,
    Reason.GRANT_REVOKED_BY_ADMIN,
    "it_admin",
    f"Ask the IT administrator to assign the user to the application. {_IT_THEN_SIGN_IN}",
)
ACCOUNT_DISABLED = _dead(
    AccountStatus.REVOKED,
    Reason.ACCOUNT_DISABLED,
    "it_admin",
    f"Ask the IT administrator to enable the account. {_IT_THEN_SIGN_IN}",
)
ACCOUNT_DELETED = _dead(
    AccountStatus.REVOKED,
    Reason.ACCOUNT_DELETED,
    "it_admin",
    "Ask the IT administrator to restore the account, or connect another one.",
)
APP_DISABLED_NEXT = f"Ask the IT administrator to enable the application for the organization. {_IT_THEN_SIGN_IN}"
APP_DISABLED = _dead(AccountStatus.REVOKED, Reason.APP_DISABLED, "it_admin", APP_DISABLED_NEXT)
APP_DISABLED_IN_TENANT = Verdict(
    GrantFault.TENANT, "it_admin", APP_DISABLED_NEXT, AccountStatus.REVOKED, Reason.APP_DISABLED
)
DECLINED = Verdict(
    GrantFault.DECLINED,
    "user",
    "Open the authorization link again and accept; if Microsoft asked for an administrator, send IT the consent link.",
)
ADMIN_APPROVAL = Verdict(
    GrantFault.ADMIN_APPROVAL,
    "it_admin",
    "Send the admin consent link to the IT administrator; after the approval, sign in again.",
)
START_AGAIN = Verdict(GrantFault.RESTART, "user", "Open a new authorization link and sign in again.")
OTHER_ACCOUNT = Verdict(
    GrantFault.RESTART, "user", "Open a new authorization link and sign in with the account that holds the calendar."
)
LOCKED_OUT = Verdict(
    GrantFault.TRANSIENT,
    "user",
    "Wait some minutes and sign in again; if it lasts, ask the IT administrator.",
    pause_seconds=60.0,
)
WAIT = Verdict(GrantFault.TRANSIENT, "nobody", "Try again in a minute.")
BACK_OFF = Verdict(GrantFault.TRANSIENT, "nobody", "Try again in a few minutes.", pause_seconds=60.0)
MISCONFIGURED = Verdict(
    GrantFault.MISCONFIGURED, "operator", "The operator corrects the application's registration or the settings."
)
SECRET = Verdict(
    GrantFault.MISCONFIGURED,
    "operator",
    "The operator creates a new client secret and sets MICROSOFT_CLIENT_SECRET to its value (not to its id).",
)
CERTIFICATE = Verdict(
    GrantFault.MISCONFIGURED,
    "operator",
    "The operator checks that MICROSOFT_CLIENT_CERTIFICATE is the registered one and current, and the server's clock.",
)
WRONG_TENANT = Verdict(GrantFault.MISCONFIGURED, "operator", "The operator corrects MICROSOFT_TENANT.")
WRONG_AUDIENCE = Verdict(
    GrantFault.MISCONFIGURED,
    "operator",
    "The operator sets the registration's supported account types and MICROSOFT_TENANT so that they fit each other.",
)
WRONG_CLOUD = Verdict(GrantFault.MISCONFIGURED, "operator", "The operator sets MICROSOFT_CLOUD to the tenant's cloud.")
WRONG_SCOPES = Verdict(GrantFault.MISCONFIGURED, "operator", "The operator corrects MICROSOFT_SCOPES.")
OUR_FAULT = Verdict(GrantFault.OUR_FAULT, "operator", "Report the error number to the maintainers of the server.")
