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

from scalekit_mcp.accounts.manager import ConnectedAccountManager
from scalekit_mcp.accounts.models import AccountStatus, ManagerSettings, UserVerification
from scalekit_mcp.accounts.sealing import KeyRing
from scalekit_mcp.accounts.vault import open_vault
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
        vault = open_vault(database_url, KeyRing.from_text(KEYS))
        manager = ConnectedAccountManager(
            vault,
            providers={"outlook": provider_for(http, clock, login_url=base_url)},
            clock=clock,
            settings=ManagerSettings(user_verification=UserVerification.OFF),
        )
        room = Room(sandbox, clock, http, vault, manager)
        sandbox.access_token_lifetime(1)
        await room.consent()
        clock.advance(2)
        sandbox.access_token_lifetime(3600)
        try:
            yield room, base_url
        finally:
            await manager.aclose()


async def start(database_url: str, base_url: str, callers: int = 1, stage: str = "-") -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.accounts.refreshing_process",
        *(database_url, KEYS, base_url, str(callers), stage),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert await line_of(process) == "ready"
    return process


async def line_of(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(60):
        return (await process.stdout.readline()).decode().strip()


async def go(process: asyncio.subprocess.Process) -> None:
    assert process.stdin is not None
    process.stdin.write(b"go\n")
    await process.stdin.drain()


async def test_three_processes_with_twenty_callers_each_cause_one_grant_and_nobody_fails(shared_database_url: str):
    async with served_room(shared_database_url) as (room, base_url):
        room.sandbox.rotation("one_time")
        processes = await asyncio.gather(*(start(shared_database_url, base_url, 20) for _ in range(3)))
        room.sandbox.slow(0.4)
        await asyncio.gather(*(go(process) for process in processes))
        answers = [json.loads(await line_of(process)) for process in processes]
        for process in processes:
            await process.communicate()
        assert [process.returncode for process in processes] == [0, 0, 0]
        assert room.grants() == 1
        stored = await room.stored_tokens()
        assert stored is not None
        assert answers == [[hashlib.sha256(stored.access_token.encode()).hexdigest()]] * 3


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
        process = await start(shared_database_url, base_url, stage=stage)
        await go(process)
        assert await line_of(process) == "stopped"
        process.kill()
        await process.communicate()
        assert room.grants() == grants_before
        room.clock.at = datetime.now(UTC) + timedelta(seconds=60)
        room.sandbox.freeze_clock(room.clock.at)
        if survives:
            assert await room.manager.access_token("outlook", "ana")
            assert (await room.view()).account.status is AccountStatus.ACTIVE
            assert room.grants() == 1 + (stage == "after")
        else:
            with pytest.raises(AuthorizationRequired):
                await room.manager.access_token("outlook", "ana")
            assert (await room.view()).account.status is not AccountStatus.ACTIVE
