"""Sign in with Microsoft from any remote host: what the authorization server asks of the embedded calls.

Everything is opened on first use, as the calls are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from scalekit_mcp.actions.embedded.actions import EmbeddedActions
from scalekit_mcp.errors import ConfigurationError

if TYPE_CHECKING:
    from scalekit_mcp.accounts import (
        ClientGrant,
        CodePresented,
        GrantTokens,
        NotSignedIn,
        Refreshed,
        RefreshPresented,
        SignedIn,
        SignIn,
        SignInProvider,
        SignInRequest,
    )
    from scalekit_mcp.actions.embedded.wiring import RemoteServices
    from scalekit_mcp.actions.protocol import Actions


class RemoteSignIn:
    """Sign-ins, codes and grants of apps on the vault of `actions`."""

    def __init__(self, actions: Actions) -> None:
        if not isinstance(actions, EmbeddedActions):
            raise ConfigurationError("SCALEKIT_MCP_AUTH=microsoft needs a vault of our own: it is for embedded mode.")
        self._actions = actions

    async def _remote(self) -> RemoteServices:
        return (await self._actions.services()).remote

    async def ready(self) -> None:
        """Learn which tenants may sign in; raises `ConfigurationError` for one that does not exist.

        Raises `ProviderUnavailable` where that cannot be learned now.
        """
        await (await self._remote()).tenants.resolve()

    async def provider(self) -> SignInProvider:
        """Where people sign in."""
        return (await self._remote()).sign_ins_at_provider.provider()

    async def start(self, request: SignInRequest, *, browser_secret: str) -> str:
        """Begin a sign-in bound to a browser; the address of the provider's page."""
        return await (await self._remote()).sign_ins_at_provider.start(request, browser_secret=browser_secret)

    async def complete(self, query: Mapping[str, str], *, browser_secret: str | None) -> SignedIn | NotSignedIn:
        """Take an answer of the provider; raises `SignInError`, with nothing redeemed."""
        return await (await self._remote()).sign_ins_at_provider.complete(query, browser_secret=browser_secret)

    async def failed(self, sign_in_id: str, *, browser_secret: str) -> SignIn:
        """A sign-in that failed and may be tried again; raises `SignInError`."""
        return await (await self._remote()).sign_ins_at_provider.failed(sign_in_id, browser_secret=browser_secret)

    async def try_again(self, sign_in_id: str, *, browser_secret: str) -> str:
        """Begin anew after a failure; the address of the provider's page. Raises `SignInError`."""
        return await (await self._remote()).sign_ins_at_provider.try_again(sign_in_id, browser_secret=browser_secret)

    async def redeem(self, presented: CodePresented) -> GrantTokens:
        """The grant of a code; raises `CodeError`."""
        return await (await self._remote()).sign_ins.redeem(presented)

    async def refresh(self, presented: RefreshPresented) -> Refreshed:
        """Replace a refresh token; raises `RefreshError`."""
        return await (await self._remote()).grants.refresh(presented)

    async def revoke_refresh_token(self, refresh_token: str, *, client_sha256: str, secret: str | None) -> bool:
        """End the grant of a refresh token; raises `RefreshError` for a wrong secret."""
        grants = (await self._remote()).grants
        return await grants.revoke_refresh_token(refresh_token, client_sha256=client_sha256, secret=secret)

    async def revoke(self, grant_id: str, *, client_sha256: str, secret: str | None) -> bool:
        """End a grant; raises `RefreshError` for a wrong secret."""
        return await (await self._remote()).grants.revoke(grant_id, client_sha256=client_sha256, secret=secret)

    async def alive(self, grant_id: str, *, tid: str) -> ClientGrant | None:
        """The grant; None once it has ended or its tenant is no longer allowed."""
        return await (await self._remote()).grants.alive(grant_id, tid=tid)
