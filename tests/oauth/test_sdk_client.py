"""The client of the MCP SDK signs in by itself: discovery, registration or document, consent, tokens, step-up."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import httpx2 as httpx
import pytest
from mcp.client.auth import OAuthClientProvider
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata, OAuthToken
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from scalekit_mcp.accounts.model.grants import ClientKind, GrantEnd
from scalekit_mcp.demo.remote_host import HostStorage
from scalekit_mcp.server.callers.authentication import AuthenticationError
from scalekit_mcp.server.oauth.clients import OAuthClient
from scalekit_mcp.server.oauth.metadata import OAuthMetadata
from scalekit_mcp.server.oauth.requests import code_url
from tests.accounts.grants_support import KEY
from tests.oauth.oauth_room import COOKIE, ISSUER, OAuthRoom, open_oauth, state_of

REDIRECT_URI = "http://localhost:3030/callback"
DOCUMENT = "https://client.example/oauth/client.json"


class Person:
    """Opens the address that a host gives, presses Continue, and signs in."""

    def __init__(self, room: OAuthRoom) -> None:
        self.room = room
        self.opened: list[str] = []
        self.answer = ""

    async def open(self, url: str) -> None:
        self.opened.append(url)
        leaving = await self.room.press(await self.room.browser.get(url))
        secret = self.room.browser.cookies[COOKIE]
        sign_in = await self.room.grants.sign_ins.take(state_of(leaving), browser_secret=secret)
        code = await self.room.grants.sign_ins.issue_code(sign_in, KEY)
        self.answer = code_url(ISSUER, sign_in.request, code)

    async def back(self) -> AuthorizationCodeResult:
        assert self.answer.startswith(f"{REDIRECT_URI}?")
        return AuthorizationCodeResult(**dict(parse_qsl(urlsplit(self.answer).query)))


def protect(room: OAuthRoom) -> None:
    """A resource at `/mcp`; writing needs its scope."""
    metadata = OAuthMetadata(ISSUER)

    async def resource(request: Request) -> Response:
        try:
            caller = await room.tokens.authenticate(request.headers)
        except AuthenticationError as denied:
            return metadata.denial(request.url.path, denied, with_token="authorization" in request.headers)
        if request.method == "POST" and "calendar.write" not in caller.scopes:
            both = "calendar.read calendar.write"
            denied = AuthenticationError(403, "insufficient_scope", "Writing needs the scope calendar.write.", both)
            return metadata.denial(request.url.path, denied, with_token=True)
        return JSONResponse({"caller": caller.subject})

    room.app.router.routes.append(Route("/mcp", resource, methods=["GET", "POST"]))


def host(person: Person, storage: HostStorage, *, document: str | None = None) -> httpx.AsyncClient:
    provider = OAuthClientProvider(
        f"{ISSUER}/mcp",
        OAuthClientMetadata(redirect_uris=[REDIRECT_URI], client_name="A host"),  # type: ignore[list-item]
        storage,
        redirect_handler=person.open,
        callback_handler=person.back,
        client_metadata_url=document,
    )
    transport = httpx.ASGITransport(app=person.room.app)
    return httpx.AsyncClient(transport=transport, base_url=ISSUER, auth=provider)


@pytest.mark.parametrize("document", [None, DOCUMENT])
async def test_the_sdk_signs_in_with_a_registration_or_a_document(document: str | None):
    async with open_oauth() as room:
        protect(room)
        room.documents.clients[DOCUMENT] = OAuthClient(
            DOCUMENT, ClientKind.DOCUMENT, "A host", ("http://localhost/callback",), "client.example"
        )
        person, storage = Person(room), HostStorage()
        async with host(person, storage, document=document) as http:
            answer = await http.get("/mcp")
            assert answer.json() == {"caller": KEY.identifier}
            assert len(person.opened) == 1
            assert storage.client is not None
            assert (storage.client.client_id == DOCUMENT) is (document is not None)
            # its own clock says when to refresh: nobody is asked again
            assert storage.tokens is not None
            first = storage.tokens.refresh_token
            http.auth.context.token_expiry_time = 1  # type: ignore[union-attr]
            assert (await http.get("/mcp")).status_code == 200
            assert storage.tokens.refresh_token != first
            assert len(person.opened) == 1


async def test_the_sdk_signs_in_again_after_the_grant_has_ended():
    async with open_oauth() as room:
        protect(room)
        person, storage = Person(room), HostStorage()
        async with host(person, storage) as http:
            await http.get("/mcp")
            [grant] = await room.grants.grants.list(KEY)
            await room.grants.grants.end(grant.id, GrantEnd.REVOKED_BY_APP)
            assert (await http.get("/mcp")).status_code == 200
            assert len(person.opened) == 2


async def test_the_sdk_asks_for_more_when_a_scope_is_missing():
    async with open_oauth() as room:
        protect(room)
        person, storage = Person(room), HostStorage()
        async with host(person, storage) as http:
            await http.get("/mcp")
            assert storage.tokens is not None
            assert storage.tokens.refresh_token is not None
            room.client_id = storage.client.client_id if storage.client else ""
            narrow = await room.refresh(storage.tokens.refresh_token, scope="calendar.read")
            storage.tokens = http.auth.context.current_tokens = OAuthToken(**narrow.json())  # type: ignore[union-attr]
            assert (await http.post("/mcp")).status_code == 200
            assert len(person.opened) == 2
