"""The signing keys of an authorization server: found by discovery, cached, and fetched again in the background.

The metadata document is looked for where OpenID Connect Discovery puts it, then where RFC 8414 does. A key that is
known serves at once, however slow the authorization server is. Only a token with an unknown key waits, and not for
long. There is one fetch at a time; after a failure the next one waits longer.

Source: OpenID Connect Discovery 1.0 section 4, RFC 8414 section 3, RFC 7517, OpenID Connect Core 1.0 section 10.1.1
(rotation).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from typing import Any, cast
from urllib.parse import urlsplit

import httpx2 as httpx

from scalekit_mcp.clock import Clock
from scalekit_mcp.concurrency import SingleFlight
from scalekit_mcp.network import trusted_address
from scalekit_mcp.server.callers.authentication import AuthenticationError

logger = logging.getLogger(__name__)

FRESH_SECONDS = 3600.0
"""After this age keys are fetched again in the background; the old ones are used until then."""

KEPT_SECONDS = 24 * 3600.0
"""After this age keys are not used any more, so that a withdrawn key stops working."""

LOOK_SECONDS = 30.0
"""The shortest time between two fetches that unknown keys cause."""

WAIT_SECONDS = 5.0
FETCH_SECONDS = 15.0
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
MAX_DOCUMENT_BYTES = 1_000_000

_UNREADABLE = (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError, KeyError, TypeError, RecursionError)


def metadata_addresses(issuer: str) -> tuple[str, str]:
    """Where the metadata of an issuer may stand, in the order in which it is looked for.

    OpenID Connect Discovery appends its path to the issuer (section 4); RFC 8414 inserts its own between the host and
    the path of the issuer (section 3.1). A slash at the end of the issuer is removed for both.
    """
    base = issuer.rstrip("/")
    parts = urlsplit(base)
    return (
        f"{base}/.well-known/openid-configuration",
        f"{parts.scheme}://{parts.netloc}/.well-known/oauth-authorization-server{parts.path}",
    )


class IssuerKeys:
    """The keys of one issuer. `wait_seconds` is how long a token with an unknown key waits for a fetch."""

    def __init__(
        self, issuer: str, *, http: httpx.AsyncClient, clock: Clock, wait_seconds: float = WAIT_SECONDS
    ) -> None:
        self._issuer = issuer
        self._http = http
        self._clock = clock
        self._wait_seconds = wait_seconds
        self._keys: dict[str | None, Any] = {}
        self._fetched_at: float | None = None
        self._fetching: SingleFlight[None, None] = SingleFlight()
        self._failures = 0
        self._not_before = 0.0

    async def aclose(self) -> None:
        """Cancel a running fetch."""
        await self._fetching.aclose(0)

    async def key(self, key_id: object) -> Any:
        """The key with this id; without an id the only key of the issuer.

        Raises `AuthenticationError`: 401 for a key that the issuer does not have, 503 where that cannot be found out
        now.
        """
        name = key_id if isinstance(key_id, str) else None
        age = self._age()
        if (found := self._known(name)) is not None:
            if age >= FRESH_SECONDS:
                self._fetch()
            return found
        if age >= LOOK_SECONDS and (task := self._fetch()) is not None:
            await asyncio.wait({task}, timeout=self._wait_seconds)
        if (found := self._known(name)) is not None:
            return found
        if self._age() < LOOK_SECONDS:
            raise AuthenticationError(401, "invalid_token", "The token was signed with an unknown key.")
        raise AuthenticationError(503, "temporarily_unavailable", "The authorization server's keys are out of reach.")

    def _age(self) -> float:
        """How old the keys are, in seconds; infinite where there are none."""
        return float("inf") if self._fetched_at is None else self._clock.now().timestamp() - self._fetched_at

    def _known(self, name: str | None) -> Any:
        if self._age() >= KEPT_SECONDS:
            return None
        if name is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(name)

    def _fetch(self) -> asyncio.Task[None] | None:
        """The fetch that runs, or a new one; None while the pause after a failure lasts."""
        if None not in self._fetching and self._clock.now().timestamp() < self._not_before:
            return None
        return self._fetching.start(None, self._fetch_keys)

    async def _fetch_keys(self) -> None:
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                keys = await self._published_keys()
        except _UNREADABLE as exc:
            pause = min(FIRST_PAUSE_SECONDS * 2**self._failures, LONGEST_PAUSE_SECONDS)
            self._failures = min(self._failures + 1, 16)
            self._not_before = self._clock.now().timestamp() + pause
            logger.warning(
                "The keys of the authorization server cannot be fetched: %s; the next try is in %d seconds or later.",
                type(exc).__name__,
                pause,
            )
            return
        self._keys, self._fetched_at, self._failures = keys, self._clock.now().timestamp(), 0

    async def _published_keys(self) -> dict[str | None, Any]:
        import jwt

        address = await self._keys_address()
        listed: object = (await self._document(address))["keys"]
        if not isinstance(listed, list):
            raise TypeError("the keys are no list")
        keys: dict[str | None, Any] = {}
        for entry in cast("list[Any]", listed):
            # a key that is not ours to understand does not spoil the others (RFC 7517 section 5)
            with contextlib.suppress(jwt.PyJWTError, ValueError, TypeError, AttributeError, KeyError):
                if entry.get("use", "sig") == "sig" and entry.get("kty") in ("RSA", "EC", "OKP"):
                    keys[entry.get("kid")] = jwt.PyJWK(entry)
        if not keys:
            raise ValueError("there is no key among the keys")
        return keys

    async def _keys_address(self) -> str:
        """The `jwks_uri` of the first usable metadata document.

        An authorization server that is down or asks for patience is not asked for the other document too.
        """
        unusable: Exception = ValueError("there is no metadata")
        for address in metadata_addresses(self._issuer):
            try:
                return self._keys_address_in(await self._document(address))
            except httpx.HTTPStatusError as exc:
                if exc.response.status_code >= 500 or exc.response.status_code == 429:
                    raise
                unusable = exc
            except (ValueError, KeyError, TypeError, RecursionError) as exc:
                unusable = exc
        raise unusable

    def _keys_address_in(self, metadata: dict[str, Any]) -> str:
        """The `jwks_uri` of this issuer's own metadata; raises ValueError or KeyError."""
        if metadata.get("issuer") != self._issuer:  # RFC 8414 section 3.3: identical, not only alike
            raise ValueError("the metadata names another issuer")
        address = trusted_address(str(metadata["jwks_uri"]))
        if self._issuer.startswith("https://") and not address.startswith("https://"):
            raise ValueError("the keys of an https issuer stand at an address without TLS")
        return address

    async def _document(self, url: str) -> dict[str, Any]:
        answer = await self._http.get(url, timeout=FETCH_SECONDS, follow_redirects=False)
        answer.raise_for_status()
        if len(answer.content) > MAX_DOCUMENT_BYTES:
            raise ValueError("the document is too large")
        document: object = json.loads(answer.content)
        if not isinstance(document, dict):
            raise TypeError("the document is no object")
        return cast("dict[str, Any]", document)
