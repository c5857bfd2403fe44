"""Settings, frozen; the environment and the options are read once, here."""

from scalekit_mcp.settings.checks import check_settings
from scalekit_mcp.settings.loading import SECRETS, load_settings
from scalekit_mcp.settings.model import (
    CLOUDS,
    DEFAULT_PORT,
    DEFAULT_SCOPES,
    SANDBOX_IDENTIFIER,
    Auth,
    HostedCalls,
    Mode,
    Settings,
    Verification,
    listed,
    variables_of,
)
from scalekit_mcp.settings.sources import ExposedFile, exposed_file, exposed_folder

__all__ = [
    "CLOUDS",
    "DEFAULT_PORT",
    "DEFAULT_SCOPES",
    "SANDBOX_IDENTIFIER",
    "SECRETS",
    "Auth",
    "ExposedFile",
    "HostedCalls",
    "Mode",
    "Settings",
    "Verification",
    "check_settings",
    "exposed_file",
    "exposed_folder",
    "listed",
    "load_settings",
    "variables_of",
]
