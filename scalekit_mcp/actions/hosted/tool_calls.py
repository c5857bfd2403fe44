"""The calendar tools of hosted accounts by Scalekit's own tools: our calendar over a `ScalekitMailbox`."""

from __future__ import annotations

from scalekit_mcp.accounts import AccountKey
from scalekit_mcp.actions.hosted.active_accounts import ACCOUNT_MAY_BE_WHY, ActiveAccounts
from scalekit_mcp.actions.models import ToolResult
from scalekit_mcp.calendar import OutlookCalendar, Pages, PageSealer
from scalekit_mcp.clock import Clock
from scalekit_mcp.errors import ConnectionMisconfigured, InvalidInput, ScalekitMCPError
from scalekit_mcp.scalekit import ScalekitError, ScalekitMailbox, ScalekitRest, check_supported
from scalekit_mcp.tools import TOOLS, Arguments, UpdateCalendarEvent, warned


class ToolCalls:
    """Runs calendar tools by Scalekit's. `timezone` is that of answers when a call names none."""

    def __init__(
        self, rest: ScalekitRest, active: ActiveAccounts, *, clock: Clock, pages: PageSealer, timezone: str
    ) -> None:
        self._rest = rest
        self._active = active
        self._clock = clock
        self._pages = pages
        self._timezone = timezone

    async def run(self, key: AccountKey, arguments: Arguments) -> ToolResult:
        """Run one tool; raises `ScalekitMCPError`. Result and errors carry the `execution_id` of Scalekit's last call.

        An account that is not ACTIVE is an `AuthorizationRequired` without a link.
        """
        warnings = check_supported(arguments)
        await self._active.require(key)
        accepted = isinstance(arguments, UpdateCalendarEvent) and bool(arguments.discard_exceptions)
        mailbox = ScalekitMailbox(
            self._rest, connection_name=key.connection_name, identifier=key.identifier, discard_exceptions=accepted
        )
        try:
            answer = await self._calendar(mailbox, key).run(arguments)
        except ScalekitError as failure:
            raise await self._refusal(key, arguments.tool_name, failure, mailbox) from failure
        except ScalekitMCPError as error:
            if mailbox.execution_id is not None:
                error.details.setdefault("execution_id", mailbox.execution_id)
            raise
        told = warned(*answer.get("warnings", ()), *warnings, *mailbox.warnings)
        result = ToolResult(answer | told.members())
        result.execution_id = mailbox.execution_id
        return result

    def _calendar(self, mailbox: ScalekitMailbox, key: AccountKey) -> OutlookCalendar:
        # Scalekit does not tell which Microsoft account consented.
        return OutlookCalendar(
            mailbox,
            personal=False,
            clock=self._clock,
            timezone=self._timezone,
            pages=Pages(self._pages, connection_name=key.connection_name, identifier=key.identifier),
        )

    async def _refusal(
        self, key: AccountKey, tool_name: str, failure: ScalekitError, mailbox: ScalekitMailbox
    ) -> ScalekitMCPError:
        """Why Scalekit refused a call: most often the account is no longer ACTIVE, which its text does not say."""
        if failure.status in ACCOUNT_MAY_BE_WHY:
            self._active.forget(key)
            view = await self._active.inactive(key)
            if view is not None:
                return self._active.not_active(view)
        if failure.status == 400:
            fields = (field.removeprefix("$") for field in failure.fields)  # a window's parameters bear OData's sign
            named = next((name for name in fields if name in TOOLS[tool_name].input_schema["properties"]), None)
            return InvalidInput(
                f"Scalekit refuses the arguments: {failure.message or 'it does not say why'}",
                field=named,
                execution_id=mailbox.execution_id,
            )
        if failure.status == 404:
            return ConnectionMisconfigured(
                f"Scalekit has no tool that {tool_name} needs: {failure.message or 'it does not say which'}",
                next_step="The operator checks that SCALEKIT_MCP_CONNECTION names an Outlook connection.",
                execution_id=mailbox.execution_id,
            )
        return failure.as_error(f"run {tool_name}")
