"""How many `GET /me/events` requests the sandbox's Graph answers per second on one core.

The server runs in a process of its own, pinned to one core where the system allows it, behind uvicorn with httptools;
the client is this process: plain sockets that keep 8 requests under way, so that its own cost stays small. The rate is
per second of the server's processor time, so that a busy machine does not change it.

    python -m bench.sandbox_rate [--seconds 5] [--floor 1000]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import socket
import threading
import time
from typing import Any, Protocol

QUERY = (
    "/v1.0/me/events?$filter=start/dateTime%20ge%20'2020-01-01T00:00:00'%20and%20isCancelled%20eq%20false"
    "&$orderby=start/dateTime&$top=20&$select=subject,start,end,location,isAllDay,organizer,attendees,onlineMeeting"
)


class Pipe(Protocol):
    """One end of a pipe between two processes."""

    def send(self, obj: Any, /) -> None: ...
    def recv(self) -> Any: ...


def serve(listener: socket.socket, pipe: Pipe, core: int | None) -> None:
    import uvicorn

    from scalekit_mcp.sandbox.graph import GraphApp, Mailboxes
    from scalekit_mcp.sandbox.identity.tokens import AccessTokens
    from scalekit_mcp.sandbox.world import World
    from scalekit_mcp.sandbox.world.seed import DEFAULT_CLIENT_ID, DEFAULT_PERSON, seed

    if core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})
    world = World()
    seed(world)
    tokens = AccessTokens(world)
    person = world.people[DEFAULT_PERSON]
    app = GraphApp(world, tokens)
    token = tokens.issue(person, {"Calendars.ReadWrite"}, client_id=DEFAULT_CLIENT_ID)
    pipe.send((token, len(Mailboxes(world).of(person).events)))
    threading.Thread(target=tell_processor_time, args=(pipe,), daemon=True).start()
    config = uvicorn.Config(app, http="httptools", lifespan="off", log_level="warning", access_log=False)
    asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))


def tell_processor_time(pipe: Pipe) -> None:
    with contextlib.suppress(EOFError):
        while pipe.recv():
            pipe.send(time.process_time())


def processor_time(pipe: Pipe) -> float:
    pipe.send(True)
    return float(pipe.recv())


async def ask(port: int, request: bytes, until: float, counts: list[int]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.perf_counter() < until:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        body = await reader.readexactly(length)
        if not head.startswith(b"HTTP/1.1 200") or b'"value":[{' not in body:
            raise SystemExit(f"unexpected answer: {head[:40]!r}")
        counts[0] += 1
        counts[1] = length
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def measure(port: int, token: str, path: str, seconds: float) -> tuple[int, float, int]:
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
    request += 'Prefer: IdType="ImmutableId", outlook.timezone="Europe/Berlin"\r\n\r\n'
    raw, counts = request.encode(), [0, 0]
    started = time.perf_counter()
    await asyncio.gather(*(ask(port, raw, started + seconds, counts) for _ in range(8)))
    return counts[0], time.perf_counter() - started, counts[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--floor", type=float, default=0.0, help="fail below this many requests per second")
    options = parser.parse_args()
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # asyncio sets TCP_NODELAY by it
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    here, there = multiprocessing.Pipe()
    core = max(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    context = multiprocessing.get_context("spawn")
    server = context.Process(target=serve, args=(listener, there, core), daemon=True)
    server.start()
    try:
        token, events = here.recv()
        port = listener.getsockname()[1]
        asyncio.run(measure(port, token, QUERY, 0.5))
        before = processor_time(here)
        count, wall, length = asyncio.run(measure(port, token, QUERY, options.seconds))
        rate = count / (processor_time(here) - before)
    finally:
        server.terminate()
        server.join()
    print(f"GET /me/events with $filter, $orderby, $top=20, $select over {events} events, {length} bytes an answer:")
    print(
        f"{rate:,.0f} requests per second of one core ({count / wall:,.0f} per second of wall time on this machine now)"
    )
    if rate < options.floor:
        raise SystemExit(f"below the floor of {options.floor:,.0f} requests/s")


if __name__ == "__main__":
    main()
