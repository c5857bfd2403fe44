"""`client.tools` and `client.connected_accounts` of Scalekit's SDK: the same calls under the names of the wire.

Each method answers a pair, as the SDK's do (a message and its call); here the second is always None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from scalekit_mcp.actions import (
    AuthorizationLinkResponse,
    ConnectedAccountResponse,
    ListConnectedAccountsResponse,
    ToolFilter,
    ToolResult,
    VerifiedUserResponse,
)
from scalekit_mcp.errors import NotOffered
from scalekit_mcp.sdk.actions import SynchronousActions
from scalekit_mcp.sdk.refusals import refused_name
from scalekit_mcp.sdk.tools_response import ListToolsResponse, ScopedToolsResponse

_WHAT_IS_LISTED = ("connector", "identifier", "provider", "query", "organization_id", "user_id", "connected_account_id")


class ToolsClient:
    """`client.tools`."""

    def __init__(self, actions: SynchronousActions) -> None:
        self._actions = actions

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """A name that is refused."""
            if name.startswith("_"):
                raise AttributeError(name)
            return refused_name(f"tools.{name}")

    def list_tools(
        self,
        filter: object = None,  # noqa: A002 - the SDK's name
        page_size: int | None = None,
        page_token: str | None = None,
    ) -> tuple[ListToolsResponse, None]:
        """As `actions.list_tools`. `filter` is a mapping, or an object with the attributes of the SDK's `Filter`."""
        given = {name: _member(filter, name) or None for name in _WHAT_IS_LISTED}
        summary = _member(filter, "summary")
        listed = self._actions.list_tools(
            connection_name=given.pop("connector"),
            tool_name=list(_member(filter, "tool_name") or ()),
            summary=bool(getattr(summary, "value", summary)),
            page_size=page_size or None,
            page_token=page_token,
            **given,
        )
        return listed, None

    def list_scoped_tools(
        self,
        identifier: str,
        filter: object = None,  # noqa: A002 - the SDK's name
        page_size: int | None = None,
        page_token: str | None = None,
    ) -> tuple[ScopedToolsResponse, None]:
        """The tools of the accounts of `identifier`; `filter` has `providers`, `tool_names`, `connection_names`."""
        wanted = ToolFilter(
            providers=list(_member(filter, "providers") or ()),
            tool_names=list(_member(filter, "tool_names") or ()),
            connection_names=list(_member(filter, "connection_names") or ()),
        )
        page = self._actions.list_scoped_tools(identifier, wanted, page_size=page_size or None, page_token=page_token)
        return ScopedToolsResponse.of(page), None

    def execute_tool(
        self,
        tool_name: str,
        identifier: str | None = None,
        params: Mapping[str, Any] | None = None,
        connected_account_id: str | None = None,
        connection_name: str | None = None,
    ) -> tuple[ToolResult, None]:
        """As `actions.execute_tool`."""
        result = self._actions.execute_tool(
            params,
            tool_name,
            identifier,
            connected_account_id=connected_account_id,
            connection_name=connection_name,
        )
        return result, None


class ConnectedAccountsClient:
    """`client.connected_accounts`; `connector` is the connection's name."""

    def __init__(self, actions: SynchronousActions) -> None:
        self._actions = actions

    def list_connected_accounts(
        self,
        organization_id: str | None = None,
        user_id: str | None = None,
        connector: str | None = None,
        identifier: str | None = None,
        provider: str | None = None,
        page_size: int | None = None,
        page_token: str | None = None,
        connection_names: Sequence[str] | None = None,
    ) -> tuple[ListConnectedAccountsResponse, None]:
        """As `actions.list_connected_accounts`."""
        listed = self._actions.list_connected_accounts(
            connector,
            identifier,
            provider,
            connection_names,
            page_size,
            page_token,
            organization_id=organization_id,
            user_id=user_id,
        )
        return listed, None

    def create_connected_account(
        self,
        connector: str,
        identifier: str,
        connected_account: object = None,
        organization_id: str | None = None,
        user_id: str | None = None,
    ) -> tuple[ConnectedAccountResponse, None]:
        """As `actions.create_connected_account`; `connected_account` must be empty."""
        _check_empty(connected_account)
        created = self._actions.create_connected_account(
            connector, identifier, organization_id=organization_id, user_id=user_id
        )
        return created, None

    def update_connected_account(
        self,
        connector: str,
        identifier: str,
        connected_account: object = None,
        organization_id: str | None = None,
        user_id: str | None = None,
        connected_account_id: str | None = None,
    ) -> tuple[ConnectedAccountResponse, None]:
        """As `actions.update_connected_account`; `connected_account` must be empty."""
        _check_empty(connected_account)
        found = self._actions.update_connected_account(
            connector,
            identifier,
            organization_id=organization_id,
            user_id=user_id,
            connected_account_id=connected_account_id,
        )
        return found, None

    def delete_connected_account(
        self,
        connector: str | None = None,
        identifier: str | None = None,
        organization_id: str | None = None,
        user_id: str | None = None,
        connected_account_id: str | None = None,
    ) -> tuple[None, None]:
        """As `actions.delete_connected_account`."""
        self._actions.delete_connected_account(
            connector, identifier, connected_account_id, organization_id=organization_id, user_id=user_id
        )
        return None, None

    def get_magic_link_for_connected_account(
        self,
        connector: str | None = None,
        identifier: str | None = None,
        organization_id: str | None = None,
        user_id: str | None = None,
        connected_account_id: str | None = None,
        state: str | None = None,
        user_verify_url: str | None = None,
    ) -> tuple[AuthorizationLinkResponse, None]:
        """As `actions.get_authorization_link`."""
        link = self._actions.get_authorization_link(
            identifier,
            connector,
            connected_account_id,
            state,
            user_verify_url,
            organization_id=organization_id,
            user_id=user_id,
        )
        return link, None

    def get_connected_account_by_identifier(
        self,
        connector: str | None = None,
        identifier: str | None = None,
        organization_id: str | None = None,
        user_id: str | None = None,
        connected_account_id: str | None = None,
    ) -> tuple[ConnectedAccountResponse, None]:
        """As `actions.get_connected_account`: without tokens."""
        found = self._actions.get_connected_account(
            connector, identifier, connected_account_id, organization_id=organization_id, user_id=user_id
        )
        return found, None

    get_connected_account_details_by_identifier = get_connected_account_by_identifier

    def verify_connected_account_user(self, auth_request_id: str, identifier: str) -> tuple[VerifiedUserResponse, None]:
        """As `actions.verify_connected_account_user`."""
        return self._actions.verify_connected_account_user(auth_request_id, identifier), None


def _member(value: object, name: str) -> Any:
    if isinstance(value, Mapping):
        return cast("Mapping[str, Any]", value).get(name)
    return getattr(value, name, None)


def _check_empty(connected_account: object) -> None:
    """Raise `NotOffered` for a description of an account that says anything: a mapping, or a message of the SDK."""
    fields = getattr(connected_account, "ListFields", None)
    if fields() if callable(fields) else connected_account:
        raise NotOffered(
            "connected_account must be empty: no caller hands tokens in, and an account has no configuration.",
            field="connected_account",
            instead="send the user an authorization link",
        )
