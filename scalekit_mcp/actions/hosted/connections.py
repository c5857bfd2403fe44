"""The connections of a process in hosted mode: what each of them has of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from scalekit_mcp.accounts import AccountKey
from scalekit_mcp.actions.hosted.active_accounts import ActiveAccounts
from scalekit_mcp.actions.hosted.views import HostedViews
from scalekit_mcp.actions.models import (
    AuthorizationOutcome,
    AuthorizationPrompt,
    ConnectedAccountView,
    OutcomeKind,
)
from scalekit_mcp.languages import said
from scalekit_mcp.scalekit import ScalekitAccounts, ScalekitKeeper, WireAccount

Page = TypeVar("Page", AuthorizationPrompt, AuthorizationOutcome, AuthorizationPrompt | AuthorizationOutcome)


@dataclass(frozen=True, slots=True)
class HostedConnection:
    """One connection: its accounts at Scalekit, its keeper, how its accounts are shown, and which may make calls."""

    name: str
    accounts: ScalekitAccounts
    keeper: ScalekitKeeper
    views: HostedViews
    active: ActiveAccounts

    async def view(self, key: AccountKey) -> ConnectedAccountView:
        """The account of `key`; raises `ConnectedAccountNotFound`."""
        return await self.views.view(await self.accounts.known(key))


class HostedConnections:
    """All connections of the process, the calendar's first; `every` reads the accounts of all of them."""

    def __init__(self, connections: Sequence[HostedConnection], every: ScalekitAccounts) -> None:
        self._by_name: Mapping[str, HostedConnection] = {one.name: one for one in connections}
        self._named: Mapping[str, str] = {one.views.vault_connection: one.name for one in connections}
        self.calendar = connections[0]
        self.every = every

    def of(self, key: AccountKey) -> HostedConnection:
        """The connection of an account."""
        return self._by_name[key.connection_name]

    def accounts_of(self, connection_name: str | None) -> ScalekitAccounts:
        """The accounts of a connection, of all where none is named."""
        return self.every if connection_name is None else self._by_name[connection_name].accounts

    async def views(self, accounts: Sequence[WireAccount]) -> tuple[ConnectedAccountView, ...]:
        """Accounts of any connection as all interfaces show them, in their order."""
        return tuple([await self._by_name[account.connector].views.view(account) for account in accounts])

    def named(self, page: Page) -> Page:
        """What a page says, under the connection's own name and not the one that it has in the vault."""
        name = self._named.get(page.connection_name or "")
        if name is None:
            return page
        named = replace(page, connection_name=name)
        if (
            name != self.calendar.name
            and isinstance(named, AuthorizationOutcome)
            and named.kind is OutcomeKind.CONNECTED
        ):
            ready = said("connected.message_connection", connection=name, identifier=named.identifier or "")
            return replace(named, message=ready)
        return named

    async def verify(self, auth_request_id: str, identifier: str) -> None:
        """Have Scalekit accept the tokens of a sign-in, of whichever connection it is."""
        await self.calendar.keeper.verify(auth_request_id, identifier)

    async def verified(self, identifier: str) -> ConnectedAccountView:
        """The account that Scalekit made ACTIVE by a verification, which names a sign-in and no connection.

        It is the one of the only sign-in under way; of several, those that are seen ACTIVE, the last changed first.
        """
        keys = [AccountKey(name, identifier) for name in self._by_name]
        waiting = [key for key in keys if await self.of(key).views.has_attempt(key)]
        if len(waiting) == 1 or len(keys) == 1:
            key = (waiting or keys)[0]
            await self.of(key).views.settle(key)
            return await self.of(key).view(key)
        found = [await self.of(key).view(key) for key in waiting or keys[:1]]
        active = [view for view in found if view.status == "ACTIVE" and view.attempt_state is None]
        return max(active or found, key=lambda view: view.updated_at.timestamp() if view.updated_at else 0.0)
