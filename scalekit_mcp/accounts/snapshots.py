"""A cache of account records, decrypted tokens included, for a few seconds."""

from __future__ import annotations

import asyncio
from datetime import datetime

from scalekit_mcp.accounts.model.records import AccountKey, StoredAccount
from scalekit_mcp.clock import Clock

MOST_SNAPSHOTS = 10_000
"""How many accounts are remembered at once; one more lets go of the oldest."""


class Snapshots:
    """Records by their account's key, each for `seconds`.

    A record is good for `seconds` of the clock. It leaves the memory after `seconds` of the event loop whether or not
    anybody asks again, so that a process holds opened tokens of those accounts alone that are being used.
    """

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._entries: dict[AccountKey, tuple[StoredAccount, datetime, float]] = {}
        self._sweep: asyncio.TimerHandle | None = None

    def get(self, key: AccountKey) -> StoredAccount | None:
        """The cached record of the account; None if it was not read within the cache time."""
        stored, read_at, _ = self._entries.get(key, (None, None, 0.0))
        if stored is None or read_at is None:
            return None
        return stored if abs((self._clock.now() - read_at).total_seconds()) < self._seconds else None

    def put(self, stored: StoredAccount) -> None:
        """Remember what was just read."""
        loop = asyncio.get_running_loop()
        key = stored.account.key
        self._entries.pop(key, None)  # the dictionary's order is that of reading
        if len(self._entries) >= MOST_SNAPSHOTS:
            del self._entries[next(iter(self._entries))]
        self._entries[key] = (stored, self._clock.now(), loop.time())
        if self._sweep is None:
            self._sweep = loop.call_later(self._seconds, self._let_go)

    def drop(self, key: AccountKey) -> None:
        """Read the record anew next time."""
        self._entries.pop(key, None)

    def _let_go(self) -> None:
        loop, self._sweep = asyncio.get_running_loop(), None
        for key, (_, _, entered) in list(self._entries.items()):
            left = entered + self._seconds - loop.time()
            if left > 0:
                self._sweep = loop.call_later(left, self._let_go)
                return
            del self._entries[key]
