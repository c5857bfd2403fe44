"""The synchronous clients of this process, and which of them code uses that was handed none.

The one place of the package that keeps state in a module. It has to: `get_tools(connection_name=, identifier=)` and
its like name no client, and a client of their own for every call would cost a thread for every user and, on the
sandbox, find none of the accounts that were connected through another.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator

from scalekit_mcp.client_core import Core
from scalekit_mcp.errors import ConfigurationError
from scalekit_mcp.settings import Settings, check_settings, load_settings

__all__ = ["PROCESS_CLIENTS", "ProcessClients"]


class ProcessClients:
    """Safe under threads, and usable after a fork. Clients that others made are never kept alive or closed here."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: list[weakref.ref[Core]] = []
        self._chosen: Core | None = None
        self._own: Core | None = None
        self._latest: weakref.ref[Core] | None = None

    def add(self, core: Core) -> None:
        """Remember a client that somebody made, for as long as it is referred to."""
        with self._lock:
            self._made = [*(ref for ref in self._made if ref() is not None), weakref.ref(core)]

    def default(self) -> Core:
        """The client for code that was handed none; the same as long as it is open. Raises `ConfigurationError`."""
        replaced: Core | None = None
        with self._lock:
            if self._chosen is not None and not self._chosen.closed:
                return self._chosen
            try:
                settings = load_settings()
                check_settings(settings)
            except ConfigurationError:
                only = self._only_one()
                if only is None:
                    raise
                return only
            found = self._open_with(settings)
            if found is None:
                replaced, self._own = self._own, Core(settings)
                found = self._own
            self._latest = weakref.ref(found)
        del replaced  # it ends, outside the lock, once no tool refers to it
        return found

    def choose(self, core: Core) -> None:
        """Use this client from now on, as long as it is open."""
        with self._lock:
            self._chosen = core

    def close(self) -> None:
        """Close the client that was made here, and forget what was chosen."""
        with self._lock:
            own, self._own, self._chosen, self._latest = self._own, None, None, None
        if own is not None:
            own.close()

    def renew_lock(self) -> None:
        """In the child of a fork: another thread may have held the lock, and it is not there to give it back."""
        self._lock = threading.Lock()

    def _open(self) -> Iterator[Core]:
        """The open clients: first the one that was used last, so that the answer stays the same."""
        for ref in (*([self._latest] if self._latest is not None else []), *self._made):
            core = ref()
            if core is not None and not core.closed:
                yield core

    def _open_with(self, settings: Settings) -> Core | None:
        wanted = settings.model_dump()  # values alone: where each came from does not matter
        return next((core for core in self._open() if core.settings.model_dump() == wanted), None)

    def _only_one(self) -> Core | None:
        """The process's only open client, for an environment that names no credentials."""
        cores = list({id(core): core for core in self._open()}.values())
        return cores[0] if len(cores) == 1 else None


PROCESS_CLIENTS = ProcessClients()

if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=PROCESS_CLIENTS.renew_lock)
