"""Hosted accounts as all interfaces show them: the status comes from Scalekit, the attempt from our vault.

An account of Scalekit's has a record in our vault once a link was asked for: PENDING for good, without tokens, under a
connection name that says where the tokens are. It holds the attempts, and what became of the newest.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from scalekit_mcp.accounts import (
    WHO_ACTS,
    AccountKey,
    AccountStatus,
    AttemptKey,
    AttemptState,
    AttemptSummary,
    Authorizations,
    Reason,
    StoredAccount,
    UserVerification,
    Vault,
    as_shown,
    attempt_in_progress,
    next_step,
    sentence,
)
from scalekit_mcp.actions.models import ConnectedAccountView
from scalekit_mcp.clock import Clock
from scalekit_mcp.errors import AuthorizationRequired
from scalekit_mcp.scalekit import WireAccount, meaning_of, provider_key

logger = logging.getLogger(__name__)

_REFUSED_AT_PROVIDER = (Reason.CONSENT_DECLINED, Reason.ADMIN_APPROVAL_REQUIRED)


class HostedViews:
    """Combines Scalekit's account with the attempts in the vault; `vault_connection` is the connection's name there."""

    def __init__(
        self,
        vault: Vault,
        authorizations: Authorizations,
        vault_connection: str,
        *,
        clock: Clock,
        verification: UserVerification,
    ) -> None:
        self._vault = vault
        self._authorizations = authorizations
        self.vault_connection = vault_connection
        self._clock = clock
        self._verification = verification

    def vault_key(self, key: AccountKey) -> AccountKey:
        """The key under which the vault keeps the attempts of an account."""
        return replace(key, connection_name=self.vault_connection)

    async def view(self, account: WireAccount) -> ConnectedAccountView:
        """The account with its present status and attempt.

        Scalekit tells nobody that a consent is over: an attempt has succeeded once its account is seen ACTIVE.
        """
        stored = None if account.key is None else await self._vault.find_account(self.vault_key(account.key))
        running = None if stored is None else attempt_in_progress(stored.attempt, self._clock.now())
        if stored is not None and running is not None and await self._has_succeeded(account, stored, running):
            await self._authorizations.settle(stored.account.key)
            stored = await self._vault.find_account(stored.account.key)
            running = None
        return self._view(account, stored, running)

    async def views(self, accounts: Sequence[WireAccount]) -> tuple[ConnectedAccountView, ...]:
        """The same for several accounts, in their order."""
        return tuple([await self.view(account) for account in accounts])

    async def has_attempt(self, key: AccountKey) -> bool:
        """Whether somebody is on the way to a consent for the account."""
        stored = await self._vault.find_account(self.vault_key(key))
        running = None if stored is None else attempt_in_progress(stored.attempt, self._clock.now())
        return running is not None and running.state in (AttemptState.AT_PROVIDER, AttemptState.HELD)

    async def settle(self, key: AccountKey) -> None:
        """End the attempt of the account as a success."""
        await self._authorizations.settle(self.vault_key(key))

    async def _has_succeeded(self, account: WireAccount, stored: StoredAccount, running: AttemptSummary) -> bool:
        if account.status != "ACTIVE" or running.state not in (AttemptState.AT_PROVIDER, AttemptState.HELD):
            return False
        attempt = await self._vault.find_attempt(AttemptKey.LIVE_ACCOUNT, stored.account.id)
        if attempt is None or attempt.secrets.status_before in (None, "ACTIVE"):
            return False
        if attempt.state is AttemptState.AT_PROVIDER and attempt.verification is UserVerification.CONFIRM:
            logger.warning(
                "The account of '%s' became ACTIVE without a verification by this server: "
                "check User Verification in the Scalekit dashboard",
                account.identifier,
            )
        return True

    def _view(
        self, wire: WireAccount, stored: StoredAccount | None, running: AttemptSummary | None
    ) -> ConnectedAccountView:
        status, reason = meaning_of(wire)
        state = None if running is None else running.state
        if status is AccountStatus.PENDING:
            reason = self._pending_reason(wire, stored, running)
            if state is AttemptState.AT_PROVIDER and reason in _REFUSED_AT_PROVIDER:
                state = AttemptState.FAILED
        error = None if stored is None else stored.account.last_authorization_error
        return ConnectedAccountView(
            id=wire.id,
            connection_name=wire.connector,
            identifier=wire.identifier,
            status=status.value,
            reason=None if reason is None else reason.value,
            who_acts=WHO_ACTS[reason],
            token_expires_at=wire.token_expires_at,
            last_used_at=wire.last_used_at,
            updated_at=wire.updated_at,
            last_authorization_error=error or wire.last_authorization_error,
            attempt_state=None if state is None else state.value,
            attempt_expires_at=None if running is None else running.expires_at,
            held=state is AttemptState.HELD,
            provider=wire.provider or provider_key(wire.connector),
        )

    def _pending_reason(
        self, wire: WireAccount, stored: StoredAccount | None, running: AttemptSummary | None
    ) -> Reason:
        """An account that never had a grant shows its newest attempt as its reason."""
        if running is not None and running.state is AttemptState.HELD:
            return Reason.AWAITING_CONFIRMATION
        by_url = running is None or self._verification is UserVerification.URL
        if wire.status == "PENDING_VERIFICATION" and by_url:
            return Reason.AWAITING_CONFIRMATION
        refused = wire.reason if wire.reason in _REFUSED_AT_PROVIDER else None
        if refused is not None and running is not None and running.state is AttemptState.AT_PROVIDER:
            return refused
        if stored is None:
            return Reason.NEVER_AUTHORIZED
        return as_shown(stored.account, stored.attempt, self._clock.now()).reason or Reason.NEVER_AUTHORIZED


def not_active(view: ConnectedAccountView, *, own_connection: str) -> AuthorizationRequired:
    """The error for an account that makes no calls; of a connection beside the calendar's it names the connection."""
    reason = Reason(view.reason or Reason.UNKNOWN)
    name, further = view.connection_name, view.connection_name != own_connection
    message = sentence(reason, view.identifier)
    if further and reason is Reason.NEVER_AUTHORIZED:
        message = f"No account of the connection '{name}' is connected yet for '{view.identifier}'."
    elif further:
        message = f"Connection '{name}': {message}"
    return AuthorizationRequired(
        message,
        next_step=next_step(reason, has_administrators=not further),
        who_acts=view.who_acts,
        status=view.status,
        reason=reason.value,
    )
