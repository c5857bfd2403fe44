"""A vault that fails in the middle of a sign-in, end to end: a real process, and a database that refuses."""

from __future__ import annotations

import contextlib
import html
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import httpx2 as httpx

from tests.oauth.remote_server import serving
from tests.support.stepped_host import CALLBACK, SteppedHost, shown, stepped_host


@dataclass
class Broken:
    """The database of a running server."""

    path: Path

    def execute(self, statement: str) -> None:
        with closing(sqlite3.connect(self.path)) as raw:
            raw.execute(statement)


@contextlib.asynccontextmanager
async def at_microsoft(home: Path) -> AsyncGenerator[tuple[SteppedHost, Broken]]:
    """A host whose person has just given consent and has not come back yet."""
    vault = home / "vault.sqlite3"
    url = f"sqlite+aiosqlite:///{vault.as_posix()}"
    async with serving(home, SCALEKIT_MCP_DATABASE_URL=url) as (_, server), stepped_host(server.base) as host:
        for step in (host.register, host.open_page, host.press_continue):
            await step()
        yield host, Broken(vault)


async def test_a_vault_that_fails_after_the_consent_leaves_a_page_with_a_way_on(tmp_path: Path):
    async with at_microsoft(tmp_path) as (host, vault):
        vault.execute(
            "CREATE TRIGGER broken BEFORE UPDATE ON sign_ins WHEN NEW.status <> 'taken' "
            "BEGIN SELECT json('broken'); END"
        )
        answer = await host.returned()
        assert (answer.status_code, answer.headers["location"]) == (303, "/oauth/sign-in")
        vault.execute("DROP TRIGGER broken")
        # now nothing can be read either: what the page needs stands in the browser's cookie
        vault.execute("ALTER TABLE sign_ins RENAME TO away")
        where = f"{host.base}/oauth/sign-in"
        answer = await host.browser.get(where)
        page = shown(answer)
        told = dict(parse_qsl(urlsplit(page.links["Return to app.example"]).query))
        assert page.links["Return to app.example"].startswith(f"{CALLBACK}?")
        assert (told["error"], told["state"], told["iss"]) == ("temporarily_unavailable", host.state, host.base)
        assert "si_" in html.unescape(answer.text)  # by which the operator finds the line of the log
        async with httpx.AsyncClient() as other:
            for name, value in host.browser.cookies.items():
                other.cookies.set(name, value if name.endswith("failed") else "x" * 43, domain="localhost.local")
            assert (await other.get(where)).status_code != 200
        vault.execute("ALTER TABLE away RENAME TO sign_ins")
        [form] = shown(await host.browser.get(where)).forms
        assert "Try again" in form.buttons
        again = await host.browser.post(form.action, data=form.fields, headers={"origin": host.base})
        await host.go_to_provider(shown(again))
        await host.come_back()
        await host.redeem()
        await host.call()


async def test_a_vault_that_fails_when_the_browser_comes_back_uses_nothing_up(tmp_path: Path):
    async with at_microsoft(tmp_path) as (host, vault):
        vault.execute("ALTER TABLE sign_ins RENAME TO away")
        answer = await host.returned()
        assert answer.status_code == 503
        assert "Reload this page" in answer.text
        vault.execute("ALTER TABLE away RENAME TO sign_ins")
        await host.come_back()
        await host.redeem()
        await host.call()
