"""Switched failures of Graph."""

from __future__ import annotations

import pytest
from graph_client import Graph, create, event_body, path, refusal

from scalekit_mcp.sandbox.world import GraphFault
from scalekit_mcp.sandbox.world.dropped import ConnectionDropped

DANA = "dana@company.com"


async def test_throttling_says_when_to_come_back_and_does_nothing():
    graph = Graph()
    graph.empty(DANA)
    graph.world.switches.graph_faults.append(GraphFault(status=429, times=1))
    async with graph.signed_in() as client:
        answer = await client.post("/me/events", json=event_body())
        assert refusal(answer) == (429, "ApplicationThrottled")
        assert answer.headers["retry-after"] == "2"
        assert (await client.get("/me/events")).json()["value"] == []


async def test_a_fault_meets_only_the_named_method_path_and_person():
    graph = Graph()
    graph.world.switches.graph_faults.append(
        GraphFault(status=503, method="GET", path_contains="calendarView", person="bob@company.com", times=5)
    )
    window = {"startDateTime": "2026-04-01", "endDateTime": "2026-04-02"}
    async with graph.signed_in() as dana, graph.signed_in("bob@company.com") as bob:
        assert (await dana.get("/me/calendarView", params=window)).status_code == 200
        assert (await bob.get("/me/events")).status_code == 200
        assert refusal(await bob.get("/me/calendarView", params=window)) == (503, "serviceNotAvailable")


@pytest.mark.parametrize(("drop", "made"), [("before", 0), ("after", 1)])
async def test_a_dropped_connection_leaves_the_write_undone_or_done(drop: str, made: int):
    graph = Graph()
    graph.empty(DANA)
    graph.world.switches.graph_faults.append(GraphFault(drop=drop))
    async with graph.signed_in() as client:
        with pytest.raises(ConnectionDropped):
            await client.post("/me/events", json=event_body())
        assert graph.world.requests[-1].status is None
        assert len((await client.get("/me/events")).json()["value"]) == made


async def test_a_gateways_html_comes_after_a_carried_out_write():
    graph = Graph()
    async with graph.signed_in() as client:
        made = await create(client)
        page = "<html><body>502 Bad Gateway</body></html>"
        graph.world.switches.graph_faults.append(GraphFault(status=502, body=page, apply=True))
        answer = await client.patch(path(made), json={"subject": "Done all the same"})
        assert (answer.status_code, answer.text) == (502, page)
        assert answer.headers["content-type"] == "text/html"
        assert (await client.get(path(made))).json()["subject"] == "Done all the same"


async def test_a_fault_may_carry_its_own_code_text_and_headers():
    graph = Graph()
    fault = GraphFault(status=503, code="MailboxInfoStale", message="Moving.", headers={"Retry-After": "7"})
    graph.world.switches.graph_faults.append(fault)
    async with graph.signed_in() as client:
        answer = await client.get("/me/events")
        assert refusal(answer) == (503, "MailboxInfoStale")
        assert answer.headers["retry-after"] == "7"


async def test_an_expired_token_and_a_claims_challenge_are_401():
    graph = Graph()
    async with graph.signed_in() as client:
        graph.world.switches.claims_challenge = '{"access_token":{"acrs":{"essential":true,"value":"c1"}}}'
        challenged = await client.get("/me/events")
        assert challenged.status_code == 401
        assert 'error="insufficient_claims"' in challenged.headers["www-authenticate"]
        graph.world.switches.claims_challenge = None
        graph.world.clock.advance(100_000)
        assert refusal(await client.get("/me/events")) == (401, "InvalidAuthenticationToken")


async def test_a_mailbox_that_disappears_is_missed_at_the_next_request():
    graph = Graph()
    async with graph.signed_in() as client:
        assert (await client.get("/me/events")).status_code == 200
        graph.world.people[DANA].has_mailbox = False
        assert refusal(await client.get("/me/events")) == (404, "MailboxNotEnabledForRESTAPI")
