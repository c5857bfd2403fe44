"""Accounts that are written into a vault past the product, as a restored backup would be."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from itertools import islice
from typing import Any

from scalekit_mcp.accounts.model.records import ConnectedAccount, TokenSet
from scalekit_mcp.accounts.vault import rows
from scalekit_mcp.accounts.vault.sealing.key_ring import KeyRing
from scalekit_mcp.accounts.vault.sealing.seals import version_values
from scalekit_mcp.accounts.vault.tables import connected_accounts, record_versions

ACCOUNT_COLUMNS = [column.name for column in connected_accounts.columns]
VERSION_COLUMNS = [column.name for column in record_versions.columns]
_BATCH = 10_000


async def write_accounts(url: str, ring: KeyRing, accounts: Iterable[tuple[ConnectedAccount, TokenSet]]) -> None:
    """Write them, sealed under `ring`, into the tables that are there."""
    sealed = (_rows(ring, account, tokens) for account, tokens in accounts)
    if url.startswith("sqlite"):
        _to_sqlite(url, sealed)
    else:
        await _to_postgresql(url, sealed)


def _rows(ring: KeyRing, account: ConnectedAccount, tokens: TokenSet) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    account = replace(account, version=1, epoch=1, tokens_version=1)
    values = {
        "id": account.id,
        "connection_name": account.connection_name,
        "identifier": account.identifier,
        "created_at": rows.to_micros(account.created_at),
        **rows.sealed_account_values(ring, account, tokens),
    }
    version = version_values(ring, account.id, account.epoch)
    return tuple(values.get(name) for name in ACCOUNT_COLUMNS), tuple(version[name] for name in VERSION_COLUMNS)


def _batches(sealed: Iterator[tuple[tuple[Any, ...], tuple[Any, ...]]]) -> Iterator[tuple[list[Any], list[Any]]]:
    while batch := list(islice(sealed, _BATCH)):
        yield [account for account, _ in batch], [version for _, version in batch]


def _to_sqlite(url: str, sealed: Iterator[tuple[tuple[Any, ...], tuple[Any, ...]]]) -> None:
    def insert(table: str, columns: list[str]) -> str:
        return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"

    with closing(sqlite3.connect(url.partition("///")[2])) as direct:
        direct.execute("PRAGMA synchronous = OFF")
        for accounts, versions in _batches(sealed):
            direct.executemany(insert("connected_accounts", ACCOUNT_COLUMNS), accounts)
            direct.executemany(insert("record_versions", VERSION_COLUMNS), versions)
        direct.commit()
        direct.execute("PRAGMA wal_checkpoint(TRUNCATE)")


async def _to_postgresql(url: str, sealed: Iterator[tuple[tuple[Any, ...], tuple[Any, ...]]]) -> None:
    import asyncpg

    direct = await asyncpg.connect(url.replace("postgresql+asyncpg", "postgresql"))
    for accounts, versions in _batches(sealed):
        await direct.copy_records_to_table("connected_accounts", records=accounts, columns=ACCOUNT_COLUMNS)
        await direct.copy_records_to_table("record_versions", records=versions, columns=VERSION_COLUMNS)
    await direct.execute("VACUUM ANALYZE connected_accounts")
    await direct.execute("VACUUM ANALYZE record_versions")
    await direct.close()
