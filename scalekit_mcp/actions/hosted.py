"""The hosted implementation of the seam: Scalekit keeps the tokens, this process keeps none."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio

from scalekit_mcp.actions.authorize import FINISH_THE_PAGE, TYPE_THE_CODE, run_authorize
from scalekit_mcp.actions.models import (
    AttemptState,
    AuthorizationLinkResponse,
    AuthorizationOutcome,
    AuthorizationPrompt,
    ConnectedAccountResponse,
    ConnectedAccountView,
    ListConnectedAccountsResponse,
    ToolResult,
)
from scalekit_mcp.clock import Clock
from scalekit_mcp.errors import (
    AuthorizationRequired,
    InternalError,
    InvalidInput,
    PermissionMissing,
    ScalekitMCPError,
)
from scalekit_mcp.settings import check_identifier
from scalekit_mcp.tools import TOOLS, Arguments, Authorize, UnknownTool, parse_arguments

if TYPE_CHECKING:
    import httpx2 as httpx

    from scalekit_mcp.accounts.sealing import KeyRing
    from scalekit_mcp.actions.hosted_accounts import WireAccount
    from scalekit_mcp.actions.hosted_attempts import Key
    from scalekit_mcp.actions.hosted_graph import HostedSession
    from scalekit_mcp.actions.hosted_parts import HostedParts
    from scalekit_mcp.actions.hosted_rest import ScalekitFailure

logger = logging.getLogger(__name__)

LinkBase = Callable[[], Awaitable[str]]

ACTIVE_SECONDS = 30
"""How long an account that was seen ACTIVE is called without a look at it; Scalekit looks itself at every call."""

POLL_SECONDS = 1.0
_ACCOUNT_MAY_BE_WHY = frozenset({400, 403, 404, 409, 412})
_RUNNING = frozenset({AttemptState.LINK_GIVEN.value, AttemptState.AT_PROVIDER.value})


@dataclass(frozen=True, slots=True)
class ScalekitEnvironment:
    """Where Scalekit is and who we are there. `env_url` without a slash at the end."""

    env_url: str
    client_id: str
    client_secret: str = field(repr=False)


class HostedActions:
    """`Actions` on Scalekit's REST API. Cheap to make: libraries and the HTTP client wait for a first call.

    `environment` may be a function that finds it on first use (the sandbox starts in it). `link_base` gives the address
    of our own pages. `http` is closed by whoever made it; without one a client is made and closed by `aclose`. `ring`
    seals attempts and page tokens: without one its keys are this process's own, and so are the attempts.
    `user_verification` is `off`, `confirm` or `url`; except for `off`, the environment has to hold tokens back until a
    verification ("User Verification" in the Scalekit dashboard).
    """

    def __init__(
        self,
        environment: ScalekitEnvironment | Callable[[], Awaitable[ScalekitEnvironment]],
        *,
        clock: Clock,
        link_base: LinkBase,
        connection_name: str = "outlook",
        user_verification: str = "confirm",
        user_verify_url: str | None = None,
        timezone: str = "UTC",
        http: httpx.AsyncClient | None = None,
        ring: KeyRing | None = None,
        scopes: Sequence[str] = (),
        sandbox: bool = False,
    ) -> None:
        self._environment = environment
        self._clock = clock
        self._link_base = link_base
        self._connection_name = connection_name
        self._user_verification = user_verification
        self._held_step = FINISH_THE_PAGE if user_verification == "url" else TYPE_THE_CODE
        self._user_verify_url = user_verify_url
        self._timezone = timezone
        self._http = http
        self._ring = ring
        self._scopes = tuple(scopes)
        self._sandbox = sandbox
        self._opening = anyio.Lock()
        self._opened: HostedParts | None = None
        self._seen_active: dict[Key, float] = {}

    async def aclose(self) -> None:
        """Close the HTTP client, if this object made one."""
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened.aclose()

    async def check(self) -> None:
        """See `Actions`. The vault is Scalekit's: whether it answers is what can be known."""
        await self.list_connected_accounts(page_size=1)

    async def _parts(self) -> HostedParts:
        if self._opened is None:
            async with self._opening:
                if self._opened is None:
                    from scalekit_mcp.actions.hosted_parts import build_hosted_parts

                    found = self._environment
                    environment = found if isinstance(found, ScalekitEnvironment) else await found()
                    self._opened = build_hosted_parts(
                        environment,
                        connection_name=self._connection_name,
                        clock=self._clock,
                        http=self._http,
                        ring=self._ring,
                        user_verification=self._user_verification,
                        user_verify_url=self._user_verify_url,
                        scopes=self._scopes,
                        sandbox=self._sandbox,
                    )
        return self._opened

    def _key(self, connection_name: str | None, identifier: str) -> Key:
        name = connection_name or self._connection_name
        if name != self._connection_name:
            raise InvalidInput(
                f"There is no connection '{name[:100]}'; this server has '{self._connection_name}'.",
                field="connection_name",
            )
        try:
            return name, check_identifier(identifier)
        except ValueError as error:
            raise InvalidInput(f"The identifier is not valid: {error}.", field="identifier") from error

    # -- accounts

    async def get_or_create_connected_account(
        self, *, connection_name: str | None = None, identifier: str
    ) -> ConnectedAccountResponse:
        """See `Actions`."""
        key = self._key(connection_name, identifier)
        parts = await self._parts()
        return self._response(parts, await parts.directory.get_or_create(key))

    async def get_connected_account(
        self, *, connection_name: str | None = None, identifier: str
    ) -> ConnectedAccountResponse:
        """See `Actions`."""
        key = self._key(connection_name, identifier)
        parts = await self._parts()
        return self._response(parts, await parts.directory.known(key))

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
        """See `Actions`."""
        if connection_name is not None:
            self._key(connection_name, identifier or "any")
        parts = await self._parts()
        if account_id is not None:
            one = await parts.directory.by_id(account_id)
            fits = one is not None and identifier in (None, one.identifier)
            views = tuple(self._view(parts, account) for account in (one,) if account is not None and fits)
            views = tuple(view for view in views if status in (None, view.status))
            return ListConnectedAccountsResponse(connected_accounts=views, total_size=len(views))
        accounts, total, following = await parts.directory.page(
            identifier=identifier, status=status, size=page_size, token=page_token
        )
        return ListConnectedAccountsResponse(
            connected_accounts=tuple(self._view(parts, account) for account in accounts),
            total_size=total,
            next_page_token=following,
        )

    async def disconnect(self, *, connection_name: str | None = None, identifier: str) -> ConnectedAccountResponse:
        """See `Actions`. Scalekit offers the call to some API clients only; elsewhere `delete` is what is left."""
        key = self._key(connection_name, identifier)
        self._seen_active.pop(key, None)
        parts = await self._parts()
        account = await parts.directory.disconnect(key)
        parts.consent.attempts.forget(key)
        return self._response(parts, account)

    async def delete_connected_account(self, *, connection_name: str | None = None, identifier: str) -> None:
        """See `Actions`."""
        key = self._key(connection_name, identifier)
        self._seen_active.pop(key, None)
        parts = await self._parts()
        await parts.directory.delete(key)
        parts.consent.attempts.forget(key)

    def _response(self, parts: HostedParts, account: WireAccount) -> ConnectedAccountResponse:
        return ConnectedAccountResponse(self._view(parts, account))

    def _view(self, parts: HostedParts, account: WireAccount) -> ConnectedAccountView:
        from scalekit_mcp.actions.hosted_accounts import view_of

        key = (self._connection_name, account.identifier)
        attempt = parts.consent.attempts.newest(key)
        if (
            attempt is not None
            and attempt.state is AttemptState.AT_PROVIDER
            and account.status == "ACTIVE"
            and attempt.status_before != "ACTIVE"
        ):
            if attempt.verification.value != "off" and not attempt.user_verify_url:
                logger.warning(
                    "The account of '%s' became ACTIVE without a verification by this server: "
                    "check User Verification in the Scalekit dashboard",
                    account.identifier,
                )
            parts.consent.succeed(attempt)
            attempt = parts.consent.attempts.newest(key)
        return view_of(account, attempt, self._clock.now())

    # -- consent

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
        """See `Actions`. What the caller vouches for has no effect: Scalekit does not tell which mailbox consented."""
        from scalekit_mcp.actions.hosted_accounts import not_active

        del login_hint, expected_account
        key = self._key(connection_name, identifier)
        parts = await self._parts()
        account = await parts.directory.get_or_create(key)
        view = self._view(parts, account)
        if view.held and not reconnect:
            raise not_active(view)
        attempt = parts.consent.begin(
            key,
            link_base=await self._link_base(),
            status=account.status,
            reconnect=reconnect,
            state=state,
            user_verify_url=user_verify_url,
        )
        return AuthorizationLinkResponse(
            link=parts.consent.attempts.link(attempt), expires_at=attempt.expires_at, attempt_id=attempt.id
        )

    async def authorization_prompt(self, ticket: str) -> AuthorizationPrompt | AuthorizationOutcome:
        """See `Actions`."""
        return (await self._parts()).consent.prompt(ticket)

    async def start_authorization(
        self, ticket: str, *, browser_secret: str | None = None
    ) -> str | AuthorizationOutcome:
        """See `Actions`; the address is Scalekit's magic link, made now because it is good for a moment only."""
        return await (await self._parts()).consent.start(ticket, browser_secret)

    async def complete_authorization(
        self, query: Mapping[str, str], *, browser_secrets: Sequence[str] = ()
    ) -> AuthorizationOutcome:
        """See `Actions`."""
        return await (await self._parts()).consent.complete(query, browser_secrets)

    async def cancel_held_authorization(
        self, ticket: str, *, browser_secret: str | None = None
    ) -> AuthorizationOutcome:
        """See `Actions`."""
        return (await self._parts()).consent.cancel(ticket, browser_secret)

    async def confirm_authorization(
        self, *, connection_name: str | None = None, identifier: str, confirmation_code: str
    ) -> ConnectedAccountResponse:
        """See `Actions`."""
        key = self._key(connection_name, identifier)
        parts = await self._parts()
        await parts.consent.confirm(key, confirmation_code)
        return self._response(parts, await parts.directory.known(key))

    async def verify_connected_account_user(self, *, auth_request_id: str, identifier: str) -> ConnectedAccountResponse:
        """See `Actions`."""
        key = self._key(None, identifier)
        if not 1 <= len(auth_request_id) <= 1000:
            raise InvalidInput("It has 1 to 1000 characters.", field="auth_request_id")
        parts = await self._parts()
        await parts.consent.verify(auth_request_id, identifier)
        live = parts.consent.attempts.live(key, self._clock.now())
        if live is not None:
            parts.consent.succeed(live)
        return self._response(parts, await parts.directory.known(key))

    async def complete_admin_consent(self, query: Mapping[str, str]) -> AuthorizationOutcome:
        """See `Actions`. The application is Scalekit's to register, so that nothing comes here."""
        from scalekit_mcp.actions.hosted_outcomes import no_admin_consent

        del query
        return no_admin_consent()

    async def wait_for_authorization(
        self, *, connection_name: str | None = None, identifier: str, timeout_seconds: float
    ) -> ConnectedAccountResponse:
        """See `Actions`; looks at the account every second."""
        key = self._key(connection_name, identifier)
        parts = await self._parts()
        began = self._clock.now()
        while True:
            response = self._response(parts, await parts.directory.known(key))
            left = timeout_seconds - (self._clock.now() - began).total_seconds()
            if response.connected_account.attempt_state not in _RUNNING or left <= 0:
                return response
            await self._clock.sleep(min(POLL_SECONDS, left))

    # -- tools

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
        """See `Actions`. The result and every error's details carry Scalekit's `execution_id`."""
        try:
            arguments = parse_arguments(tool_name, tool_input or {})
        except UnknownTool as error:
            raise InvalidInput(
                f"There is no tool '{tool_name[:100]}'.", field="tool_name", next_step="Use a name of the catalogue."
            ) from error
        del login_hint, expected_account  # as in `get_authorization_link`
        key = self._key(connection_name, identifier)
        if isinstance(arguments, Authorize):
            return ToolResult(
                await run_authorize(
                    self,
                    connection_name=key[0],
                    identifier=key[1],
                    reconnect=bool(arguments.reconnect),
                    confirmation_code=arguments.confirmation_code,
                    held_step=self._held_step,
                )
            )
        try:
            return await self._run(key, tool_name, arguments)
        except AuthorizationRequired as error:
            self._seen_active.pop(key, None)
            await self._add_link(key, error)
            raise
        except PermissionMissing as error:
            if error.who_acts == "user":
                await self._add_link(key, error)
            raise

    async def _run(self, key: Key, tool_name: str, arguments: Arguments) -> ToolResult:
        from scalekit_mcp.actions.hosted_params import check_supported
        from scalekit_mcp.actions.hosted_rest import ScalekitFailure

        notes = check_supported(arguments)
        await self._require_active(key)
        parts = await self._parts()
        session = parts.session(key, arguments)
        try:
            answer = await parts.run_tool(session, key, arguments, timezone=self._timezone)
        except ScalekitFailure as failure:
            raise await self._refusal(key, tool_name, failure, session) from failure
        except ScalekitMCPError as error:
            if session.execution_id is not None:
                error.details.setdefault("execution_id", session.execution_id)
            raise
        told = [*notes, *session.notes]
        if told:
            answer["warnings"] = [*answer.get("warnings", ()), *dict.fromkeys(told)]
        result = ToolResult(answer)
        result.execution_id = session.execution_id
        return result

    async def _require_active(self, key: Key) -> None:
        from scalekit_mcp.actions.hosted_accounts import not_active

        now = self._clock.now().timestamp()
        if now < self._seen_active.get(key, 0):
            return
        parts = await self._parts()
        view = self._view(parts, await parts.directory.get_or_create(key))
        if view.status != "ACTIVE":
            raise not_active(view)
        if len(self._seen_active) > 10_000:
            self._seen_active.clear()
        self._seen_active[key] = now + ACTIVE_SECONDS

    async def _refusal(
        self, key: Key, tool_name: str, failure: ScalekitFailure, session: HostedSession
    ) -> ScalekitMCPError:
        """Why Scalekit refused a call: most often the account is no longer ACTIVE, which its text does not say."""
        from scalekit_mcp.actions.hosted_accounts import not_active

        parts = await self._parts()
        if failure.status in _ACCOUNT_MAY_BE_WHY:
            self._seen_active.pop(key, None)
            view = self._view(parts, await parts.directory.get_or_create(key))
            if view.status != "ACTIVE":
                return not_active(view)
        if failure.status == 400:
            fields = (field.removeprefix("$") for field in failure.fields)  # a window's parameters bear OData's sign
            named = next((name for name in fields if name in TOOLS[tool_name].input_schema["properties"]), None)
            return InvalidInput(
                f"Scalekit refuses the arguments: {failure.message or 'it does not say why'}",
                field=named,
                execution_id=session.execution_id,
            )
        if failure.status == 404:
            return InternalError(
                f"Scalekit has no tool that {tool_name} needs: {failure.message or 'it does not say which'}",
                execution_id=session.execution_id,
            )
        return failure.as_error(f"run {tool_name}")

    async def _add_link(self, key: Key, error: AuthorizationRequired | PermissionMissing) -> None:
        """Put the way back into a refusal. While tokens are held there is none: a new link would void the code."""
        parts = await self._parts()
        view = self._view(parts, await parts.directory.get_or_create(key))
        if view.held:
            error.next_step = self._held_step
            return
        link = await self.get_authorization_link(connection_name=key[0], identifier=key[1])
        error.details["authorization_url"] = link.link
        if view.status == "PENDING":
            error.details["reason"] = self._view(parts, await parts.directory.known(key)).reason
