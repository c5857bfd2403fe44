"""The tool `authorize`, the same over every implementation of the seam."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from scalekit_mcp.actions.models import ConnectedAccountView, ToolResult
from scalekit_mcp.actions.protocol import Actions
from scalekit_mcp.clock import rfc3339
from scalekit_mcp.tools import Authorize

OPEN_THE_LINK = "Ask the user to open authorization_url in a browser and to sign in, then repeat the call."
FINISH_THE_PAGE = "Ask the user to finish on the page that opened after the sign-in, then repeat the call."
TYPE_THE_CODE = "Ask the user for the code on the page and call authorize with confirmation_code."


def held_step(user_verification: str) -> str:
    """What the person does while tokens are held, under `confirm` and under `url`."""
    return FINISH_THE_PAGE if user_verification == "url" else TYPE_THE_CODE


async def run_authorize(
    actions: Actions,
    arguments: Authorize,
    *,
    connection_name: str,
    identifier: str,
    login_hint: str | None,
    expected_account: tuple[str, str] | None,
    held_step: str,
) -> ToolResult:
    """Say how the account stands and, where somebody must consent, hand out the link.

    Answers `{status, reason, who_acts, authorization_url?, expires_at?, admin_consent_url?, mailbox?, attempt?,
    next_step}`.
    While tokens wait for a confirmation no new link is given, because it would void the code on the person's screen;
    `held_step` says what the person does instead.
    Raises `InvalidInput` for a wrong code.
    """
    reconnect = bool(arguments.reconnect)
    if arguments.confirmation_code is not None:
        response = await actions.confirm_authorization(
            connection_name=connection_name, identifier=identifier, confirmation_code=arguments.confirmation_code
        )
        return ToolResult(
            authorize_answer(response.connected_account, next_step="The account is connected; calendar tools work now.")
        )
    response = await actions.get_or_create_connected_account(connection_name=connection_name, identifier=identifier)
    account = response.connected_account
    if account.status == "ACTIVE" and not reconnect:
        mailbox = f" as {account.mailbox}" if account.mailbox else ""
        return ToolResult(
            authorize_answer(account, next_step=f"The account is connected{mailbox}; calendar tools work.")
        )
    if account.held and not reconnect:
        return ToolResult(authorize_answer(account, next_step=held_step))
    link = await actions.get_authorization_link(
        connection_name=connection_name,
        identifier=identifier,
        reconnect=reconnect,
        login_hint=login_hint,
        expected_account=expected_account,
    )
    response = await actions.get_connected_account(connection_name=connection_name, identifier=identifier)
    next_step = OPEN_THE_LINK
    if link.admin_consent_url:
        next_step += " If Microsoft shows 'Need admin approval', send admin_consent_url to the IT administrator."
    return ToolResult(
        authorize_answer(
            response.connected_account,
            next_step=next_step,
            authorization_url=link.link,
            expires_at=link.expires_at,
            admin_consent_url=link.admin_consent_url,
        )
    )


def authorize_answer(
    account: ConnectedAccountView,
    *,
    next_step: str,
    who_acts: str | None = None,
    authorization_url: str | None = None,
    expires_at: datetime | None = None,
    admin_consent_url: str | None = None,
) -> dict[str, Any]:
    """The answer of `authorize`, on every way to it.

    Times are UTC, ISO 8601; members without a value are left out, `reason` stays. `who_acts` overrides the account's.
    """
    attempt = None
    if account.attempt_state is not None:
        attempt = {"state": str(account.attempt_state)}
        if account.attempt_expires_at is not None:
            attempt["expires_at"] = rfc3339(account.attempt_expires_at, timespec="seconds")
    optional = {
        "authorization_url": authorization_url,
        "expires_at": rfc3339(expires_at, timespec="seconds") if expires_at is not None else None,
        "admin_consent_url": admin_consent_url,
        "mailbox": account.mailbox if account.status == "ACTIVE" else None,
        "attempt": attempt,
    }
    return {
        "status": account.status,
        "reason": account.reason,
        "who_acts": who_acts or ("nobody" if account.status == "ACTIVE" else account.who_acts),
        **{name: value for name, value in optional.items() if value is not None},
        "next_step": next_step,
    }
