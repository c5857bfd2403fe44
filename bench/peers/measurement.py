"""All servers beside one sandbox, in turns: start, tools, what a call asks of Graph, times, answers, memory."""

from __future__ import annotations

import base64
import itertools
import json
import os
import re
import statistics
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from mcp import Client, StdioServerParameters
from mcp.types import CallToolResult, TextContent

from bench import over_stdio
from bench.over_http import CLIENTS, resident_mb
from bench.peers.field import AFTER, CREATED, DAY, KINDS, ZONE, Account, Call, Kind, Peer
from bench.peers.installation import NotInstalledError, command, install
from bench.stage import CREATE, GET, LIST, PERSON, Stage
from scalekit_mcp import __version__

STARTS = int(os.environ.get("BENCH_STARTS", "5"))
CALLS = int(os.environ.get("BENCH_CALLS", "32"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
EVENTS = 20
"""On the day that is listed: as many as every server is asked for."""
LISTED = {"start_datetime": f"{DAY}T00:00:00", "end_datetime": f"{AFTER}T00:00:00", "timezone": "UTC", "top": 20}
CREATED_LATER = {
    "subject": CREATED["subject"],
    "start_datetime": CREATED["start"],
    "start_timezone": ZONE,
    "end_datetime": CREATED["end"],
    "end_timezone": ZONE,
}
OUR_TOOLS: dict[Kind, str] = {"list": LIST, "get": GET, "create": CREATE}
MOST_REFUSAL = 420


@dataclass
class Measured:
    """One server with what was found of it. Seconds, bytes, and 10^6 bytes of memory."""

    name: str
    version: str
    command: StdioServerParameters
    calls: dict[Kind, Call]
    peer: bool = False
    """Whether it is somebody else's."""
    starts: list[float] = field(default_factory=list)
    first_calls: list[float] = field(default_factory=list)
    tools: int = 0
    tools_bytes: int = 0
    tools_characters: int = 0
    requests: dict[Kind, list[str]] = field(default_factory=dict)
    answers: dict[Kind, str] = field(default_factory=dict)
    rates: dict[tuple[Kind, int], list[float]] = field(default_factory=dict)
    p50: dict[tuple[Kind, int], list[float]] = field(default_factory=dict)
    called: int = 0
    resident_mb: float | None = None
    refusal: str = ""


@dataclass
class Found:
    """The servers of one run, the floor first, and what was left out with its reason."""

    measured: list[Measured] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    async def in_turns(self, measure: Callable[[Measured], Awaitable[None]]) -> None:
        """Do it with one server after the other; a peer that fails is left out from here on."""
        for server in tuple(self.measured):
            try:
                await measure(server)
            except Exception as exc:
                if not server.peer:
                    raise
                self.measured.remove(server)
                self.leave_out(f"{server.name} {server.version}", exc)

    def leave_out(self, what: str, why: BaseException) -> None:
        self.left_out.append(f"{what}: {reason(why)}.")


async def measured(peers: Sequence[Peer]) -> Found:
    """Everything about the floor, ours, and these peers. A peer that fails is left out with its reason."""
    found = Found()
    async with AsyncExitStack() as stack:
        stage = await Stage.open(stack)
        # Every server logs as it does when nobody says otherwise.
        stage = replace(
            stage, environment={k: v for k, v in stage.environment.items() if k != "SCALEKIT_MCP_LOG_LEVEL"}
        )
        account = await _ours(stage, found)
        for peer in peers:
            await _peer(stage, found, peer, account)
        for number in range(STARTS + 1):  # the first writes byte code and warms the disk
            await found.in_turns(partial(_start, counts=number > 0))
        clients: dict[str, tuple[Client, int | None]] = {}

        async def connect(server: Measured) -> None:
            clients[server.name] = await stage.connected(stack, server.command)

        await found.in_turns(connect)
        for kind, count in itertools.product(KINDS, CLIENTS):  # creating comes last: it makes the mailbox larger
            for number in range(ROUNDS + 1):  # the first warms all of them
                await found.in_turns(partial(_round, clients=clients, kind=kind, count=count, counts=number > 0))
        for server in found.measured:
            pid = clients[server.name][1]
            server.resident_mb = None if pid is None else resident_mb(pid)
        for switch in ("revoke_grant", "expire_access_tokens"):
            answer = await stage.http.post(f"{stage.base}/_sandbox/{switch}", json={"address": PERSON})
            assert answer.status_code == 200, answer.text
        await found.in_turns(partial(_refused, clients=clients))
    return found


async def _ours(stage: Stage, found: Found) -> Account:
    """Add the floor and ours, and sign in; gives what the peers use instead."""
    ours = stage.ours()
    async with Client(over_stdio.quiet(ours)) as client:
        arguments, spec = await stage.recorded(client, LISTED, CREATED_LATER, events=EVENTS)
    token: str = json.loads(spec)["token"]
    floor: dict[Kind, Call] = {kind: Call(OUR_TOOLS[kind], {}) for kind in KINDS}
    calls: dict[Kind, Call] = {kind: Call(OUR_TOOLS[kind], arguments[OUR_TOOLS[kind]]) for kind in KINDS}
    for server in (
        Measured("floor", "-", stage.floor(spec), floor),
        Measured("ours", __version__, ours, calls),
        Measured("ours, --toolsets all", __version__, stage.ours("--toolsets", "all"), calls),
    ):
        await _look(stage, server)
        found.measured.append(server)
    headers = {"Authorization": f"Bearer {token}"}
    calendar = (await stage.http.get(f"{stage.base}/v1.0/me/calendar", headers=headers)).json()
    middle = token.split(".")[1]
    return Account(
        base=stage.base,
        token=token,
        claims=json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4))),
        event_id=arguments[GET]["event_id"],
        calendar_id=calendar["id"],
    )


async def _peer(stage: Stage, found: Found, peer: Peer, account: Account) -> None:
    try:
        folder = install(peer)
    except NotInstalledError as exc:
        found.leave_out(f"{peer.package} {peer.version}", exc)
        return
    for number, start in enumerate(peer.starts):
        name = ", ".join(part for part in (peer.name, start.label) if part)
        home = stage.folder / f"{peer.name}-{number}"
        started = command(peer, start, folder, home, account)
        server = Measured(name, peer.version, started, (start.calls or peer.calls)(account), peer=True)
        try:
            await _look(stage, server)
        except Exception as exc:  # noqa: BLE001 - whatever a foreign program does, the others are measured
            found.leave_out(f"{name} {peer.version}", exc)
        else:
            found.measured.append(server)


async def _look(stage: Stage, server: Measured) -> None:
    """Start it once; its tools, and what each call asks and answers."""
    async with Client(over_stdio.quiet(server.command), read_timeout_seconds=over_stdio.ANSWER_SECONDS) as client:
        tools = await client.list_tools()
        text = tools.model_dump_json(by_alias=True, exclude_none=True)
        server.tools, server.tools_bytes, server.tools_characters = len(tools.tools), len(text.encode()), len(text)
        for kind, call in server.calls.items():
            await client.call_tool(call.tool, call.arguments)  # what it asks once for the process is not counted
            before = len(await _requests(stage))
            result = await client.call_tool(call.tool, call.arguments)
            asked = (await _requests(stage))[before:]
            if result.is_error:
                raise RuntimeError(f"its {kind} was refused: {_text(result)[:200]}")
            server.requests[kind] = [request_shown(request) for request in asked]
            server.answers[kind] = _text(result)


async def _start(server: Measured, *, counts: bool) -> None:
    call = server.calls["list"]
    listed, first, _ = await over_stdio.started(server.command, call.tool, call.arguments)
    if counts:
        server.starts.append(listed)
        server.first_calls.append(first)


async def _round(
    server: Measured, *, clients: dict[str, tuple[Client, int | None]], kind: Kind, count: int, counts: bool
) -> None:
    call, client = server.calls[kind], clients[server.name][0]
    rate, seconds = await over_stdio.round_of_calls(client, call.tool, call.arguments, CALLS, count)
    server.called += CALLS
    if counts:
        server.rates.setdefault((kind, count), []).append(rate)
        server.p50.setdefault((kind, count), []).append(statistics.median(seconds))


async def _refused(server: Measured, *, clients: dict[str, tuple[Client, int | None]]) -> None:
    """What a list answers once the person has taken the consent away and the token has ended."""
    call = server.calls["list"]
    result = await clients[server.name][0].call_tool(call.tool, call.arguments)
    server.refusal = refusal_shown(_text(result), marked=bool(result.is_error))


async def _requests(stage: Stage) -> list[dict[str, Any]]:
    return (await stage.http.get(f"{stage.base}/_sandbox/requests")).json()["requests"]


def request_shown(request: dict[str, Any]) -> str:
    """One request of a call in a few words: where it goes, how much of a page and of an event it asks for."""
    if request["area"] != "graph":
        return "a document of the sign-in host"
    path = re.sub(r"/[^/]{40,}", "/{id}", request["path"].removeprefix("/v1.0").replace("//", "/"))
    query: dict[str, str] = request["query"]
    more = [f"{name}={query[name]}" for name in ("$top",) if name in query]
    if "$select" in query:
        more.append(f"{len(query['$select'].split(','))} properties")
    if "$expand" in query:
        more.append("$expand")
    return ", ".join((f"{request['method']} {path}", *more))


def refusal_shown(text: str, *, marked: bool) -> str:
    """The beginning of an answer, without addresses, and whether it is marked as an error."""
    short = re.sub(r"https?://(localhost|127\.0\.0\.1):\d+\S*", "(an address)", " ".join(text.split()))
    cut = short if len(short) <= MOST_REFUSAL else f"{short[:MOST_REFUSAL]} ..."
    return cut if marked else f"(not marked as an error) {cut}"


def _text(result: CallToolResult) -> str:
    return "".join(block.text for block in result.content if isinstance(block, TextContent))


def reason(exc: BaseException) -> str:
    """The innermost reason of a failure, in one line."""
    while isinstance(exc, BaseExceptionGroup):
        exc = exc.exceptions[0]
    return " ".join((str(exc) or type(exc).__name__).split()).rstrip(".")[:300]
