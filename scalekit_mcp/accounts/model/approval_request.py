"""What an administrator is asked to approve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ApprovalRequest:
    """The address where an administrator approves the application for everybody, and what a mail to them has to say.

    `permissions` are the provider's names. `ends_on_own_computer`: the last page is on the machine of whoever asks, so
    that it does not load for the administrator.
    """

    url: str = field(repr=False)
    application_id: str
    permissions: tuple[str, ...]
    ends_on_own_computer: bool = False

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ApprovalRequest:
        """The request that `dataclasses.asdict` took apart and JSON carried."""
        members: dict[str, Any] = {**value, "permissions": tuple(value["permissions"])}
        return cls(**members)
