"""Documents and tokens in the shapes of Entra and of Scalekit's MCP Auth, against a server in a process of its own.

Sources: "OpenID Connect on the Microsoft identity platform", "Access token claims reference" (Microsoft); the
authorization server metadata that Scalekit publishes for an MCP server, and the two issuers of its access tokens
(github.com/PrefectHQ/fastmcp/issues/4797, github.com/mcp-use/mcp-use/pull/2272).
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from tests.cli.test_wrong_starts import started
from tests.support.authorization_server import PublishedDocuments, public_key, published
from tests.support.mcp_messages import ACCEPT
from tests.support.remote_process import RemoteProcess, remote_process

TENANT, PERSON = "aaaabbbb-0000-cccc-1111-dddd2222eeee", "aaaaaaaa-0000-1111-2222-bbbbbbbbbbbb"
APPLICATION, HOST_APP = "00001111-aaaa-2222-bbbb-3333cccc4444", "11112222-bbbb-3333-cccc-4444dddd5555"
RESOURCE = "res_97420808191740418"


def challenge_of(answer: httpx.Response) -> dict[str, str]:
    """The parameters of a bearer challenge."""
    scheme, _, rest = answer.headers["www-authenticate"].partition(" ")
    assert scheme == "Bearer"
    return {name: value.strip('"') for name, _, value in (part.partition("=") for part in rest.split(", "))}


def called(remote: RemoteProcess, token: str | None, tool: str, **arguments: Any) -> httpx.Response:
    """One tool call of a client of revision 2026-07-28."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    params = {"name": tool, "arguments": arguments, "_meta": meta}
    headers = {**ACCEPT, "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": tool}
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    return httpx.post(f"{remote.base}/mcp", json=body, headers=headers, timeout=20)


def status_for(remote: RemoteProcess, token: str) -> int:
    """How the door answers a token: 200 means that the caller is known and the tool ran."""
    return called(remote, token, "outlook_list_calendar_events", top=1).status_code


# Entra


def entra_documents(base: str) -> dict[str, Any]:
    """The version 2.0 metadata of a tenant, at the address of a login host."""
    tenant = f"/{TENANT}"
    return {
        f"{tenant}/v2.0/.well-known/openid-configuration": {
            "token_endpoint": f"{base}{tenant}/oauth2/v2.0/token",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
            "jwks_uri": f"{base}{tenant}/discovery/v2.0/keys",
            "response_modes_supported": ["query", "fragment", "form_post"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "issuer": f"{base}{tenant}/v2.0",
            "request_uri_parameter_supported": False,
            "userinfo_endpoint": "https://graph.microsoft.com/oidc/userinfo",
            "authorization_endpoint": f"{base}{tenant}/oauth2/v2.0/authorize",
            "device_authorization_endpoint": f"{base}{tenant}/oauth2/v2.0/devicecode",
            "http_logout_supported": True,
            "tenant_region_scope": "EU",
            "cloud_instance_name": "microsoftonline.com",
            "msgraph_host": "graph.microsoft.com",
        },
        f"{tenant}/discovery/v2.0/keys": {
            "keys": [
                public_key(kid="entra-1", x5t="entra-1", x5c=["MIIC"], cloud_instance_name="microsoftonline.com"),
                {"kty": "RSA", "use": "sig", "kid": "entra-2", "x5t": "entra-2", "n": "AQAB", "e": "AQAB"},
            ]
        },
    }


ENTRA_SCOPES = f"api://{APPLICATION}/calendar.read api://{APPLICATION}/calendar.write"


@pytest.fixture(scope="module")
def entra() -> Generator[PublishedDocuments]:
    with published(entra_documents) as server:
        yield server


@pytest.fixture(scope="module")
def behind_entra(entra: PublishedDocuments, tmp_path_factory: pytest.TempPathFactory) -> Generator[RemoteProcess]:
    """A server whose callers come from one tenant of Entra."""
    with remote_process(
        tmp_path_factory.mktemp("entra"),
        "--sandbox",
        SCALEKIT_MCP_AUTH="oidc",
        SCALEKIT_MCP_OIDC_ISSUER=f"{entra.base}/{TENANT}/v2.0",
        SCALEKIT_MCP_OIDC_AUDIENCE=APPLICATION,
        SCALEKIT_MCP_OIDC_IDENTIFIER_CLAIM="oid",
        SCALEKIT_MCP_OIDC_SCOPES=ENTRA_SCOPES,
        SCALEKIT_MCP_STATELESS="true",
    ) as remote:
        yield remote


def entra_token(entra: PublishedDocuments, **changes: Any) -> str:
    """A version 2.0 access token of a person."""
    claims = {
        "aud": APPLICATION,
        "iss": f"{entra.base}/{TENANT}/v2.0",
        "aio": "AYQAe/8TAAAA",
        "azp": HOST_APP,
        "azpacr": "0",
        "name": "Ana Lee",
        "oid": PERSON,
        "preferred_username": "ana@contoso.example",
        "rh": "1.AAAA",
        "scp": "calendar.read calendar.write",
        "sid": "00aa00aa-bb11-cc22-dd33-44ee44ee44ee",
        "sub": "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ",
        "tid": TENANT,
        "uti": "sx",
        "ver": "2.0",
        **changes,
    }
    return entra.token(kid="entra-1", **claims)


def test_a_client_of_entra_is_told_the_names_that_entra_is_asked_for(
    entra: PublishedDocuments, behind_entra: RemoteProcess
) -> None:
    challenge = challenge_of(called(behind_entra, None, "outlook_list_calendar_events"))
    assert challenge["scope"] == ENTRA_SCOPES
    metadata = httpx.get(challenge["resource_metadata"], timeout=20).json()
    assert metadata["resource"] == f"{behind_entra.base}/mcp"
    assert metadata["authorization_servers"] == [f"{entra.base}/{TENANT}/v2.0"]
    assert metadata["scopes_supported"] == ENTRA_SCOPES.split()


def test_a_token_of_entra_permits_what_its_scp_says(entra: PublishedDocuments, behind_entra: RemoteProcess) -> None:
    assert status_for(behind_entra, entra_token(entra)) == 200
    reader = entra_token(entra, scp="calendar.read")
    assert status_for(behind_entra, reader) == 200
    refused = called(behind_entra, reader, "outlook_delete_calendar_event", event_id="e")
    assert refused.status_code == 403
    assert challenge_of(refused)["scope"] == ENTRA_SCOPES
    assert entra.asked[0] == f"/{TENANT}/v2.0/.well-known/openid-configuration"


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        pytest.param({"aud": "00000003-0000-0000-c000-000000000000"}, 401, id="for Graph"),
        pytest.param({"aud": HOST_APP}, 401, id="for the host"),
        pytest.param({"iss": f"https://sts.windows.net/{TENANT}/"}, 401, id="version 1.0"),
        pytest.param({"iss": "https://login.microsoftonline.com/ffff/v2.0"}, 401, id="of another tenant"),
        pytest.param({"oid": None}, 401, id="without a person"),
        pytest.param({"scp": None, "roles": ["calendar.read"], "idtyp": "app"}, 403, id="of an application alone"),
        pytest.param({"scp": "User.Read"}, 403, id="with another scope"),
    ],
)
def test_a_token_of_entra_that_is_not_meant_for_this_server_is_refused(
    entra: PublishedDocuments, behind_entra: RemoteProcess, changes: dict[str, Any], status: int
) -> None:
    assert status_for(behind_entra, entra_token(entra, **changes)) == status


# Scalekit's MCP Auth


def scalekit_documents(base: str) -> dict[str, Any]:
    """An environment and, below it, the authorization server of one MCP server; its keys are the environment's."""
    server = f"{base}/resources/{RESOURCE}"
    return {
        "/.well-known/openid-configuration": {
            "issuer": base,
            "authorization_endpoint": f"{base}/oauth/authorize",
            "token_endpoint": f"{base}/oauth/token",
            "userinfo_endpoint": f"{base}/userinfo",
            "jwks_uri": f"{base}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        },
        f"/.well-known/oauth-authorization-server/resources/{RESOURCE}": {
            "issuer": server,
            "authorization_endpoint": f"{server}/oauth/authorize",
            "token_endpoint": f"{server}/oauth/token",
            "registration_endpoint": f"{base}/api/v1/resources/{RESOURCE}/clients:register",
            "jwks_uri": f"{base}/keys",
            "client_id_metadata_document_supported": True,
            "code_challenge_methods_supported": ["S256"],
            "grant_types_supported": ["authorization_code", "client_credentials", "refresh_token"],
            "scopes_supported": ["calendar.read", "calendar.write"],
            "response_types_supported": ["code"],
        },
        "/keys": {"keys": [public_key(kid="snk_63612341345288227", alg="RS256")]},
    }


@pytest.fixture(scope="module")
def scalekit() -> Generator[PublishedDocuments]:
    with published(scalekit_documents) as server:
        yield server


@pytest.fixture(scope="module")
def behind_scalekit(scalekit: PublishedDocuments, tmp_path_factory: pytest.TempPathFactory) -> Generator[RemoteProcess]:
    """A server that is registered as an MCP server with Scalekit."""
    with remote_process(
        tmp_path_factory.mktemp("scalekit"),
        "--sandbox",
        SCALEKIT_MCP_AUTH="oidc",
        SCALEKIT_MCP_OIDC_ISSUER=scalekit.base,
        SCALEKIT_MCP_OIDC_AUTHORIZATION_SERVER=f"{scalekit.base}/resources/{RESOURCE}",
        SCALEKIT_MCP_OIDC_AUDIENCE=RESOURCE,
        SCALEKIT_MCP_STATELESS="true",
    ) as remote:
        yield remote


def scalekit_token(scalekit: PublishedDocuments, **changes: Any) -> str:
    """An access token of MCP Auth."""
    claims = {
        "iss": scalekit.base,
        "sub": "usr_97931091987399184",
        "aud": [RESOURCE, "https://mcp.example.com/mcp"],
        "client_id": "mcpc_97931092205506065",
        "oid": "org_97926637244383515",
        "sid": "ses_97931092205506065",
        "jti": "tkn_97931092205506065",
        "scope": "calendar.read calendar.write",
        **changes,
    }
    return scalekit.token(kid="snk_63612341345288227", **claims)


def test_a_client_is_sent_to_the_authorization_server_of_its_resource_at_scalekit(
    scalekit: PublishedDocuments, behind_scalekit: RemoteProcess
) -> None:
    challenge = challenge_of(called(behind_scalekit, None, "outlook_list_calendar_events"))
    assert challenge["scope"] == "calendar.read calendar.write"
    metadata = httpx.get(challenge["resource_metadata"], timeout=20).json()
    assert metadata["authorization_servers"] == [f"{scalekit.base}/resources/{RESOURCE}"]


def test_a_token_of_scalekit_is_taken_under_both_names_of_its_issuer(
    scalekit: PublishedDocuments, behind_scalekit: RemoteProcess
) -> None:
    assert status_for(behind_scalekit, scalekit_token(scalekit)) == 200
    assert scalekit.asked == ["/.well-known/openid-configuration", "/keys"]
    scoped = scalekit_token(scalekit, iss=f"{scalekit.base}/resources/{RESOURCE}")
    assert status_for(behind_scalekit, scoped) == 200
    assert scalekit.asked[2:] == [
        f"/resources/{RESOURCE}/.well-known/openid-configuration",
        f"/.well-known/oauth-authorization-server/resources/{RESOURCE}",
        "/keys",
    ]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"aud": ["res_1", "https://mcp.example.com/mcp"]}, id="for another server"),
        pytest.param({"aud": "https://mcp.example.com/mcp"}, id="without the resource"),
        pytest.param({"iss": "{base}/resources/res_1"}, id="of another server's issuer"),
        pytest.param({"iss": "{base}/"}, id="almost the issuer"),
        pytest.param({"sub": None}, id="without a person"),
    ],
)
def test_a_token_of_scalekit_for_another_resource_is_refused(
    scalekit: PublishedDocuments, behind_scalekit: RemoteProcess, changes: dict[str, Any]
) -> None:
    given = {**changes, **({"iss": changes["iss"].format(base=scalekit.base)} if "iss" in changes else {})}
    assert status_for(behind_scalekit, scalekit_token(scalekit, **given)) == 401


@pytest.mark.parametrize("scopes", ["openid profile", "outlook:read", "api://app/calendar.read/more"])
def test_scopes_that_could_permit_nothing_stop_the_start_by_name(tmp_path: Path, scopes: str) -> None:
    settings = {
        "SCALEKIT_MCP_AUTH": "oidc",
        "SCALEKIT_MCP_OIDC_ISSUER": "https://issuer.example",
        "SCALEKIT_MCP_OIDC_AUDIENCE": "outlook",
        "SCALEKIT_MCP_OIDC_SCOPES": scopes,
    }
    ended = started("serve", "--sandbox", "--transport", "http", home=tmp_path, **settings)
    assert ended.returncode == 2
    assert ended.stderr == (
        "scalekit-mcp: SCALEKIT_MCP_OIDC_SCOPES (from the environment) is not valid: calendar.read or calendar.write "
        "must be among the scopes, alone or behind a prefix and a slash, unless SCALEKIT_MCP_OIDC_REQUIRE_SCOPES is "
        "false.\n"
    )
