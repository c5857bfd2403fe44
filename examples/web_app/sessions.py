"""Stand-in for the sign-in that your application has already: server-side sessions behind a random cookie."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

COOKIE = "session"


@dataclass
class Session:
    """Who is signed in, and the `state` of the authorization that this browser began."""

    user: str
    state: str | None = None


class Sessions:
    """Sessions in memory."""

    def __init__(self, *, secure: bool) -> None:
        self._by_cookie: dict[str, Session] = {}
        self._secure = secure

    def of(self, request: Request) -> Session | None:
        """The session of the browser that sent this request."""
        return self._by_cookie.get(request.cookies.get(COOKIE, ""))

    def begin(self, request: Request, response: Response, user: str) -> None:
        """Sign in; a session of this browser ends.

        SameSite=Lax brings the cookie along when Microsoft sends the browser back, and keeps it out of foreign forms.
        """
        self._by_cookie.pop(request.cookies.get(COOKIE, ""), None)
        cookie = secrets.token_urlsafe(32)
        self._by_cookie[cookie] = Session(user)
        response.set_cookie(COOKIE, cookie, httponly=True, samesite="lax", secure=self._secure)
