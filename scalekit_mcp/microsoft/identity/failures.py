"""Turns errors of the identity platform into `GrantError`, without any text from Microsoft or a browser."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

from scalekit_mcp.accounts import GrantError, GrantFault
from scalekit_mcp.languages import Sentence
from scalekit_mcp.microsoft.identity import aadsts_table, verdicts
from scalekit_mcp.microsoft.identity.aadsts_rules import Phase, Ruling, rule
from scalekit_mcp.microsoft.identity.challenge import json_object_text
from scalekit_mcp.microsoft.identity.id_token import IdTokenError, is_guid
from scalekit_mcp.microsoft.identity.verdicts import sentence

_AADSTS_NUMBER = re.compile(r"AADSTS(\d{4,8})")
_CORRELATION_ID = re.compile(r"Correlation ID: ([0-9a-fA-F-]{36})")
_MOST_TEXT = 4096


def redirect_failure(query: Mapping[str, str]) -> GrantError:
    """The failure on a redirect that carries `error` (RFC 6749 section 4.1.2.1).

    A redirect has no `error_codes`: the number stands in the description and in the query of `error_uri`.
    """
    error, description = query.get("error", ""), query.get("error_description", "")[:_MOST_TEXT]
    numbers = [*_numbers_in(description), *_numbers_in_uri(query.get("error_uri", ""))]
    if error == "access_denied" and query.get("error_subcode") == "cancel":
        # Somebody pressed Cancel; only an administrator's missing approval says more than that.
        numbers = [number for number in numbers if _is_admin_approval(number)]
    correlation = _CORRELATION_ID.search(description)
    return ruled_failure(
        rule(error, None, tuple(dict.fromkeys(numbers)), phase=Phase.AUTHORIZATION),
        correlation_id=correlation.group(1) if correlation else None,
    )


def token_failure(
    status: int,
    body: Mapping[str, Any] | None,
    *,
    phase: Phase,
    personal: bool | None,
    retry_after_seconds: float | None,
) -> GrantError:
    """The failure in an answer of the token endpoint (RFC 6749 section 5.2).

    Trouble of the service, and whatever is not the protocol (HTML, text), says nothing about a grant.
    """
    error = body.get("error") if body is not None else None
    if status in {408, 429} or status >= 500 or not isinstance(error, str) or body is None:
        message = sentence("asks_for_pause" if status == 429 else "not_working")
        # A number that would end a grant is not believed from a service in trouble.
        known = [number for number in _numbers_of_body(body or {}) if _is_passing(number)]
        code = f"AADSTS{known[0]}" if known else f"http_{status}"
        return transient_failure(message, code=code, retry_after_seconds=retry_after_seconds)
    suberror, claims, correlation = body.get("suberror"), body.get("claims"), body.get("correlation_id")
    return ruled_failure(
        rule(
            error,
            suberror if isinstance(suberror, str) else None,
            _numbers_of_body(body),
            phase=phase,
            personal=personal,
        ),
        retry_after_seconds=retry_after_seconds,
        claims=json_object_text(claims) if isinstance(claims, str) else None,
        correlation_id=correlation if isinstance(correlation, str) and is_guid(correlation) else None,
    )


def ruled_failure(
    ruling: Ruling,
    *,
    retry_after_seconds: float | None = None,
    claims: str | None = None,
    correlation_id: str | None = None,
) -> GrantError:
    """The `GrantError` for a ruling."""
    verdict = ruling.verdict
    return GrantError(
        verdict.fault,
        ruling.message,
        code=ruling.code,
        who_acts=verdict.who_acts,
        next_step=verdict.next_step,
        status=verdict.status,
        reason=verdict.reason,
        retry_after_seconds=retry_after_seconds if retry_after_seconds is not None else verdict.pause_seconds,
        claims=claims,
        correlation_id=correlation_id,
        whole_connection=verdict in (verdicts.SECRET, verdicts.CERTIFICATE),
    )


def transient_failure(message: Sentence, *, code: str, retry_after_seconds: float | None = None) -> GrantError:
    """The `GrantError` for a temporary failure, which says nothing about the grant."""
    return GrantError(
        GrantFault.TRANSIENT,
        message,
        code=code,
        who_acts=verdicts.WAIT.who_acts,
        next_step=verdicts.WAIT.next_step,
        retry_after_seconds=retry_after_seconds,
    )


def id_token_failure(refused: IdTokenError) -> GrantError:
    """The `GrantError` for an invalid id_token: a wrong nonce ends the attempt, all else is a misconfiguration."""
    verdict = verdicts.START_AGAIN if refused.claim == "nonce" else verdicts.MISCONFIGURED
    return GrantError(
        verdict.fault,
        refused.message,
        code=f"id_token_{refused.claim}" if refused.claim != "id_token" else "id_token",
        who_acts=verdict.who_acts,
        next_step=verdict.next_step,
    )


def number_of(value: object) -> int | None:
    """A whole number that is not negative, given as a number or as digits."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if 0 <= value < 1_000_000_000 else None
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 9 else None


def _numbers_of_body(body: Mapping[str, Any]) -> tuple[int, ...]:
    codes = body.get("error_codes")
    if isinstance(codes, list):
        numbers = [number_of(code) for code in cast("list[object]", codes)[:16]]
        known = tuple(number for number in numbers if number is not None)
        if known:
            return known
    description = body.get("error_description")
    return tuple(_numbers_in(description)) if isinstance(description, str) else ()


def _numbers_in(text: str) -> list[int]:
    return [int(number) for number in _AADSTS_NUMBER.findall(text[:_MOST_TEXT])]


def _numbers_in_uri(uri: str) -> list[int]:
    try:
        codes = parse_qs(urlsplit(uri).query).get("code", [])
    except ValueError:
        return []
    return [number for code in codes if (number := number_of(code)) is not None]


def _is_passing(number: int) -> bool:
    row = aadsts_table.AADSTS_TABLE.get(number)
    return row is not None and row.verdict.fault is GrantFault.TRANSIENT


def _is_admin_approval(number: int) -> bool:
    row = aadsts_table.AADSTS_TABLE.get(number)
    return row is not None and row.verdict is verdicts.ADMIN_APPROVAL
