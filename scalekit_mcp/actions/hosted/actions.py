"""The hosted implementation of the seam: Scalekit keeps the tokens, our vault the authorizations in progress."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import anyio

from scalekit_mcp.accounts import NOBODY_EXPECTED, ExpectedPerson
from scalekit_mcp.actions.authorize import Requester, add_guidance
from scalekit_mcp.actions.hosted.call_ways import CallWays
from scalekit_mcp.actions.hosted.execution import HostedExecution, hosted_key
from scalekit_mcp.actions.inputs import check_texts
from scalekit_mcp.actions.models import (
    AuthorizationLinkResponse,
    AuthorizationOutcome,
    AuthorizationPrompt,
    ConnectedAccountResponse,
    ConnectedAccountView,
    ListConnectedAccountsResponse,
    OutcomeKind,
    ToolResult,
)
from scalekit_mcp.actions.options import CallOptions
from scalekit_mcp.actions.protocol import CALLBACK_PATH
from scalekit_mcp.actions.provider_call import ProviderCall, ProviderResponse
from scalekit_mcp.actions.waiting import wait_for_attempt
from scalekit_mcp.call_deadline import before_deadline
from scalekit_mcp.concurrency import OpenOnce
from scalekit_mcp.errors import AuthorizationRequired, InvalidInput, NotOffered
from scalekit_mcp.languages import said
from scalekit_mcp.scalekit import ScalekitEnvironment
from scalekit_mcp.settings import HostedCalls
from scalekit_mcp.tools import Arguments, Carrier, ConnectorTools, present, resolve_zone

if TYPE_CHECKING:
    import httpx2 as httpx

    from scalekit_mcp.accounts import AccountKey, Vault
    from scalekit_mcp.actions.hosted.wiring import HostedServices

POLL_SECONDS = 1.0


class HostedActions:
    """`Actions` on Scalekit's REST API. Cheap to make: libraries and the HTTP client wait for a first call.

    `environment` may be a function that finds it on first use (the sandbox starts in it). `http` is closed by whoever
    made it; without one a client is made and closed by `aclose`. `open_vault` gives the vault of the attempts, whose
    keys seal page tokens too; without one it is in memory. Except with user verification `off`, the environment has to
    hold tokens back until a verification ("User Verification" in the Scalekit dashboard). `calls` says which way calls
    to Microsoft take: over Scalekit's proxy, by its tools, or (`auto`) the proxy where Scalekit enables it.
    """

    def __init__(
        self,
        environment: ScalekitEnvironment | Callable[[], Awaitable[ScalekitEnvironment]],
        options: CallOptions,
        *,
        http: httpx.AsyncClient | None = None,
        open_vault: Callable[[], Vault] | None = None,
        scopes: Sequence[str] = (),
        calls: HostedCalls = "auto",
    ) -> None:
        self._environment = environment
        self._options = options
        self._http = http
        self._open_vault = open_vault
        self._scopes = tuple(scopes)
        self._ways = CallWays(calls)
        self._opened = OpenOnce(self._open)
        self._execution = HostedExecution(self, options, self._services)

    async def aclose(self) -> None:
        """Close the vault, and the HTTP client if this object made one."""
        opened = self._opened.take()
        if opened is not None:
            await opened.aclose()

    async def check(self) -> None:
        """See `Actions`: whether Scalekit answers, and whether the vault of the attempts can be written and read."""
        services = await self._services()
        await services.connections.accounts_of(self._options.connection_name).page(size=1)
        await services.vault.check()

    async def prepare(self) -> None:
        await anyio.to_thread.run_sync(_load_services)
        await (await self._services()).vault.open()

    async def _services(self) -> HostedServices:
        return await self._opened.get()

    async def _open(self) -> HostedServices:
        found = self._environment
        environment = found if isinstance(found, ScalekitEnvironment) else await found()
        return _load_services()(
            environment,
            self._options,
            http=self._http,
            vault=self._open_vault() if self._open_vault else None,
            scopes=self._scopes,
            ways=self._ways,
        )

    def _key(self, connection_name: str | None, identifier: str) -> AccountKey:
        return hosted_key(self._options, connection_name, identifier)

    # -- accounts

    async def get_or_create_connected_account(
        self, *, connection_name: str | None = None, identifier: str
    ) -> ConnectedAccountResponse:
        key = self._key(connection_name, identifier)
        services = await self._services()
        connection = services.of(key)
        return ConnectedAccountResponse(await connection.views.view(await connection.accounts.get_or_create(key)))

    async def get_connected_account(
        self, *, connection_name: str | None = None, identifier: str
    ) -> ConnectedAccountResponse:
        key = self._key(connection_name, identifier)
        services = await self._services()
        return ConnectedAccountResponse(await services.of(key).view(key))

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
        if connection_name is not None:
            self._key(connection_name, identifier or "any")
        check_texts(identifier=identifier, page_token=page_token, account_id=account_id)
        services = await self._services()
        accounts_of = services.connections.accounts_of(connection_name)
        if account_id is not None:
            one = await accounts_of.by_id(account_id)
            found = [one] if one is not None and identifier in (None, one.identifier) else []
            views = tuple(view for view in await services.connections.views(found) if status in (None, view.status))
            return ListConnectedAccountsResponse(connected_accounts=views, total_size=len(views))
        accounts, total, following = await accounts_of.page(
            identifier=identifier, status=status, size=page_size, token=page_token
        )
        return ListConnectedAccountsResponse(
            connected_accounts=await services.connections.views(accounts),
            total_size=total,
            next_page_token=following,
        )

    async def disconnect(self, *, connection_name: str | None = None, identifier: str) -> ConnectedAccountResponse:
        """See `Actions`. Scalekit offers the call to some API clients only; elsewhere `delete` is what is left."""
        key = self._key(connection_name, identifier)
        services = await self._services()
        services.forget(key)
        connection = services.of(key)
        account = await connection.accounts.disconnect(key)
        await services.records.delete(connection.views.vault_key(key))
        return ConnectedAccountResponse(await connection.views.view(account))

    async def delete_connected_account(self, *, connection_name: str | None = None, identifier: str) -> None:
        key = self._key(connection_name, identifier)
        services = await self._services()
        services.forget(key)
        connection = services.of(key)
        await connection.accounts.delete(key)
        await services.records.delete(connection.views.vault_key(key))

    # -- consent

    async def get_authorization_link(
        self,
        *,
        connection_name: str | None = None,
        identifier: str,
        reconnect: bool = False,
        state: str | None = None,
        user_verify_url: str | None = None,
        expected: ExpectedPerson = NOBODY_EXPECTED,
    ) -> AuthorizationLinkResponse:
        """See `Actions`. What the caller vouches for has no effect: Scalekit does not tell which mailbox consented."""
        from scalekit_mcp.accounts import LinkRequest

        del expected
        check_texts(state=state, user_verify_url=user_verify_url)
        key = self._key(connection_name, identifier)
        services = await self._services()
        connection = services.of(key)
        account = await connection.accounts.get_or_create(key)
        view = await connection.views.view(account)
        base = await self._options.link_base()
        request = LinkRequest(
            link_base=base,
            redirect_uri=base + CALLBACK_PATH,
            reconnect=reconnect,
            state=state,
            user_verify_url=user_verify_url,
            status_before=account.status,
        )
        try:
            link = await services.authorizations.begin(connection.views.vault_key(key), request)
        except AuthorizationRequired as error:
            error.details["status"] = view.status
            raise
        return AuthorizationLinkResponse(link=link.link, expires_at=link.expires_at, attempt_id=link.attempt_id)

    async def authorization_prompt(self, ticket: str) -> AuthorizationPrompt | AuthorizationOutcome:
        services = await self._services()
        return services.connections.named(await services.authorizations.prompt(ticket))

    async def start_authorization(
        self, ticket: str, *, browser_secret: str | None = None
    ) -> str | AuthorizationOutcome:
        """See `Actions`; the address is Scalekit's magic link, made now because it is good for a moment only."""
        services = await self._services()
        started = await services.authorizations.start(ticket, browser_secret)
        return started if isinstance(started, str) else services.connections.named(started)

    async def complete_authorization(
        self, query: Mapping[str, str], *, browser_secrets: Sequence[str] = ()
    ) -> AuthorizationOutcome:
        services = await self._services()
        return services.connections.named(await services.authorizations.complete(query, browser_secrets))

    async def cancel_held_authorization(
        self, ticket: str, *, browser_secret: str | None = None
    ) -> AuthorizationOutcome:
        services = await self._services()
        return services.connections.named(await services.authorizations.cancel(ticket, browser_secret))

    async def confirm_authorization(
        self, *, connection_name: str | None = None, identifier: str, confirmation_code: str
    ) -> ConnectedAccountResponse:
        key = self._key(connection_name, identifier)
        services = await self._services()
        await services.authorizations.confirm(services.of(key).views.vault_key(key), confirmation_code)
        return ConnectedAccountResponse(await services.of(key).view(key))

    async def verify_connected_account_user(self, *, auth_request_id: str, identifier: str) -> ConnectedAccountResponse:
        self._key(None, identifier)
        check_texts(auth_request_id=auth_request_id)
        if not 1 <= len(auth_request_id) <= 1000:
            raise InvalidInput("It has 1 to 1000 characters.", field="auth_request_id")
        services = await self._services()
        await services.connections.verify(auth_request_id, identifier)
        return ConnectedAccountResponse(await services.connections.verified(identifier))

    async def complete_admin_consent(self, query: Mapping[str, str]) -> AuthorizationOutcome:
        """See `Actions`. The application is Scalekit's to register, so that nothing comes here."""
        del query
        return AuthorizationOutcome(
            OutcomeKind.LINK_UNKNOWN,
            said("admin.elsewhere_title"),
            said("admin.elsewhere"),
            said("admin.elsewhere_next"),
        )

    async def wait_for_authorization(
        self, *, connection_name: str | None = None, identifier: str, timeout_seconds: float
    ) -> ConnectedAccountResponse:
        """See `Actions`; looks at the account every second."""
        key = self._key(connection_name, identifier)
        services = await self._services()

        async def read() -> ConnectedAccountView:
            return await services.of(key).view(key)

        return await wait_for_attempt(
            read,
            clock=self._options.clock,
            timeout_seconds=timeout_seconds,
            poll_seconds=POLL_SECONDS,
            verification=self._options.user_verification,
        )

    # -- tools

    @property
    def carrier(self) -> Carrier:
        """See `Actions`; with `auto` everything, until Scalekit says that its proxy is off."""
        return Carrier.GRAPH if self._ways.over_proxy else Carrier.HOSTED_TOOLS

    def present(self) -> dict[str, str]:
        return present(self._options.clock.now(), resolve_zone(self._options.timezone))

    async def request(
        self,
        call: ProviderCall,
        *,
        connection_name: str | None = None,
        identifier: str,
        timeout_seconds: float = 30.0,
    ) -> ProviderResponse:
        path = "/v1.0" + call.own_path()  # a path that is refused is refused before anything else
        key = self._key(connection_name, identifier)
        if key.connection_name != self._options.connection_name:
            raise NotOffered(
                f"Calls of your own go to Microsoft, over the connection '{self._options.connection_name}' alone.",
                instead=f"run a tool of '{key.connection_name}'",
            )
        if not self._ways.over_proxy:
            raise NotOffered(
                "Calls of your own to Microsoft go through Scalekit's proxy, which is not used here.",
                instead="set SCALEKIT_MCP_HOSTED_CALLS=proxy where Scalekit enables its proxy",
            )
        requester = Requester(identifier, verification=self._options.user_verification)

        async def send() -> ProviderResponse:
            services = await self._services()
            try:
                return await services.passed.send(key, path, call)
            except AuthorizationRequired as error:
                services.tools.forget(key)
                await add_guidance(self, error, requester)
                raise

        seconds = min(timeout_seconds, self._options.call_seconds)
        return await before_deadline(send, clock=self._options.clock, seconds=seconds)

    async def execute_tool(
        self,
        *,
        identifier: str,
        tool_name: str,
        tool_input: Mapping[str, Any] | Arguments | None = None,
        connection_name: str | None = None,
        expected: ExpectedPerson = NOBODY_EXPECTED,
    ) -> ToolResult:
        """See `Actions`. By Scalekit's tools, the result and every error's details carry its `execution_id`."""
        return await self._execution.execute_tool(
            tool_name, tool_input, identifier=identifier, connection_name=connection_name, expected=expected
        )

    async def connector_tools(self, *, identifier: str, connection_name: str | None = None) -> ConnectorTools:
        return await self._execution.connector_tools(identifier, connection_name)


def _load_services() -> Callable[..., HostedServices]:
    """Import what the services are made of: a tenth of a second the first time."""
    from scalekit_mcp.actions.hosted.wiring import hosted_services

    return hosted_services
