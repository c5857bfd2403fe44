"""Reads the `data` of a hosted tool call: Graph's JSON inside other objects, a failure, or nothing.

A tool call that is answered with HTTP 200 may still have failed: the refusal of Microsoft then stands inside. Whether
something is a failure is decided by its shape (an `error` object beside no event, `ok: false`, a `status_code` of 400
and more), never by words in an event. Pure functions.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from enum import Enum
from typing import Any, cast

from scalekit_mcp.microsoft import GRAPH_ERRORS, json_value
from scalekit_mcp.scalekit.rest import TOOL_ERROR, ScalekitError, safe_id

MAX_WRAPPINGS = 4
"""How many objects around Graph's own JSON are looked into."""

_WRAPPERS = ("data", "response", "result", "body", "event", "events", "output")
_NOTHING = frozenset({"", "none", "null", "false", "no"})
_ERROR_FLAGS = ("iserror", "is_error", "haserror", "has_error")
_FLAGS = ("ok", "success", "successful", "succeeded")
_STATUSES = ("status_code", "statuscode", "http_status", "httpstatus", "status", "code")
_FAILED = frozenset({"failed", "failure", "fail", "error", "errored"})
_WORKED = frozenset(
    {"ok", "success", "succeeded", "successful", "completed", "done", "deleted", "cancelled", "canceled"}
)
_HTTP_OF_GRPC = {3: 400, 5: 404, 6: 409, 7: 403, 8: 429, 9: 400, 16: 401}
_ERROR_TEXT = ("error", "failed", "failure", "exception")


class Verdict(Enum):
    """Whether an answer without a failure shows that a change was made."""

    DONE = "done"
    """The change was made: no data at all, or a word of success."""
    UNCLEAR = "unclear"
    """Something that is neither an event nor a known word."""


def event_in(data: object) -> dict[str, Any] | None:
    """The event in a tool's `data`, whatever it is wrapped in; None if there is none."""
    for candidate in _candidates(data, MAX_WRAPPINGS):
        if isinstance(candidate, dict) and _is_event(candidate):
            return candidate
    return None


def rows_in(data: object) -> dict[str, Any] | None:
    """`{"value": [...]}` out of a tool's `data`, perhaps with Graph's annotations beside it; None if there is none.

    What the rows are is looked at by whoever reads Graph's own pages, too.
    """
    for candidate in _candidates(data, MAX_WRAPPINGS):
        page = {"value": candidate} if isinstance(candidate, list) else candidate
        if isinstance(page.get("value"), list):
            return page
    return None


def verdict_on(data: object) -> Verdict:
    """Whether a change was made, judged from an answer without a failure and perhaps without an event."""
    if data in (None, "", {}, []) or event_in(data) is not None:
        return Verdict.DONE
    return Verdict.DONE if any(_means_success(level) for level in _levels(data)) else Verdict.UNCLEAR


def failure_in(answer: Mapping[str, Any], *, wrappings: int = MAX_WRAPPINGS) -> ScalekitError | None:
    """The failure that an answer of `execute_tool` with HTTP 200 tells of, as if Scalekit had refused with it.

    `answer` is the whole answer, `wrappings` how many objects in it are looked into. Where no HTTP status is said, it
    is 500: what was done is then not known, unless the failure has a code of Graph.
    """
    for level in _levels(answer, wrappings):
        found = _failure(level)
        if found is not None:
            found.execution_id = safe_id(answer.get("execution_id"))
            return found
    return None


# -- levels: the objects and texts around Graph's own JSON, from outside inwards


def _levels(value: object, wrappings: int = MAX_WRAPPINGS) -> Iterator[dict[str, Any] | str]:
    """The answer and what is wrapped in it; an event or a row is data and never looked into."""
    value = _parsed(value)
    for _ in range(wrappings + 1):
        if isinstance(value, str):
            yield value
            return
        if not isinstance(value, dict) or _is_event(members := cast("dict[str, Any]", value)):
            return
        yield members
        value = _parsed(_inner(members))


def _inner(members: dict[str, Any]) -> object:
    named = next((members[name] for name in _WRAPPERS if members.get(name) not in (None, "")), None)
    if named is not None:
        return cast("object", named)
    # a wrapper of another name holds one object and nothing else
    [only] = members.values() if len(members) == 1 else [None]
    return cast("object", only) if isinstance(only, dict) else None


def _parsed(value: object) -> object:
    if not isinstance(value, str) or value.lstrip()[:1] not in ("{", "["):
        return value
    try:
        return json_value(value)
    except ValueError:
        return value


def _failure(level: dict[str, Any] | str) -> ScalekitError | None:
    if isinstance(level, str):
        failed = level.strip().casefold().startswith(_ERROR_TEXT) or _named_code(level) is not None
        return _of(_named_code(level), level, 500) if failed else None
    members = {name.casefold(): value for name, value in level.items()}
    error: object = members.get("error") or members.get("errors")
    if isinstance(error, list):
        error = next(iter(cast("list[object]", error)), None)
    status = _status(members)
    if isinstance(error, str) and error.strip().casefold() in _NOTHING:
        error = None
    if error:
        return _of_error(error, status)
    code = members.get("code")
    if isinstance(code, str) and code.casefold() in GRAPH_ERRORS and "message" in members:
        return _of_error(level, status)
    if status is None and not _failed(members):
        return None
    return _of(None, str(members.get("message") or ""), status or 500)


def _of_error(error: object, status: int | None) -> ScalekitError:
    if not isinstance(error, dict):
        text = str(error) if isinstance(error, str) else ""
        return _of(_named_code(text), text, status or 500)
    members = {name.casefold(): value for name, value in cast("dict[str, Any]", error).items()}
    code = members.get("code")
    text = str(members.get("message") or "")
    if isinstance(code, str):
        with suppress(RecursionError):
            text = json.dumps({"error": error})  # Graph's own object, read where every other one is read
    return _of(code if isinstance(code, str) else None, text, status or _status(members) or 500)


def _of(code: str | None, text: str, status: int) -> ScalekitError:
    return ScalekitError(status, TOOL_ERROR, tool_error_code=code, tool_error_message=text or None)


def _status(members: Mapping[str, Any]) -> int | None:
    """An HTTP status of 400 and more; a gRPC code with a message counts as one."""
    for name in _STATUSES:
        value = members.get(name)
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) == 3:
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            continue
        if 400 <= value <= 599:
            return value
        if name == "code" and 0 < value <= 16 and "message" in members:
            return _HTTP_OF_GRPC.get(value, 500)
    return None


def _failed(members: Mapping[str, Any]) -> bool:
    """Whether a flag or the word `status` says so."""
    if any(_is_false(members.get(name)) for name in _FLAGS) or any(members.get(name) is True for name in _ERROR_FLAGS):
        return True
    word = members.get("status")
    return isinstance(word, str) and word.strip().casefold() in _FAILED


def _is_false(value: object) -> bool:
    return value is False or (isinstance(value, str) and value.strip().casefold() == "false")


def _means_success(level: dict[str, Any] | str) -> bool:
    if isinstance(level, str):
        return level.strip().casefold() in _WORKED
    members = {name.casefold(): value for name, value in level.items()}
    if any(members.get(name) in (True, "true") for name in (*_FLAGS, "deleted")):
        return True
    word = members.get("status")
    if isinstance(word, str) and word.strip().casefold() in _WORKED:
        return True
    return any(type(value := members.get(name)) is int and 200 <= value <= 299 for name in _STATUSES)


def _named_code(text: str) -> str | None:
    """A code of Graph that stands as a word of its own in a text, such as `ErrorAccessDenied: Access is denied`."""
    words = (word.strip(".,:;!()[]'\"") for word in text[:2000].split())
    return next(
        (word for word in words if word.casefold() in GRAPH_ERRORS and word.casefold().startswith("error")), None
    )


# -- Graph's JSON


def _is_event(members: dict[str, Any]) -> bool:
    return _has_id(members) and bool({"start", "subject", "iCalUId"} & set(members))


def _has_id(value: object) -> bool:
    found: object = cast("dict[str, Any]", value).get("id") if isinstance(value, dict) else None
    return isinstance(found, str) and found != ""


def _candidates(data: object, depth: int) -> list[dict[str, Any] | list[Any]]:
    """`data` and what is wrapped in it, from outside inwards."""
    data = _parsed(data)
    if isinstance(data, list):
        return [cast("list[Any]", data)]
    if not isinstance(data, dict):
        return []
    members = cast("dict[str, Any]", data)
    found: list[dict[str, Any] | list[Any]] = [members]
    if depth and not ("id" in members and "start" in members):
        for name in _WRAPPERS:
            if name in members:
                found += _candidates(members[name], depth - 1)
    return found
