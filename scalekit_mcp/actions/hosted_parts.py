"""What the hosted calls are made of. Imported on the first call: a start should not wait for its libraries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import httpx2 as httpx

from scalekit_mcp.accounts.models import ProviderAccount, UserVerification
from scalekit_mcp.accounts.sealing import KeyRing
from scalekit_mcp.actions.hosted_attempts import Key
from scalekit_mcp.actions.hosted_consent import HostedConsent
from scalekit_mcp.actions.hosted_directory import HostedDirectory
from scalekit_mcp.actions.hosted_graph import HostedSession
from scalekit_mcp.actions.hosted_rest import ScalekitRest
from scalekit_mcp.actions.quiet import HostOnly
from scalekit_mcp.actions.sealed_pages import SealedPages
from scalekit_mcp.clock import Clock
from scalekit_mcp.microsoft.calendar import OutlookCalendar
from scalekit_mcp.microsoft.graph import GraphSession
from scalekit_mcp.tools import (
    Arguments,
    CreateCalendarEvent,
    DeleteCalendarEvent,
    GetCalendarEvent,
    ListCalendarEvents,
    UpdateCalendarEvent,
)

if TYPE_CHECKING:
    from scalekit_mcp.actions.hosted import ScalekitEnvironment

POOL = httpx.Limits(max_connections=200, max_keepalive_connections=50, keepalive_expiry=120)
"""Scalekit closes idle connections after five minutes."""

_SOMEBODY = ProviderAccount(tid="", oid="")
"""Scalekit does not tell which Microsoft account consented."""


@dataclass(frozen=True, slots=True)
class HostedParts:
    """Everything that one process needs to serve calls; closed by `aclose`."""

    clock: Clock
    rest: ScalekitRest
    directory: HostedDirectory
    consent: HostedConsent
    ring: KeyRing
    own_http: httpx.AsyncClient | None
    log_rule: HostOnly

    async def aclose(self) -> None:
        """Close the connections that were opened here."""
        self.log_rule.detach()
        if self.own_http is not None:
            await self.own_http.aclose()

    def session(self, key: Key, arguments: Arguments) -> HostedSession:
        """The mailbox of one account, for one call."""
        accepted = isinstance(arguments, UpdateCalendarEvent) and bool(arguments.discard_exceptions)
        return HostedSession(self.rest, connection_name=key[0], identifier=key[1], discard_exceptions=accepted)

    async def run_tool(
        self, session: HostedSession, key: Key, arguments: Arguments, *, timezone: str
    ) -> dict[str, Any]:
        """Run one calendar tool; raises `ScalekitMCPError`, or `ScalekitFailure` where Scalekit itself refuses."""
        calendar = OutlookCalendar(
            # The calendar uses the two methods that a hosted session has, too.
            cast("GraphSession", session),
            account=_SOMEBODY,
            identifier=key[1],
            clock=self.clock,
            timezone=timezone,
            pages=SealedPages(self.ring, self.clock),
            connection_name=key[0],
        )
        match arguments:
            case CreateCalendarEvent():
                return await calendar.create(arguments)
            case GetCalendarEvent():
                return await calendar.get(arguments)
            case ListCalendarEvents():
                return await calendar.list(arguments)
            case UpdateCalendarEvent():
                return await calendar.update(arguments)
            case DeleteCalendarEvent():
                return await calendar.delete(arguments)
            case _:
                raise LookupError(f"no operation for {arguments.tool_name}")


def build_hosted_parts(
    environment: ScalekitEnvironment,
    *,
    connection_name: str,
    clock: Clock,
    http: httpx.AsyncClient | None,
    ring: KeyRing | None,
    user_verification: str,
    user_verify_url: str | None,
    scopes: Sequence[str],
    sandbox: bool,
) -> HostedParts:
    """Put the parts together. Opens no connection."""
    own_http = httpx.AsyncClient(limits=POOL, follow_redirects=False) if http is None else None
    ring = ring or KeyRing.generate()
    rest = ScalekitRest(
        http or cast("httpx.AsyncClient", own_http),
        env_url=environment.env_url,
        client_id=environment.client_id,
        client_secret=environment.client_secret,
        clock=clock,
    )
    consent = HostedConsent(
        rest,
        clock=clock,
        ring=ring,
        user_verification=UserVerification(user_verification),
        user_verify_url=user_verify_url,
        scopes=scopes,
        sandbox=sandbox,
    )
    log_rule = HostOnly(environment.env_url).attach()
    return HostedParts(clock, rest, HostedDirectory(rest, connection_name), consent, ring, own_http, log_rule)
