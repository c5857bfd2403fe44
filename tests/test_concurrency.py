"""What callers share: one run, one opening, places in a queue, and work that nobody's going away ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio
import pytest

from scalekit_mcp.concurrency import KeyedLimiter, LimitReachedError, OnFirstUse, OpenOnce, RunningTasks, SingleFlight


class Work:
    """Something that waits until it is let go; counts how often it ran and how often it came to its end."""

    def __init__(self) -> None:
        self.begun = 0
        self.done = 0
        self.gate = asyncio.Event()
        self.failure: Exception | None = None

    async def __call__(self) -> int:
        self.begun += 1
        number = self.begun
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        self.done += 1
        return number


async def started(work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """A task that has come to where it waits."""
    task = asyncio.create_task(work)
    await anyio.wait_all_tasks_blocked()
    return task


async def test_callers_at_the_same_time_share_one_run_and_the_next_one_begins_anew() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    work = Work()
    callers = [await started(flights.run("a", work)) for _ in range(3)]
    other = await started(flights.run("b", work))
    assert work.begun == 2
    assert "a" in flights
    work.gate.set()
    assert await asyncio.gather(*callers, other) == [1, 1, 1, 2]
    assert "a" not in flights
    assert await flights.run("a", work) == 3


async def test_a_caller_that_is_cancelled_ends_neither_the_run_nor_the_wait_of_others() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    work = Work()
    first = await started(flights.run("a", work))
    second = await started(flights.run("a", work))
    first.cancel()
    await anyio.wait_all_tasks_blocked()
    assert first.cancelled()
    third = await started(flights.run("a", work))
    work.gate.set()
    assert await asyncio.gather(second, third) == [1, 1]
    assert work.done == 1


async def test_all_who_wait_get_the_failure_and_it_is_not_kept() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    work = Work()
    callers = [await started(flights.run("a", work)) for _ in range(2)]
    work.failure = ValueError("no")
    work.gate.set()
    results = await asyncio.gather(*callers, return_exceptions=True)
    assert results == [work.failure, work.failure]
    work.failure = None
    assert await flights.run("a", work) == 2


async def test_a_forgotten_run_is_joined_by_nobody_and_still_answers_who_waits() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    work = Work()
    before = await started(flights.run("a", work))
    flights.forget("a")
    after = await started(flights.run("a", work))
    work.gate.set()
    assert await asyncio.gather(before, after) == [1, 2]


async def test_a_forgotten_run_that_ends_does_not_take_the_newer_one_with_it() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    old, new = Work(), Work()
    before = await started(flights.run("a", old))
    flights.forget("a")
    after = await started(flights.run("a", new))
    old.gate.set()
    assert await before == 1
    joined = await started(flights.run("a", new))
    new.gate.set()
    assert await asyncio.gather(after, joined) == [1, 1]
    assert new.begun == 1


async def test_work_that_ended_in_this_very_moment_is_not_joined() -> None:
    flights: SingleFlight[None, int] = SingleFlight()
    work = Work()
    work.gate.set()
    task = flights.start(None, work)
    seen: list[tuple[bool, bool]] = []
    newer: list[asyncio.Task[int]] = []

    def look() -> None:  # after the last step of the task, and before its callbacks
        seen.append((task.done(), None in flights))
        newer.append(flights.start(None, work))

    asyncio.get_running_loop().call_soon(look)
    assert await task == 1
    assert seen == [(True, False)]
    assert await newer[0] == 2


async def test_work_goes_on_where_its_caller_is_cancelled_and_closing_waits_for_it() -> None:
    running = RunningTasks()
    work = Work()
    caller = await started(running.run(work()))
    caller.cancel()
    await anyio.wait_all_tasks_blocked()
    assert caller.cancelled()
    assert len(running) == 1
    closing = await started(running.aclose(60))
    assert not closing.done()
    work.gate.set()
    await closing
    assert work.done == 1
    assert len(running) == 0


async def test_closing_cancels_what_lasts_too_long() -> None:
    running = RunningTasks()
    work = Work()
    caller = await started(running.run(work()))
    await running.aclose(0)
    assert caller.cancelled() or caller.done()
    assert (work.begun, work.done, len(running)) == (1, 0, 0)
    await running.aclose(0)


async def test_a_run_of_many_is_closed_like_any_work() -> None:
    flights: SingleFlight[int, int] = SingleFlight()
    work = Work()
    callers = [await started(flights.run(key, work)) for key in range(3)]
    flights.forget(1)
    await flights.aclose(0)
    results = await asyncio.gather(*callers, return_exceptions=True)
    assert [type(result) for result in results] == [asyncio.CancelledError] * 3
    assert work.done == 0


async def test_many_who_ask_at_once_open_once() -> None:
    work = Work()
    shared = OpenOnce(work)
    callers = [await started(shared.get()) for _ in range(5)]
    work.gate.set()
    assert await asyncio.gather(*callers) == [1] * 5
    assert await shared.get() == 1
    assert shared.take() == 1
    assert shared.take() is None
    assert await shared.get() == 2


async def test_a_failed_or_cancelled_opening_leaves_it_to_the_next_caller() -> None:
    work = Work()
    shared = OpenOnce(work)
    first = await started(shared.get())
    second = await started(shared.get())
    first.cancel()
    await anyio.wait_all_tasks_blocked()
    assert work.begun == 2
    work.failure = ValueError("no")
    work.gate.set()
    with pytest.raises(ValueError, match="no"):
        await second
    assert shared.take() is None
    work.failure = None
    assert await shared.get() == 3


async def test_what_opens_on_first_use_is_opened_by_its_owner_and_closed_with_it() -> None:
    events: list[str] = []

    @asynccontextmanager
    async def resource() -> AsyncGenerator[str]:
        events.append("opened")
        try:
            yield "it"
        finally:
            events.append("closed")

    shared = OnFirstUse(resource)
    async with anyio.create_task_group() as owner:
        owner.start_soon(shared.run)
        await anyio.wait_all_tasks_blocked()
        assert events == []
        assert [await shared.get(), await shared.get()] == ["it", "it"]
        owner.cancel_scope.cancel()
    assert events == ["opened", "closed"]


async def test_places_are_given_in_turn_and_the_last_of_the_queue_is_still_given() -> None:
    limiter: KeyedLimiter[str] = KeyedLimiter(2, queue=3)
    order: list[int] = []
    go_on = asyncio.Event()

    async def use(number: int) -> None:
        async with limiter.place("ana", wait_seconds=60):
            order.append(number)
            await go_on.wait()

    tasks = [await started(use(number)) for number in range(5)]
    assert order == [0, 1]
    refused = await started(use(5))
    assert isinstance(refused.exception(), LimitReachedError)
    async with limiter.place("bob", wait_seconds=0):
        assert len(limiter) == 2
    go_on.set()
    await asyncio.gather(*tasks)
    assert order == [0, 1, 2, 3, 4]
    assert len(limiter) == 0


async def test_whoever_leaves_the_queue_gives_its_place_to_the_next() -> None:
    limiter: KeyedLimiter[str] = KeyedLimiter(1, queue=1)

    async def use() -> None:
        async with limiter.place("ana", wait_seconds=60):
            pass

    async with limiter.place("ana", wait_seconds=0):
        waiting = await started(use())
        waiting.cancel()
        await anyio.wait_all_tasks_blocked()
        assert waiting.cancelled()
        waiting = await started(use())
    await waiting
    assert len(limiter) == 0


async def test_a_queue_that_does_not_move_is_left_after_the_wait() -> None:
    limiter: KeyedLimiter[str] = KeyedLimiter(1)
    async with limiter.place("ana", wait_seconds=0):
        with pytest.raises(LimitReachedError):
            async with limiter.place("ana", wait_seconds=0):
                raise AssertionError("there was no place")
        assert len(limiter) == 1
    assert len(limiter) == 0


async def test_without_a_bound_of_its_queue_everybody_waits() -> None:
    limiter: KeyedLimiter[str] = KeyedLimiter(1)
    served: list[int] = []

    async def use(number: int) -> None:
        async with limiter.place("ana", wait_seconds=60):
            served.append(number)

    async with AsyncExitStack() as stack:
        await stack.enter_async_context(limiter.place("ana", wait_seconds=0))
        tasks = [asyncio.create_task(use(number)) for number in range(200)]
        await anyio.wait_all_tasks_blocked()
        assert served == []
    await asyncio.gather(*tasks)
    assert served == list(range(200))
