"""Who a host says it is: dynamic registration (RFC 7591) without a table, and the client that both ways lead to.

The `client_id` of a registration *is* the registration, sealed: flooding `/register` costs nothing, every replica knows
every client, and nothing has to be cleaned up, though hosts register anew for every connection and keep their ids for
ever. The secret of a confidential client is computed from its id.
"""

from __future__ import annotations

import hmac
import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from scalekit_mcp.accounts import BrokenSealError, ClientKind, KeyRing
from scalekit_mcp.clock import Clock
from scalekit_mcp.server.oauth import redirects
from scalekit_mcp.server.oauth.answers import OAuthError, bounded_body, json_answer, open_to_all
from scalekit_mcp.tools import without_hidden

REGISTER = "/register"
PREFIX = "dcr."
MOST_BODY_BYTES = 16 * 1024
MOST_NAME_CHARACTERS = 100
MOST_ID_CHARACTERS = 16_000
NONE, POST, BASIC = "none", "client_secret_post", "client_secret_basic"
AUTH_METHODS = (NONE, POST, BASIC)
_KIND = "client registration"
_ECHOED = ("application_type", "client_uri", "software_id", "software_version")
_MOST_ECHOED = 200
_NOT_SHOWN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Control characters, bidirectional and other formatting ones, halves, private and unassigned ones, line ends."""

_QUOTES = str.maketrans(dict.fromkeys('"\u00ab\u00bb\u201c\u201d\u201e\u201f\u2e42\u301d\u301e\u301f\uff02', "'"))


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """A client as an authorization request finds it.

    `name` is its own claim. `document_host` is the host that published its document, which was verified; None for a
    registration. `secret` is what it must prove itself with, None for a public client.
    """

    client_id: str = field(repr=False)
    kind: ClientKind
    name: str
    redirect_uris: tuple[str, ...]
    document_host: str | None = None
    refreshes: bool = True
    secret: str | None = field(default=None, repr=False)


class Registrations:
    """Registers clients and reads their ids. `ring` holds keys derived for this purpose, the same on all replicas."""

    def __init__(self, ring: KeyRing, clock: Clock) -> None:
        self._ring = ring
        self._clock = clock

    def register(self, body: bytes) -> dict[str, Any]:
        """The answer to a registration request; raises `OAuthError`.

        Redirect URIs that are not acceptable are left out, and the answer says which ones were kept. A client that
        names no way of authenticating is a public one and gets no secret. No member of the answer is null.
        """
        asked = _metadata(body)
        uris = _redirect_uris(asked)
        types = asked.get("response_types")
        if types is not None and not (isinstance(types, list) and "code" in types):
            raise _invalid("The only response type of this server is code.")
        grant_types = asked.get("grant_types")
        if grant_types is not None and not isinstance(grant_types, list):
            raise _invalid("grant_types must be a list.")
        refreshes = grant_types is None or "refresh_token" in cast("list[object]", grant_types)
        method = asked.get("token_endpoint_auth_method")
        method = method if method in (POST, BASIC) else NONE
        name = shown_name(asked.get("client_name"))
        issued_at = int(self._clock.now().timestamp())
        sealed = {"n": name, "u": list(uris), "r": refreshes, "t": issued_at}
        if method != NONE:
            sealed["s"] = self._ring.sealing_key_id
        client_id = PREFIX + self._ring.seal_token(_KIND, "", sealed)
        answer: dict[str, Any] = {
            "client_id": client_id,
            "client_id_issued_at": issued_at,
            "redirect_uris": list(uris),
            "token_endpoint_auth_method": method,
            "grant_types": ["authorization_code", "refresh_token"] if refreshes else ["authorization_code"],
            "response_types": ["code"],
        }
        if name:
            answer["client_name"] = name
        for member in _ECHOED:
            value = asked.get(member)
            if isinstance(value, str) and 0 < len(value) <= _MOST_ECHOED:
                answer[member] = value
        if method != NONE:
            answer["client_secret"] = self._secret(client_id, self._ring.sealing_key_id)
            answer["client_secret_expires_at"] = 0
        return answer

    def find(self, client_id: str) -> OAuthClient | None:
        """The client of a registration; None for an id that was not sealed here, or whose key was removed."""
        if not client_id.startswith(PREFIX) or len(client_id) > MOST_ID_CHARACTERS:
            return None
        try:
            sealed = self._ring.open_token(_KIND, "", client_id.removeprefix(PREFIX), now=self._clock.now())
        except BrokenSealError:
            return None
        key_id = sealed.get("s")
        return OAuthClient(
            client_id=client_id,
            kind=ClientKind.REGISTRATION,
            name=sealed["n"],
            redirect_uris=tuple(sealed["u"]),
            refreshes=sealed["r"],
            secret=None if key_id is None else self._secret(client_id, key_id),
        )

    def _secret(self, client_id: str, key_id: str) -> str:
        key = self._ring.key(key_id)
        if key is None:
            raise BrokenSealError("The key of the registration is gone.")
        return hmac.new(key, b"client secret " + client_id.encode(), "sha256").hexdigest()


def registration_route(registrations: Registrations) -> Route:
    """`/register`, open to pages of any origin: it reads no cookie."""

    async def register(request: Request) -> Response:
        body = await bounded_body(request, MOST_BODY_BYTES)
        if body is None:
            raise _invalid(f"A registration has at most {MOST_BODY_BYTES} bytes.")
        return json_answer(registrations.register(body), status=201)

    return Route(REGISTER, open_to_all(register, methods="POST"), methods=["POST", "OPTIONS"])


def shown_name(value: object) -> str:
    """A client's own name as it may be shown in quotation marks: one line, short, without what nobody sees.

    It cannot end the quotation: a name may not go on as if this server spoke.
    """
    if not isinstance(value, str):
        return ""
    kept = "".join(
        character for character in without_hidden(value[:1000]) if unicodedata.category(character) not in _NOT_SHOWN
    )
    return " ".join(kept.translate(_QUOTES).split())[:MOST_NAME_CHARACTERS].strip()


def _metadata(body: bytes) -> Mapping[str, Any]:
    if len(body) > MOST_BODY_BYTES:
        raise _invalid(f"A registration has at most {MOST_BODY_BYTES} bytes.")
    try:
        asked = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        raise _invalid("A registration is a JSON object.") from None
    if not isinstance(asked, dict):
        raise _invalid("A registration is a JSON object.")
    return cast("dict[str, Any]", asked)


def _redirect_uris(asked: Mapping[str, Any]) -> tuple[str, ...]:
    named = asked.get("redirect_uris")
    uris = redirects.acceptable_ones(cast("list[object]", named)) if isinstance(named, list) else ()
    if not uris:
        raise OAuthError(
            "invalid_redirect_uri",
            "At least one redirect URI must be https, http on localhost, 127.0.0.1 or [::1], or have a scheme of the "
            "app's own; without a fragment, a user name or a wildcard.",
        )
    if len(uris) > redirects.MOST_URIS:
        raise OAuthError("invalid_redirect_uri", f"A client has at most {redirects.MOST_URIS} redirect URIs.")
    return uris


def _invalid(description: str) -> OAuthError:
    return OAuthError("invalid_client_metadata", description)
