"""The Host and Origin checks in front of everything that a browser can reach (DNS rebinding)."""

from __future__ import annotations

from collections.abc import Callable, Collection

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send


def matches(value: str, allowed: Collection[str]) -> bool:
    """Whether a Host or an Origin is in the list; an entry that ends in `:*` allows every port."""
    folded = value.casefold()
    if folded in allowed:
        return True
    return any(entry.endswith(":*") and folded.startswith(entry[:-1]) for entry in allowed)


class HostGuard:
    """Refuses requests for another host (421), before anything else looks at them.

    A request with several Host headers, or an HTTP/1.1 request with none, is 400 (RFC 9112 section 3.2): two readers
    could read two hosts. `exempt` paths answer for every host: probes address a machine by its number.
    """

    def __init__(
        self, app: ASGIApp, allowed_hosts: Callable[[], Collection[str]], exempt: Collection[str] = ()
    ) -> None:
        self._app = app
        self._allowed_hosts = allowed_hosts
        self._exempt = exempt

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 400 or 421."""
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        hosts = Headers(scope=scope).getlist("host")
        if len(hosts) > 1 or (not hosts and scope.get("http_version") not in ("1.0", "2", "3")):
            return PlainTextResponse("A request has one Host header.", status_code=400)
        if scope["path"] in self._exempt or (hosts and matches(hosts[0], self._allowed_hosts())):
            return None
        return PlainTextResponse("This server does not answer for that host.", status_code=421)
