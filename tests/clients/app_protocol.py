"""How an app of these tests is told what to do: by JSON objects, one a line of stdin; it answers so on stdout.

`connect` opens a new connection and lists the tools, `call` calls one over it, `keep` puts another access token in the
place of the app's own and says that it has run out. Where a person has to sign in, the app says `open` with the address
for the browser; an app that does not listen for the way back itself reads its query as the next line.
"""

import asyncio
import json
import sys
from typing import Any, Protocol

CALL = ("outlook_list_calendar_events", {"top": 1})


class App(Protocol):
    """What an app can do; each answers with what there is to say about it."""

    async def connect(self) -> dict[str, Any]: ...

    async def call(self) -> dict[str, Any]: ...

    def keep(self, access_token: str) -> None: ...

    def kept(self) -> dict[str, Any]:
        """Its `access_token`, `refresh_token` and `client_id`."""
        ...


def say(fields: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


async def hear() -> dict[str, Any]:
    """The next object; empty once there is none."""
    line = await asyncio.to_thread(sys.stdin.readline)
    return json.loads(line) if line.strip() else {}


async def serve(app: App) -> None:
    """Do what is said until stdin ends."""
    while command := await hear():
        match command["do"]:
            case "connect":
                answer = await app.connect()
            case "call":
                answer = await app.call()
            case _:
                app.keep(command["access_token"])
                answer = {}
        say({**answer, **app.kept()})
