"""Error texts for a sign-in that did not connect the account: declined, not finished, ended, a code to type."""

from __future__ import annotations

from scalekit_mcp.actions import TYPE_THE_CODE, ConnectedAccountView, guidance_for
from scalekit_mcp.errors import AdminApprovalRequired, AuthorizationRequired, PermissionMissing


def ask_to_sign_in(connection: str | None) -> str:
    """What the client shows beside the link; `connection`: another than that of the calendar, here and below."""
    if connection is not None:
        return f"Sign in so that this assistant can use your account of '{connection}'."
    return "Sign in to Microsoft so that this assistant can use your Outlook calendar."


def waiting(connection: str | None) -> str:
    """What the client shows while the person signs in."""
    return f"Waiting for the sign-in to {_provider(connection)}."


def _provider(connection: str | None) -> str:
    return "Microsoft" if connection is None else f"'{connection}'"


def _code(connection: str | None) -> str:
    return TYPE_THE_CODE if connection is None else f"{TYPE_THE_CODE} Pass connection='{connection}' beside it."


def not_opened(action: str, url: str | None, connection: str | None = None) -> AuthorizationRequired:
    """The user declined to open the page."""
    what = "declined to open the sign-in page" if action == "decline" else "closed the request to sign in"
    return AuthorizationRequired(
        f"The user {what}. Nothing was changed.",
        next_step=f"Go on without {'the calendar' if connection is None else _provider(connection)}, or ask the user "
        "whether to sign in after all.",
        authorization_url=url,
    )


def not_finished(view: ConnectedAccountView, url: str | None, connection: str | None = None) -> AuthorizationRequired:
    """The user has not finished signing in yet."""
    return AuthorizationRequired(
        f"The sign-in to {_provider(connection)} is not finished yet.",
        next_step="Tell the user to finish signing in, then repeat this call.",
        status=view.status,
        reason=view.reason,
        authorization_url=url,
    )


def ended(
    view: ConnectedAccountView, admin_consent_url: str | None, connection: str | None = None
) -> AuthorizationRequired:
    """The attempt has ended without connecting the account."""
    told = view.last_authorization_error
    if view.reason == "admin_approval_required":
        return AdminApprovalRequired(
            told or f"{_provider(connection)} asks for the approval of the user's IT administrator first.",
            status=view.status,
            reason=view.reason,
            admin_consent_url=admin_consent_url,
        )
    if view.reason == "consent_declined":
        told = told or f"The user cancelled the sign-in at {_provider(connection)}. Nothing was changed."
    next_step = "Ask the user whether to try again, then call `authorize` for a new link."
    if connection is not None:
        next_step = f"{next_step[:-1]}, with connection='{connection}'."
    if view.who_acts in ("it_admin", "operator"):  # trying again cannot help before they have acted
        next_step = guidance_for(view, "confirm", further_connection=connection).next_step
    return AuthorizationRequired(
        told or "The sign-in ended without a connection. Nothing was changed.",
        next_step=next_step,
        who_acts=view.who_acts,
        status=view.status,
        reason=view.reason,
    )


def code_needed(view: ConnectedAccountView, connection: str | None = None) -> AuthorizationRequired:
    """The page shows a code, and the client cannot ask for it."""
    return AuthorizationRequired(
        "The user has signed in; the page shows a confirmation code.",
        next_step=_code(connection),
        status=view.status,
        reason=view.reason,
    )


def code_not_typed(connection: str | None = None) -> AuthorizationRequired:
    """The client asked for the code and got none."""
    return AuthorizationRequired(
        "The confirmation code was not given.",
        next_step=_code(connection),
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


def cannot_confirm(connection: str | None = None) -> PermissionMissing:
    """The call needs the user's confirmation, and the client cannot ask for it."""
    return PermissionMissing(
        "This server lets a person confirm whatever mails people or deletes, and this client cannot ask one."
        if connection is None
        else f"This server lets a person confirm whatever may change something at '{connection}', and this client "
        "cannot ask one.",
        next_step=f"Let the user do it {'in Outlook' if connection is None else 'there'}, or use a client that supports"
        " form elicitation.",
        who_acts="user",
    )
