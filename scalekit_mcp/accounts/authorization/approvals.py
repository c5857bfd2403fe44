"""Admin consent: the link for an administrator to approve the application for an organization, and its result page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from scalekit_mcp.accounts.authorization import texts
from scalekit_mcp.accounts.authorization.attempts import AttemptRecords
from scalekit_mcp.accounts.authorization.outcomes import AuthorizationOutcome, OutcomeKind
from scalekit_mcp.accounts.model.approval_request import ApprovalRequest
from scalekit_mcp.accounts.model.records import AccountKey, AccountSettings, AccountStatus, Attempt, ConnectedAccount
from scalekit_mcp.accounts.vault.sealing.key_ring import BrokenSealError, KeyRing
from scalekit_mcp.clock import Clock
from scalekit_mcp.identifiers import account_named_by

_ADMIN_STATE = "admin consent"


class Approvals:
    """Makes the links for administrators and reports the results; it connects no account."""

    def __init__(self, records: AttemptRecords, ring: KeyRing, *, clock: Clock, settings: AccountSettings) -> None:
        self._records = records
        self._ring = ring
        self._clock = clock
        self._settings = settings

    def request(self, attempt: Attempt, account: ConnectedAccount) -> ApprovalRequest | None:
        """The approval link and a text for an administrator; None if the provider has no approval or none is needed.

        The `state` in the link is sealed and lives for 30 days: whoever approves acts days later, elsewhere.
        """
        redirect_uri = attempt.secrets.admin_redirect_uri
        if not redirect_uri:
            return None
        state = self._state(account.connection_name, account.identifier)
        return self._records.keeper(account.connection_name).approval(account, redirect_uri=redirect_uri, state=state)

    def of_organization(self, connection_name: str, redirect_uri: str) -> ApprovalRequest | None:
        """As `request`, for a person of whom nothing is known yet."""
        state = self._state(connection_name, "")
        return self._records.keeper(connection_name).approval(None, redirect_uri=redirect_uri, state=state)

    def _state(self, connection_name: str, identifier: str) -> str:
        return self._ring.seal_token(
            _ADMIN_STATE,
            "",
            {"c": connection_name, "i": identifier},
            expires_at=self._clock.now() + timedelta(days=self._settings.admin_state_days),
        )

    def url(self, attempt: Attempt, account: ConnectedAccount) -> str | None:
        """The approval link to give out beside an authorization link; only for accounts that are not ACTIVE."""
        request = None if account.status is AccountStatus.ACTIVE else self.request(attempt, account)
        return None if request is None else request.url

    def with_approval(
        self, outcome: AuthorizationOutcome, attempt: Attempt, account: ConnectedAccount
    ) -> AuthorizationOutcome:
        """The same failure with an approval link: the provider answers a Cancel and a missing approval alike."""
        if outcome.kind is OutcomeKind.FAILED and outcome.who_acts != "it_admin":
            return outcome
        request = self.request(attempt, account)
        return outcome if request is None else replace(outcome, approval=request)

    async def outcome(self, query: Mapping[str, str]) -> AuthorizationOutcome:
        """The page for the administrator's return, by the query of the callback; the query proves nothing."""
        try:
            opened = self._ring.open_token(_ADMIN_STATE, "", query.get("state", ""), now=self._clock.now())
        except BrokenSealError:
            return texts.unknown_approval(days=self._settings.admin_state_days)
        identifier, connection_name = str(opened["i"]), str(opened["c"])
        outcome = (
            texts.not_approved()
            if "error" in query
            else texts.approved(await self._name(connection_name, identifier) if identifier else "")
        )
        return replace(outcome, identifier=identifier, connection_name=connection_name)

    async def _name(self, connection_name: str, identifier: str) -> str:
        """What the administrator knows the person by; empty for an identifier that says nothing to people."""
        mailbox = await self._records.mailbox(AccountKey(connection_name, identifier))
        return mailbox or ("" if account_named_by(identifier) is not None else f"'{identifier}'")
