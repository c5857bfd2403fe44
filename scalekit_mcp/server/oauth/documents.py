"""Client ID Metadata Documents: a client whose id is the address of a document about it.

Source: draft-ietf-oauth-client-id-metadata-document. Whoever opens `/authorize` names the address, so it is fetched
with suspicion: one lookup of the name, no address that is not public, a connection to the very address that was
looked at, no redirect, no proxy, little time, few bytes. What was resolved is neither shown nor logged: this is no port
scanner for others.
"""

from __future__ import annotations

import json
import logging
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, TypeVar, cast
from urllib.parse import unquote, urlsplit

import anyio
import anyio.to_thread
import httpx2 as httpx

from scalekit_mcp.accounts import ClientKind
from scalekit_mcp.clock import Clock
from scalekit_mcp.concurrency import KeyedLimiter, LimitReachedError, SingleFlight
from scalekit_mcp.network import is_public
from scalekit_mcp.server.oauth import redirects
from scalekit_mcp.server.oauth.clients import NONE, OAuthClient, shown_name
from scalekit_mcp.telemetry import Metrics
from scalekit_mcp.upstream import AnswerTooLargeError, UpstreamClient

MOST_URL_CHARACTERS = 512
MOST_BYTES = 5 * 1024
CONNECT_SECONDS = 3.0
FETCH_SECONDS = 5.0
FETCHES_AT_ONCE = 8
FETCHES_PER_HOST = 2
"""So that one slow host leaves places for others."""
MOST_ADDRESSES = 3
MOST_CACHED = 256
LEAST_FRESH, USUALLY_FRESH, MOST_FRESH = timedelta(minutes=5), timedelta(hours=1), timedelta(hours=24)
FAILURE_FRESH = timedelta(seconds=30)
MOST_STALE = timedelta(hours=24)

_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?:\.(?!-)[A-Za-z0-9_-]{1,63})*")
_NUMBER = re.compile(r"\d+|0[xX][0-9a-fA-F]*")
_MAX_AGE = re.compile(r"(?:^|,)\s*max-age\s*=\s*\"?(\d{1,9})\"?\s*(?:,|$)", re.IGNORECASE)
_NOT_KEPT = re.compile(r"(?:^|,)\s*(?:no-store|no-cache)\b", re.IGNORECASE)
_JSON = re.compile(r"application/(?:[A-Za-z0-9.!#$&^_+-]+\+)?json", re.IGNORECASE)
_FLEETING = (408, 425, 429, 500, 502, 503, 504)

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a name, as texts; raises `OSError`."""

T = TypeVar("T")

logger = logging.getLogger(__name__)


class DocumentError(Exception):
    """A client's document is of no use. The message is one sentence for the person about the rule it broke."""

    def __init__(self, rule: str, *, fleeting: bool = False) -> None:
        super().__init__(rule)
        self.rule = rule
        self.fleeting = fleeting
        """Whether its host could not be reached or asked for patience: an older copy may serve."""


@dataclass(frozen=True, slots=True)
class _Cached:
    """The client of an address: asked for again after `fresh_until`, of use until `stale_until` if that fails."""

    client: OAuthClient
    fresh_until: datetime
    stale_until: datetime


@dataclass(frozen=True, slots=True)
class _Address:
    """The parts of a document's address that a request needs; `authority` is host and port as written."""

    host: str
    port: int
    authority: str
    target: str


class Documents:
    """Fetches clients' documents, and remembers them for a while.

    `own_hosts` are never fetched from. `allowed_hosts` (`name` or `name:port`) may have addresses that are not public.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        tls: ssl.SSLContext,
        own_hosts: Collection[str],
        allowed_hosts: Collection[str] = (),
        metrics: Metrics | None = None,
        resolve: Resolve | None = None,
    ) -> None:
        self._clock = clock
        self._tls = tls
        self._own_hosts = {_bare(host) for host in own_hosts}
        self._allowed_hosts = {host.strip().casefold() for host in allowed_hosts}
        self._metrics = metrics or Metrics()
        self._resolve = resolve or resolved
        self._flights: SingleFlight[str, OAuthClient] = SingleFlight()
        self._places: KeyedLimiter[str] = KeyedLimiter(FETCHES_AT_ONCE)
        self._host_places: KeyedLimiter[str] = KeyedLimiter(FETCHES_PER_HOST)
        self._cache: dict[str, _Cached] = {}
        self._refusals: dict[str, tuple[DocumentError, datetime]] = {}

    async def aclose(self) -> None:
        """Let the fetches that are under way end; bounded."""
        await self._flights.aclose(FETCH_SECONDS)

    async def find(self, client_id: str) -> OAuthClient:
        """The client whose document stands at `client_id`; raises `DocumentError`."""
        address = self._checked(client_id)
        now = self._clock.now()
        known, (refusal, refused_until) = self._cache.get(client_id), self._refusals.get(client_id, (None, now))
        if known is not None and now < known.fresh_until:
            self._metrics.count("client_documents_total", outcome="cached")
            return known.client
        if refusal is not None and now < refused_until:
            self._metrics.count("client_documents_total", outcome="cached")
            raise DocumentError(refusal.rule, fleeting=refusal.fleeting)
        return await self._flights.run(client_id, lambda: self._fetched(client_id, address))

    async def _fetched(self, client_id: str, address: _Address) -> OAuthClient:
        now = self._clock.now()
        try:
            client, fresh = await self._fetch(client_id, address)
        except DocumentError as refused:
            known = self._cache.pop(client_id, None)
            if refused.fleeting and known is not None and now < known.stale_until:
                self._metrics.count("client_documents_total", outcome="stale")
                _keep(self._cache, client_id, replace(known, fresh_until=now + FAILURE_FRESH))
                return known.client
            self._metrics.count("client_documents_total", outcome="refused")
            logger.info("The document of the client at %s was refused: %s", address.host, refused.rule)
            _keep(self._refusals, client_id, (refused, now + FAILURE_FRESH))
            raise
        self._metrics.count("client_documents_total", outcome="fetched")
        _keep(self._cache, client_id, _Cached(client, now + fresh, now + fresh + MOST_STALE))
        return client

    async def _fetch(self, client_id: str, address: _Address) -> tuple[OAuthClient, timedelta]:
        try:
            async with (
                self._host_places.place(address.authority, wait_seconds=FETCH_SECONDS),
                self._places.place("", wait_seconds=FETCH_SECONDS),
            ):
                with anyio.fail_after(FETCH_SECONDS):
                    response = await self._answer(address)
        except (LimitReachedError, TimeoutError):
            raise DocumentError("Its document did not come in time.", fleeting=True) from None
        if response.status_code != 200:
            fleeting = response.status_code in _FLEETING
            raise DocumentError("The address of its document does not answer with the document.", fleeting=fleeting)
        if not _JSON.fullmatch(response.headers.get("content-type", "").partition(";")[0].strip()):
            raise DocumentError("Its document is not sent as JSON.")
        return client_of(client_id, address.host, response.content), _fresh(response.headers.get("cache-control", ""))

    async def _answer(self, address: _Address) -> httpx.Response:
        try:
            found = list(dict.fromkeys(await self._resolve(address.host, address.port)))
        except (OSError, UnicodeError):
            raise DocumentError("The host of its document has no address.", fleeting=True) from None
        allowed = {address.host.casefold(), f"{address.host.casefold()}:{address.port}"} & self._allowed_hosts
        if not found or not (allowed or all(is_public(each) for each in found)):
            raise DocumentError("The host of its document is not on the public internet.")
        for ip in found[:MOST_ADDRESSES]:
            try:
                return await self._answer_from(ip, address)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
            except AnswerTooLargeError:
                raise DocumentError(f"Its document is longer than {MOST_BYTES} bytes.") from None
            except (httpx.HTTPError, httpx.InvalidURL, ValueError):
                break
        raise DocumentError("The host of its document cannot be reached.", fleeting=True)

    async def _answer_from(self, ip: str, address: _Address) -> httpx.Response:
        """The answer of one address that was checked.

        A client of its own for each fetch: a pool knows connections by their address, so that a second name on the same
        one would be served over a connection whose certificate was checked for the first.
        """
        url = httpx.URL(scheme="https", host=ip, port=address.port, raw_path=address.target.encode())
        async with UpstreamClient(
            max_answer_bytes=MOST_BYTES,
            max_exchange_seconds=FETCH_SECONDS,
            verify=self._tls,
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(FETCH_SECONDS, connect=CONNECT_SECONDS),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        ) as http:
            return await http.get(
                url,
                headers={"host": address.authority, "accept": "application/json"},
                extensions={"sni_hostname": address.host},
            )

    def _checked(self, client_id: str) -> _Address:
        address = _address_of(client_id)
        if _bare(address.host) in self._own_hosts:
            raise DocumentError("Its document must not be on this server.")
        return address


async def resolved(host: str, port: int) -> Sequence[str]:
    """The addresses of a name, as this machine resolves it; raises `OSError`."""
    found = await anyio.to_thread.run_sync(
        lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM), abandon_on_cancel=True
    )
    return [str(each[4][0]) for each in found]


def client_of(client_id: str, host: str, content: bytes) -> OAuthClient:
    """The client that a document describes; raises `DocumentError`."""
    try:
        document = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError):
        raise DocumentError("Its document is not JSON.") from None
    if not isinstance(document, dict):
        raise DocumentError("Its document is not a JSON object.")
    members = cast("dict[str, Any]", document)
    if members.get("client_id") != client_id:
        raise DocumentError("Its document is about another client_id.")
    name = shown_name(members.get("client_name"))
    if not name:
        raise DocumentError("Its document has no client_name.")
    _check_authentication(members)
    named = members.get("redirect_uris")
    uris = redirects.acceptable_ones(cast("list[object]", named)) if isinstance(named, list) else ()
    if not uris:
        raise DocumentError("Its document has no redirect URI that this server takes.")
    grant_types = members.get("grant_types")
    return OAuthClient(
        client_id=client_id,
        kind=ClientKind.DOCUMENT,
        name=name,
        redirect_uris=uris,
        document_host=host,
        refreshes=not isinstance(grant_types, list) or "refresh_token" in grant_types,
    )


def _check_authentication(members: Mapping[str, Any]) -> None:
    """A document is public, so it has no secret; a client that can also go without proof is taken without."""
    method = members.get("token_endpoint_auth_method", NONE)
    if "client_secret" in members or (isinstance(method, str) and method.startswith("client_secret")):
        raise DocumentError("Its document speaks of a secret, which a public document cannot have.")
    supported = members.get("token_endpoint_auth_methods_supported")
    if method != NONE and not (isinstance(supported, list) and NONE in supported):
        raise DocumentError("It wants to prove itself by private_key_jwt alone, which this server does not take.")


def _address_of(client_id: str) -> _Address:
    """The parts of a document's address, by the rules for a client identifier; nothing is normalised."""
    if len(client_id) > MOST_URL_CHARACTERS:
        raise DocumentError(f"Its address is longer than {MOST_URL_CHARACTERS} characters.")
    if not client_id.isascii() or not client_id.isprintable() or " " in client_id or "\\" in client_id:
        raise DocumentError("Its address holds a character that an address cannot have.")
    try:
        parts = urlsplit(client_id)
        port = parts.port
    except ValueError:
        raise DocumentError("Its address cannot be read.") from None
    if not client_id.startswith("https://"):
        raise DocumentError("Its address does not begin with https://.")
    if "#" in client_id or "@" in parts.netloc:
        raise DocumentError("Its address has a fragment or a user name.")
    host, colon, _ = parts.netloc.partition(":")
    if not _NAME.fullmatch(host) or _NUMBER.fullmatch(host.rpartition(".")[2]):
        raise DocumentError("Its address names no host by its name.")
    if (colon and port is None) or port in (0, 443):
        raise DocumentError("Its address has a port that may not be written.")
    segments = [unquote(segment) for segment in parts.path.split("/")]
    if parts.path in ("", "/") or "." in segments or ".." in segments:
        raise DocumentError("Its address has no path, or one with dots in it.")
    target = parts.path + (f"?{parts.query}" if "?" in client_id else "")
    return _Address(host, port or 443, parts.netloc, target)


def _keep(cache: dict[str, T], key: str, value: T) -> None:
    cache.pop(key, None)
    if len(cache) >= MOST_CACHED:
        del cache[next(iter(cache))]
    cache[key] = value


def _fresh(cache_control: str) -> timedelta:
    if _NOT_KEPT.search(cache_control):
        return LEAST_FRESH
    age = _MAX_AGE.search(cache_control)
    if age is None:
        return USUALLY_FRESH
    return min(max(timedelta(seconds=int(age[1])), LEAST_FRESH), MOST_FRESH)


def _bare(host: str) -> str:
    return host.partition(":")[0].casefold().rstrip(".")
