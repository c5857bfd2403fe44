"""Puts the hosted implementation together. Imported on the first call, so that a start does not wait for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

import httpx2 as httpx

from scalekit_mcp.accounts import (
    KEPT_ELSEWHERE,
    AccountKey,
    Accounts,
    AccountSettings,
    Authorizations,
    MisconfigurationGuard,
    UserVerification,
    Vault,
)
from scalekit_mcp.actions.catalogue.calls import CATALOGUE_TOOLS
from scalekit_mcp.actions.hosted.active_accounts import ActiveAccounts
from scalekit_mcp.actions.hosted.call_ways import CallWays
from scalekit_mcp.actions.hosted.connections import HostedConnection, HostedConnections
from scalekit_mcp.actions.hosted.connector_tools import ConnectorCalls, ConnectorLists
from scalekit_mcp.actions.hosted.passed_calls import PassedCalls
from scalekit_mcp.actions.hosted.proxied import ProxiedCalls
from scalekit_mcp.actions.hosted.tool_calls import ToolCalls
from scalekit_mcp.actions.hosted.tools import HostedTools
from scalekit_mcp.actions.hosted.views import HostedViews
from scalekit_mcp.actions.options import CallOptions
from scalekit_mcp.actions.own_vault.own_vault import listener_alive, vault_in_memory
from scalekit_mcp.actions.own_vault.sealed_pages import SealedPages
from scalekit_mcp.scalekit import (
    ProxiedGraph,
    ScalekitAccounts,
    ScalekitKeeper,
    ScalekitProxy,
    ScalekitRest,
    ScalekitTools,
    service_name,
)
from scalekit_mcp.telemetry import RedactUrls
from scalekit_mcp.tools import TOOLS
from scalekit_mcp.upstream import UpstreamClient

if TYPE_CHECKING:
    from scalekit_mcp.scalekit import ScalekitEnvironment


@dataclass(frozen=True, slots=True)
class HostedServices:
    """Everything that one process needs to serve calls; closed by `aclose`.

    `records` are what our vault holds of Scalekit's accounts.
    """

    connections: HostedConnections
    vault: Vault
    records: Accounts
    authorizations: Authorizations
    tools: HostedTools
    passed: PassedCalls
    connector_lists: ConnectorLists
    connector_calls: ConnectorCalls
    own_http: httpx.AsyncClient | None
    log_rule: RedactUrls

    def of(self, key: AccountKey) -> HostedConnection:
        """The connection of an account."""
        return self.connections.of(key)

    def forget(self, key: AccountKey) -> None:
        """Look the account up at Scalekit again before its next call, and what it may use."""
        self.of(key).active.forget(key)
        self.tools.forget(key)
        self.connector_lists.forget(key)

    async def aclose(self) -> None:
        """Close the vault, and the connections that were opened here."""
        self.log_rule.detach()
        await self.connector_lists.aclose()
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
    clock = options.clock
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
    verification = UserVerification(options.user_verification)
    settings = AccountSettings(user_verification=verification, user_verify_url=options.user_verify_url)
    # Not the name that embedded mode would use: one vault may serve both, and several environments.
    in_vault = {name: f"{KEPT_ELSEWHERE}{urlsplit(environment.env_url).netloc}/{name}" for name in options.connections}
    accounts = {name: ScalekitAccounts(rest, name) for name in in_vault}
    keepers = {
        name: ScalekitKeeper(
            rest,
            accounts[name],
            name,
            scopes=scopes if name == options.connection_name else (),
            provider_name="Microsoft" if name == options.connection_name else service_name(name),
        )
        for name in in_vault
    }
    by_vault_name = {in_vault[name]: keeper for name, keeper in keepers.items()}
    records = Accounts(vault, by_vault_name, clock, settings, MisconfigurationGuard(clock, settings))
    authorizations = Authorizations(
        vault, records, by_vault_name, clock=clock, settings=settings, listener_alive=listener_alive
    )
    connections = HostedConnections(
        [
            _connection(
                accounts[name],
                keepers[name],
                HostedViews(vault, authorizations, in_vault[name], clock=clock, verification=verification),
                name=name,
                options=options,
            )
            for name in options.connections
        ],
        ScalekitAccounts(rest, *options.connections),
    )
    own = connections.calendar
    pages = SealedPages(vault.key_ring, clock)
    endpoint = ProxiedGraph(environment.env_url, environment.graph_url)
    proxied = ProxiedCalls(client, rest.tokens, endpoint, clock=clock, pages=pages, timezone=options.timezone)
    by_tools = ToolCalls(rest, own.active, clock=clock, pages=pages, timezone=options.timezone)
    proxy = ScalekitProxy(client, rest.tokens, env_url=environment.env_url, clock=clock)
    connector_tools = ScalekitTools(rest)
    log_rule = RedactUrls(environment.env_url).attach()
    return HostedServices(
        connections,
        vault,
        records,
        authorizations,
        HostedTools(ways, proxied, by_tools, own.active, clock=clock),
        PassedCalls(proxy, endpoint, own.active),
        ConnectorLists(
            connector_tools,
            options.further_connections,
            taken=frozenset({*TOOLS, *CATALOGUE_TOOLS}),
            clock=clock,
        ),
        ConnectorCalls(connector_tools, connections),
        own_http,
        log_rule,
    )


def _connection(
    accounts: ScalekitAccounts, keeper: ScalekitKeeper, views: HostedViews, *, name: str, options: CallOptions
) -> HostedConnection:
    active = ActiveAccounts(accounts, views, clock=options.clock, own_connection=options.connection_name)
    return HostedConnection(name, accounts, keeper, views, active)
