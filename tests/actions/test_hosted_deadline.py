"""The deadline of a whole call over Scalekit: the same as in embedded mode, with the same words."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from actions_support import EVENT, IDENTIFIER, HostedBench, fast_bench

from scalekit_mcp.errors import ScalekitMCPError
from scalekit_mcp.sandbox.world import GraphFault


async def refused(bench: HostedBench, tool: str, **arguments: Any) -> str:
    with anyio.fail_after(20), pytest.raises(ScalekitMCPError) as error:
        await bench.actions.execute_tool(
            identifier=IDENTIFIER, tool_name=f"outlook_{tool}_calendar_event", tool_input=arguments
        )
    return error.value.code


async def created(bench: HostedBench) -> str:
    result = await bench.actions.execute_tool(
        identifier=IDENTIFIER, tool_name="outlook_create_calendar_event", tool_input=EVENT
    )
    return result["id"]


@pytest.mark.parametrize(
    ("tool", "code"),
    [
        ("get", "provider_unavailable"),
        ("create", "outcome_unknown"),
        ("update", "outcome_unknown"),
        ("delete", "outcome_unknown"),
    ],
)
async def test_a_tool_that_scalekit_never_answers_ends_with_the_call(tool: str, code: str) -> None:
    async with fast_bench(call_seconds=1.0) as bench:
        await bench.connect()
        event_id = await created(bench)
        if tool == "delete":
            bench.sandbox.world.switches.graph_faults.append(GraphFault(method="GET"))  # the read before it
        bench.sandbox.world.switches.graph_faults.append(GraphFault(delay_seconds=3600.0, times=99))
        given = {
            "get": {"event_id": event_id},
            "create": EVENT,
            "update": {"event_id": event_id, "subject": "Retro"},
            "delete": {"event_id": event_id},
        }[tool]
        assert await refused(bench, tool, **given) == code
