"""The time of the last use of each account, written in the background so that no call waits for it."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta

from scalekit_mcp.accounts.model.records import ConnectedAccount
from scalekit_mcp.accounts.vault.changes import NoteAccount
from scalekit_mcp.accounts.vault.vault import Vault
from scalekit_mcp.concurrency import SingleFlight
from scalekit_mcp.errors import VaultError

USE_INTERVAL = timedelta(minutes=15)
"""How exact the time of the last use is."""
MOST_NOTED = 10_000
"""How many accounts' uses are remembered; one more forgets the oldest, and a use of it is written once more."""
MOST_WRITTEN_AT_ONCE = 200
CLOSE_SECONDS = 2.0
"""How long the end waits for the last uses to be written."""


class LastUses:
    """The last uses of the accounts of one vault."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._noted: dict[str, datetime] = {}
        self._waiting: dict[str, datetime] = {}
        self._writing: SingleFlight[None, None] = SingleFlight()

    def note(self, account: ConnectedAccount, now: datetime) -> None:
        """Remember a use; it is written if the last written one is more than `USE_INTERVAL` ago."""
        known = max(filter(None, (account.last_used_at, self._noted.get(account.id))), default=None)
        if known is not None and now - known < USE_INTERVAL:
            return
        self._noted.pop(account.id, None)
        if len(self._noted) >= MOST_NOTED:
            del self._noted[next(iter(self._noted))]
        self._noted[account.id] = now
        if len(self._waiting) < MOST_NOTED:
            self._waiting[account.id] = now
        self._writing.start(None, self._write)

    async def aclose(self) -> None:
        """Wait up to `CLOSE_SECONDS` for a write that is running."""
        await self._writing.aclose(CLOSE_SECONDS)

    async def _write(self) -> None:
        while self._waiting:
            ids = list(self._waiting)[:MOST_WRITTEN_AT_ONCE]
            notes = [NoteAccount(account_id, last_used_at=self._waiting.pop(account_id)) for account_id in ids]
            with suppress(VaultError):  # a time of use that cannot be written is no reason to fail anything
                if not await self._vault.commit(*notes):  # one of the accounts was deleted meanwhile
                    for note in notes:
                        await self._vault.commit(note)
