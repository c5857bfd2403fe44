"""`client.actions`: the calls of `Actions` for synchronous code, under the names of Scalekit's own SDK."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

from scalekit_mcp.actions import (
    AccountSelector,
    Actions,
    AuthorizationLinkResponse,
    ConnectedAccountResponse,
    ListConnectedAccountsResponse,
    Page,
    ProviderCall,
    ProviderResponse,
    ScopedTool,
    SelectedAccount,
    ToolFilter,
    ToolResult,
    VerifiedUserResponse,
    check_narrowing,
    check_no_credentials,
    connections_of,
    create_account,
    listed_connection,
    page_of,
    request_body,
)
from scalekit_mcp.client_core import Core
from scalekit_mcp.sdk.modifiers import Function, Modifier, Modifiers, ModifierType
from scalekit_mcp.sdk.refusals import refused_name
from scalekit_mcp.sdk.tool_calls import ToolCalls
from scalekit_mcp.sdk.tool_runs import ToolInput, ToolRuns, call_selected
from scalekit_mcp.sdk.tools_response import ListToolsResponse
from scalekit_mcp.tools import Carrier, ConnectorTools

if TYPE_CHECKING:
    from scalekit_mcp.sdk.langchain_tools import LangChain

T = TypeVar("T")
F = TypeVar("F", bound=Function)

MAX_REQUEST_SECONDS = 60.0


class SynchronousActions:
    """The calls of `scalekit_mcp.actions.Actions`, each waiting for its answer.

    Parameters stand in the order of Scalekit's SDK. `connection_name` left out is the connection of the settings;
    `identifier` is your own string for a user, 1 to 100 characters without control characters. Where the SDK takes
    `connected_account_id`, it stands for both. `organization_id` and `user_id` are refused unless the latter is the
    identifier. Every call raises `ScalekitMCPError`, on purpose nothing else; a wrong argument is `InvalidInput`, and
    its `field` names it; what Scalekit's SDK has and this has not is `NotOffered`.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._modifiers = Modifiers()
        self._runs = ToolRuns(core, self._modifiers)

    if not TYPE_CHECKING:  # so that a type checker still finds names that are misspelt

        def __getattr__(self, name: str) -> Any:
            """A name that is refused, or `mcp`, `google` and `providers`, whose names are."""
            if name.startswith("_"):
                raise AttributeError(name)
            return refused_name(f"actions.{name}")

    # -- accounts

    def get_or_create_connected_account(
        self,
        connection_name: str | None = None,
        identifier: str | None = None,
        authorization_details: Mapping[str, Any] | None = None,
        organization_id: str | None = None,
        user_id: str | None = None,
        api_config: Mapping[str, Any] | None = None,
    ) -> ConnectedAccountResponse:
        """The account of `identifier`, created as PENDING if there is none; `response.connected_account.status`.

        Idempotent, also when several threads or processes call at once.
        """
        check_no_credentials(authorization_details=authorization_details, api_config=api_config)

        async def use(actions: Actions, account: SelectedAccount) -> ConnectedAccountResponse:
            return await actions.get_or_create_connected_account(
                connection_name=account.connection_name, identifier=account.identifier
            )

        return self._selected(_selector(connection_name, identifier, organization_id, user_id), use)

    upsert_connected_account = get_or_create_connected_account

    def create_connected_account(
        self,
        connection_name: str | None = None,
        identifier: str | None = None,
        authorization_details: Mapping[str, Any] | None = None,
        organization_id: str | None = None,
        user_id: str | None = None,
        api_config: Mapping[str, Any] | None = None,
    ) -> ConnectedAccountResponse:
        """A new account, PENDING; raises `ConnectedAccountExists` where there is one."""
        check_no_credentials(authorization_details=authorization_details, api_config=api_config)

        async def use(actions: Actions, account: SelectedAccount) -> ConnectedAccountResponse:
            return ConnectedAccountResponse(await create_account(actions, account))

        return self._selected(_selector(connection_name, identifier, organization_id, user_id), use)

    def update_connected_account(
        self,
        connection_name: str | None = None,
        identifier: str | None = None,
        authorization_details: Mapping[str, Any] | None = None,
        organization_id: str | None = None,
        user_id: str | None = None,
        connected_account_id: str | None = None,
        api_config: Mapping[str, Any] | None = None,
    ) -> ConnectedAccountResponse:
        """The account as it is; what Scalekit's SDK could change of it is not taken here."""
        check_no_credentials(authorization_details=authorization_details, api_config=api_config)
        return self.get_connected_account(
            connection_name, identifier, connected_account_id, organization_id=organization_id, user_id=user_id
        )

    def get_connected_account(
        self,
        connection_name: str | None = None,
        identifier: str | None = None,
        connected_account_id: str | None = None,
        *,
        organization_id: str | None = None,
        user_id: str | None = None,
    ) -> ConnectedAccountResponse:
        """The account; raises `ConnectedAccountNotFound`. Never holds a token."""

        async def use(actions: Actions, account: SelectedAccount) -> ConnectedAccountResponse:
            return await actions.get_connected_account(
                connection_name=account.connection_name, identifier=account.identifier
            )

        selector = _selector(connection_name, identifier, organization_id, user_id, connected_account_id)
        return self._selected(selector, use)

    get_connected_account_details = get_connected_account

    def list_connected_accounts(
        self,
        connection_name: str | None = None,
        identifier: str | None = None,
        provider: str | None = None,
        connection_names: Sequence[str] | None = None,
        page_size: int | None = None,
        page_token: str | None = None,
        *,
        status: str | None = None,
        organization_id: str | None = None,
        user_id: str | None = None,
    ) -> ListConnectedAccountsResponse:
        """One page of accounts (50), in the order of their identifiers; hand `next_page_token` back for the next.

        None where no connection of the settings is of this `provider`, or stands in `connection_names`.
        """
        check_narrowing(identifier, organization_id=organization_id, user_id=user_id)
        names = [*(connection_names or ()), *([connection_name] if connection_name and provider else [])]
        try:
            named = listed_connection(connections_of(self._core.settings), names=names, provider=provider)
        except LookupError:
            return ListConnectedAccountsResponse((), 0)
        return self._core.call(
            lambda actions: actions.list_connected_accounts(
                connection_name=connection_name or named,
                identifier=identifier,
                status=status,
                page_size=50 if page_size is None else page_size,
                page_token=page_token,
            )
        )

    def get_authorization_link(
        self,
        identifier: str | None = None,
        connection_name: str | None = None,
        connected_account_id: str | None = None,
        state: str | None = None,
        user_verify_url: str | None = None,
        *,
        reconnect: bool = False,
        organization_id: str | None = None,
        user_id: str | None = None,
    ) -> AuthorizationLinkResponse:
        """The link that the user opens to consent: `link.link`, and `link.expires_at` (`link.expiry`), aware, in UTC.

        While an attempt is alive its link is returned again; only `reconnect=True` makes a new one. `state` and
        `user_verify_url` are for verification at your own page: the browser comes back there with both
        `auth_request_id` and this `state`.
        """

        async def use(actions: Actions, account: SelectedAccount) -> AuthorizationLinkResponse:
            return await actions.get_authorization_link(
                connection_name=account.connection_name,
                identifier=account.identifier,
                state=state,
                user_verify_url=user_verify_url,
                reconnect=reconnect,
            )

        selector = _selector(connection_name, identifier, organization_id, user_id, connected_account_id)
        return self._selected(selector, use)

    def wait_for_authorization(
        self, identifier: str = "", connection_name: str | None = None, *, timeout_seconds: float = 300.0
    ) -> ConnectedAccountResponse:
        """Wait until the user has finished consenting or `timeout_seconds` are over; the account as it then is."""
        return self._core.call(
            lambda actions: actions.wait_for_authorization(
                connection_name=connection_name, identifier=identifier, timeout_seconds=timeout_seconds
            )
        )

    def verify_connected_account_user(self, auth_request_id: str, identifier: str) -> VerifiedUserResponse:
        """Confirm that `identifier`, taken from your own session, is the person who consented.

        `auth_request_id` is what the browser brought to your `user_verify_url`; raises `InvalidInput` for another
        user's, an unknown or an expired one.
        """
        found = self._core.call(
            lambda actions: actions.verify_connected_account_user(
                auth_request_id=auth_request_id, identifier=identifier
            )
        )
        return VerifiedUserResponse(found.connected_account, found.grants)

    def confirm_authorization(
        self, confirmation_code: str, identifier: str = "", connection_name: str | None = None
    ) -> ConnectedAccountResponse:
        """Redeem the code that the consent page showed to the user; raises `InvalidInput`."""
        return self._core.call(
            lambda actions: actions.confirm_authorization(
                connection_name=connection_name, identifier=identifier, confirmation_code=confirmation_code
            )
        )

    def disconnect(self, connection_name: str | None = None, identifier: str = "") -> ConnectedAccountResponse:
        """Forget the tokens and keep the record, as REVOKED with the reason `disconnected`."""
        return self._core.call(
            lambda actions: actions.disconnect(connection_name=connection_name, identifier=identifier)
        )

    def delete_connected_account(
        self,
        connection_name: str | None = None,
        identifier: str | None = None,
        connected_account_id: str | None = None,
        *,
        organization_id: str | None = None,
        user_id: str | None = None,
    ) -> None:
        """Remove the record and its tokens for good; no error if there is none, but for an id that is not known."""

        async def use(actions: Actions, account: SelectedAccount) -> None:
            await actions.delete_connected_account(
                connection_name=account.connection_name, identifier=account.identifier
            )

        selector = _selector(connection_name, identifier, organization_id, user_id, connected_account_id)
        return self._selected(selector, use)

    # -- tools

    def connector_tools(self, identifier: str = "", connection_name: str | None = None) -> ConnectorTools:
        """The tools that Scalekit runs for `identifier` on the connections beside the calendar's, or on one of them.

        What could not be read is in `failures`; nothing is raised for it. There are none in embedded mode.
        """
        return self._core.call(
            lambda actions: actions.connector_tools(connection_name=connection_name, identifier=identifier)
        )

    def execute_tool(
        self,
        tool_input: ToolInput = None,
        tool_name: str = "",
        identifier: str | None = None,
        tool_request: object = None,
        connected_account_id: str | None = None,
        connection_name: str | None = None,
        *,
        organization_id: str | None = None,
        user_id: str | None = None,
    ) -> ToolResult:
        """Run one tool; the answer is the Graph-shaped dictionary itself, and the same under `.data`.

        `tool_request` is not read, as in Scalekit's SDK. Raises `AuthorizationRequired` when the account is not ACTIVE,
        with the link for the user in `details["authorization_url"]`, and the other classes of `scalekit_mcp.errors`.
        """
        del tool_request
        selector = _selector(connection_name, identifier, organization_id, user_id, connected_account_id)
        return self._runs.execute(selector, tool_name, tool_input)

    def execute_tool_soon(
        self,
        tool_input: ToolInput = None,
        tool_name: str = "",
        identifier: str = "",
        *,
        connection_name: str | None = None,
    ) -> Future[ToolResult]:
        """As `execute_tool`, without waiting: a future that asynchronous code can await by `asyncio.wrap_future`.

        Cancelling the future cancels the call. Functions of `post_modifier` run in a thread of their own.
        """
        return self._runs.execute_soon(SelectedAccount(connection_name, identifier), tool_name, tool_input)

    def list_tools(
        self,
        connection_name: str | None = None,
        identifier: str | None = None,
        provider: str | None = None,
        tool_name: Sequence[str] | str | None = None,
        query: str | None = None,
        organization_id: str | None = None,
        user_id: str | None = None,
        connected_account_id: str | None = None,
        summary: bool | None = None,
        page_size: int | None = None,
        page_token: str | None = None,
    ) -> ListToolsResponse:
        """The tools that `execute_tool` runs; all of them where `page_size` is left out.

        `query` is words that all stand in a tool's name, title or description; `summary` asks for `tool_names` alone.
        With `identifier` or `connected_account_id`, none where that account does not exist.
        """
        check_narrowing(identifier, organization_id=organization_id, user_id=user_id)
        wanted = ToolFilter(
            providers=[provider] if provider else (),
            tool_names=[tool_name] if isinstance(tool_name, str) else tool_name or (),
            connection_names=[connection_name] if connection_name else (),
            query=query,
        )
        selector = None
        if identifier or connected_account_id:
            selector = AccountSelector(identifier=identifier, account_id=connected_account_id)
        tools = self._runs.listed(wanted, selector)
        return ListToolsResponse.of(
            page_of(tools, page_size=page_size, page_token=page_token), names_only=bool(summary)
        )

    def list_scoped_tools(
        self, identifier: str, wanted: ToolFilter, *, page_size: int | None = None, page_token: str | None = None
    ) -> Page[ScopedTool]:
        """The tools of the accounts that `identifier` has."""
        return page_of(self._runs.scoped(identifier, wanted), page_size=page_size, page_token=page_token)

    @property
    def carrier(self) -> Carrier:
        """What carries out calls now, which decides over the tools and parameters that models are offered."""
        return self._runs.carrier

    # -- the provider's own API

    def request(
        self,
        connection_name: str | None,
        identifier: str,
        path: str,
        method: str = "GET",
        query_params: Mapping[str, Any] | None = None,
        body: Any = None,
        form_data: Mapping[str, Any] | None = None,
        raw_body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        timeout: float = 30.0,
        organization_id: str | None = None,
        user_id: str | None = None,
    ) -> ProviderResponse:
        """Call Microsoft Graph below `/me` (or `/v1.0/me`) as this user; the answer whatever its status.

        It is sent once. `body` goes as JSON, `raw_body` as it is and before both others. No answer holds a token.
        `timeout` is seconds, at most 60. Raises `AuthorizationRequired` as `execute_tool` does, `InvalidInput` for a
        path, method or header that is not passed on, and `OutcomeUnknown` for a change whose answer was lost.
        """
        content, kind = request_body(body, form_data, raw_body)
        call = ProviderCall.of(path, method, query=query_params, content=content, headers={**kind, **(headers or {})})

        async def use(actions: Actions, account: SelectedAccount) -> ProviderResponse:
            return await actions.request(
                call,
                connection_name=account.connection_name,
                identifier=account.identifier,
                timeout_seconds=min(timeout, MAX_REQUEST_SECONDS),
            )

        return self._selected(_selector(connection_name, identifier, organization_id, user_id), use)

    # -- modifiers

    def add_modifier(self, modifier: Modifier) -> None:
        """Add a modifier; those of one tool run in the order in which they were added."""
        self._modifiers.add(modifier)

    def get_modifiers(self, tool_name: str | None = None, modifier_type: ModifierType | None = None) -> list[Modifier]:
        """The modifiers of a tool and of a kind; None means any."""
        return self._modifiers.found(tool_name, modifier_type)

    def pre_modifier(self, tool_names: str | Sequence[str]) -> Callable[[F], F]:
        """A decorator: the function is given the input of these tools, and returns what takes its place."""
        return self._modifiers.decorator(tool_names, "pre")

    def post_modifier(self, tool_names: str | Sequence[str]) -> Callable[[F], F]:
        """A decorator: the function is given the answer of these tools, and returns what takes its place."""
        return self._modifiers.decorator(tool_names, "post")

    # -- frameworks

    @property
    def further_connections(self) -> tuple[str, ...]:
        """The connections beside the calendar's, whose tools Scalekit runs."""
        return self._core.settings.further_connections

    @property
    def langchain(self) -> LangChain:
        """`langchain.get_tools(identifier, ...)`; needs the extra `langchain`, else raises `ModuleNotFoundError`."""
        from scalekit_mcp.sdk.langchain_tools import LangChain

        return LangChain(self.tool_calls, self._core.settings.connection)

    @property
    def tool_calls(self) -> ToolCalls:
        """How an agent framework reaches the tools."""
        return self._runs.calls

    def _selected(self, selector: AccountSelector, use: Callable[[Actions, SelectedAccount], Awaitable[T]]) -> T:
        return call_selected(self._core, selector, use)


def _selector(
    connection_name: str | None,
    identifier: str | None,
    organization_id: str | None,
    user_id: str | None,
    account_id: str | None = None,
) -> AccountSelector:
    return AccountSelector(
        connection_name=connection_name,
        identifier=identifier,
        account_id=account_id,
        organization_id=organization_id,
        user_id=user_id,
    )
