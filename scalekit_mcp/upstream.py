"""The HTTP client for every service that this server calls: Microsoft, Scalekit, an issuer of tokens, a webhook.

An answer is read whole, but never without end: its decoded bytes and the time for all of it are bounded, so that a
broken or hostile service costs one call and not the memory of the process. Compressed answers are unpacked here, in
steps, because a decoder that unpacks what it is given would unpack a bomb first (RFC 9110 section 8.4, RFC 1952).
"""

from __future__ import annotations

import zlib
from typing import Any

import anyio
import httpx2 as httpx

MAX_ANSWER_BYTES = 8 * 1024 * 1024
"""Most decoded bytes of one answer; an event with the longest body that Graph takes (4 MB of JSON) fits in."""

MAX_EXCHANGE_SECONDS = 90.0
"""Longest time from the first byte sent to the last received, for callers that set no bound of their own."""

ROUTE = "scalekit_mcp.route"
"""The extension of a request in which whoever sends it names its route for spans: a path without any id in it."""

_STEP_BYTES = 256 * 1024
_ABOUT_THE_BODY = frozenset({"content-encoding", "content-length", "transfer-encoding"})


class AnswerTooLargeError(httpx.RequestError):
    """An answer had more decoded bytes than are read; `status_code` and `headers` are what came before its body."""

    def __init__(self, response: httpx.Response, max_bytes: int) -> None:
        super().__init__(f"the answer has more than {max_bytes} bytes", request=response.request)
        self.status_code = response.status_code
        self.headers = response.headers


class UpstreamClient(httpx.AsyncClient):
    """An `httpx2.AsyncClient` whose answers are read up to `max_answer_bytes` and `max_exchange_seconds`.

    Offers gzip and deflate and nothing else. Raises `AnswerTooLargeError`, `httpx2.DecodingError` for an encoding that
    was not offered or is broken, and `httpx2.ReadTimeout` when the time is over.
    """

    def __init__(
        self,
        *,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
        max_exchange_seconds: float = MAX_EXCHANGE_SECONDS,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.headers["Accept-Encoding"] = "gzip, deflate"
        self._max_answer_bytes = max_answer_bytes
        self._max_exchange_seconds = max_exchange_seconds

    async def send(self, request: httpx.Request, *, stream: bool = False, **options: Any) -> httpx.Response:
        """As `httpx2.AsyncClient.send`; with `stream` the body and its bounds are the caller's."""
        if stream:
            return await super().send(request, stream=True, **options)
        try:
            with anyio.fail_after(self._max_exchange_seconds):
                response = await super().send(request, stream=True, **options)
                try:
                    content = await self._content(response)
                finally:
                    await response.aclose()
        except TimeoutError as exc:
            raise httpx.ReadTimeout("the answer did not come in time", request=request) from exc
        headers = [pair for pair in response.headers.raw if pair[0].decode("latin-1").lower() not in _ABOUT_THE_BODY]
        return httpx.Response(
            response.status_code,
            headers=headers,
            content=content,
            request=response.request,
            extensions=response.extensions,
            history=response.history,
        )

    async def _content(self, response: httpx.Response) -> bytes:
        if response.is_stream_consumed:  # a transport without a wire gives whole answers
            if len(response.content) > self._max_answer_bytes:
                raise AnswerTooLargeError(response, self._max_answer_bytes)
            return response.content
        unpack = _unpacker(response, self._max_answer_bytes)
        parts: list[bytes] = []
        size = 0
        async for chunk in response.aiter_raw():
            for part in unpack.feed(chunk):
                size += len(part)
                if size > self._max_answer_bytes:
                    parts.clear()  # a traceback would keep them until the garbage collector comes
                    raise AnswerTooLargeError(response, self._max_answer_bytes)
                parts.append(part)
        if unpack.begun:
            unpack.finish()
        return b"".join(parts)


class _Plain:
    """A body as it is."""

    begun = False

    def feed(self, chunk: bytes) -> list[bytes]:
        return [chunk]

    def finish(self) -> None:
        """A plain body has no end of its own."""


class _Inflated(_Plain):
    """A gzip or deflate body, unpacked in steps; stops producing once `max_bytes` are passed."""

    def __init__(self, response: httpx.Response, *, gzip: bool, max_bytes: int) -> None:
        self._response = response
        self._inflate = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16) if gzip else None
        self._left = max_bytes
        self._head = b""

    def feed(self, chunk: bytes) -> list[bytes]:
        self.begun = self.begun or bool(chunk)
        if self._inflate is None:
            self._head += chunk
            if len(self._head) < 2:
                return []
            self._inflate, chunk = _deflate(self._head), self._head
        parts: list[bytes] = []
        while not self._inflate.eof and self._left >= 0:
            try:
                part = self._inflate.decompress(chunk, _STEP_BYTES)
            except zlib.error as exc:
                raise _broken(self._response) from exc
            self._left -= len(part)
            parts.append(part)
            chunk = self._inflate.unconsumed_tail
            if not chunk and len(part) < _STEP_BYTES:
                break
        return parts

    def finish(self) -> None:
        if self._inflate is None or not self._inflate.eof:
            raise _broken(self._response)


def _deflate(head: bytes) -> Any:
    """The decoder for a "deflate" body: a zlib stream, or the bare one that some send (RFC 9110 section 8.4.1.2)."""
    wrapped = head[0] & 0x0F == zlib.DEFLATED and int.from_bytes(head[:2], "big") % 31 == 0  # RFC 1950 section 2.2
    return zlib.decompressobj(wbits=zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS)


def _unpacker(response: httpx.Response, max_bytes: int) -> _Plain:
    encodings = [name.strip().lower() for name in response.headers.get("content-encoding", "").split(",")]
    encodings = [name for name in encodings if name not in ("", "identity")]
    if not encodings:
        return _Plain()
    if encodings in (["gzip"], ["x-gzip"], ["deflate"]):
        return _Inflated(response, gzip=encodings != ["deflate"], max_bytes=max_bytes)
    raise httpx.DecodingError("the answer has an encoding that was not asked for", request=response.request)


def _broken(response: httpx.Response) -> httpx.DecodingError:
    return httpx.DecodingError("the answer's compression is broken", request=response.request)
