"""Migrations of the vault, by Alembic. Imported only when a database is not of the newest version."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection

from scalekit_mcp.errors import VaultError


def upgrade(connection: Connection) -> None:
    """Lead the database to the newest version, inside the transaction of `connection`.

    Raises:
        VaultError: a newer version of the product wrote the database.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as exc:
        raise VaultError(
            "A newer version of scalekit-mcp wrote this vault. Nothing was overwritten.",
            next_step="The operator installs that version, or restores a backup of the database.",
        ) from exc
