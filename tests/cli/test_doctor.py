"""`doctor` against the sandbox: each classic mistake is made on purpose and has to be named, and nothing else."""

from __future__ import annotations

import json
import re
from contextlib import asynccontextmanager
from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import anyio
import pytest

from scalekit_mcp.accounts.vault.sealing.key_ring import KeyRing
from scalekit_mcp.actions import open_actions
from scalekit_mcp.cli.doctor.mistakes import BY_NUMBER, MISTAKES
from scalekit_mcp.cli.doctor.report import as_text, as_value, examine
from scalekit_mcp.clock import SystemClock
from scalekit_mcp.sandbox import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, Sandbox
from scalekit_mcp.sandbox.world.seed import (
    EXPIRED_SECRET_CLIENT_ID,
    NATIVE_CLIENT_ID,
    SINGLE_TENANT_CLIENT_ID,
    SPA_CLIENT_ID,
)
from scalekit_mcp.settings import load_settings
from tests.support.processes import command, environment

PAGES = "http://localhost:8754"


@asynccontextmanager
async def microsoft():
    sandbox = Sandbox()
    async with sandbox.serve():
        yield sandbox


def settings_of(sandbox, **values):
    given = {
        **sandbox.environment(sandbox.base_url),
        "database_url": "sqlite+aiosqlite:///:memory:",
        "vault_keys": KeyRing.generate().to_text(),
        **values,
    }
    return load_settings(**{name: value for name, value in given.items() if value is not None})


async def diagnosis(sandbox, *, accounts=None, seen=None, clock=None, **values):
    report = await examine(settings_of(sandbox, **values), accounts=accounts, seen=seen, clock=clock)
    assert DEFAULT_CLIENT_SECRET not in as_text(report) + json.dumps(as_value(report))
    return report


async def named(sandbox, **options):
    return (await diagnosis(sandbox, **options)).mistakes


async def test_a_right_configuration_has_no_mistake_and_every_check_says_ok():
    async with microsoft() as sandbox:
        report = await diagnosis(sandbox)
        states = {found.check: found.state for found in report.findings}
    assert report.mistakes == ()
    for check in ("discovery", "clock", "cloud", "redirect", "audience", "client", "graph"):
        assert states[check] == "ok", check


async def test_nobody_is_signed_in_and_no_account_is_made_by_a_check():
    async with microsoft() as sandbox:
        await diagnosis(sandbox)
        asked = [request.query for request in sandbox.requests if request.path.endswith("/authorize")]
    assert asked
    assert {query["prompt"] for query in asked} == {"none"}


async def test_wrong_audience_is_named():
    async with microsoft() as sandbox:
        sandbox.registration().audience = "AzureADMultipleOrgs"
        assert await named(sandbox) == ("wrong_audience",)
        sandbox.registration().audience = "PersonalMicrosoftAccount"
        assert await named(sandbox) == ("wrong_audience",)


async def test_wrong_platform_is_named():
    async with microsoft() as sandbox:
        assert await named(sandbox, MICROSOFT_CLIENT_ID=SPA_CLIENT_ID) == ("wrong_platform",)


async def test_the_secrets_id_instead_of_its_value_is_named():
    async with microsoft() as sandbox:
        assert await named(sandbox, MICROSOFT_CLIENT_SECRET=str(uuid4())) == ("secret_id_instead_of_value",)


async def test_a_wrong_secret_that_is_no_id_is_named_as_such():
    async with microsoft() as sandbox:
        assert await named(sandbox, MICROSOFT_CLIENT_SECRET="not it") == ("wrong_secret",)


async def test_an_expired_secret_is_named():
    async with microsoft() as sandbox:
        values = {"MICROSOFT_CLIENT_ID": EXPIRED_SECRET_CLIENT_ID, "MICROSOFT_CLIENT_SECRET": "expired-secret"}
        assert await named(sandbox, **values) == ("expired_secret",)


async def test_missing_offline_access_is_named():
    async with microsoft() as sandbox:
        scopes = "openid profile User.Read Calendars.ReadWrite"
        assert await named(sandbox, MICROSOFT_SCOPES=scopes) == ("missing_offline_access",)


async def test_single_tenant_is_named():
    async with microsoft() as sandbox:
        values = {"MICROSOFT_CLIENT_ID": SINGLE_TENANT_CLIENT_ID, "MICROSOFT_CLIENT_SECRET": "single-tenant-secret"}
        assert await named(sandbox, **values) == ("single_tenant",)
        assert await named(sandbox, MICROSOFT_TENANT="company.com", **values) == ()


async def test_a_wrong_redirect_is_named_with_the_uri():
    async with microsoft() as sandbox:
        report = await diagnosis(sandbox, public_url="https://calendar.example")
        assert report.mistakes == ("wrong_redirect",)
        assert "https://calendar.example/oauth/callback" in as_text(report)
        sandbox.add_redirect_uri("https://calendar.example/oauth/callback")
        sandbox.add_redirect_uri("https://calendar.example/oauth/admin-consent")
        assert await named(sandbox, public_url="https://calendar.example") == ()


async def test_blocked_consent_is_named_from_what_the_page_showed():
    async with microsoft() as sandbox:
        sandbox.set_consent_policy("Contoso", "managed")
        async with sandbox.browser(stop_at=("http://localhost/oauth/",)) as browser:
            address = (
                f"{sandbox.base_url}/common/oauth2/v2.0/authorize?client_id={DEFAULT_CLIENT_ID}&response_type=code"
                "&redirect_uri=http://localhost/oauth/callback&scope=openid+Calendars.ReadWrite"
            )
            await browser.sign_in(address, "dana@company.com")
            assert "AADSTS90094" in browser.text
        assert await named(sandbox, seen=90094) == ("consent_blocked",)


async def test_a_personal_account_on_the_wrong_authority_is_named():
    async with microsoft() as sandbox:
        assert await named(sandbox, accounts="both", MICROSOFT_TENANT="organizations") == (
            "personal_account_wrong_authority",
        )
        assert await named(sandbox, MICROSOFT_TENANT="organizations") == ()


async def test_a_public_client_with_a_secret_is_named():
    async with microsoft() as sandbox:
        assert await named(sandbox, MICROSOFT_CLIENT_ID=NATIVE_CLIENT_ID) == ("public_client_with_secret",)
        values = {"MICROSOFT_CLIENT_ID": NATIVE_CLIENT_ID, "MICROSOFT_CLIENT_SECRET": None}
        assert await named(sandbox, **values) == ()


async def test_a_web_registration_without_a_secret_is_named():
    async with microsoft() as sandbox:
        assert await named(sandbox, MICROSOFT_CLIENT_SECRET=None) == ("missing_secret",)


async def test_clock_skew_is_named_with_its_size():
    async with microsoft() as sandbox:
        sandbox.advance_clock(900)
        report = await diagnosis(sandbox)
    assert report.mistakes == ("clock_skew",)
    said = re.search(r"(\d+) seconds behind", as_text(report))
    assert said is not None
    # A `Date` header has whole seconds, and it is a moment old when it is read.
    assert 890 <= int(said[1]) <= 900


class FastClock:
    def now(self):
        return SystemClock().now() + timedelta(minutes=10)

    async def sleep(self, seconds):
        await anyio.sleep(seconds)


async def test_a_clock_that_is_ahead_is_named_too():
    async with microsoft() as sandbox:
        report = await diagnosis(sandbox, clock=FastClock())
    assert report.mistakes == ("clock_skew",)
    assert "ahead of" in as_text(report)


@pytest.mark.parametrize(
    "values",
    [
        {"MICROSOFT_TENANT": "nowhere.example"},
        {"MICROSOFT_TENANT": str(uuid4())},
        {"MICROSOFT_CLIENT_ID": str(uuid4())},
        {"MICROSOFT_CLIENT_ID": "calendar-app"},
    ],
    ids=["no such domain", "no such tenant", "no such application", "a name instead of an id"],
)
async def test_a_wrong_tenant_or_application_is_named(values):
    async with microsoft() as sandbox:
        assert await named(sandbox, **values) == ("wrong_cloud_or_tenant",)


async def test_the_graph_host_of_another_cloud_is_named():
    async with microsoft() as sandbox, microsoft() as other:
        report = await diagnosis(sandbox, MICROSOFT_GRAPH_URL=f"{other.base_url}/v1.0")
    assert report.mistakes == ("wrong_cloud_or_tenant",)
    assert "msgraph_host" in as_text(report)


async def test_an_address_that_cannot_be_reached_is_named_and_ends_the_checks():
    async with microsoft() as sandbox:
        gone = sandbox.base_url
        values = settings_of(sandbox, MICROSOFT_LOGIN_URL=gone)
    assert (await examine(values)).mistakes == ("unreachable",)


async def test_an_account_that_waits_for_an_administrator_is_evidence(tmp_path):
    async def link_base():
        return PAGES

    async with microsoft() as sandbox:
        sandbox.set_consent_policy("Contoso", "managed", workflow=True)
        sandbox.world.switches.redirect_after_admin_request = True
        values = settings_of(sandbox, database_url=f"sqlite+aiosqlite:///{(tmp_path / 'vault.sqlite3').as_posix()}")
        async with open_actions(values, link_base=link_base) as actions:
            link = await actions.get_authorization_link(identifier="dana")
            started = await actions.start_authorization(link.link.rpartition("/")[2])
            async with sandbox.browser(stop_at=(PAGES,)) as browser:
                assert isinstance(started, str)
                await browser.sign_in(started, "dana@company.com")
                ended = await browser.press("Request approval", justification="please")
            await actions.complete_authorization(dict(parse_qsl(urlsplit(ended).query)))
        report = await examine(values)
    assert report.mistakes == ("consent_blocked",)


def test_each_number_leads_to_a_mistake_and_each_mistake_has_a_fix():
    assert set(BY_NUMBER.values()) <= set(MISTAKES)
    assert all(len(mistake.fix) > 20 for mistake in MISTAKES.values())


async def run(home, *arguments, **values):
    return await anyio.run_process(command(*arguments), env=environment(home, **values), check=False)


async def test_the_command_exits_1_on_a_mistake_and_0_without_one(tmp_path):
    async with microsoft() as sandbox:
        right = await run(tmp_path, "doctor", "--json", **sandbox.environment(sandbox.base_url))
        wrong = await run(
            tmp_path,
            "doctor",
            "--json",
            **{**sandbox.environment(sandbox.base_url), "MICROSOFT_CLIENT_SECRET": "not it"},
        )
    assert (right.returncode, wrong.returncode) == (0, 1), right.stdout.decode() + right.stderr.decode()
    assert json.loads(right.stdout)["mistakes"] == []
    assert json.loads(wrong.stdout)["mistakes"] == ["wrong_secret"]
    assert b"not it" not in wrong.stdout + wrong.stderr
    assert not list(tmp_path.rglob("vault.*")), "a check makes no vault"
