"""How the application proves itself, and what an id_token has to prove."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2 as httpx
import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from scalekit_mcp.accounts.model.records import ProviderAccount
from scalekit_mcp.accounts.provider import GrantError
from scalekit_mcp.errors import ConfigurationError
from scalekit_mcp.microsoft.identity.credentials import ClientCertificate, ClientSecret, PublicClient
from scalekit_mcp.microsoft.identity.id_token import PERSONAL_TENANT, IdTokenError, account_from_id_token
from scalekit_mcp.microsoft.identity.oauth import MicrosoftOAuth
from scalekit_mcp.microsoft.identity.scopes import granted_scopes, short_scope
from scalekit_mcp.sandbox import DEFAULT_CLIENT_ID, Sandbox
from scalekit_mcp.sandbox.world.seed import CONTOSO
from tests.support.clock import HandClock

NOW = datetime(2026, 3, 30, 9, 0, tzinfo=UTC)
CLIENT_ID = "6cb04018-a3f5-46a7-b995-940c78f5aef3"
ENDPOINT = "https://login.microsoftonline.com/common/oauth2/v2.0/token"
LOGIN = "https://login.microsoftonline.com"
TID = "aaaabbbb-0000-cccc-1111-dddd2222eeee"
OID = "11112222-bbbb-3333-cccc-4444dddd5555"


def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def certificate(key: Any) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "scalekit-mcp")])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=30))
        .sign(key, hashes.SHA256())
    )


def pem_of(key: Any, password: bytes | None = None) -> bytes:
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password is not None:
        encryption = serialization.BestAvailableEncryption(password)
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def cert_pem(found: x509.Certificate) -> bytes:
    return found.public_bytes(serialization.Encoding.PEM)


def test_an_assertion_is_signed_with_ps256_named_by_thumbprint_short_lived_and_unique(tmp_path: Path) -> None:
    key = private_key()
    own, foreign = certificate(key), certificate(private_key())
    path = tmp_path / "client.pem"
    path.write_bytes(pem_of(key) + cert_pem(foreign) + cert_pem(own))
    credentials = ClientCertificate.from_file(path)
    sent = credentials.token_parameters(client_id=CLIENT_ID, token_endpoint=ENDPOINT, now=NOW)
    assert sent["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assertion = sent["client_assertion"]
    thumbprint = hashlib.sha256(own.public_bytes(serialization.Encoding.DER)).digest()
    assert jwt.get_unverified_header(assertion) == {
        "alg": "PS256",
        "typ": "JWT",
        "x5t#S256": base64.urlsafe_b64encode(thumbprint).rstrip(b"=").decode(),
    }
    claims = jwt.decode(
        assertion, key.public_key(), algorithms=["PS256"], audience=ENDPOINT, options={"verify_exp": False}
    )
    seconds = int(NOW.timestamp())
    assert (claims["iss"], claims["sub"]) == (CLIENT_ID, CLIENT_ID)
    assert (claims["nbf"], claims["iat"], claims["exp"]) == (seconds, seconds, seconds + 300)
    again = credentials.token_parameters(client_id=CLIENT_ID, token_endpoint=ENDPOINT, now=NOW)["client_assertion"]
    assert jwt.decode(again, options={"verify_signature": False})["jti"] != claims["jti"]


async def test_the_token_endpoint_takes_a_registered_certificate_and_refuses_another() -> None:
    key = private_key()
    registered = certificate(key)
    sandbox, clock = Sandbox(), HandClock(NOW)
    sandbox.clock.freeze(NOW)
    sandbox.world.apps[DEFAULT_CLIENT_ID].certificates = (cert_pem(registered).decode(),)
    codes: list[str] = []
    stranger = private_key()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=sandbox.app)) as http:
        for pem in (pem_of(key) + cert_pem(registered), pem_of(stranger) + cert_pem(certificate(stranger))):
            oauth = MicrosoftOAuth(
                http,
                client_id=DEFAULT_CLIENT_ID,
                credentials=ClientCertificate.from_pem(pem),
                login_url="http://localhost",
                tenant="common",
                scopes=("Calendars.Read",),
                graph_url="http://localhost/v1.0",
                clock=clock,
            )
            with pytest.raises(GrantError) as caught:
                await oauth.refresh_token_grant(
                    refresh_token="unknown", account=ProviderAccount(CONTOSO, OID), scopes=("Calendars.Read",)
                )
            codes.append(caught.value.code)
    assert codes == ["AADSTS70000", "AADSTS700027"]


def test_unusable_certificates_are_refused_with_the_cause() -> None:
    key = private_key()
    own = cert_pem(certificate(key))
    elliptic = ec.generate_private_key(ec.SECP256R1())
    cases = {
        b"": "no readable private key",
        own: "no readable private key",
        pem_of(key): "no certificate",
        pem_of(key, b"password") + own: "encrypted",
        pem_of(private_key()) + own: "belongs to its key",
        pem_of(elliptic) + own: "not an RSA key",
    }
    for pem, cause in cases.items():
        with pytest.raises(ConfigurationError, match=cause) as caught:
            ClientCertificate.from_pem(pem)
        assert "PRIVATE KEY" not in str(caught.value)


def test_a_missing_certificate_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"missing\.pem"):
        ClientCertificate.from_file(tmp_path / "missing.pem")


def test_credentials_hide_in_their_repr() -> None:
    key = private_key()
    shown = repr(
        [ClientSecret("s3cret"), PublicClient(), ClientCertificate.from_pem(pem_of(key) + cert_pem(certificate(key)))]
    )
    assert shown == "[ClientSecret(...), PublicClient(), ClientCertificate(...)]"


def id_token(**changes: Any) -> str:
    seconds = int(NOW.timestamp())
    claims: dict[str, Any] = {
        "aud": CLIENT_ID,
        "iss": f"{LOGIN}/{TID}/v2.0",
        "iat": seconds,
        "nbf": seconds,
        "exp": seconds + 3900,
        "name": "Alice Doe",
        "nonce": "n",
        "oid": OID,
        "preferred_username": "alice@contoso.example",
        "tid": TID,
    } | changes
    payload = json.dumps({name: value for name, value in claims.items() if value is not None}).encode()
    return f"e30.{base64.urlsafe_b64encode(payload).rstrip(b'=').decode()}.c2ln"


def read(token: str, *, tenant: str = "common", nonce: str | None = "n", at: datetime = NOW) -> Any:
    return account_from_id_token(token, client_id=CLIENT_ID, login_url=LOGIN, tenant=tenant, nonce=nonce, now=at)


def test_an_id_token_names_who_signed_in() -> None:
    account = read(id_token(tid=TID, oid=OID.upper()))
    assert account.key == (TID, OID)
    assert (account.preferred_username, account.display_name) == ("alice@contoso.example", "Alice Doe")
    assert not account.personal


def test_a_name_that_somebody_gave_himself_shows_no_hidden_characters() -> None:
    account = read(id_token(name="Eve\u202e\x1b[2J" + "x" * 1000))
    assert account.display_name is not None
    assert account.display_name.isprintable()
    assert "\u202e" not in account.display_name
    assert len(account.display_name) == 320


def test_a_personal_account_is_told_by_its_tenant() -> None:
    token = id_token(tid=PERSONAL_TENANT, iss=f"{LOGIN}/{PERSONAL_TENANT}/v2.0")
    assert read(token).personal
    assert read(token, tenant="consumers").personal


@pytest.mark.parametrize(
    ("changes", "claim"),
    [
        ({"aud": "another"}, "aud"),
        ({"aud": [CLIENT_ID]}, "aud"),
        ({"tid": None}, "tid"),
        ({"tid": "../evil"}, "tid"),
        ({"oid": None}, "oid"),
        ({"oid": 5}, "oid"),
        ({"iss": f"{LOGIN}/{{tenantid}}/v2.0"}, "iss"),
        ({"iss": f"https://evil.example/{TID}/v2.0"}, "iss"),
        ({"iss": f"{LOGIN}/{PERSONAL_TENANT}/v2.0"}, "iss"),
        ({"exp": None}, "exp"),
        ({"exp": "soon"}, "exp"),
        ({"exp": True}, "exp"),
        ({"exp": float("nan")}, "exp"),
        ({"exp": float("inf")}, "exp"),
        ({"exp": 10**400}, "exp"),
        ({"nbf": float("nan")}, "nbf"),
        ({"nbf": -(10**400)}, "nbf"),
        ({"nbf": int(NOW.timestamp()) + 301}, "nbf"),
        ({"nonce": None}, "nonce"),
        ({"nonce": "other"}, "nonce"),
        ({"nonce": 5}, "nonce"),
    ],
)
def test_a_wrong_claim_is_refused_by_name(changes: dict[str, Any], claim: str) -> None:
    with pytest.raises(IdTokenError) as caught:
        read(id_token(**changes))
    assert caught.value.claim == claim
    assert "other" not in str(caught.value).split()


def test_five_minutes_of_leeway_and_not_a_second_more() -> None:
    token = id_token()
    assert read(token, at=NOW - timedelta(seconds=300))
    assert read(token, at=NOW + timedelta(seconds=3900 + 299))
    with pytest.raises(IdTokenError):
        read(token, at=NOW - timedelta(seconds=301))
    with pytest.raises(IdTokenError):
        read(token, at=NOW + timedelta(seconds=3900 + 300))


@pytest.mark.parametrize("tenant", ["consumers", "11111111-1111-4111-8111-111111111111"])
def test_an_account_of_another_tenant_than_the_configured_one_is_refused(tenant: str) -> None:
    with pytest.raises(IdTokenError) as caught:
        read(id_token(), tenant=tenant)
    assert caught.value.claim == "tid"
    assert read(id_token(), tenant="organizations").tid == TID
    assert read(id_token(), tenant=TID.upper()).tid == TID


@pytest.mark.parametrize("token", ["", "a.b", "a.!!!.c", "a.WzFd.c", "a.bm90IGpzb24.c", "EwBopaque"])
def test_what_is_not_a_jwt_is_refused(token: str) -> None:
    with pytest.raises(IdTokenError):
        read(token)


def test_a_flow_without_a_nonce_checks_none() -> None:
    assert read(id_token(nonce=None), nonce=None).tid == TID


@pytest.mark.parametrize(
    ("echoed", "granted"),
    [
        ("https://graph.microsoft.com/Calendars.ReadWrite openid profile", ("Calendars.ReadWrite",)),
        ("calendars.readwrite USER.READ OPENID", ("Calendars.ReadWrite", "User.Read")),
        ("https://GRAPH.microsoft.com/user.read", ("User.Read",)),
        ("00000003-0000-0000-c000-000000000000/Calendars.ReadWrite", ("Calendars.ReadWrite",)),
        ("https://graph.microsoft.us/Mail.Read Calendars.ReadWrite", ("Calendars.ReadWrite", "Mail.Read")),
        ("https://other.example/User.Read", ("https://other.example/User.Read",)),
        ("openid profile email offline_access", ()),
        ("", ("Calendars.ReadWrite", "User.Read")),
        (None, ("Calendars.ReadWrite", "User.Read")),
    ],
)
def test_granted_scopes_are_short_names_however_microsoft_spells_them(
    echoed: str | None, granted: tuple[str, ...]
) -> None:
    requested = ("openid", "offline_access", "User.Read", "https://graph.microsoft.com/Calendars.ReadWrite")
    assert granted_scopes(echoed, requested=requested) == granted


def test_a_scope_of_another_resource_keeps_its_name() -> None:
    assert short_scope("https://graph.microsoft.com/Calendars.Read") == "Calendars.Read"
    assert short_scope("https://api.example/Calendars.Read") == "https://api.example/Calendars.Read"
