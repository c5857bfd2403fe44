"""Every request of the hosted client, held against Scalekit's published OpenAPI document."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from actions_support import EVENT, IDENTIFIER, HostedBench, fast_bench
from jsonschema import Draft202012Validator

from scalekit_mcp.actions.hosted.actions import HostedActions

DOCUMENT = os.environ.get("SCALEKIT_OPENAPI")
pytestmark = pytest.mark.skipif(not DOCUMENT, reason="SCALEKIT_OPENAPI names no published OpenAPI document")

UNPUBLISHED = {"/oauth/token"}
"""Described by the document's security scheme, not by a path."""


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    import yaml

    loaded = yaml.safe_load(Path(DOCUMENT or "").read_text("utf-8"))
    # Published schemas are open; a misspelt property would pass unseen.
    for schema in loaded["components"]["schemas"].values():
        if schema.get("type") == "object" and schema.get("properties"):
            schema.setdefault("additionalProperties", False)
    return loaded


async def tour(bench: HostedBench) -> None:
    """Every call that the hosted client can make."""
    actions = bench.actions
    await actions.get_or_create_connected_account(identifier=IDENTIFIER)
    await bench.connect()
    event = await bench.run(
        "outlook_create_calendar_event", **EVENT, categories="Blue", attendees_required="alice@company.com"
    )
    await bench.run("outlook_get_calendar_event", event_id=event["id"])
    await bench.run("outlook_list_calendar_events", filter="subject eq 'Review'", select="subject", skip=1, top=3)
    await bench.run(
        "outlook_list_calendar_events",
        start_datetime="2026-04-06T00:00:00",
        end_datetime="2026-04-09T00:00:00",
        timezone="UTC",
    )
    await bench.run("outlook_update_calendar_event", event_id=event["id"], attendees_add="bob@company.com")
    await bench.run("outlook_delete_calendar_event", event_id=event["id"], cancellation_message="Later.")
    await actions.list_connected_accounts(identifier=IDENTIFIER, page_size=5)
    await actions.list_connected_accounts(status="ACTIVE")
    await actions.disconnect(identifier=IDENTIFIER)
    await actions.delete_connected_account(identifier=IDENTIFIER)


async def test_every_request_is_one_that_the_published_document_describes(document: dict[str, Any]) -> None:
    async with fast_bench() as bench:
        await tour(bench)
        requests = [
            r for r in bench.sandbox.requests if r.area == "scalekit" and r.path.startswith(("/api/", "/oauth/"))
        ]
    seen: set[str] = set()
    for request in requests:
        if request.path in UNPUBLISHED or request.path.endswith(":disconnect"):
            continue  # `:disconnect` is a preview that the document leaves out
        operation = document["paths"][request.path][request.method.lower()]
        seen.add(operation["operationId"])
        check_query(document, operation, request.query)
        check_body(document, operation, request.body)
        assert str(request.status) in operation["responses"], (request.method, request.path, request.status)
    assert {name.rpartition("_")[2] for name in seen} == {
        "GetConnectedAccountDetails",
        "CreateConnectedAccount",
        "ListConnectedAccounts",
        "DeleteConnectedAccount",
        "GetMagicLinkForConnectedAccount",
        "VerifyConnectedAccountUser",
        "ExecuteTool",
    }


async def test_over_the_proxy_what_is_left_for_the_published_api_is_described_too(document: dict[str, Any]) -> None:
    async with fast_bench(calls="proxy") as bench:
        await tour(bench)
        requests = [r for r in bench.sandbox.requests if r.area == "scalekit" and r.path.startswith("/api/")]
    assert requests
    for request in requests:
        if not request.path.endswith(":disconnect"):
            operation = document["paths"][request.path][request.method.lower()]
            check_query(document, operation, request.query)
            check_body(document, operation, request.body)
    assert "/api/v1/execute_tool" not in {request.path for request in requests}


def check_query(document: dict[str, Any], operation: dict[str, Any], query: dict[str, str]) -> None:
    described = {p["name"]: p for p in operation.get("parameters", []) if p["in"] == "query"}
    assert set(query) <= set(described), query
    for name, parameter in described.items():
        assert name in query or not parameter.get("required")
        if name in query and parameter["schema"]["type"] == "integer":
            assert int(query[name]) < 100


def check_body(document: dict[str, Any], operation: dict[str, Any], body: Any) -> None:
    if "requestBody" not in operation:
        assert body is None
        return
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    whole = {**schema, "components": document["components"]}
    problems = [error.message for error in Draft202012Validator(whole).iter_errors(body)]
    assert problems == []


def test_the_check_would_see_a_wrong_request(document: dict[str, Any]) -> None:
    operation = document["paths"]["/api/v1/execute_tool"]["post"]
    with pytest.raises(AssertionError):
        check_body(document, operation, {"tool_name": "x", "tool_input": {}})
    with pytest.raises(AssertionError):
        check_query(document, document["paths"]["/api/v1/connected_accounts"]["get"], {"status": "ACTIVE"})


async def test_the_look_alikes_answers_are_those_of_the_published_document(document: dict[str, Any]) -> None:
    async with fast_bench() as bench:
        await bench.connect()
        assert isinstance(bench.actions, HostedActions)
        rest = (await bench.actions._services()).connections.every._rest
        key = {"connector": "outlook", "identifier": IDENTIFIER}
        for path, answer in (
            ("/connected_accounts/details", await rest.get("/connected_accounts/details", key)),
            ("/connected_accounts", await rest.get("/connected_accounts", {"connector": "outlook"})),
            ("/tools", await rest.get("/tools", {"filter.summary": "true"})),
        ):
            content = document["paths"]["/api/v1" + path]["get"]["responses"]["200"]["content"]
            whole = {**content["application/json"]["schema"], "components": document["components"]}
            assert [error.message for error in Draft202012Validator(whole).iter_errors(answer)] == [], path
