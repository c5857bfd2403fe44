"""What an account needs, who must act and what to do next: one rule for `authorize` and for calls that were refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from scalekit_mcp.accounts import FINISH_THE_PAGE, NOBODY_EXPECTED, TYPE_THE_CODE, ExpectedPerson, Reason, next_step
from scalekit_mcp.actions.models import AuthorizationLinkResponse, ConnectedAccountView
from scalekit_mcp.actions.protocol import Actions
from scalekit_mcp.clock import rfc3339
from scalekit_mcp.errors import AuthorizationRequired, WhoActs
from scalekit_mcp.tools import Authorize

_IF_IT_MUST_APPROVE = " If Microsoft shows 'Need admin approval', send admin_consent_url to the IT administrator."


class AccountNeed(Enum):
    """What an account needs before calendar calls work."""

    CONNECTED = "connected"
    STOPPED = "stopped"
    """No call is made and no link can help: the IT administrator or the operator must act."""
    CODE = "code"
    """Tokens are held until the person types the code; a new link would make that code invalid."""
    LINK = "link"
    """The person must sign in, now or after the IT administrator has acted."""


@dataclass(frozen=True, slots=True)
class Guidance:
    """What an account needs, who must act, and the next step of that person or of the model, as a sentence."""

    need: AccountNeed
    who_acts: WhoActs
    next_step: str


@dataclass(frozen=True, slots=True)
class Requester:
    """Whose call it is, and what the caller's own credential says about the person.

    `verification` (`off`, `confirm`, `url`) is how the person who consents is held against the person who asked.
    """

    identifier: str
    verification: str
    expected: ExpectedPerson = NOBODY_EXPECTED
    further_connection: str | None = None
    """The connection, where it is another than that of the calendar."""


def guidance_for(
    account: ConnectedAccountView, verification: str, *, reconnect: bool = False, further_connection: str | None = None
) -> Guidance:
    """What this account needs and who must act; `reconnect` is True when the person wants to sign in again.

    `further_connection` names the connection where it is another than that of the calendar.
    """
    stopped = account.calls_stopped
    if account.held and not reconnect:
        step = FINISH_THE_PAGE if verification == "url" else TYPE_THE_CODE
        if further_connection is not None and step == TYPE_THE_CODE:
            step += f" Pass connection='{further_connection}' beside it."
        return Guidance(AccountNeed.CODE, "user", step)
    if stopped is not None and (stopped.who_acts == "operator" or not reconnect):
        return Guidance(AccountNeed.STOPPED, stopped.who_acts, stopped.next_step)
    if account.status == "ACTIVE" and not reconnect:
        if further_connection is not None:
            step = f"The connection '{further_connection}' is connected; its tools work."
            return Guidance(AccountNeed.CONNECTED, "nobody", step)
        mailbox = f" as {account.mailbox}" if account.mailbox else ""
        return Guidance(AccountNeed.CONNECTED, "nobody", f"The account is connected{mailbox}; calendar tools work.")
    if stopped is not None and stopped.reason is not None:
        return Guidance(AccountNeed.LINK, stopped.who_acts, next_step(stopped.reason))
    if account.status == "ACTIVE":
        return Guidance(AccountNeed.LINK, "user", next_step(Reason.NEVER_AUTHORIZED))
    reason = Reason(account.reason or Reason.UNKNOWN)
    step = next_step(reason, account.who_acts, has_administrators=further_connection is None)
    return Guidance(AccountNeed.LINK, account.who_acts, step)


@dataclass(frozen=True, slots=True)
class AccountGuidance:
    """An account, its guidance, an authorization link if a sign-in helps, and the current time (`Actions.present`)."""

    account: ConnectedAccountView
    guidance: Guidance
    link: AuthorizationLinkResponse | None = None
    now: Mapping[str, str] | None = None

    def answer(self) -> dict[str, Any]:
        """The answer of `authorize`: times UTC, ISO 8601; members without a value are left out, `reason` stays."""
        account, link = self.account, self.link
        attempt = None
        if account.attempt_state is not None:
            attempt = {"state": str(account.attempt_state)}
            if account.attempt_expires_at is not None:
                attempt["expires_at"] = rfc3339(account.attempt_expires_at, timespec="seconds")
        optional = {
            "authorization_url": link and link.link,
            "expires_at": link and rfc3339(link.expires_at, timespec="seconds"),
            "admin_consent_url": link and link.admin_consent_url,
            "mailbox": account.mailbox if account.status == "ACTIVE" else None,
            "attempt": attempt,
            "now": self.now if account.status == "ACTIVE" else None,
        }
        return {
            "status": account.status,
            "reason": account.reason,
            "who_acts": self.guidance.who_acts,
            **{name: value for name, value in optional.items() if value is not None},
            "next_step": self.guidance.next_step,
        }

    def add_to(self, error: AuthorizationRequired) -> None:
        """Write the guidance and the link into the error of a refused call."""
        error.who_acts, error.next_step = self.guidance.who_acts, self.guidance.next_step
        error.awaits_code = self.guidance.need is AccountNeed.CODE
        answer = self.answer()
        shown = ("status", "reason", "authorization_url", "admin_consent_url")
        error.details.update({name: answer[name] for name in shown if answer.get(name) is not None})


async def run_authorize(actions: Actions, arguments: Authorize, requester: Requester) -> AccountGuidance:
    """Carry out the tool `authorize`: the guidance for the account, with a link if somebody must consent.

    `reconnect` supersedes an attempt in any state; what it held is void. Raises `InvalidInput` for a wrong code.
    """
    if arguments.confirmation_code is not None:
        await actions.confirm_authorization(
            connection_name=requester.further_connection,
            identifier=requester.identifier,
            confirmation_code=arguments.confirmation_code,
        )
    return await account_guidance(actions, requester, reconnect=bool(arguments.reconnect))


async def add_guidance(actions: Actions, error: AuthorizationRequired, requester: Requester) -> None:
    """Write who acts, the next step and, if a sign-in can help, the link into the error of a refused call."""
    found = await account_guidance(actions, requester)
    if found.guidance.need is not AccountNeed.CONNECTED:
        found.add_to(error)
        return
    # The provider refused what the record calls connected: its keeper does not know yet, or the person just signed in.
    link = await actions.get_authorization_link(
        connection_name=requester.further_connection, identifier=requester.identifier, expected=requester.expected
    )
    error.details["authorization_url"] = link.link


async def account_guidance(actions: Actions, requester: Requester, *, reconnect: bool = False) -> AccountGuidance:
    """The guidance for an account, with a link if a sign-in is needed; `reconnect` asks for a new sign-in."""
    identifier, further = requester.identifier, requester.further_connection
    now = actions.present() if further is None else None
    response = await actions.get_or_create_connected_account(connection_name=further, identifier=identifier)
    account = response.connected_account
    guidance = guidance_for(account, requester.verification, reconnect=reconnect, further_connection=further)
    if guidance.need is not AccountNeed.LINK:
        return AccountGuidance(account, guidance, now=now)
    link: AuthorizationLinkResponse | None = None
    try:
        link = await actions.get_authorization_link(
            connection_name=further, identifier=identifier, reconnect=reconnect, expected=requester.expected
        )
    except AuthorizationRequired:  # tokens came in meanwhile and wait for their confirmation
        reconnect = False
    response = await actions.get_connected_account(connection_name=further, identifier=identifier)
    account = response.connected_account
    guidance = guidance_for(account, requester.verification, reconnect=reconnect, further_connection=further)
    if guidance.need is not AccountNeed.LINK:
        return AccountGuidance(account, guidance, now=now)
    if link is not None and link.admin_consent_url and guidance.who_acts == "user":
        guidance = replace(guidance, next_step=guidance.next_step + _IF_IT_MUST_APPROVE)
    return AccountGuidance(account, guidance, link, now)
