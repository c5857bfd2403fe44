"""Error texts for a sign-in that did not connect the account: declined, not finished, ended, a code to type."""

from __future__ import annotations

from scalekit_mcp.actions import TYPE_THE_CODE, ConnectedAccountView, guidance_for
from scalekit_mcp.errors import AdminApprovalRequired, AuthorizationRequired, PermissionMissing


def not_opened(action: str, url: str | None) -> AuthorizationRequired:
    """The user declined to open the page."""
    what = "declined to open the sign-in page" if action == "decline" else "closed the request to sign in"
    return AuthorizationRequired(
        f"The user {what}. Nothing was changed.",
        next_step="Go on without the calendar, or ask the user whether to sign in after all.",
        authorization_url=url,
    )


def not_finished(view: ConnectedAccountView, url: str | None) -> AuthorizationRequired:
    """The user has not finished signing in yet."""
    return AuthorizationRequired(
        "The sign-in to Microsoft is not finished yet.",
        next_step="Tell the user to finish signing in, then repeat this call.",
        status=view.status,
        reason=view.reason,
        authorization_url=url,
    )


def ended(view: ConnectedAccountView, admin_consent_url: str | None) -> AuthorizationRequired:
    """The attempt has ended without connecting the account."""
    told = view.last_authorization_error
    if view.reason == "admin_approval_required":
        return AdminApprovalRequired(
            told or "Microsoft asks for the approval of the user's IT administrator first.",
            status=view.status,
            reason=view.reason,
            admin_consent_url=admin_consent_url,
        )
    if view.reason == "consent_declined":
        told = told or "The user cancelled the sign-in at Microsoft. Nothing was changed."
    next_step = "Ask the user whether to try again, then call `authorize` for a new link."
    if view.who_acts in ("it_admin", "operator"):  # trying again cannot help before they have acted
        next_step = guidance_for(view, "confirm").next_step
    return AuthorizationRequired(
        told or "The sign-in ended without a connection. Nothing was changed.",
        next_step=next_step,
        who_acts=view.who_acts,
        status=view.status,
        reason=view.reason,
    )


def code_needed(view: ConnectedAccountView) -> AuthorizationRequired:
    """The page shows a code, and the client cannot ask for it."""
    return AuthorizationRequired(
        "The user has signed in; the page shows a confirmation code.",
        next_step=TYPE_THE_CODE,
        status=view.status,
        reason=view.reason,
    )


def code_not_typed() -> AuthorizationRequired:
    """The client asked for the code and got none."""
    return AuthorizationRequired(
        "The confirmation code was not given.",
        next_step=TYPE_THE_CODE,
        status="PENDING",
        reason="awaiting_confirmation",
    )


def not_confirmed() -> PermissionMissing:
    """The user was asked to confirm the call and did not."""
    return PermissionMissing(
        "The user did not confirm the call. Nothing was changed.",
        next_step="Go on without it; do not repeat the call unless the user asks for it.",
        who_acts="user",
    )


def cannot_confirm() -> PermissionMissing:
    """The call needs the user's confirmation, and the client cannot ask for it."""
    return PermissionMissing(
        "This server lets a person confirm whatever mails people or deletes, and this client cannot ask one.",
        next_step="Let the user do it in Outlook, or use a client that supports form elicitation.",
        who_acts="user",
    )
