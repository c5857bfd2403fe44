"""Reads and checks the input of a REST request: JSON body, query, texts, identifiers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from starlette.requests import Request

from scalekit_mcp.actions import AccountSelector
from scalekit_mcp.errors import InvalidInput
from scalekit_mcp.identifiers import check_identifier, has_lone_surrogate

MAX_BODY_BYTES = 1_048_576
SELECTORS = frozenset({"connector", "identifier", "id", "organization_id", "user_id"})
"""What selects an account; the last two are refused unless they say nothing new."""


def query_of(request: Request, allowed: frozenset[str]) -> dict[str, str]:
    """The parameters of a query that are not empty; raises `InvalidInput` for one that is not in `allowed`."""
    given = {name: value for name, value in request.query_params.items() if value}
    refuse_unknown(given, allowed)
    return given


async def body_of(request: Request, allowed: frozenset[str]) -> dict[str, Any]:
    """The JSON object of a body without its null members; an empty body is an empty one.

    Raises `InvalidInput` for more than 1 MiB, for what is no JSON object in UTF-8, and for a member that is not in
    `allowed`.
    """
    raw = await raw_body_of(request, MAX_BODY_BYTES)
    try:
        text = raw.decode("utf-8-sig")
        parsed: object = json.loads(text or "{}")
        _refuse_lone_surrogates(parsed, text)
    except (ValueError, RecursionError) as exc:
        raise InvalidInput("The body is not JSON in UTF-8, or nested too deeply.") from exc
    if not isinstance(parsed, dict):
        raise InvalidInput("The body must be a JSON object.")
    body = {str(name): value for name, value in cast("dict[Any, Any]", parsed).items() if value is not None}
    refuse_unknown(body, allowed)
    return body


async def raw_body_of(request: Request, most_bytes: int) -> bytes:
    """The body as it came; raises `InvalidInput` for a longer one."""
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > most_bytes:
            raise InvalidInput(f"The body is larger than {most_bytes // 1024 // 1024} MiB.")
    return bytes(raw)


def _refuse_lone_surrogates(parsed: object, text: str) -> None:
    """Refuse half of a surrogate pair anywhere in a body: JSON can spell it (RFC 8259 section 8.2), UTF-8 cannot."""
    if "\\u" not in text or not isinstance(parsed, dict):
        return  # nothing but an escape spells one
    for name, value in cast("dict[str, Any]", parsed).items():
        if has_lone_surrogate(name):
            raise InvalidInput("A member's name holds half of a surrogate pair; send plain text.")
        if has_lone_surrogate(json.dumps(value, ensure_ascii=False)):
            raise InvalidInput(f"{name[:60]} holds half of a surrogate pair; send plain text.", field=name[:60])


def refuse_unknown(given: Mapping[str, Any], allowed: frozenset[str]) -> None:
    """Refuse what has a value and a name that is not in `allowed`; raises `InvalidInput`."""
    for name, value in given.items():
        if name not in allowed and value not in ("", None):
            raise InvalidInput(f"'{name[:60]}' is not supported here.", field=name[:60])


def selector_of(given: Mapping[str, Any]) -> AccountSelector:
    """The account that a query or a body selects; raises `InvalidInput` for what is no text."""
    identifier = text_of(given, "identifier")
    return AccountSelector(
        connection_name=text_of(given, "connector"),
        identifier=None if identifier is None else check_identifier(identifier),
        account_id=text_of(given, "connected_account_id") or text_of(given, "id"),
        organization_id=text_of(given, "organization_id"),
        user_id=text_of(given, "user_id"),
    )


def text_of(given: Mapping[str, Any], name: str, maximum: int = 400) -> str | None:
    """A text, or None where it is absent or empty; raises `InvalidInput` for what is no text or too long."""
    value = given.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > maximum:
        raise InvalidInput(f"{name} must be text of at most {maximum} characters.", field=name)
    return value


def identifier_of(given: Mapping[str, Any]) -> str:
    """The member `identifier`, checked; raises `InvalidInput`."""
    return check_identifier(required(given, "identifier"))


def required(given: Mapping[str, Any], name: str, maximum: int = 400) -> str:
    """As `text_of`; raises `InvalidInput` where it is absent."""
    value = text_of(given, name, maximum)
    if value is None:
        raise InvalidInput(f"{name} is required.", field=name)
    return value
