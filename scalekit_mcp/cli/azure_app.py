"""`azure-app`: the exact registration that this configuration needs, as steps, as `az` commands, or as JSON.

Sources: "Register an application in Microsoft Entra ID", "Redirect URI (reply URL) outline and restrictions",
"Supported account types", "Microsoft Graph permissions reference", "application resource type".
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from scalekit_mcp.actions import ADMIN_CALLBACK_PATH, CALLBACK_PATH
from scalekit_mcp.errors import ConfigurationError
from scalekit_mcp.network import is_loopback
from scalekit_mcp.settings import Settings

GRAPH_APP_ID = "00000003-0000-0000-c000-000000000000"
DELEGATED_PERMISSIONS = {
    "openid": "37f7f235-527c-4136-accd-4a02d197296e",
    "profile": "14dad69e-099b-42c9-810b-d002981feec1",
    "email": "64a6cdd6-aab1-4aaf-94b8-3cc8405e90d0",
    "offline_access": "7427e0e9-2fba-42fe-b0c0-848c9e6a8182",
    "User.Read": "e1fe6dd8-ba31-4d61-89e7-88639da4683d",
    "Calendars.Read": "465a38f9-76ea-45b9-9f34-9e8b0d4b0b42",
    "Calendars.ReadWrite": "1ec239c2-d7c9-4623-a91a-a9775856bb36",
}
"""Delegated permissions of Microsoft Graph that are asked for, with their ids, which are the same in every tenant."""

STDIO_BASE = "http://localhost"

AUDIENCES = {
    "AzureADandPersonalMicrosoftAccount": "Accounts in any organizational directory and personal Microsoft accounts",
    "AzureADMultipleOrgs": "Accounts in any organizational directory",
    "AzureADMyOrg": "Accounts in this organizational directory only",
    "PersonalMicrosoftAccount": "Personal Microsoft accounts only",
}
"""`signInAudience` and what the portal calls it."""

AZ_CLOUDS = {"usgov": "AzureUSGovernment", "usgov-dod": "AzureUSGovernment", "china": "AzureChinaCloud"}
PORTALS = {
    "global": "https://entra.microsoft.com",
    "usgov": "https://entra.microsoft.us",
    "usgov-dod": "https://entra.microsoft.us",
    "china": "https://portal.azure.cn",
}


@dataclass(frozen=True, slots=True)
class Registration:
    """An application registration as it has to be. `redirect_uris` stand on one platform, `web` or `publicClient`."""

    name: str
    audience: str
    platform: str
    redirect_uris: tuple[str, ...]
    permissions: tuple[str, ...]
    cloud: str = "global"

    @property
    def public(self) -> bool:
        """Whether it is a desktop registration without a secret."""
        return self.platform == "publicClient"

    def resource(self) -> dict[str, Any]:
        """The body of `POST /applications` ("Create application")."""
        access = [{"id": DELEGATED_PERMISSIONS[name], "type": "Scope"} for name in self.permissions]
        return {
            "displayName": self.name,
            "signInAudience": self.audience,
            # personal accounts are refused with version 1
            "api": {"requestedAccessTokenVersion": 2},
            self.platform: {"redirectUris": list(self.redirect_uris)},
            "isFallbackPublicClient": self.public,
            "requiredResourceAccess": [{"resourceAppId": GRAPH_APP_ID, "resourceAccess": access}],
        }


def registration(settings: Settings, *, public_client: bool = False, name: str = "scalekit-mcp") -> Registration:
    """What these settings need: audience from the tenant and cloud, redirect URIs from the public URL.

    Raises:
        ConfigurationError: a desktop registration for a public URL, or a scope that is not a known permission.
    """
    uris = redirect_uris(settings)
    if public_client and len(uris) > 2:
        raise ConfigurationError(
            "A public client is for a server on somebody's own machine; with --public-url the app needs a secret or a "
            "certificate. Leave one of the two out."
        )
    unknown = [scope for scope in settings.scopes if scope not in DELEGATED_PERMISSIONS]
    if unknown:
        raise ConfigurationError(
            f"MICROSOFT_SCOPES names {', '.join(unknown)}, which no tool needs; known are "
            f"{', '.join(DELEGATED_PERMISSIONS)}."
        )
    permissions = dict.fromkeys([*settings.scopes, "openid", "profile", "offline_access"])
    return Registration(
        name=name,
        audience=audience(settings),
        platform="publicClient" if public_client else "web",
        redirect_uris=uris,
        permissions=tuple(name for name in DELEGATED_PERMISSIONS if name in permissions),
        cloud=settings.microsoft_cloud,
    )


def redirect_uris(settings: Settings) -> tuple[str, ...]:
    """Callback and admin-consent callback: of stdio always, of the public URL where one is set.

    Microsoft ignores the port of `http://localhost`, so one pair serves every port.
    """
    bases = [STDIO_BASE]
    if settings.public_url and not is_loopback(urlsplit(settings.public_url).hostname):
        bases.append(settings.public_url)
    return tuple(base + path for base in bases for path in (CALLBACK_PATH, ADMIN_CALLBACK_PATH))


def audience(settings: Settings) -> str:
    """The `signInAudience` that lets in whom the configured authority lets in."""
    tenant = settings.microsoft_tenant.lower()
    if settings.microsoft_cloud != "global":  # there are no personal accounts in a national cloud
        return "AzureADMultipleOrgs" if tenant in {"common", "organizations"} else "AzureADMyOrg"
    known = {
        "common": "AzureADandPersonalMicrosoftAccount",
        "organizations": "AzureADMultipleOrgs",
        "consumers": "PersonalMicrosoftAccount",
    }
    return known.get(tenant, "AzureADMyOrg")


def as_portal(app: Registration) -> str:
    """The registration as steps in the Entra admin center."""
    platform = "Mobile and desktop applications" if app.public else "Web"
    lines = [
        f"1. Open {PORTALS[app.cloud]} > Entra ID > App registrations > New registration.",
        f"   Name: {app.name}",
        f"   Supported account types: {AUDIENCES[app.audience]}",
        "   Redirect URI: leave it empty for now. Register.",
        f"2. Authentication > Add a platform > {platform}. Redirect URIs, exactly so, each on a line of its own:",
        *(f"      {uri}" for uri in app.redirect_uris),
        "   Leave 'Access tokens' and 'ID tokens' (implicit grant) off. Do not use 'Single-page application'.",
        f"   Advanced settings > Allow public client flows: {'Yes' if app.public else 'No'}.",
        "3. API permissions > Add a permission > Microsoft Graph > Delegated permissions:",
        *(f"      {name}" for name in app.permissions),
        "   No application permission is needed. Grant admin consent for your own organization, if you may.",
    ]
    if app.public:
        lines += [
            "4. No secret: this is a public client, protected by PKCE.",
            "5. Overview: copy the Application (client) ID.",
            "",
            "Then set:",
            "  MICROSOFT_CLIENT_ID=<Application (client) ID>",
        ]
    else:
        lines += [
            "4. Certificates & secrets > New client secret. Copy the Value at once (not the Secret ID).",
            "5. Overview: copy the Application (client) ID.",
            "",
            "Then set:",
            "  MICROSOFT_CLIENT_ID=<Application (client) ID>",
            "  MICROSOFT_CLIENT_SECRET=<the Value of the secret>",
        ]
    lines += [
        f"  MICROSOFT_TENANT={_tenant_setting(app)}",
        *([f"  MICROSOFT_CLOUD={app.cloud}"] if app.cloud != "global" else []),
        "",
        "Check it with: scalekit-mcp doctor",
    ]
    return "\n".join(lines)


def as_az(app: Registration) -> str:
    """The registration as commands of the Azure CLI, for a POSIX shell."""
    body = json.dumps(app.resource(), separators=(",", ":"))
    graph = {"global": "graph.microsoft.com", "usgov": "graph.microsoft.us", "usgov-dod": "dod-graph.microsoft.us"}
    host = graph.get(app.cloud, "microsoftgraph.chinacloudapi.cn")
    lines = [
        *([f"az cloud set --name {AZ_CLOUDS[app.cloud]}"] if app.cloud != "global" else []),
        "az login --allow-no-subscriptions",
        f"MICROSOFT_CLIENT_ID=$(az rest --method POST --url https://{host}/v1.0/applications \\",
        "  --headers Content-Type=application/json --query appId --output tsv \\",
        f"  --body {shlex.quote(body)})",
        'az ad sp create --id "$MICROSOFT_CLIENT_ID"',
    ]
    if not app.public:
        lines += [
            'MICROSOFT_CLIENT_SECRET=$(az ad app credential reset --id "$MICROSOFT_CLIENT_ID" --append --years 1 \\',
            f"  --display-name {shlex.quote(app.name)} --query password --output tsv)",
        ]
    lines += [
        "# Approve it for your own organization, if you may:",
        'az ad app permission admin-consent --id "$MICROSOFT_CLIENT_ID"',
        f"export MICROSOFT_TENANT={_tenant_setting(app)} MICROSOFT_CLIENT_ID"
        + ("" if app.public else " MICROSOFT_CLIENT_SECRET"),
        *([f"export MICROSOFT_CLOUD={app.cloud}"] if app.cloud != "global" else []),
        "scalekit-mcp doctor",
    ]
    return "\n".join(lines)


def as_json(app: Registration) -> str:
    """The body of `POST /applications` at Microsoft Graph."""
    return json.dumps(app.resource(), indent=2)


def _tenant_setting(app: Registration) -> str:
    tenants = {
        "AzureADandPersonalMicrosoftAccount": "common",
        "AzureADMultipleOrgs": "organizations",
        "PersonalMicrosoftAccount": "consumers",
    }
    return tenants.get(app.audience, "<Directory (tenant) ID>")
