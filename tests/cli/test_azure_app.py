"""`azure-app`: what it prints is what the product needs, in every form."""

import json
import shlex

import pytest
from click.testing import CliRunner

from scalekit_mcp.cli import cli
from scalekit_mcp.cli.azure_app import DELEGATED_PERMISSIONS

LOCAL = ["http://localhost/oauth/callback", "http://localhost/oauth/admin-consent"]
HOSTED = ["https://calendar.example/oauth/callback", "https://calendar.example/oauth/admin-consent"]


def printed(*arguments, status=0):
    done = CliRunner(env={"MICROSOFT_CLOUD": "", "MICROSOFT_SCOPES": ""}).invoke(cli, ["azure-app", *arguments])
    assert done.exit_code == status, done.output
    return done.output


def resource(*arguments):
    return json.loads(printed("--format", "json", *arguments))


def permissions(app):
    names = {identifier: name for name, identifier in DELEGATED_PERMISSIONS.items()}
    (access,) = app["requiredResourceAccess"]
    assert {entry["type"] for entry in access["resourceAccess"]} == {"Scope"}
    return {names[entry["id"]] for entry in access["resourceAccess"]}


def test_the_registration_of_a_desktop_server_has_both_local_redirect_uris_on_the_web_platform():
    app = resource()
    assert app["signInAudience"] == "AzureADandPersonalMicrosoftAccount"
    assert app["web"] == {"redirectUris": LOCAL}
    assert app["isFallbackPublicClient"] is False
    assert app["api"]["requestedAccessTokenVersion"] == 2
    assert permissions(app) == {"openid", "profile", "offline_access", "User.Read", "Calendars.ReadWrite"}


def test_a_public_url_adds_its_two_redirect_uris():
    assert resource("--public-url", "https://calendar.example/")["web"]["redirectUris"] == LOCAL + HOSTED


def test_the_read_only_registration_asks_for_reading_alone():
    found = permissions(resource("--read-only"))
    assert "Calendars.Read" in found
    assert "Calendars.ReadWrite" not in found


def test_a_public_client_has_no_secret_and_its_own_platform():
    app = resource("--public-client")
    assert app["publicClient"] == {"redirectUris": LOCAL}
    assert app["isFallbackPublicClient"] is True
    assert "web" not in app
    assert "SECRET" not in printed("--public-client")
    assert "SECRET" not in printed("--public-client", "--format", "az")


def test_a_public_client_behind_a_public_url_is_refused():
    assert "--public-url" in printed("--public-client", "--public-url", "https://calendar.example", status=2)


@pytest.mark.parametrize(
    ("tenant", "audience"),
    [
        ("organizations", "AzureADMultipleOrgs"),
        ("consumers", "PersonalMicrosoftAccount"),
        ("contoso.com", "AzureADMyOrg"),
    ],
)
def test_the_audience_follows_from_the_tenant(tenant, audience):
    assert resource("--tenant", tenant)["signInAudience"] == audience


def test_the_portal_steps_name_everything_that_is_to_be_typed():
    text = printed("--public-url", "https://calendar.example")
    for word in (*LOCAL, *HOSTED, "Web", "Calendars.ReadWrite", "offline_access", "personal Microsoft accounts"):
        assert word in text
    assert "not the Secret ID" in text


def test_the_az_commands_carry_the_same_registration_as_the_json_form():
    commands = printed("--format", "az", "--public-url", "https://calendar.example")
    words = shlex.split(
        commands.replace("$(", " ").replace(")", " ") if "'" not in commands else commands, comments=True
    )
    body = next(word for word in words if '"signInAudience"' in word)
    assert json.loads(body[: body.rindex("}") + 1]) == resource("--public-url", "https://calendar.example")
    assert "az ad app credential reset" in commands


def test_a_scope_that_is_no_known_permission_is_refused_by_name():
    done = CliRunner(env={"MICROSOFT_SCOPES": "Mail.Send"}).invoke(cli, ["azure-app"])
    assert done.exit_code == 2
    assert "Mail.Send" in done.output
