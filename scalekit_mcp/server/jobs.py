"""The two kinds of tool call: on the calendar, and on the connection itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp.types import CallToolResult

from scalekit_mcp.actions.authorize import authorize_answer
from scalekit_mcp.actions.models import ConnectedAccountView
from scalekit_mcp.actions.protocol import Actions
from scalekit_mcp.errors import AdminApprovalRequired, AuthorizationRequired, EventNotFound
from scalekit_mcp.server import confirmation
from scalekit_mcp.server.callers import Caller
from scalekit_mcp.server.consent import ConfirmationNeeded
from scalekit_mcp.server.limits import CallLimiter
from scalekit_mcp.server.results import error_result, success_result
from scalekit_mcp.tools import Arguments

_LIST = "outlook_list_calendar_events"
_GET = "outlook_get_calendar_event"
_ASKED_ABOUT = "subject,start,attendees,isOrganizer"

CONNECTED = "The calendar is connected; call the calendar tools."
TYPE_THE_CODE = "Ask the user for the code on the sign-in page and call `authorize` with `confirmation_code`."
FINISH_THE_PAGE = "Ask the user to finish on the page that opened after the sign-in."
OPEN_THE_LINK = "Ask the user to open the authorization link in a browser, then repeat the call."


class CalendarJob:
    """One call of a calendar tool."""

    def __init__(
        self,
        actions: Actions,
        limiter: CallLimiter,
        *,
        caller: Caller,
        connection_name: str | None,
        tool_name: str,
        arguments: Arguments,
        confirm_mail: bool = False,
    ) -> None:
        self.identifier = caller.identifier
        self.confirmed = not confirm_mail
        self._actions = actions
        self._limiter = limiter
        self._caller = caller
        self._connection_name = connection_name
        self._tool_name = tool_name
        self._arguments = arguments

    async def run(self, *, resumed: bool) -> dict[str, Any]:
        """The calendar's answer; raises `ScalekitMCPError` and `ConfirmationNeeded`."""
        del resumed
        async with self._limiter.slot(self.identifier):
            if not self.confirmed:
                await self._ask_if_it_mails_or_deletes()
            return await self._execute(self._tool_name, self._arguments)

    async def refuse(self, error: AuthorizationRequired) -> CallToolResult:
        """The error in words."""
        return error_result(error)

    async def _execute(self, tool_name: str, tool_input: Mapping[str, Any] | Arguments) -> dict[str, Any]:
        return await self._actions.execute_tool(
            identifier=self.identifier,
            tool_name=tool_name,
            tool_input=tool_input,
            connection_name=self._connection_name,
            login_hint=self._caller.login_hint,
            expected_account=self._caller.expected_account,
        )

    async def _ask_if_it_mails_or_deletes(self) -> None:
        """Raise `ConfirmationNeeded` where a person has to say yes. Reads first: it settles the account, too."""
        given = self._arguments.to_wire()
        if self._tool_name == confirmation.CREATE and confirmation.mails_on_create(given):
            await self._execute(_LIST, {"top": 1, "select": "id"})
            raise ConfirmationNeeded(confirmation.create_question(given))
        if self._tool_name not in (confirmation.UPDATE, confirmation.DELETE):
            return
        try:
            event = await self._execute(_GET, {"event_id": given["event_id"], "select": _ASKED_ABOUT})
        except EventNotFound:
            return  # nothing to mail about; the call itself says what that means
        if self._tool_name == confirmation.DELETE:
            raise ConfirmationNeeded(confirmation.delete_question(event))
        if confirmation.mails_on_update(given, event):
            raise ConfirmationNeeded(confirmation.update_question(given, event))


class AuthorizeJob:
    """One call of `authorize`: connect, connect anew, redeem a code, or say where things stand."""

    def __init__(
        self,
        actions: Actions,
        limiter: CallLimiter,
        *,
        caller: Caller,
        connection_name: str | None,
        reconnect: bool = False,
        confirmation_code: str | None = None,
        code_in_chat: bool = True,
    ) -> None:
        self.identifier = caller.identifier
        self._actions = actions
        self._limiter = limiter
        self._caller = caller
        self._connection_name = connection_name
        self.confirmed = True
        self._reconnect = reconnect
        self._confirmation_code = confirmation_code
        self._code_in_chat = code_in_chat

    async def run(self, *, resumed: bool) -> dict[str, Any]:
        """The state of an ACTIVE account; raises `AuthorizationRequired` with the link for any other."""
        async with self._limiter.slot(self.identifier):
            if self._confirmation_code is not None and not resumed:
                response = await self._actions.confirm_authorization(
                    connection_name=self._connection_name,
                    identifier=self.identifier,
                    confirmation_code=self._confirmation_code,
                )
                return authorize_answer(response.connected_account, next_step=CONNECTED)
            view = await self._view()
            if view.held:
                raise AuthorizationRequired(
                    "The user has signed in; one step is left.",
                    next_step=TYPE_THE_CODE if self._code_in_chat else FINISH_THE_PAGE,
                    status=view.status,
                    reason=view.reason or "awaiting_confirmation",
                )
            if view.status == "ACTIVE" and (resumed or not self._reconnect):
                return authorize_answer(view, next_step=CONNECTED)
            raise await self._with_link(view)

    async def refuse(self, error: AuthorizationRequired) -> CallToolResult:
        """Where the connection stands, as a success: a link is what `authorize` is asked for."""
        view = await self._view()
        link = error.details.get("authorization_url")
        return success_result(
            authorize_answer(
                view,
                next_step=_sentence(error),
                who_acts=error.who_acts,
                authorization_url=link,
                expires_at=view.attempt_expires_at if link else None,
                admin_consent_url=error.details.get("admin_consent_url"),
            )
        )

    async def _with_link(self, view: ConnectedAccountView) -> AuthorizationRequired:
        link = await self._actions.get_authorization_link(
            connection_name=self._connection_name,
            identifier=self.identifier,
            reconnect=self._reconnect,
            login_hint=self._caller.login_hint,
            expected_account=self._caller.expected_account,
        )
        kind = AdminApprovalRequired if view.reason == "admin_approval_required" else AuthorizationRequired
        return kind(
            "",
            next_step=OPEN_THE_LINK if kind is AuthorizationRequired else None,
            status=view.status,
            reason=view.reason,
            authorization_url=link.link,
            admin_consent_url=link.admin_consent_url,
        )

    async def _view(self) -> ConnectedAccountView:
        response = await self._actions.get_or_create_connected_account(
            connection_name=self._connection_name, identifier=self.identifier
        )
        return response.connected_account


def _sentence(error: AuthorizationRequired) -> str:
    return f"{error.message} {error.next_step}".strip()
