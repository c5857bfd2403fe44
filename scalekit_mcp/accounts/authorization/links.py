"""Authorization links: an attempt is begun, our page shows it, and the browser is sent to the provider."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

from scalekit_mcp.accounts.accounts import RACES, Accounts, too_many_races
from scalekit_mcp.accounts.authorization import texts
from scalekit_mcp.accounts.authorization.approvals import Approvals
from scalekit_mcp.accounts.authorization.attempts import AttemptRecords, pending_reason
from scalekit_mcp.accounts.authorization.outcomes import AuthorizationOutcome, AuthorizationPrompt
from scalekit_mcp.accounts.model import texts as account_texts
from scalekit_mcp.accounts.model.records import (
    NOBODY_EXPECTED,
    AccountKey,
    AccountSettings,
    Attempt,
    AttemptSecrets,
    AttemptState,
    AuthorizationLink,
    ConnectedAccount,
    ExpectedPerson,
    Reason,
    StoredAccount,
    UserVerification,
)
from scalekit_mcp.accounts.model.statuses import Cause
from scalekit_mcp.accounts.tokens.scopes import identity_scopes, united
from scalekit_mcp.accounts.vault.changes import Change, InsertAttempt, SaveAttempt
from scalekit_mcp.accounts.vault.sealing.key_ring import sha256_text
from scalekit_mcp.clock import Clock
from scalekit_mcp.errors import InvalidInput, ScalekitMCPError, VaultError
from scalekit_mcp.network import trusted_argument

ListenerAlive = Callable[[str], Awaitable[bool]]
"""Whether a redirect URI that another process gave out is still served."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRequest:
    """The options of an authorization link.

    `link_base`, `redirect_uri` and `admin_redirect_uri` are addresses of our own pages. `reconnect` supersedes the live
    attempt and allows another account of the provider. `expected` is what the caller's own token says of the person.
    `state` and `user_verify_url` are for verification by URL. `scopes` asks
    for just those. `status_before` is what a keeper elsewhere says of the account now.
    """

    link_base: str
    redirect_uri: str
    admin_redirect_uri: str = ""
    reconnect: bool = False
    expected: ExpectedPerson = NOBODY_EXPECTED
    state: str | None = field(default=None, repr=False)
    user_verify_url: str | None = None
    scopes: tuple[str, ...] | None = None
    status_before: str | None = None


class Links:
    """Begins attempts and gives the address of the provider's consent page."""

    def __init__(
        self,
        records: AttemptRecords,
        accounts: Accounts,
        approvals: Approvals,
        *,
        clock: Clock,
        settings: AccountSettings,
        listener_alive: ListenerAlive | None,
    ) -> None:
        self._records = records
        self._accounts = accounts
        self._approvals = approvals
        self._clock = clock
        self._settings = settings
        self._listener_alive = listener_alive

    async def begin(self, key: AccountKey, request: LinkRequest) -> AuthorizationLink:
        """Begin an attempt, or return the live one while at least three minutes remain; see `Authorizations.begin`."""
        request = replace(request, user_verify_url=self._verify_url(request))
        for _ in range(RACES):
            stored = await self._accounts.find_or_create(key)
            live = await self._accounts.live_attempt(stored)
            changes: list[Change] = []
            if live is not None:
                if not request.reconnect and await self._still_good(live, stored, request.redirect_uri):
                    renewed = _renewed(live.secrets, request)
                    if renewed == live.secrets or await self._records.save(replace(live, secrets=renewed)):
                        return self._link(live, stored.account)
                    continue
                changes.append(SaveAttempt(live.ended(AttemptState.SUPERSEDED)))
            attempt = self._new_attempt(stored.account, request)
            changes.append(InsertAttempt(attempt))
            now = self._clock.now()
            changes += pending_reason(stored.account, Cause.LINK_GIVEN, Reason.AWAITING_CONSENT, at=now)
            if await self._records.commit(stored.account, *changes):
                return self._link(attempt, stored.account)
        raise too_many_races()

    def _verify_url(self, request: LinkRequest) -> str | None:
        """The operator's address that verifies the person; raises `InvalidInput` if one is needed and missing."""
        url = self._settings.user_verify_url if request.user_verify_url is None else request.user_verify_url
        if url is None and self._settings.user_verification is UserVerification.URL:
            raise InvalidInput(
                "Users are verified at a page of the operator, and its address is not known.",
                field="user_verify_url",
                next_step="The operator sets SCALEKIT_MCP_USER_VERIFY_URL, or the call gives user_verify_url.",
                who_acts="operator",
            )
        if url is not None:
            trusted_argument(url, field="user_verify_url")
        return url

    async def _still_good(self, live: Attempt, stored: StoredAccount, redirect_uri: str) -> bool:
        if self._records.is_expired(live):
            return False
        if live.state is AttemptState.HELD:
            account = replace(stored.account, reason=Reason.AWAITING_CONFIRMATION, who_acts="user")
            raise account_texts.not_active(account)
        if live.expires_at - self._clock.now() < timedelta(seconds=self._settings.min_link_seconds):
            return False
        # An attempt with the same way back as a new one would have is served by whoever asks for it now.
        return (
            live.redirect_uri == redirect_uri
            or self._listener_alive is None
            or await self._listener_alive(live.redirect_uri)
        )

    def _new_attempt(self, account: ConnectedAccount, request: LinkRequest) -> Attempt:
        now = self._clock.now()
        usual = self._records.keeper(account.connection_name).scopes
        asked = usual if request.scopes is None else united(identity_scopes(usual), request.scopes)
        ticket = secrets.token_urlsafe(32)
        return Attempt(
            id="att_" + secrets.token_hex(12),
            account_id=account.id,
            connection_name=account.connection_name,
            identifier=account.identifier,
            state=AttemptState.LINK_GIVEN,
            created_at=now,
            expires_at=now + timedelta(seconds=self._settings.attempt_seconds),
            redirect_uri=request.redirect_uri,
            verification=self._settings.user_verification,
            reconnect=request.reconnect,
            ticket_sha256=sha256_text(ticket),
            secrets=AttemptSecrets(
                ticket=ticket,
                link_base=request.link_base.rstrip("/"),
                admin_redirect_uri=request.admin_redirect_uri,
                scopes=tuple(asked),
                login_hint=request.expected.login_hint,
                expected_account=request.expected.account,
                caller_state=request.state,
                user_verify_url=request.user_verify_url,
                status_before=request.status_before,
            ),
        )

    def _link(self, attempt: Attempt, account: ConnectedAccount) -> AuthorizationLink:
        return AuthorizationLink(
            link=f"{attempt.secrets.link_base}/connect/{attempt.secrets.ticket}",
            expires_at=attempt.expires_at,
            admin_consent_url=self._approvals.url(attempt, account),
            attempt_id=attempt.id,
        )

    async def prompt(self, ticket: str) -> AuthorizationPrompt | AuthorizationOutcome:
        """What the page behind the link shows; changes nothing."""
        attempt = await self._records.by_ticket(ticket)
        if isinstance(attempt, AuthorizationOutcome):
            return attempt
        stored = await self._records.account(attempt)
        if stored is None:
            return texts.unknown_link()
        if attempt.state is AttemptState.HELD:
            return texts.waits_for_code(attempt)
        keeper = self._records.keeper(attempt.connection_name)
        approval = self._approvals.request(attempt, stored.account)
        return AuthorizationPrompt(
            identifier=attempt.identifier,
            connection_name=attempt.connection_name,
            provider_name=keeper.provider_name,
            scopes=attempt.secrets.scopes,
            expires_at=attempt.expires_at,
            approval=approval,
            has_administrators=keeper.has_administrators,
            account_name=_account_name(attempt, stored.account),
        )

    async def start(self, ticket: str, browser_secret: str | None) -> str | AuthorizationOutcome:
        """Bind the attempt to a browser and return the address of the consent page.

        The last start wins: it makes a new `state` and voids the one before.
        """
        for _ in range(RACES):
            attempt = await self._records.by_ticket(ticket)
            if isinstance(attempt, AuthorizationOutcome):
                return attempt
            if attempt.state is AttemptState.HELD:
                return texts.waits_for_code(attempt)
            stored = await self._records.account(attempt)
            if stored is None:
                return texts.unknown_link()
            started = _started(attempt, browser_secret)
            now = self._clock.now()
            moved = pending_reason(stored.account, Cause.SIGN_IN_STARTED, Reason.AWAITING_CONSENT, at=now)
            if await self._records.commit(stored.account, SaveAttempt(started), *moved):
                return await self._consent_url(started, stored.account)
        raise too_many_races()

    async def _consent_url(self, attempt: Attempt, account: ConnectedAccount) -> str | AuthorizationOutcome:
        try:
            return await self._records.keeper(attempt.connection_name).consent_url(attempt, account)
        except VaultError:
            raise
        except ScalekitMCPError as error:
            return texts.no_consent_page(attempt, error)


def _account_name(attempt: Attempt, account: ConnectedAccount) -> str | None:
    """What a person calls the account: its address where it was connected before, or what the caller's token says."""
    known = account.provider_account
    if attempt.reconnect or known is None:
        return attempt.secrets.login_hint
    return known.mailbox or known.display_name or attempt.secrets.login_hint


def _started(attempt: Attempt, browser_secret: str | None) -> Attempt:
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    return replace(
        attempt,
        state=AttemptState.AT_PROVIDER,
        state_used=False,
        state_sha256=sha256_text(state),
        secrets=replace(
            attempt.secrets,
            state=state,
            nonce=nonce,
            code_verifier=verifier,
            browser_sha256=None if browser_secret is None else sha256_text(browser_secret),
        ),
    )


def _renewed(known: AttemptSecrets, request: LinkRequest) -> AttemptSecrets:
    """The secrets of a live attempt, with the options of a new request for the same link."""
    return replace(
        known,
        login_hint=request.expected.login_hint or known.login_hint,
        expected_account=request.expected.account or known.expected_account,
        caller_state=request.state or known.caller_state,
        user_verify_url=request.user_verify_url or known.user_verify_url,
        scopes=known.scopes if request.scopes is None else united(known.scopes, request.scopes),
    )
