"""A sign-in that an app begins in a browser: on to the provider, back once, then a code for the app, redeemed once.

Whoever signs in *is* the caller, so nobody is known before the provider answers. What binds the steps together is the
browser's secret, whose hash the row holds, and on the app's side the code challenge (RFC 7636). Every step is a
compare-and-swap on the row's version, so that of any number of processes one takes it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from scalekit_mcp.accounts.grants import Grants
from scalekit_mcp.accounts.model.grants import (
    GrantEnd,
    GrantTokens,
    SignIn,
    SignInRequest,
    SignInSecrets,
    SignInState,
)
from scalekit_mcp.accounts.model.records import AccountKey, AccountStatus
from scalekit_mcp.accounts.vault.changes import InsertSignIn, SaveSignIn, SignInKey
from scalekit_mcp.accounts.vault.sealing.key_ring import same_text, sha256_text
from scalekit_mcp.accounts.vault.vault import Vault
from scalekit_mcp.clock import Clock
from scalekit_mcp.errors import VaultError

SIGN_IN_SECONDS = 15 * 60
CODE_SECONDS = 60
WRONG_TRIES = 3
"""How often a code may be brought with a wrong verifier, app or redirect URI."""
STATE_PREFIX = "si."
"""What the `state` of a sign-in begins with; that of an authorization link does not."""
_RACES = 40
_FAILED = (SignInState.FAILED, SignInState.TAKEN)
"""How a sign-in that failed is stored: the vault may fail before it has written more than that an answer was taken."""

_log = logging.getLogger(__name__)


class SignInRefusal(StrEnum):
    """Why what a browser brings is not taken."""

    UNKNOWN = "unknown"
    USED = "used"
    EXPIRED = "expired"
    OTHER_BROWSER = "other_browser"


class SignInError(Exception):
    """A sign-in does not go on with what was brought; nothing was redeemed."""

    def __init__(self, why: SignInRefusal) -> None:
        super().__init__(f"The sign-in was not taken: {why}.")
        self.why = why


class CodeRefusal(StrEnum):
    """Why a code is not redeemed."""

    UNKNOWN = "unknown"
    EXPIRED = "expired"
    REUSED = "reused"
    OTHER_CLIENT = "other_client"
    OTHER_REDIRECT_URI = "other_redirect_uri"
    WRONG_VERIFIER = "wrong_verifier"
    OTHER_RESOURCE = "other_resource"
    ACCOUNT_NOT_ACTIVE = "account_not_active"


class CodeError(Exception):
    """A code is not redeemed. The message holds neither code nor verifier."""

    def __init__(self, why: CodeRefusal) -> None:
        super().__init__(f"The code was refused: {why}.")
        self.why = why


@dataclass(frozen=True, slots=True)
class CodePresented:
    """What an app that has proved who it is brings to redeem a code. `redirect_uri` is None where it named none again.

    `resource_holds` says whether what the token is asked for is this server.
    """

    code: str = field(repr=False)
    client_sha256: str = field(repr=False)
    redirect_uri: str | None = field(repr=False)
    code_verifier: str = field(repr=False)
    resource_holds: bool = True


class SignIns:
    """The sign-ins of one vault."""

    def __init__(self, vault: Vault, grants: Grants, clock: Clock) -> None:
        self._vault = vault
        self._grants = grants
        self._clock = clock

    async def begin(self, request: SignInRequest, *, browser_secret: str) -> SignIn:
        """Store a new sign-in and return it with the `state`, nonce and verifier for the provider.

        An open one of the same browser for the same request ends: its `state` is void.
        """
        now = self._clock.now()
        secrets_ = _new_secrets()
        sign_in = SignIn(
            id="si_" + secrets.token_hex(12),
            status=SignInState.AT_PROVIDER,
            browser_sha256=sha256_text(browser_secret),
            request_sha256=sha256_text(json.dumps(asdict(request), sort_keys=True)),
            created_at=now,
            expires_at=now + timedelta(seconds=SIGN_IN_SECONDS),
            request=request,
            state_sha256=sha256_text(secrets_.state or ""),
            secrets=secrets_,
        )
        if not await self._vault.commit(InsertSignIn(sign_in)):
            raise _too_many_races()
        return sign_in

    async def take(self, state: str, *, browser_secret: str | None) -> SignIn:
        """Take the sign-in that a provider's answer belongs to, once; raises `SignInError`.

        Another browser does not use it up: the one that began it may still come.
        """

        def check(sign_in: SignIn) -> None:
            if sign_in.status is not SignInState.AT_PROVIDER:
                raise SignInError(SignInRefusal.USED)
            self._check_browser(sign_in, browser_secret)

        return await self._move(
            SignInKey.STATE, sha256_text(state), check, lambda sign_in: replace(sign_in, status=SignInState.TAKEN)
        )

    async def fail(self, sign_in: SignIn) -> SignIn:
        """Write that nothing came of a sign-in that this process took; the same person may try again until its end.

        A code that was written though the answer of the vault was lost is void: nobody has it.
        """
        failed = replace(sign_in, status=SignInState.FAILED, secrets=SignInSecrets())
        stored = await self._vault.find_sign_in(SignInKey.ID, sign_in.id)
        if stored is not None and stored.status is SignInState.CODE_ISSUED and stored.version == sign_in.version + 1:
            failed = replace(failed, version=stored.version)
        return await self._save(failed, failed)

    async def try_again(self, sign_in_id: str, *, browser_secret: str | None) -> SignIn:
        """Go back to the provider with a new `state`, nonce and verifier; raises `SignInError`.

        The caller knows that the sign-in failed, also where only the taking of the answer could be written.
        """

        def check(sign_in: SignIn) -> None:
            if sign_in.status not in _FAILED:
                raise SignInError(SignInRefusal.USED)
            self._check_browser(sign_in, browser_secret)

        def again(sign_in: SignIn) -> SignIn:
            fresh = _new_secrets()
            state_sha256 = sha256_text(fresh.state or "")
            return replace(sign_in, status=SignInState.AT_PROVIDER, state_sha256=state_sha256, secrets=fresh)

        return await self._move(SignInKey.ID, sign_in_id, check, again)

    async def failed(self, sign_in_id: str, *, browser_secret: str | None) -> SignIn:
        """A sign-in that failed, for its page; raises `SignInError`."""
        sign_in = await self._vault.find_sign_in(SignInKey.ID, sign_in_id)
        if sign_in is None or sign_in.status not in _FAILED:
            raise SignInError(SignInRefusal.UNKNOWN)
        self._check_browser(sign_in, browser_secret)
        return sign_in

    async def issue_code(self, sign_in: SignIn, account: AccountKey) -> str:
        """The code with which the app gets its tokens for `account`; good once, for a minute."""
        code = secrets.token_urlsafe(32)
        issued = replace(
            sign_in,
            status=SignInState.CODE_ISSUED,
            code_sha256=sha256_text(code),
            expires_at=self._clock.now() + timedelta(seconds=CODE_SECONDS),
            secrets=SignInSecrets(account=account),
        )
        await self._save(sign_in, issued)
        return code

    async def redeem(self, presented: CodePresented) -> GrantTokens:
        """The grant that a code stands for, made now, with its first refresh token; raises `CodeError`.

        A code that comes again with the right verifier ends the grant of its first use: either that one or this one
        came from a thief (OAuth 2.1 section 4.1.3). Without the verifier nothing ends, so that seeing the code is no
        lever.
        """
        for _ in range(_RACES):
            sign_in = await self._vault.find_sign_in(SignInKey.CODE, sha256_text(presented.code))
            if sign_in is None:
                raise CodeError(CodeRefusal.UNKNOWN)
            wrong = _mismatch(sign_in, presented)
            if sign_in.status is SignInState.REDEEMED:
                if wrong is None and sign_in.grant_id is not None:
                    await self._grants.end(sign_in.grant_id, GrantEnd.CODE_REUSED)
                raise CodeError(CodeRefusal.REUSED)
            if sign_in.status is not SignInState.CODE_ISSUED or self._clock.now() >= sign_in.expires_at:
                raise CodeError(CodeRefusal.EXPIRED)
            if wrong is not None:
                if await self._vault.commit(SaveSignIn(_tried(sign_in))):
                    raise CodeError(wrong)
                continue
            if not presented.resource_holds:
                raise CodeError(CodeRefusal.OTHER_RESOURCE)
            tokens = await self._redeemed(sign_in)
            if tokens is not None:
                return tokens
        raise _too_many_races()

    async def _redeemed(self, sign_in: SignIn) -> GrantTokens | None:
        """The new grant; None if the sign-in or the account was changed in between."""
        key = sign_in.secrets.account
        stored = None if key is None else await self._vault.find_account(key)
        if stored is None or stored.account.status is not AccountStatus.ACTIVE:
            raise CodeError(CodeRefusal.ACCOUNT_NOT_ACTIVE)
        account, request = stored.account, sign_in.request
        insert, tokens = self._grants.new(account, request.client, request.scopes, refreshes=request.refreshes)
        redeemed = replace(
            sign_in, status=SignInState.REDEEMED, grant_id=tokens.grant.id, secrets=SignInSecrets(account=key)
        )
        if not await self._vault.commit(SaveSignIn(redeemed), insert):
            return None
        _log.info("'%s' was given to the app at %s.", account.identifier, request.client.host)
        return tokens

    async def _move(
        self, key: SignInKey, value: str, check: Callable[[SignIn], None], moved: Callable[[SignIn], SignIn]
    ) -> SignIn:
        for _ in range(_RACES):
            sign_in = await self._vault.find_sign_in(key, value)
            if sign_in is None:
                raise SignInError(SignInRefusal.UNKNOWN)
            check(sign_in)
            after = moved(sign_in)
            if await self._vault.commit(SaveSignIn(after)):
                return replace(after, version=sign_in.version + 1)
        raise _too_many_races()

    async def _save(self, before: SignIn, after: SignIn) -> SignIn:
        """Write the next state of a sign-in that this process took; raises `SignInError` if it was overtaken."""
        if not await self._vault.commit(SaveSignIn(after)):
            raise SignInError(SignInRefusal.USED)
        return replace(after, version=before.version + 1)

    def _check_browser(self, sign_in: SignIn, browser_secret: str | None) -> None:
        if browser_secret is None or not same_text(sign_in.browser_sha256, sha256_text(browser_secret)):
            raise SignInError(SignInRefusal.OTHER_BROWSER)
        if _over(sign_in, self._clock.now()):
            raise SignInError(SignInRefusal.EXPIRED)


def _new_secrets() -> SignInSecrets:
    return SignInSecrets(
        state=STATE_PREFIX + secrets.token_urlsafe(32),
        nonce=secrets.token_urlsafe(32),
        code_verifier=secrets.token_urlsafe(48),
    )


def _over(sign_in: SignIn, now: datetime) -> bool:
    return now >= sign_in.expires_at


def _mismatch(sign_in: SignIn, presented: CodePresented) -> CodeRefusal | None:
    """What of the app's proofs is wrong, in the order of the checks; None for a right one."""
    request = sign_in.request
    if not same_text(request.client.id_sha256, presented.client_sha256):
        return CodeRefusal.OTHER_CLIENT
    if presented.redirect_uri is not None and presented.redirect_uri != request.redirect_uri:
        return CodeRefusal.OTHER_REDIRECT_URI
    if not same_text(request.code_challenge, s256(presented.code_verifier)):
        return CodeRefusal.WRONG_VERIFIER
    return None


def s256(code_verifier: str) -> str:
    """The challenge of a verifier (RFC 7636 section 4.2)."""
    digest = hashlib.sha256(code_verifier.encode("utf-8", "surrogatepass")).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _tried(sign_in: SignIn) -> SignIn:
    tries = sign_in.wrong_tries + 1
    status = SignInState.ENDED if tries >= WRONG_TRIES else sign_in.status
    return replace(sign_in, wrong_tries=tries, status=status)


def _too_many_races() -> VaultError:
    return VaultError("The sign-in kept being changed by others.", next_step="Repeat the call.", retryable=True)
