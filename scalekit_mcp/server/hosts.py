"""The Host and Origin checks in front of everything that a browser can reach (DNS rebinding)."""

from __future__ import annotations

from collections.abc import Callable, Collection

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send


def matches(value: str, allowed: Collection[str]) -> bool:
    """Whether a Host or an Origin is in the list; an entry that ends in `:*` allows every port."""
    folded = value.casefold()
    if folded in allowed:
        return True
    return any(entry.endswith(":*") and folded.startswith(entry[:-1]) for entry in allowed)


class HostGuard:
    """Refuses requests for another host (421), before anything else looks at them.

    `exempt` paths answer for every host: probes address a machine by its number.
    """

    def __init__(
        self, app: ASGIApp, allowed_hosts: Callable[[], Collection[str]], exempt: Collection[str] = ()
    ) -> None:
        self._app = app
        self._allowed_hosts = allowed_hosts
        self._exempt = exempt

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 421."""
        if scope["type"] == "http" and scope["path"] not in self._exempt:
            hosts = Headers(scope=scope).getlist("host")
            if len(hosts) != 1 or not matches(hosts[0], self._allowed_hosts()):
                refusal = PlainTextResponse("This server does not answer for that host.", status_code=421)
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)


class TrimHeaders:
    """Takes the white space around header values off (RFC 9110 section 5.5); httptools leaves what trails."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with plain values."""
        if scope["type"] == "http" and any(value[-1:] in (b" ", b"\t") for _, value in scope["headers"]):
            scope = {**scope, "headers": [(name, value.strip(b" \t")) for name, value in scope["headers"]]}
        await self._app(scope, receive, send)
