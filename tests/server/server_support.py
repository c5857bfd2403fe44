"""A small Actions that keeps everything in memory, and a client that answers questions as a person would."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
from mcp.types import ElicitRequestURLParams, ElicitResult

from scalekit_mcp.actions.models import (
    AttemptState,
    AuthorizationLinkResponse,
    AuthorizationOutcome,
    AuthorizationPrompt,
    ConnectedAccountResponse,
    ConnectedAccountView,
    ListConnectedAccountsResponse,
    OutcomeKind,
    ToolResult,
)
from scalekit_mcp.errors import AuthorizationRequired, ConnectedAccountNotFound, EventNotFound, InvalidInput
from scalekit_mcp.tools import Arguments

NOW = datetime(2026, 4, 1, 9, 0, tzinfo=UTC)
WHEN = {
    "subject": "Standup",
    "start_datetime": "2026-04-01T10:00:00",
    "start_timezone": "UTC",
    "end_datetime": "2026-04-01T10:30:00",
    "end_timezone": "UTC",
}


def wire_of(tool_input: Mapping[str, Any] | Arguments | None) -> dict[str, Any]:
    return tool_input.to_wire() if isinstance(tool_input, Arguments) else dict(tool_input or {})


@dataclass
class Account:
    identifier: str
    status: str = "PENDING"
    reason: str | None = "never_authorized"
    attempt: AttemptState | None = None
    ticket: str | None = None
    secret: str | None = None
    code: str | None = None
    last_error: str | None = None
    who_acts: str = "user"


@dataclass
class MemoryActions:
    """Satisfies the Actions protocol; `succeed`, `hold` and `fail` are what happens in the person's browser."""

    base: Callable[[], Awaitable[str]] | None = None
    confirm: bool = False
    accounts: dict[str, Account] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    calls: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    hints: list[tuple[str | None, tuple[str, str] | None]] = field(default_factory=list)
    checks: int = 0
    broken: Exception | None = None
    crash: Exception | None = None
    event: dict[str, Any] | None = None
    gate: anyio.Event | None = None
    entered: int = 0
    cancelled: int = 0
    changed: anyio.Event = field(default_factory=anyio.Event)

    def account(self, identifier: str) -> Account:
        return self.accounts.setdefault(identifier, Account(identifier))

    def activate(self, identifier: str) -> None:
        account = self.account(identifier)
        account.status, account.reason, account.who_acts, account.attempt = "ACTIVE", None, "nobody", None
        self._announce()

    def succeed(self, identifier: str) -> None:
        self.activate(identifier)
        self.account(identifier).attempt = AttemptState.SUCCEEDED
        self._announce()

    def hold(self, identifier: str, code: str = "ABCD1234") -> None:
        account = self.account(identifier)
        account.reason, account.attempt, account.code = "awaiting_confirmation", AttemptState.HELD, code
        self._announce()

    def fail(self, identifier: str, reason: str | None, message: str, who_acts: str = "user") -> None:
        account = self.account(identifier)
        account.reason, account.last_error, account.who_acts = reason, message, who_acts
        account.attempt = AttemptState.FAILED
        self._announce()

    def _announce(self) -> None:
        self.changed.set()
        self.changed = anyio.Event()

    def _view(self, account: Account) -> ConnectedAccountResponse:
        return ConnectedAccountResponse(
            ConnectedAccountView(
                id=f"ca_{account.identifier}",
                connection_name="outlook",
                identifier=account.identifier,
                status=account.status,
                reason=account.reason,
                who_acts=account.who_acts,  # pyright: ignore[reportArgumentType]
                last_authorization_error=account.last_error,
                attempt_state=account.attempt,
                attempt_expires_at=NOW + timedelta(minutes=15) if account.attempt else None,
                held=account.attempt is AttemptState.HELD,
            )
        )

    def _by_ticket(self, ticket: str) -> Account | None:
        return next((a for a in self.accounts.values() if a.ticket == ticket), None)

    async def get_or_create_connected_account(
        self, *, connection_name: str | None = None, identifier: str
    ) -> ConnectedAccountResponse:
        return self._view(self.account(identifier))

    async def get_connected_account(
        self, *, connection_name: str | None = None, identifier: str
    ) -> ConnectedAccountResponse:
        if identifier not in self.accounts:
            raise ConnectedAccountNotFound(connection_name or "outlook", identifier)
        return self._view(self.accounts[identifier])

    async def list_connected_accounts(
        self,
        *,
        connection_name: str | None = None,
        identifier: str | None = None,
        status: str | None = None,
        page_size: int = 50,
        page_token: str | None = None,
        account_id: str | None = None,
    ) -> ListConnectedAccountsResponse:
        wanted = [
            self._view(a).connected_account
            for _, a in sorted(self.accounts.items())
            if identifier in (None, a.identifier)
            and status in (None, a.status)
            and account_id in (None, f"ca_{a.identifier}")
        ]
        start = int(page_token or 0)
        page = wanted[start : start + page_size]
        following = str(start + page_size) if len(wanted) > start + page_size else None
        return ListConnectedAccountsResponse(tuple(page), len(wanted), following)

    async def disconnect(self, *, connection_name: str | None = None, identifier: str) -> ConnectedAccountResponse:
        await self.get_connected_account(connection_name=connection_name, identifier=identifier)
        account = self.accounts[identifier]
        account.status, account.reason = "REVOKED", "disconnected"
        return self._view(account)

    async def delete_connected_account(self, *, connection_name: str | None = None, identifier: str) -> None:
        self.accounts.pop(identifier, None)

    async def get_authorization_link(
        self,
        *,
        connection_name: str | None = None,
        identifier: str,
        reconnect: bool = False,
        state: str | None = None,
        user_verify_url: str | None = None,
        login_hint: str | None = None,
        expected_account: tuple[str, str] | None = None,
    ) -> AuthorizationLinkResponse:
        self.hints.append((login_hint, expected_account))
        account = self.account(identifier)
        if account.ticket is None or reconnect:
            account.ticket = secrets.token_urlsafe(32)
        account.attempt = AttemptState.LINK_GIVEN
        if account.status == "PENDING":
            account.reason = "awaiting_consent"
        base = await self.base() if self.base else "http://localhost:8754"
        return AuthorizationLinkResponse(
            link=f"{base}/connect/{account.ticket}",
            expires_at=NOW + timedelta(minutes=15),
            admin_consent_url="https://login.example/adminconsent",
        )

    async def authorization_prompt(self, ticket: str) -> AuthorizationPrompt | AuthorizationOutcome:
        account = self._by_ticket(ticket)
        if account is None:
            return AuthorizationOutcome(
                kind=OutcomeKind.LINK_UNKNOWN, title="Unknown link", message="Nobody knows it.", next_step="Ask again."
            )
        return AuthorizationPrompt(
            identifier=account.identifier,
            connection_name="outlook",
            provider_name="Microsoft",
            scopes=("openid", "offline_access", "User.Read", "Calendars.ReadWrite"),
            expires_at=NOW + timedelta(minutes=15),
            admin_consent_url="https://login.example/adminconsent",
            admin_text="Please approve <the app>.",
        )

    async def start_authorization(
        self, ticket: str, *, browser_secret: str | None = None
    ) -> str | AuthorizationOutcome:
        account = self._by_ticket(ticket)
        assert account is not None
        state = secrets.token_urlsafe(16)
        self.states[state] = account.identifier
        account.secret, account.attempt = browser_secret, AttemptState.AT_PROVIDER
        return f"https://login.example/authorize?client_id=c&state={state}"

    async def complete_authorization(
        self, query: Mapping[str, str], *, browser_secrets: Sequence[str] = ()
    ) -> AuthorizationOutcome:
        if self.crash:
            raise self.crash
        identifier = self.states.get(query.get("state", ""))
        if identifier is None:
            return AuthorizationOutcome(
                kind=OutcomeKind.LINK_USED, title="Used", message="This was used.", next_step="Ask again."
            )
        account = self.accounts[identifier]
        if account.secret not in browser_secrets:
            return AuthorizationOutcome(
                kind=OutcomeKind.OTHER_BROWSER, title="Other browser", message="Not here.", next_step="Go back."
            )
        del self.states[query["state"]]
        if "error" in query:
            self.fail(identifier, "consent_declined", "The user pressed Cancel at Microsoft.")
            return AuthorizationOutcome(
                kind=OutcomeKind.DECLINED, title="Declined", message="You pressed Cancel.", next_step="Close this page."
            )
        if self.confirm:
            self.hold(identifier)
            return AuthorizationOutcome(
                kind=OutcomeKind.CONFIRMATION_NEEDED,
                title="One more step",
                message="Type this only into the chat where you asked. If someone sent you the link, press Cancel.",
                next_step="Go back to the chat.",
                mailbox="ana@contoso.example",
                confirmation_code=account.code,
            )
        self.succeed(identifier)
        return AuthorizationOutcome(
            kind=OutcomeKind.CONNECTED,
            title="Connected",
            message="The calendar is connected.",
            next_step="Close this page.",
            mailbox="<b>ana</b>@contoso.example",
        )

    async def cancel_held_authorization(
        self, ticket: str, *, browser_secret: str | None = None
    ) -> AuthorizationOutcome:
        account = self._by_ticket(ticket)
        assert account is not None
        account.code = None
        self.fail(account.identifier, "consent_declined", "The user pressed Cancel on the page.")
        return AuthorizationOutcome(
            kind=OutcomeKind.CANCELLED,
            title="Cancelled",
            message="Nothing was connected.",
            next_step="Close this page.",
        )

    async def confirm_authorization(
        self, *, connection_name: str | None = None, identifier: str, confirmation_code: str
    ) -> ConnectedAccountResponse:
        account = self.account(identifier)
        if account.code is None or confirmation_code != account.code:
            raise InvalidInput("The confirmation code is wrong.", field="confirmation_code")
        self.activate(identifier)
        return self._view(account)

    async def verify_connected_account_user(self, *, auth_request_id: str, identifier: str) -> ConnectedAccountResponse:
        account = self._by_ticket(auth_request_id)
        if account is None:
            raise ConnectedAccountNotFound("outlook", identifier)
        if account.identifier != identifier:
            raise InvalidInput("Somebody else asked.", field="identifier")
        self.activate(identifier)
        return self._view(account)

    async def complete_admin_consent(self, query: Mapping[str, str]) -> AuthorizationOutcome:
        return AuthorizationOutcome(
            kind=OutcomeKind.CONNECTED, title="Approved", message="Thank you.", next_step="Tell the user."
        )

    def present(self) -> dict[str, str]:
        return {"dateTime": "2026-04-06T09:00:00+00:00", "timeZone": "UTC", "weekday": "Monday"}

    async def check(self) -> None:
        self.checks += 1
        if self.broken is not None:
            raise self.broken

    async def wait_for_authorization(
        self, *, connection_name: str | None = None, identifier: str, timeout_seconds: float
    ) -> ConnectedAccountResponse:
        account = self.account(identifier)
        with anyio.move_on_after(timeout_seconds):
            while account.attempt in (AttemptState.LINK_GIVEN, AttemptState.AT_PROVIDER):
                await self.changed.wait()
        return self._view(account)

    async def execute_tool(
        self,
        *,
        identifier: str,
        tool_name: str,
        tool_input: Mapping[str, Any] | Arguments | None = None,
        connection_name: str | None = None,
        login_hint: str | None = None,
        expected_account: tuple[str, str] | None = None,
    ) -> ToolResult:
        self.entered += 1
        if self.gate is not None:
            try:
                await self.gate.wait()
            except anyio.get_cancelled_exc_class():
                self.cancelled += 1
                raise
        if self.crash is not None:
            raise self.crash
        account = self.account(identifier)
        if account.status != "ACTIVE":
            held = account.attempt is AttemptState.HELD
            link = (
                None
                if held
                else await self.get_authorization_link(
                    identifier=identifier, login_hint=login_hint, expected_account=expected_account
                )
            )
            raise AuthorizationRequired(
                "The Outlook calendar is not connected.",
                status=account.status,
                reason=account.reason,
                authorization_url=link.link if link else None,
                admin_consent_url="https://login.example/adminconsent",
            )
        self.calls.append((identifier, tool_name, wire_of(tool_input)))
        if tool_name == "outlook_list_calendar_events":
            return ToolResult({"value": [{"id": "e1", "subject": f"of {identifier}"}]})
        if tool_name == "outlook_get_calendar_event":
            if self.event is None:
                raise EventNotFound("The event is gone.")
            return ToolResult(self.event)
        if tool_name == "outlook_delete_calendar_event":
            return ToolResult({"deleted": True, "already_gone": False})
        return ToolResult({"id": "e1", "subject": f"of {identifier}"})


@dataclass
class Person:
    """Answers elicitations. `on_url` is what the person does with the link; `form_action` comes with what a form holds.

    Without a `code` or a `yes` the form that asks for it is declined.
    """

    on_url: Callable[[str], Awaitable[None]] | None = None
    action: str = "accept"
    form_action: str = "accept"
    code: str | None = None
    yes: bool | None = None
    urls: list[str] = field(default_factory=list)
    forms: list[str] = field(default_factory=list)

    async def __call__(self, context: Any, params: Any) -> ElicitResult:
        if isinstance(params, ElicitRequestURLParams):
            self.urls.append(params.url)
            if self.on_url is not None and self.action == "accept":
                await self.on_url(params.url)
            return ElicitResult(action=self.action)  # pyright: ignore[reportArgumentType]
        self.forms.append(params.message)
        if "confirm" in params.requested_schema["properties"]:
            if self.yes is None:
                return ElicitResult(action="decline")
            return ElicitResult(action=self.form_action, content={"confirm": self.yes})  # pyright: ignore[reportArgumentType]
        if self.code is None:
            return ElicitResult(action="decline")
        return ElicitResult(action=self.form_action, content={"confirmation_code": self.code})  # pyright: ignore[reportArgumentType]
