"""What the pages of a hosted authorization say. Words for a person; never a code or token of the provider."""

from __future__ import annotations

from dataclasses import replace

from scalekit_mcp.accounts.authorization.outcomes import CANCELLED, OTHER_BROWSER, AuthorizationOutcome, OutcomeKind
from scalekit_mcp.accounts.model.records import AttemptState
from scalekit_mcp.actions.hosted_attempts import HostedAttempt
from scalekit_mcp.errors import WhoActs

ASK_ANEW = "Ask for a new link in the chat."
_BACK_TO_CHAT = "You can close this page and go back to the chat."

# `error` of the way back from Scalekit -> title, message, who acts, what next.
_ERRORS: dict[str, tuple[str, str, WhoActs, str]] = {
    "failed_to_exchange": (
        "The sign-in could not be verified",
        "Scalekit was not told where to verify the person.",
        "operator",
        "The operator checks User Verification in the Scalekit dashboard.",
    ),
    "failed_to_exchange_token": (
        "The sign-in could not be completed",
        "Scalekit got no tokens from Microsoft: the page was open too long, or the connection's secret is wrong.",
        "user",
        "Try again from the link; if it fails again, tell the operator.",
    ),
    "unauthorized_client": (
        "The application is not allowed",
        "Microsoft refuses the application of the connection.",
        "operator",
        "The operator checks the application that is entered in the Scalekit connection.",
    ),
    "invalid_scope": (
        "The application asks for something Microsoft does not offer",
        "Microsoft refuses a permission of the connection.",
        "operator",
        "The operator checks the scopes of the Scalekit connection.",
    ),
}
_DECLINED = frozenset({"access_denied", "consent_required"})
_ADMIN_NUMBERS = ("AADSTS90094", "AADSTS90095", "AADSTS900941", "AADSTS900981")


def connected(attempt: HostedAttempt) -> AuthorizationOutcome:
    """The account is ACTIVE."""
    return _of(
        attempt,
        OutcomeKind.CONNECTED,
        "Connected",
        f"The calendar is connected for '{attempt.key.identifier}'.",
        _BACK_TO_CHAT,
    )


def confirmation_needed(attempt: HostedAttempt, code: str) -> AuthorizationOutcome:
    """The page that shows the code."""
    return _of(
        attempt,
        OutcomeKind.CONFIRMATION_NEEDED,
        "One step is left",
        "Type this only into the chat where you asked. If someone sent you the link, press Cancel.",
        "Type the code into the chat. It is good for 10 minutes.",
        confirmation_code=code,
    )


def waits_for_code(attempt: HostedAttempt) -> AuthorizationOutcome:
    """The link was opened again while the code is awaited; the code is not shown twice."""
    return _of(
        attempt,
        OutcomeKind.CONFIRMATION_NEEDED,
        "This sign-in waits for its code",
        "Somebody signed in already; the code was shown on that page.",
        "Type the code into the chat, or press Cancel there and ask for a new link.",
    )


def cancelled(attempt: HostedAttempt) -> AuthorizationOutcome:
    """The person pressed Cancel while the tokens were held."""
    return replace(CANCELLED, identifier=attempt.key.identifier, connection_name=attempt.key.connection_name)


def unknown_link() -> AuthorizationOutcome:
    """Nothing is known under this ticket or state."""
    return AuthorizationOutcome(
        OutcomeKind.LINK_UNKNOWN,
        "This link is not known",
        "The link is incomplete, was replaced by a newer one, or the server was started anew since.",
        ASK_ANEW,
    )


def over(attempt: HostedAttempt) -> AuthorizationOutcome:
    """The attempt has ended or ran out."""
    if attempt.state is AttemptState.SUCCEEDED:
        return _of(
            attempt,
            OutcomeKind.LINK_USED,
            "This sign-in was used already",
            "The account was connected with it.",
            _BACK_TO_CHAT,
        )
    return _of(
        attempt,
        OutcomeKind.LINK_EXPIRED,
        "This link has expired",
        "An authorization link is good for 15 minutes.",
        ASK_ANEW,
    )


def used(attempt: HostedAttempt) -> AuthorizationOutcome:
    """The way back was taken twice."""
    return _of(
        attempt,
        OutcomeKind.LINK_USED,
        "This sign-in was used already",
        "Each sign-in can be used once.",
        "Go back to the chat; if the account is not connected, ask for a new link.",
    )


def other_browser(attempt: HostedAttempt) -> AuthorizationOutcome:
    """The way back came in another browser than the start."""
    return replace(OTHER_BROWSER, connection_name=attempt.key.connection_name)


def failed(attempt: HostedAttempt, message: str, next_step: str, *, who_acts: WhoActs = "user") -> AuthorizationOutcome:
    """Scalekit did not do its part."""
    return _of(attempt, OutcomeKind.FAILED, "The sign-in failed", message, next_step, who_acts=who_acts)


def refused(attempt: HostedAttempt, error: str, description: str) -> AuthorizationOutcome:
    """The way back carries an error; its description is never shown, only looked at for Microsoft's numbers."""
    number = next((number for number in _ADMIN_NUMBERS if number in description), None)
    if number is not None:
        return _of(
            attempt,
            OutcomeKind.ADMIN_APPROVAL_REQUIRED,
            "Your organization has to approve first",
            "Microsoft asks for the approval of your IT administrator before this account can be connected.",
            "Ask the IT administrator to approve the application; then open the link again.",
            who_acts="it_admin",
            reference=number,
        )
    if error in _DECLINED:
        return _of(
            attempt,
            OutcomeKind.DECLINED,
            "The permission was not given",
            "The sign-in was cancelled at Microsoft. Nothing was changed.",
            "To connect after all, open the link again.",
            reference=error,
        )
    title, message, who_acts, next_step = _ERRORS.get(
        error, ("The sign-in failed", "Scalekit or Microsoft ended the sign-in.", "user", ASK_ANEW)
    )
    reference = error if error in _ERRORS else None
    return _of(attempt, OutcomeKind.FAILED, title, message, next_step, who_acts=who_acts, reference=reference)


def no_admin_consent() -> AuthorizationOutcome:
    """The admin-consent callback of a server that has no application of its own."""
    return AuthorizationOutcome(
        OutcomeKind.LINK_UNKNOWN,
        "This page has no use here",
        "The application is registered with Scalekit, which receives approvals itself.",
        "Tell the user to open the authorization link from the chat.",
        who_acts="user",
    )


def _of(
    attempt: HostedAttempt,
    kind: OutcomeKind,
    title: str,
    message: str,
    next_step: str,
    *,
    who_acts: WhoActs = "user",
    confirmation_code: str | None = None,
    reference: str | None = None,
) -> AuthorizationOutcome:
    return AuthorizationOutcome(
        kind,
        title,
        message,
        next_step,
        who_acts=who_acts,
        identifier=attempt.key.identifier,
        connection_name=attempt.key.connection_name,
        confirmation_code=confirmation_code,
        reference=reference,
    )
