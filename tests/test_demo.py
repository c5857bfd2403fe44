"""The guided tours, as `make demo` and `scalekit-mcp demo --remote` run them."""

import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from rich.console import Console

from scalekit_mcp.demo.steps import Steps, held
from tests.support.processes import command, environment


def toured(home: Path, *arguments: str, **values: str) -> str:
    """What a tour prints that comes to its end."""
    done = subprocess.run(
        command(*arguments),
        env=environment(home, **values),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize(("mode", "status"), [("embedded", "REVOKED (grant_revoked)"), ("hosted", "EXPIRED (unknown)")])
def test_every_step_of_the_tour_holds(tmp_path, mode, status):
    told = toured(tmp_path, "demo", "--mode", mode, COLUMNS="160")
    assert "19 of 19 steps held." in told
    assert "I've scheduled 'Q2 Planning Kickoff' for you" in told
    assert status in told
    assert ("needs People.Read, which the operator adds to the connection" in told) == (mode == "hosted")


def test_the_hosted_tour_goes_over_the_proxy_where_the_shell_sets_the_tools(tmp_path):
    told = toured(tmp_path, "demo", "--mode", "hosted", COLUMNS="160", SCALEKIT_MCP_HOSTED_CALLS="tools")
    assert "19 of 19 steps held." in told


def test_every_step_of_a_remote_host_holds(tmp_path):
    settings = {"SCALEKIT_MCP_AUTH": "none", "SCALEKIT_MCP_PUBLIC_URL": "https://calendar.example", "COLUMNS": "400"}
    told = toured(tmp_path, "demo", "--remote", **settings)
    assert "10 of 10 steps held." in told
    assert "REVOKED (grant_revoked)" in told
    assert "Who acts: user." in told
    assert "One app may use it: 127.0.0.1, which calls itself" in told
    assert "refused (401 invalid_token)" in told
    assert not list(tmp_path.rglob("*.keys")), "the tour leaves no key in the person's home"


@pytest.mark.full
@pytest.mark.skipif(os.name == "nt", reason="BROWSER names a command of a POSIX shell")
def test_a_person_gives_the_consents_in_a_browser_of_their_own(tmp_path):
    browser = f"{shlex.quote(sys.executable)} {shlex.quote(str(Path(__file__).parent / 'docs' / 'person.py'))} %s"
    told = toured(tmp_path, "demo", "--remote", "--interactive", BROWSER=browser, COLUMNS="80")
    shown = re.findall(r"^Your browser opens (http\S+)$", told, re.MULTILINE)
    assert [urlsplit(url).path.split("/")[1] for url in shown] == ["authorize", "connect"]
    assert dict(parse_qsl(urlsplit(shown[0]).query))["code_challenge_method"] == "S256"


def test_a_remote_host_needs_a_vault_of_our_own(tmp_path):
    done = subprocess.run(
        command("demo", "--remote", "--mode", "hosted"),
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "--remote needs a vault of our own" in done.stderr


async def test_one_step_that_does_not_hold_makes_the_exit_status_1_and_the_tour_goes_on():
    shown = io.StringIO()
    steps = Steps(Console(file=shown, width=200))

    async def right() -> str:
        return "it is as it has to be"

    async def wrong() -> str:
        held(False, "the week is [empty]")
        return ""

    async def both_tasks_fail() -> str:
        raise ExceptionGroup("two tasks", [ValueError("the first"), KeyError("the second")])

    for title, step in (("one", right), ("two", wrong), ("three", both_tasks_fail), ("four", right)):
        await steps.step(title, step)
    assert steps.conclude() == 1
    assert "2 of 4 steps held." in shown.getvalue()
    for said in ("StepError: the week is [empty]", "ValueError: the first", "KeyError: 'the second'"):
        assert said in shown.getvalue()
