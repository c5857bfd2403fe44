"""What can be wrong with an answer that a remote host gets: each with a name of `MISTAKES`. Pure functions."""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass
from typing import Any, cast

import httpx2 as httpx

_BEHIND_A_PROXY = frozenset({502, 503, 504, *range(520, 528)})
"""What proxies answer when they do not reach the server; those from 520 on are Cloudflare's."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a document: a name of `MISTAKES`, a sentence, and the value that was found."""

    mistake: str
    message: str
    evidence: str = ""


def transport_fault(what: str, host: str, error: httpx.HTTPError) -> Fault:
    """Why no answer came: a certificate, or the way there."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            reason = cause.verify_message or "it cannot be verified"
            return Fault(
                "certificate_refused", f"The certificate of {host} is not accepted: {reason}.", cause.reason or ""
            )
        cause = cause.__cause__ or cause.__context__
    return Fault("public_unreachable", f"{what} does not get an answer.", type(error).__name__)


def answer_fault(what: str, answer: httpx.Response, *, missing: bool) -> Fault | None:
    """What came instead of an answer of the server: a redirect, a page, a proxy's own error."""
    status = answer.status_code
    if answer.is_redirect:
        to = answer.headers.get("location", "").partition("?")[0][:200]
        return Fault("redirected", f"{what} sends on to {to}: hosts do not go there.", f"HTTP {status}")
    if status == 404:
        return None if missing else Fault("not_found", f"{what} answers 404: hosts find nothing there.", "HTTP 404")
    challenge = answer.headers.get("cf-mitigated")
    if status in _BEHIND_A_PROXY and challenge is None:
        message = f"{what} answers {status}: what stands in front does not reach the server."
        return Fault("public_unreachable", message, f"HTTP {status}")
    page = answer.headers.get("content-type", "").startswith("text/html")
    if (page and "www-authenticate" not in answer.headers) or challenge is not None or status == 429:
        message = f"{what} answers {status} with {'a web page' if page else 'a limit'} instead of what machines read."
        return Fault("web_page_instead", message, f"cf-mitigated: {challenge}" if challenge else f"HTTP {status}")
    return None


def address_faults(message: str, found: object, wanted: str) -> list[Fault]:
    """What is wrong with an address that hosts compare character by character; nothing where it is `wanted`."""
    if found == wanted:
        return []
    shown = str(found)
    if wanted.startswith("https://") and shown == "http://" + wanted.removeprefix("https://"):
        return [Fault("plain_http", f"{message}: it says {shown[:200]}.", "http")]
    return [Fault("wrong_issuer", f"{message}: it says {shown[:200]}, not {wanted}.", shown[:80])]


def listed(value: object) -> list[str]:
    """The texts of a list; none for what is no list."""
    return [str(item) for item in cast("list[object]", value)] if isinstance(value, list) else []


def json_object(answer: httpx.Response) -> dict[str, Any] | None:
    """The body, if it is a JSON object."""
    try:
        document: object = json.loads(answer.content)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", document) if isinstance(document, dict) else None
