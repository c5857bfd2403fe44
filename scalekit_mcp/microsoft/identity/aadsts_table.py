"""Microsoft's sign-in and token errors (AADSTS numbers), as data: what each means to a connected account.

Sources: "Microsoft Entra authentication & authorization error codes", RFC 6749 sections 4.1.2.1 and 5.2, RFC 8628
section 3.5. Microsoft may change numbers at any time, so an unknown one is treated by the class of its `error`. No
decision depends on Microsoft's text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scalekit_mcp.accounts import GrantFault
from scalekit_mcp.languages import Sentence
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
    next_step,
    sentence,
)


@dataclass(frozen=True, slots=True)
class AadstsRow:
    """One AADSTS number. A `generic` one counts only if no other known number stands beside it.

    `key` is that of its sentence in the section `microsoft` of the language files.
    """

    code: int
    verdict: Verdict
    key: str
    generic: bool = False

    @property
    def message(self) -> Sentence:
        """The sentence that says what happened."""
        return sentence(self.key)


ROWS: tuple[AadstsRow, ...] = (
    # The grant is over.
    AadstsRow(50173, REVOKED, "access_revoked"),
    AadstsRow(700082, INACTIVE, "unused"),
    AadstsRow(70008, GRANT_EXPIRED, "expired"),
    AadstsRow(700084, SPA_GRANT_EXPIRED, "expired_spa"),
    AadstsRow(70043, INTERACTION, "sign_in_frequency"),
    AadstsRow(70044, INTERACTION, "session_old"),
    AadstsRow(70000, GRANT_EXPIRED, "no_longer_valid"),
    # The attempt is spent, or was ours to get right.
    AadstsRow(54005, START_AGAIN, "already_used"),
    AadstsRow(501481, OUR_FAULT, "verifier"),
    AadstsRow(700005, OUR_FAULT, "other_tenant_code"),
    AadstsRow(70007, OUR_FAULT, "response_mode"),
    AadstsRow(70003, OUR_FAULT, "grant_type"),
    AadstsRow(70004, OUR_FAULT, "redirect_refused"),
    AadstsRow(70005, OUR_FAULT, "response_type"),
    AadstsRow(700054, MISCONFIGURED, "response_type_not_allowed"),
    AadstsRow(50089, START_AGAIN, "page_open_long"),
    AadstsRow(50087, START_AGAIN, "strong_sign_in"),
    # The same person can repair it.
    AadstsRow(50076, INTERACTION, "mfa"),
    AadstsRow(50078, INTERACTION, "mfa_expired"),
    AadstsRow(50079, INTERACTION, "mfa_registration"),
    AadstsRow(50072, INTERACTION, "mfa_registration"),
    AadstsRow(50074, INTERACTION, "mfa"),
    AadstsRow(50158, INTERACTION, "further_check"),
    AadstsRow(50177, INTERACTION, "further_check_broken"),
    AadstsRow(50131, INTERACTION, "conditions"),
    AadstsRow(50132, INTERACTION, "password_changed"),
    AadstsRow(50133, INTERACTION, "password_changed"),
    AadstsRow(50055, INTERACTION, "password_expired"),
    AadstsRow(50144, INTERACTION, "password_expired_directory"),
    AadstsRow(50085, UNKNOWN, "social_sign_in"),
    AadstsRow(700020, UNKNOWN, "new_sign_in"),
    # The organization's policy.
    AadstsRow(50097, POLICY, "managed_device"),
    AadstsRow(50127, POLICY, "broker"),
    AadstsRow(50129, POLICY, "device_not_joined"),
    AadstsRow(135011, POLICY, "device_disabled"),
    AadstsRow(50005, POLICY, "device_kind"),
    AadstsRow(53000, POLICY, "device_rules"),
    AadstsRow(53001, POLICY, "device_not_joined"),
    AadstsRow(53002, POLICY, "app_not_approved"),
    AadstsRow(53003, POLICY, "app_blocked"),
    AadstsRow(53004, POLICY, "mfa_registration_blocked"),
    AadstsRow(53005, POLICY, "protection_policy"),
    AadstsRow(53006, POLICY, "protected_sign_in"),
    AadstsRow(53007, POLICY, "sign_in_blocked"),
    AadstsRow(53008, POLICY, "other_browser"),
    AadstsRow(53009, POLICY, "protection_policy"),
    AadstsRow(53010, POLICY, "certain_places"),
    AadstsRow(53011, POLICY, "risk"),
    AadstsRow(530032, POLICY, "security_policy"),
    AadstsRow(530035, POLICY, "security_defaults"),
    AadstsRow(500014, POLICY, "graph_disabled"),
    # The account at Microsoft.
    AadstsRow(50057, ACCOUNT_DISABLED, "account_disabled"),
    AadstsRow(50053, LOCKED_OUT, "account_locked"),
    AadstsRow(50034, ACCOUNT_DELETED, "account_unknown"),
    AadstsRow(500341, ACCOUNT_DELETED, "account_deleted"),
    AadstsRow(50126, START_AGAIN, "wrong_password"),
    AadstsRow(50056, START_AGAIN, "no_password"),
    AadstsRow(50105, NOT_ASSIGNED, "not_assigned"),
    # Consent.
    AadstsRow(65001, CONSENT_GONE, "consent_withdrawn"),
    AadstsRow(65004, DECLINED, "consent_declined"),
    AadstsRow(65005, MISCONFIGURED, "no_resource"),
    AadstsRow(650052, MISCONFIGURED, "no_subscription"),
    AadstsRow(650054, MISCONFIGURED, "resource_removed"),
    AadstsRow(650056, MISCONFIGURED, "permissions_not_set_up"),
    AadstsRow(650057, MISCONFIGURED, "resource_not_asked"),
    AadstsRow(90094, ADMIN_APPROVAL, "needs_approval"),
    AadstsRow(90095, ADMIN_APPROVAL, "needs_approval"),
    AadstsRow(900941, ADMIN_APPROVAL, "risky_app"),
    AadstsRow(900981, ADMIN_APPROVAL, "risky_app"),
    AadstsRow(90093, AT_SIGN_IN_BY_IT, "consent_forbidden"),
    AadstsRow(90008, AT_SIGN_IN_BY_IT, "app_no_sign_in"),
    AadstsRow(90099, AT_SIGN_IN_BY_IT, "app_not_authorized"),
    # The application's own credentials.
    AadstsRow(7000215, SECRET, "secret_refused"),
    AadstsRow(7000222, SECRET, "secret_expired"),
    AadstsRow(7000218, SECRET, "secret_needed"),
    AadstsRow(700025, MISCONFIGURED, "public_client"),
    AadstsRow(700027, CERTIFICATE, "certificate_refused"),
    AadstsRow(50012, CERTIFICATE, "certificate_refused"),
    AadstsRow(50013, CERTIFICATE, "certificate_refused"),
    AadstsRow(700024, CERTIFICATE, "assertion_time"),
    AadstsRow(700030, CERTIFICATE, "certificate_refused"),
    AadstsRow(70002, SECRET, "credentials_refused", generic=True),
    # The application in the tenant.
    AadstsRow(700016, APP_DISABLED_IN_TENANT, "app_unknown"),
    AadstsRow(700011, APP_DISABLED, "app_unknown"),
    AadstsRow(7000112, APP_DISABLED_IN_TENANT, "app_disabled"),
    AadstsRow(70001, APP_DISABLED, "app_off"),
    # Scopes, resources, redirects, authorities.
    AadstsRow(500011, WRONG_SCOPES, "resource_unknown"),
    AadstsRow(50001, WRONG_SCOPES, "resource_unknown"),
    AadstsRow(650053, WRONG_SCOPES, "permission_unknown"),
    AadstsRow(70011, WRONG_SCOPES, "permissions_refused"),
    AadstsRow(700022, WRONG_SCOPES, "several_resources"),
    AadstsRow(700023, WRONG_SCOPES, "several_resources"),
    AadstsRow(28002, WRONG_SCOPES, "permissions_refused"),
    AadstsRow(28003, WRONG_SCOPES, "permissions_refused"),
    AadstsRow(
        50011,
        Verdict(
            GrantFault.MISCONFIGURED,
            "operator",
            next_step("redirect"),
        ),
        "redirect_not_registered",
    ),
    AadstsRow(500112, OUR_FAULT, "redirect_differs"),
    AadstsRow(50020, OTHER_ACCOUNT, "not_in_this_tenant"),
    AadstsRow(50194, WRONG_AUDIENCE, "one_organization"),
    AadstsRow(500208, OTHER_ACCOUNT, "account_kind"),
    AadstsRow(50128, OTHER_ACCOUNT, "organization_unknown"),
    AadstsRow(50059, OTHER_ACCOUNT, "no_organization"),
    AadstsRow(500021, AT_SIGN_IN_BY_IT, "tenant_restrictions"),
    AadstsRow(500022, AT_SIGN_IN_BY_IT, "tenant_restrictions"),
    AadstsRow(500212, AT_SIGN_IN_BY_IT, "tenant_policy"),
    AadstsRow(500213, AT_SIGN_IN_BY_IT, "tenant_policy"),
    AadstsRow(51004, AT_SIGN_IN_BY_IT, "not_in_tenant"),
    AadstsRow(16003, AT_SIGN_IN_BY_IT, "not_in_tenant"),
    AadstsRow(90072, AT_SIGN_IN_BY_IT, "not_in_tenant"),
    AadstsRow(50014, AT_SIGN_IN_BY_IT, "guest_invitation"),
    AadstsRow(900023, WRONG_TENANT, "tenant_neither"),
    AadstsRow(90002, WRONG_TENANT, "tenant_missing"),
    AadstsRow(90013, WRONG_TENANT, "tenant_invalid"),
    AadstsRow(9002332, WRONG_AUDIENCE, "wrong_authority"),
    AadstsRow(9002331, WRONG_AUDIENCE, "wrong_authority"),
    AadstsRow(9001023, WRONG_AUDIENCE, "wrong_authority"),
    AadstsRow(90124, WRONG_AUDIENCE, "wrong_authority"),
    AadstsRow(90130, WRONG_AUDIENCE, "wrong_authority"),
    AadstsRow(9002325, MISCONFIGURED, "redirect_spa"),
    AadstsRow(9002326, MISCONFIGURED, "redirect_spa"),
    AadstsRow(9002327, MISCONFIGURED, "redirect_spa"),
    AadstsRow(90027, OUR_FAULT, "personal_endpoint"),
    AadstsRow(1000031, AT_SIGN_IN_BY_IT, "app_unreachable"),
    AadstsRow(1000104, AT_SIGN_IN_BY_IT, "cloud_guests"),
    AadstsRow(90123, AT_SIGN_IN_BY_IT, "identity_provider_denied"),
    AadstsRow(90038, WRONG_CLOUD, "foreign_cloud"),
    AadstsRow(90043, WRONG_CLOUD, "foreign_cloud"),
    AadstsRow(900382, WRONG_CLOUD, "foreign_cloud"),
    AadstsRow(900432, WRONG_CLOUD, "foreign_cloud"),
    AadstsRow(
        1002016,
        Verdict(GrantFault.MISCONFIGURED, "operator", next_step("tls")),
        "old_tls",
    ),
    # Malformed requests.
    AadstsRow(9002313, OUR_FAULT, "malformed"),
    AadstsRow(900144, OUR_FAULT, "malformed"),
    AadstsRow(90014, OUR_FAULT, "malformed"),
    AadstsRow(90015, OUR_FAULT, "request_long"),
    AadstsRow(90019, OUR_FAULT, "no_tenant"),
    AadstsRow(90023, OUR_FAULT, "malformed"),
    AadstsRow(90100, OUR_FAULT, "malformed"),
    AadstsRow(50147, OUR_FAULT, "challenge_malformed"),
    AadstsRow(900971, OUR_FAULT, "no_reply_address"),
    AadstsRow(9000411, OUR_FAULT, "parameter_twice"),
    AadstsRow(90056, OUR_FAULT, "wrong_method"),
    AadstsRow(901002, OUR_FAULT, "parameter_refused"),
    AadstsRow(90004, OUR_FAULT, "malformed"),
    # Interrupts: the person goes on.
    AadstsRow(16000, START_AGAIN, "several_accounts"),
    AadstsRow(16001, START_AGAIN, "several_accounts"),
    AadstsRow(50058, START_AGAIN, "nobody_signed_in"),
    AadstsRow(50140, START_AGAIN, "interrupted"),
    AadstsRow(50125, START_AGAIN, "interrupted_by_reset"),
    AadstsRow(50199, START_AGAIN, "interrupted"),
    AadstsRow(135010, START_AGAIN, "device_key"),
    # Device authorization grant.
    AadstsRow(70016, WAIT, "other_device_waits"),
    AadstsRow(70018, OUR_FAULT, "device_code_unknown"),
    AadstsRow(70019, START_AGAIN, "device_code_expired"),
    AadstsRow(70020, START_AGAIN, "device_code_expired"),
    # Passing trouble.
    AadstsRow(50196, BACK_OFF, "too_many_identical"),
    AadstsRow(90055, BACK_OFF, "too_many"),
    AadstsRow(50000, WAIT, "passing_fault"),
    AadstsRow(50033, WAIT, "passing_fault"),
    AadstsRow(90006, WAIT, "passing_fault"),
    AadstsRow(90012, WAIT, "passing_fault"),
    AadstsRow(90024, WAIT, "passing_fault"),
    AadstsRow(90033, WAIT, "passing_fault"),
    AadstsRow(90036, WAIT, "passing_fault"),
    AadstsRow(90090, WAIT, "passing_fault"),
    AadstsRow(90091, WAIT, "passing_fault"),
    AadstsRow(70012, WAIT, "passing_fault_personal"),
)
"""Every number with a meaning of its own."""

AADSTS_TABLE: Mapping[int, AadstsRow] = {row.code: row for row in ROWS}

CLASSES: Mapping[str, tuple[Verdict, str]] = {
    "invalid_grant": (UNKNOWN, "not_accepted"),
    "interaction_required": (INTERACTION, "sign_in_demanded"),
    "login_required": (INTERACTION, "sign_in_demanded"),
    "consent_required": (INTERACTION, "consent_demanded"),
    "invalid_client": (SECRET, "credentials_refused"),
    "unauthorized_client": (MISCONFIGURED, "request_not_allowed"),
    "invalid_scope": (WRONG_SCOPES, "permissions_refused"),
    "invalid_resource": (WRONG_SCOPES, "resource_unknown"),
    "invalid_target": (WRONG_SCOPES, "resource_unknown"),
    "invalid_tenant": (WRONG_TENANT, "tenant_unknown"),
    "invalid_request": (OUR_FAULT, "malformed"),
    "unsupported_grant_type": (OUR_FAULT, "grant_type"),
    "unsupported_response_type": (OUR_FAULT, "response_type"),
    "access_denied": (DECLINED, "consent_declined"),
    "authorization_declined": (DECLINED, "sign_in_declined"),
    "expired_token": (START_AGAIN, "device_code_expired"),
    "bad_verification_code": (OUR_FAULT, "device_code_unknown"),
    "authorization_pending": (WAIT, "other_device_waits"),
    "slow_down": (WAIT, "poll_slower"),
    "temporarily_unavailable": (WAIT, "passing_fault"),
    "server_error": (WAIT, "passing_fault"),
}
"""What an `error` means without a known number."""

SUBERRORS: Mapping[str, tuple[Verdict, str]] = {
    "consent_required": (CONSENT_GONE, "consent_withdrawn"),
    "user_password_expired": (INTERACTION, "password_expired"),
    "basic_action": (INTERACTION, "sign_in_demanded"),
    "token_expired": (INTERACTION, "sign_in_frequency"),
    "protection_policy_required": (POLICY, "protection_policy"),
    "device_authentication_failed": (POLICY, "managed_device"),
}
"""What a `suberror` means beside an unknown number."""
