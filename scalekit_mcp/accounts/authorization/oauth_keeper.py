"""The `Keeper` of connections whose tokens are in our own vault, over an OAuth 2.0 provider."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from scalekit_mcp.accounts.authorization.attempts import same_account
from scalekit_mcp.accounts.misconfiguration import MisconfigurationGuard
from scalekit_mcp.accounts.model import statuses
from scalekit_mcp.accounts.model.approval_request import ApprovalRequest
from scalekit_mcp.accounts.model.records import (
    AccountSettings,
    AccountStatus,
    Attempt,
    ConnectedAccount,
    Held,
    HeldGrant,
    ProviderAccount,
)
from scalekit_mcp.accounts.model.statuses import Cause
from scalekit_mcp.accounts.provider import (
    AdminConsentProvider,
    AuthorizationRequest,
    Grant,
    GrantError,
    GrantFault,
    OAuthProvider,
)
from scalekit_mcp.accounts.tokens.scopes import missing_scopes, united
from scalekit_mcp.accounts.vault.changes import Change, ChangeStatus, ClearTenant, NoteAccount
from scalekit_mcp.clock import Clock
from scalekit_mcp.errors import InternalError
from scalekit_mcp.languages import said
from scalekit_mcp.network import is_loopback

_IDENTITY_SCOPES = frozenset({"openid", "profile", "email", "offline_access"})


class OAuthKeeper:
    """A `Keeper` over an `OAuthProvider`."""

    def __init__(
        self,
        provider: OAuthProvider,
        connection_name: str,
        *,
        clock: Clock,
        settings: AccountSettings,
        operator: MisconfigurationGuard,
    ) -> None:
        self._provider = provider
        self._connection_name = connection_name
        self._clock = clock
        self._settings = settings
        self._operator = operator
        self._approved_by = provider if isinstance(provider, AdminConsentProvider) else None

    @property
    def provider_name(self) -> str:
        """See `Keeper`."""
        return self._provider.provider_name

    @property
    def scopes(self) -> tuple[str, ...]:
        """See `Keeper`."""
        return self._provider.scopes

    @property
    def has_administrators(self) -> bool:
        """See `Keeper`."""
        return self._approved_by is not None

    async def consent_url(self, attempt: Attempt, account: ConnectedAccount) -> str:
        """See `Keeper`; sends nothing."""
        known, secrets = account.provider_account, attempt.secrets
        hint = secrets.login_hint
        if hint is None and known is not None and not attempt.reconnect:
            hint = known.preferred_username
        request = AuthorizationRequest(
            redirect_uri=attempt.redirect_uri,
            state=secrets.state or "",
            nonce=secrets.nonce or "",
            code_challenge=_code_challenge(secrets.code_verifier or ""),
            scopes=secrets.scopes,
            login_hint=hint,
            claims=account.pending_claims,
            select_account=hint is None,
        )
        return self._provider.authorization_url(request)

    def sign_in_url(self, *, redirect_uri: str, state: str, nonce: str, code_challenge: str) -> str:
        """The address of the consent page for somebody of whom nothing is known: the person chooses the account."""
        request = AuthorizationRequest(
            redirect_uri=redirect_uri,
            state=state,
            nonce=nonce,
            code_challenge=code_challenge,
            scopes=self._provider.scopes,
            select_account=True,
        )
        return self._provider.authorization_url(request)

    async def redeem(self, attempt: Attempt, query: Mapping[str, str]) -> Held:
        """See `Keeper`: an authorization code for tokens (RFC 6749 section 4.1.3)."""
        secrets = attempt.secrets
        grant = await self.grant(
            query,
            redirect_uri=attempt.redirect_uri,
            code_verifier=secrets.code_verifier or "",
            nonce=secrets.nonce or "",
            scopes=secrets.scopes,
        )
        return HeldGrant(grant.tokens, grant.account)

    async def grant(
        self, query: Mapping[str, str], *, redirect_uri: str, code_verifier: str, nonce: str, scopes: Sequence[str]
    ) -> Grant:
        """What the provider gives for the code that its answer brought; raises `GrantError`."""
        if "error" in query or not query.get("code"):
            failure = self._provider.authorization_response_failure(dict(query))
            if failure.fault is GrantFault.MISCONFIGURED:
                self._operator.redirect_refused(self._connection_name, failure)
            raise failure
        try:
            async with asyncio.timeout(self._settings.token_call_seconds * 2):
                return await self._provider.authorization_code_grant(
                    code=query["code"],
                    redirect_uri=redirect_uri,
                    code_verifier=code_verifier,
                    nonce=nonce,
                    scopes=scopes,
                )
        except GrantError as failure:
            if failure.fault is GrantFault.MISCONFIGURED:
                self._operator.code_refused(self._connection_name, failure)
            raise
        except TimeoutError:
            raise _no_answer() from None

    async def accept(self, account: ConnectedAccount, held: Held) -> Sequence[Change]:
        """See `Keeper`: the account becomes ACTIVE with these tokens, in the transaction that ends the attempt."""
        if not isinstance(held, HeldGrant):
            raise InternalError(f"What is held for '{account.identifier}' is no grant of tokens.")
        now, tokens = self._clock.now(), held.tokens
        if (
            account.status is AccountStatus.ACTIVE
            and same_account(account, held.account)
            and missing_scopes(tokens.granted_scopes, account.granted_scopes)
        ):
            # This consent asked for a part only. The next call refreshes, which brings a token for all of it.
            tokens = replace(
                tokens, granted_scopes=united(tokens.granted_scopes, account.granted_scopes), expires_at=now
            )
        fresh = replace(
            account,
            provider_account=_as_known(account, held.account),
            granted_scopes=tokens.granted_scopes,
            client_id=self._provider.client_id,
            login_host=self._provider.login_host,
            token_expires_at=tokens.expires_at,
            pending_claims=None,
        )
        moved = replace(statuses.change(fresh, Cause.CONSENTED, reason=None, at=now), before=account)
        return (
            ChangeStatus(moved, tokens),
            NoteAccount(account.id, last_used_at=now, last_authorization_error=None),
            ClearTenant(account.connection_name, held.account.tid),
        )

    def approval(self, account: ConnectedAccount | None, *, redirect_uri: str, state: str) -> ApprovalRequest | None:
        """See `Keeper`; nobody approves anything for a personal account."""
        known = None if account is None else account.provider_account
        if self._approved_by is None or (known is not None and known.personal):
            return None
        url = self._approved_by.admin_consent_url(
            tid=None if known is None else known.tid, redirect_uri=redirect_uri, state=state, scopes=self.scopes
        )
        return ApprovalRequest(
            url=url,
            application_id=self._provider.client_id,
            permissions=tuple(scope for scope in self.scopes if scope not in _IDENTITY_SCOPES),
            ends_on_own_computer=is_loopback(urlsplit(redirect_uri).hostname),
        )


def _as_known(account: ConnectedAccount, signed_in: ProviderAccount) -> ProviderAccount:
    """The provider account that signed in; addresses that this sign-in does not tell are kept from the last one."""
    known = account.provider_account
    if known is None or not same_account(account, signed_in):
        return signed_in
    return replace(
        signed_in,
        mail=signed_in.mail or known.mail,
        user_principal_name=signed_in.user_principal_name or known.user_principal_name,
    )


def _code_challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()  # RFC 7636 section 4.2, S256
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _no_answer() -> GrantError:
    return GrantError(
        GrantFault.TRANSIENT,
        said("sign_in.no_answer"),
        code="timeout",
        who_acts="user",
        next_step=said("sign_in.no_answer_next"),
    )
