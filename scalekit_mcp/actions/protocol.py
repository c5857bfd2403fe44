"""The protocol between the interfaces (MCP, REST, Python, command line) and the place where the tokens are kept."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from scalekit_mcp.accounts import NOBODY_EXPECTED, ExpectedPerson
from scalekit_mcp.actions.models import (
    AuthorizationLinkResponse,
    AuthorizationOutcome,
    AuthorizationPrompt,
    ConnectedAccountResponse,
    ListConnectedAccountsResponse,
    ToolResult,
)
from scalekit_mcp.actions.provider_call import ProviderCall, ProviderResponse
from scalekit_mcp.tools import Arguments, Carrier, ConnectorTools

CALLBACK_PATH = "/oauth/callback"
ADMIN_CALLBACK_PATH = "/oauth/admin-consent"
"""Paths of the redirect URIs under the base address of our own pages, as registered with Microsoft."""

LinkBase = Callable[[], Awaitable[str]]
"""Returns the base address of our own pages; may start the listener that serves them."""


class Actions(Protocol):
    """Connected accounts and the tools that run on them.

    Named after the object that users know from Scalekit's SDK. Implementations: `embedded` (own vault, Microsoft
    directly) and `hosted` (Scalekit keeps the tokens). All methods raise `ScalekitMCPError`, on purpose nothing else.
    """

    async def get_or_create_connected_account(
        self, *, connection_name: str | None = None, identifier: str
    ) -> ConnectedAccountResponse:
        """The account of `identifier`, created as PENDING if there is none; idempotent, also under races."""
        ...

    async def get_connected_account(
        self, *, connection_name: str | None = None, identifier: str
    ) -> ConnectedAccountResponse:
        """The account of `identifier`, with the apps that may use it; raises `ConnectedAccountNotFound`."""
        ...

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
        """One page of accounts, in the order of their identifiers; with `account_id`, that one or none."""
        ...

    async def disconnect(self, *, connection_name: str | None = None, identifier: str) -> ConnectedAccountResponse:
        """Forget the tokens, keep the record as REVOKED / `disconnected`. Microsoft itself has no revocation call."""
        ...

    async def delete_connected_account(self, *, connection_name: str | None = None, identifier: str) -> None:
        """Remove the record and its sealed tokens for good; no error if there is none."""
        ...

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
        """Begin an attempt, or return the live one; only `reconnect=True` supersedes it.

        `expected` is what the caller's credential says of the person (the `email` of a session token, the `tid` and
        `oid` of an Entra token): whoever consents and matches needs no confirmation.
        """
        ...

    async def authorization_prompt(self, ticket: str) -> AuthorizationPrompt | AuthorizationOutcome:
        """What the page behind the link shows; changes nothing, so that mail scanners may open the link."""
        ...

    async def start_authorization(
        self, ticket: str, *, browser_secret: str | None = None
    ) -> str | AuthorizationOutcome:
        """Bind the attempt to a browser and return the address of the consent page; replaces an earlier start."""
        ...

    async def complete_authorization(
        self, query: Mapping[str, str], *, browser_secrets: Sequence[str] = ()
    ) -> AuthorizationOutcome:
        """Handle the callback's query. Never raises for anything that a browser can send; the outcome reports it."""
        ...

    async def cancel_held_authorization(
        self, ticket: str, *, browser_secret: str | None = None
    ) -> AuthorizationOutcome:
        """End the attempt as declined; tokens that wait for a confirmation are discarded."""
        ...

    async def confirm_authorization(
        self, *, connection_name: str | None = None, identifier: str, confirmation_code: str
    ) -> ConnectedAccountResponse:
        """Redeem the code from the page as the caller `identifier`; raises `InvalidInput`."""
        ...

    async def verify_connected_account_user(self, *, auth_request_id: str, identifier: str) -> ConnectedAccountResponse:
        """The operator's backend confirms that `identifier` is the person who consented; raises `InvalidInput`."""
        ...

    async def complete_admin_consent(self, query: Mapping[str, str]) -> AuthorizationOutcome:
        """Handle the query of the admin-consent callback; only for display, it connects no account."""
        ...

    async def wait_for_authorization(
        self, *, connection_name: str | None = None, identifier: str, timeout_seconds: float
    ) -> ConnectedAccountResponse:
        """Wait until the live attempt ends or the time is over, whichever is first, and return the account."""
        ...

    async def execute_tool(
        self,
        *,
        identifier: str,
        tool_name: str,
        tool_input: Mapping[str, Any] | Arguments | None = None,
        connection_name: str | None = None,
        expected: ExpectedPerson = NOBODY_EXPECTED,
    ) -> ToolResult:
        """Run one tool of the catalogue. Validates first, then finds the account, then calls the provider.

        `tool_input` is what a caller sent, or the `Arguments` that it was read into already.

        `expected` is that of `get_authorization_link`, for a link that the call hands out.
        """
        ...

    async def request(
        self,
        call: ProviderCall,
        *,
        connection_name: str | None = None,
        identifier: str,
        timeout_seconds: float = 30.0,
    ) -> ProviderResponse:
        """Send a call of the caller's own making to the provider, once, as this user; its answer whatever its status.

        It needs an ACTIVE account, as tools do. No access token is in what comes back.
        """
        ...

    async def connector_tools(self, *, identifier: str, connection_name: str | None = None) -> ConnectorTools:
        """The tools that Scalekit runs for `identifier` on the connections beside the calendar's, or on one of them.

        What could not be read is in `failures`; nothing is raised for it. There are none where Scalekit is not used.
        """
        ...

    @property
    def carrier(self) -> Carrier:
        """What carries out calls now, which decides over the tools and parameters that models are offered."""
        ...

    def present(self) -> dict[str, str]:
        """The current time in the zone of answers: `dateTime` with its offset, `timeZone`, `weekday`."""
        ...

    async def check(self) -> None:
        """Raise `ScalekitMCPError` if no call could work: embedded writes and reads the vault and tries its keys."""
        ...

    async def prepare(self) -> None:
        """Load and open what a first call needs, ahead of it; asks no service for anything.

        Raises `ScalekitMCPError` where the first call would.
        """
        ...
