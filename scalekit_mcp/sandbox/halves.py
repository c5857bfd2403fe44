"""The halves of the look-alike over one world: identity and Graph, and the hosted API beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.types import ASGIApp

from scalekit_mcp.sandbox.graph import GraphApp
from scalekit_mcp.sandbox.identity.app import IdentityApp
from scalekit_mcp.sandbox.identity.tokens import AccessTokens
from scalekit_mcp.sandbox.pages import Pages
from scalekit_mcp.sandbox.world import World

if TYPE_CHECKING:
    from scalekit_mcp.sandbox.scalekit.app import ScalekitLookAlike

HOSTED_PREFIX = "/scalekit"


@dataclass
class Halves:
    """Identity and Graph over one world, and the hosted API beside them once somebody wants it."""

    world: World
    identity: IdentityApp
    graph: ASGIApp
    tokens: AccessTokens
    pages: Pages
    _scalekit: ScalekitLookAlike | None = None

    def revoke_connection(self, connection: str, identifier: str) -> None:
        """Take a connection of the hosted API away from a person; raises LookupError where there is none."""
        if self._scalekit is None:
            raise LookupError("nobody has used the hosted API")
        self._scalekit.revoke(connection, identifier)

    def scalekit(self, microsoft: ASGIApp) -> ScalekitLookAlike:
        """The look-alike of Scalekit's hosted API, which is a client of `microsoft` like any other."""
        if self._scalekit is None:
            from scalekit_mcp.sandbox.scalekit.app import ScalekitLookAlike

            self._scalekit = ScalekitLookAlike(self.world, microsoft, prefix=HOSTED_PREFIX)
        return self._scalekit


def build(world: World) -> Halves:
    """Both halves for a new world."""
    tokens, pages = AccessTokens(world), Pages()
    return Halves(world, IdentityApp(world, tokens, pages), GraphApp(world, tokens), tokens, pages)
