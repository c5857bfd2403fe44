"""Authorizations in progress: one live attempt per account, from the link to the connected account.

An attempt touches its account only when it succeeds. Whatever a browser brings is looked up by its SHA-256, used once,
and accepted only from the browser that started. The person who consents must be the one who asked: see `confirmation`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scalekit_mcp.accounts.accounts import RACES, Accounts, too_many_races
from scalekit_mcp.accounts.authorization import texts
from scalekit_mcp.accounts.authorization.acceptance import Acceptance
from scalekit_mcp.accounts.authorization.approvals import Approvals
from scalekit_mcp.accounts.authorization.attempts import AttemptRecords, is_switch
from scalekit_mcp.accounts.authorization.callback import Callback
from scalekit_mcp.accounts.authorization.confirmation import Confirmation
from scalekit_mcp.accounts.authorization.keeper import Keeper
from scalekit_mcp.accounts.authorization.links import LinkRequest, Links, ListenerAlive
from scalekit_mcp.accounts.authorization.outcomes import AuthorizationOutcome, AuthorizationPrompt
from scalekit_mcp.accounts.model.approval_request import ApprovalRequest
from scalekit_mcp.accounts.model.records import (
    AccountKey,
    AccountSettings,
    AccountView,
    AttemptState,
    AuthorizationLink,
    HeldGrant,
)
from scalekit_mcp.accounts.provider import Grant
from scalekit_mcp.accounts.vault.changes import NoteAccount, SaveAttempt
from scalekit_mcp.accounts.vault.vault import Vault
from scalekit_mcp.clock import Clock
from scalekit_mcp.concurrency import RunningTasks
from scalekit_mcp.errors import InvalidInput
from scalekit_mcp.identifiers import account_named_by


class Authorizations:
    """All steps of an authorization (link, page, callback, confirmation), for every `Keeper`."""

    def __init__(
        self,
        vault: Vault,
        accounts: Accounts,
        keepers: Mapping[str, Keeper],
        *,
        clock: Clock,
        settings: AccountSettings,
        listener_alive: ListenerAlive | None = None,
    ) -> None:
        self._accounts = accounts
        self._settings = settings
        self._running = RunningTasks()
        self._records = AttemptRecords(vault, accounts, keepers, clock, settings)
        self._acceptance = Acceptance(self._records)
        self._approvals = Approvals(self._records, vault.key_ring, clock=clock, settings=settings)
        self._links = Links(
            self._records,
            accounts,
            self._approvals,
            clock=clock,
            settings=settings,
            listener_alive=listener_alive,
        )
        self._callback = Callback(self._records, self._acceptance, self._approvals, clock=clock, settings=settings)
        self._confirmation = Confirmation(self._records, self._acceptance, accounts, clock)

    async def aclose(self) -> None:
        """Wait a bounded time until a code redemption that was already sent is saved."""
        await self._running.aclose(self._settings.token_call_seconds + 10)

    # The page and the way to the provider

    async def begin(self, key: AccountKey, request: LinkRequest) -> AuthorizationLink:
        """Begin an attempt, or return the live one while at least three minutes remain.

        Raises:
            AuthorizationRequired: tokens are held and wait for their confirmation; no new link is given.
            InvalidInput: verification by URL without a URL.
        """
        return await self._links.begin(key, request)

    async def prompt(self, ticket: str) -> AuthorizationPrompt | AuthorizationOutcome:
        """What the page behind the link shows; changes nothing."""
        return await self._links.prompt(ticket)

    async def start(self, ticket: str, browser_secret: str | None = None) -> str | AuthorizationOutcome:
        """Bind the attempt to a browser; the address of the consent page. The last call wins."""
        return await self._links.start(ticket, browser_secret)

    # The way back

    async def complete(self, query: Mapping[str, str], browser_secrets: Sequence[str] = ()) -> AuthorizationOutcome:
        """Handle the callback's query; a browser that disconnects meanwhile does not cancel it."""
        return await self._running.run(self._callback.complete(dict(query), tuple(browser_secrets)))

    async def complete_admin_consent(self, query: Mapping[str, str]) -> AuthorizationOutcome:
        """The page for an administrator who comes back; the query proves nothing, so it connects no account."""
        return await self._approvals.outcome(query)

    def organization_approval(self, connection_name: str, *, redirect_uri: str) -> ApprovalRequest | None:
        """What to send to an administrator on behalf of somebody who has not signed in yet."""
        return self._approvals.of_organization(connection_name, redirect_uri)

    # Who is who

    async def confirm(self, key: AccountKey, confirmation_code: str) -> AccountView:
        """Connect the account with the code from the page, given by the identifier that asked; returns the account.

        Raises:
            InvalidInput: nothing waits for a code, the code is wrong, or too many were. What cannot be a code at all
                is refused without counting as one of five tries: it could not have been right.
        """
        return await self._running.run(self._confirmation.confirm(key, confirmation_code))

    async def verify_user(self, auth_request_id: str, identifier: str) -> AccountView:
        """Connect the account because the operator's backend says that `identifier` consented; returns the account.

        Raises:
            InvalidInput: `field` is `auth_request_id` for an unknown or expired request, `identifier` for the wrong
                person, which counts as one of five tries.
        """
        return await self._confirmation.verify_user(auth_request_id, identifier)

    async def cancel(self, ticket: str, browser_secret: str | None = None) -> AuthorizationOutcome:
        """End the attempt as declined and discard held tokens; only from the browser that started it."""
        return await self._confirmation.cancel(ticket, browser_secret)

    # Beside the pages

    async def adopt(self, key: AccountKey, grant: Grant, *, reconnect: bool = False) -> AccountView:
        """Connect an account with a grant that did not come through our pages, such as one by device code (RFC 8628).

        Raises:
            InvalidInput: another account of the provider signed in than the connected one, and not `reconnect`, or
                than the one that the identifier names.
        """
        held = HeldGrant(grant.tokens, grant.account)
        for _ in range(RACES):
            stored = await self._accounts.find_or_create(key)
            if is_switch(reconnect, stored.account, grant.account):
                if account_named_by(key.identifier) is not None:
                    raise InvalidInput(
                        f"'{key.identifier}' names another account; {grant.account.mailbox} signed in.",
                        next_step=str(texts.NAMED_ACCOUNT_ONLY),
                    )
                raise InvalidInput(
                    f"'{key.identifier}' is connected with another account; {grant.account.mailbox} signed in.",
                    next_step="Sign in with the same account, or reconnect to switch accounts.",
                )
            if await self._acceptance.activate(stored.account, held, *await self._accounts.end_attempt(stored)):
                return await self._accounts.get(key)
        raise too_many_races()

    async def settle(self, key: AccountKey) -> None:
        """End the live attempt as a success: the service that keeps the tokens says that the account is connected."""
        for _ in range(RACES):
            live = await self._records.live(key)
            stored = None if live is None else await self._records.account(live)
            if stored is None or live is None:
                return
            told = NoteAccount(stored.account.id, last_authorization_error=None)
            if await self._records.commit(stored.account, SaveAttempt(live.ended(AttemptState.SUCCEEDED)), told):
                return
        raise too_many_races()
