"""What identity refuses, and in which shape.

The numbers and their protocol errors follow "Microsoft Entra authentication & authorization error codes"; the texts are
the sandbox's own, because no client may branch on text.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

INVALID_GRANT = "invalid_grant"
INVALID_CLIENT = "invalid_client"
INVALID_REQUEST = "invalid_request"

MEANINGS: dict[int, tuple[str, str | None, str]] = {
    # code: (error at the token endpoint, suberror, text)
    16000: ("interaction_required", None, "Several accounts are signed in; one has to be chosen."),
    28002: ("invalid_scope", None, "The scope is empty."),
    50000: ("server_error", None, "The token service failed to issue a token."),
    500011: ("invalid_resource", None, "The resource was not found in the tenant."),
    500014: ("invalid_resource", None, "The service principal of the resource is disabled."),
    50011: (
        INVALID_REQUEST,
        None,
        "The redirect URI of the request is not among those registered for the application.",
    ),
    500112: (INVALID_CLIENT, None, "The redirect URI differs from the one of the authorization request."),
    50012: (INVALID_CLIENT, None, "The client assertion was refused."),
    50020: (INVALID_GRANT, None, "The account does not exist in the tenant and cannot use the application there."),
    500208: (INVALID_REQUEST, None, "This kind of account cannot sign in at this authority."),
    50034: (INVALID_GRANT, None, "The account does not exist in the directory."),
    500341: (INVALID_GRANT, None, "The account was deleted from the directory."),
    50055: (INVALID_GRANT, "user_password_expired", "The password is expired."),
    50057: (INVALID_GRANT, None, "The user account is disabled."),
    50058: ("login_required", None, "A silent sign-in was asked for, but nobody is signed in."),
    50072: (INVALID_GRANT, "basic_action", "The user has to enroll in multifactor authentication."),
    50074: (INVALID_GRANT, "basic_action", "Strong authentication is required."),
    50076: (INVALID_GRANT, "basic_action", "The user has to use multifactor authentication."),
    50078: (INVALID_GRANT, "basic_action", "The proof of multifactor authentication is expired."),
    50079: (INVALID_GRANT, "basic_action", "The user has to enroll in multifactor authentication."),
    50097: (INVALID_GRANT, "additional_action", "Device authentication is required."),
    50105: (INVALID_GRANT, None, "The signed-in user is not assigned to the application."),
    50131: (INVALID_GRANT, None, "Conditional Access refuses the request."),
    50132: (INVALID_GRANT, None, "The session ended with a change of the password."),
    50133: (INVALID_GRANT, None, "The session ended with the expiry of the password."),
    50144: (INVALID_GRANT, "user_password_expired", "The password in the directory is expired."),
    50158: (INVALID_GRANT, "basic_action", "An external challenge was not met."),
    50173: (INVALID_GRANT, None, "The grant was revoked; the user has to sign in again."),
    50177: (INVALID_GRANT, None, "The external challenge is not supported for this user."),
    50194: (INVALID_REQUEST, None, "The application is not multi-tenant; use the endpoint of its tenant."),
    50196: (INVALID_GRANT, None, "A loop of requests was found; wait before the next one."),
    501481: (INVALID_GRANT, None, "The code_verifier does not match the code_challenge of the authorization request."),
    53000: (INVALID_GRANT, "additional_action", "The device does not comply with the organization's policy."),
    53001: (INVALID_GRANT, "additional_action", "The device is not joined to the organization."),
    53002: (INVALID_GRANT, "message_only", "The application is not approved for Conditional Access."),
    53003: (INVALID_GRANT, "message_only", "Conditional Access policies block the issuance of tokens."),
    530032: (INVALID_GRANT, "message_only", "A security policy of the tenant blocks the sign-in."),
    54005: (INVALID_GRANT, None, "The authorization code was redeemed already; get a new one."),
    65001: (INVALID_GRANT, "consent_required", "The user or an administrator has not consented to the application."),
    65004: ("consent_required", None, "The user declined to consent to the application."),
    650053: (INVALID_CLIENT, None, "The application asked for a scope that the resource does not have."),
    70000: (INVALID_GRANT, None, "The grant is not valid."),
    700005: (INVALID_GRANT, None, "The code was issued for another tenant than the one it is redeemed at."),
    70001: ("unauthorized_client", None, "The application is disabled."),
    700016: ("unauthorized_client", None, "The application was not found in the directory."),
    700024: (INVALID_CLIENT, None, "The client assertion is not within its valid time range."),
    700025: (INVALID_CLIENT, None, "The client is public; neither 'client_assertion' nor 'client_secret' may be sent."),
    700027: (INVALID_CLIENT, None, "The client assertion failed the validation of its signature."),
    70002: (INVALID_CLIENT, None, "The credentials of the client could not be validated."),
    70003: ("unsupported_grant_type", None, "The application asked for a grant type that is not supported."),
    70004: (INVALID_REQUEST, None, "The response_mode is not supported."),
    70005: ("unsupported_response_type", None, "The response_type is not supported."),
    70008: (INVALID_GRANT, None, "The code or refresh token is expired."),
    700082: (INVALID_GRANT, None, "The refresh token is expired because it was not used for 90.00:00:00."),
    700084: (INVALID_GRANT, None, "The refresh token was issued to a single page app and its fixed lifetime is over."),
    70011: ("invalid_scope", None, "The value of the input parameter 'scope' is not valid."),
    7000112: ("unauthorized_client", None, "The application is disabled."),
    70012: ("server_error", None, "The service for personal accounts failed."),
    7000215: (INVALID_CLIENT, None, "Invalid client secret provided; send the secret's value, not its ID."),
    7000218: (INVALID_CLIENT, None, "The request must contain 'client_assertion' or 'client_secret'."),
    7000222: (INVALID_CLIENT, None, "The client secret keys of the application are expired."),
    70016: ("authorization_pending", None, "The user has not finished the sign-in for this device code yet."),
    70018: ("bad_verification_code", None, "The device code is not known."),
    70020: ("expired_token", None, "The device code is expired."),
    70043: (INVALID_GRANT, "token_expired", "The refresh token is older than the sign-in frequency policy allows."),
    70044: (INVALID_GRANT, None, "The session is older than the sign-in frequency policy allows."),
    90002: ("invalid_tenant", None, "The tenant was not found."),
    900023: (INVALID_REQUEST, None, "The tenant identifier is neither a valid DNS name, nor a valid external domain."),
    9000411: (INVALID_REQUEST, None, "A parameter was sent more than once."),
    900144: (INVALID_REQUEST, None, "A required parameter is missing."),
    9002313: (INVALID_REQUEST, None, "The request is malformed or invalid."),
    9002326: (INVALID_REQUEST, None, "Cross-origin token redemption is permitted only for single page apps."),
    9002327: (INVALID_REQUEST, None, "Tokens of a single page app can be redeemed only by cross-origin requests."),
    9002325: (INVALID_REQUEST, None, "Proof Key for Code Exchange is required for a single page app."),
    9002331: (INVALID_REQUEST, None, "The application is for personal accounts only; use the /consumers endpoint."),
    9002332: (INVALID_REQUEST, None, "The application is for organizations only; do not use the /consumers endpoint."),
    900561: (INVALID_REQUEST, None, "The endpoint accepts only POST requests."),
    90023: (INVALID_REQUEST, None, "The request to the token service is not valid."),
    90033: ("temporarily_unavailable", None, "The token service is temporarily unavailable."),
    90055: (INVALID_REQUEST, None, "Too many requests of this tenant."),
    90093: ("consent_required", None, "Only an administrator can do this; sign in as one."),
    90094: ("consent_required", None, "An administrator has to approve the application."),
    90095: ("consent_required", None, "An administrator has to approve the application; a request can be sent."),
    900941: ("consent_required", None, "The application is considered risky; an administrator has to approve it."),
    900981: ("consent_required", None, "The application is considered risky; a request for approval can be sent."),
}


class IdentityError(Exception):
    """A refusal with an AADSTS number; where it is shown depends on who catches it.

    `error` and `suberror` default to those that usually go with the number, `detail` is added to the text.
    """

    def __init__(
        self,
        code: int | None,
        detail: str = "",
        *,
        error: str | None = None,
        suberror: str | None = None,
        claims: str | None = None,
        text: str | None = None,
        status: int | None = None,
        codes: tuple[int, ...] | None = None,
    ) -> None:
        default_error, default_suberror, default_text = MEANINGS.get(
            code or 0, (INVALID_GRANT, None, "The request was refused.")
        )
        self.code = code
        self.error = error or default_error
        self.suberror = suberror if suberror is not None else (default_suberror if error is None else None)
        self.claims = claims
        self.text = (text or default_text) + (f" {detail}" if detail else "")
        self.codes = codes if codes is not None else ((code,) if code else ())
        self.status = status or _status(self.error)
        super().__init__(self.summary)

    @property
    def summary(self) -> str:
        """The text with its number in front."""
        return f"AADSTS{self.code}: {self.text}" if self.code else self.text


def _status(error: str) -> int:
    return {INVALID_CLIENT: 401, "server_error": 500, "temporarily_unavailable": 503}.get(error, 400)


def timestamp(now: datetime) -> str:
    """The form of the `timestamp` member."""
    return now.strftime("%Y-%m-%d %H:%M:%SZ")


def description(
    failure: IdentityError, *, now: datetime, trace_id: str, correlation_id: str, separator: str = "\r\n"
) -> str:
    """The `error_description`: text and ids, separated by CR LF or, in newer answers, by a space."""
    lines = (
        failure.summary,
        f"Trace ID: {trace_id}",
        f"Correlation ID: {correlation_id}",
        f"Timestamp: {timestamp(now)}",
    )
    return separator.join(lines)


def error_body(
    failure: IdentityError, *, now: datetime, trace_id: str, correlation_id: str, separator: str, base_url: str
) -> dict[str, Any]:
    """The token endpoint's error object."""
    body: dict[str, Any] = {
        "error": failure.error,
        "error_description": description(
            failure, now=now, trace_id=trace_id, correlation_id=correlation_id, separator=separator
        ),
        "error_codes": list(failure.codes),
        "timestamp": timestamp(now),
        "trace_id": trace_id,
        "correlation_id": correlation_id,
    }
    if failure.code:
        body["error_uri"] = f"{base_url}/error?code={failure.code}"
    if failure.suberror:
        body["suberror"] = failure.suberror
    if failure.claims:
        body["claims"] = failure.claims
    return body
