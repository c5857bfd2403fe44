"""Sign in with Microsoft on two replicas: processes on one PostgreSQL, each request to the other one than the last."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import anyio
import httpx2 as httpx
import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import create_async_engine

from scalekit_mcp.accounts.grants import GRACE_RETRIES, GRACE_SECONDS
from scalekit_mcp.accounts.vault.grants import grant_rows
from scalekit_mcp.accounts.vault.sealing.key_ring import KeyRing, sha256_text
from scalekit_mcp.accounts.vault.tables import refresh_tokens
from tests.support.replicas import Replicas, key, replicas
from tests.support.stepped_host import stepped_host

pytestmark = [pytest.mark.full, pytest.mark.xdist_group("postgresql")]

KEYS = "SCALEKIT_MCP_SESSION_KEYS"
STEPS = ("register", "open_page", "press_continue", "come_back", "redeem", "call", "refresh", "call", "revoke")
"""An odd number, so that a second round of them meets the other replica at each step."""


@contextlib.asynccontextmanager
async def two_replicas(home: Path) -> AsyncGenerator[Replicas]:
    with anyio.fail_after(280):
        async with replicas(home, 2, SCALEKIT_MCP_AUTH="microsoft") as running:
            yield running


async def restart_both(running: Replicas) -> None:
    """The one that answered last in good order, the other one by a crash; nothing stays in any memory."""
    last = running.last()
    async with anyio.create_task_group() as tasks:
        for port in running.proxy.ports:
            tasks.start_soon(lambda port=port: running.restart(port, kill=port != last))


async def age(running: Replicas, refresh_token: str, seconds: float) -> None:
    """Put the first use of a refresh token back in time; the row is sealed as the vault does it."""
    ring = KeyRing.from_text(running.values["SCALEKIT_MCP_VAULT_KEYS"])
    this = refresh_tokens.c.id == sha256_text(refresh_token)
    engine = create_async_engine(running.values["SCALEKIT_MCP_DATABASE_URL"])
    try:
        async with engine.begin() as connection:
            row = (await connection.execute(select(refresh_tokens).where(this))).mappings().one()
            token = grant_rows.token_from_row({str(name): value for name, value in row.items()}, ring)
            assert token.replaced_at is not None
            aged = replace(token, replaced_at=token.replaced_at - timedelta(seconds=seconds))
            await connection.execute(update(refresh_tokens).where(this).values(grant_rows.token_values(ring, aged)))
    finally:
        await engine.dispose()


async def test_each_step_is_served_by_the_other_replica_than_the_one_before(tmp_path: Path):
    async with two_replicas(tmp_path) as running:
        first: list[int] = []
        for _ in range(2):
            async with stepped_host(running.proxy.base) as host:
                begun = len(running.proxy.served)
                for step in STEPS:
                    await getattr(host, step)()
                ports = [port for _, _, port in running.proxy.served[begun:]]
                assert len(ports) == len(STEPS)
                assert all(one != other for one, other in pairwise(ports))
                first.append(ports[0])
                assert (await host.refreshed()).json()["error"] == "invalid_grant"
                await host.refreshed()  # an even number, so that the turn is the other one's
        assert set(first) == set(running.proxy.ports)


@pytest.mark.parametrize("new_keys", [False, True])
async def test_a_sign_in_goes_on_though_everything_restarts_between_any_two_steps(tmp_path: Path, new_keys: bool):
    async with two_replicas(tmp_path) as running, stepped_host(running.proxy.base) as host:
        for number, step in enumerate(STEPS):
            await getattr(host, step)()
            if new_keys:
                running.values[KEYS] = f"{key(f'new{number}')},{running.values[KEYS]}"
            await restart_both(running)
        assert (await host.refreshed()).json()["error"] == "invalid_grant"


async def test_a_new_session_key_is_rolled_out_replica_by_replica(tmp_path: Path):
    """At the end of the list everywhere first, then at its front: no replica meets a key that it does not have."""
    async with two_replicas(tmp_path) as running, stepped_host(running.proxy.base) as slow:
        old, new = running.values[KEYS], key("new")
        roll_out = [(port, ring) for ring in (f"{old},{new}", f"{new},{old}") for port in running.proxy.ports]
        for number, step in enumerate(STEPS):
            await getattr(slow, step)()
            if number < len(roll_out):
                port, running.values[KEYS] = roll_out[number]
                await running.restart(port)
                async with stepped_host(running.proxy.base) as quick:
                    for each in STEPS:
                        await getattr(quick, each)()


async def test_without_an_old_session_key_registrations_are_unknown_and_grants_refresh_on(tmp_path: Path):
    async with (
        two_replicas(tmp_path) as running,
        stepped_host(running.proxy.base) as begun,
        stepped_host(running.proxy.base) as connected,
    ):
        await connected.sign_in()
        for step in STEPS[:4]:
            await getattr(begun, step)()
        running.values[KEYS] = key("new")
        await restart_both(running)
        for _ in running.proxy.ports:
            refused = await begun.redeemed()
            assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
            page = await begun.opened()
            assert page.status_code == 400
            assert "does not know the app" in page.text
            assert "location" not in page.headers
            assert (await connected.called()).status_code == 401
        await connected.refresh()
        await connected.call()
        # as hosts do on invalid_client: register anew
        await begun.sign_in()
        await begun.call()


async def test_of_twenty_redemptions_over_both_replicas_one_succeeds(tmp_path: Path):
    async with two_replicas(tmp_path) as running, stepped_host(running.proxy.base) as host:
        for step in STEPS[:4]:
            await getattr(host, step)()
        answers: list[httpx.Response] = []

        async def redeem() -> None:
            answers.append(await host.redeemed())

        begun = len(running.proxy.served)
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(redeem)
        assert {port for _, _, port in running.proxy.served[begun:]} == set(running.proxy.ports)
        assert sorted(answer.status_code for answer in answers) == [200] + [400] * 19
        assert {answer.json()["error"] for answer in answers if answer.status_code == 400} == {"invalid_grant"}
        # the others brought the right verifier: one of them may have been a thief
        [won] = [answer.json() for answer in answers if answer.status_code == 200]
        assert (await host.refreshed(won["refresh_token"])).json()["error"] == "invalid_grant"


async def test_refreshes_over_both_replicas_work_within_the_grace_and_reuse_after_it_ends_the_grant(tmp_path: Path):
    async with two_replicas(tmp_path) as running, stepped_host(running.proxy.base) as host:
        await host.sign_in()
        first = host.tokens["refresh_token"]
        answers: list[httpx.Response] = []

        async def refresh() -> None:
            answers.append(await host.refreshed(first))

        begun = len(running.proxy.served)
        async with anyio.create_task_group() as tasks:
            for _ in range(GRACE_RETRIES + 1):
                tasks.start_soon(refresh)
        assert {port for _, _, port in running.proxy.served[begun:]} == set(running.proxy.ports)
        assert [answer.status_code for answer in answers] == [200] * (GRACE_RETRIES + 1)
        pairs = [answer.json() for answer in answers]
        assert len({pair["refresh_token"] for pair in pairs}) == len(pairs)
        for pair in pairs:
            host.tokens = pair
            await host.call()
            await host.refresh()
        await age(running, first, GRACE_SECONDS + 1)
        assert (await host.refreshed(first)).json()["error"] == "invalid_grant"
        for pair in (*pairs, host.tokens):
            assert (await host.refreshed(pair["refresh_token"])).json()["error"] == "invalid_grant"
        for _ in running.proxy.ports:
            # what a process has read of a grant is good for two seconds
            while (await host.called()).status_code != 401:
                pass
    logs = [process.log.read_text(encoding="utf-8") for process in running.processes.values()]
    assert sum(log.count("refresh_token_reused") for log in logs) == 1
    assert not [pair for pair in pairs if any(pair["refresh_token"] in log for log in logs)]
