"""Several real processes on one vault, one-time refresh tokens, and a process that dies at the worst moment."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx2 as httpx
import pytest

from scalekit_mcp.accounts.model.records import AccountKey, AccountSettings, AccountStatus, UserVerification
from scalekit_mcp.accounts.services import AccountServices
from scalekit_mcp.accounts.vault.sealing.key_ring import KeyRing
from scalekit_mcp.accounts.vault.vault import Vault
from scalekit_mcp.errors import AuthorizationRequired
from scalekit_mcp.sandbox import Sandbox
from tests.accounts.accounts_support import Room, provider_for
from tests.support.clock import HandClock

KEYS = KeyRing.generate().to_text()


@asynccontextmanager
async def served_room(database_url: str) -> AsyncIterator[tuple[Room, str]]:
    """A sandbox on a socket, and an account whose access token has run out."""
    sandbox, clock = Sandbox(), HandClock(datetime.now(UTC))
    async with sandbox.serve() as base_url, httpx.AsyncClient() as http:
        vault = Vault(database_url, KeyRing.from_text(KEYS))
        services = AccountServices.on(
            vault,
            providers={"outlook": provider_for(http, clock, login_url=base_url)},
            clock=clock,
            settings=AccountSettings(user_verification=UserVerification.OFF),
        )
        room = Room(sandbox, clock, http, vault, services)
        sandbox.access_token_lifetime(1)
        await room.consent()
        clock.advance(2)
        sandbox.access_token_lifetime(3600)
        try:
            yield room, base_url
        finally:
            await services.aclose()


@asynccontextmanager
async def started(
    count: int, database_url: str, base_url: str, callers: int = 1, stage: str = "-"
) -> AsyncIterator[list[asyncio.subprocess.Process]]:
    """Processes that are ready to ask for tokens; none of them outlives the test."""
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.accounts.refreshing_process",
            *(database_url, KEYS, base_url, str(callers), stage),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        for _ in range(count)
    ]
    try:
        assert [await line_of(process) for process in processes] == ["ready"] * count
        yield processes
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
            await process.communicate()


async def line_of(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(60):
        return (await process.stdout.readline()).decode().strip()


async def go(process: asyncio.subprocess.Process, *, later_seconds: int = 0) -> None:
    """Let the process ask for tokens, by a clock that is ahead."""
    assert process.stdin is not None
    process.stdin.write(f"{later_seconds}\n".encode())
    await process.stdin.drain()


async def test_four_processes_with_fifty_callers_each_cause_one_grant_per_expiry_and_nobody_fails(
    shared_database_url: str,
):
    async with (
        served_room(shared_database_url) as (room, base_url),
        started(4, shared_database_url, base_url, callers=50) as processes,
    ):
        room.sandbox.rotation("one_time")
        room.sandbox.slow(0.3)
        for expiries in (1, 2):
            await asyncio.gather(*(go(process, later_seconds=(expiries - 1) * 4000) for process in processes))
            answers = [json.loads(await line_of(process)) for process in processes]
            stored = await room.stored_tokens()
            assert stored is not None
            assert answers == [[hashlib.sha256(stored.access_token.encode()).hexdigest()]] * 4
            assert room.grants() == expiries
        async with asyncio.timeout(60):
            for process in processes:
                await process.communicate(b"")  # the end of its input ends it
        assert [process.returncode for process in processes] == [0] * 4


@pytest.mark.parametrize(
    ("stage", "rotation", "grants_before", "survives"),
    [
        ("before", "one_time", 0, True),
        ("after", "keep", 1, True),
        ("after", "one_time", 1, False),  # the only copy of the new refresh token died with the process
        ("saved", "one_time", 1, True),
    ],
)
async def test_a_killed_refresher_is_recovered_from_within_one_lease(
    shared_database_url: str, stage: str, rotation: str, grants_before: int, survives: bool
):
    async with served_room(shared_database_url) as (room, base_url):
        room.sandbox.rotation(rotation)  # pyright: ignore[reportArgumentType] - a literal of the table
        async with started(1, shared_database_url, base_url, stage=stage) as (process,):
            await go(process)
            assert await line_of(process) == "stopped"
            process.kill()
            await process.communicate()
        assert room.grants() == grants_before
        room.clock.at = datetime.now(UTC) + timedelta(seconds=60)
        room.sandbox.freeze_clock(room.clock.at)
        if survives:
            assert await room.tokens.access_token(AccountKey("outlook", "ana"))
            assert (await room.view()).account.status is AccountStatus.ACTIVE
            assert room.grants() == 1 + (stage == "after")
        else:
            with pytest.raises(AuthorizationRequired):
                await room.tokens.access_token(AccountKey("outlook", "ana"))
            assert (await room.view()).account.status is not AccountStatus.ACTIVE


@pytest.mark.parametrize("stage", ["before", "after"])
async def test_whoever_waits_for_a_killed_refresher_gets_a_token_within_one_short_lease(
    shared_database_url: str, stage: str
):
    async with served_room(shared_database_url) as (room, base_url):
        async with started(1, shared_database_url, base_url, stage=stage) as (process,):
            await go(process)
            assert await line_of(process) == "stopped"
            process.kill()
            await process.communicate()
        began = room.clock.at = datetime.now(UTC)
        room.sandbox.freeze_clock(began)
        tokens = await asyncio.gather(*(room.tokens.access_token(AccountKey("outlook", "ana")) for _ in range(20)))
        assert len(set(tokens)) == 1
        assert (room.clock.now() - began).total_seconds() <= 11  # of the clock that its pauses move
        assert room.grants() == 1 + (stage == "after")
