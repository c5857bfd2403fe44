"""The results of an authorization with their texts for a person in front of a browser.

Never a token, a code of the provider, or what a query brought. No provider is named: what is its own to say comes from
the keeper's refusals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from scalekit_mcp.accounts.authorization.outcomes import (
    CANCELLED,
    OTHER_BROWSER,
    AuthorizationOutcome,
    OutcomeKind,
)
from scalekit_mcp.accounts.model.records import Attempt, AttemptState, ConnectedAccount, ProviderAccount
from scalekit_mcp.accounts.provider import GrantError, GrantFault
from scalekit_mcp.errors import ScalekitMCPError
from scalekit_mcp.identifiers import account_named_by

NAMED_ACCOUNT_ONLY = (
    "Sign in with the account of this connection. To use another one, disconnect this server in your app and connect "
    "again with the other account."
)
SIGN_IN_AGAIN = "Try again, or return to the app."
ASK_ANEW = "Go back to the chat and ask for a new authorization link."

_TITLES: dict[GrantFault, tuple[OutcomeKind, str]] = {
    GrantFault.DECLINED: (OutcomeKind.DECLINED, "The permission was not given"),
    GrantFault.ADMIN_APPROVAL: (OutcomeKind.ADMIN_APPROVAL_REQUIRED, "Your organization has to approve first"),
    GrantFault.RESTART: (OutcomeKind.FAILED, "Please start again"),
    GrantFault.TRANSIENT: (OutcomeKind.FAILED, "The sign-in service is not available just now"),
}
_FAILED = "The sign-in failed"


def connected(attempt: Attempt, signed_in: ProviderAccount | None) -> AuthorizationOutcome:
    """The account is ACTIVE."""
    mailbox = _mailbox(signed_in)
    return _of(
        attempt,
        OutcomeKind.CONNECTED,
        "Connected",
        f"The calendar of {mailbox or 'your account'} is connected for '{attempt.identifier}'.",
        "You can close this page and go back to the chat.",
        mailbox=mailbox,
        who_acts="nobody",
    )


def confirmation_needed(attempt: Attempt, signed_in: ProviderAccount | None, code: str) -> AuthorizationOutcome:
    """Tokens are held; the code goes from the page to the chat."""
    return _of(
        attempt,
        OutcomeKind.CONFIRMATION_NEEDED,
        "One more step: type this code into the chat",
        "Type this only into the chat where you asked. If someone sent you the link, press Cancel.",
        "The code is good for ten minutes.",
        mailbox=_mailbox(signed_in),
        confirmation_code=code,
        ticket=attempt.secrets.ticket,
    )


def waits_for_code(attempt: Attempt) -> AuthorizationOutcome:
    """The page is opened again while tokens are held; the code is not known any more."""
    return _of(
        attempt,
        OutcomeKind.CONFIRMATION_NEEDED,
        "The sign-in waits for its confirmation",
        "Somebody signed in with this link already. The code was shown once, on the page after the sign-in.",
        "Type that code into the chat where you asked, or press Cancel to discard the sign-in.",
        mailbox=None if attempt.secrets.held is None else _mailbox(attempt.secrets.held.account),
        ticket=attempt.secrets.ticket,
    )


def verify_at_url(attempt: Attempt, signed_in: ProviderAccount | None, url: str) -> AuthorizationOutcome:
    """Tokens are held until the operator's own page has verified the person."""
    return _of(
        attempt,
        OutcomeKind.VERIFY_AT_URL,
        "One more step",
        "You are being sent on to confirm who you are.",
        "Follow the page that opens.",
        mailbox=_mailbox(signed_in),
        redirect_url=url,
        ticket=attempt.secrets.ticket,
    )


def cancelled(attempt: Attempt) -> AuthorizationOutcome:
    """Held tokens were discarded."""
    return replace(CANCELLED, identifier=attempt.identifier, connection_name=attempt.connection_name)


def unknown_link() -> AuthorizationOutcome:
    """Nothing is known under this ticket or state."""
    return AuthorizationOutcome(
        OutcomeKind.LINK_UNKNOWN,
        "This link is not known",
        "The link is incomplete, was replaced by a newer sign-in, or belongs to another installation.",
        ASK_ANEW,
    )


def expired_link(attempt: Attempt) -> AuthorizationOutcome:
    """The attempt ran out."""
    return _of(
        attempt, OutcomeKind.LINK_EXPIRED, "This link has expired", "An authorization link is good for 15 minutes.",
        ASK_ANEW,
    )  # fmt: skip


def superseded_link(attempt: Attempt) -> AuthorizationOutcome:
    """A newer link was asked for."""
    return _of(
        attempt, OutcomeKind.LINK_USED, "This link was replaced", "A newer authorization link was given since.",
        "Use the newest link from the chat.",
    )  # fmt: skip


def used_link(attempt: Attempt) -> AuthorizationOutcome:
    """The link or its state was used."""
    done = attempt.state is AttemptState.SUCCEEDED
    return _of(
        attempt,
        OutcomeKind.LINK_USED,
        "This sign-in was used already",
        "The account was connected with it." if done else "Each sign-in can be used once.",
        "You can close this page and go back to the chat." if done else ASK_ANEW,
    )


def other_browser(attempt: Attempt) -> AuthorizationOutcome:
    """The callback came in another browser than the start."""
    return replace(OTHER_BROWSER, connection_name=attempt.connection_name)


def other_account(attempt: Attempt, account: ConnectedAccount, signed_in: ProviderAccount) -> AuthorizationOutcome:
    """Another account of the provider than the connected one, or than the one that the identifier names."""
    if account_named_by(attempt.identifier) is not None:
        return _of(
            attempt,
            OutcomeKind.OTHER_ACCOUNT,
            "That is another account",
            f"This link is for one account alone, but {signed_in.mailbox or 'a different account'} signed "
            "in. Nothing was changed.",
            NAMED_ACCOUNT_ONLY,
            mailbox=signed_in.mailbox,
            ticket=attempt.secrets.ticket,
        )
    return _of(
        attempt,
        OutcomeKind.OTHER_ACCOUNT,
        "That is another account",
        f"'{attempt.identifier}' is connected with {_mailbox(account.provider_account) or 'another account'}, but "
        f"{signed_in.mailbox or 'a different account'} signed in. Nothing was changed.",
        "Sign in with the same account, or ask in the chat to reconnect if you want to switch accounts.",
        mailbox=signed_in.mailbox,
        ticket=attempt.secrets.ticket,
    )


def refused_by_provider(failure: GrantError) -> AuthorizationOutcome:
    """The provider refused a sign-in of an app."""
    kind, title = _TITLES.get(failure.fault, (OutcomeKind.FAILED, _FAILED))
    return AuthorizationOutcome(
        kind,
        title,
        failure.message,
        failure.next_step if failure.who_acts == "it_admin" else SIGN_IN_AGAIN,
        who_acts=failure.who_acts,
        reference=" ".join(part for part in (failure.code, failure.correlation_id) if part),
    )


def sign_in_not_possible(error: ScalekitMCPError) -> AuthorizationOutcome:
    """Something of ours does not work just now."""
    return AuthorizationOutcome(OutcomeKind.FAILED, _FAILED, error.message, error.next_step, who_acts=error.who_acts)


def calendar_not_granted(missing: Sequence[str]) -> AuthorizationOutcome:
    """The person signed in and left out what the app is for."""
    return AuthorizationOutcome(
        OutcomeKind.DECLINED,
        "The calendar was left out",
        f"The sign-in did not include the permission {', '.join(missing)}, so nothing was connected.",
        SIGN_IN_AGAIN,
    )


def failed(attempt: Attempt, failure: GrantError) -> AuthorizationOutcome:
    """The provider refused."""
    kind, title = _TITLES.get(failure.fault, (OutcomeKind.FAILED, _FAILED))
    return _of(
        attempt,
        kind,
        title,
        failure.message,
        failure.next_step,
        who_acts=failure.who_acts,
        reference=" ".join(part for part in (failure.code, failure.correlation_id) if part),
        ticket=attempt.secrets.ticket,
    )


def no_consent_page(attempt: Attempt, error: ScalekitMCPError) -> AuthorizationOutcome:
    """There is no address to send the browser to just now."""
    return _of(
        attempt, OutcomeKind.FAILED, _FAILED, error.message, error.next_step, who_acts=error.who_acts,
        ticket=attempt.secrets.ticket,
    )  # fmt: skip


# The administrator's page


def unknown_approval() -> AuthorizationOutcome:
    """Nothing is known of the link that was approved, or not."""
    return AuthorizationOutcome(
        OutcomeKind.LINK_UNKNOWN,
        "This page was not reached from a valid link",
        "The approval link is unknown, damaged, or older than 30 days. If the sign-in service said that the "
        "approval was given, it was.",
        "Ask the user for a new admin consent link if the approval was not given.",
        who_acts="it_admin",
    )


def not_approved() -> AuthorizationOutcome:
    """The sign-in service reports an error."""
    return AuthorizationOutcome(
        OutcomeKind.DECLINED,
        "The approval was not given",
        "The sign-in service says that the approval for the organization was declined or is not possible with "
        "this account.",
        "Open the link again with an account that may approve applications.",
        who_acts="it_admin",
    )


def approved(identifier: str) -> AuthorizationOutcome:
    """The sign-in service reports the approval, which proves nothing. `identifier` is empty where nobody had one."""
    if not identifier:
        return AuthorizationOutcome(
            OutcomeKind.ADMIN_APPROVED,
            "Thank you: the sign-in service reports the approval",
            "Nobody is connected by the approval itself. The people of the organization can sign in now.",
            "Tell the user to connect this server in the app again.",
            who_acts="user",
        )
    return AuthorizationOutcome(
        OutcomeKind.ADMIN_APPROVED,
        "Thank you: the sign-in service reports the approval",
        f"Nobody is connected by the approval itself. '{identifier}' can sign in now.",
        "Tell the user to open the authorization link from the chat, or to ask for a new one.",
        who_acts="user",
    )


def _mailbox(account: ProviderAccount | None) -> str | None:
    return None if account is None else account.mailbox


def _of(
    attempt: Attempt, kind: OutcomeKind, title: str, message: str, next_step: str, **more: Any
) -> AuthorizationOutcome:
    return AuthorizationOutcome(
        kind,
        title,
        message,
        next_step,
        identifier=attempt.identifier,
        connection_name=attempt.connection_name,
        **more,
    )
