"""Puts the hosted implementation together. Imported on the first call, so that a start does not wait for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

import httpx2 as httpx

from scalekit_mcp.accounts import (
    KEPT_ELSEWHERE,
    Accounts,
    AccountSettings,
    Authorizations,
    MisconfigurationGuard,
    UserVerification,
    Vault,
)
from scalekit_mcp.actions.hosted.active_accounts import ActiveAccounts
from scalekit_mcp.actions.hosted.call_ways import CallWays
from scalekit_mcp.actions.hosted.passed_calls import PassedCalls
from scalekit_mcp.actions.hosted.proxied import ProxiedCalls
from scalekit_mcp.actions.hosted.tool_calls import ToolCalls
from scalekit_mcp.actions.hosted.tools import HostedTools
from scalekit_mcp.actions.hosted.views import HostedViews
from scalekit_mcp.actions.options import CallOptions
from scalekit_mcp.actions.own_vault import listener_alive, vault_in_memory
from scalekit_mcp.actions.sealed_pages import SealedPages
from scalekit_mcp.scalekit import ProxiedGraph, ScalekitAccounts, ScalekitKeeper, ScalekitProxy, ScalekitRest
from scalekit_mcp.telemetry import RedactUrls
from scalekit_mcp.upstream import UpstreamClient

if TYPE_CHECKING:
    from scalekit_mcp.scalekit import ScalekitEnvironment


@dataclass(frozen=True, slots=True)
class HostedServices:
    """Everything that one process needs to serve calls; closed by `aclose`.

    `accounts` are Scalekit's; `records` are what our vault holds of them.
    """

    accounts: ScalekitAccounts
    keeper: ScalekitKeeper
    vault: Vault
    records: Accounts
    authorizations: Authorizations
    views: HostedViews
    tools: HostedTools
    passed: PassedCalls
    own_http: httpx.AsyncClient | None
    log_rule: RedactUrls

    async def aclose(self) -> None:
        """Close the vault, and the connections that were opened here."""
        self.log_rule.detach()
        await self.authorizations.aclose()
        await self.records.aclose()
        await self.vault.aclose()
        if self.own_http is not None:
            await self.own_http.aclose()


def hosted_services(
    environment: ScalekitEnvironment,
    options: CallOptions,
    *,
    http: httpx.AsyncClient | None,
    vault: Vault | None,
    scopes: Sequence[str],
    ways: CallWays,
) -> HostedServices:
    """Put the services together. Opens no connection."""
    clock, connection_name = options.clock, options.connection_name
    own_http = None
    if http is None:
        own_http = environment.network.client([environment.env_url], make=UpstreamClient)
    vault = vault or vault_in_memory()
    client = http or cast("httpx.AsyncClient", own_http)
    rest = ScalekitRest(
        client,
        env_url=environment.env_url,
        client_id=environment.client_id,
        client_secret=environment.client_secret,
        clock=clock,
    )
    accounts = ScalekitAccounts(rest, connection_name)
    keeper = ScalekitKeeper(rest, accounts, connection_name, scopes=scopes)
    verification = UserVerification(options.user_verification)
    settings = AccountSettings(user_verification=verification, user_verify_url=options.user_verify_url)
    # Not the name that embedded mode would use: one vault may serve both, and several environments.
    vault_connection = f"{KEPT_ELSEWHERE}{urlsplit(environment.env_url).netloc}/{connection_name}"
    keepers = {vault_connection: keeper}
    records = Accounts(vault, keepers, clock, settings, MisconfigurationGuard(clock, settings))
    authorizations = Authorizations(
        vault, records, keepers, clock=clock, settings=settings, listener_alive=listener_alive
    )
    views = HostedViews(vault, authorizations, vault_connection, clock=clock, verification=verification)
    pages, active = SealedPages(vault.key_ring, clock), ActiveAccounts(accounts, views, clock=clock)
    endpoint = ProxiedGraph(environment.env_url, environment.graph_url)
    proxied = ProxiedCalls(client, rest.tokens, endpoint, clock=clock, pages=pages, timezone=options.timezone)
    by_tools = ToolCalls(rest, active, clock=clock, pages=pages, timezone=options.timezone)
    tools = HostedTools(ways, proxied, by_tools, active, clock=clock)
    proxy = ScalekitProxy(client, rest.tokens, env_url=environment.env_url, clock=clock)
    passed = PassedCalls(proxy, endpoint, active)
    log_rule = RedactUrls(environment.env_url).attach()
    return HostedServices(accounts, keeper, vault, records, authorizations, views, tools, passed, own_http, log_rule)
