"""The services of this package, put together on one vault."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scalekit_mcp.accounts.accounts import Accounts
from scalekit_mcp.accounts.authorization.engine import Authorizations
from scalekit_mcp.accounts.authorization.links import ListenerAlive
from scalekit_mcp.accounts.authorization.oauth_keeper import OAuthKeeper
from scalekit_mcp.accounts.misconfiguration import MisconfigurationGuard
from scalekit_mcp.accounts.model.records import AccountSettings
from scalekit_mcp.accounts.provider import OAuthProvider
from scalekit_mcp.accounts.tokens.tokens import Tokens
from scalekit_mcp.accounts.vault.vault import Vault
from scalekit_mcp.clock import Clock


@dataclass(frozen=True, slots=True)
class AccountServices:
    """Accounts, authorizations and access tokens on one vault.

    Making it does no input or output; the vault opens on first use. All calls raise `ScalekitMCPError` and nothing
    else on purpose, `VaultError` among them.
    """

    vault: Vault
    accounts: Accounts
    authorizations: Authorizations
    tokens: Tokens
    keepers: Mapping[str, OAuthKeeper]

    @classmethod
    def on(
        cls,
        vault: Vault,
        *,
        providers: Mapping[str, OAuthProvider],
        clock: Clock,
        settings: AccountSettings | None = None,
        listener_alive: ListenerAlive | None = None,
    ) -> AccountServices:
        """The services on a vault, for the connections that `providers` names."""
        settings = settings or AccountSettings()
        operator = MisconfigurationGuard(clock, settings)
        keepers = {
            name: OAuthKeeper(provider, name, clock=clock, settings=settings, operator=operator)
            for name, provider in providers.items()
        }
        accounts = Accounts(vault, providers, clock, settings, operator)
        return cls(
            vault,
            accounts,
            Authorizations(vault, accounts, keepers, clock=clock, settings=settings, listener_alive=listener_alive),
            Tokens(vault, providers, accounts, clock, settings, operator),
            keepers,
        )

    async def aclose(self) -> None:
        """Wait for requests that were already sent, then close the vault."""
        await self.authorizations.aclose()
        await self.tokens.aclose()
        await self.accounts.aclose()
        await self.vault.aclose()
