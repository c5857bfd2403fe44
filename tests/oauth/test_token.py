"""The endpoints for tokens, revocation and registration, over HTTP on a real vault."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2 as httpx
import pytest
from starlette.datastructures import Headers

from scalekit_mcp.accounts.grants import GRACE_SECONDS
from scalekit_mcp.accounts.model.grants import ClientKind, GrantEnd
from scalekit_mcp.accounts.model.records import Reason
from scalekit_mcp.accounts.model.statuses import Cause
from scalekit_mcp.accounts.sign_ins import CODE_SECONDS
from scalekit_mcp.accounts.vault.sealing.key_ring import KeyRing
from scalekit_mcp.server.callers.authentication import AuthenticationError
from scalekit_mcp.server.oauth.clients import OAuthClient
from tests.accounts.grants_support import KEY
from tests.oauth.oauth_room import ISSUER, VERIFIER, OAuthRoom, open_oauth
from tests.oauth.oauth_support import CLAUDE, NEWER, REGISTRATIONS

DOCUMENT = "https://client.example/oauth/client.json"


@pytest.fixture
async def room() -> AsyncIterator[OAuthRoom]:
    async with open_oauth() as room:
        yield room


def refused(answer: httpx.Response, error: str, status: int = 400) -> dict[str, str]:
    """An error of the endpoint as RFC 6749 section 5.2 has it."""
    assert answer.status_code == status, answer.text
    body: dict[str, str] = answer.json()
    assert body["error"] == error, body
    assert set(body) == {"error", "error_description"}
    assert answer.headers["cache-control"] == "no-store"
    return body


async def works(room: OAuthRoom, access_token: str) -> list[str]:
    """The scopes with which a call is let in."""
    caller = await room.tokens.authenticate(Headers({"authorization": f"Bearer {access_token}"}))
    assert caller.subject == KEY.identifier
    return caller.scopes


async def test_a_code_brings_a_pair_of_tokens(room: OAuthRoom):
    answer = await room.redeem(await room.code())
    body = answer.json()
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 3600)
    assert body["scope"] == "calendar.read calendar.write"
    assert body["refresh_token"].startswith("rt_")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert await works(room, body["access_token"]) == ["calendar.read", "calendar.write"]


@pytest.mark.parametrize("host", REGISTRATIONS)
async def test_each_host_registers_authorizes_redeems_and_refreshes(room: OAuthRoom, host: str):
    sent, redirect_uri = REGISTRATIONS[host]
    answer = await room.host.post("/register", json=sent)
    assert answer.status_code == 201
    client = answer.json()
    room.client_id = client["client_id"]
    code = await room.code(redirect_uri=redirect_uri)
    secret = client.get("client_secret")
    basic = (quote(room.client_id, safe=""), secret) if secret else None
    fields = {"redirect_uri": redirect_uri, "code_verifier": VERIFIER, "resource": f"{ISSUER}/mcp"}
    who = {} if basic else {"client_id": room.client_id}
    pair = await room.post("/token", basic, grant_type="authorization_code", code=code, **fields, **who)
    assert pair.status_code == 200, pair.text
    refresh_token = pair.json()["refresh_token"]
    again = await room.post("/token", basic, grant_type="refresh_token", refresh_token=refresh_token, **who)
    assert again.status_code == 200, again.text
    await works(room, again.json()["access_token"])


async def test_a_client_with_a_document_redeems_without_a_further_fetch(room: OAuthRoom):
    """A document that changes in between cannot move the redirect."""
    room.documents.clients[DOCUMENT] = OAuthClient(DOCUMENT, ClientKind.DOCUMENT, "Claude", (CLAUDE,), "claude.ai")
    room.client_id = DOCUMENT
    code = await room.code()
    room.documents.clients.clear()
    asked = len(room.documents.asked)
    pair = (await room.redeem(code)).json()
    assert (await room.refresh(pair["refresh_token"])).status_code == 200
    assert len(room.documents.asked) == asked


# The code


@pytest.mark.parametrize(
    ("changes", "error", "status"),
    [
        ({"code": "unknown"}, "invalid_grant", 400),
        ({"code": None}, "invalid_request", 400),
        ({"code_verifier": "w" * 43}, "invalid_grant", 400),
        ({"code_verifier": VERIFIER[:42]}, "invalid_grant", 400),
        ({"code_verifier": None}, "invalid_request", 400),
        ({"redirect_uri": "https://evil.example"}, "invalid_grant", 400),
        ({"redirect_uri": CLAUDE + "/"}, "invalid_grant", 400),
        ({"resource": "https://evil.example"}, "invalid_target", 400),
        ({"client_id": "dcr.unknown"}, "invalid_client", 401),
        ({"client_id": None}, "invalid_client", 401),
        ({"client_id": DOCUMENT}, "invalid_grant", 400),
        ({"grant_type": None}, "invalid_request", 400),
        ({"grant_type": "password"}, "unsupported_grant_type", 400),
        ({"grant_type": "client_credentials"}, "unsupported_grant_type", 400),
    ],
)
async def test_what_does_not_fit_a_code_is_refused_and_the_code_stays_good(
    room: OAuthRoom, changes: dict[str, str | None], error: str, status: int
):
    code = await room.code()
    answer = await room.redeem(code, **changes)
    refused(answer, error, status)
    assert code not in answer.text
    assert (await room.redeem(code)).status_code == 200


async def test_another_registered_client_redeems_no_code(room: OAuthRoom):
    code, own = await room.code(), room.client_id
    room.register()
    refused(await room.redeem(code), "invalid_grant")
    room.client_id = own
    assert (await room.redeem(code)).status_code == 200


async def test_a_code_is_over_after_a_minute(room: OAuthRoom):
    code = await room.code()
    room.clock.advance(CODE_SECONDS)
    refused(await room.redeem(code), "invalid_grant")


async def test_a_redirect_uri_and_a_resource_may_be_left_out(room: OAuthRoom):
    assert (await room.redeem(await room.code(), redirect_uri=None)).status_code == 200
    assert (await room.redeem(await room.code(), resource=f"{ISSUER}/")).status_code == 200


async def test_a_used_code_ends_what_came_of_it_only_with_the_right_verifier(room: OAuthRoom):
    code = await room.code()
    pair = (await room.redeem(code)).json()
    refused(await room.redeem(code, code_verifier="w" * 43), "invalid_grant")
    await works(room, pair["access_token"])
    refused(await room.redeem(code), "invalid_grant")
    with pytest.raises(AuthenticationError, match="ended"):
        await works(room, pair["access_token"])
    refused(await room.refresh(pair["refresh_token"]), "invalid_grant")


async def test_twenty_parallel_redemptions_give_one_pair(room: OAuthRoom):
    code = await room.code()
    answers = await asyncio.gather(*(room.redeem(code) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 19


async def test_no_tokens_come_of_a_code_of_an_account_that_was_disconnected(room: OAuthRoom):
    code = await room.code()
    await room.grants.move(Cause.DISCONNECTED, Reason.DISCONNECTED)
    refused(await room.redeem(code), "invalid_grant")


async def test_a_client_that_rules_refresh_tokens_out_gets_none(room: OAuthRoom):
    room.register(grant_types=["authorization_code"])
    pair = await room.pair()
    assert "refresh_token" not in pair
    await works(room, pair["access_token"])


# Refreshing


async def test_each_refresh_gives_a_new_pair(room: OAuthRoom):
    pair = await room.pair()
    answer = await room.refresh(pair["refresh_token"])
    body = answer.json()
    assert body["refresh_token"] != pair["refresh_token"]
    assert body["scope"] == "calendar.read calendar.write"
    await works(room, body["access_token"])
    await works(room, pair["access_token"])
    assert 'grant_refreshes_total{outcome="rotated"} 1' in room.metrics.render()


async def test_parallel_refreshes_all_work_and_reuse_after_the_grace_ends_the_grant(room: OAuthRoom):
    first = (await room.pair())["refresh_token"]
    answers = await asyncio.gather(*(room.refresh(first) for _ in range(6)))
    assert [answer.status_code for answer in answers] == [200] * 6
    successors = {answer.json()["refresh_token"] for answer in answers}
    assert len(successors) == 6
    assert [(await room.refresh(each)).status_code for each in successors] == [200] * 6
    room.clock.advance(GRACE_SECONDS + 1)
    refused(await room.refresh(first), "invalid_grant")
    for each in successors:
        refused(await room.refresh(each), "invalid_grant")
    numbers = room.metrics.render()
    assert 'grant_refreshes_total{outcome="grace"} 5' in numbers
    assert 'grant_refreshes_total{outcome="reuse"} 1' in numbers
    assert 'grant_refreshes_total{outcome="refused"} 6' in numbers


@pytest.mark.parametrize(
    ("changes", "error", "status"),
    [
        ({"refresh_token": None}, "invalid_request", 400),
        ({"refresh_token": "rt_unknown"}, "invalid_grant", 400),
        ({"refresh_token": "rt_unknown", "client_id": "dcr.unknown"}, "invalid_client", 401),
        ({"client_id": "dcr.unknown"}, "invalid_grant", 400),
        ({"client_id": DOCUMENT}, "invalid_grant", 400),
        ({"client_id": None}, "invalid_client", 401),
        ({"resource": "https://evil.example/mcp"}, "invalid_target", 400),
    ],
)
async def test_what_does_not_fit_a_refresh_token_is_refused_and_uses_nothing_up(
    room: OAuthRoom, changes: dict[str, str | None], error: str, status: int
):
    token = (await room.pair())["refresh_token"]
    answer = await room.refresh(token, **changes)
    refused(answer, error, status)
    assert token not in answer.text
    assert (await room.refresh(token)).status_code == 200
    assert "grace" not in room.metrics.render()


async def test_scopes_narrow_for_one_token_and_never_widen(room: OAuthRoom):
    reader = (await room.pair(scope="calendar.read"))["refresh_token"]
    refused(await room.refresh(reader, scope="calendar.read calendar.write"), "invalid_scope")
    both = (await room.pair())["refresh_token"]
    narrow = (await room.refresh(both, scope="calendar.read offline_access")).json()
    assert narrow["scope"] == "calendar.read"
    assert await works(room, narrow["access_token"]) == ["calendar.read"]
    assert (await room.refresh(narrow["refresh_token"])).json()["scope"] == "calendar.read calendar.write"


async def test_a_refresh_after_the_key_of_the_registration_is_gone_goes_on(tmp_path: Path):
    """Refreshing needs no registration to open: the grant knows its client."""
    url = f"sqlite+aiosqlite:///{(tmp_path / 'vault.sqlite3').as_posix()}"
    gone = KeyRing([("two", bytes(range(1, 33)))])
    async with open_oauth(url) as room:
        public = await room.pair()
        client_id, code = room.client_id, await room.code(state="2")
        confidential = room.register(token_endpoint_auth_method="client_secret_post")
        code_of_confidential = await room.code(state="3")
        tokens = await room.redeem(code_of_confidential, client_secret=confidential["client_secret"])
        secret_token = tokens.json()["refresh_token"]
    async with open_oauth(url, ring=gone) as room:
        room.client_id = client_id
        assert (await room.refresh(public["refresh_token"])).status_code == 200
        refused(await room.redeem(code), "invalid_client", 401)
        room.client_id = confidential["client_id"]
        refused(await room.refresh(secret_token, client_secret="wrong"), "invalid_client", 401)
        assert (await room.refresh(secret_token, client_secret=confidential["client_secret"])).status_code == 200


@pytest.mark.parametrize("why", ["ended", "expired", "revoked"])
async def test_an_app_that_must_sign_in_again_is_told_if_it_must_register_anew_first(tmp_path: Path, why: str):
    """After `invalid_grant` it would come back with a registration that nobody can open any more, and be stuck."""
    url = f"sqlite+aiosqlite:///{(tmp_path / 'vault.sqlite3').as_posix()}"
    gone = KeyRing([("two", bytes(range(1, 33)))])
    async with open_oauth(url) as room:
        token, client_id, clock = (await room.pair())["refresh_token"], room.client_id, room.clock
        if why == "ended":
            [grant] = await room.grants.grants.list(KEY)
            await room.grants.grants.end(grant.id, GrantEnd.ENDED_BY_OPERATOR)
        elif why == "revoked":
            await room.grants.move(Cause.REFRESH_REFUSED, Reason.GRANT_REVOKED_BY_ADMIN)
        else:
            clock.advance(91 * 86_400)
        refused(await room.refresh(token), "invalid_grant")
    async with open_oauth(url, ring=gone, clock=clock) as room:
        room.client_id = client_id
        refused(await room.refresh(token), "invalid_client", 401)


async def test_replicas_share_every_step_and_a_new_key_changes_nothing(tmp_path: Path):
    url = f"sqlite+aiosqlite:///{(tmp_path / 'vault.sqlite3').as_posix()}"
    async with open_oauth(url) as here, open_oauth(url, ring=NEWER, clock=here.clock) as there:
        there.client_id = here.client_id
        page = await here.show()
        there.browser.cookies.update(here.browser.cookies)
        assert (await there.press(page)).status_code == 200
        code = await here.code()
        pair = (await there.redeem(code)).json()
        pair = (await there.refresh(pair["refresh_token"])).json()
        again = (await there.refresh(pair["refresh_token"])).json()
        await works(there, again["access_token"])
        with pytest.raises(AuthenticationError):
            await works(here, again["access_token"])  # minted with a key that it does not have yet


# Proving who a client is


@pytest.fixture
async def confidential(room: OAuthRoom) -> dict[str, Any]:
    return room.register(token_endpoint_auth_method="client_secret_basic")


async def test_a_secret_is_taken_in_the_form_or_in_the_header_however_it_was_registered(
    room: OAuthRoom, confidential: dict[str, Any]
):
    secret = confidential["client_secret"]
    assert (await room.redeem(await room.code(), client_secret=secret)).status_code == 200
    basic = (quote(room.client_id, safe=""), secret)
    fields = {"grant_type": "authorization_code", "code_verifier": VERIFIER}
    for client_id in (None, room.client_id):
        answer = await room.post("/token", basic, code=await room.code(), client_id=client_id, **fields)
        assert answer.status_code == 200, answer.text


async def test_a_missing_or_wrong_secret_is_refused_and_the_code_stays_good(
    room: OAuthRoom, confidential: dict[str, Any]
):
    code = await room.code()
    for secret in (None, "", "wrong", confidential["client_secret"][:-1]):
        answer = await room.redeem(code, client_secret=secret)
        refused(answer, "invalid_client", 401)
        assert "www-authenticate" not in answer.headers
    answer = await room.post(
        "/token",
        (quote(room.client_id), "wrong"),
        grant_type="authorization_code",
        code=code,
        code_verifier=VERIFIER,
    )
    refused(answer, "invalid_client", 401)
    assert answer.headers["www-authenticate"].startswith("Basic ")
    pair = await room.redeem(code, client_secret=confidential["client_secret"])
    assert pair.status_code == 200
    refused(await room.refresh(pair.json()["refresh_token"]), "invalid_client", 401)
    refused(await room.refresh("rt_unknown", client_secret="wrong"), "invalid_client", 401)


async def test_a_public_client_that_sends_a_secret_is_not_refused_for_it(room: OAuthRoom):
    assert (await room.redeem(await room.code(), client_secret="anything")).status_code == 200


BAD_HEADERS = {
    "bearer": "Bearer abc",
    "no base64": "Basic !!!",
    "no colon": "Basic " + base64.b64encode(b"abc").decode(),
    "no id": "Basic " + base64.b64encode(b":secret").decode(),
    "not UTF-8": "Basic " + base64.b64encode(b"\xff\xfe:x").decode(),
    "empty": "",
}


@pytest.mark.parametrize("which", BAD_HEADERS)
async def test_a_header_that_proves_nobody_is_refused(room: OAuthRoom, which: str):
    headers = {"authorization": BAD_HEADERS[which]}
    answer = await room.host.post("/token", data={"grant_type": "refresh_token"}, headers=headers)
    refused(answer, "invalid_client", 401)


async def test_a_client_proves_itself_in_one_way_only(room: OAuthRoom, confidential: dict[str, Any]):
    """RFC 6749 section 2.3."""
    basic = (quote(room.client_id, safe=""), confidential["client_secret"])
    for changes in ({"client_secret": confidential["client_secret"]}, {"client_id": "dcr.other"}):
        answer = await room.post("/token", basic, grant_type="refresh_token", refresh_token="rt_x", **changes)
        refused(answer, "invalid_request")


# What any endpoint takes


@pytest.mark.parametrize("path", ["/token", "/revoke"])
@pytest.mark.parametrize("name", ["client_id", "code", "token", "grant_type", "client_secret", "unknown"])
async def test_a_parameter_that_comes_twice_is_refused(room: OAuthRoom, path: str, name: str):
    content = f"{name}=a&{name}=b&client_id=x".encode()
    headers = {"content-type": "application/x-www-form-urlencoded"}
    refused(await room.host.post(path, content=content, headers=headers), "invalid_request")


@pytest.mark.parametrize("path", ["/token", "/revoke"])
@pytest.mark.parametrize(
    "content", [b"a=" + b"b" * 70_000, b"a=\xff", b"a=%FF", b"&".join(b"a%d=1" % n for n in range(1000))]
)
async def test_a_form_that_cannot_be_read_is_refused(room: OAuthRoom, path: str, content: bytes):
    headers = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    refused(await room.host.post(path, content=content, headers=headers), "invalid_request")


@pytest.mark.parametrize("path", ["/token", "/revoke"])
async def test_another_body_than_a_form_is_refused(room: OAuthRoom, path: str):
    refused(await room.host.post(path, json={"grant_type": "refresh_token"}), "invalid_request")
    refused(await room.host.post(path), "invalid_request")


@pytest.mark.parametrize("path", ["/token", "/revoke", "/register"])
async def test_pages_of_any_origin_may_call(room: OAuthRoom, path: str):
    preflight = await room.host.options(path, headers={"origin": "https://inspector.example"})
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert preflight.headers["access-control-allow-methods"] == "POST"
    assert "authorization" in preflight.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in preflight.headers
    answer = await room.host.post(path, content=b"x", headers={"origin": "https://inspector.example"})
    assert answer.status_code in (400, 401)
    assert answer.headers["access-control-allow-origin"] == "*"
    assert (await room.host.get(path)).status_code == 405


async def test_registration_over_http(room: OAuthRoom):
    answer = await room.host.post("/register", content=json.dumps({"redirect_uris": [CLAUDE]}).encode())
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    refused(await room.host.post("/register", content=b"[" * 20_000), "invalid_client_metadata")
    refused(await room.host.post("/register", json={"redirect_uris": ["http://evil.example"]}), "invalid_redirect_uri")


async def test_a_flood_of_registrations_and_pages_leaves_nothing_behind(room: OAuthRoom):
    for _ in range(50):
        await room.host.post("/register", json={"redirect_uris": [CLAUDE]})
        await room.show()
    assert room.microsoft.begun == []
    assert await room.grants.grants.list(KEY) == []


# Revocation (RFC 7009)


@pytest.mark.parametrize("which", ["refresh_token", "access_token"])
async def test_an_app_ends_its_grant_with_either_token(room: OAuthRoom, which: str):
    pair, other = await room.pair(state="1"), await room.pair(state="2")
    answer = await room.post("/revoke", token=pair[which], client_id=room.client_id, token_type_hint="nonsense")
    assert answer.status_code == 200
    with pytest.raises(AuthenticationError):
        await works(room, pair["access_token"])
    refused(await room.refresh(pair["refresh_token"]), "invalid_grant")
    await works(room, other["access_token"])


async def test_a_token_that_is_unknown_or_another_clients_is_answered_alike(room: OAuthRoom):
    pair, own = await room.pair(), room.client_id
    room.register()
    for token in ("rt_unknown", "a.b.c", "\u00e9", pair["refresh_token"], pair["access_token"]):
        answer = await room.post("/revoke", token=token, client_id=room.client_id)
        assert (answer.status_code, answer.content) == (200, b"")
    room.client_id = own
    await works(room, pair["access_token"])
    assert (await room.refresh(pair["refresh_token"])).status_code == 200


async def test_a_confidential_client_proves_itself_to_revoke(room: OAuthRoom, confidential: dict[str, Any]):
    pair = (await room.redeem(await room.code(), client_secret=confidential["client_secret"])).json()
    for token in (pair["refresh_token"], pair["access_token"], "rt_unknown"):
        answer = await room.post("/revoke", token=token, client_id=room.client_id, client_secret="wrong")
        refused(answer, "invalid_client", 401)
    await works(room, pair["access_token"])
    answer = await room.post(
        "/revoke", (quote(room.client_id, safe=""), confidential["client_secret"]), token=pair["access_token"]
    )
    assert answer.status_code == 200
    with pytest.raises(AuthenticationError):
        await works(room, pair["access_token"])


async def test_a_secret_is_asked_for_by_the_grant_where_the_registration_does_not_open(tmp_path: Path):
    url = f"sqlite+aiosqlite:///{(tmp_path / 'vault.sqlite3').as_posix()}"
    async with open_oauth(url) as room:
        client = room.register(token_endpoint_auth_method="client_secret_post")
        pair = (await room.redeem(await room.code(), client_secret=client["client_secret"])).json()
    async with open_oauth(url, ring=KeyRing([("two", bytes(range(1, 33)))])) as room:
        asked = {"token": pair["refresh_token"], "client_id": client["client_id"]}
        refused(await room.post("/revoke", **asked), "invalid_client", 401)
        assert (await room.post("/revoke", **asked, client_secret=client["client_secret"])).status_code == 200
        room.client_id = client["client_id"]
        assert await room.grants.grants.list(KEY) == []
        answer = await room.refresh(pair["refresh_token"], client_secret=client["client_secret"])
        refused(answer, "invalid_client", 401)


async def test_revocation_names_a_token_and_a_client(room: OAuthRoom):
    refused(await room.post("/revoke", client_id=room.client_id), "invalid_request")
    refused(await room.post("/revoke", token="x"), "invalid_client", 401)


# Failures


async def test_a_vault_that_fails_is_told_by_a_number(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    path = tmp_path / "vault.sqlite3"
    async with open_oauth(f"sqlite+aiosqlite:///{path.as_posix()}") as room:
        token = (await room.pair())["refresh_token"]
        with closing(sqlite3.connect(path)) as raw:
            raw.execute("DROP TABLE refresh_tokens")
        answer = await room.refresh(token)
    assert answer.status_code == 503
    assert answer.json()["error"] == "temporarily_unavailable"
    assert "Reference" in answer.json()["error_description"]
    assert answer.headers["access-control-allow-origin"] == "*"
    assert token not in caplog.text


async def test_no_log_line_holds_a_token_code_secret_or_verifier(room: OAuthRoom, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.DEBUG, logger="scalekit_mcp"):
        client = room.register(token_endpoint_auth_method="client_secret_post")
        secret = client["client_secret"]
        code = await room.code()
        pair = (await room.redeem(code, client_secret=secret)).json()
        await room.redeem(code, client_secret=secret)
        await room.refresh(pair["refresh_token"], client_secret=secret)
        await room.refresh("rt_unknown", client_secret="wrong-secret")
    values = (code, secret, VERIFIER, pair["refresh_token"], pair["access_token"], room.client_id, "wrong-secret")
    assert [value for value in values if value in caplog.text] == []
    assert GrantEnd.CODE_REUSED in caplog.text
