"""`audit`: the history of accounts, for people and for programs."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import anyio
import pytest

from scalekit_mcp.accounts.vault.sealing.key_ring import KeyRing
from scalekit_mcp.actions import open_actions
from scalekit_mcp.cli.audit import parse_since
from scalekit_mcp.errors import InvalidInput
from scalekit_mcp.settings import load_settings
from tests.support.processes import command, environment

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


async def history(tmp_path):
    """Two accounts: one that was disconnected, one that was deleted; the settings that open their vault."""
    values = {
        "SCALEKIT_MCP_DATABASE_URL": f"sqlite+aiosqlite:///{(tmp_path / 'vault.sqlite3').as_posix()}",
        "SCALEKIT_MCP_VAULT_KEYS": KeyRing.generate().to_text(),
    }
    settings = load_settings(
        database_url=values["SCALEKIT_MCP_DATABASE_URL"],
        vault_keys=values["SCALEKIT_MCP_VAULT_KEYS"],
        MICROSOFT_CLIENT_ID="app",
    )
    async with open_actions(settings) as actions:
        for identifier in ("ana", "[bold]ben"):
            await actions.get_or_create_connected_account(identifier=identifier)
        await actions.disconnect(identifier="ana")
        await actions.delete_connected_account(identifier="[bold]ben")
    return values


async def audit(tmp_path, values, *arguments):
    done = await anyio.run_process(
        command("audit", *arguments), env=environment(tmp_path, COLUMNS="200", **values), check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


async def test_every_change_is_one_json_line_the_oldest_first(tmp_path):
    values = await history(tmp_path)
    lines = [json.loads(line) for line in (await audit(tmp_path, values, "--json")).splitlines()]
    assert [(line["identifier"], line["cause"]) for line in lines] == [
        ("ana", "created"),
        ("[bold]ben", "created"),
        ("ana", "disconnected"),
        ("[bold]ben", "deleted"),
    ]
    assert (lines[2]["old_status"], lines[2]["new_status"], lines[2]["new_reason"]) == (
        "PENDING",
        "REVOKED",
        "disconnected",
    )
    assert datetime.fromisoformat(lines[0]["at"]).tzinfo is not None


async def test_one_identifier_can_be_asked_for(tmp_path):
    values = await history(tmp_path)
    lines = (await audit(tmp_path, values, "--json", "--identifier", "ana")).splitlines()
    assert {json.loads(line)["identifier"] for line in lines} == {"ana"}
    assert len(lines) == 2


async def test_the_table_shows_an_identifier_as_it_is(tmp_path):
    values = await history(tmp_path)
    table = await audit(tmp_path, values)
    assert "[bold]ben" in table
    assert "REVOKED (disconnected)" in table


async def test_nothing_is_shown_from_before_since(tmp_path):
    values = await history(tmp_path)
    assert await audit(tmp_path, values, "--json", "--since", "2999-01-01") == ""
    assert len((await audit(tmp_path, values, "--json", "--since", "1h")).splitlines()) == 4


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("24h", NOW - timedelta(days=1)),
        ("2w", NOW - timedelta(weeks=2)),
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T08:00:00+02:00", datetime(2026, 11, 1, 6, tzinfo=UTC)),
    ],
)
def test_since_takes_ages_dates_and_instants(text, expected):
    assert parse_since(text, now=NOW) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "7", "d", "2026-13-01"])
def test_any_other_since_is_refused(text):
    with pytest.raises(InvalidInput, match="it must be a date"):
        parse_since(text, now=NOW)
