"""`accounts hosts` and `accounts show`: which apps may use an account, and ending one of them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import anyio

from tests.accounts.grants_support import CLIENT, KEY, KEYS, open_grants
from tests.support.clock import HandClock
from tests.support.processes import command, environment


async def hosts(
    tmp_path: Path, *arguments: str, identifier: str = KEY.identifier, name: str = "hosts"
) -> tuple[int, str, str]:
    vault = {"SCALEKIT_MCP_DATABASE_URL": url(tmp_path), "SCALEKIT_MCP_VAULT_KEYS": KEYS}
    done = await anyio.run_process(
        command("accounts", name, identifier, *arguments),
        env=environment(tmp_path, MICROSOFT_CLIENT_ID="an app of ours", **vault),
        check=False,
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def url(tmp_path: Path) -> str:
    return f"sqlite+aiosqlite:///{(tmp_path / 'vault.sqlite3').as_posix()}"


async def test_an_operator_sees_the_apps_of_an_account_and_ends_one_of_them(tmp_path: Path) -> None:
    async with open_grants(url(tmp_path), clock=HandClock(datetime.now(UTC))) as room:
        first = await room.granted()
        await room.granted()
    status, printed, errors = await hosts(tmp_path, "--json")
    assert status == 0, errors
    apps = json.loads(printed)
    assert {app["client_host"] for app in apps} == {"claude.ai"}
    assert len(apps) == 2
    assert not [app for app in apps if "sha256" in str(app) or str(first.refresh_token) in str(app)]
    status, printed, errors = await hosts(tmp_path, "--end", first.grant.id)
    assert status == 0, errors
    assert first.grant.id not in printed
    assert "claude.ai" in printed
    async with open_grants(url(tmp_path), clock=HandClock(datetime.now(UTC))) as room:
        assert [grant.id for grant in await room.grants.list(KEY)] == [
            app["grant"] for app in apps if app["grant"] != first.grant.id
        ]


async def test_a_grant_of_nobody_and_an_unknown_account_are_refused_by_name(tmp_path: Path) -> None:
    async with open_grants(url(tmp_path), clock=HandClock(datetime.now(UTC))):
        pass
    status, _, errors = await hosts(tmp_path, "--end", "gr_unknown")
    assert (status, "gr_unknown" in errors) == (1, True)
    status, _, errors = await hosts(tmp_path, identifier="nobody")
    assert (status, "nobody" in errors) == (1, True)
    status, printed, _ = await hosts(tmp_path)
    assert (status, "No app may use" in printed) == (0, True)


async def test_an_account_is_shown_with_the_apps_that_may_use_it(tmp_path: Path) -> None:
    async with open_grants(url(tmp_path), clock=HandClock(datetime.now(UTC))) as room:
        granted = await room.granted()
        nameless = await room.granted(client=replace(CLIENT, name="", host="127.0.0.1"))
    status, printed, errors = await hosts(tmp_path, "--json", name="show")
    assert status == 0, errors
    _, listed, _ = await hosts(tmp_path, "--json")
    assert json.loads(printed)["grants"] == json.loads(listed)
    assert {grant["grant"] for grant in json.loads(listed)} == {granted.grant.id, nameless.grant.id}
    status, printed, errors = await hosts(tmp_path, name="show")
    assert status == 0, errors
    assert f"{granted.grant.id}  claude.ai, which calls itself 'An app'" in printed
    assert f"{nameless.grant.id}  127.0.0.1, which gives no name" in printed
    assert "calendar.read calendar.write, since " in printed
    for secret in (CLIENT.id_sha256, granted.refresh_token, nameless.refresh_token):
        assert str(secret) not in printed
    await hosts(tmp_path, "--end", granted.grant.id)
    await hosts(tmp_path, "--end", nameless.grant.id)
    _, printed, _ = await hosts(tmp_path, name="show")
    assert "apps" not in printed
    assert "ACTIVE" in printed
