"""The two kinds of tool call: calendar tools, and `authorize`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp.types import CallToolResult

from scalekit_mcp.actions import AccountGuidance, AccountNeed, Actions, Guidance, Requester, run_authorize
from scalekit_mcp.clock import rfc3339
from scalekit_mcp.errors import AuthorizationRequired, EventNotFound
from scalekit_mcp.server.callers.caller import Caller
from scalekit_mcp.server.limits import CallLimiter
from scalekit_mcp.server.mcp import confirmation
from scalekit_mcp.server.mcp.consent import ConfirmationNeededError
from scalekit_mcp.server.mcp.results import error_result, success_result
from scalekit_mcp.tools import Arguments, Authorize

_LIST = "outlook_list_calendar_events"
_GET = "outlook_get_calendar_event"
_ASKED_ABOUT = "subject,start,attendees,isOrganizer,organizer"


class CalendarJob:
    """One call of a calendar tool."""

    def __init__(
        self,
        actions: Actions,
        limiter: CallLimiter,
        *,
        caller: Caller,
        tool_name: str,
        arguments: Arguments,
        confirm_mail: bool = False,
    ) -> None:
        self.identifier = caller.identifier
        self.connection: str | None = None
        self.confirmed = not confirm_mail
        self._actions = actions
        self._limiter = limiter
        self._caller = caller
        self._tool_name = tool_name
        self._arguments = arguments

    async def run(self, *, resumed: bool) -> dict[str, Any]:
        """The calendar's answer; raises `ScalekitMCPError` and `ConfirmationNeededError`."""
        del resumed
        async with self._limiter.slot(self.identifier):
            if not self.confirmed:
                await self._ask_if_it_mails_or_deletes()
            return await self._execute(self._tool_name, self._arguments)

    async def refuse(self, error: AuthorizationRequired) -> CallToolResult:
        """The error result."""
        return error_result(error)

    async def _execute(self, tool_name: str, tool_input: Mapping[str, Any] | Arguments) -> dict[str, Any]:
        return await self._actions.execute_tool(
            identifier=self.identifier,
            tool_name=tool_name,
            tool_input=tool_input,
            expected=self._caller.expected,
        )

    async def _ask_if_it_mails_or_deletes(self) -> None:
        """Raise `ConfirmationNeededError` where a person has to say yes. Reads first: it settles the account, too."""
        given = self._arguments.to_wire()
        if self._tool_name == confirmation.CREATE and confirmation.mails_on_create(given):
            await self._execute(_LIST, {"top": 1, "select": "id"})
            raise ConfirmationNeededError(confirmation.create_question(given))
        if self._tool_name not in (confirmation.UPDATE, confirmation.DELETE, confirmation.RESPOND):
            return
        try:
            event = await self._execute(_GET, {"event_id": given["event_id"], "select": _ASKED_ABOUT})
        except EventNotFound:
            return  # nothing to mail about; the call itself says what that means
        if self._tool_name == confirmation.DELETE:
            raise ConfirmationNeededError(confirmation.delete_question(event))
        if self._tool_name == confirmation.RESPOND:
            raise ConfirmationNeededError(confirmation.respond_question(given, event))
        if confirmation.mails_on_update(given, event):
            raise ConfirmationNeededError(confirmation.update_question(given, event))


class AuthorizeJob:
    """One call of `authorize`: connect, reconnect, accept a confirmation code, or report the account's state."""

    def __init__(
        self,
        actions: Actions,
        limiter: CallLimiter,
        *,
        caller: Caller,
        arguments: Authorize,
        code_in_chat: bool = True,
        connection: str | None = None,
    ) -> None:
        self.identifier = caller.identifier
        self.connection = connection
        self.confirmed = True
        self._actions = actions
        self._limiter = limiter
        self._arguments = arguments
        self._requester = Requester(
            caller.identifier,
            verification="confirm" if code_in_chat else "url",
            expected=caller.expected,
            further_connection=connection,
        )

    async def run(self, *, resumed: bool) -> dict[str, Any]:
        """The answer where no person is to be asked; raises `AuthorizationRequired` where one is.

        A call that comes again has done what its arguments ask for: it says how the account stands now.
        """
        async with self._limiter.slot(self.identifier):
            arguments = Authorize.parse({}) if resumed else self._arguments
            found = await run_authorize(self._actions, arguments, self._requester)
        if found.guidance.who_acts != "user":
            return found.answer()
        need = AuthorizationRequired("")
        found.add_to(need)
        raise need

    async def refuse(self, error: AuthorizationRequired) -> CallToolResult:
        """The state of the account as a success with the link, because a link is what `authorize` is called for."""
        response = await self._actions.get_or_create_connected_account(
            connection_name=self.connection, identifier=self.identifier
        )
        account = response.connected_account
        url = error.details.get("authorization_url")
        expires_at = account.attempt_expires_at
        answer = AccountGuidance(account, Guidance(AccountNeed.LINK, error.who_acts, _sentence(error))).answer()
        told = {
            "authorization_url": url,
            "expires_at": rfc3339(expires_at, timespec="seconds") if url and expires_at else None,
            "admin_consent_url": error.details.get("admin_consent_url"),
        }
        next_step = answer.pop("next_step")
        given = {name: value for name, value in told.items() if value is not None}
        return success_result({**answer, **given, "next_step": next_step})


def _sentence(error: AuthorizationRequired) -> str:
    return f"{error.message} {error.next_step}".strip()
