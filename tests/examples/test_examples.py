"""The examples are short, each has its locked environment, and the scripted model keeps to its script."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from examples.support.scripted_model import Call, ScriptedModel, Turn, decide
from scalekit_mcp.tools import parse_arguments
from scripts.test_frameworks import EXAMPLES, QUESTION, next_monday

ROOT = Path(__file__).parent.parent.parent
PACKAGE = re.compile(r"from '((?:@[\w-]+/)?(?!node:)[\w-]+)[\w/-]*'")
"""The npm package of an import, without a path inside it."""
SUNDAY = date(2026, 11, 22)
LISTED: dict[str, Any] = {"value": [{"subject": "Roadmap review"}]}
CREATED = {"id": "x", "subject": "Q2 Planning", "onlineMeeting": {"joinUrl": "https://teams.microsoft.com/l/1"}}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.program)
def test_an_example_has_at_most_forty_lines_and_a_locked_environment(example):
    program = ROOT / "examples" / example.program
    assert len(program.read_text("utf-8").splitlines()) <= 40
    wanted = (ROOT / "requirements" / "frameworks" / f"{example.name}.in").read_text("utf-8").split()
    locked = (ROOT / "requirements" / "frameworks" / f"{example.name}.txt").read_text("utf-8")
    assert wanted
    for requirement in wanted:
        name = requirement.split(">=")[0].split("[")[0]
        assert f"{name}==" in locked or f"{name}[" in locked
    assert "--hash=sha256:" in locked
    assert example.name in (ROOT / "Makefile").read_text("utf-8").split("FRAMEWORKS := ")[1].splitlines()[0].split()


def test_every_example_of_an_agent_is_run():
    agents = set(programs()) - {"published_sample.py", "langchain_meeting_planner.py"}
    assert agents == {example.program for example in EXAMPLES}


def test_the_overview_names_every_program():
    overview = (ROOT / "examples" / "README.md").read_text("utf-8")
    for program in programs():
        assert f"`{program}`" in overview


@pytest.mark.parametrize("example", [e for e in EXAMPLES if e.in_node], ids=lambda example: example.program)
def test_an_example_in_javascript_imports_packages_that_are_locked_with_their_hashes(example):
    program = ROOT / "examples" / example.program
    wanted = json.loads((program.parent / "package.json").read_text("utf-8"))["dependencies"]
    lock = json.loads((program.parent / "package-lock.json").read_text("utf-8"))["packages"]
    imported = {found[1] for found in PACKAGE.finditer(program.read_text("utf-8"))}
    assert imported == set(wanted)
    assert set(example.distributions) <= imported
    assert lock[""]["dependencies"] == wanted
    for path, package in lock.items():
        assert not path or package["integrity"].startswith("sha512-"), path
    assert {f"node_modules/{name}" for name in wanted} <= set(lock)


def programs() -> list[str]:
    found = [*(ROOT / "examples").glob("*.py"), *(ROOT / "examples").glob("*/*.js")]
    return [path.relative_to(ROOT / "examples").as_posix() for path in found]


@pytest.mark.parametrize("today", [date(2026, 11, 22), date(2026, 11, 23), date(2026, 11, 28)])
def test_next_monday_lies_one_to_seven_days_ahead(today):
    monday = next_monday(today)
    assert monday.weekday() == 0
    assert 1 <= (monday - today).days <= 7


def test_the_script_looks_books_and_reports():
    first = decide(Turn(SUNDAY, QUESTION))
    assert isinstance(first, Call)
    second = decide(Turn(SUNDAY, QUESTION, (LISTED,)))
    assert isinstance(second, Call)
    assert (first.name, second.name) == ("outlook_list_calendar_events", "outlook_create_calendar_event")
    assert second.arguments["start_datetime"] == "2026-11-23T10:00:00"
    for call in (first, second):
        parse_arguments(call.name, call.arguments)
    last = decide(Turn(SUNDAY, QUESTION, (LISTED, json.dumps([{"text": json.dumps(CREATED)}]))))
    assert isinstance(last, str)
    assert "2026-11-23" in last
    assert "https://teams.microsoft.com/l/1" in last


def test_the_script_hands_a_link_on_instead_of_trying_again():
    refusal = json.dumps({"error": {"authorization_url": "http://localhost:8754/connect/abcdefghijklmnop"}})
    answer = decide(Turn(SUNDAY, QUESTION, (refusal,)))
    assert isinstance(answer, str)
    assert "http://localhost:8754/connect/abcdefghijklmnop" in answer


CHAT = {"model": "m", "messages": [{"role": "system", "content": "{today}"}, {"role": "user", "content": QUESTION}]}
RESPONSES = {"model": "m", "instructions": "{today}", "input": [{"role": "user", "content": QUESTION}]}
GEMINI = {"systemInstruction": "{today}", "contents": [{"role": "user", "parts": [{"text": QUESTION}]}]}


@pytest.mark.parametrize(
    ("path", "body"),
    [("/v1/chat/completions", CHAT), ("/v1/responses", RESPONSES), ("/v1beta/models/g:generateContent", GEMINI)],
)
async def test_every_wire_carries_the_same_first_call(path, body):
    model = ScriptedModel()
    said = json.loads(json.dumps(body).replace("{today}", "Today is Sunday 2026-11-22."))
    transport = httpx.ASGITransport(app=model.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://model") as http:
        answer = await http.post(path, json=said)
    assert answer.status_code == 200
    assert "outlook_list_calendar_events" in answer.text
    assert [call.name for call in model.calls] == ["outlook_list_calendar_events"]
