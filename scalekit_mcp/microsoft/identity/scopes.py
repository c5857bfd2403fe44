"""Converts scopes between Microsoft's form and ours: short names, without those of OpenID Connect.

Source: "Scopes and permissions in the Microsoft identity platform".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

OIDC_SCOPES = frozenset({"openid", "profile", "email", "offline_access"})
"""Scopes of OpenID Connect, which belong to no resource and are echoed or not as Microsoft likes."""
GRAPH_HOSTS = frozenset(
    {"graph.microsoft.com", "graph.microsoft.us", "dod-graph.microsoft.us", "microsoftgraph.chinacloudapi.cn"}
)
_GRAPH_APP_ID = "00000003-0000-0000-c000-000000000000"


def graph_resource(graph_url: str) -> str:
    """The resource that Graph's scopes belong to (`https://graph.microsoft.com`).

    A Graph host that no cloud knows is a look-alike, and it imitates the global cloud.
    """
    host = urlsplit(graph_url).hostname or ""
    return f"https://{host if host in GRAPH_HOSTS else 'graph.microsoft.com'}"


def wire_scopes(scopes: Sequence[str], *, resource: str) -> str:
    """Scopes as sent: OIDC names bare, Graph's under `resource`; `openid profile offline_access` always."""
    email = ["email"] if any(scope.lower() == "email" for scope in scopes) else []
    named = [scope if "://" in scope else f"{resource}/{scope}" for scope in scopes if scope.lower() not in OIDC_SCOPES]
    return " ".join(["openid", "profile", *email, "offline_access", *named])


def granted_scopes(echoed: str | None, *, requested: Iterable[str]) -> tuple[str, ...]:
    """The resource scopes of an answer as short names, sorted; the requested ones if the answer echoes none.

    Microsoft echoes full or short names in any case, with or without OIDC scopes. Names that were asked for keep the
    spelling they were asked in. RFC 6749 section 5.1.
    """
    spelling = {short.lower(): short for scope in requested if (short := short_scope(scope)).lower() not in OIDC_SCOPES}
    if echoed is None or not echoed.strip():
        return tuple(sorted(spelling.values()))
    names = {short_scope(scope) for scope in echoed.split()}
    return tuple(sorted({spelling.get(name.lower(), name) for name in names if name.lower() not in OIDC_SCOPES}))


def short_scope(scope: str) -> str:
    """A Graph scope without its resource (`https://graph.microsoft.com/User.Read` -> `User.Read`); others unchanged."""
    resource, separator, name = scope.rpartition("/")
    if not separator:
        return scope
    host = (urlsplit(resource).hostname if "://" in resource else resource) or ""
    return name if host in GRAPH_HOSTS or host == _GRAPH_APP_ID else scope
