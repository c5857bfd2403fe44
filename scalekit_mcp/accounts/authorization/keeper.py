"""The interface between an authorization and the service that keeps the tokens; each kind of connection implements it.

Everything else about an attempt is the same for all of them: its link, page, cookie, `state`, code, tries and end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from scalekit_mcp.accounts.model.approval_request import ApprovalRequest
from scalekit_mcp.accounts.model.records import Attempt, ConnectedAccount, Held
from scalekit_mcp.accounts.vault.changes import Change


class Keeper(Protocol):
    """Gets and keeps the tokens of one connection: our own vault, or a service such as Scalekit."""

    @property
    def provider_name(self) -> str:
        """The name of the provider as pages show it, such as `Microsoft`."""
        ...

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes that a consent asks for unless a call names others."""
        ...

    @property
    def has_administrators(self) -> bool:
        """Whether organizations of this provider have somebody who approves applications or takes them away."""
        ...

    async def consent_url(self, attempt: Attempt, account: ConnectedAccount) -> str:
        """The address of the consent page; `attempt.secrets` hold the `state`, nonce and code verifier to use.

        Raises:
            ScalekitMCPError: there is none just now; the link can be tried again.
        """
        ...

    async def redeem(self, attempt: Attempt, query: Mapping[str, str]) -> Held:
        """Exchange the query of the callback for tokens, or for a request that the keeper holds.

        Called once for each `state`. Raises `GrantError` and nothing else on purpose: for an error in the query, too.
        """
        ...

    async def accept(self, account: ConnectedAccount, held: Held) -> Sequence[Change]:
        """Use the result of `redeem` after the person is confirmed; returns the changes to write with the success.

        May be called again with the same `held` where a write lost against another one.

        Raises:
            InvalidInput: what is held is worth nothing any more: the sign-in has to begin anew.
            ScalekitMCPError: nothing is known about it; it can be tried again.
        """
        ...

    def approval(self, account: ConnectedAccount | None, *, redirect_uri: str, state: str) -> ApprovalRequest | None:
        """How an administrator approves the application, where that is possible and needed.

        `account` is None where nobody has signed in yet.
        """
        ...
