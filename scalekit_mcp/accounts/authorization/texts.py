"""The results of an authorization as sentences without words: keys of the language files, and facts.

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
from scalekit_mcp.errors import ConnectionMisconfigured, ScalekitMCPError, VaultError
from scalekit_mcp.identifiers import account_named_by
from scalekit_mcp.languages import Sentence, said

NAMED_ACCOUNT_ONLY = said("account.named_next")
SIGN_IN_AGAIN = said("refused.try_again")
ASK_ANEW = said("link.ask_anew")

_TITLES: dict[GrantFault, tuple[OutcomeKind, Sentence]] = {
    GrantFault.DECLINED: (OutcomeKind.DECLINED, said("refused.declined_title")),
    GrantFault.ADMIN_APPROVAL: (OutcomeKind.ADMIN_APPROVAL_REQUIRED, said("refused.approval_title")),
    GrantFault.RESTART: (OutcomeKind.FAILED, said("refused.restart_title")),
    GrantFault.TRANSIENT: (OutcomeKind.FAILED, said("refused.transient_title")),
}
_FAILED = said("refused.failed_title")


def connected(attempt: Attempt, signed_in: ProviderAccount | None) -> AuthorizationOutcome:
    """The account is ACTIVE."""
    mailbox = _mailbox(signed_in)
    return _of(
        attempt,
        OutcomeKind.CONNECTED,
        said("connected.title"),
        said("connected.message", mailbox=mailbox)
        if mailbox
        else said("connected.message_unnamed", identifier=attempt.identifier),
        said("connected.next"),
        mailbox=mailbox,
        who_acts="nobody",
    )


def confirmation_needed(
    attempt: Attempt, signed_in: ProviderAccount | None, code: str, *, minutes: int
) -> AuthorizationOutcome:
    """Tokens are held; the code goes from the page to the chat."""
    return _of(
        attempt,
        OutcomeKind.CONFIRMATION_NEEDED,
        said("confirmation.title"),
        said("confirmation.message"),
        said("confirmation.next", count=minutes),
        mailbox=_mailbox(signed_in),
        confirmation_code=code,
        ticket=attempt.secrets.ticket,
    )


def waits_for_code(attempt: Attempt) -> AuthorizationOutcome:
    """The page is opened again while tokens are held; the code is not known any more."""
    return _of(
        attempt,
        OutcomeKind.CONFIRMATION_NEEDED,
        said("confirmation.waits_title"),
        said("confirmation.waits"),
        said("confirmation.waits_next"),
        mailbox=None if attempt.secrets.held is None else _mailbox(attempt.secrets.held.account),
        ticket=attempt.secrets.ticket,
    )


def verify_at_url(attempt: Attempt, signed_in: ProviderAccount | None, url: str) -> AuthorizationOutcome:
    """Tokens are held until the operator's own page has verified the person."""
    return _of(
        attempt,
        OutcomeKind.VERIFY_AT_URL,
        said("verify.title"),
        said("verify.message"),
        said("verify.next"),
        mailbox=_mailbox(signed_in),
        redirect_url=url,
        ticket=attempt.secrets.ticket,
    )


def cancelled(attempt: Attempt) -> AuthorizationOutcome:
    """Held tokens were discarded."""
    return replace(CANCELLED, identifier=attempt.identifier, connection_name=attempt.connection_name)


def unknown_link() -> AuthorizationOutcome:
    """Nothing is known under this ticket or state."""
    return AuthorizationOutcome(OutcomeKind.LINK_UNKNOWN, said("link.unknown_title"), said("link.unknown"), ASK_ANEW)


def expired_link(attempt: Attempt, *, minutes: int) -> AuthorizationOutcome:
    """The attempt ran out; `minutes` is how long links are good for."""
    return _of(
        attempt,
        OutcomeKind.LINK_EXPIRED,
        said("link.expired_title"),
        said("link.expired", count=minutes),
        ASK_ANEW,
    )


def superseded_link(attempt: Attempt) -> AuthorizationOutcome:
    """A newer link was asked for."""
    return _of(
        attempt,
        OutcomeKind.LINK_USED,
        said("link.replaced_title"),
        said("link.replaced"),
        said("link.replaced_next"),
    )


def used_link(attempt: Attempt) -> AuthorizationOutcome:
    """The link or its state was used."""
    done = attempt.state is AttemptState.SUCCEEDED
    return _of(
        attempt,
        OutcomeKind.LINK_USED,
        said("link.used_title"),
        said("link.used_done") if done else said("link.used"),
        said("connected.next") if done else ASK_ANEW,
    )


def other_browser(attempt: Attempt) -> AuthorizationOutcome:
    """The callback came in another browser than the start."""
    return replace(OTHER_BROWSER, connection_name=attempt.connection_name)


def other_account(attempt: Attempt, account: ConnectedAccount, signed_in: ProviderAccount) -> AuthorizationOutcome:
    """Another account of the provider than the connected one, or than the one that the identifier names."""
    who = signed_in.mailbox or said("account.different")
    if account_named_by(attempt.identifier) is not None:
        message, next_step = said("account.switched_named", signed_in=who), NAMED_ACCOUNT_ONLY
    else:
        known = _mailbox(account.provider_account) or said("account.another")
        message, next_step = said("account.switched", known=known, signed_in=who), said("account.switched_next")
    return _of(
        attempt,
        OutcomeKind.OTHER_ACCOUNT,
        said("account.switched_title"),
        message,
        next_step,
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
        reference=_reference(failure),
    )


def sign_in_not_possible(error: ScalekitMCPError) -> AuthorizationOutcome:
    """Something of ours does not work just now."""
    message, next_step = trouble(error)
    return AuthorizationOutcome(OutcomeKind.FAILED, _FAILED, message, next_step, who_acts=error.who_acts)


def calendar_not_granted(missing: Sequence[str]) -> AuthorizationOutcome:
    """The person signed in and left out what the app is for."""
    return AuthorizationOutcome(
        OutcomeKind.DECLINED,
        said("refused.left_out_title"),
        said("refused.left_out", permissions=", ".join(missing)),
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
        reference=_reference(failure),
        ticket=attempt.secrets.ticket,
    )


def no_consent_page(attempt: Attempt, error: ScalekitMCPError) -> AuthorizationOutcome:
    """There is no address to send the browser to just now."""
    message, next_step = trouble(error)
    return _of(
        attempt,
        OutcomeKind.FAILED,
        _FAILED,
        message,
        next_step,
        who_acts=error.who_acts,
        ticket=attempt.secrets.ticket,
    )


def trouble(error: ScalekitMCPError) -> tuple[Sentence, Sentence]:
    """What a person is told about an error of ours, and what to do: who acts on it decides.

    The error's own words are for models, programs and logs.
    """
    if isinstance(error, VaultError):
        message = "vault"
    elif isinstance(error, ConnectionMisconfigured):
        message = "misconfigured"
    else:
        message = "unavailable" if error.retryable else "ours"
    return said(f"trouble.{message}"), said(f"trouble.{error.who_acts}_next")


# The administrator's page


def unknown_approval(*, days: int) -> AuthorizationOutcome:
    """Nothing is known of the link that was approved, or not; `days` is how long such links are good for."""
    return AuthorizationOutcome(
        OutcomeKind.LINK_UNKNOWN,
        said("admin.unknown_title"),
        said("admin.unknown", count=days),
        said("admin.unknown_next"),
        who_acts="it_admin",
    )


def not_approved() -> AuthorizationOutcome:
    """The sign-in service reports an error."""
    return AuthorizationOutcome(
        OutcomeKind.DECLINED,
        said("admin.declined_title"),
        said("admin.declined"),
        said("admin.declined_next"),
        who_acts="it_admin",
    )


def approved(who: str) -> AuthorizationOutcome:
    """The sign-in service reports the approval, which proves nothing. `who` is empty where nobody asked for it."""
    return AuthorizationOutcome(
        OutcomeKind.ADMIN_APPROVED,
        said("admin.approved_title"),
        said("admin.approved", who=who) if who else said("admin.approved_all"),
        said("admin.approved_next") if who else said("admin.approved_all_next"),
        who_acts="user",
    )


def _mailbox(account: ProviderAccount | None) -> str | None:
    return None if account is None else account.mailbox


def _reference(failure: GrantError) -> str:
    return " ".join(part for part in (failure.code, failure.correlation_id) if part)


def _of(
    attempt: Attempt, kind: OutcomeKind, title: Sentence, message: Sentence, next_step: Sentence, **more: Any
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
