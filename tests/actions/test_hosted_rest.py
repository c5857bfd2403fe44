"""Scalekit's wire: the machine token, what is repeated and what never is, and what each refusal becomes."""

from __future__ import annotations

import json
from typing import Any

import anyio
import httpx2 as httpx
import pytest
from actions_support import CREATE, DANA, DELETE, EVENT, IDENTIFIER, LIST, UPDATE, HostedBench, fast_bench

from scalekit_mcp.actions.hosted.actions import ScalekitEnvironment
from scalekit_mcp.errors import (
    AuthorizationRequired,
    ConnectionMisconfigured,
    OutcomeUnknown,
    PermissionMissing,
    ProviderUnavailable,
    Throttled,
)
from scalekit_mcp.sandbox.scalekit.records import Fault
from scalekit_mcp.scalekit.rest import ScalekitError


def switch(bench: HostedBench, **fault: Any) -> None:
    bench.look_alike.switches.faults.append(Fault(**fault))


async def test_one_machine_token_serves_many_callers_until_its_margin() -> None:
    async with fast_bench() as bench:
        async with anyio.create_task_group() as tasks:
            for number in range(8):
                tasks.start_soon(lambda n=number: bench.actions.get_or_create_connected_account(identifier=f"user_{n}"))
        assert len(bench.received("/oauth/token")) == 1
        bench.sandbox.advance_clock(86_399 - 301)
        await bench.actions.get_connected_account(identifier="user_1")
        assert len(bench.received("/oauth/token")) == 1
        bench.sandbox.advance_clock(2)
        await bench.actions.get_connected_account(identifier="user_1")
        assert len(bench.received("/oauth/token")) == 2


async def test_the_token_request_is_a_client_credentials_form() -> None:
    async with fast_bench() as bench:
        await bench.actions.get_or_create_connected_account(identifier=IDENTIFIER)
        [request] = bench.received("/oauth/token")
        assert request.headers["content-type"] == "application/x-www-form-urlencoded"
        assert "grant_type=client_credentials" in request.body


async def test_a_refused_machine_token_is_renewed_once_and_the_call_repeated() -> None:
    async with fast_bench() as bench:
        await bench.connect()
        await bench.run(LIST)
        bench.look_alike.expire_machine_tokens()
        before = len(bench.received("/execute_tool"))
        await bench.run(CREATE, **EVENT)
        assert len(bench.received("/execute_tool")) - before == 2
        assert len(bench.received("/oauth/token")) == 2
        answer = await bench.run(LIST, filter="subject eq 'Review'")
        assert len(answer["value"]) == 1


async def test_many_callers_with_a_refused_token_renew_it_once() -> None:
    async with fast_bench() as bench:
        for number in range(5):
            await bench.actions.get_or_create_connected_account(identifier=f"user_{number}")
        bench.look_alike.expire_machine_tokens()
        async with anyio.create_task_group() as tasks:
            for number in range(5):
                tasks.start_soon(lambda n=number: bench.actions.get_connected_account(identifier=f"user_{n}"))
        assert len(bench.received("/oauth/token")) == 2


async def test_a_token_that_is_refused_twice_is_the_operators_problem() -> None:
    async with fast_bench() as bench:
        await bench.actions.get_or_create_connected_account(identifier=IDENTIFIER)
        switch(bench, status=401, grpc_code=16, error_code="UNAUTHENTICATED", path_contains="/api/v1", times=2)
        with pytest.raises(ConnectionMisconfigured) as refused:
            await bench.actions.get_connected_account(identifier=IDENTIFIER)
        assert refused.value.who_acts == "operator"
        assert len(bench.received("/details")) == 3


async def test_wrong_credentials_are_the_operators_problem_and_show_nowhere() -> None:
    async with fast_bench(client_secret="planted-secret") as bench:
        with pytest.raises(ConnectionMisconfigured) as refused:
            await bench.actions.get_or_create_connected_account(identifier=IDENTIFIER)
        assert "planted-secret" not in json.dumps(refused.value.to_dict())
    assert "planted-secret" not in repr(ScalekitEnvironment("https://env", "skc_1", "planted-secret"))


async def test_a_providers_401_never_renews_the_machine_token_and_asks_the_person() -> None:
    async with fast_bench() as bench:
        await bench.connect()
        info = {"execution_id": "exec_7", "tool_error_code": "UNAUTHORIZED", "tool_error_message": "token revoked"}
        switch(bench, status=401, grpc_code=16, error_code="TOOL_ERROR", path_contains="/execute_tool", tool_error=info)
        with pytest.raises(AuthorizationRequired) as refused:
            await bench.run(LIST)
        assert len(bench.received("/oauth/token")) == 1
        assert len(bench.received("/execute_tool")) == 1
        assert refused.value.details["execution_id"] == "exec_7"
        assert (refused.value.details["status"], refused.value.details["reason"]) == ("EXPIRED", "unknown")
        assert refused.value.details["authorization_url"].startswith("http://localhost:8754/connect/")


@pytest.mark.parametrize("statuses", ["provider", "always_500"])
async def test_microsofts_refusals_mean_the_same_under_every_http_status(statuses: str) -> None:
    async with fast_bench() as bench:
        await bench.connect()
        bench.look_alike.switches.tool_error_statuses = statuses
        bench.sandbox.graph_error(status=403, code="ErrorAccessDenied")
        with pytest.raises(PermissionMissing) as denied:
            await bench.run(LIST)
        assert denied.value.details["authorization_url"]
        bench.sandbox.throttle_graph(times=1, retry_after=7)
        with pytest.raises(Throttled) as throttled:
            await bench.run(CREATE, **EVENT)
        assert throttled.value.details["retry_after_seconds"] > 0
        assert throttled.value.details["execution_id"].startswith("exec_")
        assert [tool for tool, _ in bench.tools()] == [LIST, CREATE]


async def test_a_read_is_repeated_while_scalekit_is_unavailable_and_given_up_after_three_tries() -> None:
    async with fast_bench() as bench:
        await bench.actions.get_or_create_connected_account(identifier=IDENTIFIER)
        before = len(bench.received("/details"))
        switch(bench, status=503, grpc_code=14, path_contains="/details", times=2)
        await bench.actions.get_connected_account(identifier=IDENTIFIER)
        assert len(bench.received("/details")) - before == 3
        switch(bench, status=503, grpc_code=14, path_contains="/details", times=3)
        with pytest.raises(ProviderUnavailable):
            await bench.actions.get_connected_account(identifier=IDENTIFIER)
        assert len(bench.received("/details")) - before == 6
        assert bench.clock.sleeps == [1.0, 2.0, 1.0, 2.0]


@pytest.mark.parametrize(
    "fault", [{"status": 503, "grpc_code": 14}, {"status": 502, "body": "<html>"}, {"drop": "after"}], ids=str
)
async def test_a_create_whose_answer_is_lost_is_never_sent_twice(fault: dict[str, Any]) -> None:
    async with fast_bench() as bench:
        await bench.connect()
        switch(bench, path_contains="/execute_tool", apply="drop" not in fault, **fault)
        with pytest.raises(OutcomeUnknown) as unknown:
            await bench.run(CREATE, **EVENT)
        assert len(bench.received("/execute_tool")) == 1
        assert "transaction_id" not in unknown.value.next_step
        answer = await bench.run(LIST, filter="subject eq 'Review'")
        assert len(answer["value"]) == 1


async def test_an_update_whose_answer_is_lost_is_settled_by_reading_and_not_sent_twice() -> None:
    async with fast_bench() as bench:
        await bench.connect()
        event_id = (await bench.run(CREATE, **EVENT))["id"]
        switch(bench, path_contains="/execute_tool", drop="after")
        changed = await bench.run(UPDATE, event_id=event_id, subject="Review, moved")
        assert changed["subject"] == "Review, moved"
        assert [tool for tool, _ in bench.tools()].count(UPDATE) == 1


async def test_an_update_that_was_not_made_is_said_to_be_repeatable_and_not_sent_twice() -> None:
    async with fast_bench() as bench:
        await bench.connect()
        event_id = (await bench.run(CREATE, **EVENT))["id"]
        switch(bench, path_contains="/execute_tool", drop="before")
        with pytest.raises(ProviderUnavailable) as failed:
            await bench.run(UPDATE, event_id=event_id, subject="Review, moved")
        assert failed.value.retryable
        assert [tool for tool, _ in bench.tools()].count(UPDATE) == 1


async def test_a_delete_whose_answer_is_lost_is_settled_by_reading() -> None:
    async with fast_bench() as bench:
        await bench.connect()
        bench.sandbox.world.switches.deleted_readable = False
        event_id = (await bench.run(CREATE, **EVENT))["id"]
        switch(bench, path_contains="/execute_tool", drop="after")
        assert (await bench.run(DELETE, event_id=event_id))["deleted"] is True
        assert [tool for tool, _ in bench.tools()].count(DELETE) == 1


async def test_an_account_that_scalekit_no_longer_serves_is_looked_at_and_gets_its_link() -> None:
    async with fast_bench() as bench:
        await bench.connect()
        await bench.run(LIST)
        [account] = bench.look_alike.records.accounts.values()
        account.status = "EXPIRED"
        with pytest.raises(AuthorizationRequired) as refused:
            await bench.run(LIST)
        assert (refused.value.details["status"], refused.value.details["reason"]) == ("EXPIRED", "unknown")
        assert refused.value.details["authorization_url"]


async def test_an_account_that_was_deleted_elsewhere_is_created_again_and_gets_a_link() -> None:
    async with fast_bench() as bench:
        await bench.connect()
        await bench.run(LIST)
        bench.look_alike.records.accounts.clear()
        with pytest.raises(AuthorizationRequired) as refused:
            await bench.run(LIST)
        assert refused.value.details["status"] == "PENDING"
        assert len(bench.look_alike.records.accounts) == 1


@pytest.mark.parametrize(
    ("wire", "status", "reason"),
    [
        ("ACTIVE", "ACTIVE", None),
        ("EXPIRED", "EXPIRED", "unknown"),
        ("PENDING_AUTH", "PENDING", "never_authorized"),
        ("DISCONNECTED", "REVOKED", "disconnected"),
        ("SOMETHING_NEW", "EXPIRED", "unknown"),
    ],
)
async def test_the_statuses_of_the_wire_become_ours(wire: str, status: str, reason: str | None) -> None:
    async with fast_bench() as bench:
        await bench.actions.get_or_create_connected_account(identifier=IDENTIFIER)
        [account] = bench.look_alike.records.accounts.values()
        account.status = wire
        assert await bench.status() == (status, reason)


async def test_another_caller_who_creates_the_account_first_is_no_error() -> None:
    async with fast_bench() as bench:
        await bench.actions.get_or_create_connected_account(identifier=IDENTIFIER)
        switch(bench, status=404, grpc_code=5, error_code="RESOURCE_NOT_FOUND", path_contains="/details")
        response = await bench.actions.get_or_create_connected_account(identifier=IDENTIFIER)
        assert response.connected_account.identifier == IDENTIFIER
        assert [r.status for r in bench.received("/connected_accounts")] == [201, 409]


async def test_disconnecting_where_scalekit_does_not_offer_it_says_so() -> None:
    async with fast_bench() as bench:
        await bench.connect()
        bench.look_alike.switches.preview_routes = False
        with pytest.raises(PermissionMissing) as refused:
            await bench.actions.disconnect(identifier=IDENTIFIER)
        assert refused.value.who_acts == "operator"
        assert await bench.status() == ("ACTIVE", None)


async def test_no_answer_of_the_account_calls_brings_a_users_tokens_into_this_process() -> None:
    async with fast_bench() as bench:
        await bench.connect()
        await bench.run(LIST)
        assert bench.received("/connected_accounts/auth") == []
        [account] = bench.look_alike.records.accounts.values()
        assert account.tokens is not None
        response = await bench.actions.get_connected_account(identifier=IDENTIFIER)
        assert account.tokens.access_token not in repr(response)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html>no</html>",
        "[]",
        '{"details": 3}',
        '{"details": ["x"], "message": 4}',
        '{"details":[{"tool_error_info":1}]}',
    ],
)
def test_an_error_body_of_any_form_is_read(body: str) -> None:
    failure = ScalekitError.read(httpx.Response(500, text=body))
    assert failure.status == 500
    assert not failure.from_provider
    assert isinstance(failure.as_error("do it"), ProviderUnavailable)


async def test_an_unreachable_scalekit_is_said_to_be_unavailable() -> None:
    async with fast_bench() as bench:
        await bench.connect()
        switch(bench, drop="before", path_contains="/oauth/token")
        bench.look_alike.expire_machine_tokens()
        with pytest.raises(ProviderUnavailable) as failed:
            await bench.actions.delete_connected_account(identifier=IDENTIFIER)
        assert failed.value.retryable
        assert DANA not in json.dumps(failed.value.to_dict())
