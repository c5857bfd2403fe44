"""English texts of errors, for models and programs: what each reason means, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from scalekit_mcp.accounts.model import statuses
from scalekit_mcp.accounts.model.records import AccountStatus, CallsStopped, ConnectedAccount, Reason
from scalekit_mcp.errors import AdminApprovalRequired, AuthorizationRequired, PermissionMissing, WhoActs

_SIGN_IN = "Ask the user to open authorization_url in a browser and sign in, then repeat the call."
_SIGN_IN_AGAIN = "Ask the user to open authorization_url in a browser and sign in again, then repeat the call."
_AFTER_IT = " After IT has acted, the user opens authorization_url and signs in again."

TYPE_THE_CODE = (
    "Ask the user to type the eight-character code from the page here, and pass it to authorize as "
    "confirmation_code. Do not ask for a new link."
)
FINISH_THE_PAGE = "Ask the user to finish on the page that opened after the sign-in, then repeat the call."

_WORDS: dict[Reason, tuple[str, str]] = {
    Reason.NEVER_AUTHORIZED: ("No calendar account is connected yet for {who}.", _SIGN_IN),
    Reason.AWAITING_CONSENT: (
        "A link was given for {who}, but nobody has finished signing in.",
        _SIGN_IN,
    ),
    Reason.AWAITING_CONFIRMATION: (
        "Somebody signed in for {who}; the connection waits for the confirmation code that the page shows.",
        TYPE_THE_CODE,
    ),
    Reason.ADMIN_APPROVAL_REQUIRED: (
        "The organization's IT administrator has to approve the application before {who} can be connected.",
        (
            "Send admin_consent_url to the IT administrator. After the approval, the user opens authorization_url and "
            "signs in."
        ),
    ),
    Reason.CONSENT_DECLINED: (
        "The permission for {who} was declined on the sign-in page.",
        (
            "Ask the user whether to try again with authorization_url; if the page wanted an administrator, send "
            "admin_consent_url to IT."
        ),
    ),
    Reason.INACTIVE: ("The connection of {who} was not used for too long and ran out.", _SIGN_IN_AGAIN),
    Reason.INTERACTION_REQUIRED: (
        "The organization asks {who} to sign in again, for example with a second factor.",
        _SIGN_IN_AGAIN,
    ),
    Reason.POLICY_BLOCKED: (
        "A policy of the organization blocks the application for {who}.",
        (
            "Ask the IT administrator to allow the application for the user, or to say from which device or network it "
            "may be used." + _AFTER_IT
        ),
    ),
    Reason.GRANT_EXPIRED: ("The permission of {who} has expired.", _SIGN_IN_AGAIN),
    Reason.CONNECTION_CHANGED: (
        "The application behind the connection was replaced; the permission of {who} was given to the earlier one.",
        _SIGN_IN_AGAIN,
    ),
    Reason.UNKNOWN: ("The permission of {who} is no longer accepted.", _SIGN_IN_AGAIN),
    Reason.GRANT_REVOKED: ("The permission of {who} was taken back, or the sign-in was reset.", _SIGN_IN_AGAIN),
    Reason.GRANT_REVOKED_BY_USER: ("{Who} removed the permission in the account's settings.", _SIGN_IN_AGAIN),
    Reason.GRANT_REVOKED_BY_ADMIN: (
        "The IT administrator took the application away from {who}.",
        "Ask the IT administrator to assign the application to the user again." + _AFTER_IT,
    ),
    Reason.ACCOUNT_DISABLED: (
        "The account of {who} is disabled in its organization.",
        "Ask the IT administrator to enable the account." + _AFTER_IT,
    ),
    Reason.ACCOUNT_DELETED: (
        "The account of {who} no longer exists in its organization.",
        (
            "Ask the IT administrator to restore the account."
            + _AFTER_IT
            + " For another account, call authorize with "
            "reconnect=true."
        ),
    ),
    Reason.APP_DISABLED: (
        "The application is disabled for the whole organization of {who}.",
        "Ask the IT administrator to enable the application for the organization." + _AFTER_IT,
    ),
    Reason.DISCONNECTED: ("The account of {who} was disconnected on purpose.", _SIGN_IN),
}


def sentence(reason: Reason, identifier: str) -> str:
    """One sentence that says what a reason means."""
    who = f"'{identifier}'"
    return _WORDS[reason][0].format(who=who, Who=who)


def next_step(reason: Reason, who_acts: WhoActs | None = None, *, has_administrators: bool = True) -> str:
    """One sentence that says what to do about a reason; `who_acts` replaces who acts on this reason by default."""
    if reason is Reason.CONSENT_DECLINED and not has_administrators:
        return "Ask the user whether to try again with authorization_url."
    if who_acts == "it_admin" and statuses.WHO_ACTS[reason] != "it_admin":
        return "Ask the IT administrator what stops the sign-in of the user." + _AFTER_IT
    return _WORDS[reason][1]


def stopped_by_tenant(account: ConnectedAccount) -> CallsStopped:
    """Why an account of a marked tenant makes no calls."""
    return CallsStopped(
        sentence(Reason.APP_DISABLED, account.identifier),
        "it_admin",
        (
            "Calls are stopped until the IT administrator enables the application for the organization: ask for that. "
            "Calls are tried again once an hour; after IT has acted, authorize with reconnect=true connects at once."
        ),
        Reason.APP_DISABLED,
    )


def calls_stopped(account: ConnectedAccount, stopped: CallsStopped) -> AuthorizationRequired:
    """The error for an account that is in order and makes no calls."""
    return AuthorizationRequired(
        stopped.message,
        next_step=stopped.next_step,
        who_acts=stopped.who_acts,
        status=account.status.value,
        reason=stopped.reason and stopped.reason.value,
    )


def not_active(account: ConnectedAccount, *, has_administrators: bool = True) -> AuthorizationRequired:
    """The error for an account that makes no calls; whether its provider has administrators changes what is next."""
    reason = account.reason or Reason.UNKNOWN
    kind = AdminApprovalRequired if reason is Reason.ADMIN_APPROVAL_REQUIRED else AuthorizationRequired
    message = sentence(reason, account.identifier)
    if account.status is not AccountStatus.PENDING and account.provider_account and account.provider_account.mailbox:
        message += f" (Mailbox: {account.provider_account.mailbox}.)"
    return kind(
        message,
        next_step=next_step(reason, account.who_acts, has_administrators=has_administrators),
        who_acts=account.who_acts,
        status=account.status.value,
        reason=reason.value,
    )


def permission_missing(account: ConnectedAccount, missing: Sequence[str]) -> PermissionMissing:
    """The error for a grant that does not cover a call; the account stays ACTIVE."""
    names = ", ".join(missing)
    return PermissionMissing(
        f"The connected account of '{account.identifier}' has not granted {names}, which this call needs.",
        next_step=f"Ask the user to open the authorization link and grant {names}, then repeat the call.",
        status=account.status.value,
        missing_scopes=list(missing),
    )


def seconds_until(instant: datetime, now: datetime) -> int:
    """Whole seconds from `now` to `instant`, at least one."""
    return max(1, round((instant - now).total_seconds()))
