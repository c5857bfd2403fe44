"""The floor over HTTP: the tools of `bench.floor` behind the SDK's own Streamable HTTP, without callers and checks.

Argument: the port.
"""

import contextlib
import sys

import uvicorn
from mcp.server.streamable_http_manager import StreamableHTTPASGIApp, StreamableHTTPSessionManager
from starlette.applications import Starlette
from starlette.routing import Route

from bench.floor import build


def main(port: int) -> None:
    manager = StreamableHTTPSessionManager(app=build())

    @contextlib.asynccontextmanager
    async def lifespan(_):
        async with manager.run():
            yield

    app = Starlette(routes=[Route("/mcp", endpoint=StreamableHTTPASGIApp(manager))], lifespan=lifespan)
    uvicorn.run(app, host="127.0.0.1", port=port, access_log=False, log_config=None)


if __name__ == "__main__":
    main(int(sys.argv[1]))
