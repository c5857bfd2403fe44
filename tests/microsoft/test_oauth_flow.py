"""The OAuth provider against the sandbox: consent page, code, refresh, refusals, credentials."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import httpx2 as httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalekit_mcp.accounts.model.records import AccountStatus, ProviderAccount, Reason, TokenSet
from scalekit_mcp.accounts.provider import AuthorizationRequest, Grant, GrantError, GrantFault
from scalekit_mcp.microsoft.identity import aadsts_table
from scalekit_mcp.microsoft.identity.aadsts_rules import Phase, rule
from scalekit_mcp.microsoft.identity.credentials import ClientCredentials, ClientSecret, PublicClient
from scalekit_mcp.microsoft.identity.oauth import MicrosoftOAuth
from scalekit_mcp.sandbox import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, Sandbox
from scalekit_mcp.sandbox.browser import Browser
from scalekit_mcp.sandbox.world import CONSUMER_TENANT, RecordedRequest, TokenFault
from scalekit_mcp.sandbox.world.seed import CONTOSO, NATIVE_CLIENT_ID
from tests.support.clock import HandClock
from tests.support.dropping import DroppingTransport

CALLBACK = "http://localhost:8754/oauth/callback"
SCOPES = ("openid", "profile", "offline_access", "User.Read", "Calendars.ReadWrite")
VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
CLAIMS = '{"access_token":{"acrs":{"essential":true,"value":"c1"}}}'


@dataclass
class Stage:
    """The sandbox, a clock that both sides share, and a provider."""

    sandbox: Sandbox
    clock: HandClock
    oauth: MicrosoftOAuth
    http: httpx.AsyncClient

    def move(self, **by: float) -> None:
        self.clock.advance(timedelta(**by).total_seconds())
        self.sandbox.clock.freeze(self.clock.at)

    def request(self, **changes: Any) -> AuthorizationRequest:
        fields: dict[str, Any] = {
            "redirect_uri": CALLBACK,
            "state": "state-1",
            "nonce": "nonce-1",
            "code_challenge": CHALLENGE,
            "scopes": SCOPES,
        }
        return AuthorizationRequest(**(fields | changes))

    async def sign_in(self, address: str = "dana@company.com", **changes: Any) -> dict[str, str]:
        async with Browser.of(self.sandbox.app, stop_at=("http://localhost:8754/",)) as browser:
            back = await browser.sign_in(self.oauth.authorization_url(self.request(**changes)), address)
        return {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}

    async def redeem(self, code: str, **changes: Any) -> Grant:
        fields: dict[str, Any] = {
            "code": code,
            "redirect_uri": CALLBACK,
            "code_verifier": VERIFIER,
            "nonce": "nonce-1",
            "scopes": SCOPES,
        }
        return await self.oauth.authorization_code_grant(**(fields | changes))

    async def connect(self, address: str = "dana@company.com") -> Grant:
        return await self.redeem((await self.sign_in(address))["code"])

    async def refresh(self, grant: Grant, **changes: Any) -> Any:
        fields: dict[str, Any] = {
            "refresh_token": grant.tokens.refresh_token,
            "account": grant.account,
            "scopes": grant.tokens.granted_scopes,
        }
        return await self.oauth.refresh_token_grant(**(fields | changes))

    @property
    def token_requests(self) -> list[RecordedRequest]:
        return [request for request in self.sandbox.requests if request.path.endswith("/token")]


@asynccontextmanager
async def stage(
    *,
    client_id: str = DEFAULT_CLIENT_ID,
    credentials: ClientCredentials | None = None,
    tenant: str = "common",
    graph_url: str = "http://localhost/v1.0",
) -> AsyncIterator[Stage]:
    sandbox, clock = Sandbox(), HandClock()
    sandbox.clock.freeze(clock.at)
    async with httpx.AsyncClient(transport=DroppingTransport(sandbox.app)) as http:
        oauth = MicrosoftOAuth(
            http,
            client_id=client_id,
            credentials=credentials or ClientSecret(DEFAULT_CLIENT_SECRET),
            login_url="http://localhost",
            tenant=tenant,
            scopes=SCOPES,
            graph_url=graph_url,
            clock=clock,
        )
        yield Stage(sandbox, clock, oauth, http)


async def test_a_consent_becomes_tokens_and_the_account_that_signed_in() -> None:
    async with stage() as s:
        grant = await s.connect()
        dana = s.sandbox.people["dana@company.com"]
        assert grant.account.key == (dana.tenant_id, dana.oid)
        assert grant.account.mailbox == "dana@company.com"
        assert grant.account.display_name == dana.name
        assert not grant.account.personal
        assert grant.tokens.granted_scopes == ("Calendars.ReadWrite", "User.Read")
        lifetime = (grant.tokens.expires_at - s.clock.now()).total_seconds()
        assert 3600 <= lifetime <= 5399
        assert grant.tokens.refresh_token is not None
        sent = s.token_requests[-1]
        assert sent.path == "/common/oauth2/v2.0/token"
        assert sent.body["client_secret"] == DEFAULT_CLIENT_SECRET
        assert sent.body["scope"].startswith("openid profile offline_access https://graph.microsoft.com/")


async def test_a_personal_account_is_known_by_its_tenant_and_refreshed_at_consumers() -> None:
    async with stage() as s:
        (personal,) = [person for person in s.sandbox.people.values() if person.tenant_id == CONSUMER_TENANT][:1]
        grant = await s.connect(personal.address)
        assert grant.account.personal
        assert grant.account.tid == CONSUMER_TENANT
        assert grant.tokens.granted_scopes == ("Calendars.ReadWrite", "User.Read")
        renewed = await s.refresh(grant)
        assert s.token_requests[-1].path == "/consumers/oauth2/v2.0/token"
        assert renewed.granted_scopes == grant.tokens.granted_scopes
        assert renewed.access_token != grant.tokens.access_token


async def test_a_refresh_goes_to_the_account_s_tenant_with_the_stored_scopes_and_offline_access() -> None:
    async with stage() as s:
        grant = await s.connect()
        renewed = await s.refresh(grant, scopes=("Calendars.ReadWrite",))
        sent = s.token_requests[-1]
        assert sent.path == f"/{CONTOSO}/oauth2/v2.0/token"
        assert sent.body["scope"] == "openid profile offline_access https://graph.microsoft.com/Calendars.ReadWrite"
        assert "claims" not in sent.body
        assert renewed.granted_scopes == ("Calendars.ReadWrite",)
        assert renewed.refresh_token not in {None, grant.tokens.refresh_token}


async def test_an_answer_without_a_refresh_token_says_none() -> None:
    async with stage() as s:
        grant = await s.connect()
        s.sandbox.world.switches.rotation = "none"
        assert (await s.refresh(grant)).refresh_token is None


async def test_claims_of_a_challenge_are_sent_with_the_refresh() -> None:
    async with stage() as s:
        grant = await s.connect()
        await s.refresh(grant, claims=CLAIMS)
        assert json.loads(s.token_requests[-1].body["claims"]) == json.loads(CLAIMS)
        for nothing in (None, "", "not json", "[1]"):
            await s.refresh(grant, claims=nothing)
            assert "claims" not in s.token_requests[-1].body


async def test_the_consent_page_s_address_is_complete() -> None:
    async with stage() as s:
        parts = urlsplit(s.oauth.authorization_url(s.request(login_hint="dana@company.com", claims=CLAIMS)))
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == "http://localhost/common/oauth2/v2.0/authorize"
        assert {name: value for name, (value,) in parse_qs(parts.query).items()} == {
            "client_id": DEFAULT_CLIENT_ID,
            "response_type": "code",
            "redirect_uri": CALLBACK,
            "response_mode": "query",
            "scope": "openid profile offline_access https://graph.microsoft.com/User.Read"
            " https://graph.microsoft.com/Calendars.ReadWrite",
            "state": "state-1",
            "nonce": "nonce-1",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            "login_hint": "dana@company.com",
            "claims": CLAIMS,
        }


async def test_a_hint_and_a_choice_of_account_are_never_sent_together() -> None:
    async with stage() as s:
        url = s.oauth.authorization_url(s.request(login_hint="dana@company.com", select_account=True))
        query = parse_qs(urlsplit(url).query)
        assert query["prompt"] == ["select_account"]
        assert "login_hint" not in query


@pytest.mark.parametrize(
    ("graph_url", "prefix"),
    [
        ("https://graph.microsoft.com/v1.0", "https://graph.microsoft.com/"),
        ("https://graph.microsoft.us/v1.0", "https://graph.microsoft.us/"),
        ("https://dod-graph.microsoft.us/v1.0", "https://dod-graph.microsoft.us/"),
        ("https://microsoftgraph.chinacloudapi.cn/v1.0", "https://microsoftgraph.chinacloudapi.cn/"),
        ("http://127.0.0.1:9400/v1.0", "https://graph.microsoft.com/"),
    ],
)
async def test_scopes_carry_the_graph_host_of_the_cloud(graph_url: str, prefix: str) -> None:
    async with stage(graph_url=graph_url) as s:
        query = parse_qs(urlsplit(s.oauth.authorization_url(s.request(scopes=("Calendars.Read",)))).query)
        assert query["scope"] == [f"openid profile offline_access {prefix}Calendars.Read"]


@pytest.mark.parametrize(
    ("tenant", "tid", "expected"),
    [
        ("common", CONTOSO, CONTOSO),
        ("common", None, "organizations"),
        ("organizations", None, "organizations"),
        (CONTOSO, None, CONTOSO),
        ("company.com", None, "company.com"),
    ],
)
async def test_an_administrator_approves_for_the_tenant_or_for_organizations(
    tenant: str, tid: str | None, expected: str
) -> None:
    async with stage(tenant=tenant) as s:
        url = s.oauth.admin_consent_url(
            tid=tid, redirect_uri="http://localhost/oauth/admin-consent", state="s", scopes=SCOPES
        )
        assert url.startswith(f"http://localhost/{expected}/v2.0/adminconsent?")
        answer = await s.http.get(url)
        assert answer.status_code == 200
        assert "AADSTS" not in answer.text


async def test_a_cancelled_consent_is_declined() -> None:
    async with stage() as s:
        async with Browser.of(s.sandbox.app, stop_at=("http://localhost:8754/",)) as browser:
            back = await browser.sign_in(s.oauth.authorization_url(s.request()), "dana@company.com", accept=False)
        query = {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}
        failure = s.oauth.authorization_response_failure(query)
        assert (failure.fault, failure.who_acts) == (GrantFault.DECLINED, "user")
        assert failure.correlation_id is not None


@pytest.mark.parametrize(
    ("query", "fault", "code"),
    [
        ({"error": "access_denied", "error_subcode": "cancel"}, GrantFault.DECLINED, "access_denied"),
        ({"error": "access_denied", "error_description": "AADSTS65004: x"}, GrantFault.DECLINED, "AADSTS65004"),
        (
            {"error": "access_denied", "error_subcode": "cancel", "error_description": "AADSTS90094: x"},
            GrantFault.ADMIN_APPROVAL,
            "AADSTS90094",
        ),
        (
            {"error": "consent_required", "error_uri": "https://login.microsoftonline.com/error?code=90095"},
            GrantFault.ADMIN_APPROVAL,
            "AADSTS90095",
        ),
        ({"error": "server_error", "error_description": "AADSTS90033: x"}, GrantFault.TRANSIENT, "AADSTS90033"),
        ({"error": "invalid_request", "error_description": "AADSTS9000411: x"}, GrantFault.OUR_FAULT, "AADSTS9000411"),
        ({"error": "<b>", "error_uri": "http://[", "error_description": "\x00"}, GrantFault.RESTART, "unknown_error"),
        ({}, GrantFault.RESTART, "unknown_error"),
    ],
)
async def test_a_refusal_on_the_way_back_is_translated_without_its_text(
    query: dict[str, str], fault: GrantFault, code: str
) -> None:
    async with stage() as s:
        failure = s.oauth.authorization_response_failure(query)
        assert (failure.fault, failure.code) == (fault, code)
        assert "<b>" not in str(failure.message)


async def test_a_code_works_once_and_a_second_try_asks_to_start_again() -> None:
    async with stage() as s:
        code = (await s.sign_in())["code"]
        await s.redeem(code)
        with pytest.raises(GrantError) as caught:
            await s.redeem(code)
        assert (caught.value.fault, caught.value.code) == (GrantFault.RESTART, "AADSTS54005")


async def test_an_expired_code_asks_to_start_again() -> None:
    async with stage() as s:
        code = (await s.sign_in())["code"]
        s.move(seconds=601)
        with pytest.raises(GrantError) as caught:
            await s.redeem(code)
        assert caught.value.fault is GrantFault.RESTART


async def test_a_foreign_nonce_is_refused() -> None:
    async with stage() as s:
        code = (await s.sign_in())["code"]
        with pytest.raises(GrantError) as caught:
            await s.redeem(code, nonce="another")
        assert (caught.value.fault, caught.value.code) == (GrantFault.RESTART, "id_token_nonce")


async def test_a_wrong_secret_is_the_operator_s_and_touches_no_account() -> None:
    async with stage(credentials=ClientSecret("wrong")) as s:
        with pytest.raises(GrantError) as caught:
            await s.connect()
        failure = caught.value
        assert (failure.fault, failure.who_acts, failure.status) == (GrantFault.MISCONFIGURED, "operator", None)
        assert failure.code == "AADSTS7000215"
        assert "MICROSOFT_CLIENT_SECRET" in str(failure.next_step)


async def test_ninety_unused_days_make_the_grant_inactive() -> None:
    async with stage() as s:
        grant = await s.connect()
        s.move(days=91)
        with pytest.raises(GrantError) as caught:
            await s.refresh(grant)
        failure = caught.value
        assert (failure.fault, failure.status, failure.reason) == (
            GrantFault.PERMANENT,
            AccountStatus.EXPIRED,
            Reason.INACTIVE,
        )
        assert failure.correlation_id is not None


async def test_a_policy_s_claims_come_back_with_the_refusal() -> None:
    async with stage() as s:
        grant = await s.connect()
        s.sandbox.world.switches.token_faults.append(TokenFault(code=50076, suberror="basic_action", claims=CLAIMS))
        with pytest.raises(GrantError) as caught:
            await s.refresh(grant)
        assert caught.value.reason is Reason.INTERACTION_REQUIRED
        assert json.loads(caught.value.claims or "") == json.loads(CLAIMS)


@pytest.mark.parametrize(
    ("fault", "code", "pause"),
    [
        (TokenFault(status=429, body="Too Many Requests", headers={"retry-after": "60"}), "http_429", 60.0),
        (TokenFault(status=429, body="Too Many Requests", headers={"retry-after": "86400"}), "http_429", 3600.0),
        (TokenFault(status=503, body="<html>Service unavailable</html>"), "http_503", None),
        (TokenFault(status=500, code=50173), "http_500", None),
        (TokenFault(status=200, body="<html>Sign in</html>"), "http_200", None),
        (TokenFault(status=400, body="not json"), "http_400", None),
        (TokenFault(code=50196), "AADSTS50196", 60.0),
        (TokenFault(drop="before"), "network_error", None),
        (TokenFault(drop="after"), "network_error", None),
    ],
    ids=["429", "429-day", "503-html", "500-json", "200-html", "400-text", "50196", "drop-before", "drop-after"],
)
async def test_trouble_at_the_token_endpoint_says_nothing_about_the_grant(
    fault: TokenFault, code: str, pause: float | None
) -> None:
    async with stage() as s:
        grant = await s.connect()
        s.sandbox.world.switches.token_faults.append(fault)
        before = len(s.token_requests)
        with pytest.raises(GrantError) as caught:
            await s.refresh(grant)
        failure = caught.value
        assert (failure.fault, failure.status) == (GrantFault.TRANSIENT, None)
        assert (failure.code, failure.retry_after_seconds) == (code, pause)
        assert len(s.token_requests) == before + 1
        assert (await s.refresh(grant)).access_token


class NeverAnswers(httpx.AsyncBaseTransport):
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await anyio.sleep_forever()
        raise AssertionError


def provider(http: httpx.AsyncClient, *, token_request_seconds: float = 20.0) -> MicrosoftOAuth:
    return MicrosoftOAuth(
        http,
        client_id=DEFAULT_CLIENT_ID,
        credentials=PublicClient(),
        login_url="http://localhost",
        tenant="common",
        scopes=SCOPES,
        graph_url="http://localhost/v1.0",
        clock=HandClock(),
        token_request_seconds=token_request_seconds,
    )


async def test_a_token_request_that_gets_no_answer_ends_as_passing_trouble() -> None:
    async with httpx.AsyncClient(transport=NeverAnswers()) as http:
        with pytest.raises(GrantError) as caught:
            await provider(http, token_request_seconds=0.01).refresh_token_grant(
                refresh_token="r", account=ProviderAccount("t", "o"), scopes=("Calendars.Read",)
            )
    assert (caught.value.fault, caught.value.code) == (GrantFault.TRANSIENT, "timeout")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b'{"access_token":5}',
        b'{"access_token":""}',
        b'{"token_type":"mac","access_token":"x"}',
        b"\xff",
    ],
)
async def test_nonsense_instead_of_a_token_says_nothing_about_the_grant(content: bytes) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=content))
    async with httpx.AsyncClient(transport=transport) as http:
        with pytest.raises(GrantError) as caught:
            await provider(http).refresh_token_grant(
                refresh_token="r", account=ProviderAccount("t", "o"), scopes=("Calendars.Read",)
            )
        assert caught.value.fault is GrantFault.TRANSIENT


ODD = st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.lists(st.integers(), max_size=3)
WORDS = st.sampled_from([*aadsts_table.CLASSES, *aadsts_table.SUBERRORS, "bad_token", "nonsense"])
MEMBERS = ["error_codes", "error_description", "claims", "correlation_id", "access_token", "expires_in", "scope"]
BODIES = st.fixed_dictionaries(
    {},
    optional={"error": WORDS | ODD, "suberror": WORDS | ODD, **dict.fromkeys(MEMBERS, ODD)},
)


@given(status=st.sampled_from([200, 400, 401, 403]), body=BODIES)
async def test_whatever_the_token_endpoint_says_becomes_tokens_or_one_kind_of_failure(
    status: int, body: dict[str, Any]
) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(status, json=body))
    async with httpx.AsyncClient(transport=transport) as http:
        outcome: TokenSet | GrantError
        try:
            outcome = await provider(http).refresh_token_grant(
                refresh_token="r", account=ProviderAccount("t", "o"), scopes=("Calendars.Read",)
            )
        except GrantError as failure:
            outcome = failure
    if isinstance(outcome, TokenSet):
        assert outcome.access_token == body["access_token"]
    else:
        assert (outcome.status is None) == (outcome.fault not in {GrantFault.PERMANENT, GrantFault.TENANT})


async def test_no_secret_shows_in_a_repr_or_a_failure() -> None:
    async with stage() as s:
        grant = await s.connect()
        s.sandbox.world.switches.token_faults.append(TokenFault(code=50173))
        with pytest.raises(GrantError) as caught:
            await s.refresh(grant)
        secrets = [DEFAULT_CLIENT_SECRET, grant.tokens.access_token, grant.tokens.refresh_token or ""]
        shown = " ".join(
            [
                repr(grant),
                repr(s.oauth),
                repr(ClientSecret(DEFAULT_CLIENT_SECRET)),
                str(caught.value),
                repr(caught.value),
            ]
        )
        assert not [secret for secret in secrets if secret in shown]


async def test_a_public_client_sends_no_secret() -> None:
    async with stage(client_id=NATIVE_CLIENT_ID, credentials=PublicClient()) as s:
        await s.connect()
        assert not {"client_secret", "client_assertion"} & set(s.token_requests[-1].body)


async def test_without_an_answer_from_graph_the_account_keeps_what_the_id_token_says() -> None:
    async with stage(graph_url="http://localhost/nowhere") as s:
        grant = await s.connect()
        assert grant.account.preferred_username == "dana@company.com"
        assert grant.account.mail is None


async def test_every_number_of_the_table_arrives_from_the_token_endpoint_as_its_row_says() -> None:
    async with stage() as s:
        grant = await s.connect()
        seen: dict[int, tuple[str, Any, Any]] = {}
        for number in aadsts_table.AADSTS_TABLE:
            s.sandbox.world.switches.token_faults.append(TokenFault(code=number, error="invalid_grant"))
            with pytest.raises(GrantError) as caught:
                await s.refresh(grant)
            seen[number] = (caught.value.code, caught.value.status, caught.value.reason)
        expected = {
            number: (f"AADSTS{number}", ruling.verdict.status, ruling.verdict.reason)
            for number in aadsts_table.AADSTS_TABLE
            for ruling in [rule("invalid_grant", None, (number,), phase=Phase.REFRESH, personal=False)]
        }
        assert seen == expected
        assert (await s.refresh(grant)).access_token


async def test_a_person_on_another_device_types_the_code_and_the_waiting_machine_is_connected() -> None:
    async with stage(client_id=NATIVE_CLIENT_ID, credentials=PublicClient()) as s:
        device = await s.oauth.device_authorization(SCOPES)
        assert (device.expires_at - s.clock.now()).total_seconds() == 900
        assert device.user_code in device.message
        assert device.device_code not in repr(device)
        assert device.user_code not in repr(device)

        class TypesAfterTheSecondPoll(HandClock):
            async def sleep(self, seconds: float) -> None:
                await super().sleep(seconds)
                s.sandbox.clock.freeze(self.at)
                if len(self.sleeps) == 3:
                    async with Browser.of(s.sandbox.app) as browser:
                        await browser.open(device.verification_uri)
                        await browser.press("Next", user_code=device.user_code)
                        await browser.press("Continue")
                        await browser.press("Dana Lindqvist")
                        await browser.press("Accept")

        clock = TypesAfterTheSecondPoll(s.clock.at)
        waiting = MicrosoftOAuth(
            s.http,
            client_id=NATIVE_CLIENT_ID,
            credentials=PublicClient(),
            login_url="http://localhost",
            tenant="common",
            scopes=SCOPES,
            graph_url="http://localhost/v1.0",
            clock=clock,
        )
        grant = await waiting.device_code_grant(device, scopes=SCOPES)
        assert grant.account.mailbox == "dana@company.com"
        assert clock.sleeps == [5.0, 5.0, 5.0]
        assert [request.status for request in s.token_requests] == [400, 400, 200]


async def test_a_device_code_that_nobody_types_ends_by_itself() -> None:
    async with stage(client_id=NATIVE_CLIENT_ID, credentials=PublicClient()) as s:
        device = await s.oauth.device_authorization(SCOPES)
        with pytest.raises(GrantError) as caught:
            await s.oauth.device_code_grant(device, scopes=SCOPES)
        assert caught.value.fault is GrantFault.RESTART
        assert s.clock.now() < device.expires_at


async def test_a_declined_device_code_stops_the_waiting() -> None:
    async with stage(client_id=NATIVE_CLIENT_ID, credentials=PublicClient()) as s:
        device = await s.oauth.device_authorization(SCOPES)
        s.sandbox.world.switches.token_faults.append(TokenFault(code=None, error="authorization_declined"))
        with pytest.raises(GrantError) as caught:
            await s.oauth.device_code_grant(device, scopes=SCOPES)
        assert caught.value.fault is GrantFault.DECLINED


async def test_a_slower_pace_and_trouble_on_the_way_do_not_end_the_waiting() -> None:
    async with stage(client_id=NATIVE_CLIENT_ID, credentials=PublicClient()) as s:
        device = await s.oauth.device_authorization(SCOPES)
        s.sandbox.world.switches.token_faults += [
            TokenFault(code=None, error="authorization_pending"),
            TokenFault(code=None, error="slow_down"),
            TokenFault(status=503, body="<html>"),
            TokenFault(code=None, error="access_denied"),
        ]
        with pytest.raises(GrantError) as caught:
            await s.oauth.device_code_grant(device, scopes=SCOPES)
        assert caught.value.fault is GrantFault.DECLINED
        assert s.clock.sleeps == [5.0, 5.0, 10.0, 15.0]
