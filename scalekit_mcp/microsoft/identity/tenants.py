"""The id of a tenant by one of its domains: what its OpenID configuration names as its issuer.

Source: "OpenID Connect on the Microsoft identity platform", "Find your app's OpenID configuration document URI".
"""

from __future__ import annotations

import json
import re
from urllib.parse import quote

import httpx2 as httpx

from scalekit_mcp.errors import ProviderUnavailable
from scalekit_mcp.microsoft.identity.id_token import PERSONAL_TENANT, is_guid

LOOKUP_SECONDS = 10.0
_ISSUER = re.compile(r"https?://[^/]+/([^/]+)/v2\.0/?")


async def tenant_of(http: httpx.AsyncClient, login_url: str, name: str) -> str | None:
    """The id of the tenant with this domain; `consumers` is the one of personal accounts. None: there is none.

    Raises:
        ProviderUnavailable: Microsoft cannot be reached, or its answer cannot be read.
    """
    if name.casefold() == "consumers":
        return PERSONAL_TENANT
    url = f"{login_url.rstrip('/')}/{quote(name, safe='')}/v2.0/.well-known/openid-configuration"
    try:
        answer = await http.get(url, timeout=LOOKUP_SECONDS, follow_redirects=False)
    except httpx.HTTPError:
        raise ProviderUnavailable("Microsoft's sign-in service cannot be reached.") from None
    if answer.status_code in (400, 404):
        return None
    try:
        issuer: object = json.loads(answer.content)["issuer"]
    except (ValueError, TypeError, KeyError, RecursionError):
        issuer = None
    found = _ISSUER.fullmatch(issuer) if isinstance(issuer, str) else None
    if not answer.is_success or found is None or not is_guid(found[1]):
        raise ProviderUnavailable("Microsoft did not say which tenant it is.")
    return found[1].lower()
