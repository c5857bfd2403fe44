"""One tool call has one deadline, whatever it waits for, and its answer says what is known of its changes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from scalekit_mcp.actions.embedded.actions import EmbeddedActions
from scalekit_mcp.actions.options import CallOptions
from scalekit_mcp.call_deadline import CallDeadline, before_deadline, call_deadline
from scalekit_mcp.errors import OutcomeUnknown, ProviderUnavailable, ScalekitMCPError
from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.sandbox.world import GraphFault
from tests.support.clock import HandClock, SandboxTime
from tests.support.seam import PAGES, Seam
from tests.support.settings import sandbox_settings

WINDOW = {"start_datetime": "2026-04-01T00:00:00", "end_datetime": "2026-04-08T00:00:00"}
EVENT = {
    "start_timezone": "UTC",
    "end_timezone": "UTC",
    "start_datetime": "2026-04-01T10:00:00",
    "end_datetime": "2026-04-01T10:30:00",
}
FOREVER = 3600.0


@asynccontextmanager
async def connected(call_seconds: float = 1.5) -> AsyncIterator[Seam]:
    """Somebody connected, with calls that last this long at most; the sandbox answers on a socket."""
    sandbox = Sandbox()
    async with sandbox.serve() as base_url:
        clock = SandboxTime(sandbox)
        settings = sandbox_settings(sandbox, base_url, public_url=PAGES)

        async def link_base() -> str:
            return PAGES

        actions = EmbeddedActions(
            settings,
            CallOptions(clock=clock, link_base=link_base, user_verification="off", call_seconds=call_seconds),
        )
        try:
            seam = Seam(actions, sandbox, clock)
            await seam.consent("dana")
            yield seam
        finally:
            sandbox.clear_faults()
            await actions.aclose()


async def created(seam: Seam) -> str:
    return (await seam.call("dana", "outlook_create_calendar_event", subject="Review", **EVENT))["id"]


def hang(seam: Seam, method: str, **more: Any) -> None:
    seam.sandbox.world.switches.graph_faults.append(GraphFault(method=method, delay_seconds=FOREVER, times=99, **more))


async def test_a_read_that_is_never_answered_ends_with_the_call() -> None:
    async with connected() as seam:
        hang(seam, "GET")
        with anyio.fail_after(20):
            refused = await seam.refused("dana", **WINDOW)
    assert refused["code"] == "provider_unavailable"


@pytest.mark.parametrize("tool", ["update", "delete", "create"])
async def test_a_change_that_is_never_answered_is_of_unknown_outcome(tool: str) -> None:
    async with connected() as seam:
        event_id = await created(seam)
        hang(seam, {"update": "PATCH", "delete": "DELETE", "create": "POST"}[tool])
        if tool == "delete":
            seam.sandbox.world.switches.graph_faults.append(GraphFault(method="GET"))  # the read before it
        hang(seam, "GET")
        given = {
            "update": {"event_id": event_id, "subject": "Other"},
            "delete": {"event_id": event_id},
            "create": {"subject": "Second", **EVENT},
        }[tool]
        with anyio.fail_after(20):
            refused = await seam.refused("dana", f"outlook_{tool}_calendar_event", **given)
    assert refused["code"] == "outcome_unknown"


async def test_a_change_that_waits_for_its_reading_changes_nothing() -> None:
    async with connected() as seam:
        event_id = await created(seam)
        hang(seam, "GET")
        seam.forget()
        with anyio.fail_after(20):
            refused = await seam.refused(
                "dana", "outlook_update_calendar_event", event_id=event_id, attendees_add="bob@company.com"
            )
        assert refused["code"] == "provider_unavailable"
        assert {request.method for request in seam.sandbox.requests} <= {"GET"}


async def test_a_refresh_that_is_never_answered_ends_with_the_call() -> None:
    async with connected() as seam:
        seam.sandbox.advance_clock(5400)
        seam.sandbox.expire_access_tokens()
        seam.sandbox.delay_token_answer(FOREVER, times=99)
        with anyio.fail_after(20):
            refused = await seam.refused("dana", **WINDOW)
    assert refused["code"] == "provider_unavailable"


async def test_pauses_of_several_requests_share_one_budget() -> None:
    """Every page asks for a pause that alone would be fine; together they may not outlast the call."""
    clock = HandClock()

    async def call() -> list[float]:
        left: list[float] = []
        for _ in range(3):
            left.append(call_deadline(clock).remaining())
            await clock.sleep(25)
        return left

    first, second, third = await before_deadline(call, clock=clock, seconds=60)
    assert first > second > third
    assert third < 60 - 50


async def test_what_asks_nobody_is_cut_off_and_says_what_is_known() -> None:
    async def nothing() -> None:
        await anyio.sleep_forever()

    async def sent() -> None:
        call_deadline(clock).change_sent()
        await anyio.sleep_forever()

    async def made() -> None:
        call_deadline(clock).change_sent()
        call_deadline(clock).change_answered(made=True)
        await anyio.sleep_forever()

    async def refused() -> None:
        call_deadline(clock).change_sent()
        call_deadline(clock).change_answered(made=False)
        await anyio.sleep_forever()

    clock = HandClock()
    expected: list[tuple[Any, type[ScalekitMCPError]]] = [
        (nothing, ProviderUnavailable),
        (sent, OutcomeUnknown),
        (made, OutcomeUnknown),
        (refused, ProviderUnavailable),
    ]
    for call, error in expected:
        with pytest.raises(error):
            await before_deadline(call, clock=clock, seconds=0.05)


async def test_outside_of_a_call_each_request_has_a_deadline_of_its_own() -> None:
    clock = HandClock()
    first = CallDeadline(clock)
    clock.advance(40)
    assert call_deadline(clock).remaining() > first.remaining()
