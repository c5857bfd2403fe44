"""Work on long text goes to a thread, so that everybody else's calls go on meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar, cast

import anyio

LARGE_TEXT_CHARACTERS = 100_000
"""Text longer than this is worked on in a thread; what is shorter takes less time than handing it over is worth."""

T = TypeVar("T")


async def off_loop(characters: int, work: Callable[[], T]) -> T:
    """What `work` returns: done here for a little text, in a thread for more than `LARGE_TEXT_CHARACTERS`."""
    if characters <= LARGE_TEXT_CHARACTERS:
        return work()
    return await anyio.to_thread.run_sync(work)


def body_characters(events: Iterable[Mapping[str, Any] | None]) -> int:
    """How long the bodies of these events are together."""
    total = 0
    for event in events:
        body = (event or {}).get("body")
        if isinstance(body, dict):
            total += len(str(cast("dict[str, Any]", body).get("content") or ""))
    return total
