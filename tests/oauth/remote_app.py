"""An app that shares no code with this project: a process that is told what to do, and sends a person to a browser."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from tests.oauth.remote_host import RemoteHost
from tests.support.processes import environment

_LONGEST_LINE = 100_000


class RemoteApp:
    """One program of `tests/clients` (see `app_protocol.py` there); its browser is that of `host`.

    `listens` says that the program itself receives what comes back from the browser.
    """

    def __init__(self, process: Process, host: RemoteHost, log: Path, *, listens: bool) -> None:
        assert process.stdout
        self._process = process
        self._host = host
        self._log = log
        self._listens = listens
        self._lines = BufferedByteReceiveStream(process.stdout)

    async def do(self, what: str, **fields: str) -> dict[str, Any]:
        """Have something done, through the browser if the app asks for it; what the app says about it."""
        await self._send({"do": what, **fields})
        while "open" in (told := await self._receive()):
            if self._listens:
                await self._host.open(told["open"])
            else:
                await self._send(await self._host.visit(told["open"]))
        return told

    async def _send(self, fields: dict[str, Any]) -> None:
        assert self._process.stdin
        await self._process.stdin.send(json.dumps(fields).encode() + b"\n")

    async def _receive(self) -> dict[str, Any]:
        try:
            return json.loads(await self._lines.receive_until(b"\n", _LONGEST_LINE))
        except anyio.IncompleteRead:
            raise AssertionError(self._log.read_text(encoding="utf-8")[-3000:]) from None


@asynccontextmanager
async def open_app(
    command: Sequence[str], host: RemoteHost, home: Path, *, listens: bool = False
) -> AsyncGenerator[RemoteApp]:
    """A program of an app with an empty home, ended afterwards."""
    log = home / "app.log"
    with log.open("wb") as stderr:
        async with await anyio.open_process(command, stderr=stderr, env=environment(home)) as process:
            try:
                yield RemoteApp(process, host, log, listens=listens)
            except BaseException:
                process.kill()
                raise
