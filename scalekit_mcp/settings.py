"""Settings, frozen; the environment and the options are read once, here."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, DotEnvSettingsSource, SettingsConfigDict

from scalekit_mcp.errors import ConfigurationError, InvalidInput
from scalekit_mcp.identifiers import check_identifier

CLOUDS: dict[str, tuple[str, str]] = {
    "global": ("https://login.microsoftonline.com", "https://graph.microsoft.com/v1.0"),
    "usgov": ("https://login.microsoftonline.us", "https://graph.microsoft.us/v1.0"),
    "usgov-dod": ("https://login.microsoftonline.us", "https://dod-graph.microsoft.us/v1.0"),
    "china": ("https://login.partner.microsoftonline.cn", "https://microsoftgraph.chinacloudapi.cn/v1.0"),
}
"""Login host and Graph base of each cloud; two clouds never share registrations, tokens or users."""

_WEBHOOK_SECRET = re.compile(r"whsec_[A-Za-z0-9+/]{32,86}={0,2}")

LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})

SANDBOX_IDENTIFIER = "user_outlook_789"
DEFAULT_SCOPES = "openid profile offline_access User.Read Calendars.ReadWrite"
DEFAULT_PORT = 8754

Mode = Literal["auto", "embedded", "hosted"]
Auth = Literal["session-token", "oidc", "gateway", "none"]
Verification = Literal["off", "confirm", "url"]


class Settings(BaseSettings):
    """All settings of one process, read from the environment and the command's options; never changed afterwards.

    A name `X` is read from `SCALEKIT_MCP_X` unless noted; a secret also from the file that `X_FILE` names. No `.env`
    file is read unless `load_settings` is told to.
    """

    model_config = SettingsConfigDict(
        env_prefix="SCALEKIT_MCP_", frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    mode: Mode = "auto"
    sandbox: bool = False
    identifier: str | None = None
    connection: str = "outlook"

    microsoft_client_id: str | None = Field(None, validation_alias="MICROSOFT_CLIENT_ID")
    microsoft_client_secret: SecretStr | None = Field(None, validation_alias="MICROSOFT_CLIENT_SECRET")
    microsoft_client_certificate: Path | None = Field(None, validation_alias="MICROSOFT_CLIENT_CERTIFICATE")
    microsoft_tenant: str = Field("common", validation_alias="MICROSOFT_TENANT")
    microsoft_cloud: Literal["global", "usgov", "usgov-dod", "china"] = Field(
        "global", validation_alias="MICROSOFT_CLOUD"
    )
    microsoft_login_url: str = Field("", validation_alias="MICROSOFT_LOGIN_URL")
    microsoft_graph_url: str = Field("", validation_alias="MICROSOFT_GRAPH_URL")
    microsoft_scopes: str = Field("", validation_alias="MICROSOFT_SCOPES")

    scalekit_client_id: str | None = Field(None, validation_alias="SCALEKIT_CLIENT_ID")
    scalekit_client_secret: SecretStr | None = Field(None, validation_alias="SCALEKIT_CLIENT_SECRET")
    scalekit_env_url: str | None = Field(
        None, validation_alias=AliasChoices("SCALEKIT_ENV_URL", "SCALEKIT_ENVIRONMENT_URL")
    )

    database_url: SecretStr | None = None
    vault_keys: SecretStr | None = None
    host: str = "127.0.0.1"
    port: int = Field(DEFAULT_PORT, ge=0, le=65535)
    public_url: str = ""
    allowed_hosts: str = ""
    allowed_origins: str = ""
    auth: Auth = "session-token"
    session_keys: SecretStr | None = None
    oidc_issuer: str | None = None
    oidc_audience: str | None = None
    oidc_identifier_claim: str = "sub"
    oidc_require_scopes: bool = True
    service_key: SecretStr | None = None
    stateless: bool = False
    stop_delay_seconds: float = Field(0, ge=0, le=300)
    user_verification: Verification | None = None
    user_verify_url: str | None = None
    confirm: Literal["off", "mail"] = "off"
    read_only: bool = False
    timezone: str | None = None
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["text", "json"] = "text"
    webhook_url: str = ""
    webhook_secret: SecretStr | None = None
    otlp_endpoint: str = Field("", validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT")
    otel_service_name: str = Field("scalekit-mcp", validation_alias="OTEL_SERVICE_NAME")

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value

    @field_validator(
        "public_url",
        "microsoft_login_url",
        "microsoft_graph_url",
        "scalekit_env_url",
        "user_verify_url",
        "webhook_url",
        mode="after",
    )
    @classmethod
    def _https_unless_loopback(cls, value: str | None) -> str | None:
        if not value:
            return value
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("it must be an address that begins with https://")
        if parts.scheme == "http" and parts.hostname not in LOOPBACK_HOSTS:
            raise ValueError("it must begin with https:// unless the host is localhost")
        return value.rstrip("/")

    @field_validator("identifier", mode="after")
    @classmethod
    def _plain_identifier(cls, value: str | None) -> str | None:
        try:
            return None if value is None else check_identifier(value)
        except InvalidInput as error:
            raise ValueError(error.message) from None

    @property
    def login_url(self) -> str:
        """Base address of the login host."""
        return self.microsoft_login_url or CLOUDS[self.microsoft_cloud][0]

    @property
    def graph_url(self) -> str:
        """Base address of Microsoft Graph, version included."""
        return self.microsoft_graph_url or CLOUDS[self.microsoft_cloud][1]

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes that a consent asks for."""
        default = DEFAULT_SCOPES.replace("Calendars.ReadWrite", "Calendars.Read") if self.read_only else DEFAULT_SCOPES
        return tuple((self.microsoft_scopes or default).split())

    @property
    def base_url(self) -> str:
        """Base of our own pages on HTTP."""
        return self.public_url or f"http://localhost:{self.port}"

    @property
    def resolved_mode(self) -> Literal["embedded", "hosted"]:
        """Who keeps the tokens; raises `ConfigurationError` when nothing says so."""
        if self.mode != "auto":
            return self.mode
        if self.sandbox or self.microsoft_client_id:
            return "embedded"
        if self.scalekit_client_id or self.scalekit_client_secret or self.scalekit_env_url:
            return "hosted"
        raise ConfigurationError(
            "No credentials are set: set MICROSOFT_CLIENT_ID and MICROSOFT_CLIENT_SECRET to use your own Azure app, or "
            "SCALEKIT_CLIENT_ID, SCALEKIT_CLIENT_SECRET and SCALEKIT_ENV_URL to use Scalekit, or start with "
            "`scalekit-mcp serve --sandbox` to try everything without an account."
        )

    def check(self, *, transport: Literal["stdio", "http"] | None = None) -> None:
        """Refuse what cannot work, before anything starts; raises `ConfigurationError` with all problems at once."""
        problems: list[str] = []
        try:
            mode = self.resolved_mode
        except ConfigurationError as error:
            problems.extend(error.problems)
            mode = None
        if mode == "embedded" and not self.sandbox and not self.microsoft_client_id:
            problems.append("MICROSOFT_CLIENT_ID is missing: it is the Application (client) ID of your Azure app.")
        if mode == "hosted" and not self.sandbox:
            problems.extend(
                f"{name} is missing: hosted mode needs it."
                for name, value in (
                    ("SCALEKIT_CLIENT_ID", self.scalekit_client_id),
                    ("SCALEKIT_CLIENT_SECRET", self.scalekit_client_secret),
                    ("SCALEKIT_ENV_URL", self.scalekit_env_url),
                )
                if not value
            )
        if self.microsoft_client_secret and self.microsoft_client_certificate:
            problems.append("MICROSOFT_CLIENT_SECRET and MICROSOFT_CLIENT_CERTIFICATE are both set: keep one.")
        database = self.database_url.get_secret_value() if self.database_url else ""
        if database and not database.startswith(("sqlite+aiosqlite://", "postgresql+asyncpg://")):
            problems.append("SCALEKIT_MCP_DATABASE_URL must begin with sqlite+aiosqlite:// or postgresql+asyncpg://.")
        if database.startswith("postgresql") and not self.vault_keys:
            problems.append("SCALEKIT_MCP_VAULT_KEYS is missing: PostgreSQL needs it, as kid:base64 of 32 bytes.")
        if self.user_verification == "url" and not self.user_verify_url:
            problems.append("SCALEKIT_MCP_USER_VERIFY_URL is missing: user verification 'url' sends people there.")
        problems.extend(self._webhook_problems(mode))
        if transport == "stdio" and not self.identifier and not self.sandbox:
            problems.append(
                "No identifier is set: say whose account this is with --identifier or SCALEKIT_MCP_IDENTIFIER."
            )
        if transport == "http":
            problems.extend(self._http_problems(database))
        if problems:
            raise ConfigurationError(*problems)

    def _webhook_problems(self, mode: str | None) -> list[str]:
        problems: list[str] = []
        if bool(self.webhook_url) != bool(self.webhook_secret):
            problems.append("SCALEKIT_MCP_WEBHOOK_URL and SCALEKIT_MCP_WEBHOOK_SECRET belong together: set both.")
        elif self.webhook_secret and not _WEBHOOK_SECRET.fullmatch(self.webhook_secret.get_secret_value().strip()):
            problems.append("SCALEKIT_MCP_WEBHOOK_SECRET must be whsec_ and the base64 of 24 to 64 random bytes.")
        if self.webhook_url and mode == "hosted":
            problems.append("SCALEKIT_MCP_WEBHOOK_URL is for embedded mode: in hosted mode Scalekit sends webhooks.")
        return problems

    def _http_problems(self, database: str) -> list[str]:
        problems: list[str] = []
        if self.auth == "session-token" and database.startswith("postgresql") and not self.session_keys:
            problems.append("SCALEKIT_MCP_SESSION_KEYS is missing: PostgreSQL needs it, as kid:base64.")
        if self.auth == "oidc" and not (self.oidc_issuer and self.oidc_audience):
            problems.append("SCALEKIT_MCP_AUTH=oidc needs SCALEKIT_MCP_OIDC_ISSUER and SCALEKIT_MCP_OIDC_AUDIENCE.")
        if self.auth == "gateway" and not self.service_key:
            problems.append("SCALEKIT_MCP_AUTH=gateway needs SCALEKIT_MCP_SERVICE_KEY.")
        public = urlsplit(self.base_url).hostname or ""
        if self.auth == "none":
            if not self.identifier and not self.sandbox:
                problems.append("SCALEKIT_MCP_AUTH=none needs --identifier: every caller acts as that one user.")
            if self.host not in LOOPBACK_HOSTS or public not in LOOPBACK_HOSTS:
                problems.append("SCALEKIT_MCP_AUTH=none is refused on an address that others can reach.")
        return problems


SECRETS = (
    "MICROSOFT_CLIENT_SECRET",
    "SCALEKIT_CLIENT_SECRET",
    "SCALEKIT_MCP_DATABASE_URL",
    "SCALEKIT_MCP_VAULT_KEYS",
    "SCALEKIT_MCP_SESSION_KEYS",
    "SCALEKIT_MCP_SERVICE_KEY",
    "SCALEKIT_MCP_WEBHOOK_SECRET",
)
"""Settings that have no flag and may stand in a file that NAME_FILE names."""


def load_settings(*, env_file: Path | None = None, **options: Any) -> Settings:
    """Read the environment once; `options` are the command's flags, None meaning not given.

    Raises `ConfigurationError` with one sentence per problem.
    """
    given = {name: value for name, value in options.items() if value is not None}
    if env_file is not None and not env_file.is_file():
        raise ConfigurationError(f"--env-file names no file: {env_file}.")
    # As for every setting: the environment comes before the file, and a value before the name of a file.
    in_file: Mapping[str, str | None] = (
        {} if env_file is None else DotEnvSettingsSource(Settings, env_file=env_file).env_vars
    )
    problems: list[str] = []
    for name in SECRETS:
        path = os.environ.get(f"{name}_FILE") or in_file.get(f"{name}_FILE".lower())
        if path and not (os.environ.get(name) or in_file.get(name.lower())):
            try:
                text = Path(path).read_text("utf-8-sig").strip()
            except OSError as error:
                problems.append(f"{name}_FILE names a file that cannot be read: {error.strerror}.")
                continue
            except UnicodeDecodeError:
                problems.append(f"{name}_FILE names a file that is not UTF-8 text.")
                continue
            given.setdefault(_init_name(name), text)
    if problems:
        raise ConfigurationError(*problems)
    try:
        return Settings(_env_file=env_file, **given)  # pyright: ignore[reportCallIssue] - pydantic-settings' own keyword
    except ValidationError as error:
        raise ConfigurationError(*(_sentence(dict(problem)) for problem in error.errors())) from None


def _init_name(variable: str) -> str:
    """The name under which a variable's value is handed to `Settings`."""
    field = variable.removeprefix("SCALEKIT_MCP_").lower()
    return field if variable.startswith("SCALEKIT_MCP_") else variable


def _sentence(problem: dict[str, Any]) -> str:
    name = str(problem["loc"][0]) if problem.get("loc") else "A setting"
    variable = name if name.isupper() else f"SCALEKIT_MCP_{name.upper()}"
    message = str(problem["msg"]).removeprefix("Value error, ")
    return f"{variable} is not valid: {message.rstrip('.')}."
