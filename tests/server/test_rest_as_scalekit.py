"""REST for code that was written for Scalekit's API: access tokens, selectors, tools of a user, other paths."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import AsyncIterator
from typing import Any

import anyio
import httpx2 as httpx
import jwt
import pytest
from http_support import SERVICE_KEY, Remote, remote
from starlette.applications import Starlette
from starlette.routing import Mount

from scalekit_mcp.server.rest.access_tokens import LIFE_SECONDS
from scalekit_mcp.server.rest.app import NOT_OFFERED, Rest, RestOptions
from scalekit_mcp.tools import TOOLS
from tests.support.clock import HandClock
from tests.support.watched_actions import WatchedActions

KEY = {"authorization": f"Bearer {SERVICE_KEY}"}
LIST = "outlook_list_calendar_events"
GRANT = {"grant_type": "client_credentials", "client_id": "skc_1", "client_secret": SERVICE_KEY}


@contextlib.asynccontextmanager
async def backend(actions: WatchedActions | None = None) -> AsyncIterator[tuple[Remote, httpx.AsyncClient]]:
    with anyio.fail_after(60):
        async with remote(actions) as server, httpx.AsyncClient(base_url=f"{server.base}/api/v1", headers=KEY) as http:
            yield server, http


@contextlib.asynccontextmanager
async def application(actions: WatchedActions, **options: Any) -> AsyncIterator[httpx.AsyncClient]:
    """The routes without a socket, with options of their own."""
    given = {"service_key": SERVICE_KEY, "public_url": "http://localhost", **options}
    rest = Rest(actions, RestOptions(**given))
    app = Starlette(routes=[Mount("/api/v1", app=rest.application()), *rest.root_routes()])
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        yield http


def bearer(answer: httpx.Response) -> dict[str, str]:
    return {"authorization": f"Bearer {answer.json()['access_token']}"}


def told(answer: httpx.Response) -> tuple[int, int, str]:
    """HTTP status, gRPC code, error code."""
    return answer.status_code, answer.json()["code"], answer.json()["details"][0]["error_code"]


def field_of(answer: httpx.Response) -> str:
    return answer.json()["details"][0]["validation_error_info"]["field_violations"][0]["field"]


# -- access tokens


async def test_a_client_of_scalekit_gets_an_access_token_and_calls_with_it() -> None:
    async with backend() as (server, _), server.browser() as http:
        answer = await http.post("/oauth/token", data=GRANT)
        listed = await http.get("/api/v1/connected_accounts", headers=bearer(answer))
    told = answer.json()
    assert (answer.status_code, told["token_type"], told["expires_in"]) == (200, "Bearer", LIFE_SECONDS)
    assert answer.headers["cache-control"] == "no-store"
    assert SERVICE_KEY not in answer.text
    assert listed.status_code == 200


async def test_the_credentials_may_stand_in_the_header(actions: WatchedActions) -> None:
    async with application(actions) as http:
        answer = await http.post("/oauth/token", data={"grant_type": "client_credentials"}, auth=("skc_1", SERVICE_KEY))
        assert answer.status_code == 200


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({**GRANT, "client_secret": "wrong"}, 401, "invalid_client"),
        ({**GRANT, "client_secret": SERVICE_KEY + "x"}, 401, "invalid_client"),
        ({"grant_type": "client_credentials", "client_id": "skc_1"}, 401, "invalid_client"),
        ({"grant_type": "client_credentials", "client_secret": SERVICE_KEY}, 401, "invalid_client"),
        ({**GRANT, "grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"client_id": "skc_1", "client_secret": SERVICE_KEY}, 400, "invalid_request"),
        ({**GRANT, "scope": "admin"}, 400, "invalid_scope"),
        ({**GRANT, "client_id": "x" * 201}, 400, "invalid_request"),
    ],
)
async def test_a_request_for_a_token_that_does_not_hold_is_refused(
    actions: WatchedActions, form: dict[str, str], status: int, error: str
) -> None:
    async with application(actions) as http:
        answer = await http.post("/oauth/token", data=form)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert SERVICE_KEY not in answer.text


async def test_an_access_token_has_an_end_and_ends_with_the_service_key(actions: WatchedActions) -> None:
    clock = HandClock()
    async with application(actions, clock=clock) as http:
        token = bearer(await http.post("/oauth/token", data=GRANT))
        assert (await http.get("/api/v1/tools", headers=token)).status_code == 200
        clock.advance(LIFE_SECONDS - 1)
        assert (await http.get("/api/v1/tools", headers=token)).status_code == 200
        clock.advance(1)
        assert told(await http.get("/api/v1/tools", headers=token)) == (401, 16, "UNAUTHENTICATED")
        token = bearer(await http.post("/oauth/token", data=GRANT))
    async with application(actions, clock=clock, service_key="another-key-of-the-tests") as http:
        assert (await http.get("/api/v1/tools", headers=token)).status_code == 401


async def test_a_token_that_somebody_else_made_is_refused(actions: WatchedActions) -> None:
    clock = HandClock()
    now = int(clock.now().timestamp())
    claims = {"aud": "http://localhost/api/v1", "iat": now, "exp": now + 60, "scope": "calendar.read calendar.write"}
    typ = {"typ": "scalekit-mcp-rest+jwt"}
    async with application(actions, clock=clock) as http:
        ours = (await http.post("/oauth/token", data=GRANT)).json()["access_token"]
        wrong = [
            jwt.encode(claims, SERVICE_KEY.encode() + b"-" * 32, algorithm="HS256", headers=typ),
            jwt.encode(claims, "", algorithm="none", headers=typ),
            ours[:-4] + ("AAAA" if ours[-4:] != "AAAA" else "BBBB"),
            ours + "." * 3,
            "a.b.c",
            "x" * 10_000,
        ]
        for token in wrong:
            answer = await http.get("/api/v1/tools", headers={"authorization": f"Bearer {token}"})
            assert answer.status_code == 401, token[:40]


async def test_a_token_is_for_one_server(actions: WatchedActions) -> None:
    async with application(actions) as http:
        token = bearer(await http.post("/oauth/token", data=GRANT))
    async with application(actions, public_url="http://elsewhere") as http:
        assert (await http.get("/api/v1/tools", headers=token)).status_code == 401


async def test_a_token_that_only_reads_changes_nothing(actions: WatchedActions) -> None:
    await actions.connect()
    async with application(actions) as http:
        answer = await http.post("/oauth/token", data={**GRANT, "scope": "calendar.read"})
        assert answer.json()["scope"] == "calendar.read"
        token = bearer(answer)
        reading = {"tool_name": LIST, "identifier": "ana"}
        assert (await http.post("/api/v1/execute_tool", headers=token, json=reading)).status_code == 200
        writing = {"tool_name": "outlook_create_calendar_event", "identifier": "ana"}
        for path, body in (
            ("/execute_tool", writing),
            ("/connected_accounts", {"identifier": "bob"}),
            ("/connected_accounts:delete", {"identifier": "ana"}),
            ("/connected_accounts/magic_link", {"identifier": "ana"}),
            ("/session_tokens", {"identifier": "ana"}),
        ):
            refused = await http.post(f"/api/v1{path}", headers=token, json=body)
            assert told(refused) == (403, 7, "TOOL_ERROR"), path
    assert (await actions.account()).status == "ACTIVE"


async def test_a_session_token_is_no_access_token_of_rest() -> None:
    async with backend() as (server, _), server.browser() as http:
        token = {"authorization": f"Bearer {server.bearer('ana')}"}
        assert (await http.get("/api/v1/tools", headers=token)).status_code == 401
        access = bearer(await http.post("/oauth/token", data=GRANT))
        assert (await http.post("/mcp", headers=access, json={})).status_code == 401


# -- accounts


async def test_an_update_answers_the_account_and_takes_no_credentials() -> None:
    async with backend() as (_, http):
        key = {"connector": "outlook", "identifier": "ana"}
        missing = await http.put("/connected_accounts", json={**key, "connected_account": {}})
        assert told(missing) == (404, 5, "RESOURCE_NOT_FOUND")
        made = (await http.post("/connected_accounts", json=key)).json()
        empty = {"authorization_details": {}, "api_config": {}}
        assert (await http.put("/connected_accounts", json={**key, "connected_account": empty})).json() == made
        by_id = {"id": made["connected_account"]["id"], "connected_account": {}}
        assert (await http.put("/connected_accounts", json=by_id)).json() == made
        token = {"authorization_details": {"oauth_token": {"access_token": "x"}}}
        refused = await http.put("/connected_accounts", json={**key, "connected_account": token})
    assert (refused.status_code, field_of(refused)) == (400, "connected_account")
    assert "authorization link" in refused.json()["details"][1]["error"]["next_step"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/connected_accounts", {}),
        ("/connected_accounts:delete", {}),
        ("/connected_accounts/magic_link", {}),
        ("/execute_tool", {"tool_name": LIST}),
    ],
)
async def test_what_would_narrow_an_identifier_is_refused_by_name(path: str, body: dict[str, Any]) -> None:
    async with backend() as (_, http):
        for name in ("organization_id", "user_id"):
            answer = await http.post(path, json={"identifier": "ana", **body, name: "other"})
            assert (answer.status_code, field_of(answer)) == (400, name)


async def test_a_user_id_that_is_the_identifier_is_taken() -> None:
    async with backend() as (_, http):
        same = {"identifier": "ana", "user_id": "ana"}
        assert (await http.post("/connected_accounts", json=same)).status_code == 201
        assert (await http.get("/connected_accounts/details", params=same)).status_code == 200
        assert (await http.get("/connected_accounts", params=same)).json()["total_size"] == 1
        narrowed = await http.get("/connected_accounts", params={"organization_id": "org_1"})
    assert field_of(narrowed) == "organization_id"


async def test_an_id_beside_another_accounts_identifier_is_refused() -> None:
    async with backend() as (server, http):
        await server.actions.get_or_create_connected_account(identifier="bob")
        account = (await server.actions.get_or_create_connected_account(identifier="ana")).connected_account
        body = {"tool_name": LIST, "connected_account_id": account.id, "identifier": "bob"}
        answer = await http.post("/execute_tool", json=body)
        assert (answer.status_code, field_of(answer)) == (400, "identifier")
        gone = await http.post("/connected_accounts:delete", json={"id": account.id, "identifier": "bob"})
        assert gone.status_code == 400
        other = await http.get("/connected_accounts/details", params={"id": account.id, "connector": "slack"})
        assert field_of(other) == "connector"


async def test_accounts_are_listed_by_several_connections_or_a_provider() -> None:
    async with backend() as (server, http):
        await server.actions.get_or_create_connected_account(identifier="ana")

        async def listed(**query: Any) -> int:
            return (await http.get("/connected_accounts", params=query)).json()["total_size"]

        assert await listed(connection_names=["slack", "outlook"]) == 1
        assert await listed(connection_names=["slack"]) == 0
        assert await listed(provider="outlook") == 1
        assert await listed(provider="GMAIL") == 0
        both = await http.get("/connected_accounts", params={"connection_names": "outlook", "connector": "outlook"})
    assert field_of(both) == "connection_names"


# -- tools


async def test_the_tools_of_a_user_name_the_account_that_they_run_on() -> None:
    async with backend() as (server, http):
        none = (await http.get("/tools/scoped", params={"identifier": "ana"})).json()
        account = (await server.actions.get_or_create_connected_account(identifier="ana")).connected_account
        every = (await http.get("/tools/scoped", params={"identifier": "ana"})).json()
        query: dict[str, Any] = {"identifier": "ana", "filter.tool_names": [LIST, "authorize"]}
        two = (await http.get("/tools/scoped", params=query)).json()
        elsewhere = {"identifier": "ana", "filter.connection_names": "slack"}
        other = (await http.get("/tools/scoped", params=elsewhere)).json()
        nobody = await http.get("/tools/scoped")
    assert (none["tools"], none["total_size"], other["total_size"]) == ([], 0, 0)
    assert {row["connected_account_id"] for row in every["tools"]} == {account.id}
    assert every["total_size"] == len(every["tools"]) >= len(TOOLS)
    assert {row["tool"]["definition"]["name"] for row in two["tools"]} == {LIST, "authorize"}
    assert field_of(nobody) == "identifier"


async def test_the_catalogue_is_filtered_and_comes_in_pages() -> None:
    async with backend() as (server, http):
        await server.actions.get_or_create_connected_account(identifier="ana")

        async def names(**query: Any) -> list[str]:
            filters = {f"filter.{name}": value for name, value in query.items()}
            return (await http.get("/tools", params=filters)).json()["tool_names"]

        assert set(await names(tool_name=[LIST, "authorize"])) == {LIST, "authorize"}
        assert await names(provider="GITHUB") == []
        assert await names(connector="slack") == []
        assert await names(query="free busy")
        assert await names(identifier="ana") == await names(provider="outlook")
        assert await names(identifier="nobody") == []
        refused = await http.get("/tools", params={"filter.organization_id": "org_1"})
        assert field_of(refused) == "organization_id"
        first = (await http.get("/tools", params={"page_size": 3})).json()
        rest = (await http.get("/tools", params={"page_token": first["next_page_token"]})).json()
        assert first["tool_names"] + rest["tool_names"] == await names()
        assert (len(first["tools"]), rest["next_page_token"]) == (3, "")
        for wrong in ({"page_size": "0"}, {"page_size": "x"}, {"page_size": "99999999999"}, {"page_token": "x"}):
            assert (await http.get("/tools", params=wrong)).status_code == 400


# -- everything else below /api/v1


@pytest.mark.parametrize(("method", "path"), [("GET", "/nothing"), ("POST", "/a/b/c"), ("REPORT", "/nothing")])
async def test_an_unknown_path_is_told_in_scalekits_shape(method: str, path: str) -> None:
    async with backend() as (_, http):
        assert told(await http.request(method, path)) == (404, 5, "RESOURCE_NOT_FOUND")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/connected_accounts", "GET, HEAD, POST, PUT"),
        ("GET", "/execute_tool", "POST"),
        ("POST", "/tools", "GET, HEAD"),
    ],
)
async def test_an_unknown_method_is_told_in_scalekits_shape(method: str, path: str, allowed: str) -> None:
    async with backend() as (_, http):
        answer = await http.request(method, path)
    assert told(answer) == (405, 12, "UNIMPLEMENTED")
    assert answer.headers["allow"] == allowed


@pytest.mark.parametrize("path", [*NOT_OFFERED, "/mcp/configs/cfg_1/tokens"])
async def test_a_path_of_scalekits_that_is_not_offered_says_what_to_do_instead(path: str) -> None:
    async with backend() as (_, http):
        answer = await http.get(path)
    assert told(answer) == (501, 12, "UNIMPLEMENTED")
    assert "Instead, " in answer.json()["message"]


@pytest.mark.parametrize("path", ["/nothing", "/mcp", "/connected_accounts:search"])
async def test_a_stranger_does_not_learn_which_paths_there_are(path: str) -> None:
    async with backend() as (server, _), server.browser() as http:
        assert (await http.get(f"/api/v1{path}")).status_code == 401


def test_the_key_is_in_no_representation() -> None:
    options = RestOptions(service_key=SERVICE_KEY, public_url="http://localhost")
    assert SERVICE_KEY not in repr(options)
    assert dataclasses.is_dataclass(options)
