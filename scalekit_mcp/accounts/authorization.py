"""Authorizations in progress: one live attempt per account, from the link to the connected account.

An attempt touches its account only when it succeeds. Whatever a browser brings is looked up by its SHA-256, used once,
and held against the browser that started; whoever consents is held against whoever asked.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlencode, urlsplit, urlunsplit

from scalekit_mcp.accounts import statuses, words
from scalekit_mcp.accounts.models import (
    AccountStatus,
    Attempt,
    AttemptSecrets,
    AttemptState,
    AuthorizationLink,
    ConnectedAccount,
    HeldGrant,
    ManagerSettings,
    ProviderAccount,
    Reason,
    StoredAccount,
    UserVerification,
)
from scalekit_mcp.accounts.outcomes import AuthorizationOutcome, AuthorizationPrompt, OutcomeKind
from scalekit_mcp.accounts.pages import Pages
from scalekit_mcp.accounts.provider import AuthorizationRequest, Grant, GrantFailure, GrantFault, OAuthProvider
from scalekit_mcp.accounts.scopes import identity_scopes, missing_scopes, united
from scalekit_mcp.accounts.sealing import same_text, sha256_text
from scalekit_mcp.accounts.statuses import Cause
from scalekit_mcp.accounts.vault import (
    AttemptKey,
    Change,
    ChangeStatus,
    ClearTenant,
    InsertAttempt,
    NoteAccount,
    SaveAttempt,
    Vault,
)
from scalekit_mcp.clock import Clock
from scalekit_mcp.errors import InvalidInput, VaultError

_log = logging.getLogger(__name__)

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CODE_CHARACTERS = 8
WRONG_TRIES = 5
_RACES = 20
"""How often a step is decided anew when somebody else changed the record in between."""

ListenerAlive = Callable[[str], Awaitable[bool]]
FindOrCreate = Callable[[str, str], Awaitable[StoredAccount]]


class Authorizations:
    """The attempts of all connections of one vault."""

    def __init__(
        self,
        vault: Vault,
        providers: Mapping[str, OAuthProvider],
        clock: Clock,
        settings: ManagerSettings,
        find_or_create: FindOrCreate,
        forget: Callable[[str, str], None],
        listener_alive: ListenerAlive | None = None,
    ) -> None:
        self._vault = vault
        self._providers = providers
        self._clock = clock
        self._settings = settings
        self._find_or_create = find_or_create
        self._forget = forget
        self._listener_alive = listener_alive
        self._pages = Pages(vault, providers, clock, settings)
        self._running: set[asyncio.Task[AuthorizationOutcome]] = set()

    async def aclose(self) -> None:
        """Let a redemption that was sent be saved; bounded."""
        if self._running:
            await asyncio.wait(self._running, timeout=self._settings.token_call_seconds + 10)

    # The link

    async def begin(
        self,
        *,
        connection_name: str,
        identifier: str,
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
        verify_url = user_verify_url or self._settings.user_verify_url
        if self._settings.user_verification is UserVerification.URL:
            _check_verify_url(verify_url)
        for _ in range(_RACES):
            stored = await self._find_or_create(connection_name, identifier)
            live = await self._live(stored)
            changes: list[Change] = []
            if live is not None:
                if not reconnect and await self._still_good(live, stored):
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
                changes.append(SaveAttempt(_ended(live, AttemptState.SUPERSEDED)))
            provider = self._providers[connection_name]
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
        raise _too_many_races()

    async def _still_good(self, live: Attempt, stored: StoredAccount) -> bool:
        now = self._clock.now()
        if live.expires_at <= now:
            return False
        if live.state is AttemptState.HELD:
            account = replace(stored.account, reason=Reason.AWAITING_CONFIRMATION, who_acts="user")
            raise words.not_active(account)
        if live.expires_at - now < timedelta(seconds=self._settings.min_link_seconds):
            return False
        return self._listener_alive is None or await self._listener_alive(live.redirect_uri)

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
        stored = await self._vault.find_account(attempt.connection_name, attempt.identifier)
        if stored is None:
            return self._pages.unknown_link()
        if attempt.state is AttemptState.HELD:
            return self._pages.waits_for_code(attempt)
        return self._pages.prompt(attempt, stored.account)

    async def start(self, ticket: str, browser_secret: str | None = None) -> str | AuthorizationOutcome:
        """Bind the attempt to a browser and return the address of the consent page.

        The last start wins: it makes a new `state` and voids the one before.
        """
        for _ in range(_RACES):
            attempt = await self._by_ticket(ticket)
            if isinstance(attempt, AuthorizationOutcome):
                return attempt
            if attempt.state is AttemptState.HELD:
                return self._pages.waits_for_code(attempt)
            stored = await self._vault.find_account(attempt.connection_name, attempt.identifier)
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
        raise _too_many_races()

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

    # The way back

    async def complete(self, query: Mapping[str, str], browser_secrets: Sequence[str] = ()) -> AuthorizationOutcome:
        """Take what the callback received; in a task that the browser's going away does not reach."""
        task = asyncio.create_task(self._complete(dict(query), tuple(browser_secrets)))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def _complete(self, query: dict[str, str], browser_secrets: Sequence[str]) -> AuthorizationOutcome:
        state = query.get("state", "")
        for _ in range(_RACES):
            attempt = await self._vault.find_attempt(AttemptKey.STATE, sha256_text(state)) if state else None
            if attempt is None or attempt.connection_name not in self._providers:
                return self._pages.unknown_link()
            over = self._over(attempt)
            if over is not None:
                return over
            if attempt.state_used or attempt.state is not AttemptState.AT_PROVIDER:
                return self._pages.used_link(attempt)
            if not _same_browser(attempt, browser_secrets):
                return self._pages.other_browser(attempt)
            used = replace(attempt, state_used=True)
            if await self._vault.commit(SaveAttempt(used)):
                return await self._redeem(replace(used, version=used.version + 1), query)
        raise _too_many_races()

    async def _redeem(self, attempt: Attempt, query: dict[str, str]) -> AuthorizationOutcome:
        provider = self._providers[attempt.connection_name]
        try:
            if "error" in query or not query.get("code"):
                raise provider.authorization_response_failure(query)
            async with asyncio.timeout(self._settings.token_call_seconds * 2):
                grant = await provider.authorization_code_grant(
                    code=query["code"],
                    redirect_uri=attempt.redirect_uri,
                    code_verifier=attempt.secrets.code_verifier or "",
                    nonce=attempt.secrets.nonce or "",
                    scopes=attempt.secrets.scopes,
                )
        except GrantFailure as failure:
            return await self._failed(attempt, failure)
        except TimeoutError:
            return await self._failed(attempt, _no_answer())
        return await self._granted(attempt, grant)

    async def _granted(self, attempt: Attempt, grant: Grant) -> AuthorizationOutcome:
        stored = await self._vault.find_account(attempt.connection_name, attempt.identifier)
        if stored is None:
            return self._pages.unknown_link()
        if _is_switch(attempt.reconnect, stored.account, grant.account):
            return await self._switch_refused(attempt, stored.account, grant.account)
        if attempt.verification is UserVerification.OFF or (
            attempt.verification is UserVerification.CONFIRM and _vouched(attempt.secrets, grant.account)
        ):
            return await self._connect(attempt, HeldGrant(grant.tokens, grant.account))
        return await self._hold(attempt, stored, grant)

    async def _hold(self, attempt: Attempt, stored: StoredAccount, grant: Grant) -> AuthorizationOutcome:
        now = self._clock.now()
        by_code = attempt.verification is UserVerification.CONFIRM
        code = "".join(secrets.choice(CROCKFORD) for _ in range(CODE_CHARACTERS)) if by_code else None
        request_id = None if by_code else secrets.token_urlsafe(32)
        held = replace(
            attempt,
            state=AttemptState.HELD,
            # Held tokens live as long as their code and no longer; the attempt with them.
            expires_at=now + timedelta(seconds=self._settings.confirmation_seconds)
            if by_code
            else max(attempt.expires_at, now + timedelta(seconds=self._settings.confirmation_seconds)),
            wrong_tries=0,
            auth_request_sha256=None if request_id is None else sha256_text(request_id),
            secrets=replace(
                attempt.secrets,
                state=None,
                nonce=None,
                code_verifier=None,
                confirmation_sha256=None if code is None else _code_hash(attempt.id, code),
                held=HeldGrant(grant.tokens, grant.account),
            ),
        )
        for _ in range(_RACES):
            moved = self._reason(stored.account, Cause.TOKENS_HELD, Reason.AWAITING_CONFIRMATION)
            if await self._commit(stored.account, SaveAttempt(held), *moved):
                if code is not None:
                    return self._pages.confirmation_needed(held, grant.account, code)
                return self._pages.verify_at_url(held, grant.account, _verify_url(held, request_id or ""))
            again = await self._again(attempt)
            if isinstance(again, AuthorizationOutcome):
                return again
            stored = again
        raise _too_many_races()

    async def _failed(self, attempt: Attempt, failure: GrantFailure) -> AuthorizationOutcome:
        outcome = self._pages.failed(attempt, failure)
        cause, reason = {
            GrantFault.DECLINED: (Cause.CONSENT_DECLINED, Reason.CONSENT_DECLINED),
            GrantFault.ADMIN_APPROVAL: (Cause.ADMIN_APPROVAL_NEEDED, Reason.ADMIN_APPROVAL_REQUIRED),
        }.get(failure.fault, (None, None))
        if failure.fault is GrantFault.MISCONFIGURED:
            _log.error(
                "The connection '%s' is misconfigured: %s (%s) %s",
                attempt.connection_name,
                failure.message,
                failure.code,
                failure.next_step,
            )
        # The link stays good: a declined or failed sign-in may be started again from it until its time is over.
        failed = replace(
            attempt,
            state=AttemptState.FAILED,
            secrets=replace(attempt.secrets, state=None, nonce=None, code_verifier=None),
        )
        for _ in range(_RACES):
            stored = await self._vault.find_account(attempt.connection_name, attempt.identifier)
            if stored is None:
                return outcome
            moved = [] if cause is None else self._reason(stored.account, cause, reason, failure.code)
            note = NoteAccount(stored.account.id, last_authorization_error=f"{failure.message} ({failure.code})")
            if failure.claims is not None:
                note = replace(note, pending_claims=failure.claims)
            if await self._commit(stored.account, SaveAttempt(failed), note, *moved):
                return (
                    replace(
                        outcome, admin_consent_url=self._pages.admin_consent_url(attempt, stored.account, always=True)
                    )
                    if outcome.admin_text
                    else outcome
                )
            if isinstance(await self._again(attempt), AuthorizationOutcome):
                return outcome
        return outcome

    async def _switch_refused(
        self, attempt: Attempt, account: ConnectedAccount, signed_in: ProviderAccount
    ) -> AuthorizationOutcome:
        outcome = self._pages.other_account(attempt, account, signed_in)
        failed = replace(
            attempt,
            state=AttemptState.FAILED,
            live=attempt.state is not AttemptState.HELD,
            secrets=replace(attempt.secrets, state=None, nonce=None, code_verifier=None, held=None),
        )
        await self._vault.commit(SaveAttempt(failed), NoteAccount(account.id, last_authorization_error=outcome.message))
        self._forget(account.connection_name, account.identifier)
        return outcome

    async def _connect(self, attempt: Attempt, held: HeldGrant) -> AuthorizationOutcome:
        for _ in range(_RACES):
            stored = await self._again(attempt)
            if isinstance(stored, AuthorizationOutcome):
                return stored
            if _is_switch(attempt.reconnect, stored.account, held.account):
                return await self._switch_refused(attempt, stored.account, held.account)
            ended = SaveAttempt(_ended(attempt, AttemptState.SUCCEEDED))
            if await self._activate(stored.account, held, ended):
                return self._pages.connected(attempt, held.account)
        raise _too_many_races()

    async def adopt(self, connection_name: str, identifier: str, grant: Grant, *, reconnect: bool) -> None:
        """Connect with a grant that came without an attempt; raises `InvalidInput` for a switch of accounts."""
        for _ in range(_RACES):
            stored = await self._find_or_create(connection_name, identifier)
            if _is_switch(reconnect, stored.account, grant.account):
                raise InvalidInput(
                    f"'{identifier}' is connected with another account; {grant.account.mailbox} signed in.",
                    next_step="Sign in with the same account, or reconnect to switch accounts.",
                )
            held = HeldGrant(grant.tokens, grant.account)
            if await self._activate(stored.account, held, *await self.end_live(stored)):
                return
        raise _too_many_races()

    async def _activate(self, account: ConnectedAccount, held: HeldGrant, *also: Change) -> bool:
        """Make an account ACTIVE with these tokens; False if it was changed in between."""
        provider, now, tokens = self._providers[account.connection_name], self._clock.now(), held.tokens
        if (
            account.status is AccountStatus.ACTIVE
            and _same_account(account, held.account)
            and missing_scopes(tokens.granted_scopes, account.granted_scopes)
        ):
            # This consent asked for a part only. The next call refreshes, which brings a token for all of it.
            tokens = replace(
                tokens, granted_scopes=united(tokens.granted_scopes, account.granted_scopes), expires_at=now
            )
        fresh = replace(
            account,
            provider_account=held.account,
            granted_scopes=tokens.granted_scopes,
            client_id=provider.client_id,
            login_host=provider.login_host,
            token_expires_at=tokens.expires_at,
            pending_claims=None,
        )
        moved = replace(statuses.change(fresh, Cause.CONSENTED, reason=None, at=now), before=account)
        written = await self._commit(
            account,
            ChangeStatus(moved, tokens),
            NoteAccount(account.id, last_used_at=now, last_authorization_error=None),
            ClearTenant(account.connection_name, held.account.tid),
            *also,
        )
        if written:
            _log.info("Connected '%s' on '%s'.", account.identifier, account.connection_name)
        return written

    # Confirmation

    async def confirm(self, connection_name: str, identifier: str, confirmation_code: str) -> None:
        """Redeem the code from the page; only the identifier that asked can do it.

        Raises:
            InvalidInput: nothing waits for a code, the code is wrong, or too many were.
        """
        typed = _normal_code(confirmation_code)
        for _ in range(_RACES):
            stored = await self._vault.find_account(connection_name, identifier)
            attempt = None if stored is None else await self._live(stored)
            if (
                attempt is None
                or attempt.state is not AttemptState.HELD
                or attempt.verification is not UserVerification.CONFIRM
                or attempt.expires_at <= self._clock.now()
            ):
                if attempt is not None and attempt.state is AttemptState.HELD:
                    await self._void(attempt)
                raise InvalidInput(
                    f"No sign-in for '{identifier}' waits for a confirmation code; its time may be over.",
                    field="confirmation_code",
                    next_step="Call authorize without arguments for a new link.",
                )
            if same_text(attempt.secrets.confirmation_sha256, _code_hash(attempt.id, typed)):
                held = attempt.secrets.held
                if held is not None:
                    await self._accept(attempt, held)
                    return
            else:
                await self._wrong(attempt, "confirmation_code", "The confirmation code is wrong.")
        raise _too_many_races()

    async def verify_user(self, auth_request_id: str, identifier: str) -> tuple[str, str]:
        """The operator's backend says who consented; answers (connection_name, identifier).

        Raises:
            InvalidInput: `field` is `auth_request_id` for an unknown or expired request, `identifier` for the wrong
                person, which counts as one of five tries.
        """
        for _ in range(_RACES):
            attempt = await self._vault.find_attempt(AttemptKey.AUTH_REQUEST, sha256_text(auth_request_id))
            if (
                attempt is not None
                and attempt.state is AttemptState.SUCCEEDED
                and same_text(attempt.identifier, identifier)
            ):
                return attempt.connection_name, attempt.identifier
            if attempt is None or attempt.state is not AttemptState.HELD or attempt.expires_at <= self._clock.now():
                if attempt is not None and attempt.state is AttemptState.HELD:
                    await self._void(attempt)
                raise InvalidInput(
                    "There is no sign-in with this auth_request_id; it was used, or its time is over.",
                    field="auth_request_id",
                    next_step="Begin a new authorization.",
                )
            if same_text(attempt.identifier, identifier):
                held = attempt.secrets.held
                if held is not None:
                    await self._accept(attempt, held)
                    return attempt.connection_name, attempt.identifier
            else:
                await self._wrong(attempt, "identifier", "The identifier is not the one that asked for this sign-in.")
        raise _too_many_races()

    async def _accept(self, attempt: Attempt, held: HeldGrant) -> None:
        outcome = await self._connect(attempt, held)
        if outcome.kind is not OutcomeKind.CONNECTED:
            raise InvalidInput(outcome.message, next_step=outcome.next_step)

    async def _wrong(self, attempt: Attempt, field: str, what: str) -> None:
        """Count a wrong try and raise; comes back only if somebody else changed the attempt first."""
        tries = attempt.wrong_tries + 1
        if tries >= WRONG_TRIES:
            if not await self._void(attempt, tries):
                return
            raise InvalidInput(
                f"{what} That was try number {tries}: the sign-in is void and its tokens were discarded.",
                field=field,
                next_step="Call authorize for a new link and let the user sign in again.",
            )
        if not await self._vault.commit(SaveAttempt(replace(attempt, wrong_tries=tries))):
            return
        raise InvalidInput(
            f"{what} {WRONG_TRIES - tries} of {WRONG_TRIES} tries are left.",
            field=field,
            next_step="Read the eight characters from the page again."
            if field == "confirmation_code"
            else "Verify only the user who began this authorization.",
        )

    async def cancel(self, ticket: str, browser_secret: str | None = None) -> AuthorizationOutcome:
        """Discard held tokens, from the browser that brought them."""
        for _ in range(_RACES):
            attempt = await self._by_ticket(ticket)
            if isinstance(attempt, AuthorizationOutcome):
                return attempt
            if not _same_browser(attempt, () if browser_secret is None else (browser_secret,)):
                return self._pages.other_browser(attempt)
            if attempt.state is not AttemptState.HELD or await self._void(attempt):
                return self._pages.cancelled(attempt)
        raise _too_many_races()

    async def _void(self, attempt: Attempt, wrong_tries: int | None = None) -> bool:
        """End an attempt without a result and discard what it holds."""
        expired = attempt.expires_at <= self._clock.now()
        ended = _ended(attempt, AttemptState.EXPIRED if expired else AttemptState.FAILED)
        if wrong_tries is not None:
            ended = replace(ended, wrong_tries=wrong_tries)
        stored = await self._vault.find_account(attempt.connection_name, attempt.identifier)
        if stored is None:
            return True
        moved = self._reason(stored.account, Cause.ATTEMPT_ENDED, Reason.NEVER_AUTHORIZED)
        return await self._commit(stored.account, SaveAttempt(ended), *moved)

    # Admin consent

    async def complete_admin_consent(self, query: Mapping[str, str]) -> AuthorizationOutcome:
        """Say what the administrator's browser brought; it proves nothing and connects nobody."""
        return self._pages.admin_outcome(dict(query))

    # Finding

    async def end_live(self, stored: StoredAccount) -> list[Change]:
        """The change that ends the live attempt of an account, if there is one."""
        live = await self._live(stored)
        return [] if live is None else [SaveAttempt(_ended(live, AttemptState.SUPERSEDED))]

    async def _live(self, stored: StoredAccount) -> Attempt | None:
        if stored.attempt is None:
            return None
        return await self._vault.find_attempt(AttemptKey.LIVE_ACCOUNT, stored.account.id)

    async def _by_ticket(self, ticket: str) -> Attempt | AuthorizationOutcome:
        attempt = await self._vault.find_attempt(AttemptKey.TICKET, sha256_text(ticket))
        if attempt is None or attempt.connection_name not in self._providers:
            return self._pages.unknown_link()
        return self._over(attempt) or attempt

    def _over(self, attempt: Attempt) -> AuthorizationOutcome | None:
        if attempt.state is AttemptState.SUPERSEDED:
            return self._pages.superseded_link(attempt)
        if attempt.state is AttemptState.SUCCEEDED:
            return self._pages.used_link(attempt)
        if attempt.expires_at <= self._clock.now() or attempt.state is AttemptState.EXPIRED:
            return self._pages.expired_link(attempt)
        return None if attempt.live else self._pages.used_link(attempt)

    async def _again(self, attempt: Attempt) -> StoredAccount | AuthorizationOutcome:
        """The account as it is now, or what to say if the attempt has been overtaken."""
        current = (
            None
            if attempt.ticket_sha256 is None
            else await self._vault.find_attempt(AttemptKey.TICKET, attempt.ticket_sha256)
        )
        stored = await self._vault.find_account(attempt.connection_name, attempt.identifier)
        if current is None or stored is None:
            return self._pages.unknown_link()
        if current.version != attempt.version:
            return self._over(current) or self._pages.used_link(current)
        return stored

    def _reason(
        self, account: ConnectedAccount, cause: Cause, reason: Reason | None, code: str | None = None
    ) -> list[Change]:
        """An account that never had a grant shows its newest attempt; any other keeps status and reason."""
        if account.status is not AccountStatus.PENDING or account.reason is reason:
            return []
        return [ChangeStatus(statuses.change(account, cause, reason=reason, at=self._clock.now(), code=code))]

    async def _commit(self, account: ConnectedAccount, *changes: Change) -> bool:
        written = await self._vault.commit(*changes)
        self._forget(account.connection_name, account.identifier)
        return written


def _ended(attempt: Attempt, state: AttemptState) -> Attempt:
    """The attempt without a future and without secrets."""
    return replace(attempt, state=state, live=False, secrets=AttemptSecrets())


def _same_browser(attempt: Attempt, browser_secrets: Sequence[str]) -> bool:
    expected = attempt.secrets.browser_sha256
    return expected is None or any(same_text(expected, sha256_text(given)) for given in browser_secrets)


def _same_account(account: ConnectedAccount, other: ProviderAccount) -> bool:
    return account.provider_account is not None and account.provider_account.key == other.key


def _is_switch(reconnect: bool, account: ConnectedAccount, signed_in: ProviderAccount) -> bool:
    return account.provider_account is not None and not reconnect and not _same_account(account, signed_in)


def _vouched(secrets_: AttemptSecrets, signed_in: ProviderAccount) -> bool:
    """Whether the caller's own token names the account that consents."""
    if secrets_.expected_account is not None and secrets_.expected_account == signed_in.key:
        return True
    hint = (secrets_.login_hint or "").strip().casefold()
    names = (signed_in.preferred_username, signed_in.mail, signed_in.user_principal_name)
    return bool(hint) and any(name is not None and name.casefold() == hint for name in names)


def _code_challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()  # RFC 7636 section 4.2, S256
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _code_hash(attempt_id: str, code: str) -> str:
    return sha256_text(f"{attempt_id}:{code}")


def _normal_code(typed: str) -> str:
    """Crockford's reading: no case, no separators, O is 0, I and L are 1."""
    kept = "".join(sign for sign in typed.upper() if sign.isalnum())
    return kept.replace("O", "0").replace("I", "1").replace("L", "1")


def _check_verify_url(url: str | None) -> None:
    parts = urlsplit(url or "")
    if parts.scheme not in {"https", "http"} or not parts.hostname:
        raise InvalidInput(
            "Users are verified at a page of the operator, and its address is missing or malformed.",
            field="user_verify_url",
            next_step="The operator sets SCALEKIT_MCP_USER_VERIFY_URL, or the call gives user_verify_url.",
            who_acts="operator",
        )


def _verify_url(attempt: Attempt, request_id: str) -> str:
    parts = urlsplit(attempt.secrets.user_verify_url or "")
    query = {"auth_request_id": request_id}
    if attempt.secrets.caller_state is not None:
        query["state"] = attempt.secrets.caller_state
    joined = "&".join(part for part in (parts.query, urlencode(query)) if part)
    return urlunsplit((parts.scheme, parts.netloc, parts.path, joined, parts.fragment))


def _no_answer() -> GrantFailure:
    return GrantFailure(
        GrantFault.TRANSIENT,
        "The sign-in service did not answer in time.",
        code="timeout",
        who_acts="user",
        next_step="Open the authorization link again.",
    )


def _too_many_races() -> VaultError:
    return VaultError("The account kept being changed by others.", next_step="Repeat the call.", retryable=True)
