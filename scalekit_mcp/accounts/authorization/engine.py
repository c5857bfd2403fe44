"""Authorizations in progress: one live attempt per account, from the link to the connected account.

An attempt touches its account only when it succeeds. Whatever a browser brings is looked up by its SHA-256, used once,
and held against the browser that started; whoever consents is held against whoever asked.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from scalekit_mcp.accounts.accounts import RACES, too_many_races
from scalekit_mcp.accounts.authorization.callback import Callback
from scalekit_mcp.accounts.authorization.confirmation import Confirmation
from scalekit_mcp.accounts.authorization.outcomes import AuthorizationOutcome, AuthorizationPrompt
from scalekit_mcp.accounts.model import texts
from scalekit_mcp.accounts.model.records import (
    AccountKey,
    Attempt,
    AttemptSecrets,
    AttemptState,
    AuthorizationLink,
    ConnectedAccount,
    Reason,
    StoredAccount,
    UserVerification,
)
from scalekit_mcp.accounts.model.statuses import Cause
from scalekit_mcp.accounts.provider import AuthorizationRequest
from scalekit_mcp.accounts.tokens.scopes import identity_scopes, united
from scalekit_mcp.accounts.vault.changes import (
    Change,
    InsertAttempt,
    SaveAttempt,
)
from scalekit_mcp.accounts.vault.sealing import sha256_text
from scalekit_mcp.errors import InvalidInput
from scalekit_mcp.network import trusted_argument


class Authorizations(Callback, Confirmation):
    """The whole road of an authorization: link, page, callback, confirmation."""

    async def begin(
        self,
        key: AccountKey,
        *,
        link_base: str,
        redirect_uri: str,
        admin_redirect_uri: str,
        reconnect: bool = False,
        login_hint: str | None = None,
        expected_account: tuple[str, str] | None = None,
        state: str | None = None,
        user_verify_url: str | None = None,
        scopes: Sequence[str] | None = None,
    ) -> AuthorizationLink:
        """Begin an attempt, or return the live one.

        Raises:
            AuthorizationRequired: tokens are held and wait for their confirmation; no new link is given.
            InvalidInput: verification by URL without a URL.
        """
        verify_url = self._settings.user_verify_url if user_verify_url is None else user_verify_url
        if verify_url is None and self._settings.user_verification is UserVerification.URL:
            raise _no_verify_url()
        if verify_url is not None:
            trusted_argument(verify_url, field="user_verify_url")
        for _ in range(RACES):
            stored = await self._accounts.find_or_create(key)
            live = await self._accounts.live_attempt(stored)
            changes: list[Change] = []
            if live is not None:
                if not reconnect and await self._still_good(live, stored, redirect_uri):
                    wanted = live.secrets.scopes if scopes is None else united(live.secrets.scopes, scopes)
                    renewed = replace(
                        live.secrets,
                        login_hint=login_hint or live.secrets.login_hint,
                        expected_account=expected_account or live.secrets.expected_account,
                        caller_state=state or live.secrets.caller_state,
                        user_verify_url=verify_url or live.secrets.user_verify_url,
                        scopes=wanted,
                    )
                    if renewed == live.secrets or await self._vault.commit(SaveAttempt(replace(live, secrets=renewed))):
                        return self._link(live, stored.account)
                    continue
                changes.append(SaveAttempt(live.ended(AttemptState.SUPERSEDED)))
            provider = self._providers[key.connection_name]
            asked = provider.scopes if scopes is None else united(identity_scopes(provider.scopes), scopes)
            attempt = self._new_attempt(
                stored.account,
                redirect_uri,
                reconnect=reconnect,
                secrets_=AttemptSecrets(
                    ticket=secrets.token_urlsafe(32),
                    link_base=link_base.rstrip("/"),
                    admin_redirect_uri=admin_redirect_uri,
                    scopes=tuple(asked),
                    login_hint=login_hint,
                    expected_account=expected_account,
                    caller_state=state,
                    user_verify_url=verify_url,
                ),
            )
            changes.append(InsertAttempt(attempt))
            changes += self._reason(stored.account, Cause.LINK_GIVEN, Reason.AWAITING_CONSENT)
            if await self._commit(stored.account, *changes):
                return self._link(attempt, stored.account)
        raise too_many_races()

    async def _still_good(self, live: Attempt, stored: StoredAccount, redirect_uri: str) -> bool:
        now = self._clock.now()
        if live.expires_at <= now:
            return False
        if live.state is AttemptState.HELD:
            account = replace(stored.account, reason=Reason.AWAITING_CONFIRMATION, who_acts="user")
            raise texts.not_active(account)
        if live.expires_at - now < timedelta(seconds=self._settings.min_link_seconds):
            return False
        # An attempt with the same way back as a new one would have is served by whoever asks for it now.
        return (
            live.redirect_uri == redirect_uri
            or self._listener_alive is None
            or await self._listener_alive(live.redirect_uri)
        )

    def _new_attempt(
        self, account: ConnectedAccount, redirect_uri: str, *, reconnect: bool, secrets_: AttemptSecrets
    ) -> Attempt:
        now = self._clock.now()
        return Attempt(
            id="att_" + secrets.token_hex(12),
            account_id=account.id,
            connection_name=account.connection_name,
            identifier=account.identifier,
            state=AttemptState.LINK_GIVEN,
            created_at=now,
            expires_at=now + timedelta(seconds=self._settings.attempt_seconds),
            redirect_uri=redirect_uri,
            verification=self._settings.user_verification,
            reconnect=reconnect,
            ticket_sha256=sha256_text(secrets_.ticket or ""),
            secrets=secrets_,
        )

    def _link(self, attempt: Attempt, account: ConnectedAccount) -> AuthorizationLink:
        return AuthorizationLink(
            link=f"{attempt.secrets.link_base}/connect/{attempt.secrets.ticket}",
            expires_at=attempt.expires_at,
            admin_consent_url=self._pages.admin_consent_url(attempt, account),
            attempt_id=attempt.id,
        )

    # The page and the way to the provider

    async def prompt(self, ticket: str) -> AuthorizationPrompt | AuthorizationOutcome:
        """What the page behind the link shows; changes nothing."""
        attempt = await self._by_ticket(ticket)
        if isinstance(attempt, AuthorizationOutcome):
            return attempt
        stored = await self._vault.find_account(attempt.key)
        if stored is None:
            return self._pages.unknown_link()
        if attempt.state is AttemptState.HELD:
            return self._pages.waits_for_code(attempt)
        return self._pages.prompt(attempt, stored.account)

    async def start(self, ticket: str, browser_secret: str | None = None) -> str | AuthorizationOutcome:
        """Bind the attempt to a browser and return the address of the consent page.

        The last start wins: it makes a new `state` and voids the one before.
        """
        for _ in range(RACES):
            attempt = await self._by_ticket(ticket)
            if isinstance(attempt, AuthorizationOutcome):
                return attempt
            if attempt.state is AttemptState.HELD:
                return self._pages.waits_for_code(attempt)
            stored = await self._vault.find_account(attempt.key)
            if stored is None:
                return self._pages.unknown_link()
            state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
            renewed = replace(
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
            moved = self._reason(stored.account, Cause.SIGN_IN_STARTED, Reason.AWAITING_CONSENT)
            if await self._commit(stored.account, SaveAttempt(renewed), *moved):
                return self._providers[attempt.connection_name].authorization_url(
                    self._request(renewed, stored.account, state, nonce, verifier)
                )
        raise too_many_races()

    @staticmethod
    def _request(
        attempt: Attempt, account: ConnectedAccount, state: str, nonce: str, verifier: str
    ) -> AuthorizationRequest:
        known = account.provider_account
        hint = attempt.secrets.login_hint
        if hint is None and known is not None and not attempt.reconnect:
            hint = known.preferred_username
        return AuthorizationRequest(
            redirect_uri=attempt.redirect_uri,
            state=state,
            nonce=nonce,
            code_challenge=_code_challenge(verifier),
            scopes=attempt.secrets.scopes,
            login_hint=hint,
            claims=account.pending_claims,
            select_account=hint is None,
        )

    # Admin consent

    async def complete_admin_consent(self, query: Mapping[str, str]) -> AuthorizationOutcome:
        """Say what the administrator's browser brought; it proves nothing and connects nobody."""
        return self._pages.admin_outcome(dict(query))


def _code_challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()  # RFC 7636 section 4.2, S256
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _no_verify_url() -> InvalidInput:
    return InvalidInput(
        "Users are verified at a page of the operator, and its address is not known.",
        field="user_verify_url",
        next_step="The operator sets SCALEKIT_MCP_USER_VERIFY_URL, or the call gives user_verify_url.",
        who_acts="operator",
    )
