"""Calls through Scalekit's proxy: what is sent, who refused what, and when the tools take over."""

from __future__ import annotations

import json
import logging
from typing import Any

import anyio
import pytest
from actions_support import ALICE, CREATE, DANA, DELETE, EVENT, GET, IDENTIFIER, LIST, UPDATE, HostedBench, fast_bench

from scalekit_mcp.actions import ProviderCall, request_body
from scalekit_mcp.errors import (
    AuthorizationRequired,
    ConnectionMisconfigured,
    InvalidInput,
    NotOffered,
    OutcomeUnknown,
    PermissionMissing,
    ProviderUnavailable,
    ScalekitMCPError,
    Throttled,
)
from scalekit_mcp.sandbox.scalekit.records import Fault
from scalekit_mcp.sandbox.world import RecordedRequest

SEARCH = "outlook_search_people"
HTML = "<!doctype html><title>Error</title><p>Something stands in between.</p>"


def proxied(bench: HostedBench, method: str | None = None) -> list[RecordedRequest]:
    """What the proxy received, oldest first; the question who owns the mailbox left out."""
    return [
        request
        for request in bench.sandbox.requests
        if request.area == "scalekit"
        and request.path.startswith("/proxy/")
        and request.path != "/proxy/v1.0/me"
        and method in (None, request.method)
    ]


def switch(bench: HostedBench, *, times: int = 1, **fault: Any) -> None:
    bench.look_alike.switches.faults.append(Fault(path_contains="/proxy/v1.0/me/", times=times, **fault))


async def ready(bench: HostedBench) -> None:
    """Connected, and the owner of the mailbox known."""
    await bench.connect()
    await bench.run(LIST, top=1)
    bench.sandbox.world.requests.clear()


async def refused(bench: HostedBench, tool: str = LIST, **arguments: Any) -> ScalekitMCPError:
    with pytest.raises(ScalekitMCPError) as caught:
        await bench.run(tool, **(arguments or {"top": 1}))
    return caught.value


# -- what is sent


async def test_a_call_is_graphs_own_with_the_account_named_in_headers() -> None:
    async with fast_bench(calls="proxy") as bench:
        await ready(bench)
        event = await bench.run(CREATE, **EVENT, transaction_id="t-1")
        [request] = proxied(bench)
        assert (request.method, request.path) == ("POST", "/proxy/v1.0/me/events")
        assert request.headers["connection_name"] == "outlook"
        assert request.headers["identifier"] == IDENTIFIER
        assert request.headers["authorization"].removeprefix("Bearer ") in bench.look_alike.records.machine_tokens
        assert 'IdType="ImmutableId"' in request.headers["prefer"]
        assert request.headers["content-type"] == "application/json"
        assert request.headers["client-request-id"]
        assert request.body["transactionId"] == "t-1"
        await bench.run(UPDATE, event_id=event["id"], attendees_add=ALICE)
        assert "if-match" in proxied(bench, "PATCH")[0].headers
        reached = [r.headers for r in bench.sandbox.requests if r.area == "graph"]
        assert not any({"connection_name", "identifier"} & set(headers) for headers in reached)


@pytest.mark.parametrize("identifier", ["jürgen@firma.example", "用户-7", "a,b; c=d", "a/b?c#d%2F"])
async def test_an_identifier_arrives_as_it_is(identifier: str) -> None:
    async with fast_bench(calls="proxy") as bench:
        await bench.connect(identifier)
        assert (await bench.run(LIST, identifier, top=1))["count"] == 1


@pytest.mark.parametrize("identifier", [" dana", "dana ", "dana\u3000"])
async def test_an_identifier_that_would_arrive_as_another_one_is_never_sent(identifier: str) -> None:
    async with fast_bench(calls="proxy") as bench:
        await bench.connect(identifier)
        with pytest.raises(InvalidInput) as caught:
            await bench.run(LIST, identifier, top=1)
        assert caught.value.details["field"] == "identifier"
        assert proxied(bench) == []


async def test_with_auto_such_an_account_is_served_by_the_tools_and_the_others_over_the_proxy() -> None:
    async with fast_bench(calls="auto") as bench:
        await bench.connect("dana ")
        assert (await bench.run(LIST, "dana ", top=1))["count"] == 1
        assert len(bench.tools()) == 1
        assert proxied(bench) == []
        await bench.connect("dana", ALICE)
        assert (await bench.run(LIST, "dana", top=1))["count"] == 1
        assert len(proxied(bench)) == 1


async def test_every_page_is_asked_of_the_proxy() -> None:
    async with fast_bench(calls="proxy") as bench:
        await ready(bench)
        for number in range(4):
            await bench.run(CREATE, **{**EVENT, "subject": f"Paged {number}"})
        bench.sandbox.world.requests.clear()
        given = {"filter": "startswith(subject,'Paged')", "orderby": "subject asc", "top": 2}
        first = await bench.run(LIST, **given)
        second = await bench.run(LIST, page=first["next_page"])
        assert [row["subject"] for row in (*first["value"], *second["value"])] == [f"Paged {n}" for n in range(4)]
        assert [request.path for request in proxied(bench)] == ["/proxy/v1.0/me/events"] * 2


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/v1.0/me/events?$skip=2",
        "http://localhost:9400.evil.example/v1.0/me/events?$skip=2",
        "http://localhost:9400@evil.example/v1.0/me/events?$skip=2",
        "http://localhost:9400/scalekit/api/v1/connected_accounts",
        "http://localhost:9400/scalekit/proxy/../api/v1/connected_accounts",
    ],
)
async def test_a_page_elsewhere_is_not_followed(link: str) -> None:
    async with fast_bench(calls="proxy") as bench:
        await ready(bench)
        body = json.dumps({"value": [{"id": "1", "subject": "x"}], "@odata.nextLink": link})
        switch(bench, status=200, body=body)
        with pytest.raises(ProviderUnavailable) as caught:
            await bench.run(LIST, top=50)
        assert caught.value.who_acts == "operator"
        assert len(proxied(bench)) == 1


async def test_a_page_that_names_microsofts_own_host_is_asked_of_the_proxy() -> None:
    async with fast_bench(calls="proxy") as bench:
        await ready(bench)
        row = {"id": "1", "subject": "x", "start": {"dateTime": "2026-04-08T10:00:00", "timeZone": "UTC"}}
        link = "https://graph.microsoft.com/v1.0/me/events?$top=20&$skip=20"
        switch(bench, status=200, body=json.dumps({"value": [row | {"end": row["start"]}], "@odata.nextLink": link}))
        await bench.run(LIST, top=21)
        assert [(r.path, r.query.get("$skip")) for r in proxied(bench)] == [
            ("/proxy/v1.0/me/events", None),
            ("/proxy/v1.0/me/events", "20"),
        ]


# -- who refused


async def test_a_refused_machine_token_is_renewed_once_for_all_and_each_call_sent_once_more() -> None:
    async with fast_bench(calls="proxy") as bench:
        await ready(bench)
        bench.look_alike.expire_machine_tokens()
        async with anyio.create_task_group() as tasks:
            for number in range(2):
                tasks.start_soon(lambda n=number: bench.run(CREATE, **{**EVENT, "subject": f"Both {n}"}))
        assert len(bench.received("/oauth/token")) == 1
        assert len(proxied(bench, "POST")) == 4
        found = await bench.run(LIST, filter="startswith(subject,'Both')")
        assert len(found["value"]) == 2


async def test_a_machine_token_that_is_refused_twice_is_the_operators_matter_and_nobody_signs_in() -> None:
    async with fast_bench(calls="proxy") as bench:
        await ready(bench)
        bench.sandbox.scalekit_proxy_error("machine_401", times=2)
        error = await refused(bench)
        assert (type(error), error.who_acts) == (ConnectionMisconfigured, "operator")
        said = json.dumps(error.to_dict())
        assert "authorization_url" not in said
        assert "sign in" not in said
        assert await bench.status() == ("ACTIVE", None)
        assert len(bench.received("/oauth/token")) == 1


async def test_microsofts_401_asks_the_person_and_never_renews_the_machine_token() -> None:
    async with fast_bench(calls="proxy") as bench:
        await ready(bench)
        bench.sandbox.scalekit_proxy_error("provider_401")
        error = await refused(bench, CREATE, **EVENT)
        assert isinstance(error, AuthorizationRequired)
        assert error.who_acts == "user"
        assert error.details["authorization_url"]
        assert bench.received("/oauth/token") == []
        assert len(proxied(bench)) == 1


async def test_scalekits_word_that_the_provider_refused_is_microsofts_401_too() -> None:
    async with fast_bench(calls="proxy") as bench:
        await ready(bench)
        info = {"execution_id": "exec_7", "tool_error_code": "UNAUTHORIZED", "tool_error_message": "token revoked"}
        switch(bench, status=401, grpc_code=16, error_code="TOOL_ERROR", tool_error=info)
        assert isinstance(await refused(bench), AuthorizationRequired)
        assert bench.received("/oauth/token") == []


async def test_a_401_without_a_word_is_renewed_once_and_then_the_persons() -> None:
    async with fast_bench(calls="proxy") as bench:
        await ready(bench)
        bench.sandbox.scalekit_proxy_error("silent_401")
        assert (await bench.run(LIST, top=1))["count"] == 1
        assert len(bench.received("/oauth/token")) == 1
        bench.sandbox.scalekit_proxy_error("silent_401", times=2)
        error = await refused(bench)
        assert isinstance(error, AuthorizationRequired)
        assert len(bench.received("/oauth/token")) == 2
        assert len(proxied(bench)) == 4


async def test_a_401_without_a_word_is_the_api_clients_where_scalekit_refuses_that_one() -> None:
    async with fast_bench(calls="proxy") as bench:
        await ready(bench)
        bench.sandbox.scalekit_proxy_error("silent_401", times=2)
        bench.look_alike.switches.faults.append(
            Fault(status=401, grpc_code=16, error_code="UNAUTHENTICATED", path_contains="/details", times=2)
        )
        error = await refused(bench)
        assert (type(error), error.who_acts) == (ConnectionMisconfigured, "operator")


@pytest.mark.parametrize("status", ["EXPIRED", "DISCONNECTED", "PENDING_AUTH"])
async def test_a_call_of_an_account_that_is_no_longer_active_says_how_it_stands(status: str) -> None:
    async with fast_bench(calls="proxy") as bench:
        await ready(bench)
        [account] = bench.look_alike.records.accounts.values()
        account.status = status
        error = await refused(bench)
        assert isinstance(error, AuthorizationRequired)
        assert error.details["status"] == {
            "EXPIRED": "EXPIRED", "DISCONNECTED": "REVOKED", "PENDING_AUTH": "PENDING",
        }[status]  # fmt: skip
        assert error.details["authorization_url"]


async def test_an_account_that_was_deleted_at_scalekit_is_connected_anew() -> None:
    async with fast_bench(calls="proxy") as bench:
        await ready(bench)
        bench.look_alike.records.accounts.clear()
        error = await refused(bench, DELETE, event_id="AAMk")
        assert isinstance(error, AuthorizationRequired)
        assert error.details["status"] == "PENDING"


async def test_a_grant_that_ends_at_microsoft_is_seen_at_the_next_refresh() -> None:
    async with fast_bench(calls="proxy") as bench:
        await ready(bench)
        bench.sandbox.revoke_sessions(DANA)
        bench.sandbox.expire_access_tokens(DANA)
        bench.sandbox.advance_clock(6000)
        error = await refused(bench)
        assert isinstance(error, AuthorizationRequired)
        assert error.details["status"] == "EXPIRED"


@pytest.mark.parametrize(
    ("fault", "kind", "who"),
    [
        ({"status": 403, "grpc_code": 7, "error_code": "PERMISSION_DENIED"}, PermissionMissing, "operator"),
        ({"status": 404, "grpc_code": 5, "error_code": "RESOURCE_NOT_FOUND"}, ConnectionMisconfigured, "operator"),
        ({"status": 400, "grpc_code": 3, "error_code": "INVALID_ARGUMENT"}, ConnectionMisconfigured, "operator"),
        ({"status": 404, "body": HTML}, ConnectionMisconfigured, "operator"),
        ({"status": 404, "body": ""}, ConnectionMisconfigured, "operator"),
        ({"status": 403, "body": HTML}, ConnectionMisconfigured, "operator"),
        ({"status": 307, "headers": {"location": "//evil.example"}, "body": ""}, ConnectionMisconfigured, "operator"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("tool", [LIST, DELETE])
async def test_a_refusal_that_is_not_microsofts_says_nothing_about_events(
    tool: str, fault: dict[str, Any], kind: type[ScalekitMCPError], who: str
) -> None:
    async with fast_bench(calls="proxy") as bench:
        await ready(bench)
        event = await bench.run(CREATE, **EVENT)
        switch(bench, **fault)
        error = await refused(bench, tool, **({"event_id": event["id"]} if tool == DELETE else {"top": 1}))
        assert (type(error), error.who_acts) == (kind, who)
        assert HTML not in json.dumps(error.to_dict())
        assert (await bench.run(GET, event_id=event["id"]))["subject"] == "Review"


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 502, "body": HTML},
        {"status": 503, "body": HTML},
        {"status": 504, "body": ""},
        {"status": 500, "grpc_code": 13},
        {"status": 503, "grpc_code": 14},
    ],
)
@pytest.mark.parametrize("apply", [True, False])
async def test_a_change_whose_answer_a_gateway_swallowed_is_settled_by_reading(
    fault: dict[str, Any], apply: bool
) -> None:
    async with fast_bench(calls="proxy") as bench:
        await ready(bench)
        event = await bench.run(CREATE, **EVENT)
        bench.sandbox.world.requests.clear()
        switch(bench, method="PATCH", apply=apply, **fault)
        changed = await bench.run(UPDATE, event_id=event["id"], subject="Review II")
        assert changed["subject"] == "Review II"
        assert len(proxied(bench, "PATCH")) == (1 if apply else 2)


async def test_a_create_whose_answer_was_lost_books_once() -> None:
    async with fast_bench(calls="proxy") as bench:
        await ready(bench)
        switch(bench, method="POST", apply=True, status=502, body=HTML)
        event = await bench.run(CREATE, **EVENT)
        assert [row["id"] for row in (await bench.run(LIST, filter="subject eq 'Review'"))["value"]] == [event["id"]]


async def test_a_read_outlasts_a_gateway_that_fails_and_says_so_when_it_fails_for_good() -> None:
    async with fast_bench(calls="proxy") as bench:
        await ready(bench)
        bench.sandbox.scalekit_proxy_error("html")
        assert (await bench.run(LIST, top=1))["count"] == 1
        bench.sandbox.scalekit_proxy_error("html", times=20)
        error = await refused(bench)
        assert type(error) is ProviderUnavailable
        assert "Scalekit" in error.message


async def test_a_pause_is_waited_for_and_a_long_one_is_the_callers() -> None:
    async with fast_bench(calls="proxy") as bench:
        await ready(bench)
        bench.sandbox.scalekit_proxy_error("throttled")
        assert (await bench.run(LIST, top=1))["count"] == 1
        assert bench.clock.sleeps == [2.0]
        switch(bench, status=429, grpc_code=8, error_code="RESOURCE_EXHAUSTED", headers={"retry-after": "300"})
        error = await refused(bench)
        assert isinstance(error, Throttled)
        assert error.details["retry_after_seconds"] == 300
        bench.sandbox.throttle_graph(retry_after=300)
        error = await refused(bench)
        assert isinstance(error, Throttled)
        assert "Microsoft" in error.message


# -- when the tools take over


async def test_where_the_proxy_is_off_the_same_call_goes_on_through_the_tools_and_so_do_all_later_ones(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    async with fast_bench(calls="auto") as bench:
        bench.sandbox.scalekit_proxy(enabled=False)
        await bench.connect()
        event = await bench.run(CREATE, **EVENT)
        tried = [r for r in bench.sandbox.requests if r.path.startswith("/proxy/")]
        assert len(tried) == 1
        bench.sandbox.scalekit_proxy(enabled=True)
        found = await bench.run(LIST, filter="subject eq 'Review'")
        assert [row["id"] for row in found["value"]] == [event["id"]]
        assert [tool for tool, _ in bench.tools()] == [CREATE, LIST]
        assert len([r for r in bench.sandbox.requests if r.path.startswith("/proxy/")]) == 1
        assert len([r for r in caplog.records if "not enabled" in r.getMessage()]) == 1


async def test_a_proxy_that_is_switched_off_between_a_read_and_its_write_changes_once() -> None:
    async with fast_bench(calls="auto") as bench:
        await ready(bench)
        event = await bench.run(CREATE, **EVENT)
        off = "proxy not enabled for provider"
        switch(bench, method="PATCH", status=400, grpc_code=9, error_code="FAILED_PRECONDITION", message=off)
        changed = await bench.run(UPDATE, event_id=event["id"], attendees_add=ALICE)
        assert [a["emailAddress"]["address"] for a in changed["attendees"]] == [ALICE]
        assert len([mail for mail in bench.sandbox.world.mails if mail.to == ALICE]) == 1
        assert [tool for tool, _ in bench.tools()].count(UPDATE) == 1


async def test_a_call_that_has_changed_something_is_not_begun_again_through_the_tools() -> None:
    async with fast_bench(calls="auto") as bench:
        await ready(bench)
        series = await bench.run(CREATE, **EVENT, recurrence_type="daily", recurrence_occurrences=5)
        window = {"start_datetime": "2026-04-10T00:00:00", "end_datetime": "2026-04-11T00:00:00", "timezone": "UTC"}
        [date] = [r for r in (await bench.run(LIST, **window))["value"] if r["subject"] == "Review"]
        off = {"status": 403, "body": '{"message": "Proxy not enabled for provider"}'}
        switch(bench, method="PATCH", **off)
        error = await refused(bench, UPDATE, event_id=date["id"], apply_to="following", location="Room 2")
        assert not isinstance(error, InvalidInput)
        assert bench.tools() == []
        del series


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 400, "grpc_code": 9, "message": "proxy not enabled for provider"},
        {"status": 403, "grpc_code": 7, "message": "Proxy is not enabled for provider OUTLOOK"},
        {"status": 404, "body": "proxy not enabled for provider"},
        {"status": 400, "body": '{"error": "proxy not enabled for provider"}'},
        {"status": 401, "body": '{"code": 16, "message": "proxy not enabled for provider", "details": []}'},
    ],
)
async def test_the_word_is_understood_in_every_form(fault: dict[str, Any]) -> None:
    async with fast_bench(calls="auto") as bench:
        await ready(bench)
        switch(bench, **fault)
        assert (await bench.run(LIST, top=1))["count"] == 1
        assert len(bench.tools()) == 1


async def test_with_proxy_alone_a_proxy_that_is_off_is_the_operators_matter() -> None:
    async with fast_bench(calls="proxy") as bench:
        bench.sandbox.scalekit_proxy(enabled=False)
        await bench.connect()
        error = await refused(bench, CREATE, **EVENT)
        assert (type(error).code, error.who_acts) == ("connection_misconfigured", "operator")
        assert "SCALEKIT_MCP_HOSTED_CALLS" in error.next_step
        assert bench.tools() == []


async def test_with_tools_the_proxy_is_never_asked() -> None:
    async with fast_bench(calls="tools") as bench:
        await bench.connect()
        await bench.run(LIST, top=1)
        assert [r for r in bench.sandbox.requests if r.path.startswith("/proxy/")] == []


async def test_a_page_of_the_proxys_is_not_continued_by_the_tools() -> None:
    async with fast_bench(calls="auto") as bench:
        await ready(bench)
        first = await bench.run(LIST, top=2)
        bench.sandbox.scalekit_proxy(enabled=False)
        error = await refused(bench, LIST, page=first["next_page"])
        assert (type(error), error.details["field"]) == (InvalidInput, "page")


# -- calls of the caller's own


async def test_a_call_of_the_callers_own_goes_through_the_proxy_once_and_its_answer_comes_back() -> None:
    async with fast_bench(calls="proxy") as bench:
        await ready(bench)
        body = {
            "subject": "Mine",
            "start": {"dateTime": "2026-04-08T10:00:00", "timeZone": "UTC"},
            "end": {"dateTime": "2026-04-08T11:00:00", "timeZone": "UTC"},
        }
        content, headers = request_body(body)
        call = ProviderCall.of("/v1.0/me/events", "POST", content=content, headers=headers)
        made = await bench.actions.request(call, identifier=IDENTIFIER)
        assert (made.status_code, made.json()["subject"]) == (201, "Mine")
        listing = ProviderCall.of("/me/events?$top=3", query={"$select": "subject"}, headers={"Prefer": "a=b"})
        found = await bench.actions.request(listing, identifier=IDENTIFIER)
        assert found.ok
        [posted, listed] = proxied(bench)
        assert posted.headers["prefer"] == 'IdType="ImmutableId"'
        assert listed.headers["prefer"] == 'IdType="ImmutableId", a=b'
        assert listed.query == {"$top": "3", "$select": "subject"}
        missing = await bench.actions.request(ProviderCall.of("/me/events/AAMk"), identifier=IDENTIFIER)
        assert missing.json()["error"]["code"]


async def test_a_call_of_the_callers_own_meets_the_refusals_that_are_not_microsofts() -> None:
    async with fast_bench(calls="proxy") as bench:
        await ready(bench)
        call = ProviderCall.of("/me/events")
        bench.look_alike.expire_machine_tokens()
        assert (await bench.actions.request(call, identifier=IDENTIFIER)).ok
        bench.sandbox.scalekit_proxy_error("machine_401", times=2)
        with pytest.raises(ConnectionMisconfigured):
            await bench.actions.request(call, identifier=IDENTIFIER)
        bench.sandbox.scalekit_proxy_error("provider_401")
        assert (await bench.actions.request(call, identifier=IDENTIFIER)).status_code == 401
        switch(bench, method="POST", drop="after")
        with pytest.raises(OutcomeUnknown):
            await bench.actions.request(ProviderCall.of("/me/events/x/cancel", "POST"), identifier=IDENTIFIER)
        [account] = bench.look_alike.records.accounts.values()
        account.status = "EXPIRED"
        with pytest.raises(AuthorizationRequired):
            await bench.actions.request(call, identifier=IDENTIFIER)
    async with fast_bench(calls="tools") as bench:
        with pytest.raises(NotOffered):
            await bench.actions.request(call, identifier=IDENTIFIER)


# -- permissions


async def test_a_search_without_people_read_says_who_adds_it_and_gives_no_link() -> None:
    async with fast_bench(calls="proxy") as bench:
        await ready(bench)
        answer = await bench.run(SEARCH, query="Zanzibar")
        [note] = [text for text in answer["notes"] if "People.Read" in text]
        said = " ".join(answer["notes"])
        assert "operator" in said
        assert "Scalekit dashboard" in said
        assert "authorization_url" not in answer
        assert note


async def test_an_owner_that_microsoft_does_not_tell_keeps_no_call_from_working() -> None:
    async with fast_bench(calls="proxy") as bench:
        await bench.connect()
        bench.sandbox.graph_error(403, code="Authorization_RequestDenied", path_contains="/v1.0/me", times=1)
        event = await bench.run(CREATE, **EVENT)
        assert (await bench.run(DELETE, event_id=event["id"], permanent=True))["deleted"]


async def test_a_call_that_is_cancelled_leaves_the_next_one_alone() -> None:
    async with fast_bench(calls="proxy") as bench:
        await ready(bench)
        for checkpoints in range(1, 12):
            with anyio.CancelScope() as scope:
                async with anyio.create_task_group() as tasks:

                    async def stop(after: int = checkpoints) -> None:
                        for _ in range(after):
                            await anyio.lowlevel.checkpoint()
                        scope.cancel()

                    tasks.start_soon(stop)
                    bench.look_alike.expire_machine_tokens()
                    await bench.run(LIST, top=1)
            assert (await bench.run(LIST, top=1))["count"] == 1
