"""What a calendar tool answers, whichever toolset it belongs to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class CalendarAnswer:
    """What a tool answers, and the permissions with which it could have answered more."""

    result: dict[str, Any] = field(repr=False)
    further_scopes: tuple[str, ...] = ()
