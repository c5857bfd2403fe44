"""What an authorization needs of whoever keeps the tokens: the port that each kind of connection implements.

Everything else about an attempt is the same for all of them: its link, page, cookie, `state`, code, tries and end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from scalekit_mcp.accounts.model.records import Attempt, ConnectedAccount, Held
from scalekit_mcp.accounts.vault.changes import Change


@dataclass(frozen=True, slots=True)
class ApprovalRequest:
    """Where an administrator approves the application for everybody, and a text that can be sent to them as it is."""

    url: str = field(repr=False)
    text: str = field(repr=False)


class Keeper(Protocol):
    """Whoever gets and keeps the tokens of one connection."""

    @property
    def provider_name(self) -> str:
        """Where people sign in, as a page calls it: `Microsoft`."""
        ...

    @property
    def scopes(self) -> tuple[str, ...]:
        """What a consent asks for unless a call says otherwise."""
        ...

    @property
    def has_administrators(self) -> bool:
        """Whether organizations of this provider have somebody who approves applications or takes them away."""
        ...

    async def consent_url(self, attempt: Attempt, account: ConnectedAccount) -> str:
        """The address where the person consents; `attempt.secrets` hold this start's `state`, nonce and verifier.

        Raises:
            ScalekitMCPError: there is none just now; the link can be tried again.
        """
        ...

    async def redeem(self, attempt: Attempt, query: Mapping[str, str]) -> Held:
        """Trade what the callback received for what will connect the account.

        Called once for each `state`. Raises `GrantError` and nothing else on purpose: for an error in the query, too.
        """
        ...

    async def accept(self, account: ConnectedAccount, held: Held) -> Sequence[Change]:
        """Use what `redeem` gave, now that its person is known; answers what to write along with the attempt's success.

        May be called again with the same `held` where a write lost against another one.

        Raises:
            InvalidInput: what is held is worth nothing any more: the sign-in has to begin anew.
            ScalekitMCPError: nothing is known about it; it can be tried again.
        """
        ...

    def approval(self, account: ConnectedAccount, *, redirect_uri: str, state: str) -> ApprovalRequest | None:
        """How an administrator approves the application, where that is possible and needed."""
        ...
