"""Scalekit's proxy: a provider's own API, called with a connected account's token, which stays at Scalekit.

Source: `actions.request` of Scalekit's Python SDK (2.21.0). The answer is the provider's, unless Scalekit itself
refuses: who it was is read from the body (`refused_by`).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from urllib.parse import unquote

import anyio
import httpx2 as httpx

from scalekit_mcp.accounts import AccountKey
from scalekit_mcp.call_deadline import call_deadline
from scalekit_mcp.clock import Clock
from scalekit_mcp.errors import ConnectionMisconfigured, InvalidInput, ProviderUnavailable
from scalekit_mcp.scalekit.machine_tokens import MachineTokens
from scalekit_mcp.scalekit.rest import AnswerLostError, RefusedBy, refused_by
from scalekit_mcp.upstream import AnswerTooLargeError

logger = logging.getLogger(__name__)

QueryPairs = Mapping[str, str] | Sequence[tuple[str, str]]

PREFIX = "/proxy"
PROXY_SECONDS = 30.0
"""Bound on one call, as in Scalekit's SDK."""

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_OURS = frozenset({"authorization", "connection_name", "identifier"})
_OFF = re.compile(rb"proxy[^\n]{0,40}\bnot enabled\b", re.IGNORECASE)
_MOST_LOOKED_AT = 4000


class ProxyNotEnabled(ConnectionMisconfigured):
    """Scalekit does not offer its proxy for this provider in this environment; nothing was carried out."""

    def __init__(self) -> None:
        super().__init__(
            "Scalekit's proxy is not enabled for this provider, so that calls cannot be made through it.",
            next_step="The operator asks Scalekit's support to enable the proxy for the connection's provider, or sets "
            "SCALEKIT_MCP_HOSTED_CALLS=auto or tools to use Scalekit's tools instead.",
        )


def fits_headers(key: AccountKey) -> bool:
    """Whether the names of an account arrive as they are: HTTP takes the white space around a value away."""
    return all(name == name.strip() for name in (key.connection_name, key.identifier))


def account_headers(connection_name: str, identifier: str) -> dict[str, str]:
    """The headers that name a connected account to the proxy.

    Raises `InvalidInput` for a name that would arrive as another one (RFC 9110 section 5.5).
    """
    for field, value in (("connection_name", connection_name), ("identifier", identifier)):
        if value != value.strip():
            raise InvalidInput(
                f"The {field} begins or ends with white space, which no call through Scalekit's proxy can carry.",
                field=field,
                next_step="The operator gives the account another name, or sets SCALEKIT_MCP_HOSTED_CALLS=tools.",
            )
    return {"connection_name": connection_name, "identifier": identifier}


def is_switched_off(content: bytes) -> bool:
    """Whether a refusal says that the proxy is not enabled for the provider, in whatever shape it says so."""
    return refused_by(content) is not RefusedBy.PROVIDER and _OFF.search(content[:_MOST_LOOKED_AT]) is not None


class ScalekitProxy:
    """Raw calls to the provider's API for the accounts of one environment.

    Takes an HTTP client that its owner closes. Whoever needs Graph's retries and errors uses a `GraphClient` with a
    `ProxiedGraph` instead.
    """

    def __init__(self, http: httpx.AsyncClient, tokens: MachineTokens, *, env_url: str, clock: Clock) -> None:
        self._http = http
        self._tokens = tokens
        self._base_url = env_url.rstrip("/") + PREFIX
        self._clock = clock

    async def send(
        self,
        method: str,
        path: str,
        *,
        connection_name: str,
        identifier: str,
        params: QueryPairs | None = None,
        headers: Mapping[str, str] | None = None,
        content: bytes | str | None = None,
    ) -> httpx.Response:
        """One call, and its answer as it came, whatever its status; `path` begins with `/` (`/v1.0/me/events`).

        `params` and `headers` are added to the call; those that name the account and this API client are always ours.
        Only a refusal of the machine's own token is answered here: it is renewed once, and the call sent once more.

        Raises `InvalidInput` for a path or name that cannot be sent, `ConnectionMisconfigured` and
        `ProviderUnavailable` where nothing was carried out, `AnswerLostError` where the answer of a call that may
        change something was lost.
        """
        url = self._base_url + _checked(path)
        own = {name: value for name, value in (headers or {}).items() if name.lower() not in _OURS}
        named = own | account_headers(connection_name, identifier)
        token = await self._tokens.access_token()
        response = await self._exchange(method.upper(), url, token, params, named, content)
        if response.status_code == 401 and refused_by(response.content) is not RefusedBy.PROVIDER:
            logger.info("Scalekit's proxy refuses the machine token; it is renewed once")
            token = await self._tokens.access_token(rejected=token)
            response = await self._exchange(method.upper(), url, token, params, named, content)
        return response

    async def _exchange(
        self,
        method: str,
        url: str,
        token: str,
        params: QueryPairs | None,
        headers: Mapping[str, str],
        content: bytes | str | None,
    ) -> httpx.Response:
        seconds = min(PROXY_SECONDS, call_deadline(self._clock).remaining())
        sent = httpx.Headers({**headers, "Authorization": f"Bearer {token}"}, encoding="utf-8")
        try:
            with anyio.fail_after(seconds):
                return await self._http.request(
                    method,
                    url,
                    params=params if params is None or isinstance(params, Mapping) else list(params),
                    headers=sent,
                    content=content,
                    timeout=PROXY_SECONDS,
                    follow_redirects=False,
                )
        except _NOT_SENT as exc:
            raise ProviderUnavailable("Scalekit's proxy cannot be reached; nothing was sent.") from exc
        except (httpx.RequestError, TimeoutError) as exc:
            if method not in _READING:
                raise AnswerLostError(exc.status_code if isinstance(exc, AnswerTooLargeError) else None) from exc
            if isinstance(exc, AnswerTooLargeError):
                raise ProviderUnavailable("The answer through Scalekit's proxy is too large.", retryable=False) from exc
            raise ProviderUnavailable("Scalekit's proxy gives no answer that can be read.") from exc


def _checked(path: str) -> str:
    """The path, if it stays below the proxy: what leaves it would be a call to Scalekit's own API."""
    segments = unquote(path.partition("?")[0]).replace("\\", "/").split("/")
    if not path.startswith("/") or "#" in path or not path.isprintable() or {".", ".."} & set(segments):
        raise InvalidInput(
            "The path of a call through Scalekit's proxy begins with / and has no . or .. in it.", field="path"
        )
    return path
