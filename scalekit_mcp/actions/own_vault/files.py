"""Where the files of the vault and its keys are, whether they fit together, and whether other users can read them."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from platformdirs import user_config_path, user_data_path

from scalekit_mcp.errors import ConfigurationError
from scalekit_mcp.settings import ExposedFile, exposed_file, exposed_folder

if TYPE_CHECKING:
    from scalekit_mcp.accounts import KeyRing
    from scalekit_mcp.settings import Settings

APP_NAME = "scalekit-mcp"
LOOK_SECONDS = 5.0
"""How long a look into the vault's file waits for whoever writes to it."""

_SQLITE = "sqlite+aiosqlite:///"
_SEALED = "SELECT 1 FROM connected_accounts WHERE sealed_tokens IS NOT NULL LIMIT 1"


def key_file() -> Path:
    """The path of the file with the vault keys: in the configuration folder, not beside the data that they open."""
    return _absolute(user_config_path(APP_NAME, appauthor=False)) / "vault.keys"


def session_key_file() -> Path:
    """Where the keys of session tokens are, if no setting holds them."""
    return _absolute(user_config_path(APP_NAME, appauthor=False)) / "session.keys"


def vault_file(settings: Settings) -> Path | None:
    """The file of the default SQLite vault; None where the settings name a database, or the vault is in memory."""
    if settings.database_url is not None or settings.sandbox:
        return None
    return _absolute(user_data_path(APP_NAME, appauthor=False)) / "vault.sqlite3"


def database_file(settings: Settings) -> Path | None:
    """The file of the vault, by default or by setting; None for PostgreSQL and for a vault in memory."""
    if settings.database_url is None:
        return vault_file(settings)
    url = settings.database_url.get_secret_value()
    name, _, query = url.removeprefix(_SQLITE).partition("?")
    if not url.startswith(_SQLITE) or name in {"", ":memory:"} or "mode=memory" in query:
        return None
    return Path(unquote(name.removeprefix("file:")) if "uri=" in query else name)


def uses_key_file(settings: Settings) -> bool:
    """Whether the vault keys are those of the key file."""
    memory = settings.sandbox and settings.database_url is None
    return settings.vault_keys is None and not memory


def check_key_file(settings: Settings) -> None:
    """Refuse a key file that cannot open the vault, before anything is written.

    Raises:
        ConfigurationError: it is malformed; or it is missing and the vault holds sealed records or cannot be looked at;
            or there is no vault yet and no place for one.
    """
    if not uses_key_file(settings):
        return
    path, database = key_file(), database_file(settings)
    if path.exists():
        read_key_file(path, "vault")
        return
    if database is not None and database.exists():
        _check_unsealed(path, database)
        return
    for folder in (path.parent, *([database.parent] if database is not None else [])):
        _check_folder(folder)


def read_key_file(path: Path, kind: str) -> KeyRing:
    """The keys of a key file that is there; raises `ConfigurationError`, which names the file and quotes no key."""
    from scalekit_mcp.accounts import KeyRing
    from scalekit_mcp.errors import VaultError

    try:
        return KeyRing.from_file(path, create=False, kind=kind)
    except VaultError as error:
        raise ConfigurationError(f"The {kind} key file {path} cannot be read. Nothing was written.") from error
    except ConfigurationError as error:
        raise ConfigurationError(
            f"The {kind} key file {path} is not valid: {error.message} Nothing was written. Put the right file back "
            "from your backup."
        ) from error


def private_files(settings: Settings) -> list[Path]:
    """The files of this configuration that hold keys, tokens or secrets, whether they exist or not."""
    found = list(settings.secret_files)
    if settings.microsoft_client_certificate is not None:
        found.append(settings.microsoft_client_certificate)
    try:
        if uses_key_file(settings):
            found.append(key_file())
        if settings.session_keys is None:
            found.append(session_key_file())
        database = database_file(settings)
    except ConfigurationError:
        database = None
    if database is not None:
        found += [database, *(database.with_name(database.name + suffix) for suffix in ("-wal", "-shm"))]
    return found


def exposed_files(settings: Settings) -> list[ExposedFile]:
    """Those of the private files that other users of the machine may read or write, and folders that they may."""
    files = private_files(settings)
    folders = dict.fromkeys(path.absolute().parent for path in files)
    found = [*map(exposed_file, files), *map(exposed_folder, folders)]
    return [exposed for exposed in found if exposed is not None]


def _check_unsealed(path: Path, database: Path) -> None:
    """Refuse to go on without keys where something was sealed with them."""
    missing = f"The vault key file {path} is missing"
    try:
        with closing(sqlite3.connect(f"file:{quote(str(database))}?mode=ro", uri=True, timeout=LOOK_SECONDS)) as vault:
            tables = {name for (name,) in vault.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            sealed = "connected_accounts" in tables and vault.execute(_SEALED).fetchone() is not None
    except sqlite3.Error as error:
        raise ConfigurationError(
            f"{missing}, and the vault {database} cannot be looked at: {error}. Nothing was written."
        ) from error
    if sealed:
        raise ConfigurationError(
            f"{missing}, and the vault {database} holds tokens that only its keys open. Nothing was written. Put the "
            f"file back from your backup, or set SCALEKIT_MCP_VAULT_KEYS; without the keys, move {database} away and "
            "every person consents anew."
        )


def _check_folder(folder: Path) -> None:
    """Refuse a folder that cannot be made or written; makes nothing."""
    existing = next((parent for parent in (folder, *folder.parents) if parent.exists()), None)
    if existing is None or not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise ConfigurationError(
            f"The folder {folder} cannot be written, and the vault or its keys belong there. Nothing was written. Set "
            "SCALEKIT_MCP_DATABASE_URL and SCALEKIT_MCP_VAULT_KEYS, or HOME to a folder that can be written."
        )


def _absolute(folder: Path) -> Path:
    """Without a home there is none to put files in: never a folder named `~` beside whatever is the current one."""
    if not folder.is_absolute() or "~" in folder.parts:
        raise ConfigurationError(
            "HOME is not set, so there is no place for the vault and its keys: set HOME, or SCALEKIT_MCP_DATABASE_URL "
            "and SCALEKIT_MCP_VAULT_KEYS."
        )
    return folder
