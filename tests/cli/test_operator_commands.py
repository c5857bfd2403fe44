"""Commands of operators and helpdesks: whole values in a pipe, fewer columns on a narrow terminal, no credentials."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from scalekit_mcp.actions import open_actions
from scalekit_mcp.cli.output import table_lines
from scalekit_mcp.settings import load_settings
from tests.support.bounds import HANG_SECONDS
from tests.support.processes import command, environment

LONG = "customer-4711|tenant-0815|" + "person." * 10 + "end"
WIDE = "利用者" * 20
KEYS = "k1:QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="


async def two_accounts(folder: Path) -> dict[str, str]:
    """The settings of a vault with two accounts; none of them names an Azure app."""
    values = {
        "SCALEKIT_MCP_DATABASE_URL": f"sqlite+aiosqlite:///{(folder / 'vault.sqlite3').as_posix()}",
        "SCALEKIT_MCP_VAULT_KEYS": KEYS,
    }
    settings = load_settings(
        database_url=values["SCALEKIT_MCP_DATABASE_URL"], vault_keys=KEYS, MICROSOFT_CLIENT_ID="app"
    )
    async with open_actions(settings) as actions:
        for identifier in (LONG, WIDE):
            await actions.get_or_create_connected_account(identifier=identifier)
    return values


def run(folder: Path, *arguments: str, **values: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments),
        env=environment(folder, PYTHONUTF8="1", **values),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=HANG_SECONDS,
        check=False,
    )


@pytest.mark.parametrize("columns", ["20", "80", "400"])
@pytest.mark.parametrize("arguments", [("accounts", "list"), ("audit",)], ids=" ".join)
async def test_each_line_of_a_pipe_holds_a_whole_identifier_at_any_width(
    tmp_path: Path, arguments: tuple[str, ...], columns: str
) -> None:
    values = await two_accounts(tmp_path)
    done = run(tmp_path, *arguments, COLUMNS=columns, **values)
    assert done.returncode == 0, done.stderr
    for identifier in (LONG, WIDE):
        (line,) = [line for line in done.stdout.splitlines() if identifier in line]
        assert "PENDING" in line
    assert "\u2026" not in done.stdout
    assert done.stderr == ""


async def test_looking_at_accounts_and_ending_them_needs_no_azure_app(tmp_path: Path) -> None:
    values = await two_accounts(tmp_path)
    for arguments in (
        ("accounts", "list"),
        ("accounts", "show", LONG),
        ("accounts", "hosts", LONG),
        ("accounts", "disconnect", LONG),
        ("accounts", "delete", "--yes", LONG),
        ("audit",),
        ("vault", "migrate"),
        ("vault", "rotate"),
    ):
        done = run(tmp_path, *arguments, **values)
        assert done.returncode == 0, (arguments, done.stderr)


@pytest.mark.parametrize("mode", ["auto", "embedded", "hosted"])
def test_a_number_of_microsofts_page_is_explained_without_any_credentials(tmp_path: Path, mode: str) -> None:
    known = run(tmp_path, "doctor", "--seen", "AADSTS90094", SCALEKIT_MCP_MODE=mode)
    assert (known.returncode, known.stderr) == (1, "")
    assert "administrator" in known.stdout
    unknown = run(tmp_path, "doctor", "--seen", "999999999", SCALEKIT_MCP_MODE=mode)
    assert (unknown.returncode, unknown.stderr) == (0, "")
    assert "AADSTS999999999 is not known here" in unknown.stdout


def test_checking_a_configuration_still_needs_one(tmp_path: Path) -> None:
    done = run(tmp_path, "doctor")
    assert done.returncode == 2
    assert "No credentials are set" in done.stderr


def test_connecting_still_needs_an_azure_app(tmp_path: Path) -> None:
    done = run(tmp_path, "connect", "--identifier", "ana", SCALEKIT_MCP_MODE="embedded")
    assert done.returncode == 2
    assert "MICROSOFT_CLIENT_ID is missing" in done.stderr


TEXTS = st.text(st.characters(blacklist_categories=("Cc", "Cs")), min_size=1, max_size=30)


@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS, TEXTS), max_size=6), st.integers(1, 120))
def test_a_table_never_cuts_a_value_and_keeps_to_the_width_where_it_can(
    rows: list[tuple[str, str, str, str]], width: int
) -> None:
    columns = ("A", "B", "C", "D")
    lines, left_out = table_lines(columns, rows, needed=2, width=width)
    shown = len(columns) - len(left_out)
    assert shown >= 2
    assert left_out == list(columns[shown:])
    for line, row in zip(lines[1:], rows, strict=True):
        assert all(value.rstrip() in line for value in row[:shown])
    if shown > 2:
        assert all(cell_len(line) <= width for line in lines)
    everything, none = table_lines(columns, rows, needed=2, width=None)
    assert none == []
    assert all(value.rstrip() in line for line, row in zip(everything[1:], rows, strict=True) for value in row)
