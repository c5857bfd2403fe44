"""Common mistakes in an Azure set-up: the AADSTS numbers that show each, and how to correct it.

Sources: "Microsoft Entra authentication & authorization error codes", "Redirect URI (reply URL) outline and
restrictions", "Validation differences by supported account types".
"""

from __future__ import annotations

from dataclasses import dataclass

from scalekit_mcp.errors import WhoActs


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake: a title and the fix, both for a person, and who acts."""

    title: str
    fix: str
    who_acts: WhoActs = "operator"


MISTAKES: dict[str, Mistake] = {
    "wrong_audience": Mistake(
        "The registration's supported account types do not cover who shall sign in",
        "App registration > Authentication > Supported account types (manifest: signInAudience): choose "
        "AzureADandPersonalMicrosoftAccount for everybody, or set MICROSOFT_TENANT to `organizations` or `consumers` "
        "so that it asks only whom the registration admits.",
    ),
    "wrong_platform": Mistake(
        "The redirect URI is registered as a single-page application",
        "App registration > Authentication: delete the URI under 'Single-page application' and add it under 'Web' "
        "(or under 'Mobile and desktop applications' for a public client). Grants of a single-page application die "
        "after 24 hours.",
    ),
    "secret_id_instead_of_value": Mistake(
        "MICROSOFT_CLIENT_SECRET holds the secret's ID, not its value",
        "Certificates & secrets > New client secret, and copy the column 'Value' at once; it is shown only then. The "
        "'Secret ID', a GUID, is not the secret.",
    ),
    "expired_secret": Mistake(
        "The client secret is expired",
        "Certificates & secrets > New client secret; set MICROSOFT_CLIENT_SECRET to its value, restart, then delete "
        "the old one. Connected accounts stay connected.",
    ),
    "missing_offline_access": Mistake(
        "offline_access is not among the scopes",
        "Add offline_access to MICROSOFT_SCOPES, or remove MICROSOFT_SCOPES. Without it there is no refresh token and "
        "every account ends within about an hour.",
    ),
    "single_tenant": Mistake(
        "The registration is for one tenant only, but everybody is sent to the shared authority",
        "App registration > Authentication > Supported account types: any organizational directory and personal "
        "accounts. Or, for one organization alone, set MICROSOFT_TENANT to its Directory (tenant) ID.",
    ),
    "wrong_redirect": Mistake(
        "A redirect URI of this server is not registered",
        "App registration > Authentication > Web > Add URI, exactly as shown: scheme, host, path and the letters' case "
        "count; only the port of http://localhost does not. `scalekit-mcp azure-app` prints the list.",
    ),
    "consent_blocked": Mistake(
        "Users may not consent by themselves; an administrator of their organization has to approve the app",
        "Send the admin consent link (the tool `authorize` and the sign-in page give it) to the customer's IT. Once "
        "approved, each user signs in once. Publisher verification makes approvals easier.",
        who_acts="it_admin",
    ),
    "personal_account_wrong_authority": Mistake(
        "Personal Microsoft accounts are sent to an authority that has none",
        "Set MICROSOFT_TENANT=common (or consumers) and MICROSOFT_CLOUD=global, with a registration that admits "
        "personal accounts. Otherwise people with personal accounts end at AADSTS50020.",
    ),
    "public_client_with_secret": Mistake(
        "The registration is a public client (mobile and desktop), and a secret or certificate is sent",
        "Remove MICROSOFT_CLIENT_SECRET (PKCE protects a public client), or register the redirect URIs under 'Web' "
        "and set 'Allow public client flows' to No.",
    ),
    "clock_skew": Mistake(
        "This machine's clock differs from Microsoft's",
        "Synchronize the clock (NTP): sign-in checks and certificate assertions allow five minutes.",
    ),
    "wrong_cloud_or_tenant": Mistake(
        "The application or the tenant does not exist at this cloud and authority",
        "Compare MICROSOFT_CLIENT_ID with Overview > Application (client) ID, MICROSOFT_TENANT with Directory "
        "(tenant) ID, and MICROSOFT_CLOUD (global, usgov, usgov-dod, china): two clouds share no registrations.",
    ),
    # seen less often than those above
    "wrong_secret": Mistake(
        "The client secret is wrong",
        "Certificates & secrets > New client secret, and set MICROSOFT_CLIENT_SECRET to its value.",
    ),
    "missing_secret": Mistake(
        "The registration wants a secret or a certificate, and none is set",
        "Set MICROSOFT_CLIENT_SECRET or MICROSOFT_CLIENT_CERTIFICATE; or, for a desktop registration, move the "
        "redirect URIs to 'Mobile and desktop applications' and allow public client flows.",
    ),
    "wrong_certificate": Mistake(
        "The certificate is not accepted",
        "Certificates & secrets > Certificates: upload the certificate whose key MICROSOFT_CLIENT_CERTIFICATE holds.",
    ),
    "wrong_scope": Mistake(
        "A scope is not known",
        "Remove MICROSOFT_SCOPES, or correct it: Graph's names without an address, such as Calendars.ReadWrite.",
    ),
    "app_disabled": Mistake(
        "The application is disabled",
        "Entra admin center > Enterprise applications > the app > Properties > 'Enabled for users to sign in': Yes.",
    ),
    "not_assigned": Mistake(
        "The app requires an assignment, and the user has none",
        "Enterprise applications > the app > Users and groups > Add; or 'Assignment required': No.",
        who_acts="it_admin",
    ),
    # at the public address, where remote hosts connect
    "public_unreachable": Mistake(
        "The public address does not answer",
        "Start the server (`scalekit-mcp serve --transport http`); then check SCALEKIT_MCP_PUBLIC_URL, its name in the "
        "DNS, the firewall, and where the proxy in front sends requests.",
    ),
    "certificate_refused": Mistake(
        "The certificate of the public address is not accepted",
        "Give the proxy in front a certificate for this name with its whole chain, from an authority that everybody "
        "trusts. One of your own (SSL_CERT_FILE) is not trusted by Claude, ChatGPT and other hosts.",
    ),
    "redirected": Mistake(
        "An address that hosts ask redirects",
        "Let the proxy in front hand the request on instead; or set SCALEKIT_MCP_PUBLIC_URL to where it redirects, and "
        "give people that address.",
    ),
    "web_page_instead": Mistake(
        "A web page answers where machines ask",
        "Switch off the protection against bots, the limit or the login in front of the server for /mcp, "
        "/.well-known/, /register, /token and /revoke: remote hosts are machines and cannot pass it.",
    ),
    "not_found": Mistake(
        "A document that hosts look for is not found",
        "Hand every path on to the server, /.well-known/ too (many proxies keep it for themselves), and check that the "
        "server runs with the same SCALEKIT_MCP_AUTH as doctor.",
    ),
    "challenge_missing": Mistake(
        "The refusal of a request without a token does not say where to sign in",
        "Let the proxy in front pass the header WWW-Authenticate of 401 answers on, and put no answer of its own in "
        "their place.",
    ),
    "other_server": Mistake(
        "What answers at the public address is not this server, or runs with other settings",
        "Compare SCALEKIT_MCP_PUBLIC_URL and SCALEKIT_MCP_AUTH here and where the server runs, and restart it.",
    ),
    "wrong_issuer": Mistake(
        "The documents for hosts name another address than the public one",
        "Start the server with the SCALEKIT_MCP_PUBLIC_URL that people paste, without /mcp; hosts compare it character "
        "by character.",
    ),
    "plain_http": Mistake(
        "The documents for hosts say http where the public address is https",
        "Start the server with a SCALEKIT_MCP_PUBLIC_URL that begins with https://, also where TLS ends at a proxy.",
    ),
    "missing_pkce": Mistake(
        "The authorization server does not offer PKCE with S256",
        "Let nothing in front rewrite the document, and restart the server in this version; an authorization server of "
        "your own has to be set up for PKCE (code_challenge_methods_supported).",
    ),
    "cached_document": Mistake(
        "A cache in front of the server keeps an old document",
        "Purge /.well-known/ in the proxy or CDN; it may keep these documents for an hour, as they say.",
    ),
    # on this machine, and on the way out of it
    "unreachable": Mistake(
        "An address of Microsoft or Scalekit cannot be reached from this machine",
        "Check the name service and the firewall for this host; where only a proxy leads out, name it in HTTPS_PROXY.",
    ),
    "proxy_unreachable": Mistake(
        "The proxy cannot be reached from this machine",
        "Compare host and port of the proxy with what your network's administrators say; where the host can be reached "
        "without a proxy, add it to NO_PROXY.",
    ),
    "proxy_refused": Mistake(
        "The proxy refuses the way to a host",
        "Ask who runs the proxy to admit this host at port 443, or, where it asks for a login, put user and password "
        "into the proxy's address (http://user:password@proxy:8080). Proxies that ask for NTLM or Kerberos need a "
        "relay on this machine.",
    ),
    "untrusted_certificate": Mistake(
        "The certificate of a host is not trusted",
        "Where a proxy looks into TLS, its authority signed the certificate: put it, with the authorities of the "
        "system, into a PEM file and name that in SSL_CERT_FILE. Without such a proxy, do not go on: somebody else "
        "answers in the host's place.",
    ),
    "expired_authorities": Mistake(
        "The certificate authorities that are trusted are not valid today",
        "Ask for the present certificate of the authority and put it into the file; check this machine's date.",
    ),
}

BY_NUMBER: dict[int, str] = {
    **dict.fromkeys((9002331, 9002332, 9001023, 90124, 90130, 500208), "wrong_audience"),
    **dict.fromkeys((9002325, 9002326, 9002327, 700084), "wrong_platform"),
    7000215: "wrong_secret",
    70002: "wrong_secret",
    7000222: "expired_secret",
    50194: "single_tenant",
    50011: "wrong_redirect",
    500112: "wrong_redirect",
    **dict.fromkeys((90094, 90095, 900941, 900981, 90093, 90008), "consent_blocked"),
    50020: "personal_account_wrong_authority",
    700025: "public_client_with_secret",
    700024: "clock_skew",
    **dict.fromkeys((700016, 700011, 90002, 900023, 90013), "wrong_cloud_or_tenant"),
    **dict.fromkeys((90038, 90043, 900382, 900432), "wrong_cloud_or_tenant"),
    7000218: "missing_secret",
    **dict.fromkeys((700027, 50012, 50013, 700030), "wrong_certificate"),
    **dict.fromkeys((650053, 70011, 500011, 50001, 28002, 28003, 700022), "wrong_scope"),
    **dict.fromkeys((70001, 7000112), "app_disabled"),
    50105: "not_assigned",
}
"""AADSTS numbers and the mistake that they stand for."""
