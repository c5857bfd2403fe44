"""The tools of hosted accounts over Scalekit's proxy: Graph's own calls, as embedded mode makes them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx2 as httpx

from scalekit_mcp.accounts import AccountKey
from scalekit_mcp.calendar import (
    DIRECTORY_SCOPE,
    CalendarAnswer,
    MetPeopleCache,
    OutlookCalendar,
    Pages,
    PageSealer,
    Searcher,
)
from scalekit_mcp.clock import Clock
from scalekit_mcp.errors import AuthorizationRequired, ConnectionMisconfigured, PermissionMissing, ScalekitMCPError
from scalekit_mcp.microsoft import GraphClient, GraphMailbox, GraphSession, MailboxOwner, mailbox_owner
from scalekit_mcp.scalekit import MachineTokens, ProxiedGraph, account_headers
from scalekit_mcp.tools import TOOLS, Arguments, noted

if TYPE_CHECKING:
    from scalekit_mcp.calendar import Scheduling

OWNER_KEPT_FOR = timedelta(minutes=10)
MOST_OWNERS_KEPT = 10_000

ADD_THE_SCOPE = (
    "the operator adds it to the scopes of the connection in the Scalekit dashboard, which no link can do; then the "
    "user signs in once more (authorize with reconnect=true)."
)


class ProxiedCalls:
    """Runs tools over the proxy. `timezone` is that of answers when a call names none."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        tokens: MachineTokens,
        endpoint: ProxiedGraph,
        *,
        clock: Clock,
        pages: PageSealer,
        timezone: str,
    ) -> None:
        self._graph = GraphClient(http, endpoint=endpoint, clock=clock)
        self._tokens = tokens
        self._clock = clock
        self._pages = pages
        self._timezone = timezone
        self._met_people = MetPeopleCache()
        self._owners: dict[AccountKey, tuple[datetime, MailboxOwner]] = {}

    async def run(self, key: AccountKey, arguments: Arguments) -> dict[str, Any]:
        """The answer of one tool; raises `ScalekitMCPError`, among them `ProxyNotEnabled`."""
        headers = account_headers(key.connection_name, key.identifier)
        session = GraphSession(self._graph, self._tokens, f"{key.connection_name}/{key.identifier}", headers)
        owner = await self._owner(key, session)
        mailbox = GraphMailbox(session, owner_id=owner.oid)
        try:
            if TOOLS[arguments.tool_name].toolset == "scheduling":
                return _with_hint(await self._scheduling(key, mailbox, owner).run(arguments))
            return await self._calendar(key, mailbox, owner).run(arguments)
        except PermissionMissing as missing:
            if missing.who_acts == "user":
                missing.next_step = (
                    f"{missing.next_step} Where the connection itself lacks a permission, {ADD_THE_SCOPE}"
                )
            raise

    def forget(self, key: AccountKey) -> None:
        """Ask again who owns the mailbox: another Microsoft account may have been connected."""
        self._owners.pop(key, None)

    async def _owner(self, key: AccountKey, session: GraphSession) -> MailboxOwner:
        """Who owns the mailbox, which Scalekit does not tell; nobody known where Microsoft does not tell either."""
        now = self._clock.now()
        kept = self._owners.get(key)
        if kept is not None and now - kept[0] < OWNER_KEPT_FOR:
            return kept[1]
        try:
            owner = await mailbox_owner(session)
        except PermissionMissing:
            owner = MailboxOwner()  # the connection has not the scope User.Read
        except (AuthorizationRequired, ConnectionMisconfigured):
            raise
        except ScalekitMCPError:
            return MailboxOwner()  # for this call; the call itself meets whatever is wrong
        if len(self._owners) >= MOST_OWNERS_KEPT:
            self._owners.clear()
        self._owners[key] = (now, owner)
        return owner

    def _calendar(self, key: AccountKey, mailbox: GraphMailbox, owner: MailboxOwner) -> OutlookCalendar:
        return OutlookCalendar(
            mailbox,
            personal=owner.personal,
            clock=self._clock,
            timezone=self._timezone,
            pages=Pages(self._pages, connection_name=key.connection_name, identifier=key.identifier),
        )

    def _scheduling(self, key: AccountKey, mailbox: GraphMailbox, owner: MailboxOwner) -> Scheduling:
        from scalekit_mcp.calendar import Scheduling  # loaded with the first call of its tools

        # Scalekit tells nobody which scopes were granted, so that the directory is asked.
        searcher = Searcher(
            f"{key.connection_name}/{key.identifier}/{owner.address}",
            owner.address,
            personal=owner.personal,
            may_ask_directory=True,
        )
        return Scheduling(mailbox, searcher, self._met_people, self._clock, self._timezone)


def _with_hint(answer: CalendarAnswer) -> dict[str, Any]:
    """The answer; where a further permission would have found more, with how the connection gets it."""
    if DIRECTORY_SCOPE not in answer.further_scopes:
        return answer.result
    told = noted(*answer.result.get("notes", ()), f"If that is wanted, {ADD_THE_SCOPE}")
    return answer.result | told.members()
