"""The look-alike as one object: in process or on a socket, with its switches as methods."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING

from scalekit_mcp.sandbox.control.controls import Controls
from scalekit_mcp.sandbox.dispatch import Dispatcher
from scalekit_mcp.sandbox.world import Person, RecordedRequest, SandboxClock

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import ASGIApp

    from scalekit_mcp.sandbox.browser import Browser


class Sandbox(Controls):
    """One look-alike, in process (`app`, an ASGI application) or served on a socket (`serve`).

    The same `seed` gives the same people, ids and calendars. `week_of` is a day of the week that the seeded calendars
    are filled for; the present week when left out. The switches are the methods of `Controls`.
    """

    def __init__(self, seed: int = 0, week_of: date | None = None) -> None:
        at = datetime.combine(week_of, time(), UTC) if week_of is not None else None
        super().__init__(seed=seed, week_of=at)
        self._dispatcher = Dispatcher(self)

    @property
    def app(self) -> ASGIApp:
        """The whole look-alike as one ASGI application; a dropped connection is raised through it."""
        return self._dispatcher

    @property
    def clock(self) -> SandboxClock:
        """The sandbox's time."""
        return self.world.clock

    @property
    def people(self) -> dict[str, Person]:
        """Everybody, by lower-case address."""
        return self.world.people

    @property
    def requests(self) -> list[RecordedRequest]:
        """What was received by identity and Graph, oldest first."""
        return list(self.world.requests)

    @property
    def url(self) -> str:
        """Where the sandbox is reached, without a slash at the end."""
        return self.base_url

    def browser(self, *, stop_at: tuple[str, ...] = ()) -> Browser:
        """A browser that reaches the sandbox in process; see `Browser.sign_in`."""
        from scalekit_mcp.sandbox.browser import Browser

        return Browser.of(self.app, base_url=self.base_url, stop_at=stop_at)

    def access_token(self, address: str, scope: str = "User.Read Calendars.ReadWrite") -> str:
        """An access token without a sign-in, for tests that are about calendars alone."""
        client_id = self.registration().client_id
        return self.halves.tokens.issue(self.person(address), frozenset(scope.split()), client_id=client_id)

    @asynccontextmanager
    async def serve(
        self, port: int = 0, host: str = "127.0.0.1", *, tls: tuple[Path, Path] | None = None
    ) -> AsyncGenerator[str]:
        """Serve on a socket in the current event loop; gives the base URL, without a slash at the end.

        On a loopback host both 127.0.0.1 and ::1 answer, where the machine has both. `tls` names the files of a
        certificate and its key (PEM), for clients that refuse plain http. Raises OSError when the port is taken.
        """
        from scalekit_mcp.sandbox.serving import serving

        before = self.base_url
        async with serving(self.app, port=port, host=host, tls=tls) as base_url:
            self.base_url = base_url
            try:
                yield base_url
            finally:
                self.base_url = before

    def scalekit_environment(self) -> dict[str, str]:
        """The settings with which a client reaches the look-alike of Scalekit's hosted API beside this Microsoft."""
        return self.halves.scalekit(self.app).environment()
