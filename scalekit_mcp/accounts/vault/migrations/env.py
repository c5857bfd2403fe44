"""Alembic's environment: the connection is handed in, its transaction belongs to the caller."""

from __future__ import annotations

from alembic import context

from scalekit_mcp.accounts.vault.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=False,
    render_as_batch=True,
)
context.run_migrations()
