"""The outcomes of an authorization, each in its own words, and the administrator's link."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from scalekit_mcp.accounts.authorization.outcomes import (
    CANCELLED,
    OTHER_BROWSER,
    AuthorizationOutcome,
    AuthorizationPrompt,
    OutcomeKind,
)
from scalekit_mcp.accounts.model import texts
from scalekit_mcp.accounts.model.records import (
    AccountStatus,
    Attempt,
    AttemptState,
    ConnectedAccount,
    ManagerSettings,
    ProviderAccount,
    Reason,
)
from scalekit_mcp.accounts.provider import GrantFailure, GrantFault, OAuthProvider
from scalekit_mcp.accounts.vault.sealing import SealBroken
from scalekit_mcp.accounts.vault.vault import Vault
from scalekit_mcp.clock import Clock

_ASK_ANEW = "Go back to the chat and ask for a new authorization link."
_ADMIN_STATE = "admin consent"


class Pages:
    """Words for a person in front of a browser. Never a token, a code of the provider, or what a query brought."""

    def __init__(
        self, vault: Vault, providers: Mapping[str, OAuthProvider], clock: Clock, settings: ManagerSettings
    ) -> None:
        self._vault = vault
        self._providers = providers
        self._clock = clock
        self._settings = settings

    # The administrator's link

    def admin_consent_url(self, attempt: Attempt, account: ConnectedAccount, *, always: bool = False) -> str | None:
        """Where an administrator approves the application; None where nobody has one, or none is needed."""
        known = account.provider_account
        if (known is not None and known.personal) or not attempt.secrets.admin_redirect_uri:
            return None
        if account.status is AccountStatus.ACTIVE and not always:
            return None
        return self.admin_link(account, attempt.secrets.admin_redirect_uri)

    def admin_link(self, account: ConnectedAccount, redirect_uri: str) -> str:
        """The provider's address with a sealed `state` that lives for 30 days: IT acts days later, elsewhere."""
        provider = self._providers[account.connection_name]
        state = self._vault.key_ring.seal_token(
            _ADMIN_STATE,
            "",
            {"c": account.connection_name, "i": account.identifier},
            expires_at=self._clock.now() + timedelta(days=self._settings.admin_state_days),
        )
        known = account.provider_account
        return provider.admin_consent_url(
            tid=None if known is None else known.tid, redirect_uri=redirect_uri, state=state, scopes=provider.scopes
        )

    def _admin_text(self, attempt: Attempt, url: str | None) -> str | None:
        if url is None:
            return None
        provider = self._providers[attempt.connection_name]
        return texts.admin_text(
            scopes=provider.scopes,
            client_id=provider.client_id,
            admin_consent_url=url,
            admin_redirect_uri=attempt.secrets.admin_redirect_uri,
        )

    def admin_outcome(self, query: Mapping[str, str]) -> AuthorizationOutcome:
        """What the administrator's browser brought: `error` is looked at first, nothing is believed."""
        identifier = connection_name = None
        try:
            opened = self._vault.key_ring.open_token(_ADMIN_STATE, "", query.get("state", ""), now=self._clock.now())
            identifier, connection_name = str(opened["i"]), str(opened["c"])
        except SealBroken:
            return AuthorizationOutcome(
                OutcomeKind.LINK_UNKNOWN,
                "This page was not reached from a valid link",
                "The approval link is unknown, damaged, or older than 30 days. If the sign-in service said that the "
                "approval was given, it was.",
                "Ask the user for a new admin consent link if the approval was not given.",
                who_acts="it_admin",
            )
        if "error" in query:
            return AuthorizationOutcome(
                OutcomeKind.DECLINED,
                "The approval was not given",
                "The sign-in service says that the approval for the organization was declined or is not possible with "
                "this account.",
                "Open the link again with an account that may approve applications.",
                who_acts="it_admin",
                identifier=identifier,
                connection_name=connection_name,
            )
        return AuthorizationOutcome(
            OutcomeKind.ADMIN_APPROVED,
            "Thank you: the sign-in service reports the approval",
            f"Nobody is connected by the approval itself. '{identifier}' can sign in now.",
            "Tell the user to open the authorization link from the chat, or to ask for a new one.",
            who_acts="user",
            identifier=identifier,
            connection_name=connection_name,
        )

    # Prompts

    def prompt(self, attempt: Attempt, account: ConnectedAccount) -> AuthorizationPrompt:
        """What the page behind the link shows."""
        url = self.admin_consent_url(attempt, account, always=True)
        provider = self._providers[attempt.connection_name]
        return AuthorizationPrompt(
            identifier=attempt.identifier,
            connection_name=attempt.connection_name,
            provider_name=provider.provider_name,
            scopes=attempt.secrets.scopes,
            expires_at=attempt.expires_at,
            admin_consent_url=url,
            admin_text=self._admin_text(attempt, url),
        )

    # Outcomes

    def connected(self, attempt: Attempt, signed_in: ProviderAccount) -> AuthorizationOutcome:
        """The account is ACTIVE."""
        return _of(
            attempt,
            OutcomeKind.CONNECTED,
            "Connected",
            f"The calendar of {signed_in.mailbox or 'your account'} is connected for '{attempt.identifier}'.",
            "You can close this page and go back to the chat.",
            mailbox=signed_in.mailbox,
            who_acts="nobody",
        )

    def confirmation_needed(self, attempt: Attempt, signed_in: ProviderAccount, code: str) -> AuthorizationOutcome:
        """Tokens are held; the code goes from the page to the chat."""
        return _of(
            attempt,
            OutcomeKind.CONFIRMATION_NEEDED,
            "One more step: type this code into the chat",
            "Type this only into the chat where you asked. If someone sent you the link, press Cancel.",
            "The code is good for ten minutes.",
            mailbox=signed_in.mailbox,
            confirmation_code=code,
            ticket=attempt.secrets.ticket,
        )

    def waits_for_code(self, attempt: Attempt) -> AuthorizationOutcome:
        """The page is opened again while tokens are held; the code is not known any more."""
        return _of(
            attempt,
            OutcomeKind.CONFIRMATION_NEEDED,
            "The sign-in waits for its confirmation",
            "Somebody signed in with this link already. The code was shown once, on the page after the sign-in.",
            "Type that code into the chat where you asked, or press Cancel to discard the sign-in.",
            mailbox=None if attempt.secrets.held is None else attempt.secrets.held.account.mailbox,
            ticket=attempt.secrets.ticket,
        )

    def verify_at_url(self, attempt: Attempt, signed_in: ProviderAccount, url: str) -> AuthorizationOutcome:
        """Tokens are held until the operator's own page has verified the person."""
        return _of(
            attempt,
            OutcomeKind.VERIFY_AT_URL,
            "One more step",
            "You are being sent on to confirm who you are.",
            "Follow the page that opens.",
            mailbox=signed_in.mailbox,
            redirect_url=url,
            ticket=attempt.secrets.ticket,
        )

    def cancelled(self, attempt: Attempt) -> AuthorizationOutcome:
        """Held tokens were discarded."""
        return replace(CANCELLED, identifier=attempt.identifier, connection_name=attempt.connection_name)

    def unknown_link(self) -> AuthorizationOutcome:
        """Nothing is known under this ticket or state."""
        return AuthorizationOutcome(
            OutcomeKind.LINK_UNKNOWN,
            "This link is not known",
            "The link is incomplete, was replaced by a newer sign-in, or belongs to another installation.",
            _ASK_ANEW,
        )

    def expired_link(self, attempt: Attempt) -> AuthorizationOutcome:
        """The attempt ran out."""
        return _of(
            attempt, OutcomeKind.LINK_EXPIRED, "This link has expired", "An authorization link is good for 15 minutes.",
            _ASK_ANEW,
        )  # fmt: skip

    def superseded_link(self, attempt: Attempt) -> AuthorizationOutcome:
        """A newer link was asked for."""
        return _of(
            attempt, OutcomeKind.LINK_USED, "This link was replaced", "A newer authorization link was given since.",
            "Use the newest link from the chat.",
        )  # fmt: skip

    def used_link(self, attempt: Attempt) -> AuthorizationOutcome:
        """The link or its state was used."""
        done = attempt.state is AttemptState.SUCCEEDED
        return _of(
            attempt,
            OutcomeKind.LINK_USED,
            "This sign-in was used already",
            "The account was connected with it." if done else "Each sign-in can be used once.",
            "You can close this page and go back to the chat." if done else _ASK_ANEW,
        )

    def other_browser(self, attempt: Attempt) -> AuthorizationOutcome:
        """The callback came in another browser than the start."""
        return replace(OTHER_BROWSER, connection_name=attempt.connection_name)

    def other_account(
        self, attempt: Attempt, account: ConnectedAccount, signed_in: ProviderAccount
    ) -> AuthorizationOutcome:
        """Another account of the provider than the connected one."""
        known = account.provider_account
        return _of(
            attempt,
            OutcomeKind.OTHER_ACCOUNT,
            "That is another account",
            f"'{attempt.identifier}' is connected with {(known and known.mailbox) or 'another account'}, but "
            f"{signed_in.mailbox or 'a different account'} signed in. Nothing was changed.",
            "Sign in with the same account, or ask in the chat to reconnect if you want to switch accounts.",
            mailbox=signed_in.mailbox,
            ticket=attempt.secrets.ticket,
        )

    def failed(self, attempt: Attempt, failure: GrantFailure) -> AuthorizationOutcome:
        """The provider refused; a Cancel and a missing approval look the same from here: both ways are offered."""
        kinds = {
            GrantFault.DECLINED: (OutcomeKind.DECLINED, "The permission was not given"),
            GrantFault.ADMIN_APPROVAL: (OutcomeKind.ADMIN_APPROVAL_REQUIRED, "Your organization has to approve first"),
            GrantFault.RESTART: (OutcomeKind.FAILED, "Please start again"),
            GrantFault.TRANSIENT: (OutcomeKind.FAILED, "The sign-in service is not available just now"),
        }
        kind, title = kinds.get(failure.fault, (OutcomeKind.FAILED, "The sign-in failed"))
        url = text = None
        if kind is not OutcomeKind.FAILED or failure.who_acts == "it_admin":
            account = ConnectedAccount(
                id="", connection_name=attempt.connection_name, identifier=attempt.identifier,
                status=AccountStatus.PENDING, reason=Reason.AWAITING_CONSENT, who_acts="user",
                created_at=attempt.created_at, updated_at=attempt.created_at,
            )  # fmt: skip
            url = self.admin_consent_url(attempt, account, always=True)
            text = self._admin_text(attempt, url)
        return _of(
            attempt,
            kind,
            title,
            failure.message,
            failure.next_step,
            who_acts=failure.who_acts,
            admin_consent_url=url,
            admin_text=text,
            reference=" ".join(part for part in (failure.code, failure.correlation_id) if part),
            ticket=attempt.secrets.ticket,
        )


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
