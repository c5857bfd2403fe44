"""Every Graph code on the wire, and dropped connections on a real socket."""

from __future__ import annotations

import anyio
import httpx2 as httpx
import pytest

from scalekit_mcp.calendar.failures import ChangeAnswerLostError
from scalekit_mcp.errors import ScalekitMCPError
from scalekit_mcp.microsoft.graph.client import GraphClient, GraphRequest, GraphResponse, Repeat, segment
from scalekit_mcp.microsoft.graph.endpoint import DirectGraph
from scalekit_mcp.microsoft.graph.error_table import GRAPH_ERRORS
from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.sandbox.world import GraphFault
from tests.microsoft.test_graph_client import BODY, LIST, SandboxTokens, stage
from tests.microsoft.test_graph_errors import CASES
from tests.support.bounds import HANG_SECONDS
from tests.support.clock import HandClock


async def test_every_code_that_graph_sends_becomes_its_error_and_no_account_is_touched() -> None:
    async with stage() as s:
        path = f"/me/events/{segment((await s.first_event())['id'])}"
        seen: dict[str, type[ScalekitMCPError]] = {}
        for status, code, _ in CASES:
            s.fault(status=status, code=code, times=20)
            with pytest.raises(ScalekitMCPError) as caught:
                await s.session.send(GraphRequest("GET", path, about="event", alone=True))
            seen[code] = type(caught.value)
            s.sandbox.world.switches.graph_faults.clear()
        assert seen == {code: kind for _, code, kind in CASES}
        assert len(seen) == len(GRAPH_ERRORS)
        assert (await s.session.send(GraphRequest("GET", path))).status == 200


@pytest.mark.parametrize("drop", ["before", "after"])
async def test_a_closed_socket_is_a_lost_answer_for_a_change_and_a_repeat_for_what_is_safe(drop: str) -> None:
    sandbox, clock = Sandbox(), HandClock()
    with anyio.fail_after(HANG_SECONDS):
        async with sandbox.serve() as base_url, httpx.AsyncClient() as http:
            client = GraphClient(http, endpoint=DirectGraph(f"{base_url}/v1.0"), clock=clock)
            tokens = SandboxTokens(sandbox)

            async def send(request: GraphRequest) -> GraphResponse:
                sandbox.world.switches.graph_faults.append(GraphFault(drop=drop))
                return await client.send(request, tokens, mailbox="dana")

            listed = await send(LIST)
            created = await send(
                GraphRequest("POST", "/me/events", json=BODY | {"transactionId": "t-9"}, repeat=Repeat.SAFE)
            )
            path = f"/me/events/{segment(created.body['id'])}"
            with pytest.raises(ChangeAnswerLostError) as caught:
                await send(GraphRequest("PATCH", path, json={"subject": "Moved"}))
            assert caught.value.sent
            found = await client.send(GraphRequest("GET", path), tokens, mailbox="dana")
            assert found.body["subject"] == ("Moved" if drop == "after" else "Planning")
            assert listed.status == 200
            assert len(clock.sleeps) == 2
