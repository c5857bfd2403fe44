"""What the pages of a sign-in show: which app wants what and where the answer goes, and why nothing came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from scalekit_mcp.accounts import ApprovalRequest
from scalekit_mcp.actions import AuthorizationOutcome
from scalekit_mcp.languages import Sentence, said, verbatim


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentPage:
    """The facts of one consent page.

    `destination` is where the answer goes: a `host`, this `computer`, or the `app` that is registered for a scheme.
    `client_name` is the app's own claim; `document_host` published its document and was verified, None for a
    registration. `access` are our scopes in words, `provider_scopes` the provider's own names.
    """

    destination: str
    destination_name: str
    client_name: str
    document_host: str | None
    access: tuple[Sentence, ...]
    provider_name: str
    provider_scopes: tuple[str, ...]
    approval: ApprovalRequest | None = None
    cancel_url: str = field(repr=False)
    action: str
    sealed_request: str = field(repr=False)
    csrf: str = field(repr=False)

    @property
    def where(self) -> Sentence:
        """Where the answer goes."""
        match self.destination:
            case "host":
                return verbatim(self.destination_name)
            case "computer":
                return said("consent.computer", name=self.destination_name)
            case _:
                return said("consent.scheme", name=self.destination_name)

    @property
    def warning(self) -> Literal["computer", "other_host", "scheme"] | None:
        """What the person should look at twice.

        Any program of this computer can stand behind a loopback address or a scheme; and an app whose document is on
        one host may send the answer to another.
        """
        if self.destination == "computer":
            return "computer"
        if self.destination == "app":
            return "scheme"
        if self.document_host is not None and self.document_host.casefold() != self.destination_name.casefold():
            return "other_host"
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedPage:
    """The facts of the page of a failed sign-in: what happened, another try, and the way back to the app at `where`."""

    outcome: AuthorizationOutcome
    action: str
    sealed_request: str = field(repr=False)
    csrf: str = field(repr=False)
    where: Sentence
    return_url: str = field(repr=False)
