"""What stops a start with SCALEKIT_MCP_AUTH=microsoft, by name; and which tenants may come in."""

from __future__ import annotations

from typing import Any

import httpx2 as httpx
import pytest

from scalekit_mcp.accounts.allowed_tenants import AllowedTenants
from scalekit_mcp.errors import ConfigurationError, ProviderUnavailable, ScalekitMCPError
from scalekit_mcp.microsoft.identity.tenants import tenant_of
from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.settings import check_settings, load_settings
from tests.accounts.accounts_support import DANA

APP = {"MICROSOFT_CLIENT_ID": "b8d4c1de-0000-4000-8000-000000000001", "MICROSOFT_CLIENT_SECRET": "s"}
HOSTED = {
    "mode": "hosted",
    "scalekit_client_id": "c",
    "scalekit_client_secret": "s",
    "scalekit_env_url": "https://acme.scalekit.example",
}


def problems(transport: Any = "http", **given: Any) -> str:
    options = {"auth": "microsoft", "public_url": "https://mcp.example", **given}
    if options.get("mode") != "hosted":
        options = {**APP, **options}
    try:
        check_settings(load_settings(**options), transport=transport)
    except ConfigurationError as error:
        return " ".join(error.problems)
    return ""


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (HOSTED, "embedded mode"),
        ({"public_url": "https://mcp.example/base"}, "SCALEKIT_MCP_PUBLIC_URL"),
        ({"public_url": "http://mcp.example"}, "SCALEKIT_MCP_PUBLIC_URL"),
        ({"transport": "stdio", "identifier": "ana"}, "for HTTP"),
        ({"user_verification": "confirm"}, "SCALEKIT_MCP_USER_VERIFICATION"),
        ({"user_verification": "off"}, "SCALEKIT_MCP_USER_VERIFICATION"),
        ({"allowed_tenants": "contoso.com,common"}, "SCALEKIT_MCP_ALLOWED_TENANTS"),
        ({"allowed_tenants": "not a tenant"}, "SCALEKIT_MCP_ALLOWED_TENANTS"),
        ({"client_metadata_hosts": "https://x"}, "SCALEKIT_MCP_CLIENT_METADATA_HOSTS"),
        ({"auth": "session-token", "allowed_tenants": "contoso.com"}, "SCALEKIT_MCP_ALLOWED_TENANTS"),
        ({"auth": "session-token", "client_metadata_hosts": "id.internal"}, "SCALEKIT_MCP_CLIENT_METADATA_HOSTS"),
        ({"database_url": "postgresql+asyncpg://localhost/x", "vault_keys": "k"}, "SCALEKIT_MCP_SESSION_KEYS"),
    ],
)
def test_what_does_not_fit_stops_the_start_by_name(given: dict[str, Any], name: str):
    assert name in problems(**given)


def test_what_fits_starts():
    assert problems() == ""
    assert problems(public_url="http://localhost:8754") == ""
    assert problems(allowed_tenants="contoso.com, consumers,11111111-1111-1111-1111-111111111111") == ""
    assert problems(client_metadata_hosts="id.internal:8443,localhost") == ""


async def test_a_domain_becomes_the_tenant_id_that_microsoft_names():
    sandbox = Sandbox()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=sandbox.app)) as http:
        assert await tenant_of(http, "http://localhost", "company.com") == sandbox.people[DANA].tenant_id
        assert await tenant_of(http, "http://localhost", "nobody.example") is None
        assert await tenant_of(http, "http://localhost", "consumers") == "9188040d-6c67-4c5b-b112-36a304b66dad"


@pytest.mark.parametrize(
    "answer", [httpx.Response(200, text="{}"), httpx.Response(500), httpx.Response(200, json={"issuer": "https://x/y"})]
)
async def test_an_answer_that_names_no_tenant_is_none(answer: httpx.Response):
    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda _: answer)) as http:
        with pytest.raises(ProviderUnavailable):
            await tenant_of(http, "http://localhost", "company.com")


async def test_an_empty_list_lets_everybody_in():
    async def asked(name: str) -> str | None:
        raise AssertionError(name)

    tenants = AllowedTenants(tenant_of=asked)
    await tenants.resolve()
    assert tenants.allows("any")


async def test_names_are_looked_up_once_and_a_failure_is_tried_again():
    answers: list[str | ScalekitMCPError] = [ProviderUnavailable("down"), "TID-OF-CONTOSO"]
    asked: list[str] = []

    async def look_up(name: str) -> str | None:
        asked.append(name)
        answer = answers.pop(0)
        if isinstance(answer, ScalekitMCPError):
            raise answer
        return answer

    tenants = AllowedTenants(ids=["known"], names=["contoso.com"], tenant_of=look_up)
    with pytest.raises(ProviderUnavailable):
        await tenants.resolve()
    assert tenants.allows("KNOWN")
    with pytest.raises(ProviderUnavailable):  # nobody is turned away while it is not known
        tenants.allows("tid-of-contoso")
    await tenants.resolve()
    await tenants.resolve()
    assert tenants.allows("tid-of-contoso")
    assert not tenants.allows("another")
    assert asked == ["contoso.com", "contoso.com"]


async def test_a_tenant_that_does_not_exist_is_a_configuration_error():
    async def nobody(name: str) -> str | None:
        del name

    with pytest.raises(ConfigurationError, match=r"SCALEKIT_MCP_ALLOWED_TENANTS names 'nobody\.example'"):
        await AllowedTenants(names=["nobody.example"], tenant_of=nobody).resolve()
