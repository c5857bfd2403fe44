"""`python -m evaluation` as people run it, with an endpoint on loopback that answers as a model would."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from evaluation.conversation import ModelPlayer
from evaluation.models import PROTOCOLS, Endpoint, Sampling, model_client
from evaluation.options import read_options
from evaluation.place import open_place
from evaluation.player import filled
from evaluation.runner import Limits, play_once
from evaluation.tasks import TASKS
from scalekit_mcp.upstream import UpstreamClient
from tests.support.model_endpoint import Answers, ModelEndpoint, Says, Step, Wanted, served, tool_results

ROOT = Path(__file__).parent.parent.parent
KEY = "sk-never-to-be-seen"
BASE = {"chat-completions": "/v1", "messages": ""}
TWO = ("book-planning", "move-one-on-one")
both = pytest.mark.parametrize("protocol", PROTOCOLS)


def plays_by_script(body: dict[str, Any]) -> Step:
    """A model that knows each task by its words, and its script."""
    said = json.dumps(body["messages"], ensure_ascii=False)
    [task] = [task for task in TASKS.values() if json.dumps(task.asked, ensure_ascii=False)[1:-1] in said]
    results = [json.loads(text) for _, text in tool_results(body)]
    if len(results) == len(task.play.calls):
        return Says(task.play.answer)
    call = task.play.calls[len(results)]
    return Says(calls=(Wanted(call.tool, {name: filled(value, results) for name, value in call.arguments.items()}),))


@dataclass
class Run:
    status: int | None
    output: str
    report: dict[str, Any]

    def grades(self) -> dict[str, str]:
        return {result["task"]: result["grade"] for result in self.report.get("results", [])}


async def run(file: Path, *arguments: str, **variables: str) -> Run:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "evaluation", *arguments, "--json", str(file)),
        cwd=ROOT,
        env={**os.environ, **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return Run(process.returncode, output.decode(), kept(file))


def kept(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text("utf-8"))


@both
async def test_a_model_is_asked_graded_and_counted(protocol: str, tmp_path: Path) -> None:
    endpoint = ModelEndpoint(plays_by_script)
    key_file = tmp_path / "key"
    key_file.write_text(f"{KEY}\n", "utf-8")
    async with served(endpoint) as url:
        way = ("--url", url + BASE[protocol], "--protocol", protocol, "--model", "m", "--key-file", str(key_file))
        done = await run(tmp_path / "report.json", *TWO, *way)
    assert done.status == 0, done.output
    assert done.grades() == dict.fromkeys(TWO, "passed")
    totals = done.report["totals"]
    assert (totals["passed"], totals["calls"], totals["input_tokens"], totals["output_tokens"]) == (2, 4, 600, 60)
    assert totals["answer_bytes"] > 1000
    assert done.report["whole"] is True
    assert done.output.splitlines()[-1].split()[:5] == ["all", "2/2", "4", "600", "60"]
    assert KEY not in done.output
    assert KEY not in json.dumps(done.report)
    sent = endpoint.requests[0]
    assert "2027" in json.dumps(sent)
    assert "Treat" in json.dumps(sent)  # the server's own instructions


async def test_a_key_that_is_not_taken_ends_the_run_and_fails_no_task(tmp_path: Path) -> None:
    async with served(ModelEndpoint([Answers(401, '{"error": {"message": "bad key"}}')])) as url:
        way = ("--url", f"{url}/v1", "--model", "m", "--parallel", "1")
        done = await run(tmp_path / "report.json", *TWO, *way, EVALUATION_KEY=KEY)
    assert done.status == 1
    assert done.grades() == {TWO[0]: "not graded"}
    assert "it does not take the key" in done.output
    assert "1 of 2 plays were not made" in done.output
    assert KEY not in done.output
    assert done.report["whole"] is False


async def test_one_useless_answer_costs_one_task(tmp_path: Path) -> None:
    def once_garbage(body: dict[str, Any]) -> Step:
        return Answers(200, "<html>") if TASKS[TWO[0]].asked in json.dumps(body) else plays_by_script(body)

    async with served(ModelEndpoint(once_garbage)) as url:
        done = await run(tmp_path / "report.json", *TWO, "--url", f"{url}/v1", "--model", "m")
    assert done.status == 1
    assert done.grades() == {TWO[0]: "not graded", TWO[1]: "passed"}
    assert done.report["totals"]["failed"] == 0
    assert "1 could not be graded" in done.output


@pytest.mark.skipif(sys.platform == "win32", reason="a console of its own would be needed to press Ctrl-C")
async def test_an_interrupted_run_keeps_what_it_has(tmp_path: Path) -> None:
    file = tmp_path / "report.json"

    def interrupts(body: dict[str, Any]) -> Step:
        if TASKS[TWO[1]].asked in json.dumps(body):
            os.kill(process.pid, signal.SIGINT)
        return plays_by_script(body)

    async with served(ModelEndpoint(interrupts)) as url:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "evaluation", *TWO, "--url", f"{url}/v1", "--model", "m", "--parallel", "1", "--json", str(file)),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
    assert process.returncode == 1, output.decode()
    assert "The run was interrupted: 1 of 2 plays were not made." in output.decode()
    report = kept(file)
    assert [(result["task"], result["grade"]) for result in report["results"]] == [(TWO[0], "passed")]
    assert report["whole"] is False


async def test_what_a_model_may_do_is_bounded() -> None:
    calls = Says(calls=(Wanted("outlook_list_calendars", {}), Wanted("no_such_tool", {})))
    task = TASKS["whose-address"]
    async with served(ModelEndpoint(lambda _: calls)) as url, UpstreamClient() as http, open_place() as place:
        player = ModelPlayer(model_client("messages", Endpoint(url, http), Sampling("m")))
        async with place.host() as host:
            busy = await play_once(task, player, place, host, Limits(calls=3))
            slow = await play_once(task, player, place, host, Limits(seconds=0))
    assert busy.grade == "failed"
    assert busy.problems[0] == "more than 3 tool calls"
    assert busy.calls == ("outlook_list_calendars", "no_such_tool!", "outlook_list_calendars")
    assert slow.grade == "failed"
    assert slow.problems[0] == "not done after 0 seconds"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["no-such-task"], "no task or subject is called no-such-task"),
        (["--model", "m"], "--model needs --url"),
        (["--model", "m", "--url", "http://models.example/v1"], "only sent over https"),
        (["--model", "m", "--url", "https://user@models.example"], "without a user"),
        (["--model", "m", "--url", "file:///etc/passwd"], "http or https"),
        (["--model", "m", "--url", "https://models.example", "--key-file", "no-such-file"], "FileNotFoundError"),
        (["--repeats", "0"], "not between 1 and 1000"),
        (["--parallel", "17"], "not between 1 and 16"),
        (["--seconds", "nan"], "not between"),
        (["--protocol", "telepathy"], "invalid choice"),
    ],
)
def test_a_wrong_option_is_named(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        read_options(arguments, {"EVALUATION_KEY": KEY})
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert told in said
    assert KEY not in said


def test_a_key_file_with_more_than_a_key_is_refused_without_showing_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "key"
    file.write_text(f"{KEY} and words", "utf-8")
    with pytest.raises(SystemExit):
        read_options(["--model", "m", "--url", "https://models.example", "--key-file", str(file)], {})
    assert KEY not in capsys.readouterr().err


def test_the_environment_says_what_flags_do_not(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY, "utf-8")
    environment = {
        "EVALUATION_MODEL": "m",
        "EVALUATION_URL": "http://127.0.0.1:11434/v1",
        "EVALUATION_KEY_FILE": str(tmp_path / "key"),
        "EVALUATION_TEMPERATURE": "0.5",
        "EVALUATION_CALLS": "7",
    }
    options = read_options(["questions", "--calls", "9"], environment)
    assert options.sampling == Sampling("m", 0.5)
    assert options.key == KEY
    assert options.limits.calls == 9
    assert {task.name for task in options.tasks} >= {"last-week", "who-is-free"}
    assert KEY not in repr(options)


def test_tasks_can_be_listed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        read_options(["--list"], {})
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert all(name in said for name in TWO)
