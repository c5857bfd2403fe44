"""The `Keeper` for hosted mode: Scalekit's magic link, its redirect back, and the verification of the person.

Scalekit's link is good for a moment only and leads whoever opens it to Microsoft, so it is made when the person
presses the button on our page, and never shown in a chat. After the consent Scalekit holds the tokens and sends the
browser back with an `auth_request_id`; only `user/verify` promotes them (AgentKit, "Verify user identity").
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from scalekit_mcp.accounts import (
    AccountKey,
    ApprovalRequest,
    Attempt,
    Change,
    ConnectedAccount,
    GrantError,
    GrantFault,
    Held,
    HeldRequest,
    NoteAccount,
    UserVerification,
)
from scalekit_mcp.errors import InternalError, InvalidInput, ProviderUnavailable, ScalekitMCPError, WhoActs
from scalekit_mcp.languages import said
from scalekit_mcp.network import trusted_address
from scalekit_mcp.scalekit.accounts import ScalekitAccounts
from scalekit_mcp.scalekit.rest import AnswerLostError, ScalekitError, ScalekitRest
from scalekit_mcp.scalekit.tool_data import failure_in

logger = logging.getLogger(__name__)

MAX_LINK_CHARACTERS = 8192
MAX_REQUEST_CHARACTERS = 1000
_ADMIN_NUMBERS = ("AADSTS90094", "AADSTS90095", "AADSTS900941", "AADSTS900981")
_DECLINED = frozenset({"access_denied", "consent_required"})


@dataclass(frozen=True, slots=True)
class _Refusal:
    """`key` is that of its sentence in the section `scalekit` of the language files; the next step is beside it."""

    fault: GrantFault
    key: str
    who_acts: WhoActs

    def as_error(self, code: str, provider: str) -> GrantError:
        next_step = said("link.ask_anew") if self.key == "ended" else said(f"scalekit.{self.key}_next")
        return GrantError(
            self.fault,
            said(f"scalekit.{self.key}", provider=provider),
            code=code,
            who_acts=self.who_acts,
            next_step=next_step,
        )


_REFUSALS: dict[str, _Refusal] = {
    "failed_to_exchange": _Refusal(GrantFault.MISCONFIGURED, "no_verification", "operator"),
    "failed_to_exchange_token": _Refusal(GrantFault.RESTART, "no_tokens", "user"),
    "unauthorized_client": _Refusal(GrantFault.MISCONFIGURED, "app_refused", "operator"),
    "invalid_scope": _Refusal(GrantFault.MISCONFIGURED, "permission_refused", "operator"),
}
"""By the `error` of the way back from Scalekit."""
_ADMIN_APPROVAL = _Refusal(GrantFault.ADMIN_APPROVAL, "approval", "it_admin")
_CANCELLED = _Refusal(GrantFault.DECLINED, "cancelled", "user")
_UNKNOWN = _Refusal(GrantFault.OUR_FAULT, "ended", "user")


class ScalekitKeeper:
    """A `Keeper` over Scalekit's REST API, for one connection there. The vault has its attempts and no tokens."""

    has_administrators = True

    def __init__(
        self,
        rest: ScalekitRest,
        accounts: ScalekitAccounts,
        connection_name: str,
        *,
        scopes: Sequence[str] = (),
        provider_name: str = "Microsoft",
    ) -> None:
        self.scopes = tuple(scopes)
        self.provider_name = provider_name
        self._rest = rest
        self._accounts = accounts
        self._connection_name = connection_name

    async def consent_url(self, attempt: Attempt, account: ConnectedAccount) -> str:
        """See `Keeper`: Scalekit's link, made now.

        With verification by URL Scalekit itself sends people there; our `state`, which finds the attempt, stays here.
        """
        known, own = attempt.secrets, attempt.verification is not UserVerification.URL
        body = {
            "connector": self._connection_name,
            "identifier": account.identifier,
            "state": known.state if own else known.caller_state or secrets.token_urlsafe(32),
            "user_verify_url": attempt.redirect_uri if own else known.user_verify_url,
        }
        try:
            answer = await self._rest.post("/connected_accounts/magic_link", body)
        except ScalekitError as failure:
            raise failure.as_error("make an authorization link") from failure
        except (AnswerLostError, ScalekitMCPError) as lost:
            logger.warning("Scalekit gave no authorization link: %s", type(lost).__name__)
            raise self._no_link("user", "Try again from the link in a minute.") from lost
        link = answer.get("link")
        if not _is_safe_link(link):
            raise self._no_link("operator", "Try again from the link in a minute.")
        return link

    def _no_link(self, who_acts: WhoActs, next_step: str) -> ProviderUnavailable:
        message = f"Scalekit gave no link to {self.provider_name}."
        return ProviderUnavailable(message, who_acts=who_acts, next_step=next_step)

    async def redeem(self, attempt: Attempt, query: Mapping[str, str]) -> Held:
        """See `Keeper`: Scalekit holds the tokens already; nothing is sent."""
        request_id = query.get("auth_request_id", "")
        if "error" in query or not 1 <= len(request_id) <= MAX_REQUEST_CHARACTERS:
            raise explained(query, self.provider_name)
        return HeldRequest(request_id, attempt.secrets.status_before)

    async def accept(self, account: ConnectedAccount, held: Held) -> Sequence[Change]:
        """See `Keeper`: Scalekit promotes the tokens that it holds, once."""
        if not isinstance(held, HeldRequest):
            raise InternalError(f"What is held for '{account.identifier}' is no request of Scalekit's.")
        try:
            await self.verify(held.auth_request_id, account.identifier)
        except InvalidInput:
            if not await self._was_accepted(account, held):
                raise
        return (NoteAccount(account.id, last_authorization_error=None),)

    async def _was_accepted(self, account: ConnectedAccount, held: HeldRequest) -> bool:
        """Whether it was verified before, and what was told of that got lost: the account has become ACTIVE since."""
        if held.status_before == "ACTIVE":
            return False
        found = await self._accounts.find(AccountKey(self._connection_name, account.identifier))
        return found is not None and found.status == "ACTIVE"

    def approval(self, account: ConnectedAccount | None, *, redirect_uri: str, state: str) -> ApprovalRequest | None:
        """See `Keeper`: the application is Scalekit's to have approved."""
        del account, redirect_uri, state
        return None

    async def verify(self, auth_request_id: str, identifier: str) -> None:
        """Have Scalekit accept the held tokens; raises `InvalidInput` for a wrong person or an expired request."""
        body = {"auth_request_id": auth_request_id, "identifier": identifier}
        try:
            answer = await self._rest.post("/connected_accounts/user/verify", body)
            refused = failure_in(answer, wrappings=0)
            if refused is not None:
                raise refused
        except ScalekitError as failure:
            if failure.status == 403:
                raise InvalidInput(
                    "The sign-in belongs to another identifier; nothing was connected.", field="identifier"
                ) from failure
            if failure.status in {400, 404}:
                raise InvalidInput(
                    "Scalekit no longer knows this sign-in: it expired or was used.",
                    field="auth_request_id",
                    next_step="Call authorize without arguments for a new link.",
                ) from failure
            raise failure.as_error("verify the person who signed in") from failure
        except AnswerLostError as lost:
            if lost.status is not None and lost.status < 300:
                return  # what it answers says nothing more
            raise ProviderUnavailable(
                "Scalekit was told who signed in, but no answer came back.",
                next_step="Call authorize to see the state.",
            ) from lost


def explained(query: Mapping[str, str], provider: str) -> GrantError:
    """The error of a redirect without `auth_request_id`; its text is never shown, only searched for AADSTS numbers."""
    error, description = query.get("error", ""), query.get("error_description", "")
    number = next((number for number in _ADMIN_NUMBERS if number in description), None)
    if number is not None:
        refusal, code = _ADMIN_APPROVAL, number
    elif error in _DECLINED:
        refusal, code = _CANCELLED, error
    elif error in _REFUSALS:
        refusal, code = _REFUSALS[error], error
    else:
        refusal, code = _UNKNOWN, "unknown_error"
    return refusal.as_error(code, provider)


def _is_safe_link(link: object) -> TypeGuard[str]:
    """Whether a link from Scalekit is an address that a browser may be sent to."""
    try:
        return isinstance(link, str) and bool(trusted_address(link, longest=MAX_LINK_CHARACTERS))
    except ValueError:
        return False
