"""Refresh storm: accounts in PostgreSQL that all expire within one minute, each refreshed once and saved.

The floor is the bare token request: the same form to the same endpoint with as many under way, nothing saved. Both
run in this process, so a rate is that of one process; the sandbox is another process and PostgreSQL a third.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs

import anyio
import httpx2 as httpx

from bench.filled_vault import write_accounts
from bench.over_http import process
from bench.report import MORE, Report, Row
from scalekit_mcp.accounts.model.records import AccountKey, AccountStatus, ConnectedAccount, ProviderAccount, TokenSet
from scalekit_mcp.accounts.vault import rows
from scalekit_mcp.accounts.vault.sealing.key_ring import KeyRing
from scalekit_mcp.actions import open_actions
from scalekit_mcp.errors import ScalekitMCPError
from scalekit_mcp.settings import load_settings
from tests.support import postgres

ACCOUNTS = int(os.environ.get("BENCH_STORM", "1000"))
UNDER_WAY = 32
ROUNDS = 5
CONNECTION = "outlook"


async def storm(report: Report) -> None:
    """Add the rows; without PostgreSQL say so."""
    try:
        with postgres.postgresql_server() as server:
            await _storm(report, server)
    except postgres.NoPostgreSQL as exc:
        report.left_out.append(f"the refresh storm: no PostgreSQL ({exc})")


async def _storm(report: Report, server: str) -> None:
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(postgres.new_database(server))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        given = folder / "grants.json"
        sandbox = await process(stack, ["-m", "bench.sandbox_process", str(given), str(ACCOUNTS)], stderr=None)
        assert sandbox.stdout is not None
        environment = json.loads(await sandbox.stdout.receive())
        granted = json.loads(given.read_text(encoding="utf-8"))
        ring = KeyRing.generate()
        settings = load_settings(
            mode="embedded",
            public_url="http://localhost:8754",
            database_url=url,
            vault_keys=ring.to_text(),
            **{name.lower(): value for name, value in environment.items()},
        )
        actions = await stack.enter_async_context(open_actions(settings))
        services = await actions.services()  # type: ignore[attr-defined]
        connected = services.connected
        await connected.vault.check()
        await fill(url, ring, granted, services.provider)

        # What one refresh of ours sends is what the floor sends.
        await connected.tokens.access_token(AccountKey(CONNECTION, identifier(ACCOUNTS)))
        base = environment["MICROSOFT_GRAPH_URL"].removesuffix("/v1.0")
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=60))
        recorded = (await http.get(f"{base}/_sandbox/requests", params={"area": "identity"})).json()
        last = (recorded["requests"] if isinstance(recorded, dict) else recorded)[-1]
        body = last["body"]
        form = body if isinstance(body, dict) else {k: v[0] for k, v in parse_qs(body).items()}
        assert form["grant_type"] == "refresh_token"
        address, headers = f"{base}{last['path']}", {}
        if "authorization" in last["headers"]:
            headers["authorization"] = last["headers"]["authorization"]

        async def bare(number: int) -> None:
            sent = {**form, "refresh_token": granted["refresh_tokens"][number]}
            answer = (await http.post(address, data=sent, headers=headers)).json()
            assert "access_token" in answer, answer.get("error")

        failures: list[str] = []

        async def refresh(number: int) -> None:
            try:
                token = await connected.tokens.access_token(AccountKey(CONNECTION, identifier(number)))
                assert token != granted["access_token"]
            except ScalekitMCPError as error:
                failures.append(error.code)

        rates: list[tuple[float, float]] = []
        used: list[tuple[float, float]] = []
        share = ACCOUNTS // ROUNDS
        for turn in range(ROUNDS):  # in turns, so that whatever else the machine does meets both
            numbers = range(turn * share, (turn + 1) * share)
            floor, ours = await timed(bare, numbers), await timed(refresh, numbers)
            rates.append((share / floor[0], share / ours[0]))
            used.append((floor[1] / share, ours[1] / share))
        total = share * ROUNDS
        sealed = await saved(url)
        if sealed != total + 1:
            failures.append("not_saved")
        group = f"Refresh storm, PostgreSQL, {total:,} accounts"
        middle = sorted(rates, key=lambda pair: pair[1] / pair[0])[ROUNDS // 2]
        report.ratio(group, "refreshes per second, one process", middle, "{:.0f}", better=MORE)
        middle = sorted(used, key=lambda pair: pair[1] / pair[0])[ROUNDS // 2]
        report.ratio(group, "processor time of a refresh", (middle[0] * 1e3, middle[1] * 1e3), "{:.2f} ms")
        bad = f"{len(failures)} ({', '.join(sorted(set(failures)))})" if failures else "0"
        report.add(Row(group, "failed or unsaved refreshes", "0", bad, aim_text="0", good=not failures))
        seconds = sum(share / rate for _, rate in rates)
        rate = total / seconds
        report.facts["refreshes_per_second"] = rate
        report.add(
            Row(
                group,
                "seconds until all were refreshed",
                f"{sum(share / rate for rate, _ in rates):.1f} s",
                f"{seconds:.1f} s",
            )
        )


async def timed(call: Callable[[int], Awaitable[None]], numbers: range) -> tuple[float, float]:
    """Seconds, and processor seconds of this process, of one call for each number."""
    waiting = iter(numbers)

    async def work() -> None:
        for number in waiting:
            await call(number)

    began, used = time.perf_counter(), time.process_time()
    async with anyio.create_task_group() as tasks:
        for _ in range(UNDER_WAY):
            tasks.start_soon(work)
    return time.perf_counter() - began, time.process_time() - used


def identifier(number: int) -> str:
    return f"storm_{number:07d}"


async def fill(url: str, ring: KeyRing, granted: dict, provider) -> None:
    """One account for each refresh token, and one more to look at; their tokens expire within the next minute."""
    now = datetime.now(UTC)
    accounts: list[tuple[ConnectedAccount, TokenSet]] = []
    for number, refresh_token in enumerate(granted["refresh_tokens"]):
        expires_at = now + timedelta(seconds=60 * number / ACCOUNTS)
        account = ConnectedAccount(
            id=f"ca_{number:024x}",
            connection_name=CONNECTION,
            identifier=identifier(number),
            status=AccountStatus.ACTIVE,
            reason=None,
            who_acts="nobody",
            created_at=now,
            updated_at=now,
            provider_account=ProviderAccount(granted["tid"], granted["oid"], granted["address"]),
            granted_scopes=("User.Read", "Calendars.ReadWrite"),
            client_id=provider.client_id,
            login_host=provider.login_host,
            token_expires_at=expires_at,
        )
        tokens = TokenSet(granted["access_token"], refresh_token, expires_at, account.granted_scopes)
        accounts.append((account, tokens))
    await write_accounts(url, ring, accounts)


async def saved(url: str) -> int:
    """How many accounts have a token that lives for longer than the storm's."""
    import asyncpg

    direct = await asyncpg.connect(url.replace("postgresql+asyncpg", "postgresql"))
    limit = rows.to_micros(datetime.now(UTC) + timedelta(minutes=10))
    count = await direct.fetchval("SELECT count(*) FROM connected_accounts WHERE token_expires_at > $1", limit)
    await direct.close()
    return count


if __name__ == "__main__":
    from bench.report import on_console

    whole = Report()
    anyio.run(storm, whole)
    on_console(whole)
