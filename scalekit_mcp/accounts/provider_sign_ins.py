"""Sign-ins of apps at the provider: on to its page, and back with the account that is connected by the same consent.

Whoever signs in is the caller: the identifier names the provider's account, so nothing has to be confirmed.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from scalekit_mcp.accounts.allowed_tenants import AllowedTenants
from scalekit_mcp.accounts.authorization import texts
from scalekit_mcp.accounts.authorization.engine import Authorizations
from scalekit_mcp.accounts.authorization.oauth_keeper import OAuthKeeper
from scalekit_mcp.accounts.authorization.outcomes import AuthorizationOutcome, OutcomeKind
from scalekit_mcp.accounts.model.approval_request import ApprovalRequest
from scalekit_mcp.accounts.model.grants import SignIn, SignInRequest
from scalekit_mcp.accounts.model.records import AccountKey, ProviderAccount
from scalekit_mcp.accounts.provider import Grant, GrantError, GrantFault
from scalekit_mcp.accounts.sign_ins import SignIns, s256
from scalekit_mcp.accounts.tokens.scopes import missing_scopes
from scalekit_mcp.concurrency import RunningTasks
from scalekit_mcp.errors import ScalekitMCPError
from scalekit_mcp.identifiers import identifier_naming
from scalekit_mcp.languages import said

_CLOSE_SECONDS = 30.0
_ERRORS = {
    GrantFault.TRANSIENT: "temporarily_unavailable",
    GrantFault.MISCONFIGURED: "server_error",
    GrantFault.OUR_FAULT: "server_error",
}

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SignInProvider:
    """Where people sign in, as a page names it: the scopes of the connection and what helps with an administrator."""

    name: str
    scopes: tuple[str, ...]
    approval: ApprovalRequest | None = None


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A sign-in that ended well: what the app asked for, and the code that it gets."""

    request: SignInRequest
    code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class NotSignedIn:
    """A sign-in from which nothing came: what the person reads, and the error that the app may be told.

    `error` is `access_denied`, `server_error` or `temporarily_unavailable`.
    """

    sign_in: SignIn
    outcome: AuthorizationOutcome
    error: str


class ProviderSignIns:
    """The sign-ins of one connection.

    `redirect_uri` and `admin_redirect_uri` are addresses of our own. `required_scopes` are those without which an
    account is of no use.
    """

    def __init__(
        self,
        sign_ins: SignIns,
        authorizations: Authorizations,
        keeper: OAuthKeeper,
        tenants: AllowedTenants,
        *,
        connection_name: str,
        redirect_uri: str,
        admin_redirect_uri: str,
        required_scopes: Sequence[str],
    ) -> None:
        self._sign_ins = sign_ins
        self._authorizations = authorizations
        self._keeper = keeper
        self._tenants = tenants
        self._connection_name = connection_name
        self._redirect_uri = redirect_uri
        self._admin_redirect_uri = admin_redirect_uri
        self._required_scopes = tuple(required_scopes)
        self._running = RunningTasks()

    async def aclose(self) -> None:
        """Let a redemption that was sent be saved; bounded."""
        await self._running.aclose(_CLOSE_SECONDS)

    def provider(self) -> SignInProvider:
        """Where people sign in."""
        approval = self._authorizations.organization_approval(
            self._connection_name, redirect_uri=self._admin_redirect_uri
        )
        return SignInProvider(self._keeper.provider_name, self._keeper.scopes, approval)

    async def start(self, request: SignInRequest, *, browser_secret: str) -> str:
        """Begin a sign-in bound to a browser; the address of the provider's page."""
        await self._tenants.resolve()
        return self._url(await self._sign_ins.begin(request, browser_secret=browser_secret))

    async def failed(self, sign_in_id: str, *, browser_secret: str) -> SignIn:
        """A sign-in that failed and may be tried again; raises `SignInError`."""
        return await self._sign_ins.failed(sign_in_id, browser_secret=browser_secret)

    async def try_again(self, sign_in_id: str, *, browser_secret: str) -> str:
        """Begin anew after a failure; the address of the provider's page. Raises `SignInError`."""
        await self._tenants.resolve()
        return self._url(await self._sign_ins.try_again(sign_in_id, browser_secret=browser_secret))

    async def complete(self, query: Mapping[str, str], *, browser_secret: str | None) -> SignedIn | NotSignedIn:
        """Take an answer of the provider once, in a task that the browser's going away does not reach.

        Raises:
            SignInError: what came does not fit; nothing was redeemed.
        """
        sign_in = await self._sign_ins.take(query.get("state", ""), browser_secret=browser_secret)
        return await self._running.run(self._redeemed(sign_in, dict(query)))

    async def _redeemed(self, sign_in: SignIn, query: Mapping[str, str]) -> SignedIn | NotSignedIn:
        secrets = sign_in.secrets
        try:
            grant = await self._keeper.grant(
                query,
                redirect_uri=self._redirect_uri,
                code_verifier=secrets.code_verifier or "",
                nonce=secrets.nonce or "",
                scopes=self._keeper.scopes,
            )
            refused = await self._refused(grant)
            if refused is not None:
                return await self._failed(sign_in, refused, "access_denied")
            key = AccountKey(self._connection_name, identifier_naming(*grant.account.key))
            await self._authorizations.adopt(key, grant)
            return SignedIn(sign_in.request, await self._sign_ins.issue_code(sign_in, key))
        except GrantError as failure:
            outcome = self._offered(texts.refused_by_provider(failure))
            return await self._failed(sign_in, outcome, _ERRORS.get(failure.fault, "access_denied"))
        except ScalekitMCPError as error:
            _log.warning("The sign-in %s could not be finished: %s", sign_in.id, error.code)
            outcome = replace(texts.sign_in_not_possible(error), reference=sign_in.id)
            return await self._failed(sign_in, outcome, "temporarily_unavailable")

    async def _refused(self, grant: Grant) -> AuthorizationOutcome | None:
        """Why an account that signed in may not be connected; its tokens are then not kept."""
        await self._tenants.resolve()
        if not self._tenants.allows(grant.account.tid):
            return _other_tenant(grant.account)
        missing = missing_scopes(grant.tokens.granted_scopes, self._required_scopes)
        return texts.calendar_not_granted(missing) if missing else None

    async def _failed(self, sign_in: SignIn, outcome: AuthorizationOutcome, error: str) -> NotSignedIn:
        """The failure; where the vault does not take it, the person is told all the same and may try again."""
        try:
            sign_in = await self._sign_ins.fail(sign_in)
        except ScalekitMCPError as unwritten:
            _log.warning("That the sign-in %s failed could not be written: %s", sign_in.id, unwritten.code)
        return NotSignedIn(sign_in, outcome, error)

    def _offered(self, outcome: AuthorizationOutcome) -> AuthorizationOutcome:
        """A refusal with the way to an administrator: a Cancel and a missing approval look the same from here."""
        if outcome.kind is OutcomeKind.FAILED and outcome.who_acts != "it_admin":
            return outcome
        return replace(outcome, approval=self.provider().approval)

    def _url(self, sign_in: SignIn) -> str:
        secrets = sign_in.secrets
        return self._keeper.sign_in_url(
            redirect_uri=self._redirect_uri,
            state=secrets.state or "",
            nonce=secrets.nonce or "",
            code_challenge=s256(secrets.code_verifier or ""),
        )


def _other_tenant(signed_in: ProviderAccount) -> AuthorizationOutcome:
    kind = "personal" if signed_in.personal else "organization"
    return AuthorizationOutcome(
        OutcomeKind.OTHER_ACCOUNT,
        said("account.refused_title"),
        said(f"account.refused_{kind}", signed_in=signed_in.mailbox or said("account.the_account")),
        said("account.refused_next"),
        mailbox=signed_in.mailbox,
    )
