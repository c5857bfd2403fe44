"""What holds for every command, found by looking through the parser: its help, its JSON, and how it ends."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import click
import httpx2 as httpx
import pytest
from click.testing import CliRunner

from scalekit_mcp.actions import open_actions
from scalekit_mcp.cli import cli
from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.settings import SECRETS, Settings, load_settings, variables_of
from tests.support.processes import command, environment
from tests.support.remote_process import remote_process

KEYS = "k1:QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="


def commands(group: click.Group, *names: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command with its name, groups before what is in them."""
    for name, one in group.commands.items():
        yield (*names, name), one
        if isinstance(one, click.Group):
            yield from commands(one, *names, name)


COMMANDS = dict(commands(cli))
OPTIONS = {
    f"{' '.join(names)} {option.opts[0]}": option
    for names, one in COMMANDS.items()
    for option in one.params
    if isinstance(option, click.Option)
}


def writes_json(one: click.Command) -> list[str] | None:
    """The options that make a command print JSON; None if none does."""
    for option in one.params:
        if "--json" in option.opts:
            return ["--json"]
        if (
            isinstance(option.type, click.Choice)
            and "json" in option.type.choices
            and "--log-format" not in option.opts
        ):
            return [option.opts[0], "json"]
    return None


IN_JSON = {names: how for names, one in COMMANDS.items() if (how := writes_json(one)) is not None}


async def one_account(folder: Path) -> dict[str, str]:
    """The settings of a vault with one account, which has a link."""
    url = f"sqlite+aiosqlite:///{(folder / 'vault.sqlite3').as_posix()}"
    settings = load_settings(database_url=url, vault_keys=KEYS, MICROSOFT_CLIENT_ID="app", mode="embedded")
    async with open_actions(settings) as actions:
        await actions.get_or_create_connected_account(identifier="ana")
        await actions.get_authorization_link(identifier="ana")
    return {"SCALEKIT_MCP_DATABASE_URL": url, "SCALEKIT_MCP_VAULT_KEYS": KEYS}


async def ended(home: Path, *arguments: str, **values: str) -> tuple[int | None, str, str]:
    """Exit status, stdout and stderr of the command."""
    done = await anyio.run_process(command(*arguments), env=environment(home, **values), stdin=-3, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def parsed(text: str) -> list[Any]:
    """One document, or one object a line."""
    try:
        return [json.loads(text)]
    except ValueError:
        return [json.loads(line) for line in text.splitlines()]


def test_the_commands_that_print_json_are_found():
    assert {("accounts", "list"), ("audit",), ("azure-app",), ("doctor",), ("tools",)} <= set(IN_JSON)


@pytest.mark.parametrize("names", IN_JSON, ids=" ".join)
async def test_what_a_command_prints_as_json_can_be_parsed_and_is_all_that_stdout_gets(names, tmp_path):
    values = await one_account(tmp_path)
    arguments = ["ana" for one in COMMANDS[names].params if isinstance(one, click.Argument)]
    sandbox = Sandbox()
    async with sandbox.serve() as base_url:
        values = {**sandbox.environment(base_url), **values}
        status, said, problems = await ended(tmp_path, *names, *arguments, *IN_JSON[names], **values)
    assert (status, problems) == (0, ""), said + problems
    assert parsed(said)


@pytest.mark.parametrize(
    "names", [names for names in IN_JSON if names[0] == "accounts" and len(names) > 1], ids=" ".join
)
async def test_a_refusal_leaves_stdout_empty_where_a_program_reads(names, tmp_path):
    arguments = ["nobody" for one in COMMANDS[names].params if isinstance(one, click.Argument)]
    values = {"SCALEKIT_MCP_DATABASE_URL": "postgresql+asyncpg://u:planted@127.0.0.1:9/x"}
    status, said, problems = await ended(tmp_path, *names, *arguments, "--json", SCALEKIT_MCP_VAULT_KEYS=KEYS, **values)
    assert (status, said) == (1, "")
    assert "The vault's database cannot be reached." in problems
    assert "planted" not in problems


@pytest.mark.parametrize("names", COMMANDS, ids=" ".join)
def test_the_help_of_a_command_begins_with_a_verb_and_ends_as_a_sentence(names):
    text = COMMANDS[names].help or ""
    assert re.match(r"(Run|Connect|List|Show|Print|Look|Forget|Remove|Check|Bring|Seal)\b", text), (
        f"{text!r} does not begin with what the command does"
    )
    assert all(part.rstrip().endswith(".") for part in text.split("\n\n"))


@pytest.mark.parametrize("spelled", OPTIONS)
def test_the_help_of_an_option_is_a_sentence(spelled):
    text = OPTIONS[spelled].help or ""
    assert re.fullmatch(r"([A-Z0-9]|--).*[.\]]", text), f"{text!r} is no sentence"


WITHOUT_FLAG = set(SECRETS) | {"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_SERVICE_NAME"}
"""Secrets stand in no command line; OpenTelemetry's variables are read by its own exporter."""


@pytest.mark.parametrize("name", [name for name in Settings.model_fields if variables_of(name)[0] not in WITHOUT_FLAG])
def test_every_setting_that_is_no_secret_is_a_flag_of_the_server(name):
    spelled = {option.name for option in COMMANDS[("serve",)].params}
    assert spelled & {name, *variables_of(name)}


@pytest.mark.parametrize("name", SECRETS)
def test_no_command_takes_a_secret(name):
    field = next(field for field in Settings.model_fields if name in variables_of(field))
    assert not {option.name for one in COMMANDS.values() for option in one.params} & {field, name}


def test_the_many_flags_of_the_server_stand_under_headings():
    done = CliRunner().invoke(cli, ["serve", "--help"])
    headings = re.findall(r"^(\w[\w ]+):$", done.output, re.MULTILINE)
    assert headings == [
        *("Options", "Accounts", "Your own Azure app", "Hosted mode", "Tools", "HTTP", "Callers over HTTP"),
        *("Consent and pages", "Log"),
    ]
    assert all(f"  {option.opts[0]} " in done.output.replace("/", " ") for option in COMMANDS[("serve",)].params)


def test_the_brand_of_the_pages_can_be_given_on_the_command_line(tmp_path):
    brand = ("--product-name", "Contoso Desk", "--product-color", "#0b5cad", "--support-url", "mailto:help@contoso.com")
    with remote_process(tmp_path, "--sandbox", *brand, "--privacy-url", "https://contoso.com/privacy") as remote:
        page = httpx.get(f"{remote.base}/", timeout=20).text
    for said in ("Contoso Desk", "#0b5cad", "mailto:help@contoso.com", "https://contoso.com/privacy"):
        assert said in page


async def test_an_account_that_is_not_there_leads_to_the_commands_that_list_and_make_one(tmp_path):
    status, _, problems = await ended(tmp_path, "accounts", "show", "nobody")
    assert status == 1
    assert "`scalekit-mcp accounts list`" in problems
    assert "`scalekit-mcp connect --identifier nobody`" in problems


async def test_a_number_out_of_its_bounds_is_refused_in_plain_words(tmp_path):
    status, _, problems = await ended(tmp_path, "serve", "--port", "99999", SCALEKIT_MCP_IDENTIFIER="ana")
    assert status == 2
    assert "SCALEKIT_MCP_PORT (from --port) is not valid: it must be less than or equal to 65535." in problems


async def test_a_date_that_is_none_is_refused_once(tmp_path):
    status, _, problems = await ended(tmp_path, "audit", "--since", "yesterday")
    assert status == 2
    assert "Invalid value for --since: it must be a date (2026-11-01)" in problems


async def test_a_deletion_that_nobody_confirms_says_that_nothing_was_removed(tmp_path):
    values = await one_account(tmp_path)
    status, said, problems = await ended(tmp_path, "accounts", "delete", "ana", **values)
    assert (status, said) == (1, "")
    assert problems.rstrip().endswith("Nothing was removed.")
    assert (await ended(tmp_path, "accounts", "show", "ana", **values))[0] == 0
