"""One host floods the authorization server of a real process while others sign in, call and refresh.

FLOOD_REQUESTS is the number of registrations, and of pages, in each of three rounds; `make soak` sets a larger one.
Memory and rows are compared between rounds of the same run; nothing is timed.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest

from scalekit_mcp.accounts.vault.grants.sign_ins import MOST_OPEN
from tests.oauth.remote_server import serving
from tests.support.remote_process import RemoteProcess
from tests.support.stepped_host import DANA, SteppedHost, shown, stepped_host

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is read from /proc"),
]

REQUESTS = int(os.environ.get("FLOOD_REQUESTS", "1000"))
ROUNDS = 3
WORKERS = 8
GROWTH = 1.1
VAULT = "vault.sqlite3"
PEOPLE = (DANA, "alice@company.com", "pat@outlook.example")
TABLES = ("sign_ins", "grants", "refresh_tokens", "connected_accounts", "record_versions")


@dataclass
class Server:
    """The process under the flood."""

    process: RemoteProcess
    vault: Path

    def memory_pages(self) -> int:
        """Resident memory."""
        return int(Path(f"/proc/{self.process.process.pid}/statm").read_text(encoding="ascii").split()[1])

    def rows(self) -> dict[str, int]:
        """How many rows each table has."""
        with closing(sqlite3.connect(self.vault)) as raw:
            return {name: raw.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in TABLES}  # noqa: S608 - our own names


async def flood(stranger: SteppedHost, presser: SteppedHost) -> None:
    """Registrations, pages for ever new browsers, and one browser that presses Continue for ever new requests."""
    turns = iter(range(REQUESTS))

    async def work() -> None:
        for turn in turns:
            await stranger.register()
            stranger.browser.cookies.clear()
            assert (await stranger.opened()).status_code == 200
            if turn % 4 == 0:
                presser.state = f"{turn}"
                [form] = shown(await presser.opened()).forms
                pressed = await presser.browser.post(form.action, data=form.fields, headers={"origin": presser.base})
                assert pressed.status_code == 200

    async with anyio.create_task_group() as tasks:
        for _ in range(WORKERS):
            tasks.start_soon(work)


async def live(base: str, address: str, over: anyio.Event, done: list[int]) -> None:
    """Sign in, call, refresh and call, again and again until `over`; how often is added to `done`."""
    signed_in = 0
    while not (signed_in and over.is_set()):
        async with stepped_host(base, address) as host:
            await host.sign_in()
            await host.call()
            await host.refresh()
            await host.call()
        signed_in += 1
    done.append(signed_in)


async def test_a_flood_of_one_host_hurts_nobody_and_leaves_memory_and_tables_flat(tmp_path: Path):
    memory: list[int] = []
    signed_in = 0
    async with (
        serving(
            tmp_path,
            SCALEKIT_MCP_STATELESS="true",
            SCALEKIT_MCP_DATABASE_URL=f"sqlite+aiosqlite:///{(tmp_path / VAULT).as_posix()}",
        ) as (_, process),
        stepped_host(process.base) as stranger,
        stepped_host(process.base) as presser,
    ):
        server = Server(process, tmp_path / VAULT)
        await presser.register()
        await presser.open_page()  # its browser keeps the cookie
        for number in range(ROUNDS):
            over = anyio.Event()
            done: list[int] = []
            async with anyio.create_task_group() as tasks:
                for address in PEOPLE:
                    tasks.start_soon(live, process.base, address, over, done)
                await flood(stranger, presser)
                over.set()
            signed_in += sum(done)
            memory.append(server.memory_pages())
            rows = server.rows()
            sys.stdout.write(f"round {number + 1}: {memory[-1]} pages of memory, {signed_in} sign-ins, {rows}\n")
            assert rows == {
                "sign_ins": MOST_OPEN + signed_in,
                "grants": signed_in,
                "refresh_tokens": 2 * signed_in,
                "connected_accounts": len(PEOPLE),
                "record_versions": MOST_OPEN + 2 * signed_in + len(PEOPLE),
            }
    assert memory[-1] <= GROWTH * memory[1]
