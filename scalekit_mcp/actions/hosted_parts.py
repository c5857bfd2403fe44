"""What the hosted calls are made of. Imported on the first call: a start should not wait for its libraries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import httpx2 as httpx

from scalekit_mcp.accounts.model.records import UserVerification
from scalekit_mcp.accounts.vault.sealing import KeyRing
from scalekit_mcp.actions.hosted_consent import HostedConsent
from scalekit_mcp.actions.hosted_directory import HostedDirectory
from scalekit_mcp.actions.hosted_tools import HostedTools
from scalekit_mcp.actions.sealed_pages import SealedPages
from scalekit_mcp.clock import Clock
from scalekit_mcp.scalekit.rest import ScalekitRest
from scalekit_mcp.telemetry.log_redaction import HostOnly
from scalekit_mcp.upstream import UpstreamClient

if TYPE_CHECKING:
    from scalekit_mcp.actions.hosted import ScalekitEnvironment


@dataclass(frozen=True, slots=True)
class HostedParts:
    """Everything that one process needs to serve calls; closed by `aclose`."""

    rest: ScalekitRest
    directory: HostedDirectory
    consent: HostedConsent
    tools: HostedTools
    own_http: httpx.AsyncClient | None
    log_rule: HostOnly

    async def aclose(self) -> None:
        """Close the connections that were opened here."""
        self.log_rule.detach()
        if self.own_http is not None:
            await self.own_http.aclose()


def build_hosted_parts(
    environment: ScalekitEnvironment,
    *,
    connection_name: str,
    clock: Clock,
    http: httpx.AsyncClient | None,
    ring: KeyRing | None,
    user_verification: str,
    user_verify_url: str | None,
    timezone: str,
    scopes: Sequence[str],
    sandbox: bool,
) -> HostedParts:
    """Put the parts together. Opens no connection."""
    own_http = None
    if http is None:
        own_http = environment.network.client([environment.env_url], make=UpstreamClient)
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
        connection_name=connection_name,
        clock=clock,
        ring=ring,
        user_verification=UserVerification(user_verification),
        user_verify_url=user_verify_url,
        scopes=scopes,
        sandbox=sandbox,
    )
    directory = HostedDirectory(rest, connection_name)
    tools = HostedTools(rest, directory, consent, clock=clock, pages=SealedPages(ring, clock), timezone=timezone)
    log_rule = HostOnly(environment.env_url).attach()
    return HostedParts(rest, directory, consent, tools, own_http, log_rule)
