"""Database errors of the vault, recognised by the codes of driver and system, as errors that an operator can act on.

Sources: SQLite, "Result and Error Codes"; PostgreSQL, "Appendix A. PostgreSQL Error Codes".
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError, DisconnectionError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from scalekit_mcp.errors import VaultError


@dataclass(frozen=True, slots=True)
class Failure:
    """A kind of failure: what happened, and what is to be done."""

    sentence: str
    next_step: str | None = None
    retryable: bool = False

    def error(self) -> VaultError:
        """The error of this failure."""
        message = f"{self.sentence} Nothing was overwritten."
        return VaultError(message, next_step=self.next_step, retryable=self.retryable)


CANNOT_OPEN = Failure("The vault's database file cannot be opened.", "The operator checks its folder and rights.")
_READ_ONLY_FILE = Failure("The vault's database is read-only.", "The operator makes the file and its folder writable.")
_READ_ONLY = Failure("The vault's database is read-only.", "The operator makes the database writable.")
_DISK_FULL = Failure("The disk of the vault's database is full.", "The operator frees space on the disk.")
_LOCKED = Failure(
    "Another process kept the vault's database locked.",
    "Repeat the call; if it lasts, the operator ends the process that keeps the database locked.",
    retryable=True,
)
_NO_DATABASE = Failure("The vault's file is not a database, or is damaged.", "The operator restores a backup.")
_DAMAGED = Failure("The vault's database is damaged.", "The operator restores a backup.")
_NOT_ALLOWED = Failure("The vault's database may not be opened.", "The operator checks its rights.")
_NO_SUCH_DATABASE = Failure("The vault's database does not exist on the server.", "The operator creates it.")
_LOGIN_REFUSED = Failure("The vault's database refuses the login.", "The operator corrects the database URL.")
_UNREACHABLE = Failure(
    "The vault's database cannot be reached.",
    "The operator checks that the database runs and that the database URL is right.",
)
_BUSY = Failure(
    "The vault's database is busy: too many calls wait for it.",
    "Repeat the call; if it lasts, the operator looks for a process that keeps the database locked.",
    retryable=True,
)
_OTHER = Failure("The vault's database failed.")

_BY_SQLITE_CODE = {
    sqlite3.SQLITE_READONLY: _READ_ONLY_FILE,
    sqlite3.SQLITE_FULL: _DISK_FULL,
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_NOTADB: _NO_DATABASE,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_CANTOPEN: CANNOT_OPEN,
    sqlite3.SQLITE_PERM: _NOT_ALLOWED,
}
_BY_SQLSTATE = {
    "08": _UNREACHABLE,  # connection exceptions
    "25006": _READ_ONLY,
    "28": _LOGIN_REFUSED,
    "3D000": _NO_SUCH_DATABASE,
    "42501": _NOT_ALLOWED,
    "53100": _DISK_FULL,
    "53300": _UNREACHABLE,  # too many connections
    "55P03": _LOCKED,
    "57P": _UNREACHABLE,  # shut down, restarting or starting
}
"""By code, or by the beginning of a class of codes."""
_BY_ERRNO = {
    errno.EACCES: _NOT_ALLOWED,
    errno.EPERM: _NOT_ALLOWED,
    errno.EEXIST: CANNOT_OPEN,
    errno.ENOTDIR: CANNOT_OPEN,
    errno.EROFS: _READ_ONLY_FILE,
    errno.ENOSPC: _DISK_FULL,
}


def failure_of(exc: BaseException) -> VaultError:
    """A database's failure as an error that an operator can act on; nothing of a statement or its values is in it."""
    return _failure(exc).error()


def breaks_a_check(exc: DBAPIError) -> bool:
    """Whether a row was refused by a CHECK of its table, and not because another row holds its key."""
    return _sqlite_code(exc) == sqlite3.SQLITE_CONSTRAINT_CHECK or _sqlstate(exc) == "23514"


def was_refused_by_driver(exc: DBAPIError) -> bool:
    """Whether asyncpg refused to send the statement (`InternalClientError`), so that the server never saw it."""
    return any(kind.__name__ == "InternalClientError" for kind in type(exc.orig).__mro__)


@contextmanager
def translated() -> Generator[None]:
    """Turn a database's failure into `VaultError`."""
    try:
        yield
    except (SQLAlchemyError, OSError, TimeoutError) as exc:
        raise failure_of(exc) from exc
    except ModuleNotFoundError as exc:
        raise VaultError(
            f"The database driver '{exc.name}' is not installed.",
            next_step="The operator installs scalekit-mcp with its extra postgres.",
        ) from exc
    except Exception as exc:
        # asyncpg's own errors come through unwrapped where a connection is opened: a wrong password, no such database.
        if type(exc).__module__.startswith("asyncpg"):
            raise failure_of(exc) from exc
        raise


def _failure(exc: BaseException) -> Failure:
    if isinstance(exc, PoolTimeout):
        return _BUSY
    code, state = _sqlite_code(exc), _sqlstate(exc)
    if code is not None:
        return _BY_SQLITE_CODE.get(code & 0xFF, _OTHER)  # the low byte of an extended code is the plain one
    if state is not None:
        return _BY_SQLSTATE.get(state) or _BY_SQLSTATE.get(state[:3]) or _BY_SQLSTATE.get(state[:2]) or _OTHER
    if isinstance(exc, OSError):  # TimeoutError among them
        return _BY_ERRNO.get(exc.errno or 0, _UNREACHABLE)
    lost = isinstance(exc, DBAPIError) and exc.connection_invalidated
    return _UNREACHABLE if lost or isinstance(exc, DisconnectionError) else _OTHER


def _sqlite_code(exc: BaseException) -> int | None:
    """SQLite's extended result code."""
    code = getattr(_of_driver(exc), "sqlite_errorcode", None)
    return code if isinstance(code, int) else None


def _sqlstate(exc: BaseException) -> str | None:
    """PostgreSQL's SQLSTATE."""
    state = getattr(_of_driver(exc), "sqlstate", None)
    return state if isinstance(state, str) else None


def _of_driver(exc: BaseException) -> BaseException | None:
    return exc.orig if isinstance(exc, DBAPIError) else exc
