"""Client authentication, refresh, and what every revocation makes of the next refresh."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from identity_client import BASE, SCOPE, Application, refusal

from scalekit_mcp.sandbox import DEFAULT_CLIENT_ID, Sandbox
from scalekit_mcp.sandbox.world.seed import (
    CONTOSO,
    EXPIRED_SECRET_CLIENT_ID,
    FABRIKAM,
    NATIVE_CLIENT_ID,
    SINGLE_TENANT_CLIENT_ID,
    SPA_CLIENT_ID,
)

DANA, PAT = "dana@company.com", "pat@outlook.example"


# Client authentication


@pytest.mark.parametrize(
    ("client_id", "secret", "status", "error", "code"),
    [
        (DEFAULT_CLIENT_ID, "wrong", 401, "invalid_client", 7000215),
        (DEFAULT_CLIENT_ID, None, 401, "invalid_client", 7000218),
        (EXPIRED_SECRET_CLIENT_ID, "expired-secret", 401, "invalid_client", 7000222),
        (NATIVE_CLIENT_ID, "any", 401, "invalid_client", 700025),
        (SPA_CLIENT_ID, "any", 401, "invalid_client", 700025),
        ("00000000-1111-4222-8333-444444444444", "any", 400, "unauthorized_client", 700016),
        (SINGLE_TENANT_CLIENT_ID, "single-tenant-secret", 400, "invalid_request", 50194),
        (None, "any", 400, "invalid_request", 900144),
    ],
)
async def test_a_client_that_cannot_be_authenticated_is_refused(
    client_id: str | None, secret: str | None, status: int, error: str, code: int
) -> None:
    app = Application(Sandbox())
    answer = await app.refresh("anything", client_id=client_id, client_secret=secret)
    assert refusal(answer) == (status, error, [code], None)


async def test_a_public_client_redeems_with_pkce_alone() -> None:
    body = await Application(Sandbox(), client_id=NATIVE_CLIENT_ID, secret=None).connect(DANA)
    assert body["refresh_token"]


class Certificate:
    def __init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
        built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(self.key.public_key())
        built = built.serial_number(1).not_valid_before(datetime(2020, 1, 1)).not_valid_after(datetime(2090, 1, 1))  # noqa: DTZ001
        certificate = built.sign(self.key, hashes.SHA256())
        self.pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
        self.der = certificate.public_bytes(serialization.Encoding.DER)

    def assertion(self, algorithm: str = "PS256", thumbprint: str = "x5t#S256", **changes: object) -> str:
        digest = hashlib.sha256(self.der) if thumbprint == "x5t#S256" else hashlib.sha1(self.der)  # noqa: S324
        now = datetime.now(UTC)
        claims = {
            "aud": f"{BASE}/common/oauth2/v2.0/token",
            "iss": DEFAULT_CLIENT_ID,
            "sub": DEFAULT_CLIENT_ID,
            "jti": "one",
            "iat": now,
            "nbf": now,
            "exp": now + timedelta(minutes=5),
            **changes,
        }
        header = {thumbprint: base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode()}
        return jwt.encode(claims, self.key, algorithm=algorithm, headers=header)


@pytest.fixture(scope="module")
def certificate() -> Certificate:
    return Certificate()


async def refreshed_with(sandbox: Sandbox, assertion: str):
    app = Application(sandbox)
    token = (await app.connect(DANA))["refresh_token"]
    assertion_type = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    return await app.refresh(
        token, client_secret=None, client_assertion=assertion, client_assertion_type=assertion_type
    )


@pytest.mark.parametrize(("algorithm", "thumbprint"), [("PS256", "x5t#S256"), ("RS256", "x5t")])
async def test_a_signed_assertion_stands_for_the_secret(
    certificate: Certificate, algorithm: str, thumbprint: str
) -> None:
    sandbox = Sandbox()
    sandbox.add_certificate(certificate.pem)
    answer = await refreshed_with(sandbox, certificate.assertion(algorithm, thumbprint))
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"aud": "http://localhost/other"}, 50012),
        ({"iss": "somebody"}, 50012),
        ({"exp": datetime(2020, 1, 1, tzinfo=UTC)}, 700024),
        ({"nbf": datetime(2080, 1, 1, tzinfo=UTC)}, 700024),
    ],
)
async def test_an_assertion_with_wrong_claims_is_refused(
    certificate: Certificate, changes: dict[str, Any], code: int
) -> None:
    sandbox = Sandbox()
    sandbox.add_certificate(certificate.pem)
    answer = await refreshed_with(sandbox, certificate.assertion(**changes))
    assert refusal(answer) == (401, "invalid_client", [code], None)


async def test_an_assertion_of_an_unknown_certificate_or_another_key_is_refused(certificate: Certificate) -> None:
    sandbox = Sandbox()
    assert refusal(await refreshed_with(sandbox, certificate.assertion()))[2] == [700027]
    sandbox.add_certificate(certificate.pem)
    forger = Certificate()
    forger.der = certificate.der
    assert refusal(await refreshed_with(sandbox, forger.assertion()))[2] == [700027]


# Refresh


async def test_a_refresh_gives_a_new_pair_and_keeps_the_old_token_valid() -> None:
    app = Application(Sandbox())
    first = await app.connect(DANA)
    second = (await app.refresh(first["refresh_token"])).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert second["access_token"] != first["access_token"]
    assert second["scope"] == first["scope"]
    assert (await app.refresh(first["refresh_token"])).status_code == 200


async def test_one_time_rotation_ends_the_old_token() -> None:
    sandbox = Sandbox()
    sandbox.rotation("one_time")
    app = Application(sandbox)
    first = (await app.connect(DANA))["refresh_token"]
    second = (await app.refresh(first)).json()["refresh_token"]
    assert refusal(await app.refresh(first)) == (400, "invalid_grant", [70000], None)
    assert (await app.refresh(second)).status_code == 200


async def test_without_rotation_no_new_refresh_token_comes() -> None:
    sandbox = Sandbox()
    sandbox.rotation("none")
    app = Application(sandbox)
    token = (await app.connect(DANA))["refresh_token"]
    assert "refresh_token" not in (await app.refresh(token)).json()
    assert (await app.refresh(token)).status_code == 200


async def test_ninety_days_of_silence_end_a_refresh_token_and_use_slides_the_end() -> None:
    sandbox = Sandbox()
    app = Application(sandbox)
    sandbox.freeze_clock()
    token = (await app.connect(DANA))["refresh_token"]
    sandbox.advance_clock(89 * 86_400)
    newer = (await app.refresh(token)).json()["refresh_token"]
    sandbox.advance_clock(86_400)
    assert refusal(await app.refresh(token)) == (400, "invalid_grant", [700082], None)
    assert (await app.refresh(newer)).status_code == 200


async def test_a_refresh_token_of_a_single_page_app_lives_a_day_however_often_it_is_used() -> None:
    sandbox = Sandbox()
    app = Application(sandbox, client_id=SPA_CLIENT_ID, secret=None, headers={"origin": "http://localhost:8754"})
    sandbox.freeze_clock()
    token = (await app.connect(DANA))["refresh_token"]
    sandbox.advance_clock(86_399)
    newer = (await app.refresh(token)).json()["refresh_token"]
    sandbox.advance_clock(1)
    assert refusal(await app.refresh(newer)) == (400, "invalid_grant", [700084], None)


async def test_a_refresh_for_fewer_scopes_gives_fewer() -> None:
    sandbox = Sandbox()
    app = Application(sandbox)
    token = (await app.connect(DANA))["refresh_token"]
    body = (await app.refresh(token, scope="User.Read offline_access")).json()
    assert "Calendars.ReadWrite" not in body["scope"]
    assert "Calendars.ReadWrite" not in sandbox.halves.tokens.check(f"Bearer {body['access_token']}").scopes


async def test_a_refresh_for_a_scope_that_was_never_granted_asks_for_consent() -> None:
    app = Application(Sandbox())
    token = (await app.connect(DANA))["refresh_token"]
    answer = await app.refresh(token, scope=f"{SCOPE} MailboxSettings.Read")
    assert refusal(answer) == (400, "invalid_grant", [65001], "consent_required")


async def test_a_refresh_token_belongs_to_its_client_and_its_kind_of_account() -> None:
    sandbox = Sandbox()
    token = (await Application(sandbox).connect(DANA))["refresh_token"]
    native = Application(sandbox, client_id=NATIVE_CLIENT_ID, secret=None)
    assert refusal(await native.refresh(token)) == (400, "invalid_grant", [70000], "client_mismatch")
    assert refusal(await Application(sandbox, authority="consumers").refresh(token))[2] == [700005]
    assert refusal(await Application(sandbox, authority=FABRIKAM).refresh(token))[2] == [50020]
    assert (await Application(sandbox, authority=CONTOSO).refresh(token)).status_code == 200
    assert (await Application(sandbox, authority="organizations").refresh(token)).status_code == 200


async def test_withheld_scopes_are_missing_from_the_answer() -> None:
    sandbox = Sandbox()
    sandbox.withhold_scopes("Calendars.ReadWrite")
    body = await Application(sandbox).connect(DANA)
    assert "Calendars.ReadWrite" not in body["scope"]


# What ends a grant: "Revocation and change scenarios"

Turn = Callable[[Sandbox], object]


@pytest.mark.parametrize(
    ("turn", "status", "error", "code", "suberror"),
    [
        (lambda s: s.revoke_grant(DANA), 400, "invalid_grant", 65001, "consent_required"),
        (lambda s: s.revoke_grant(DANA, by="admin"), 400, "invalid_grant", 65001, "consent_required"),
        (lambda s: s.revoke_sessions(DANA), 400, "invalid_grant", 50173, None),
        (lambda s: s.disable_person(DANA), 400, "invalid_grant", 50057, None),
        (lambda s: s.delete_person(DANA), 400, "invalid_grant", 500341, None),
        (lambda s: s.disable_app("Contoso"), 400, "unauthorized_client", 7000112, None),
        (lambda s: s.delete_app("company.com"), 400, "unauthorized_client", 700016, None),
        (lambda s: s.delete_registration(), 400, "unauthorized_client", 700016, None),
        (lambda s: s.require_assignment(CONTOSO), 400, "invalid_grant", 50105, None),
        (lambda s: s.require_mfa(), 400, "invalid_grant", 50076, "basic_action"),
        (lambda s: s.conditional_access(53003), 400, "invalid_grant", 53003, "message_only"),
        (lambda s: s.expire_refresh_tokens(DANA), 400, "invalid_grant", 700082, None),
        (lambda s: s.expire_refresh_tokens(code=70043), 400, "invalid_grant", 70043, "token_expired"),
        (lambda s: s.expire_client_secret(), 401, "invalid_client", 7000222, None),
    ],
)
async def test_the_next_refresh_of_a_work_account_says_what_happened(
    turn: Turn, status: int, error: str, code: int, suberror: str | None
) -> None:
    sandbox = Sandbox()
    app = Application(sandbox)
    body = await app.connect(DANA)
    turn(sandbox)
    assert refusal(await app.refresh(body["refresh_token"])) == (status, error, [code], suberror)
    # Without continuous access evaluation the access token lives on.
    assert sandbox.halves.tokens.check(f"Bearer {body['access_token']}").person.address == DANA


async def test_after_the_app_was_deleted_a_refresh_can_also_ask_for_consent() -> None:
    sandbox = Sandbox()
    app = Application(sandbox)
    token = (await app.connect(DANA))["refresh_token"]
    sandbox.delete_app("Contoso")
    sandbox.deleted_app_answer(65001)
    assert refusal(await app.refresh(token)) == (400, "invalid_grant", [65001], "consent_required")
    assert (await app.connect(DANA))["refresh_token"]
    assert (await app.refresh(token)).status_code == 200


async def test_a_personal_account_that_removes_the_app_gets_a_bad_token() -> None:
    sandbox = Sandbox()
    app = Application(sandbox)
    token = (await app.connect(PAT))["refresh_token"]
    sandbox.revoke_grant(PAT)
    assert refusal(await app.refresh(token)) == (400, "invalid_grant", [70000], "bad_token")
    assert (await app.connect(PAT))["refresh_token"]
    assert refusal(await app.refresh(token))[2] == [70000]


async def test_an_admin_consent_outlives_the_users_own() -> None:
    sandbox = Sandbox()
    app = Application(sandbox)
    token = (await app.connect(DANA))["refresh_token"]
    sandbox.grant_admin_consent("Contoso")
    sandbox.revoke_grant(DANA)
    assert (await app.refresh(token)).status_code == 200
    sandbox.revoke_grant(DANA, by="admin")
    assert refusal(await app.refresh(token))[2] == [65001]


async def test_a_grant_that_covers_a_part_gives_a_smaller_scope() -> None:
    sandbox = Sandbox()
    app = Application(sandbox)
    token = (await app.connect(DANA))["refresh_token"]
    sandbox.revoke_grant(DANA)
    sandbox.grant_admin_consent("Contoso", "User.Read")
    body = (await app.refresh(token)).json()
    assert "User.Read" in body["scope"]
    assert "Calendars.ReadWrite" not in body["scope"]


async def test_a_guests_grant_ends_with_the_sessions_at_home() -> None:
    sandbox = Sandbox()
    app = Application(sandbox, authority=CONTOSO)
    token = (await app.connect("gina@fabrikam.example"))["refresh_token"]
    sandbox.revoke_sessions("gina@fabrikam.example")
    assert refusal(await app.refresh(token))[2] == [50173]


async def test_the_text_of_a_revoked_grant_names_both_dates() -> None:
    sandbox = Sandbox()
    app = Application(sandbox)
    sandbox.freeze_clock(datetime(2026, 9, 1, 8, 0, tzinfo=UTC))
    token = (await app.connect(DANA))["refresh_token"]
    sandbox.advance_clock(3600)
    sandbox.revoke_sessions(DANA)
    text = (await app.refresh(token)).json()["error_description"]
    assert "'2026-09-01T08:00:00.0000000Z'" in text
    assert "'2026-09-01T09:00:00.0000000Z'" in text


async def test_a_grant_made_with_mfa_survives_the_policy() -> None:
    sandbox = Sandbox()
    sandbox.require_mfa()
    app = Application(sandbox)
    token = (await app.connect(DANA))["refresh_token"]
    assert (await app.refresh(token)).status_code == 200
