"""The embedded implementation of the seam: our own vault, the operator's Azure app, Microsoft Graph directly."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio

from scalekit_mcp.accounts import NOBODY_EXPECTED, ExpectedPerson
from scalekit_mcp.actions.authorize import Requester, add_guidance
from scalekit_mcp.actions.embedded.views import account_response, grant_view, listed_view, view_of
from scalekit_mcp.actions.execution import Run, add_link, execute, offer_link
from scalekit_mcp.actions.inputs import account_key, check_texts
from scalekit_mcp.actions.models import (
    AuthorizationLinkResponse,
    AuthorizationOutcome,
    AuthorizationPrompt,
    ConnectedAccountResponse,
    ConnectedAccountView,
    ListConnectedAccountsResponse,
    ToolResult,
)
from scalekit_mcp.actions.options import CallOptions
from scalekit_mcp.actions.protocol import ADMIN_CALLBACK_PATH, CALLBACK_PATH
from scalekit_mcp.actions.provider_call import ProviderCall, ProviderResponse
from scalekit_mcp.actions.waiting import wait_for_attempt
from scalekit_mcp.call_deadline import before_deadline
from scalekit_mcp.concurrency import OpenOnce
from scalekit_mcp.errors import AuthorizationRequired, ConnectedAccountNotFound, PermissionMissing
from scalekit_mcp.identifiers import check_identifier
from scalekit_mcp.settings import Settings
from scalekit_mcp.tools import Arguments, Carrier, ConnectorTools, present, resolve_zone

if TYPE_CHECKING:
    from scalekit_mcp.accounts import AccountKey, AccountServices, AuthorizationLink
    from scalekit_mcp.actions.embedded.wiring import EmbeddedServices
    from scalekit_mcp.telemetry import Metrics

POLL_SECONDS = 0.25
"""How often a waiting call looks at the account."""


class EmbeddedActions:
    """`Actions` on our own vault. Cheap to make: the vault, the HTTP client and their libraries wait for a first call.

    `resolve` gives the settings that the services are made of (the sandbox starts in it).
    """

    def __init__(
        self,
        settings: Settings,
        options: CallOptions,
        *,
        resolve: Callable[[], Awaitable[Settings]] | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self._settings = settings
        self._options = options
        self._resolve = resolve
        self._metrics = metrics
        self._opened = OpenOnce(self._open)

    async def aclose(self) -> None:
        """Close the vault and the HTTP client, if they were ever opened."""
        opened = self._opened.take()
        if opened is not None:
            await opened.aclose()

    async def check(self) -> None:
        await (await self._connected()).vault.check()

    async def prepare(self) -> None:
        await anyio.to_thread.run_sync(_load_services)
        await (await self._connected()).vault.open()

    async def services(self) -> EmbeddedServices:
        """What the calls are made of, built on first use."""
        return await self._opened.get()

    async def _connected(self) -> AccountServices:
        return (await self.services()).connected

    async def _open(self) -> EmbeddedServices:
        settings = await self._resolve() if self._resolve else self._settings
        services = _load_services()(
            settings,
            clock=self._options.clock,
            timezone=self._options.timezone,
            user_verification=self._options.user_verification,
            metrics=self._metrics,
        )
        services.start()
        return services

    def _key(self, connection_name: str | None, identifier: str) -> AccountKey:
        return account_key(connection_name, identifier, connections=(self._options.connection_name,), hosted=False)

    async def get_or_create_connected_account(
        self, *, connection_name: str | None = None, identifier: str
    ) -> ConnectedAccountResponse:
        key = self._key(connection_name, identifier)
        return account_response(await (await self._connected()).accounts.get_or_create(key))

    async def get_connected_account(
        self, *, connection_name: str | None = None, identifier: str
    ) -> ConnectedAccountResponse:
        key = self._key(connection_name, identifier)
        services = await self.services()
        view = await services.connected.accounts.get(key)
        grants = await services.remote.grants.of_account(view.account.id)
        return ConnectedAccountResponse(view_of(view), tuple(map(grant_view, grants)))

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
        check_texts(
            connection_name=connection_name, identifier=identifier, page_token=page_token, account_id=account_id
        )
        page = await (await self._connected()).accounts.list(
            connection_name=connection_name,
            identifier=identifier,
            status=status,
            page_size=page_size,
            page_token=page_token,
            account_id=account_id,
        )
        return ListConnectedAccountsResponse(
            connected_accounts=tuple(listed_view(account) for account in page.accounts),
            total_size=page.total_size,
            next_page_token=page.next_page_token,
        )

    async def disconnect(self, *, connection_name: str | None = None, identifier: str) -> ConnectedAccountResponse:
        key = self._key(connection_name, identifier)
        return account_response(await (await self._connected()).accounts.disconnect(key))

    async def delete_connected_account(self, *, connection_name: str | None = None, identifier: str) -> None:
        key = self._key(connection_name, identifier)
        await (await self._connected()).accounts.delete(key)

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
        check_texts(state=state, user_verify_url=user_verify_url, login_hint=expected.login_hint)
        link = await self._begin(
            self._key(connection_name, identifier),
            reconnect=reconnect,
            state=state,
            user_verify_url=user_verify_url,
            expected=expected,
        )
        return AuthorizationLinkResponse(
            link=link.link,
            expires_at=link.expires_at,
            admin_consent_url=link.admin_consent_url,
            attempt_id=link.attempt_id,
        )

    async def _begin(self, key: AccountKey, **options: Any) -> AuthorizationLink:
        from scalekit_mcp.accounts import LinkRequest

        services = await self.services()
        base = await self._options.link_base()
        request = LinkRequest(
            link_base=base,
            redirect_uri=base + CALLBACK_PATH,
            admin_redirect_uri=base + ADMIN_CALLBACK_PATH,
            **options,
        )
        return await services.connected.authorizations.begin(key, request)

    async def authorization_prompt(self, ticket: str) -> AuthorizationPrompt | AuthorizationOutcome:
        return await (await self._connected()).authorizations.prompt(ticket)

    async def start_authorization(
        self, ticket: str, *, browser_secret: str | None = None
    ) -> str | AuthorizationOutcome:
        return await (await self._connected()).authorizations.start(ticket, browser_secret=browser_secret)

    async def complete_authorization(
        self, query: Mapping[str, str], *, browser_secrets: Sequence[str] = ()
    ) -> AuthorizationOutcome:
        return await (await self._connected()).authorizations.complete(query, browser_secrets=browser_secrets)

    async def cancel_held_authorization(
        self, ticket: str, *, browser_secret: str | None = None
    ) -> AuthorizationOutcome:
        return await (await self._connected()).authorizations.cancel(ticket, browser_secret=browser_secret)

    async def confirm_authorization(
        self, *, connection_name: str | None = None, identifier: str, confirmation_code: str
    ) -> ConnectedAccountResponse:
        key = self._key(connection_name, identifier)
        return account_response(await (await self._connected()).authorizations.confirm(key, confirmation_code))

    async def verify_connected_account_user(self, *, auth_request_id: str, identifier: str) -> ConnectedAccountResponse:
        check_identifier(identifier)
        check_texts(auth_request_id=auth_request_id)
        return account_response(await (await self._connected()).authorizations.verify_user(auth_request_id, identifier))

    async def complete_admin_consent(self, query: Mapping[str, str]) -> AuthorizationOutcome:
        return await (await self._connected()).authorizations.complete_admin_consent(query)

    async def wait_for_authorization(
        self, *, connection_name: str | None = None, identifier: str, timeout_seconds: float
    ) -> ConnectedAccountResponse:
        key = self._key(connection_name, identifier)
        accounts = (await self._connected()).accounts

        async def read() -> ConnectedAccountView:
            return view_of(await accounts.get(key))

        return await wait_for_attempt(
            read,
            clock=self._options.clock,
            timeout_seconds=timeout_seconds,
            poll_seconds=POLL_SECONDS,
            verification=self._options.user_verification,
        )

    async def connector_tools(self, *, identifier: str, connection_name: str | None = None) -> ConnectorTools:
        self._key(connection_name, identifier)
        return ConnectorTools()

    @property
    def carrier(self) -> Carrier:
        return Carrier.GRAPH

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
        call.own_path()  # a path that is refused is refused before anything else
        key = self._key(connection_name, identifier)
        requester = Requester(identifier, verification=self._options.user_verification)

        async def send() -> ProviderResponse:
            services = await self.services()
            try:
                return await services.pass_on(key, call)
            except AuthorizationRequired as error:
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
        def begin() -> tuple[Requester, Run]:
            key = self._key(connection_name, identifier)
            requester = Requester(identifier, verification=self._options.user_verification, expected=expected)
            return requester, partial(self._run_tool, key, requester)

        return await execute(self, tool_name, tool_input, begin, self._options)

    async def _run_tool(self, key: AccountKey, requester: Requester, arguments: Arguments) -> ToolResult:
        services = await self.services()
        tool_name = arguments.tool_name
        try:
            try:
                answer = await services.run_tool(key, tool_name, arguments)
            except ConnectedAccountNotFound:
                # The first call of a new user: the account comes to be, and says what it needs.
                await services.connected.accounts.get_or_create(key)
                answer = await services.run_tool(key, tool_name, arguments)
        except AuthorizationRequired as error:
            await add_guidance(self, error, requester)
            raise
        except PermissionMissing as error:
            missing = error.details.get("missing_scopes")
            if error.claims is not None:
                await services.connected.accounts.note_challenge(key, claims=error.claims)
            if missing or error.claims is not None:
                await add_link(self, error, requester, self._link_for(key, requester, tuple(missing or ())))
            raise
        result = ToolResult(answer.result)
        if answer.further_scopes:
            await offer_link(result, self._link_for(key, requester, answer.further_scopes))
        return result

    def _link_for(self, key: AccountKey, requester: Requester, scopes: tuple[str, ...]) -> Callable[[], Awaitable[str]]:
        """Begins an authorization that asks for these scopes besides those granted; none: the connection's."""

        async def begin() -> str:
            return (await self._begin(key, expected=requester.expected, scopes=scopes or None)).link

        return begin


def _load_services() -> Callable[..., EmbeddedServices]:
    """Import what the services are made of: a tenth of a second the first time."""
    from scalekit_mcp.actions.embedded.wiring import embedded_services

    return embedded_services
