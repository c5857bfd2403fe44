"""The code flow as a client and a browser live through it."""

from __future__ import annotations

import base64
import json

import httpx2 as httpx
import jwt
import pytest
from identity_client import BASE, CALLBACK, HOST, SCOPE, VERIFIER, Application, query_of, refusal

from scalekit_mcp.sandbox import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, Sandbox
from scalekit_mcp.sandbox.world import CONSUMER_TENANT
from scalekit_mcp.sandbox.world.seed import CONTOSO, FABRIKAM, SINGLE_TENANT_CLIENT_ID, SPA_CLIENT_ID


async def claims_of(sandbox: Sandbox, id_token: str, authority: str = "common") -> tuple[dict[str, object], str]:
    """The verified claims and the issuer that the discovery document leads to."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=sandbox.app), base_url=BASE) as client:
        document = (await client.get(f"/{authority}/v2.0/.well-known/openid-configuration")).json()
        published = (await client.get(document["jwks_uri"])).json()
    kid = jwt.get_unverified_header(id_token)["kid"]
    key = jwt.PyJWKSet.from_dict(published)[kid]
    claims = jwt.decode(id_token, key, algorithms=["RS256"], audience=DEFAULT_CLIENT_ID)
    issuer = next(entry["issuer"] for entry in published["keys"] if entry["kid"] == kid)
    return claims, issuer.replace("{tenantid}", claims["tid"])


async def test_a_person_signs_in_consents_and_the_code_becomes_tokens() -> None:
    sandbox = Sandbox()
    app = Application(sandbox)
    back = await app.sign_in("dana@company.com")
    assert back["state"] == "state-1"
    assert len(back["code"]) > 1000
    body = (await app.redeem(back["code"])).json()
    assert body["token_type"] == "Bearer"
    assert set(body["scope"].split()) == {
        "https://graph.microsoft.com/Calendars.ReadWrite",
        "https://graph.microsoft.com/User.Read",
        "openid",
        "profile",
        "email",
    }
    assert 3600 <= body["expires_in"] <= 5399
    info = sandbox.halves.tokens.check(f"Bearer {body['access_token']}")
    assert info.person is sandbox.people["dana@company.com"]
    assert {"Calendars.ReadWrite", "User.Read"} <= info.scopes
    claims, issuer = await claims_of(sandbox, body["id_token"])
    assert claims["iss"] == issuer == f"{BASE}/{CONTOSO}/v2.0"
    assert claims["nonce"] == "nonce-1"
    assert claims["oid"] == sandbox.people["dana@company.com"].oid


async def test_a_personal_account_gets_opaque_tokens_short_scopes_and_its_own_issuer() -> None:
    sandbox = Sandbox()
    body = await Application(sandbox).connect("pat@outlook.example")
    assert body["access_token"].startswith("EwB")
    assert body["refresh_token"].startswith("M.C")
    assert set(body["scope"].split()) == {"Calendars.ReadWrite", "User.Read", "openid", "profile"}
    claims, issuer = await claims_of(sandbox, body["id_token"])
    assert claims["iss"] == issuer == f"{BASE}/{CONSUMER_TENANT}/v2.0"
    assert str(claims["oid"]).startswith("00000000-0000-0000-")


async def test_without_offline_access_and_openid_there_is_neither_refresh_token_nor_id_token() -> None:
    body = await Application(Sandbox()).connect("dana@company.com", scope="User.Read")
    assert "refresh_token" not in body
    assert "id_token" not in body


async def test_client_info_names_account_and_tenant_in_redirect_and_answer() -> None:
    sandbox = Sandbox()
    app = Application(sandbox)
    back = await app.sign_in("dana@company.com", client_info="1")
    body = (await app.redeem(back["code"], client_info="1")).json()
    dana = sandbox.people["dana@company.com"]
    for text in (back["client_info"], body["client_info"]):
        assert json.loads(base64.urlsafe_b64decode(text + "==")) == {"uid": dana.oid, "utid": CONTOSO}


async def test_a_code_works_once() -> None:
    app = Application(Sandbox())
    code = (await app.sign_in("dana@company.com"))["code"]
    assert (await app.redeem(code)).status_code == 200
    assert refusal(await app.redeem(code)) == (400, "invalid_grant", [54005], None)


async def test_a_code_ends_after_ten_minutes() -> None:
    sandbox = Sandbox()
    app = Application(sandbox)
    sandbox.freeze_clock()
    code = (await app.sign_in("dana@company.com"))["code"]
    sandbox.advance_clock(600)
    assert refusal(await app.redeem(code)) == (400, "invalid_grant", [70008], None)
    code = (await app.sign_in("dana@company.com"))["code"]
    sandbox.advance_clock(599)
    assert (await app.redeem(code)).status_code == 200


@pytest.mark.parametrize("verifier", [None, "w" * 64, "v" * 42, VERIFIER.upper()])
async def test_a_wrong_or_missing_verifier_is_refused_and_leaves_the_code_usable(verifier: str | None) -> None:
    app = Application(Sandbox())
    code = (await app.sign_in("dana@company.com"))["code"]
    assert refusal(await app.redeem(code, code_verifier=verifier)) == (400, "invalid_grant", [501481], None)
    assert (await app.redeem(code)).status_code == 200


async def test_a_plain_challenge_is_compared_as_it_is() -> None:
    app = Application(Sandbox())
    back = await app.sign_in("dana@company.com", code_challenge=VERIFIER, code_challenge_method="plain")
    assert (await app.redeem(back["code"])).status_code == 200


async def test_the_redirect_uri_of_the_redemption_is_the_one_of_the_request() -> None:
    app = Application(Sandbox())
    code = (await app.sign_in("dana@company.com"))["code"]
    other = await app.redeem(code, redirect_uri="http://localhost:9999/oauth/callback")
    assert refusal(other) == (401, "invalid_client", [500112], None)


async def test_a_code_of_one_tenant_is_refused_at_another() -> None:
    app = Application(Sandbox())
    code = (await app.sign_in("dana@company.com"))["code"]
    assert refusal(await app.redeem(code, authority=FABRIKAM)) == (400, "invalid_grant", [700005], None)
    assert refusal(await app.redeem(code, authority="consumers")) == (400, "invalid_grant", [700005], None)
    assert (await app.redeem(code, authority=CONTOSO)).status_code == 200


async def test_basic_authentication_works_like_the_secret_in_the_body() -> None:
    app = Application(Sandbox())
    code = (await app.sign_in("dana@company.com"))["code"]
    credentials = base64.b64encode(f"{DEFAULT_CLIENT_ID}:{DEFAULT_CLIENT_SECRET}".encode()).decode()
    app.headers["authorization"] = f"Basic {credentials}"
    app.secret = None
    assert (await app.redeem(code, client_id=None)).status_code == 200


async def test_the_fragment_mode_answers_behind_the_hash() -> None:
    app = Application(Sandbox())
    async with app.browser() as browser:
        url = await browser.sign_in(app.authorize_url(response_mode="fragment"), "dana@company.com")
    assert url.startswith(f"{CALLBACK}#code=")


async def test_the_form_post_mode_answers_with_a_form_for_the_redirect_uri() -> None:
    app = Application(Sandbox())
    async with app.browser() as browser:
        await browser.sign_in(app.authorize_url(response_mode="form_post"), "dana@company.com")
        form = browser.forms[0]
    assert (form.method, form.action) == ("POST", CALLBACK)
    assert form.fields["state"] == "state-1"
    assert (await app.redeem(form.fields["code"])).status_code == 200


async def test_markup_is_stripped_from_the_state() -> None:
    back = await Application(Sandbox()).sign_in("dana@company.com", state="a<script>b</script>c")
    assert back["state"] == "abc"


async def test_the_second_sign_in_asks_for_no_consent() -> None:
    app = Application(Sandbox())
    await app.connect("dana@company.com")
    async with app.browser() as browser:
        await browser.open(app.authorize_url())
        assert (await browser.press("dana@company.com")).startswith(CALLBACK)


async def test_a_new_scope_asks_for_consent_to_that_scope_alone() -> None:
    app = Application(Sandbox())
    await app.connect("dana@company.com")
    async with app.browser() as browser:
        await browser.open(app.authorize_url(scope=f"{SCOPE} MailboxSettings.Read"))
        await browser.press("dana@company.com")
        assert "MailboxSettings.Read" in browser.text
        assert "Calendars.ReadWrite" not in browser.text


async def test_prompt_consent_asks_again() -> None:
    app = Application(Sandbox())
    await app.connect("dana@company.com")
    async with app.browser() as browser:
        await browser.open(app.authorize_url(prompt="consent"))
        await browser.press("dana@company.com")
        assert "Calendars.ReadWrite" in browser.text
        assert (await browser.press("accept")).startswith(CALLBACK)


async def test_cancel_goes_back_as_access_denied_with_its_subcode() -> None:
    back = await Application(Sandbox()).sign_in("dana@company.com", accept=False)
    assert back["error"] == "access_denied"
    assert back["error_subcode"] == "cancel"
    assert back["state"] == "state-1"
    assert "code" not in back


async def test_a_signed_in_browser_goes_through_without_a_page() -> None:
    app = Application(Sandbox())
    async with app.browser() as browser:
        await browser.sign_in(app.authorize_url(), "dana@company.com")
        assert "code" in query_of(await browser.open(app.authorize_url()))
        assert "code" in query_of(await browser.open(app.authorize_url(prompt="none")))
        await browser.open(app.authorize_url(prompt="select_account", login_hint="dana@company.com"))
        assert "alice@company.com" in browser.text
        await browser.open(app.authorize_url(prompt="login"))
        assert "Pick an account" in browser.text
        await browser.open(f"{BASE}/common/oauth2/v2.0/logout")
        assert query_of(await browser.open(app.authorize_url(prompt="none")))["error"] == "login_required"


async def test_prompt_none_never_shows_a_page() -> None:
    sandbox = Sandbox()
    app = Application(sandbox)
    async with app.browser() as browser:
        silent = app.authorize_url(prompt="none")
        assert query_of(await browser.open(silent))["error"] == "login_required"
        await browser.sign_in(app.authorize_url(scope="User.Read"), "dana@company.com")
        assert query_of(await browser.open(silent))["error"] == "consent_required"
        await browser.sign_in(app.authorize_url(), "dana@company.com")
        sandbox.require_mfa()
        assert query_of(await browser.open(silent))["error"] == "interaction_required"
        sandbox.require_mfa(False)
        await browser.sign_in(app.authorize_url(prompt="select_account"), "alice@company.com")
        assert query_of(await browser.open(silent))["error"] == "interaction_required"
        hinted = app.authorize_url(prompt="none", login_hint="Alice@company.com")
        assert "code" in query_of(await browser.open(hinted))


async def test_login_hint_and_domain_hint_narrow_the_chooser() -> None:
    app = Application(Sandbox())
    async with app.browser() as browser:
        await browser.open(app.authorize_url(login_hint="alice@company.com"))
        assert "alice@company.com" in browser.text
        assert "dana@company.com" not in browser.text
        await browser.press("Other accounts")
        assert "dana@company.com" in browser.text
        await browser.open(app.authorize_url(domain_hint="consumers"))
        assert "pat@outlook.example" in browser.text
        assert "dana@company.com" not in browser.text
        await browser.open(app.authorize_url(domain_hint="fabrikam.example"))
        assert "fiona@fabrikam.example" in browser.text
        assert "dana@company.com" not in browser.text


@pytest.mark.parametrize(
    ("changes", "error", "code"),
    [
        ({"response_type": "token"}, "unsupported_response_type", 70005),
        ({"response_type": None}, "invalid_request", 900144),
        ({"scope": None}, "invalid_request", 900144),
        ({"response_mode": "pigeon"}, "invalid_request", 70004),
        ({"prompt": "maybe"}, "invalid_request", 90023),
        ({"scope": "openid Calendars.Dance"}, "invalid_client", 650053),
        ({"scope": "https://other.example/Thing"}, "invalid_resource", 500011),
        ({"scope": "User.Read .default"}, "invalid_scope", 70011),
        ({"claims": "no JSON"}, "invalid_request", 9002313),
        ({"code_challenge": "short"}, "invalid_request", 90023),
    ],
)
async def test_faults_of_the_request_travel_back_to_the_application(
    changes: dict[str, str | None], error: str, code: int
) -> None:
    app = Application(Sandbox())
    async with app.browser() as browser:
        back = query_of(await browser.open(app.authorize_url(**changes)))
    assert back["error"] == error
    assert back["error_description"].startswith(f"AADSTS{code}:")
    assert back["error_uri"].endswith(f"code={code}")
    assert back["state"] == "state-1"


@pytest.mark.parametrize(
    ("authority", "changes", "code"),
    [
        ("common", {"client_id": "00000000-1111-4222-8333-444444444444"}, 700016),
        ("common", {"client_id": None}, 900144),
        ("common", {"redirect_uri": "https://evil.example/oauth/callback"}, 50011),
        ("common", {"redirect_uri": "http://localhost:8754/oauth/Callback"}, 50011),
        ("common", {"redirect_uri": "http://127.0.0.1:8754/oauth/callback"}, 50011),
        ("nowhere", {}, 900023),
        ("nowhere.example", {}, 90002),
        ("common", {"client_id": SINGLE_TENANT_CLIENT_ID}, 50194),
        (FABRIKAM, {"client_id": SINGLE_TENANT_CLIENT_ID}, 700016),
    ],
)
async def test_faults_before_the_redirect_uri_is_trusted_stay_on_a_page(
    authority: str, changes: dict[str, str | None], code: int
) -> None:
    app = Application(Sandbox(), authority=authority)
    async with app.browser() as browser:
        url = await browser.open(app.authorize_url(**changes))
        assert url.startswith(f"{BASE}/{authority}/")
        assert f"AADSTS{code}:" in browser.text
        assert "Request Id" in browser.text
        assert "NOT Microsoft" in browser.text


async def test_a_parameter_sent_twice_is_refused_on_a_page() -> None:
    app = Application(Sandbox())
    async with app.browser() as browser:
        await browser.open(app.authorize_url() + "&prompt=login&prompt=login")
        assert "AADSTS9000411:" in browser.text


@pytest.mark.parametrize(
    ("authority", "address", "code"),
    [
        (CONTOSO, "pat@outlook.example", 50020),
        ("company.com", "fiona@fabrikam.example", 50020),
        ("organizations", "pat@outlook.example", 50020),
        ("consumers", "dana@company.com", 500208),
        ("common", "dieter@company.com", 50057),
    ],
)
async def test_an_account_that_may_not_sign_in_here_sees_a_page(authority: str, address: str, code: int) -> None:
    app = Application(Sandbox(), authority=authority)
    async with app.browser() as browser:
        url = await browser.sign_in(app.authorize_url(), address)
        assert not url.startswith(HOST)
        assert f"AADSTS{code}:" in browser.text


async def test_an_unknown_address_stays_at_the_chooser() -> None:
    app = Application(Sandbox())
    async with app.browser() as browser:
        await browser.sign_in(app.authorize_url(), "nobody@company.com")
        assert "AADSTS50034" in browser.text
        assert "Pick an account" in browser.text


async def test_a_guest_is_reached_only_through_the_inviting_tenant() -> None:
    sandbox = Sandbox()
    body = await Application(sandbox, authority=CONTOSO).connect("gina@fabrikam.example")
    info = sandbox.halves.tokens.check(f"Bearer {body['access_token']}")
    assert info.person.is_guest
    assert info.tenant_id == CONTOSO
    claims, _ = await claims_of(sandbox, body["id_token"], CONTOSO)
    assert claims["tid"] == CONTOSO
    assert claims["preferred_username"] == "gina@fabrikam.example"
    refreshed = await Application(sandbox, authority=CONTOSO).refresh(body["refresh_token"])
    assert refreshed.status_code == 200


async def test_a_single_page_app_needs_pkce_a_browser_and_no_secret() -> None:
    app = Application(Sandbox(), client_id=SPA_CLIENT_ID, secret=None)
    back = await app.sign_in("dana@company.com", code_challenge=None)
    assert back["error_description"].startswith("AADSTS9002325:")
    code = (await app.sign_in("dana@company.com"))["code"]
    assert refusal(await app.redeem(code))[2] == [9002327]
    app.headers["origin"] = "http://localhost:8754"
    answer = await app.redeem(code)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_a_web_app_cannot_redeem_from_a_browser() -> None:
    app = Application(Sandbox(), headers={"origin": "http://localhost:8754"})
    code = (await app.sign_in("dana@company.com"))["code"]
    assert refusal(await app.redeem(code))[2] == [9002326]


async def test_the_discovery_document_has_the_gaps_that_microsofts_has() -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=Sandbox().app), base_url=BASE) as client:
        common = (await client.get("/common/v2.0/.well-known/openid-configuration")).json()
        tenant = (await client.get("/company.com/v2.0/.well-known/openid-configuration")).json()
        consumers = (await client.get("/consumers/v2.0/.well-known/openid-configuration")).json()
        unknown = await client.get("/nowhere.example/v2.0/.well-known/openid-configuration")
    assert common["issuer"] == f"{BASE}/{{tenantid}}/v2.0"
    assert tenant["issuer"] == f"{BASE}/{CONTOSO}/v2.0"
    assert consumers["issuer"] == f"{BASE}/{CONSUMER_TENANT}/v2.0"
    assert "code_challenge_methods_supported" not in common
    assert "revocation_endpoint" not in common
    assert refusal(unknown) == (400, "invalid_tenant", [90002], None)
