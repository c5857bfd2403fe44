"""The HTTP below both protocols: the key, bounded repeats, and failures told in plain words."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast

import anyio
import httpx2 as httpx

TRIES = 4
LONGEST_PAUSE_SECONDS = 60.0
FIRST_PAUSE_SECONDS = 1.0
_LONGEST_QUOTE = 300
_AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_HOPELESS = {
    401: "it does not take the key: look at EVALUATION_KEY or --key-file",
    403: "the key may not use this model",
    404: "it knows no such address or model: look at --url, --protocol and --model",
}


class EndpointError(Exception):
    """The endpoint gave no answer that can be used; `hopeless` says that another task would not get one either."""

    def __init__(self, message: str, *, hopeless: bool = False) -> None:
        super().__init__(message)
        self.hopeless = hopeless


@dataclass(frozen=True)
class Sampling:
    """What a request says beside the conversation; None leaves it to the endpoint."""

    model: str
    temperature: float | None = None
    max_output_tokens: int | None = None


@dataclass(frozen=True)
class Endpoint:
    """One address that takes JSON and answers JSON. Neither the key nor what is sent comes into an error."""

    url: str
    http: httpx.AsyncClient = field(repr=False)
    key: str | None = field(default=None, repr=False)
    sleep: Callable[[float], Awaitable[None]] = field(default=anyio.sleep, repr=False)

    async def post(self, path: str, headers: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        """The JSON object that the endpoint answers; raises `EndpointError`.

        Throttling, overload and broken connections are tried again, `TRIES` times in all, with pauses as asked for by
        `Retry-After`, at most `LONGEST_PAUSE_SECONDS` each.
        """
        address = self.url.rstrip("/")
        address = address if address.endswith(path) else address + path
        pause = FIRST_PAUSE_SECONDS
        for last in (*[False] * (TRIES - 1), True):
            try:
                answer = await self.http.post(address, headers=headers, json=body)
            except httpx.HTTPError as broken:
                problem = f"it could not be reached: {type(broken).__name__}"
                asked = None
            else:
                if answer.status_code == 200:
                    return self._object(answer)
                problem = self._problem(answer)
                if answer.status_code not in _AGAIN:
                    raise EndpointError(problem, hopeless=answer.status_code in _HOPELESS)
                asked = _retry_after(answer.headers.get("Retry-After"))
                if asked is not None and asked > LONGEST_PAUSE_SECONDS:
                    raise EndpointError(f"{problem}; it asks to wait {asked:g} seconds")
            if last:
                raise EndpointError(f"{problem}, {TRIES} times")
            await self.sleep(pause if asked is None else asked)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        raise AssertionError("unreachable")

    def _object(self, answer: httpx.Response) -> dict[str, Any]:
        try:
            read = json.loads(answer.content)
        except ValueError:
            read = None
        if not isinstance(read, dict):
            raise EndpointError(f"it answered 200 with something that is no JSON object: {self._quoted(answer.text)}")
        return cast("dict[str, Any]", read)

    def _problem(self, answer: httpx.Response) -> str:
        told = _HOPELESS.get(answer.status_code, "")
        words = _message(answer)
        return f"it answered {answer.status_code}{f' ({told})' if told else ''}: {self._quoted(words)}"

    def _quoted(self, text: str) -> str:
        """The beginning of what the endpoint said, on one line, without the key that it may have repeated."""
        clean = " ".join((text.replace(self.key, "[key]") if self.key else text).split())
        return clean if len(clean) <= _LONGEST_QUOTE else f"{clean[:_LONGEST_QUOTE]} ..."


def _message(answer: httpx.Response) -> str:
    try:
        error = json.loads(answer.content)["error"]
        return str(error["message"] if isinstance(error, dict) else error)
    except (ValueError, LookupError, TypeError):
        return answer.text or "(nothing)"


def _retry_after(text: str | None) -> float | None:
    """The seconds of a `Retry-After`; None where there is none, or a date."""
    try:
        seconds = float(text) if text is not None else None
    except ValueError:
        return None
    return None if seconds is None or not 0 <= seconds < float("inf") else seconds


def count(value: object) -> int | None:
    """A number of tokens as an endpoint reports it; None for what is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def member(value: object, name: str, kind: type) -> Any:
    """A member of a JSON object; raises `EndpointError` where the answer has another shape."""
    found = cast("dict[str, Any]", value).get(name) if isinstance(value, dict) else None
    if not isinstance(found, kind):
        raise EndpointError(f"its answer has no '{name}' as the protocol wants it")
    return found


def optional(value: dict[str, Any], name: str, kind: type) -> Any:
    """A member of a JSON object, or an empty one where there is none of this kind."""
    found = value.get(name)
    return found if isinstance(found, kind) else kind()
