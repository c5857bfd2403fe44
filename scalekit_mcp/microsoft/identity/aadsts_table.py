"""Microsoft's sign-in and token errors (AADSTS numbers), as data: what each means to a connected account.

Sources: "Microsoft Entra authentication & authorization error codes", RFC 6749 sections 4.1.2.1 and 5.2, RFC 8628
section 3.5. Microsoft may change numbers at any time, so an unknown one is treated by the class of its `error`. No
decision depends on Microsoft's text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scalekit_mcp.accounts import GrantFault
from scalekit_mcp.microsoft.identity.verdicts import (
    ACCOUNT_DELETED,
    ACCOUNT_DISABLED,
    ADMIN_APPROVAL,
    APP_DISABLED,
    APP_DISABLED_IN_TENANT,
    AT_SIGN_IN_BY_IT,
    BACK_OFF,
    CERTIFICATE,
    CONSENT_GONE,
    DECLINED,
    GRANT_EXPIRED,
    INACTIVE,
    INTERACTION,
    LOCKED_OUT,
    MISCONFIGURED,
    NOT_ASSIGNED,
    OTHER_ACCOUNT,
    OUR_FAULT,
    POLICY,
    REVOKED,
    SECRET,
    SPA_GRANT_EXPIRED,
    START_AGAIN,
    UNKNOWN,
    WAIT,
    WRONG_AUDIENCE,
    WRONG_CLOUD,
    WRONG_SCOPES,
    WRONG_TENANT,
    Verdict,
)


@dataclass(frozen=True, slots=True)
class AadstsRow:
    """One AADSTS number. A `generic` one counts only if no other known number stands beside it."""

    code: int
    verdict: Verdict
    message: str
    generic: bool = False


_REVOKED_TEXT = "Access was revoked, or the sign-in was reset."
_MFA = "The organization now demands multi-factor authentication."
_ENROL = "The organization demands that the user registers for multi-factor authentication."
_DEVICE = "The organization demands a device that it manages."
_TROUBLE = "Microsoft's sign-in service has a passing fault."
_MALFORMED = "The request to Microsoft was malformed."
_BAD_CERTIFICATE = "Microsoft refuses the application's certificate."
_BAD_SCOPE = "Microsoft refuses the requested permissions."
_NO_RESOURCE = "The application asks for permissions that the organization cannot grant."
_TENANT_POLICY = "The organization's rules between tenants forbid this sign-in."
_NOT_IN_TENANT = "The user does not belong to the organization (yet)."
_INTERRUPTED = "The sign-in was interrupted."
_WRONG_AUTHORITY = "The application is not registered for this kind of account."
_FOREIGN_CLOUD = "The user's organization lives in another national cloud."
_NEEDS_APPROVAL = "The organization demands that an administrator approves the application."

ROWS: tuple[AadstsRow, ...] = (
    # The grant is over.
    AadstsRow(50173, REVOKED, _REVOKED_TEXT),
    AadstsRow(700082, INACTIVE, "The connection was not used for 90 days."),
    AadstsRow(70008, GRANT_EXPIRED, "The authorization has expired."),
    AadstsRow(700084, SPA_GRANT_EXPIRED, "The authorization has expired: it was made for a single-page application."),
    AadstsRow(70043, INTERACTION, "The organization's sign-in frequency demands a new sign-in."),
    AadstsRow(70044, INTERACTION, "The session is older than the organization's sign-in frequency allows."),
    AadstsRow(70000, GRANT_EXPIRED, "The authorization is no longer valid."),
    # The attempt is spent, or was ours to get right.
    AadstsRow(54005, START_AGAIN, "This sign-in was already used."),
    AadstsRow(501481, OUR_FAULT, "The code verifier does not fit the sign-in."),
    AadstsRow(700005, OUR_FAULT, "The code was redeemed at another tenant than the one that issued it."),
    AadstsRow(70007, OUR_FAULT, "Microsoft does not support the response mode."),
    AadstsRow(70003, OUR_FAULT, "Microsoft does not support the grant type."),
    AadstsRow(70004, OUR_FAULT, "Microsoft refuses the redirect of the request."),
    AadstsRow(70005, OUR_FAULT, "Microsoft does not support the response type."),
    AadstsRow(700054, MISCONFIGURED, "The registration does not allow the response type."),
    AadstsRow(50089, START_AGAIN, "The sign-in page was left open too long."),
    AadstsRow(50087, START_AGAIN, "The strong sign-in failed for a passing reason."),
    # The same person can repair it.
    AadstsRow(50076, INTERACTION, _MFA),
    AadstsRow(50078, INTERACTION, "The multi-factor authentication has expired."),
    AadstsRow(50079, INTERACTION, _ENROL),
    AadstsRow(50072, INTERACTION, _ENROL),
    AadstsRow(50074, INTERACTION, _MFA),
    AadstsRow(50158, INTERACTION, "A further check of the organization (such as terms of use) is not met."),
    AadstsRow(50177, INTERACTION, "A further check of the organization does not work for this user."),
    AadstsRow(50131, INTERACTION, "The organization's conditions for access were not met."),
    AadstsRow(50132, INTERACTION, "The session ended because the password was changed or has expired."),
    AadstsRow(50133, INTERACTION, "The session ended because the password was changed or has expired."),
    AadstsRow(50055, INTERACTION, "The password has expired."),
    AadstsRow(50144, INTERACTION, "The password in the organization's directory has expired."),
    AadstsRow(50085, UNKNOWN, "The social identity provider demands a new sign-in."),
    AadstsRow(700020, UNKNOWN, "Microsoft demands a new sign-in."),
    # The organization's policy.
    AadstsRow(50097, POLICY, _DEVICE),
    AadstsRow(50127, POLICY, "The organization demands a broker application on the device."),
    AadstsRow(50129, POLICY, "The device is not joined to the organization."),
    AadstsRow(135011, POLICY, "The device is disabled in the organization."),
    AadstsRow(50005, POLICY, "The organization does not allow this kind of device."),
    AadstsRow(53000, POLICY, "The device does not meet the organization's rules."),
    AadstsRow(53001, POLICY, "The device is not joined to the organization."),
    AadstsRow(53002, POLICY, "The organization does not count this application among the approved ones."),
    AadstsRow(53003, POLICY, "The organization's access policy blocks this application."),
    AadstsRow(53004, POLICY, "The organization blocks the user's registration for multi-factor authentication."),
    AadstsRow(53005, POLICY, "The organization demands a protection policy on the application."),
    AadstsRow(53006, POLICY, "The organization demands a protected sign-in."),
    AadstsRow(53007, POLICY, "The organization's access policy blocks this sign-in."),
    AadstsRow(53008, POLICY, "The organization demands another browser."),
    AadstsRow(53009, POLICY, "The organization demands a protection policy on the application."),
    AadstsRow(53010, POLICY, "The organization allows this step only from certain places or devices."),
    AadstsRow(53011, POLICY, "The organization blocks the user because of a risk."),
    AadstsRow(530032, POLICY, "The organization's security policy blocks this sign-in."),
    AadstsRow(530035, POLICY, "The organization's security defaults block this sign-in."),
    AadstsRow(500014, POLICY, "Microsoft Graph is disabled in the organization."),
    # The account at Microsoft.
    AadstsRow(50057, ACCOUNT_DISABLED, "The Microsoft account is disabled."),
    AadstsRow(50053, LOCKED_OUT, "The Microsoft account is locked, or the network address is blocked."),
    AadstsRow(50034, ACCOUNT_DELETED, "The Microsoft account does not exist in the organization."),
    AadstsRow(500341, ACCOUNT_DELETED, "The Microsoft account was deleted."),
    AadstsRow(50126, START_AGAIN, "The name or the password was wrong."),
    AadstsRow(50056, START_AGAIN, "The account has no password, or it was not given."),
    AadstsRow(50105, NOT_ASSIGNED, "The organization has not assigned the user to the application."),
    # Consent.
    AadstsRow(65001, CONSENT_GONE, "The consent to the application is missing or was withdrawn."),
    AadstsRow(65004, DECLINED, "The consent was declined."),
    AadstsRow(65005, MISCONFIGURED, _NO_RESOURCE),
    AadstsRow(650052, MISCONFIGURED, "The organization has no subscription to a service that the application needs."),
    AadstsRow(650054, MISCONFIGURED, "The application asks for a resource that was removed."),
    AadstsRow(650056, MISCONFIGURED, "The application's permissions are not set up for this organization."),
    AadstsRow(650057, MISCONFIGURED, "The resource is not among the application's permissions."),
    AadstsRow(90094, ADMIN_APPROVAL, _NEEDS_APPROVAL),
    AadstsRow(90095, ADMIN_APPROVAL, _NEEDS_APPROVAL),
    AadstsRow(900941, ADMIN_APPROVAL, "Microsoft counts the application as risky; an administrator has to approve it."),
    AadstsRow(900981, ADMIN_APPROVAL, "Microsoft counts the application as risky; an administrator has to approve it."),
    AadstsRow(90093, AT_SIGN_IN_BY_IT, "The organization forbids the user to consent."),
    AadstsRow(90008, AT_SIGN_IN_BY_IT, "The application was not given the right to sign users in."),
    AadstsRow(90099, AT_SIGN_IN_BY_IT, "The application is not authorized in the organization."),
    # The application's own credentials.
    AadstsRow(7000215, SECRET, "Microsoft refuses the client secret."),
    AadstsRow(7000222, SECRET, "The client secret has expired."),
    AadstsRow(7000218, SECRET, "The token request needs a client secret or a certificate."),
    AadstsRow(
        700025, MISCONFIGURED, "The registration is a public client, which must not send a secret or a certificate."
    ),
    AadstsRow(700027, CERTIFICATE, _BAD_CERTIFICATE),
    AadstsRow(50012, CERTIFICATE, _BAD_CERTIFICATE),
    AadstsRow(50013, CERTIFICATE, _BAD_CERTIFICATE),
    AadstsRow(700024, CERTIFICATE, "The certificate's assertion is outside its time window."),
    AadstsRow(700030, CERTIFICATE, _BAD_CERTIFICATE),
    AadstsRow(70002, SECRET, "Microsoft refuses the application's credentials.", generic=True),
    # The application in the tenant.
    AadstsRow(700016, APP_DISABLED_IN_TENANT, "The application is unknown in the organization."),
    AadstsRow(700011, APP_DISABLED, "The application is unknown in the organization."),
    AadstsRow(7000112, APP_DISABLED_IN_TENANT, "The application is disabled in the organization."),
    AadstsRow(70001, APP_DISABLED, "The application is disabled."),
    # Scopes, resources, redirects, authorities.
    AadstsRow(500011, WRONG_SCOPES, "Microsoft does not know the resource of the requested permissions."),
    AadstsRow(50001, WRONG_SCOPES, "Microsoft does not know the resource of the requested permissions."),
    AadstsRow(650053, WRONG_SCOPES, "Microsoft does not know one of the requested permissions."),
    AadstsRow(70011, WRONG_SCOPES, _BAD_SCOPE),
    AadstsRow(700022, WRONG_SCOPES, "The requested permissions belong to several resources."),
    AadstsRow(700023, WRONG_SCOPES, "The requested permissions belong to several resources."),
    AadstsRow(28002, WRONG_SCOPES, _BAD_SCOPE),
    AadstsRow(28003, WRONG_SCOPES, _BAD_SCOPE),
    AadstsRow(
        50011,
        Verdict(
            GrantFault.MISCONFIGURED,
            "operator",
            "The operator registers the redirect URI exactly as the server sends it.",
        ),
        "The redirect URI is not registered.",
    ),
    AadstsRow(500112, OUR_FAULT, "The redirect URI differs from the one of the sign-in."),
    AadstsRow(50020, OTHER_ACCOUNT, "The account does not exist in this tenant."),
    AadstsRow(50194, WRONG_AUDIENCE, "The application is registered for one organization only."),
    AadstsRow(500208, OTHER_ACCOUNT, "This kind of account may not sign in here."),
    AadstsRow(50128, OTHER_ACCOUNT, "Microsoft does not know the account's organization."),
    AadstsRow(50059, OTHER_ACCOUNT, "The sign-in names no organization."),
    AadstsRow(500021, AT_SIGN_IN_BY_IT, "The network's tenant restrictions forbid this organization."),
    AadstsRow(500022, AT_SIGN_IN_BY_IT, "The network's tenant restrictions forbid this organization."),
    AadstsRow(500212, AT_SIGN_IN_BY_IT, _TENANT_POLICY),
    AadstsRow(500213, AT_SIGN_IN_BY_IT, _TENANT_POLICY),
    AadstsRow(51004, AT_SIGN_IN_BY_IT, _NOT_IN_TENANT),
    AadstsRow(16003, AT_SIGN_IN_BY_IT, _NOT_IN_TENANT),
    AadstsRow(90072, AT_SIGN_IN_BY_IT, _NOT_IN_TENANT),
    AadstsRow(50014, AT_SIGN_IN_BY_IT, "The guest invitation has not been accepted yet."),
    AadstsRow(900023, WRONG_TENANT, "The configured tenant is neither a tenant id nor a domain."),
    AadstsRow(90002, WRONG_TENANT, "The configured tenant does not exist."),
    AadstsRow(90013, WRONG_TENANT, "The configured tenant is not valid."),
    AadstsRow(9002332, WRONG_AUDIENCE, _WRONG_AUTHORITY),
    AadstsRow(9002331, WRONG_AUDIENCE, _WRONG_AUTHORITY),
    AadstsRow(9001023, WRONG_AUDIENCE, _WRONG_AUTHORITY),
    AadstsRow(90124, WRONG_AUDIENCE, _WRONG_AUTHORITY),
    AadstsRow(90130, WRONG_AUDIENCE, _WRONG_AUTHORITY),
    AadstsRow(9002325, MISCONFIGURED, "The redirect URI is registered for a single-page application, not as Web."),
    AadstsRow(9002326, MISCONFIGURED, "The redirect URI is registered for a single-page application, not as Web."),
    AadstsRow(9002327, MISCONFIGURED, "The redirect URI is registered for a single-page application, not as Web."),
    AadstsRow(90027, OUR_FAULT, "Personal accounts cannot use this endpoint."),
    AadstsRow(1000031, AT_SIGN_IN_BY_IT, "The application cannot be reached in the organization at this time."),
    AadstsRow(1000104, AT_SIGN_IN_BY_IT, "Guests from another cloud are not allowed."),
    AadstsRow(90123, AT_SIGN_IN_BY_IT, "The organization's identity provider denied the sign-in."),
    AadstsRow(90038, WRONG_CLOUD, _FOREIGN_CLOUD),
    AadstsRow(90043, WRONG_CLOUD, _FOREIGN_CLOUD),
    AadstsRow(900382, WRONG_CLOUD, _FOREIGN_CLOUD),
    AadstsRow(900432, WRONG_CLOUD, _FOREIGN_CLOUD),
    AadstsRow(
        1002016,
        Verdict(GrantFault.MISCONFIGURED, "operator", "The operator lets the server use TLS 1.2 or newer."),
        "The connection used a version of TLS that Microsoft no longer takes.",
    ),
    # Malformed requests.
    AadstsRow(9002313, OUR_FAULT, _MALFORMED),
    AadstsRow(900144, OUR_FAULT, _MALFORMED),
    AadstsRow(90014, OUR_FAULT, _MALFORMED),
    AadstsRow(90015, OUR_FAULT, "The request to Microsoft was too long."),
    AadstsRow(90019, OUR_FAULT, "The request to Microsoft named no tenant."),
    AadstsRow(90023, OUR_FAULT, _MALFORMED),
    AadstsRow(90100, OUR_FAULT, _MALFORMED),
    AadstsRow(50147, OUR_FAULT, "The code challenge was malformed."),
    AadstsRow(900971, OUR_FAULT, "The request to Microsoft named no reply address."),
    AadstsRow(9000411, OUR_FAULT, "A parameter of the request was sent twice."),
    AadstsRow(90056, OUR_FAULT, "The request went to Microsoft with the wrong method."),
    AadstsRow(901002, OUR_FAULT, "The request held a parameter that Microsoft no longer takes."),
    AadstsRow(90004, OUR_FAULT, _MALFORMED),
    # Interrupts: the person goes on.
    AadstsRow(16000, START_AGAIN, "Several accounts are signed in, or none that fits."),
    AadstsRow(16001, START_AGAIN, "Several accounts are signed in, or none that fits."),
    AadstsRow(50058, START_AGAIN, "Nobody is signed in at Microsoft in this browser."),
    AadstsRow(50140, START_AGAIN, _INTERRUPTED),
    AadstsRow(50125, START_AGAIN, "The sign-in was interrupted by a password reset or registration."),
    AadstsRow(50199, START_AGAIN, _INTERRUPTED),
    AadstsRow(135010, START_AGAIN, "Microsoft did not find the device's key."),
    # Device authorization grant.
    AadstsRow(70016, WAIT, "The person has not finished signing in on the other device."),
    AadstsRow(70018, OUR_FAULT, "Microsoft does not know the device code."),
    AadstsRow(70019, START_AGAIN, "The code for the other device has expired."),
    AadstsRow(70020, START_AGAIN, "The code for the other device has expired."),
    # Passing trouble.
    AadstsRow(50196, BACK_OFF, "Microsoft has seen too many identical requests and asks for a pause."),
    AadstsRow(90055, BACK_OFF, "The organization has had too many requests."),
    AadstsRow(50000, WAIT, _TROUBLE),
    AadstsRow(50033, WAIT, _TROUBLE),
    AadstsRow(90006, WAIT, _TROUBLE),
    AadstsRow(90012, WAIT, _TROUBLE),
    AadstsRow(90024, WAIT, _TROUBLE),
    AadstsRow(90033, WAIT, _TROUBLE),
    AadstsRow(90036, WAIT, _TROUBLE),
    AadstsRow(90090, WAIT, _TROUBLE),
    AadstsRow(90091, WAIT, _TROUBLE),
    AadstsRow(70012, WAIT, "Microsoft's service for personal accounts has a passing fault."),
)
"""Every number with a meaning of its own."""

AADSTS_TABLE: Mapping[int, AadstsRow] = {row.code: row for row in ROWS}

CLASSES: Mapping[str, tuple[Verdict, str]] = {
    "invalid_grant": (UNKNOWN, "Microsoft no longer accepts the authorization."),
    "interaction_required": (INTERACTION, "Microsoft demands that the user signs in again."),
    "login_required": (INTERACTION, "Microsoft demands that the user signs in again."),
    "consent_required": (INTERACTION, "Microsoft demands the user's consent."),
    "invalid_client": (SECRET, "Microsoft refuses the application's credentials."),
    "unauthorized_client": (MISCONFIGURED, "Microsoft does not allow the application this request."),
    "invalid_scope": (WRONG_SCOPES, _BAD_SCOPE),
    "invalid_resource": (WRONG_SCOPES, "Microsoft does not know the resource of the requested permissions."),
    "invalid_target": (WRONG_SCOPES, "Microsoft does not know the resource of the requested permissions."),
    "invalid_tenant": (WRONG_TENANT, "Microsoft does not know the configured tenant."),
    "invalid_request": (OUR_FAULT, _MALFORMED),
    "unsupported_grant_type": (OUR_FAULT, "Microsoft does not support the grant type."),
    "unsupported_response_type": (OUR_FAULT, "Microsoft does not support the response type."),
    "access_denied": (DECLINED, "The consent was declined."),
    "authorization_declined": (DECLINED, "The sign-in was declined."),
    "expired_token": (START_AGAIN, "The code for the other device has expired."),
    "bad_verification_code": (OUR_FAULT, "Microsoft does not know the device code."),
    "authorization_pending": (WAIT, "The person has not finished signing in on the other device."),
    "slow_down": (WAIT, "Microsoft asks to be polled less often."),
    "temporarily_unavailable": (WAIT, _TROUBLE),
    "server_error": (WAIT, _TROUBLE),
}
"""What an `error` means without a known number."""

SUBERRORS: Mapping[str, tuple[Verdict, str]] = {
    "consent_required": (CONSENT_GONE, "The consent to the application is missing or was withdrawn."),
    "user_password_expired": (INTERACTION, "The password has expired."),
    "basic_action": (INTERACTION, "Microsoft demands that the user signs in again."),
    "token_expired": (INTERACTION, "The organization's sign-in frequency demands a new sign-in."),
    "protection_policy_required": (POLICY, "The organization demands a protection policy on the application."),
    "device_authentication_failed": (POLICY, _DEVICE),
}
"""What a `suberror` means beside an unknown number."""
