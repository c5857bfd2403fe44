"""Sends a Python program's requests for Microsoft to the sandbox: only scheme, host and port change.

Python imports a module of this name at its start. PEER_ADDRESSES is a JSON object {"https://graph.microsoft.com":
"http://127.0.0.1:9400", ...}. The two HTTP libraries that the peers use are changed where a request leaves them; each
of these programs loads both anyway.
"""

import json
import os
from typing import Any

ADDRESSES: dict[str, str] = json.loads(os.environ.get("PEER_ADDRESSES", "{}"))


def replaced(address: str) -> str:
    """The same address at the sandbox; every other one as it is."""
    origin = origin_of(address)
    return ADDRESSES[origin] + address[len(origin) :] if origin else address


def origin_of(address: str) -> str:
    """The origin that the sandbox plays; empty for every other address."""
    for origin in ADDRESSES:
        if address == origin or address.startswith((f"{origin}/", f"{origin}?")):
            return origin
    return ""


def adapt_httpx() -> None:
    import httpx

    plain = httpx.AsyncHTTPTransport.handle_async_request

    async def handle_async_request(self: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        if origin_of(str(request.url)):
            request.url = httpx.URL(replaced(str(request.url)))
            request.headers["host"] = request.url.netloc.decode("ascii")
        return await plain(self, request)

    httpx.AsyncHTTPTransport.handle_async_request = handle_async_request


def adapt_requests() -> None:
    import requests.adapters

    plain = requests.adapters.HTTPAdapter.send

    def send(
        self: requests.adapters.HTTPAdapter, request: requests.PreparedRequest, *given: Any, **named: Any
    ) -> requests.Response:
        asked = request.url or ""
        origin = origin_of(asked)
        request.url = replaced(asked)
        answer = plain(self, request, *given, **named)
        if origin:  # MSAL refuses a sign-in document whose addresses are not https
            answer._content = answer.content.replace(ADDRESSES[origin].encode(), origin.encode())
        return answer

    requests.adapters.HTTPAdapter.send = send


if ADDRESSES:
    adapt_httpx()
    adapt_requests()
