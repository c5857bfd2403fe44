"""A LOOK-ALIKE of Scalekit's hosted API: connected accounts, magic links, verification, Outlook calendar tools.

Its consent goes to the sandbox's own Microsoft, with an application of its own; its tools call the sandbox's Graph.
Sources: Scalekit's AgentKit pages "Connected accounts", "Verify user identity" and the published REST reference.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from datetime import timedelta
from urllib.parse import parse_qs, quote, urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from scalekit_mcp.sandbox.scalekit.accounts import ScalekitAccounts
from scalekit_mcp.sandbox.scalekit.connectors import Services, ToolLists, consent_form
from scalekit_mcp.sandbox.scalekit.executions import Executions, new_execution_id
from scalekit_mcp.sandbox.scalekit.proxy import PROXY_PREFIX, Proxy
from scalekit_mcp.sandbox.scalekit.records import (
    Account,
    AuthRequest,
    Consent,
    Fault,
    HeldTokens,
    Records,
    ScalekitSwitches,
)
from scalekit_mcp.sandbox.scalekit.runs import CALENDAR_SCOPES, Microsoft, ProviderError
from scalekit_mcp.sandbox.scalekit.services import SERVICES
from scalekit_mcp.sandbox.scalekit.wire import (
    CONNECTION_ID,
    CONNECTION_NAME,
    SELECTORS,
    RequestError,
    account_json,
    back_to,
    faulty,
    instant,
    json_body,
    page,
    recorded,
)
from scalekit_mcp.sandbox.world import AppRegistration, World
from scalekit_mcp.sandbox.world.dropped import ConnectionDropped

SCALEKIT_CLIENT_ID = "skc_5a9db0c500000001"
SCALEKIT_CLIENT_SECRET = "sandbox-scalekit-secret"  # noqa: S105 - printed on the start page
SCALEKIT_PREFIX = "/scalekit"
MICROSOFT_CLIENT_ID = "5a9db0c5-0000-4000-8000-0000005ca1e0"
MICROSOFT_CLIENT_SECRET = "sandbox-hosted-secret"  # noqa: S105 - known to the look-alike alone

Handler = Callable[[Request], Awaitable[Response]]
_COOKIE = "scalekit_consent"


class ScalekitLookAlike:
    """The hosted API as one ASGI application, `app`.

    `microsoft` is the sandbox's application that answers `/common/oauth2/v2.0/token` and `/v1.0/me/...`. The look-alike
    is mounted below `prefix` of the same server, or served alone with its own `base_url`.
    """

    def __init__(
        self, world: World, microsoft: ASGIApp, *, prefix: str = SCALEKIT_PREFIX, base_url: str | None = None
    ) -> None:
        self.world = world
        self.switches = ScalekitSwitches()
        self.records = Records()
        self._accounts = ScalekitAccounts(world, self.records, self.switches)
        self._tools = ToolLists(self.records, self.switches)
        self._services = Services(world, self.switches)
        self._prefix = prefix
        self._base_url = base_url
        self._microsoft = Microsoft(world, microsoft, MICROSOFT_CLIENT_ID, MICROSOFT_CLIENT_SECRET)
        self._executions = Executions(world, self.switches, self._accounts, self._services, self._microsoft)
        self._proxy = Proxy(world, self._accounts, self._microsoft, self._executions.access_token)
        world.apps[MICROSOFT_CLIENT_ID] = AppRegistration(
            MICROSOFT_CLIENT_ID, "Calendar assistant, hosted by Scalekit", MICROSOFT_CLIENT_SECRET, redirect_uris=()
        )
        self._api: dict[tuple[str, str], Handler] = {
            ("GET", "/connected_accounts"): self._accounts.list,
            ("POST", "/connected_accounts"): self._accounts.create,
            ("PUT", "/connected_accounts"): self._accounts.update,
            ("GET", "/connected_accounts/details"): self._accounts.details,
            ("POST", "/connected_accounts:delete"): self._accounts.delete,
            ("POST", "/connected_accounts/magic_link"): self._magic_link,
            ("POST", "/connected_accounts/user/verify"): self._verify,
            ("POST", "/execute_tool"): self._executions.execute_tool,
            ("GET", "/tools"): self._tools.catalogue,
            ("GET", "/tools/scoped"): self._tools.scoped,
        }

    @property
    def base_url(self) -> str:
        """What `SCALEKIT_ENV_URL` is set to."""
        return self._base_url or self.world.base_url + self._prefix

    def environment(self) -> dict[str, str]:
        """The variables that point a server in hosted mode at this look-alike."""
        return {
            "SCALEKIT_ENV_URL": self.base_url,
            "SCALEKIT_CLIENT_ID": SCALEKIT_CLIENT_ID,
            "SCALEKIT_CLIENT_SECRET": SCALEKIT_CLIENT_SECRET,
        }

    def expire_machine_tokens(self) -> int:
        """End every access token of API clients, as a rotated signing key does; how many."""
        count = len(self.records.machine_tokens)
        self.records.machine_tokens.clear()
        return count

    # -- the application

    @property
    def app(self) -> ASGIApp:
        """The ASGI application; paths may or may not still carry the prefix of a mount."""
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        response = await self._respond(request)
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        path = request.url.path
        root = str(request.scope.get("root_path", ""))
        for prefix in (root, self._prefix):
            if prefix and path.startswith(prefix + "/"):
                path = path.removeprefix(prefix)
        await request.body()
        status = None
        try:
            response = await self._answer(request, path)
            status = response.status_code
        finally:
            self.world.record(
                area="scalekit",
                method=request.method,
                path=path,
                query=dict(request.query_params),
                headers={name.lower(): value for name, value in request.headers.items()},
                body=recorded(await request.body()),
                status=status,
            )
        return response

    async def _answer(self, request: Request, path: str) -> Response:
        fault = self._fault(request.method, path, await request.body())
        if fault is not None and fault.drop == "before":
            raise ConnectionDropped
        if fault is not None and not fault.apply and fault.drop is None:
            return faulty(fault)
        try:
            response = await self._route(request, path)
        except RequestError as refusal:
            response = refusal.response()
        if fault is not None and fault.drop == "after":
            raise ConnectionDropped
        return response if fault is None else faulty(fault)

    def _fault(self, method: str, path: str, body: bytes) -> Fault | None:
        for fault in self.switches.faults:
            wanted = fault.path_contains in path and fault.body_contains.encode() in body
            if fault.times > 0 and wanted and fault.method in (None, method):
                fault.times -= 1
                return fault
        return None

    async def _route(self, request: Request, path: str) -> Response:
        if path == "/oauth/token" and request.method == "POST":
            return await self._token(request)
        if path.startswith("/magicLink/") and request.method == "GET":
            return self._open_link(request, path.removeprefix("/magicLink/"))
        if path.startswith("/consent/"):
            return await self._consent_page(request, path.removeprefix("/consent/"))
        if path == f"/sso/v1/oauth/{CONNECTION_ID}/callback" and request.method == "GET":
            return await self._callback(request)
        if path == "/connected":
            return page("Connected", "Your account is connected. You can close this page.")
        if path.startswith(PROXY_PREFIX):
            self._authenticate(request)
            return await self._proxied(request, path)
        if not path.startswith("/api/v1/"):
            raise RequestError(5, "NOT_FOUND", "Not Found")
        self._authenticate(request)
        handler = self._api.get((request.method, path.removeprefix("/api/v1")))
        if handler is not None:
            return await handler(request)
        name = path.removeprefix("/api/v1/connected_accounts/")
        if name != path and self.switches.preview_routes and "/" not in name:
            if request.method == "POST" and name.endswith(":disconnect"):
                return self._accounts.disconnect(name.removesuffix(":disconnect"))
            if request.method == "GET":
                return JSONResponse({"connected_account": account_json(self._accounts.known({"id": name}))})
        raise RequestError(5, "NOT_FOUND", "Not Found")

    # -- machine tokens

    async def _token(self, request: Request) -> Response:
        form = parse_qs((await request.body()).decode())
        given = {name: values[0] for name, values in form.items()}
        if given.get("grant_type") != "client_credentials":
            return JSONResponse({"error": "unsupported_grant_type"}, status_code=400)
        if (given.get("client_id"), given.get("client_secret")) != (SCALEKIT_CLIENT_ID, SCALEKIT_CLIENT_SECRET):
            return JSONResponse({"error": "invalid_client"}, status_code=401)
        token = secrets.token_urlsafe(48)
        seconds = self.switches.machine_token_seconds
        self.records.machine_tokens[token] = self.world.clock.now() + timedelta(seconds=seconds)
        return JSONResponse(
            {"access_token": token, "token_type": "Bearer", "expires_in": seconds, "scope": "openid"},
            headers={"Cache-Control": "no-store"},
        )

    def _authenticate(self, request: Request) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        ends = self.records.machine_tokens.get(token)
        if scheme.lower() != "bearer" or ends is None or ends <= self.world.clock.now():
            raise RequestError(16, "UNAUTHENTICATED", "access token is missing, invalid or expired")

    # -- consent

    async def _magic_link(self, request: Request) -> Response:
        given = await json_body(request, SELECTORS | {"state", "user_verify_url"})
        if len(given.get("state") or "") > 512:
            raise RequestError(3, "INVALID_ARGUMENT", "state must be at most 512 characters", field="state")
        verify_url = given.get("user_verify_url")
        if verify_url and (len(verify_url) > 2048 or not verify_url.startswith(("http://", "https://"))):
            raise RequestError(3, "INVALID_ARGUMENT", "user_verify_url is not valid", field="user_verify_url")
        account = self._accounts.known(given)
        expires_at = self.world.clock.now() + timedelta(seconds=self.switches.link_seconds)
        token = secrets.token_urlsafe(24)
        self.records.consents[token] = Consent(account.id, given.get("state"), verify_url, expires_at)
        return JSONResponse({"link": f"{self.base_url}/magicLink/{token}", "expiry": instant(expires_at)})

    def _open_link(self, request: Request, token: str) -> Response:
        del request
        consent = self.records.consents.get(token)
        if consent is None or consent.opened or consent.expires_at <= self.world.clock.now():
            return page("Session expired or invalid", "Ask for a new link and start again.", status=400)
        consent.opened = True
        account = self.records.accounts.get(consent.account_id)
        if account is not None and account.connector in SERVICES:
            return self._with_cookie(consent, f"{self.base_url}/consent/{consent.oauth_state}")
        callback = f"{self.base_url}/sso/v1/oauth/{CONNECTION_ID}/callback"
        self.world.apps[MICROSOFT_CLIENT_ID].redirect_uris = (callback,)
        query = {
            "client_id": MICROSOFT_CLIENT_ID,
            "response_type": "code",
            "response_mode": "query",
            "redirect_uri": callback,
            "scope": CALENDAR_SCOPES,
            "state": consent.oauth_state,
        }
        authorize = f"{self.world.base_url}/common/oauth2/v2.0/authorize"
        return self._with_cookie(consent, f"{authorize}?{urlencode(query, quote_via=quote)}")

    def _with_cookie(self, consent: Consent, url: str) -> Response:
        answer = RedirectResponse(url, status_code=302)
        answer.set_cookie(_COOKIE, consent.cookie, httponly=True, samesite="lax", path="/")
        return answer

    async def _consent_page(self, request: Request, oauth_state: str) -> Response:
        """The consent of a service without a look-alike of its own: one page with two buttons."""
        consent = next((c for c in self.records.consents.values() if c.oauth_state == oauth_state), None)
        account = self.records.accounts.get(consent.account_id) if consent is not None else None
        if consent is None or account is None or consent.done:
            return page("Session expired or invalid", "Ask for a new link and start again.", status=400)
        if request.cookies.get(_COOKIE) != consent.cookie:
            return page("Invalid state", "Finish in the browser in which you began.", status=400)
        if request.method != "POST":
            return consent_form(account)
        consent.done = True
        action = parse_qs((await request.body()).decode()).get("action", [""])[0]
        if action != "allow":
            return back_to(consent, {"error": "access_denied", "error_description": "the user declined"})
        return self._consented(consent, account, self._services.tokens())

    async def _callback(self, request: Request) -> Response:
        query = request.query_params
        consent = next((c for c in self.records.consents.values() if c.oauth_state == query.get("state")), None)
        if consent is None or consent.done:
            return page("Session expired or invalid", "Ask for a new link and start again.", status=400)
        if request.cookies.get(_COOKIE) != consent.cookie:
            return page("Invalid state", "Finish in the browser in which you began.", status=400)
        consent.done = True
        account = self.records.accounts.get(consent.account_id)
        if account is None:
            return page("Session expired or invalid", "The account was deleted meanwhile.", status=400)
        if "error" in query:
            return back_to(consent, {"error": query["error"], "error_description": query.get("error_description", "")})
        callback = f"{self.base_url}/sso/v1/oauth/{CONNECTION_ID}/callback"
        try:
            tokens = await self._microsoft.redeem(query.get("code", ""), callback)
        except ProviderError:
            return back_to(consent, {"error": "failed_to_exchange_token", "error_description": "token exchange failed"})
        return self._consented(consent, account, tokens)

    def _consented(self, consent: Consent, account: Account, tokens: HeldTokens) -> Response:
        """Keep the tokens, or hold them until the person is verified."""
        if self.switches.verification == "none":
            account.tokens = tokens
            self._accounts.set_status(account, "ACTIVE")
            return RedirectResponse(f"{self.base_url}/connected", status_code=302)
        if consent.user_verify_url is None:
            description = "user_verify_url not configured for verification redirect"
            return back_to(consent, {"error": "failed_to_exchange", "error_description": description})
        request_id = secrets.token_urlsafe(32)
        expires_at = self.world.clock.now() + timedelta(seconds=self.switches.auth_request_seconds)
        self.records.auth_requests[request_id] = AuthRequest(account.id, tokens, expires_at, account.status)
        self._accounts.set_status(account, "PENDING_VERIFICATION")
        return back_to(consent, {"auth_request_id": request_id})

    async def _verify(self, request: Request) -> Response:
        given = await json_body(request, {"auth_request_id", "identifier"})
        for name, most in (("auth_request_id", 1000), ("identifier", 200)):
            if not 1 <= len(str(given.get(name) or "")) <= most:
                raise RequestError(3, "INVALID_ARGUMENT", f"{name} is required", field=name)
        held = self.records.auth_requests.get(given["auth_request_id"])
        account = self.records.accounts.get(held.account_id) if held is not None else None
        if held is None or account is None or held.expires_at <= self.world.clock.now():
            raise RequestError(5, "RESOURCE_NOT_FOUND", "auth request not found or expired")
        if account.identifier != given["identifier"]:
            raise RequestError(7, "PERMISSION_DENIED", "identifier does not match the auth request")
        del self.records.auth_requests[given["auth_request_id"]]
        account.tokens = held.tokens
        self._accounts.set_status(account, "ACTIVE")
        return JSONResponse({"post_user_verify_redirect_url": f"{self.base_url}/connected"})

    # -- access that others take away, and the proxy

    def revoke(self, connection: str, identifier: str) -> None:
        """The organization takes a connection away from a person: what was granted is worth nothing any more."""
        account = self.records.find(connection, identifier, None)
        if account is None or account.tokens is None:
            raise LookupError(f"{identifier} is not connected on {connection}")
        account.tokens.refresh_token = None
        account.tokens.expires_at = self.world.clock.now()

    async def _proxied(self, request: Request, path: str) -> Response:
        try:
            return await self._proxy.answer(request, path)
        except ProviderError as refused:
            raise self._executions.tool_error(refused, new_execution_id()) from refused


__all__ = ["CONNECTION_NAME", "SCALEKIT_CLIENT_ID", "SCALEKIT_CLIENT_SECRET", "SCALEKIT_PREFIX", "ScalekitLookAlike"]
