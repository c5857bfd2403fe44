"""The identity half as an ASGI application: routes, cookies, answers, and the record of what came in."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Awaitable, Callable
from email.utils import format_datetime
from typing import Any, NoReturn
from urllib.parse import parse_qsl

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from scalekit_mcp.sandbox.identity import discovery
from scalekit_mcp.sandbox.identity.directory import Directory
from scalekit_mcp.sandbox.identity.errors import IdentityError, description, error_body, timestamp
from scalekit_mcp.sandbox.identity.sign_in.admin_consent import parse_admin_consent
from scalekit_mcp.sandbox.identity.sign_in.authorize import (
    RedirectedError,
    WayBack,
    parse_authorize,
    single_values,
    way_back,
)
from scalekit_mcp.sandbox.identity.sign_in.device import begin_device_authorization, device_sign_in
from scalekit_mcp.sandbox.identity.sign_in.steps import Outcome, Page, SignIn
from scalekit_mcp.sandbox.identity.store import BrowserSession, IdentityStore
from scalekit_mcp.sandbox.identity.token_endpoint import TokenEndpoint, TokenRequest
from scalekit_mcp.sandbox.identity.tokens import AccessTokens, InvalidTokenError
from scalekit_mcp.sandbox.pages import Pages
from scalekit_mcp.sandbox.world import Person, TokenFault, World
from scalekit_mcp.sandbox.world.faults import take_token_fault

SESSION_COOKIE = "sandbox_session"
Handler = Callable[["Exchange"], Awaitable[Response]]


class Exchange:
    """One request with what the handlers need of it."""

    def __init__(self, request: Request, body: bytes) -> None:
        self.request = request
        self.base_url = f"{request.url.scheme}://{request.headers.get('host') or 'localhost'}"
        self.pairs = parse_qsl(request.url.query, keep_blank_values=True)
        content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        self.form_pairs: list[tuple[str, str]] = []
        self.body: Any = body.decode(errors="replace") or None
        if content_type == "application/x-www-form-urlencoded":
            self.form_pairs = parse_qsl(body.decode(errors="replace"), keep_blank_values=True)
            self.body = dict(self.form_pairs)
        self.segments = [segment for segment in request.url.path.split("/") if segment]
        self.authority = self.segments[0] if self.segments else "common"
        self.correlation_id = request.headers.get("client-request-id") or dict(self.pairs).get("client-request-id")
        self.person: Person | None = None


class IdentityApp:
    """Everything of the look-alike's login host."""

    def __init__(self, world: World, tokens: AccessTokens, pages: Pages) -> None:
        self.store = IdentityStore(world)
        self._world = world
        self._tokens = tokens
        self._pages = pages
        self._directory = Directory(world)
        self._sign_in = SignIn(world, self.store)
        self._token_endpoint = TokenEndpoint(world, self.store, tokens)
        self._routes: dict[tuple[str, str], Handler] = {
            ("GET", "v2.0/.well-known/openid-configuration"): self._configuration,
            ("GET", ".well-known/openid-configuration"): self._configuration,
            ("GET", "discovery/v2.0/keys"): self._keys,
            ("GET", "discovery/keys"): self._keys,
            ("GET", "discovery/instance"): self._instance,
            ("GET", "oauth2/v2.0/authorize"): self._authorize,
            ("POST", "oauth2/v2.0/authorize"): self._authorize,
            ("POST", "oauth2/v2.0/token"): self._token,
            ("GET", "oauth2/v2.0/token"): self._wrong_verb,
            ("OPTIONS", "oauth2/v2.0/token"): self._preflight,
            ("POST", "oauth2/v2.0/devicecode"): self._device_code,
            ("GET", "oauth2/v2.0/logout"): self._logout,
            ("GET", "v2.0/adminconsent"): self._admin_consent,
            ("GET", "adminconsent"): self._admin_consent,
            ("POST", "login"): self._step,
            ("GET", "devicelogin"): self._device_page,
            ("POST", "devicelogin"): self._device_typed,
            ("GET", "oidc/userinfo"): self._userinfo,
            ("POST", "oidc/userinfo"): self._userinfo,
            ("GET", "error"): self._error_page,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request and record it, whatever becomes of it."""
        request = Request(scope, receive)
        exchange = Exchange(request, await request.body())
        status: int | None = None
        try:
            response = await self._respond(exchange)
            status = response.status_code
        finally:
            self._world.record(
                area="identity",
                method=request.method,
                path=request.url.path,
                query=dict(exchange.pairs),
                headers=dict(request.headers),
                body=exchange.body,
                person=exchange.person.address if exchange.person else None,
                status=status,
            )
        response.headers.setdefault("x-ms-request-id", self._world.new_guid())
        response.headers.setdefault("cache-control", "no-store, no-cache")
        response.headers["date"] = format_datetime(self._world.clock.now(), usegmt=True)
        await response(scope, receive, send)

    async def _respond(self, exchange: Exchange) -> Response:
        whole = "/".join(exchange.segments)
        method = "GET" if exchange.request.method == "HEAD" else exchange.request.method
        handler = self._routes.get((method, whole)) if len(exchange.segments) < 3 else None
        handler = handler or self._routes.get((method, "/".join(exchange.segments[1:])))
        if handler is None:
            return self._pages.message("Not found", f"The sandbox has no {method} {exchange.request.url.path}.", 404)
        return await handler(exchange)

    # Discovery

    async def _configuration(self, exchange: Exchange) -> Response:
        try:
            body = discovery.configuration(self._directory, exchange.authority, exchange.base_url)
        except IdentityError as exc:
            return self._error_json(exchange, exc)
        return JSONResponse(body, headers={"cache-control": "max-age=86400, private"})

    async def _keys(self, exchange: Exchange) -> Response:
        body = discovery.key_set(self._tokens.keys, exchange.base_url)
        return JSONResponse(body, headers={"cache-control": "max-age=86400, private"})

    async def _instance(self, exchange: Exchange) -> Response:
        return JSONResponse(discovery.instance(exchange.base_url))

    # Sign-in pages

    async def _authorize(self, exchange: Exchange) -> Response:
        pairs = exchange.pairs if exchange.request.method == "GET" else exchange.form_pairs

        def begin(session: BrowserSession) -> Outcome:
            request = parse_authorize(self._directory, exchange.authority, pairs)
            return self._sign_in.begin(request, session)

        return self._page(exchange, begin)

    async def _admin_consent(self, exchange: Exchange) -> Response:
        version = 2 if "v2.0" in exchange.segments else 1

        def begin(session: BrowserSession) -> Outcome:
            request = parse_admin_consent(self._directory, exchange.authority, exchange.pairs, version=version)
            return self._sign_in.begin(request, session)

        return self._page(exchange, begin)

    async def _step(self, exchange: Exchange) -> Response:
        fields = dict(exchange.form_pairs)
        response = self._page(exchange, lambda session: self._sign_in.step(fields, session))
        flow = self.store.flows.get(fields.get("flow", ""))
        exchange.person = flow.person if flow else None
        return response

    async def _device_page(self, exchange: Exchange) -> Response:
        return self._pages.render("device.html", {"typed": dict(exchange.pairs).get("otc", ""), "problem": None})

    async def _device_typed(self, exchange: Exchange) -> Response:
        typed = dict(exchange.form_pairs).get("user_code", "")
        request = device_sign_in(self._world, self.store, typed)
        if request is None:
            return self._pages.render("device.html", {"typed": typed, "problem": "That code did not work."})
        return self._page(exchange, lambda session: self._sign_in.begin(request, session))

    async def _logout(self, exchange: Exchange) -> Response:
        self.store.sessions.pop(exchange.request.cookies.get(SESSION_COOKIE, ""), None)
        target = dict(exchange.pairs).get("post_logout_redirect_uri")
        response: Response
        if target and any(target in app.redirect_uris for app in self._world.apps.values()):
            response = RedirectResponse(target, status_code=302)
        else:
            response = self._pages.message("Signed out", "You signed out of the sandbox.")
        response.delete_cookie(SESSION_COOKIE)
        return response

    async def _error_page(self, exchange: Exchange) -> Response:
        code = dict(exchange.pairs).get("code", "")
        failure = IdentityError(int(code) if code.isdigit() else None)
        return self._pages.message(f"AADSTS{code}" if code.isdigit() else "Error", failure.text)

    def _page(self, exchange: Exchange, decide: Callable[[BrowserSession], Outcome]) -> Response:
        """Run one step of a sign-in and turn its outcome into an answer."""
        key, session = self.store.session(exchange.request.cookies.get(SESSION_COOKIE))
        try:
            response = self._outcome(decide(session))
        except RedirectedError as exc:
            response = self._outcome(self._failed_way_back(exchange, exc))
        except IdentityError as exc:
            response = self._refusal_page(exchange, exc)
        response.set_cookie(SESSION_COOKIE, key, httponly=True, samesite="lax", path="/")
        return response

    def _outcome(self, outcome: Outcome) -> Response:
        if isinstance(outcome, Page):
            return self._pages.render(outcome.template, outcome.variables, outcome.status)
        if outcome.form is not None:
            return self._pages.form_post(outcome.url, outcome.form)
        return RedirectResponse(outcome.url, status_code=302, headers={"referrer-policy": "no-referrer"})

    def _failed_way_back(self, exchange: Exchange, refused: RedirectedError) -> WayBack:
        failure = refused.failure
        ids = self._ids(exchange)
        fields = {
            "error": failure.error,
            "error_description": description(
                failure, now=self._world.clock.now(), separator=self._world.switches.error_separator, **ids
            ),
        }
        if refused.request.kind == "admin_v1":
            fields["error_description"] = failure.text
        elif refused.request.kind == "admin_v2":
            fields["admin_consent"] = "True"
            if refused.subcode:
                fields["tenant"] = refused.subcode
        else:
            if failure.code:
                fields["error_uri"] = f"{exchange.base_url}/error?code={failure.code}"
            if refused.subcode:
                fields["error_subcode"] = refused.subcode
        return way_back(refused.request, fields)

    def _refusal_page(self, exchange: Exchange, failure: IdentityError) -> Response:
        variables = {
            "failure": failure,
            "ids": self._ids(exchange),
            "timestamp": timestamp(self._world.clock.now()),
        }
        return self._pages.render("refused.html", variables, status=200 if exchange.request.method == "POST" else 400)

    # Endpoints for clients

    async def _token(self, exchange: Exchange) -> Response:
        try:
            form = single_values(exchange.form_pairs)
        except IdentityError as exc:
            return self._error_json(exchange, exc)
        request = TokenRequest(
            authority=exchange.authority,
            form=form,
            authorization=exchange.request.headers.get("authorization"),
            origin=exchange.request.headers.get("origin"),
            base_url=exchange.base_url,
            path=exchange.request.url.path,
        )
        exchange.person = self._token_endpoint.person_of(request)
        fault = take_token_fault(self._world, request.grant_type, exchange.person)
        if fault is not None:
            switched = await self._switched(exchange, request, fault)
            if switched is not None:
                return switched
        try:
            body = self._token_endpoint.answer(request)
        except IdentityError as exc:
            return self._error_json(exchange, exc)
        exchange.person = exchange.person or self._token_endpoint.person_of(request)
        headers = {"pragma": "no-cache"}
        if request.origin:
            headers["access-control-allow-origin"] = "*"
        return JSONResponse(body, headers=headers)

    async def _switched(self, exchange: Exchange, request: TokenRequest, fault: TokenFault) -> Response | None:
        """The switched failure's answer; None when it only delays."""
        if fault.delay_seconds:
            await anyio.sleep(fault.delay_seconds)
        if fault.drop:
            self._drop(request, fault.drop)
        if fault.body is not None:
            headers = {"content-type": "text/html; charset=utf-8", **fault.headers}
            return PlainTextResponse(fault.body, status_code=fault.status, headers=headers)
        if fault.delay_seconds and fault.code is None:
            return None
        failure = IdentityError(
            fault.code,
            error=fault.error,
            suberror=fault.suberror,
            claims=fault.claims,
            status=fault.status,
        )
        response = self._error_json(exchange, failure)
        response.headers.update(fault.headers)
        return response

    def _drop(self, request: TokenRequest, when: str) -> NoReturn:
        from scalekit_mcp.sandbox.world.dropped import ConnectionDropped

        if when == "after":
            with contextlib.suppress(IdentityError):
                self._token_endpoint.answer(request)
        raise ConnectionDropped

    async def _device_code(self, exchange: Exchange) -> Response:
        try:
            form = single_values(exchange.form_pairs)
            body = begin_device_authorization(self._world, self.store, exchange.authority, form, exchange.base_url)
        except IdentityError as exc:
            return self._error_json(exchange, exc)
        return JSONResponse(body)

    async def _userinfo(self, exchange: Exchange) -> Response:
        try:
            info = self._tokens.check(exchange.request.headers.get("authorization"))
        except InvalidTokenError as exc:
            body = {"error": {"code": exc.code, "message": exc.message}}
            return JSONResponse(body, status_code=401, headers={"www-authenticate": exc.www_authenticate})
        person = exchange.person = info.person
        return JSONResponse({"sub": person.oid, "name": person.name, "email": person.address})

    async def _wrong_verb(self, exchange: Exchange) -> Response:
        return self._error_json(exchange, IdentityError(900561))

    async def _preflight(self, exchange: Exchange) -> Response:
        headers = {
            "access-control-allow-origin": "*",
            "access-control-allow-methods": "POST, OPTIONS",
            "access-control-allow-headers": exchange.request.headers.get("access-control-request-headers", "*"),
        }
        return Response(status_code=200, headers=headers)

    def _ids(self, exchange: Exchange) -> dict[str, str]:
        correlation_id = exchange.correlation_id or self._world.new_guid()
        return {"trace_id": self._world.new_guid(), "correlation_id": correlation_id}

    def _error_json(self, exchange: Exchange, failure: IdentityError) -> Response:
        body = error_body(
            failure,
            now=self._world.clock.now(),
            base_url=exchange.base_url,
            separator=self._world.switches.error_separator,
            **self._ids(exchange),
        )
        return Response(json.dumps(body), status_code=failure.status, media_type="application/json; charset=utf-8")
