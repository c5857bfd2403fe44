"""The application: its users connect their Outlook calendars and book meetings.

What it does for `scalekit_mcp` are three things: it mounts the consent pages, it sends a user to consent with a `state`
kept in that user's session, and it says, from that session, who came back.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from html import escape
from urllib.parse import parse_qs, urlsplit

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from examples.web_app.sessions import Session, Sessions
from scalekit_mcp.actions import Actions
from scalekit_mcp.actions.models import AuthorizationLinkResponse
from scalekit_mcp.clock import SystemClock
from scalekit_mcp.errors import AuthorizationRequired, InvalidInput, ScalekitMCPError
from scalekit_mcp.server.web.app import Web, WebOptions

VERIFY_PATH = "/outlook/verify"
"""Where the browser comes back after the consent; set as SCALEKIT_MCP_USER_VERIFY_URL."""

SIGN_IN = '<form method="post" action="/login"><input name="user" aria-label="User"><button>Sign in</button></form>'
CONNECT = '<form method="post" action="/outlook/connect"><button>Connect Outlook</button></form>'
BOOK = """<form method="post" action="/meetings"><input name="subject" aria-label="Subject">
<input name="start" type="datetime-local" aria-label="Start"><input name="end" type="datetime-local" aria-label="End">
<button>Book</button></form><form method="post" action="/outlook/disconnect"><button>Disconnect</button></form>"""

Handler = Callable[[Request, Session], Awaitable[Response]]


class Application:
    """The routes. `actions` is opened by whoever runs the application, and closed after it."""

    def __init__(self, actions: Actions, *, public_url: str, sandbox: bool = False) -> None:
        self._actions = actions
        self._public_url = public_url
        secure = public_url.startswith("https://")
        self._sessions = Sessions(secure=secure)
        options = WebOptions(origins=lambda: [public_url], secure=secure, sandbox=sandbox)
        self._consent_pages = Web(lambda: actions, clock=SystemClock(), options=options)

    def starlette(self) -> Starlette:
        """The web application, our pages and the consent pages together."""
        return Starlette(
            routes=[
                Route("/", self.home, methods=["GET"]),
                Route("/login", self.login, methods=["POST"]),
                Route("/outlook/connect", self.signed_in(self.connect), methods=["POST"]),
                Route(VERIFY_PATH, self.signed_in(self.verify), methods=["GET"]),
                Route("/outlook/disconnect", self.signed_in(self.disconnect), methods=["POST"]),
                Route("/meetings", self.signed_in(self.book), methods=["POST"]),
                *self._consent_pages.routes(),
            ],
            middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=[urlsplit(self._public_url).hostname or ""])],
        )

    def signed_in(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        """Only for people with a session; an error of a call becomes a page that says who acts."""

        async def handle(request: Request) -> Response:
            session = self._sessions.of(request)
            if session is None:
                return _page("<p>Sign in first.</p>" + SIGN_IN, status_code=401)
            try:
                return await handler(request, session)
            except ScalekitMCPError as error:
                again = CONNECT if isinstance(error, AuthorizationRequired) else ""
                text = f"<p>{escape(error.message)} {escape(error.next_step)} Who acts: {error.who_acts}.</p>"
                return _page(text + again, status_code=400)

        return handle

    async def login(self, request: Request) -> Response:
        """Whoever says a name is that user; your application asks for more."""
        response = RedirectResponse("/", status_code=303)
        self._sessions.begin(request, response, (await _form(request)).get("user", "guest"))
        return response

    async def home(self, request: Request) -> Response:
        """The state of the user's account, and the next events when it is connected."""
        session = self._sessions.of(request)
        if session is None:
            return _page(SIGN_IN)
        return await self.signed_in(self._overview)(request)

    async def _overview(self, request: Request, session: Session) -> Response:
        del request
        response = await self._actions.get_or_create_connected_account(identifier=session.user)
        account = response.connected_account
        if account.status != "ACTIVE":
            return _page(f"<p>{escape(session.user)}: {account.status} ({account.reason})</p>" + CONNECT)
        listed = await self._actions.execute_tool(
            identifier=session.user,
            tool_name="outlook_list_calendar_events",
            tool_input={"top": 10, "select": "subject,start", "orderby": "start/dateTime asc"},
        )
        events = "".join(
            f"<li>{escape(event['start']['dateTime'][:16])} {escape(event['subject'])}</li>"
            for event in listed["value"]
        )
        whose = f"{session.user}: ACTIVE" + (f", {account.mailbox}" if account.mailbox else "")
        return _page(f"<p>{escape(whose)}</p><ul>{events}</ul>{BOOK}")

    async def connect(self, request: Request, session: Session) -> Response:
        """Send the user to consent; the `state` ties the way back to this session."""
        del request
        session.state = secrets.token_urlsafe(32)
        try:
            link = await self._link(session.user, session.state)
        except AuthorizationRequired:
            # Tokens of an earlier consent wait for a verification that never came: begin anew, they are discarded.
            link = await self._link(session.user, session.state, reconnect=True)
        return RedirectResponse(link.link, status_code=303)

    async def _link(self, user: str, state: str, *, reconnect: bool = False) -> AuthorizationLinkResponse:
        verify_url = self._public_url + VERIFY_PATH
        return await self._actions.get_authorization_link(
            identifier=user, state=state, user_verify_url=verify_url, reconnect=reconnect
        )

    async def verify(self, request: Request, session: Session) -> Response:
        """Who came back is who is signed in here, and nobody whom a parameter names.

        A link can be sent to somebody else: then the person who consents is not the one who began, has another session,
        and the state does not match. Until this call the tokens are held and cannot be used.
        """
        expected, session.state = session.state, None
        given = request.query_params.get("state", "")
        if expected is None or not secrets.compare_digest(expected.encode(), given.encode()):
            return _page("<p>This sign-in was not begun here. Nothing was connected.</p>" + CONNECT, status_code=403)
        try:
            await self._actions.verify_connected_account_user(
                auth_request_id=request.query_params.get("auth_request_id", ""), identifier=session.user
            )
        except InvalidInput as error:
            return _page(f"<p>{escape(error.message)} Nothing was connected.</p>" + CONNECT, status_code=403)
        return RedirectResponse("/", status_code=303)

    async def disconnect(self, request: Request, session: Session) -> Response:
        """Forget the tokens."""
        del request
        await self._actions.disconnect(identifier=session.user)
        return RedirectResponse("/", status_code=303)

    async def book(self, request: Request, session: Session) -> Response:
        """A meeting in the user's own calendar."""
        form = await _form(request)
        await self._actions.execute_tool(
            identifier=session.user,
            tool_name="outlook_create_calendar_event",
            tool_input={
                "subject": form.get("subject"),
                "start_datetime": form.get("start"),
                "start_timezone": "Europe/Berlin",
                "end_datetime": form.get("end"),
                "end_timezone": "Europe/Berlin",
                "isOnlineMeeting": True,
            },
        )
        return RedirectResponse("/", status_code=303)


def _page(body: str, status_code: int = 200) -> HTMLResponse:
    return HTMLResponse(f"<!doctype html><title>Meetings</title><h1>Meetings</h1>{body}", status_code=status_code)


async def _form(request: Request) -> dict[str, str]:
    body = (await request.body()).decode()
    return {name: values[0] for name, values in parse_qs(body).items()}
