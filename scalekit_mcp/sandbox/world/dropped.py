"""The exception that stands for a closed connection."""

from __future__ import annotations

import httpx2 as httpx


class ConnectionDropped(httpx.RemoteProtocolError):
    """The connection is closed without an answer.

    Raised through the ASGI application: the sandbox's own server turns it into a closed socket, an in-process client
    sees the exception itself, of the kind that a closed socket would have given it.
    """

    def __init__(self) -> None:
        super().__init__("Server disconnected without sending a response.")
