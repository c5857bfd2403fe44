"""Discovery documents and keys ("OpenID Connect on the Microsoft identity platform")."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from scalekit_mcp.sandbox.identity.directory import Directory
from scalekit_mcp.sandbox.identity.errors import IdentityError
from scalekit_mcp.sandbox.identity.keys import SigningKeys
from scalekit_mcp.sandbox.world import CONSUMER_TENANT

CLAIMS = (
    *("sub", "iss", "cloud_instance_name", "cloud_instance_host_name", "cloud_graph_host_name", "msgraph_host", "aud"),
    *("exp", "iat", "auth_time", "acr", "nonce", "preferred_username", "name", "tid", "ver", "at_hash", "c_hash"),
    "email",
)


def configuration(directory: Directory, authority: str, base_url: str) -> dict[str, Any]:
    """The OpenID configuration of an authority.

    `code_challenge_methods_supported` is missing on purpose, as it is at Microsoft. Raises IdentityError 90002.
    """
    try:
        tenant = directory.tenant_of(authority)
    except IdentityError as exc:
        raise IdentityError(90002, f"Tenant: '{authority}'.") from exc
    root = f"{base_url}/{authority}"
    host = urlsplit(base_url).netloc
    return {
        "token_endpoint": f"{root}/oauth2/v2.0/token",
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "jwks_uri": f"{root}/discovery/v2.0/keys",
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": f"{base_url}/{tenant.id if tenant else '{tenantid}'}/v2.0",
        "request_uri_parameter_supported": False,
        "userinfo_endpoint": f"{base_url}/oidc/userinfo",
        "authorization_endpoint": f"{root}/oauth2/v2.0/authorize",
        "device_authorization_endpoint": f"{root}/oauth2/v2.0/devicecode",
        "http_logout_supported": True,
        "frontchannel_logout_supported": True,
        "end_session_endpoint": f"{root}/oauth2/v2.0/logout",
        "claims_supported": list(CLAIMS),
        "kerberos_endpoint": f"{root}/kerberos",
        "tenant_region_scope": None,
        "cloud_instance_name": host,
        "cloud_graph_host_name": host,
        "msgraph_host": host,
        "rbac_url": base_url,
    }


def key_set(keys: SigningKeys, base_url: str) -> dict[str, Any]:
    """The JWKS: one key for every organization, one for personal accounts alone."""
    return {
        "keys": [
            keys.organizations.jwk(f"{base_url}/{{tenantid}}/v2.0"),
            keys.consumers.jwk(f"{base_url}/{CONSUMER_TENANT}/v2.0"),
        ]
    }


def instance(base_url: str) -> dict[str, Any]:
    """The answer to instance discovery, which MSAL asks of an authority that it does not know."""
    host = urlsplit(base_url).netloc
    return {
        "tenant_discovery_endpoint": f"{base_url}/common/v2.0/.well-known/openid-configuration",
        "api-version": "1.1",
        "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
    }
