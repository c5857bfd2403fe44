"""How reading one account grows with the number of accounts: p99 against that with 1,000, in the same run.

`python -m bench.vault [--most N] [--database sqlite|postgresql]`. Each size is read in turns with a vault of 1,000
beside it, so that whatever else the machine does meets both. Accounts are real: sealed tokens of a usual length.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.filled_vault import write_accounts
from bench.report import Report
from scalekit_mcp.accounts.model.records import AccountKey, AccountStatus, ConnectedAccount, ProviderAccount, TokenSet
from scalekit_mcp.accounts.vault.sealing.key_ring import KeyRing
from scalekit_mcp.accounts.vault.vault import Vault
from tests.support import postgres

SIZES = (1_000, 10_000, 100_000, 1_000_000)
MOST_RATIO = 1.5
READS = 4_500
LISTS = 900
ROUNDS = 9
NOW = datetime(2026, 3, 30, 9, 0, tzinfo=UTC)
ACCESS, REFRESH = "a" * 1_600, "r" * 900


def identifier(number: int) -> str:
    return f"user_{number:09d}"


def account_of(number: int) -> tuple[ConnectedAccount, TokenSet]:
    """One ACTIVE account and its tokens."""
    account = ConnectedAccount(
        id=f"ca_{number:024x}",
        connection_name="outlook",
        identifier=identifier(number),
        status=AccountStatus.ACTIVE,
        reason=None,
        who_acts="nobody",
        created_at=NOW,
        updated_at=NOW,
        provider_account=ProviderAccount(f"t{number % 97}", f"o{number}", f"{number}@company.com"),
        granted_scopes=("User.Read", "Calendars.ReadWrite"),
        client_id="client",
        login_host="login.microsoftonline.com",
        token_expires_at=NOW + timedelta(hours=1),
    )
    return account, TokenSet(ACCESS, REFRESH, NOW + timedelta(hours=1), account.granted_scopes)


@dataclass
class Filled:
    """One vault and how many accounts it has."""

    url: str
    ring: KeyRing
    vault: Vault
    size: int = 0

    async def fill(self, size: int) -> None:
        """Add accounts up to `size`, past the product, as a restored backup would."""
        await self.vault.count_accounts(connection_name=None, identifier=None, status=None)
        await write_accounts(self.url, self.ring, (account_of(number) for number in range(self.size, size)))
        self.size = size

    async def read_one(self) -> None:
        found = await self.vault.find_account(AccountKey("outlook", identifier(random.randrange(self.size))))
        assert found is not None
        assert found.tokens is not None
        assert found.tokens.access_token == ACCESS

    async def list_page(self) -> None:
        after = ("outlook", identifier(random.randrange(self.size)))
        await self.vault.list_accounts(connection_name=None, identifier=None, status=None, after=after, limit=51)


def p99_ms(seconds: list[float]) -> float:
    return sorted(seconds)[int(len(seconds) * 0.99)] * 1000


async def timed(call: Callable[[], Awaitable[None]]) -> float:
    begin = time.perf_counter()
    await call()
    return time.perf_counter() - begin


async def compared(
    small: Callable[[], Awaitable[None]], large: Callable[[], Awaitable[None]], times: int
) -> tuple[float, float]:
    """The p99 of both in milliseconds, taken in turns: the median of several rounds, each with its own p99."""
    rounds: list[tuple[float, float]] = []
    for _ in range(ROUNDS + 1):
        pairs = [(await timed(small), await timed(large)) for _ in range(times // ROUNDS)]
        rounds.append((p99_ms([pair[0] for pair in pairs]), p99_ms([pair[1] for pair in pairs])))
    # The first round warms up. The median by ratio: a moment of the machine decides nothing.
    return sorted(rounds[1:], key=lambda pair: pair[1] / pair[0])[ROUNDS // 2]


@asynccontextmanager
async def vaults(kind: str) -> AsyncIterator[tuple[Filled, Filled]]:
    """Two empty vaults on one database system."""
    ring = KeyRing.generate()
    if kind == "sqlite":
        with tempfile.TemporaryDirectory(prefix="scalekit-mcp-bench-") as folder:
            urls = [f"sqlite+aiosqlite:///{(Path(folder) / name).as_posix()}" for name in ("small", "large")]
            both = [Filled(url, ring, Vault(url, ring)) for url in urls]
            yield both[0], both[1]
            for each in both:
                await each.vault.aclose()
        return
    with postgres.postgresql_server() as server:
        async with postgres.new_database(server) as first, postgres.new_database(server) as second:
            both = [Filled(url, ring, Vault(url, ring)) for url in (first, second)]
            yield both[0], both[1]
            for each in both:
                await each.vault.aclose()


@dataclass(frozen=True)
class Measured:
    """One size: seconds to fill it, and (p99 with 1,000, p99 with this size) in milliseconds of the reads."""

    kind: str
    size: int
    filled_seconds: float
    read_one: tuple[float, float]
    list_page: tuple[float, float] | None


async def sweep(kind: str, sizes: Iterable[int], *, reads: int = READS, lists: int = LISTS) -> AsyncIterator[Measured]:
    """Each size in turns with 1,000; raises `postgres.NoPostgreSQL`."""
    async with vaults(kind) as (small, large):
        await small.fill(SIZES[0])
        for size in sizes:
            begin = time.perf_counter()
            await large.fill(size)
            filled_seconds = time.perf_counter() - begin
            read_one = await compared(small.read_one, large.read_one, reads)
            list_page = await compared(small.list_page, large.list_page, lists) if lists else None
            yield Measured(kind, size, filled_seconds, read_one, list_page)


async def run(kind: str, most: int) -> bool:
    """Print one line for each size; whether every ratio is within its bound."""
    good = True
    async for found in sweep(kind, [size for size in SIZES if size <= most]):
        assert found.list_page is not None
        (floor, reading), (list_floor, listing) = found.read_one, found.list_page
        ratio, list_ratio = reading / floor, listing / list_floor
        verdict = "" if ratio <= MOST_RATIO else f"  more than {MOST_RATIO}"
        good = good and ratio <= MOST_RATIO
        print(
            f"{kind:<11}{found.size:>9,}  {found.filled_seconds:>7.1f} s  {reading:>8.2f} ms {ratio:>6.2f}"
            f"  {listing:>9.2f} ms {list_ratio:>6.2f}{verdict}",
            flush=True,
        )
    return good


async def growth(report: Report) -> None:
    """Add the rows of `make bench`: up to 100,000 accounts, or as many as BENCH_VAULT says."""
    most = int(os.environ.get("BENCH_VAULT", "100000"))
    for kind, name in (("sqlite", "SQLite"), ("postgresql", "PostgreSQL")):
        group = f"Vault, {name} (floor: 1,000 accounts)"
        try:
            async for found in sweep(kind, [s for s in SIZES[1:] if s <= most], reads=1_800, lists=0):
                size = f"{found.size:,} accounts"
                report.ratio(group, f"read one of {size}, p99", found.read_one, "{:.2f} ms", aim=MOST_RATIO)
        except postgres.NoPostgreSQL as exc:
            report.left_out.append(f"the vault on PostgreSQL: {exc}")
    if most < SIZES[-1]:
        report.left_out.append(
            f"vaults of more than {most:,} accounts, to stay short: `BENCH_VAULT={SIZES[-1]}` or `make bench-vault`"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=SIZES[-1])
    parser.add_argument("--database", choices=("sqlite", "postgresql"), action="append")
    given = parser.parse_args()
    print(f"{'database':<11}{'accounts':>9}  {'filled in':>9}  {'read one p99, ratio':>18}  {'list 51 p99, ratio':>19}")
    try:
        good = [asyncio.run(run(kind, given.most)) for kind in given.database or ("sqlite", "postgresql")]
    except postgres.NoPostgreSQL as exc:
        print(f"postgresql: left out, {exc}")
        return 0
    return 0 if all(good) else 1


if __name__ == "__main__":
    raise SystemExit(main())
