"""Sign-ins, grants and refresh tokens to rows and back, with the seals that keep another program from making one up."""

from __future__ import annotations

import json
from typing import Any

from scalekit_mcp.accounts.model.grants import (
    Client,
    ClientGrant,
    ClientKind,
    GrantEnd,
    RefreshToken,
    SignIn,
    SignInRequest,
    SignInSecrets,
    SignInState,
)
from scalekit_mcp.accounts.model.records import AccountKey
from scalekit_mcp.accounts.vault.rows import from_micros, maybe_micros, readable, to_micros
from scalekit_mcp.accounts.vault.sealing import seals
from scalekit_mcp.accounts.vault.sealing.key_ring import KeyRing

Row = seals.Row

_SIGN_IN_COLUMNS = (
    *("id", "status", "browser_sha256", "request_sha256", "state_sha256", "code_sha256", "grant_id", "wrong_tries"),
    *("created_at", "expires_at", "version"),
)
# When a grant was used last, and until when a token of it lives, decides nothing: each token has its own end.
_GRANT_COLUMNS = (
    *("id", "account_id", "connection_name", "identifier", "client_sha256", "secret_sha256", "client_name"),
    *("client_host", "client_kind", "scopes", "created_at", "ended_at", "ended_why"),
)
_TOKEN_COLUMNS = ("id", "grant_id", "issued_at", "expires_at", "replaced_at", "retries")


# Sign-ins


def sign_in_values(ring: KeyRing, sign_in: SignIn, *, version: int) -> dict[str, Any]:
    """All columns of a sign-in; the request and the secrets are sealed together with what decides about them."""
    values = {
        "id": sign_in.id,
        "status": sign_in.status.value,
        "browser_sha256": sign_in.browser_sha256,
        "request_sha256": sign_in.request_sha256,
        "state_sha256": sign_in.state_sha256,
        "code_sha256": sign_in.code_sha256,
        "grant_id": sign_in.grant_id,
        "wrong_tries": sign_in.wrong_tries,
        "created_at": to_micros(sign_in.created_at),
        "expires_at": to_micros(sign_in.expires_at),
        "version": version,
    }
    plain = json.dumps(_sealed_part(sign_in), separators=(",", ":")).encode()
    sealed = ring.seal(plain, **sign_in_seal(values))
    return {**values, "sealed_secrets": sealed, "key_id": ring.sealing_key_id}


def sign_in_from_row(row: Row, ring: KeyRing) -> SignIn:
    """The sign-in of a row joined with its version; raises `VaultError`."""
    with readable(row):
        if not isinstance(row["sealed_secrets"], bytes):
            raise TypeError("no sealed record")
        data: dict[str, Any] = json.loads(ring.open(row["sealed_secrets"], **sign_in_seal(row)))
        seals.check_version(ring, row, row["version"], row["least_version"], row["sealed_version"])
        request, secrets = data["request"], data["secrets"]
        client = Client(**{**request.pop("client"), "kind": ClientKind(request.pop("kind"))})
        account = secrets.pop("account")
        return SignIn(
            id=row["id"],
            status=SignInState(row["status"]),
            browser_sha256=row["browser_sha256"],
            request_sha256=row["request_sha256"],
            created_at=from_micros(row["created_at"]),
            expires_at=from_micros(row["expires_at"]),
            request=SignInRequest(client=client, scopes=tuple(request.pop("scopes")), **request),
            state_sha256=row["state_sha256"],
            code_sha256=row["code_sha256"],
            grant_id=row["grant_id"],
            wrong_tries=row["wrong_tries"],
            version=row["version"],
            secrets=SignInSecrets(account=None if account is None else AccountKey(*account), **secrets),
        )


def sign_in_seal(row: Row) -> dict[str, Any]:
    """What the secrets of a sign-in's row are sealed under."""
    return {"kind": "sign-in", "owner": row["id"], "context": seals.record_context(row, _SIGN_IN_COLUMNS)}


def _sealed_part(sign_in: SignIn) -> dict[str, Any]:
    request, client, secrets = sign_in.request, sign_in.request.client, sign_in.secrets
    account = secrets.account
    return {
        "request": {
            "client": {name: getattr(client, name) for name in ("id_sha256", "secret_sha256", "name", "host")},
            "kind": client.kind.value,
            "redirect_uri": request.redirect_uri,
            "code_challenge": request.code_challenge,
            "scopes": list(request.scopes),
            "state": request.state,
            "redirect_uri_given": request.redirect_uri_given,
            "refreshes": request.refreshes,
        },
        "secrets": {
            "state": secrets.state,
            "nonce": secrets.nonce,
            "code_verifier": secrets.code_verifier,
            "account": None if account is None else [account.connection_name, account.identifier],
        },
    }


# Grants


def grant_values(ring: KeyRing, grant: ClientGrant) -> dict[str, Any]:
    """All columns of a grant."""
    client = grant.client
    values = {
        "id": grant.id,
        "account_id": grant.account_id,
        "connection_name": grant.connection_name,
        "identifier": grant.identifier,
        "client_sha256": client.id_sha256,
        "secret_sha256": client.secret_sha256,
        "client_name": client.name,
        "client_host": client.host,
        "client_kind": client.kind.value,
        "scopes": " ".join(grant.scopes),
        "created_at": to_micros(grant.created_at),
        "last_used_at": to_micros(grant.last_used_at),
        "expires_at": to_micros(grant.expires_at),
        "ended_at": maybe_micros(grant.ended_at),
        "ended_why": None if grant.ended_why is None else grant.ended_why.value,
    }
    return {**values, **seal_grant(ring, values)}


def grant_from_row(row: Row, ring: KeyRing) -> ClientGrant:
    """The grant of a row joined with its version; raises `VaultError` for one that is not as it was written."""
    with readable(row):
        grant = ClientGrant(
            id=row["id"],
            account_id=row["account_id"],
            connection_name=row["connection_name"],
            identifier=row["identifier"],
            client=Client(
                row["client_sha256"],
                row["secret_sha256"],
                row["client_name"],
                row["client_host"],
                ClientKind(row["client_kind"]),
            ),
            scopes=tuple(row["scopes"].split()),
            created_at=from_micros(row["created_at"]),
            last_used_at=from_micros(row["last_used_at"]),
            expires_at=from_micros(row["expires_at"]),
            ended_at=None if row["ended_at"] is None else from_micros(row["ended_at"]),
            ended_why=None if row["ended_why"] is None else GrantEnd(row["ended_why"]),
        )
        check_grant(ring, row)
        seals.check_version(ring, row, grant_version(grant), row["least_version"], row["sealed_version"])
        return grant


def seal_grant(ring: KeyRing, values: Row) -> dict[str, Any]:
    """The columns that seal a grant."""
    return _seal(ring, values, "grant", _GRANT_COLUMNS)


def check_grant(ring: KeyRing, row: Row) -> None:
    """Raise `DamagedRecordError` for a grant that is not as this product wrote it."""
    seals.check_record(ring, row, row["sealed"], "grant", _GRANT_COLUMNS)


def grant_version(grant: ClientGrant) -> int:
    """A grant has two versions: alive, and ended. An ended one that is put back alive is older than it must be."""
    return 0 if grant.ended_at is None else 1


# Refresh tokens


def token_values(ring: KeyRing, token: RefreshToken) -> dict[str, Any]:
    """All columns of a refresh token."""
    values = {
        "id": token.sha256,
        "grant_id": token.grant_id,
        "issued_at": to_micros(token.issued_at),
        "expires_at": to_micros(token.expires_at),
        "replaced_at": maybe_micros(token.replaced_at),
        "retries": token.retries,
    }
    return {**values, **seal_token(ring, values)}


def token_from_row(row: Row, ring: KeyRing) -> RefreshToken:
    """The refresh token of a row; raises `VaultError` for one that is not as it was written."""
    with readable(row):
        check_token(ring, row)
        return RefreshToken(
            sha256=row["id"],
            grant_id=row["grant_id"],
            issued_at=from_micros(row["issued_at"]),
            expires_at=from_micros(row["expires_at"]),
            replaced_at=None if row["replaced_at"] is None else from_micros(row["replaced_at"]),
            retries=row["retries"],
        )


def seal_token(ring: KeyRing, values: Row) -> dict[str, Any]:
    """The columns that seal a refresh token."""
    return _seal(ring, values, "refresh token", _TOKEN_COLUMNS)


def check_token(ring: KeyRing, row: Row) -> None:
    """Raise `DamagedRecordError` for a refresh token that is not as this product wrote it."""
    seals.check_record(ring, row, row["sealed"], "refresh token", _TOKEN_COLUMNS)


def _seal(ring: KeyRing, values: Row, kind: str, columns: tuple[str, ...]) -> dict[str, Any]:
    sealed = ring.seal(b"", kind=kind, owner=values["id"], context=seals.record_context(values, columns))
    return {"sealed": sealed, "key_id": ring.sealing_key_id}
