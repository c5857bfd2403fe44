"""`Settings`: every setting with its type and its default, frozen."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from pydantic import AliasChoices, Field, PrivateAttr, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from scalekit_mcp.errors import ConfigurationError, InvalidInput
from scalekit_mcp.identifiers import check_identifier
from scalekit_mcp.network import Network, trusted_address
from scalekit_mcp.settings.sources import Origin

CLOUDS: dict[str, tuple[str, str]] = {
    "global": ("https://login.microsoftonline.com", "https://graph.microsoft.com/v1.0"),
    "usgov": ("https://login.microsoftonline.us", "https://graph.microsoft.us/v1.0"),
    "usgov-dod": ("https://login.microsoftonline.us", "https://dod-graph.microsoft.us/v1.0"),
    "china": ("https://login.partner.microsoftonline.cn", "https://microsoftgraph.chinacloudapi.cn/v1.0"),
}
"""Login host and Graph base of each cloud; two clouds never share registrations, tokens or users."""

SANDBOX_IDENTIFIER = "user_outlook_789"
DEFAULT_SCOPES = "openid profile offline_access User.Read Calendars.ReadWrite"
DEFAULT_PORT = 8754

TRUSTED_ADDRESSES = (
    "public_url",
    "microsoft_login_url",
    "microsoft_graph_url",
    "scalekit_env_url",
    "user_verify_url",
    "webhook_url",
    "privacy_url",
    "oidc_issuer",
    "oidc_authorization_server",
)
"""Settings that lead people, tokens or secrets somewhere."""
AS_SPELLED = frozenset({"oidc_issuer", "oidc_authorization_server", "user_verify_url", "webhook_url", "privacy_url"})
"""Those that keep a slash at their end: an issuer is compared as it is spelled (RFC 8414 section 3.3)."""
WITH_QUERY = frozenset({"user_verify_url", "webhook_url", "privacy_url"})
MAX_PRODUCT_NAME = 60
"""Longest name of a product, in characters: it stands in a line beside the logo."""
MAX_SCOPES = 1000
"""Longest list of scopes that is advertised, in characters; it stands in a header of every refusal."""
MULTI_LINE = frozenset({"vault_keys", "session_keys"})

Mode = Literal["auto", "embedded", "hosted"]
Auth = Literal["session-token", "microsoft", "oidc", "gateway", "none"]
Verification = Literal["off", "confirm", "url"]
HostedCalls = Literal["auto", "proxy", "tools"]

TOOLSETS = ("calendar", "scheduling")
ALL_TOOLSETS = "all"
MAX_CONNECTIONS = 20
"""As many as one list of Scalekit's may name."""


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
    connections: str = ""
    tools: str = ""

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

    hosted_calls: HostedCalls = "auto"

    database_url: SecretStr | None = None
    vault_keys: SecretStr | None = None
    host: str = "127.0.0.1"
    port: int = Field(DEFAULT_PORT, ge=0, le=65535)
    public_url: str = ""
    allowed_hosts: str = ""
    allowed_origins: str = ""
    auth: Auth = "session-token"
    allowed_tenants: str = ""
    client_metadata_hosts: str = ""
    session_keys: SecretStr | None = None
    oidc_issuer: str | None = None
    oidc_audience: str | None = None
    oidc_identifier_claim: str = "sub"
    oidc_require_scopes: bool = True
    oidc_authorization_server: str | None = None
    oidc_scopes: str = ""
    service_key: SecretStr | None = None
    rest_proxy: bool = False
    stateless: bool = False
    stop_delay_seconds: float = Field(0, ge=0, le=300)
    user_verification: Verification | None = None
    user_verify_url: str | None = None
    confirm: Literal["off", "mail"] = "off"
    read_only: bool = False
    toolsets: str = "calendar"
    timezone: str | None = None
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["text", "json"] = "text"
    product_name: str = ""
    product_logo: Path | None = None
    product_color: str = ""
    support_url: str = ""
    privacy_url: str = ""
    webhook_url: str = ""
    webhook_secret: SecretStr | None = None
    otlp_endpoint: str = Field("", validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT")
    otel_service_name: str = Field("scalekit-mcp", validation_alias="OTEL_SERVICE_NAME")

    _origins: Mapping[str, Origin] = PrivateAttr(default_factory=dict[str, Origin])
    _network: Network = PrivateAttr(default_factory=Network)
    _secret_files: tuple[Path, ...] = PrivateAttr(default=())

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value

    @field_validator("*", mode="before")
    @classmethod
    def _plain(cls, value: Any, info: ValidationInfo) -> Any:
        """Without the spaces and line ends that copying leaves around a value; nothing that no terminal shows."""
        if not isinstance(value, str) or info.field_name == "identifier":
            return value
        plain = value.strip().removeprefix("\ufeff")
        if any(ord(character) < 32 or 127 <= ord(character) < 160 for character in plain.replace("\n", "")):
            raise ValueError("it has a control character")
        if "\n" in plain and info.field_name not in MULTI_LINE:
            raise ValueError("it has more than one line")
        return plain

    @field_validator(*TRUSTED_ADDRESSES, mode="after")
    @classmethod
    def _trusted(cls, value: str | None, info: ValidationInfo) -> str | None:
        if not value:
            return value
        trusted_address(value, query=info.field_name in WITH_QUERY)
        return value if info.field_name in AS_SPELLED else value.rstrip("/")

    @field_validator("support_url", mode="after")
    @classmethod
    def _support(cls, value: str) -> str:
        if not value.casefold().startswith("mailto:"):
            return trusted_address(value) if value else value
        if not re.fullmatch(r"[^\s@:?#<>\"\\]+@[A-Za-z0-9.-]+(\?[A-Za-z0-9=&%._~+-]*)?", value[len("mailto:") :]):
            raise ValueError("it must be an address that begins with https://, or mailto: and a mail address")
        return value

    @field_validator("product_name", mode="after")
    @classmethod
    def _product(cls, value: str) -> str:
        if len(value) > MAX_PRODUCT_NAME:
            raise ValueError(f"it is longer than {MAX_PRODUCT_NAME} characters")
        plain = value.replace("\u200c", "").replace("\u200d", "")  # some scripts and pictures are spelled with them
        if any(unicodedata.category(character) in {"Cf", "Cs", "Co", "Cn"} for character in plain):
            raise ValueError("it has a character that is not shown, or that turns the direction of text around")
        return value

    @field_validator("product_color", mode="after")
    @classmethod
    def _color(cls, value: str) -> str:
        if value and not re.fullmatch(r"#[0-9A-Fa-f]{6}", value):
            raise ValueError("it must be a color such as #0b5cad")
        return value.casefold()

    @field_validator("oidc_scopes", mode="after")
    @classmethod
    def _scope_names(cls, value: str) -> str:
        """The names of RFC 6749 section 3.3, which stand in a header: no quotation mark, no backslash.

        A comma is allowed there and occurs in no name; it is what a list of another kind has between its entries.
        """
        if not all(re.fullmatch(r"[!#-+\--\[\]-~]+", name) for name in value.split()):
            raise ValueError("it must be names of scopes such as calendar.read, with spaces between them")
        if len(value) > MAX_SCOPES:
            raise ValueError(f"it is longer than {MAX_SCOPES} characters")
        return value

    @field_validator("otlp_endpoint", mode="after")
    @classmethod
    def _http_address(cls, value: str) -> str:
        if value and not re.match(r"https?://[^/\s]", value):
            raise ValueError("it must be an address that begins with http:// or https://")
        return value

    @field_validator("allowed_hosts", mode="after")
    @classmethod
    def _hosts(cls, value: str) -> str:
        if "/" in value or any(len(entry.split()) > 1 for entry in value.split(",")):
            raise ValueError("it must be hosts such as calendar.example:8443, with commas between them")
        return value

    @field_validator("client_metadata_hosts", mode="after")
    @classmethod
    def _document_hosts(cls, value: str) -> str:
        if not all(re.fullmatch(r"[A-Za-z0-9._-]+(:[0-9]{1,5})?", entry) for entry in listed(value)):
            raise ValueError("it must be hosts such as id.example.internal:8443, with commas between them")
        return value

    @field_validator("allowed_tenants", mode="after")
    @classmethod
    def _tenants(cls, value: str) -> str:
        for entry in listed(value):
            if entry.casefold() in {"common", "organizations"}:
                raise ValueError(f"{entry} is no tenant; leave the setting out to let every tenant in")
            if not re.fullmatch(
                r"consumers|[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[\w-]+(\.[\w-]+)+", entry
            ):
                raise ValueError("it must be tenant ids or domains such as contoso.com, with commas between them")
        return value

    @field_validator("toolsets", mode="after")
    @classmethod
    def _toolset_names(cls, value: str) -> str:
        names = [name.casefold() for name in listed(value)]
        if not names or not set(names) <= {*TOOLSETS, ALL_TOOLSETS}:
            raise ValueError(f"it must be {', '.join(TOOLSETS)} or {ALL_TOOLSETS}, with commas between them")
        return ",".join(names)

    @field_validator("connections", mode="after")
    @classmethod
    def _connection_names(cls, value: str) -> str:
        names = listed(value)
        if not all(re.fullmatch(r"[a-zA-Z0-9_: -]{1,200}", name) for name in names):
            raise ValueError("it must be names of connections such as outlook,gmail, with commas between them")
        if len(names) > MAX_CONNECTIONS:
            raise ValueError(f"it has more than {MAX_CONNECTIONS} connections")
        folded = [name.casefold() for name in names]
        if len(set(folded)) < len(folded):
            raise ValueError("it names a connection twice")
        return ",".join(names)

    @field_validator("tools", mode="after")
    @classmethod
    def _tool_patterns(cls, value: str) -> str:
        if not all(re.fullmatch(r"[a-zA-Z0-9_*?-]{1,64}", pattern) for pattern in listed(value)):
            raise ValueError("it must be names of tools such as gmail_*,slack_send_message, with commas between them")
        return value

    @field_validator("allowed_origins", mode="after")
    @classmethod
    def _allowed_origins(cls, value: str) -> str:
        if not all(re.fullmatch(r"[a-zA-Z][a-zA-Z0-9+.-]*://[^/\s]+/?", entry) for entry in listed(value)):
            raise ValueError("it must be origins such as https://app.example.com, with commas between them")
        return value

    @field_validator("identifier", mode="after")
    @classmethod
    def _plain_identifier(cls, value: str | None) -> str | None:
        try:
            return None if value is None else check_identifier(value)
        except InvalidInput as error:
            raise ValueError(error.message.rstrip(".")) from None

    def named(self, field: str) -> str:
        """The setting's variable and the source of its value, as the beginning of an error message."""
        origin = self._origins.get(field)
        return variables_of(field)[0] if origin is None else str(origin)

    @contextmanager
    def naming(self, field: str) -> Generator[None]:
        """Raise an error inside the block (`ConfigurationError`, ValueError) again as one that names the setting."""
        try:
            yield
        except (ConfigurationError, ValueError) as error:
            why = error.message if isinstance(error, ConfigurationError) else str(error)
            raise ConfigurationError(f"{self.named(field)} is not valid: {why.rstrip('.')}.") from error

    def note_origins(self, origins: Mapping[str, Origin], network: Network, files: Sequence[Path]) -> None:
        """Remember where the values came from; called once, by whoever read them."""
        self._origins, self._network, self._secret_files = dict(origins), network, tuple(files)

    @property
    def secret_files(self) -> tuple[Path, ...]:
        """The files that values were read from."""
        return self._secret_files

    @property
    def network(self) -> Network:
        """The proxies and certificate authorities of the environment that these settings were read from."""
        return self._network

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses that this process sends requests to; none of them for what the sandbox stands in for."""
        provider: tuple[str, ...] = ()
        if not self.sandbox:
            own = (self.login_url, self.graph_url)
            provider = own if self.keeps_own_vault else (self.scalekit_env_url or "",)
        issuers = (self.oidc_issuer, self.oidc_authorization_server) if self.auth == "oidc" else ()
        return tuple(address for address in (*provider, *issuers, self.webhook_url) if address)

    @property
    def tenants(self) -> tuple[str, ...]:
        """The tenants that may sign in with `microsoft`, as they are configured; none means all."""
        return listed(self.allowed_tenants) if self.auth == "microsoft" else ()

    @property
    def offered_toolsets(self) -> tuple[str, ...]:
        """The sets of tools that are shown to models."""
        names = listed(self.toolsets)
        return TOOLSETS if ALL_TOOLSETS in names else names

    @property
    def further_connections(self) -> tuple[str, ...]:
        """The connections beside that of the calendar, whose tools Scalekit runs."""
        return tuple(name for name in listed(self.connections) if name.casefold() != self.connection.casefold())

    @property
    def tool_patterns(self) -> tuple[str, ...]:
        """Which tools of further connections models are offered, as names with wildcards."""
        return listed(self.tools) or ("*",)

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

    @property
    def keeps_own_vault(self) -> bool:
        """Whether the tokens are in our own vault; True also if no credentials are set.

        The commands that look after a vault need none.
        """
        try:
            return self.resolved_mode == "embedded"
        except ConfigurationError:
            return True


def listed(text: str) -> tuple[str, ...]:
    """The entries of a setting that has commas between them."""
    return tuple(entry.strip() for entry in text.split(",") if entry.strip())


def variables_of(field: str) -> tuple[str, ...]:
    """The variables that a setting is read from, the first one before the others."""
    alias = Settings.model_fields[field].validation_alias
    if isinstance(alias, AliasChoices):
        return tuple(str(choice) for choice in alias.choices)
    return (str(alias) if alias else f"SCALEKIT_MCP_{field.upper()}",)
