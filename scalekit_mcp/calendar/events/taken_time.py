"""Which events take their owner's time. Sources: event resource type (showAs, responseStatus)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def takes_time(event: Mapping[str, Any]) -> bool:
    """Whether an event takes time: free, cancelled and declined ones take none, working elsewhere does."""
    if str(event.get("showAs")).casefold() == "free" or event.get("isCancelled"):
        return False
    answer: Mapping[str, Any] = event.get("responseStatus") or {}
    return str(answer.get("response")).casefold() != "declined"
