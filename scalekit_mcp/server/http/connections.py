"""Limits the number of connections, and chooses which one to close when there are too many.

A connection counts as a stranger's until a request on it was authenticated. At the limit the oldest stranger gives
way, then the caller's connection that has been idle longest; one that is serving a caller never does. So whoever has
no token takes nothing from those who have one: they displace strangers, and nobody displaces them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

logger = logging.getLogger(__name__)

MAX_CONNECTIONS = 10_000
MAX_BACKLOG = 256
"""Most connections that are accepted in one go."""

MAX_QUEUE = 4096
"""Most connections that the kernel keeps until they are accepted; the system may allow fewer."""

SWEEP_SECONDS = 1.0
_TURNS = 4
_LOG_SECONDS = 60.0


class Connection(Protocol):
    """A connection as the table uses it. Times are those of the event loop, in seconds."""

    def check_times(self, now: float) -> None:
        """End the connection if one of its deadlines has passed."""
        ...

    def give_way(self) -> None:
        """Close the connection at once, to make room for another one."""
        ...


@dataclass(frozen=True, slots=True)
class DescriptorShare:
    """The share of the process's descriptors for connections: `connections` at once, `backlog` accepted in one go."""

    connections: int = MAX_CONNECTIONS
    backlog: int = MAX_BACKLOG


def raise_descriptor_limit() -> int | None:
    """Raise the limit of open descriptors to what the system allows this process; the limit, or None for none."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return None
    # macOS says that there is no hard limit and takes no more than the kernel's own
    for wanted in (hard, 1_048_576, 65_536, 10_240):
        if wanted == resource.RLIM_INFINITY or not soft < wanted or (hard != resource.RLIM_INFINITY and wanted > hard):
            continue
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (ValueError, OSError):
            continue
        return wanted
    return soft


def descriptor_share(limit: int | None) -> DescriptorShare:
    """How many of `limit` descriptors connections may take; the rest is for the database, Microsoft and files.

    A connection that must give way is closed three turns of asyncio's loop after the new one was accepted, and each
    turn accepts a whole backlog: hence four.
    """
    if limit is None:
        return DescriptorShare()
    backlog = max(1, min(MAX_BACKLOG, limit // 32))
    rest = min(256, limit // 8)
    return DescriptorShare(max(1, min(MAX_CONNECTIONS, limit - _TURNS * backlog - rest)), backlog)


def lengthen_queue(servers: Iterable[asyncio.Server]) -> None:
    """Have the kernel keep more connections until they are accepted than are accepted in one go.

    asyncio takes one number for both, and a small one loses the connections of a crowd: their clients try again a
    second later.
    """
    for server in servers:
        for listening in server.sockets:
            with contextlib.suppress(OSError), listening.dup() as same:
                same.listen(MAX_QUEUE)


class ConnectionTable:
    """The connections of one server; at most `limit`. Once a second it looks at the deadlines of all of them."""

    def __init__(self, limit: int = MAX_CONNECTIONS, *, sweep_seconds: float = SWEEP_SECONDS) -> None:
        self._limit = limit
        self._sweep_seconds = sweep_seconds
        self._strangers: dict[Connection, None] = {}  # oldest first
        self._callers: dict[Connection, None] = {}
        self._idle: dict[Connection, None] = {}  # those of callers, longest idle first
        self._timer: asyncio.TimerHandle | None = None
        self._gave_way = 0
        self._told_at: float | None = None

    def __len__(self) -> int:
        return len(self._strangers) + len(self._callers)

    def open(self, connection: Connection) -> bool:
        """Add a new, unauthenticated connection; False if the table is full and no connection may be closed for it."""
        if len(self) >= self._limit:
            victim = next(iter(self._strangers), None) or next(iter(self._idle), None)
            self._gave_way += 1
            self._log()
            if victim is None:
                return False
            self.close(victim)
            victim.give_way()
        self._strangers[connection] = None
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._sweep_seconds, self._sweep)
        return True

    def vouch(self, connection: Connection) -> None:
        """Note that a request of the connection was authenticated."""
        if connection in self._strangers:
            del self._strangers[connection]
            self._callers[connection] = None

    def busy(self, connection: Connection) -> None:
        """Note that the connection is serving a request."""
        self._idle.pop(connection, None)

    def idle(self, connection: Connection) -> None:
        """Note that the connection waits for its next request."""
        if connection in self._callers:
            self._idle[connection] = None

    def close(self, connection: Connection) -> None:
        """Remove a connection that has ended."""
        self._strangers.pop(connection, None)
        self._callers.pop(connection, None)
        self._idle.pop(connection, None)

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for connection in [*self._strangers, *self._callers]:
            connection.check_times(now)
        self._timer = loop.call_later(self._sweep_seconds, self._sweep) if len(self) else None

    def _log(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._told_at is not None and now - self._told_at < _LOG_SECONDS:
            return
        logger.warning(
            "There are %d connections, as many as this server takes; %d gave way to new ones, first those without a "
            "valid token.",
            len(self),
            self._gave_way,
        )
        self._told_at, self._gave_way = now, 0
