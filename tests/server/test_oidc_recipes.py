"""The recipes of the page about identity providers: their settings are settings, pass their check, and take tokens.

Documents and tokens have the shapes that the vendors publish. Sources: Keycloak's "Managing OpenID Connect clients"
and "Integrating with Model Context Protocol"; Auth0's "Access Token Profiles" and its OpenID configuration. Those of
Entra and Scalekit stand in `test_oidc_vendors`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from dotenv import dotenv_values

from scalekit_mcp.settings import Settings, check_settings, load_settings
from tests.server.test_oidc_vendors import (
    APPLICATION,
    RESOURCE,
    TENANT,
    entra_documents,
    entra_token,
    scalekit_documents,
    scalekit_token,
    status_for,
)
from tests.support.authorization_server import PublishedDocuments, public_key, published
from tests.support.remote_process import remote_process

PAGE = Path(__file__).parents[2] / "docs" / "identity-providers.md"
RECIPE = re.compile(r"^## ([^\n]+)\n(?:(?!^## ).)*?^```ini\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RECIPES = dict(RECIPE.findall(PAGE.read_text("utf-8")))
FILLED = {
    "{tenant id}": TENANT,
    "{application id}": APPLICATION,
    "{realm}": "acme",
    "{tenant}": "acme",
    "{environment}": "acme",
    "res_{id}": RESOURCE,
}
AUDIENCE = "https://calendar.example.com/mcp"


def settings_of(name: str) -> dict[str, str]:
    """The variables of a recipe, filled in, as a file of `--env-file` is read."""
    text = RECIPES[name]
    for braces, value in FILLED.items():
        text = text.replace(braces, value)
    assert "{" not in text
    return {variable: value or "" for variable, value in dotenv_values(stream=StringIO(text)).items()}


def keycloak_documents(base: str) -> dict[str, Any]:
    """A realm, whose keys are one for signatures and one for encryption."""
    realm = f"{base}/realms/acme"
    connect = f"{realm}/protocol/openid-connect"
    return {
        "/realms/acme/.well-known/openid-configuration": {
            "issuer": realm,
            "authorization_endpoint": f"{connect}/auth",
            "token_endpoint": f"{connect}/token",
            "jwks_uri": f"{connect}/certs",
            "registration_endpoint": f"{realm}/clients-registrations/openid-connect",
            "scopes_supported": ["openid", "basic", "calendar.read", "calendar.write", "offline_access"],
            "code_challenge_methods_supported": ["plain", "S256"],
            "response_types_supported": ["code", "none", "id_token"],
            "subject_types_supported": ["public", "pairwise"],
            "id_token_signing_alg_values_supported": ["PS256", "RS256", "EdDSA"],
        },
        "/realms/acme/protocol/openid-connect/certs": {
            "keys": [
                public_key(kid="encryption", alg="RSA-OAEP", x5c=["MIIC"]) | {"use": "enc"},
                public_key(kid="signing", alg="RS256", x5c=["MIIC"], x5t="x"),
            ]
        },
    }


def keycloak_token(server: PublishedDocuments, **changes: Any) -> str:
    claims = {
        "iss": f"{server.base}/realms/acme",
        "aud": [AUDIENCE, "account"],
        "sub": "f4a8a8e0-5c5f-4a9e-8f3c-2a4f5a6b7c8d",
        "typ": "Bearer",
        "azp": "a-host",
        "sid": "b5d1",
        "jti": "onrtac:1",
        "acr": "1",
        "realm_access": {"roles": ["default-roles-acme"]},
        "scope": "openid calendar.read calendar.write",
        "preferred_username": "ana",
        **changes,
    }
    return server.token(kid="signing", **claims)


def auth0_documents(base: str) -> dict[str, Any]:
    """A tenant, whose issuer ends in a slash."""
    return {
        "/.well-known/openid-configuration": {
            "issuer": f"{base}/",
            "authorization_endpoint": f"{base}/authorize",
            "token_endpoint": f"{base}/oauth/token",
            "userinfo_endpoint": f"{base}/userinfo",
            "jwks_uri": f"{base}/.well-known/jwks.json",
            "registration_endpoint": f"{base}/oidc/register",
            "scopes_supported": ["openid", "profile", "offline_access", "email"],
            "code_challenge_methods_supported": ["S256", "plain"],
            "id_token_signing_alg_values_supported": ["HS256", "RS256", "PS256"],
        },
        "/.well-known/jwks.json": {"keys": [public_key(kid="tenant-key", alg="RS256", x5t="x", x5c=["MIIC"])]},
    }


def auth0_token(server: PublishedDocuments, **changes: Any) -> str:
    claims = {
        "iss": f"{server.base}/",
        "sub": "auth0|65f1c0ffee0ddba11ab1e5",
        "aud": [AUDIENCE, f"{server.base}/userinfo"],
        "scope": "openid calendar.read calendar.write offline_access",
        "azp": "my_client_id",
        **changes,
    }
    return server.token(kid="tenant-key", **claims)


@dataclass(frozen=True)
class Vendor:
    """What a provider publishes and signs; `host` is its address in the recipe."""

    name: str
    host: str
    documents: Callable[[str], dict[str, Any]]
    token: Callable[..., str]


VENDORS = (
    Vendor("Microsoft Entra ID", "https://login.microsoftonline.com", entra_documents, entra_token),
    Vendor("Keycloak", "https://keycloak.example.com", keycloak_documents, keycloak_token),
    Vendor("Auth0", "https://acme.us.auth0.com", auth0_documents, auth0_token),
    Vendor("Scalekit MCP Auth", "https://acme.scalekit.com", scalekit_documents, scalekit_token),
)


def test_there_is_one_recipe_for_each_provider() -> None:
    assert list(RECIPES) == [vendor.name for vendor in VENDORS]


@pytest.mark.parametrize("name", RECIPES)
def test_every_variable_of_a_recipe_is_a_setting_and_all_of_them_pass_the_check(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given = settings_of(name)
    assert set(given) <= {f"SCALEKIT_MCP_{field.upper()}" for field in Settings.model_fields}
    for variable, value in given.items():
        monkeypatch.setenv(variable, value)
    check_settings(load_settings(sandbox=True), transport="http")


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
def test_a_server_with_the_settings_of_a_recipe_takes_the_tokens_of_its_provider(
    vendor: Vendor, tmp_path: Path
) -> None:
    with published(vendor.documents) as provider:
        given = {
            variable: value.replace(vendor.host, provider.base)
            for variable, value in settings_of(vendor.name).items()
            if variable != "SCALEKIT_MCP_PUBLIC_URL"  # the process has an address of its own
        }
        with remote_process(tmp_path, "--sandbox", SCALEKIT_MCP_STATELESS="true", **given) as remote:
            assert status_for(remote, vendor.token(provider)) == 200
            assert status_for(remote, vendor.token(provider, aud="account")) == 401
            assert status_for(remote, vendor.token(provider, scope="openid", scp="openid")) == 403
