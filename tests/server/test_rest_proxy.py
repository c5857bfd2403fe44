"""`/proxy`: calls of a backend's own to Microsoft as one user; off unless turned on, never out of the user's own."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx2 as httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from scalekit_mcp.server.rest.app import Rest, RestOptions
from scalekit_mcp.server.rest.input import MAX_BODY_BYTES
from tests.support.watched_actions import DANA, WatchedActions

SERVICE_KEY = "service-key-of-the-tests"
ANA = {"authorization": f"Bearer {SERVICE_KEY}", "connection_name": "outlook", "identifier": "ana"}
GRANT = {
    "grant_type": "client_credentials",
    "client_id": "skc_1",
    "client_secret": SERVICE_KEY,
    "scope": "calendar.read",
}
EVENT = {
    "subject": "Raw",
    "start": {"dateTime": "2026-04-07T09:00:00", "timeZone": "UTC"},
    "end": {"dateTime": "2026-04-07T10:00:00", "timeZone": "UTC"},
}


@contextlib.asynccontextmanager
async def application(actions: WatchedActions, **options: Any) -> AsyncIterator[httpx.AsyncClient]:
    given = {"service_key": SERVICE_KEY, "public_url": "http://localhost", "proxy": True, **options}
    rest = Rest(actions, RestOptions(**given))
    app = Starlette(routes=[Mount("/api/v1", app=rest.application()), *rest.root_routes()])
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=ANA) as http:
        yield http


def sent_to_graph(actions: WatchedActions) -> list[str]:
    return [request.path for request in actions.sandbox.requests if request.area == "graph"]


async def test_a_call_reaches_microsoft_as_this_user_and_its_answer_comes_back(actions: WatchedActions) -> None:
    await actions.connect()
    async with application(actions) as http:
        me = await http.get("/proxy/v1.0/me")
        made = await http.post("/proxy/v1.0/me/events", json=EVENT)
        event_id = made.json()["id"]
        query = {"$select": "subject", "$filter": "subject eq 'Raw'"}
        listed = await http.get("/proxy/v1.0/me/events", params=query)
        changed = await http.patch(f"/proxy/v1.0/me/events/{event_id}", json={"subject": "Rare"})
        gone = await http.delete(f"/proxy/v1.0/me/events/{event_id}")
        missing = await http.get("/proxy/v1.0/me/events/AAMkAGI2")
    assert me.json()["userPrincipalName"] == DANA
    assert (made.status_code, [event["subject"] for event in listed.json()["value"]]) == (201, ["Raw"])
    assert (changed.json()["subject"], gone.status_code) == ("Rare", 204)
    assert missing.status_code in (400, 404)
    assert missing.json()["error"]["code"]
    assert "authorization" not in me.headers
    assert me.headers["x-content-type-options"] == "nosniff"


async def test_it_is_off_unless_it_is_turned_on(actions: WatchedActions) -> None:
    await actions.connect()
    before = sent_to_graph(actions)
    async with application(actions, proxy=False) as http:
        answer = await http.get("/proxy/v1.0/me")
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("proxy not enabled for provider")
    assert sent_to_graph(actions) == before


@pytest.mark.parametrize(
    "path",
    [
        "/v1.0/users/bob@company.com/events",
        "/v1.0/me/../users/bob@company.com",
        "/v1.0/me/%2e%2e/users/bob@company.com",
        "/v1.0/me/%2E%2E%2Fusers",
        "/v1.0/me/%252e%252e/users",
        "/v1.0/me/%5c..%5cusers",
        "/beta/me",
        "/v1.0/$batch",
        "/v1.0/meetings",
        "//evil.example/me",
        "/https://evil.example/me",
        "/",
    ],
)
async def test_a_path_that_leaves_the_users_own_is_refused_and_nothing_is_sent(
    actions: WatchedActions, path: str
) -> None:
    await actions.connect()
    before = sent_to_graph(actions)
    async with application(actions) as http:
        address = httpx.URL("http://localhost/proxy/x").copy_with(raw_path=b"/proxy" + path.encode())
        answer = await http.send(http.build_request("GET", address))
    assert answer.status_code in (400, 404), answer.text
    assert sent_to_graph(actions) == before


@pytest.mark.parametrize(
    ("headers", "field"),
    [
        ({"connection_name": ""}, "connection_name"),
        ({"identifier": ""}, "identifier"),
        ({"connection_name": "slack"}, "connection_name"),
        ({"identifier": "x" * 101}, "identifier"),
    ],
)
async def test_an_account_that_is_not_named_is_refused_by_the_headers_name(
    actions: WatchedActions, headers: dict[str, str], field: str
) -> None:
    async with application(actions) as http:
        answer = await http.get("/proxy/v1.0/me", headers=headers)
    violations = answer.json()["details"][0]["validation_error_info"]["field_violations"]
    assert (answer.status_code, violations[0]["field"]) == (400, field)


async def test_two_names_of_one_account_are_refused_and_the_same_twice_is_taken(actions: WatchedActions) -> None:
    await actions.connect()
    async with application(actions) as http:
        twice = httpx.Headers([*ANA.items(), ("Connection_name", "outlook"), ("connection-name", "outlook")])
        assert (await http.send(httpx.Request("GET", "http://localhost/proxy/v1.0/me", headers=twice))).is_success
        two = httpx.Headers([*ANA.items(), ("identifier", "bob")])
        assert (await http.send(httpx.Request("GET", "http://localhost/proxy/me", headers=two))).status_code == 400


async def test_an_identifier_in_utf8_is_one_user_and_other_bytes_are_nobody(actions: WatchedActions) -> None:
    await actions.get_or_create_connected_account(identifier="jürgen")
    async with application(actions) as http:
        for raw, expected in (("jürgen".encode(), "AUTHORIZATION_REQUIRED"), (b"j\xfcrgen", "INVALID_ARGUMENT")):
            headers = [(b"authorization", ANA["authorization"].encode()), (b"connection_name", b"outlook")]
            request = httpx.Request(
                "GET", "http://localhost/proxy/me", headers=httpx.Headers([*headers, (b"identifier", raw)])
            )
            assert (await http.send(request)).json()["details"][0]["error_code"] == expected


async def test_a_token_or_server_that_only_reads_passes_get_on_alone(actions: WatchedActions) -> None:
    await actions.connect()
    async with application(actions) as http:
        del http.headers["authorization"]
        token = (await http.post("/oauth/token", data=GRANT)).json()["access_token"]
        reading = {**ANA, "authorization": f"Bearer {token}"}
        assert (await http.get("/proxy/v1.0/me", headers=reading)).status_code == 200
        for method in ("POST", "PATCH", "PUT", "DELETE"):
            refused = await http.request(method, "/proxy/v1.0/me/events", headers=reading)
            assert refused.status_code == 403, method
    async with application(actions, read_only=True) as http:
        assert (await http.get("/proxy/v1.0/me")).status_code == 200
        assert (await http.post("/proxy/v1.0/me/events", json=EVENT)).status_code == 403


async def test_without_the_service_key_nothing_is_passed_on(actions: WatchedActions) -> None:
    await actions.connect()
    before = sent_to_graph(actions)
    async with application(actions) as http:
        for bearer in ("Bearer wrong", SERVICE_KEY):
            assert (await http.get("/proxy/v1.0/me", headers={"authorization": bearer})).status_code == 401
    assert sent_to_graph(actions) == before


async def test_a_body_that_is_too_long_is_refused(actions: WatchedActions) -> None:
    await actions.connect()
    before = sent_to_graph(actions)
    async with application(actions) as http:
        answer = await http.post("/proxy/v1.0/me/events", content=b"x" * (MAX_BODY_BYTES + 1))
        other = await http.request("TRACE", "/proxy/v1.0/me")
    assert (answer.status_code, other.status_code) == (400, 405)
    assert sent_to_graph(actions) == before


async def test_the_clients_own_headers_do_not_reach_microsoft_but_for_a_few(actions: WatchedActions) -> None:
    await actions.connect()
    async with application(actions) as http:
        headers = {"cookie": "a=b", "x-forwarded-for": "1.1.1.1", "prefer": 'outlook.timezone="Asia/Tokyo"'}
        assert (await http.get("/proxy/v1.0/me/events?$top=1", headers=headers)).is_success
    seen = {name.casefold(): value for name, value in actions.sandbox.requests[-1].headers.items()}
    assert seen["prefer"] == 'IdType="ImmutableId", outlook.timezone="Asia/Tokyo"'
    assert not {"cookie", "x-forwarded-for", "identifier", "connection_name"} & set(seen)
    assert SERVICE_KEY not in str(seen)


async def test_an_account_that_is_not_active_is_told_with_the_link(actions: WatchedActions) -> None:
    await actions.get_or_create_connected_account(identifier="ana")
    async with application(actions) as http:
        answer = await http.get("/proxy/v1.0/me")
    assert answer.json()["details"][0]["error_code"] == "AUTHORIZATION_REQUIRED"
    assert answer.json()["details"][1]["error"]["authorization_url"]


async def test_a_call_for_nobody_makes_no_account(actions: WatchedActions) -> None:
    async with application(actions) as http:
        assert (await http.get("/proxy/v1.0/me", headers={"identifier": "nobody"})).status_code == 404
    assert (await actions.list_connected_accounts(identifier="nobody")).total_size == 0
