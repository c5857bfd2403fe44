"""Consent policies, administrators, and the device authorization grant."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from identity_client import BASE, CALLBACK, HOST, SCOPE, Application, query_of, refusal

from scalekit_mcp.sandbox import DEFAULT_CLIENT_ID, Sandbox
from scalekit_mcp.sandbox.world.seed import CONTOSO, FABRIKAM, NATIVE_CLIENT_ID

FIONA, IVAN, DANA, IRENE = "fiona@fabrikam.example", "admin@fabrikam.example", "dana@company.com", "admin@company.com"
ADMIN_CALLBACK = f"{HOST}oauth/admin-consent"
CALENDAR = "https://graph.microsoft.com/Calendars.ReadWrite"


def admin_url(authority: str = "organizations", *, version: int = 2, **changes: str) -> str:
    parameters = {"client_id": DEFAULT_CLIENT_ID, "redirect_uri": ADMIN_CALLBACK, "state": "s"}
    if version == 2:
        parameters["scope"] = f"{CALENDAR} User.Read openid profile offline_access"
    path = "v2.0/adminconsent" if version == 2 else "adminconsent"
    return f"{BASE}/{authority}/{path}?{urlencode(parameters | changes)}"


async def test_under_the_managed_policy_a_user_needs_an_administrator_for_calendars() -> None:
    app = Application(Sandbox())
    async with app.browser() as browser:
        await browser.sign_in(app.authorize_url(), FIONA, accept=True)
        assert "Need admin approval" in browser.text
        assert "AADSTS90094" in browser.text
        back = query_of(await browser.press("Return to the application without granting consent"))
    assert (back["error"], back["error_subcode"]) == ("access_denied", "cancel")


async def test_under_the_managed_policy_a_user_consents_to_the_profile_alone() -> None:
    body = await Application(Sandbox()).connect(FIONA, scope="openid profile offline_access User.Read")
    assert "Calendars" not in body["scope"]


async def test_with_the_workflow_a_request_is_kept_and_nothing_is_redirected() -> None:
    sandbox = Sandbox()
    sandbox.set_consent_policy("fabrikam.example", "managed", workflow=True)
    app = Application(sandbox)
    async with app.browser() as browser:
        await browser.sign_in(app.authorize_url(), FIONA)
        assert "AADSTS90095" in browser.text
        url = await browser.press("Request approval", justification="my calendar")
        assert not url.startswith(HOST)
    [request] = sandbox.state()["admin_requests"]
    assert request["address"] == FIONA
    assert request["scopes"] == ["Calendars.ReadWrite", "User.Read"]
    assert request["justification"] == "my calendar"


async def test_an_administrator_signs_in_on_the_approval_page_and_consents_for_everybody() -> None:
    app = Application(Sandbox())
    async with app.browser() as browser:
        await browser.sign_in(app.authorize_url(), FIONA)
        await browser.press("Have an admin account?")
        await browser.press(IVAN)
        assert "Consent on behalf of your organization" in browser.text
        back = query_of(await browser.press("accept", organization="on"))
        assert back["code"]
    assert (await app.connect(FIONA))["refresh_token"]
    assert (await app.connect("felix@fabrikam.example"))["refresh_token"]


async def test_an_administrators_own_consent_helps_nobody_else() -> None:
    app = Application(Sandbox())
    await app.connect(IVAN)
    assert await app.sign_in(FIONA) == {}


async def test_prompt_consent_brings_the_approval_page_back_after_an_admin_consent() -> None:
    sandbox = Sandbox()
    sandbox.grant_admin_consent("Fabrikam Bank")
    app = Application(sandbox)
    assert (await app.connect(FIONA))["refresh_token"]
    assert await app.sign_in(FIONA, prompt="consent") == {}


async def test_the_policy_none_keeps_even_the_profile_for_administrators() -> None:
    sandbox = Sandbox()
    sandbox.set_consent_policy("Contoso", "none")
    app = Application(sandbox)
    assert await app.sign_in(DANA, scope="openid User.Read") == {}
    assert (await app.connect(IRENE))["refresh_token"]


async def test_a_user_cannot_talk_the_form_into_a_consent_for_everybody() -> None:
    sandbox = Sandbox()
    app = Application(sandbox)
    async with app.browser() as browser:
        await browser.open(app.authorize_url())
        await browser.press(DANA)
        await browser.press("accept", organization="on")
    assert sandbox.world.enterprise_apps[DEFAULT_CLIENT_ID, CONTOSO].admin_scopes == set()


async def test_a_user_who_needs_approval_cannot_accept_by_hand() -> None:
    app = Application(Sandbox())
    async with app.browser() as browser:
        await browser.sign_in(app.authorize_url(), FIONA)
        flow = browser.forms[0].fields["flow"]
    answer = await app.post("/common/login", {"flow": flow, "action": "accept"})
    assert "Need admin approval" in answer.text


async def test_a_scope_for_organizations_is_refused_to_a_personal_account() -> None:
    app = Application(Sandbox())
    back = await app.sign_in("pat@outlook.example", scope=f"{SCOPE} Calendars.Read.Shared")
    assert back["error"] == "invalid_scope"
    assert back["error_description"].startswith("AADSTS70011:")


async def test_disabled_and_unassigned_applications_are_refused_on_a_page() -> None:
    sandbox = Sandbox()
    app = Application(sandbox)
    for turn, undo, code in (
        (lambda: sandbox.disable_app("Contoso"), lambda: sandbox.enable_app("Contoso"), 7000112),
        (lambda: sandbox.require_assignment("Contoso"), lambda: sandbox.assign_person(DANA), 50105),
        (lambda: sandbox.conditional_access(53003), lambda: sandbox.conditional_access(None), 53003),
    ):
        turn()
        async with app.browser() as browser:
            await browser.sign_in(app.authorize_url(), DANA)
            assert f"AADSTS{code}:" in browser.text
        undo()
        assert (await app.sign_in(DANA))["code"]


async def test_a_sign_in_that_took_too_long_starts_again() -> None:
    sandbox = Sandbox()
    app = Application(sandbox)
    async with app.browser() as browser:
        await browser.open(app.authorize_url())
        sandbox.advance_clock(901)
        await browser.press(DANA)
        assert "AADSTS50089:" in browser.text


# The admin consent endpoints


@pytest.mark.parametrize("authority", ["organizations", FABRIKAM, "fabrikam.example"])
async def test_admin_consent_names_tenant_and_scopes_and_opens_the_way_for_users(authority: str) -> None:
    app = Application(Sandbox())
    async with app.browser() as browser:
        back = query_of(await browser.sign_in(admin_url(authority), IVAN))
    assert back["admin_consent"] == "True"
    assert back["tenant"] == FABRIKAM
    assert CALENDAR in back["scope"].split()
    assert back["state"] == "s"
    assert "code" not in back
    async with app.browser() as browser:
        await browser.open(app.authorize_url())
        assert "code" in query_of(await browser.press(FIONA))


async def test_a_declined_admin_consent_still_says_admin_consent_true() -> None:
    app = Application(Sandbox())
    async with app.browser() as browser:
        back = query_of(await browser.sign_in(admin_url(), IVAN, accept=False))
    assert back["error"] == "consent_required"
    assert back["error_description"].startswith("AADSTS65004:")
    assert back["admin_consent"] == "True"
    assert back["tenant"] == FABRIKAM


async def test_only_an_administrator_passes_and_personal_accounts_are_not_offered() -> None:
    app = Application(Sandbox())
    async with app.browser() as browser:
        await browser.open(admin_url())
        assert "pat@outlook.example" not in browser.text
        await browser.press(FIONA)
        assert "AADSTS90093:" in browser.text


async def test_the_newer_endpoint_has_no_common_and_checks_the_redirect_uri() -> None:
    app = Application(Sandbox())
    async with app.browser() as browser:
        await browser.open(admin_url("common"))
        assert "AADSTS90002:" in browser.text
        await browser.open(admin_url(redirect_uri="https://evil.example/"))
        assert "AADSTS50011:" in browser.text


async def test_the_older_endpoint_grants_what_the_registration_lists() -> None:
    sandbox = Sandbox()
    app = Application(sandbox)
    async with app.browser() as browser:
        back = query_of(await browser.sign_in(admin_url("common", version=1), IVAN))
        assert back == {"admin_consent": "True", "tenant": FABRIKAM, "state": "s"}
        declined = query_of(await browser.sign_in(admin_url("common", version=1), IVAN, accept=False))
    assert declined["error"] == "permission_denied"
    granted = sandbox.world.enterprise_apps[DEFAULT_CLIENT_ID, FABRIKAM].admin_scopes
    assert granted == {"User.Read", "Calendars.ReadWrite"}


# The device authorization grant


class Device(Application):
    async def begin(self) -> dict[str, object]:
        answer = await self.post("/common/oauth2/v2.0/devicecode", {"client_id": self.client_id, "scope": SCOPE})
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def poll(self, device_code: object):
        return await self.token(grant_type="urn:ietf:params:oauth:grant-type:device_code", device_code=str(device_code))

    async def decide(self, user_code: object, *, accept: bool) -> str:
        async with self.browser() as browser:
            await browser.open(f"{BASE}/devicelogin")
            await browser.press("Next", user_code=str(user_code).lower())
            assert "Are you trying to sign in" in browser.text
            if not accept:
                await browser.press("cancel")
            else:
                await browser.press("confirm_device")
                await browser.press(DANA)
                await browser.press("accept")
            return browser.text


def native(sandbox: Sandbox) -> Device:
    return Device(sandbox, client_id=NATIVE_CLIENT_ID, secret=None)


async def test_a_typed_user_code_signs_the_device_in() -> None:
    sandbox = Sandbox()
    sandbox.freeze_clock()
    app = native(sandbox)
    begun = await app.begin()
    assert (begun["interval"], begun["expires_in"]) == (5, 900)
    assert refusal(await app.poll(begun["device_code"])) == (400, "authorization_pending", [70016], None)
    assert "signed in" in await app.decide(begun["user_code"], accept=True)
    answer = await app.poll(begun["device_code"])
    assert answer.status_code == 200
    assert sandbox.halves.tokens.check(f"Bearer {answer.json()['access_token']}").person.address == DANA
    assert (await app.refresh(answer.json()["refresh_token"])).status_code == 200
    assert refusal(await app.poll(begun["device_code"]))[1] == "invalid_grant"


async def test_polling_too_often_is_slowed_down() -> None:
    sandbox = Sandbox()
    sandbox.freeze_clock()
    app = native(sandbox)
    begun = await app.begin()
    await app.poll(begun["device_code"])
    sandbox.advance_clock(4)
    assert refusal(await app.poll(begun["device_code"]))[1] == "slow_down"
    sandbox.advance_clock(9)
    assert refusal(await app.poll(begun["device_code"]))[1] == "slow_down"
    sandbox.advance_clock(15)
    assert refusal(await app.poll(begun["device_code"]))[1] == "authorization_pending"


async def test_a_declined_an_unknown_and_an_expired_device_code_have_errors_of_their_own() -> None:
    sandbox = Sandbox()
    app = native(sandbox)
    begun = await app.begin()
    await app.decide(begun["user_code"], accept=False)
    assert refusal(await app.poll(begun["device_code"]))[1] == "authorization_declined"
    assert refusal(await app.poll("unknown"))[1] == "bad_verification_code"
    begun = await app.begin()
    sandbox.advance_clock(900)
    assert refusal(await app.poll(begun["device_code"]))[1] == "expired_token"
    async with app.browser() as browser:
        await browser.open(f"{BASE}/devicelogin")
        await browser.press("Next", user_code=str(begun["user_code"]))
        assert "did not work" in browser.text


async def test_the_pages_are_safe_to_look_at() -> None:
    sandbox = Sandbox()
    sandbox.people[DANA].name = "<script>alert(1)</script>"
    app = Application(sandbox)
    async with app.browser() as browser:
        await browser.open(app.authorize_url())
        assert browser.page is not None
        policy = browser.page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "<script>" not in browser.text
        assert CALLBACK not in browser.text


async def test_a_sent_request_can_also_send_the_browser_back() -> None:
    sandbox = Sandbox()
    sandbox.set_consent_policy("fabrikam.example", "managed", workflow=True)
    sandbox.world.switches.redirect_after_admin_request = True
    app = Application(sandbox)
    async with app.browser() as browser:
        await browser.sign_in(app.authorize_url(), FIONA)
        back = query_of(await browser.press("Request approval"))
    assert (back["error"], back["error_subcode"]) == ("access_denied", "cancel")
    assert len(sandbox.state()["admin_requests"]) == 1
