"""`client.actions`: the calls of `Actions` for synchronous code, under the names of Scalekit's own SDK."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from typing import Any

from scalekit_mcp.actions import (
    Actions,
    AuthorizationLinkResponse,
    ConnectedAccountResponse,
    ListConnectedAccountsResponse,
    ToolResult,
)
from scalekit_mcp.client_core import Core
from scalekit_mcp.tools import Arguments


class SynchronousActions:
    """The calls of `scalekit_mcp.actions.Actions`, each waiting for its answer.

    Parameters stand in the order of Scalekit's SDK. `connection_name` left out is the connection of the settings;
    `identifier` is your own string for a user, 1 to 100 characters without control characters. Every call raises
    `ScalekitMCPError`, on purpose nothing else; a wrong argument is `InvalidInput`, and its `field` names it.
    """

    def __init__(self, core: Core) -> None:
        self._core = core

    def get_or_create_connected_account(
        self, connection_name: str | None = None, identifier: str = ""
    ) -> ConnectedAccountResponse:
        """The account of `identifier`, created as PENDING if there is none; `response.connected_account.status`.

        Idempotent, also when several threads or processes call at once.
        """
        return self._core.call(
            lambda actions: actions.get_or_create_connected_account(
                connection_name=connection_name, identifier=identifier
            )
        )

    def get_connected_account(
        self, connection_name: str | None = None, identifier: str = ""
    ) -> ConnectedAccountResponse:
        """The account of `identifier`; raises `ConnectedAccountNotFound`. Never holds a token."""
        return self._core.call(
            lambda actions: actions.get_connected_account(connection_name=connection_name, identifier=identifier)
        )

    def list_connected_accounts(
        self,
        connection_name: str | None = None,
        identifier: str | None = None,
        *,
        status: str | None = None,
        page_size: int = 50,
        page_token: str | None = None,
    ) -> ListConnectedAccountsResponse:
        """One page of accounts, in the order of their identifiers; hand `next_page_token` back for the next."""
        return self._core.call(
            lambda actions: actions.list_connected_accounts(
                connection_name=connection_name,
                identifier=identifier,
                status=status,
                page_size=page_size,
                page_token=page_token,
            )
        )

    def get_authorization_link(
        self,
        identifier: str = "",
        connection_name: str | None = None,
        *,
        state: str | None = None,
        user_verify_url: str | None = None,
        reconnect: bool = False,
    ) -> AuthorizationLinkResponse:
        """The link that the user opens to consent: `link.link`, and `link.expires_at` (`link.expiry`), aware, in UTC.

        While an attempt is alive its link is returned again; only `reconnect=True` makes a new one. `state` and
        `user_verify_url` are for verification at your own page: the browser comes back there with both
        `auth_request_id` and this `state`.
        """
        return self._core.call(
            lambda actions: actions.get_authorization_link(
                connection_name=connection_name,
                identifier=identifier,
                state=state,
                user_verify_url=user_verify_url,
                reconnect=reconnect,
            )
        )

    def wait_for_authorization(
        self, identifier: str = "", connection_name: str | None = None, *, timeout_seconds: float = 300.0
    ) -> ConnectedAccountResponse:
        """Wait until the user has finished consenting or `timeout_seconds` are over; the account as it then is."""
        return self._core.call(
            lambda actions: actions.wait_for_authorization(
                connection_name=connection_name, identifier=identifier, timeout_seconds=timeout_seconds
            )
        )

    def verify_connected_account_user(self, auth_request_id: str, identifier: str) -> ConnectedAccountResponse:
        """Confirm that `identifier`, taken from your own session, is the person who consented.

        `auth_request_id` is what the browser brought to your `user_verify_url`; raises `InvalidInput` for another
        user's, an unknown or an expired one.
        """
        return self._core.call(
            lambda actions: actions.verify_connected_account_user(
                auth_request_id=auth_request_id, identifier=identifier
            )
        )

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

    def delete_connected_account(self, connection_name: str | None = None, identifier: str = "") -> None:
        """Remove the record and its tokens for good; no error if there is none."""
        return self._core.call(
            lambda actions: actions.delete_connected_account(connection_name=connection_name, identifier=identifier)
        )

    def execute_tool(
        self,
        tool_input: Mapping[str, Any] | Arguments | None = None,
        tool_name: str = "",
        identifier: str = "",
        *,
        connection_name: str | None = None,
    ) -> ToolResult:
        """Run one tool; the answer is the Graph-shaped dictionary itself, and the same under `.data`.

        Raises `AuthorizationRequired` when the account is not ACTIVE, with the link for the user in
        `details["authorization_url"]`, and the other classes of `scalekit_mcp.errors`.
        """
        return self._core.call(self._execution(tool_input, tool_name, identifier, connection_name))

    def execute_tool_soon(
        self,
        tool_input: Mapping[str, Any] | Arguments | None = None,
        tool_name: str = "",
        identifier: str = "",
        *,
        connection_name: str | None = None,
    ) -> Future[ToolResult]:
        """As `execute_tool`, without waiting: a future that asynchronous code can await by `asyncio.wrap_future`.

        Cancelling the future cancels the call.
        """
        return self._core.call_soon(self._execution(tool_input, tool_name, identifier, connection_name))

    @staticmethod
    def _execution(
        tool_input: Mapping[str, Any] | Arguments | None, tool_name: str, identifier: str, connection_name: str | None
    ) -> Callable[[Actions], Awaitable[ToolResult]]:
        return lambda actions: actions.execute_tool(
            identifier=identifier, tool_name=tool_name, tool_input=tool_input, connection_name=connection_name
        )
