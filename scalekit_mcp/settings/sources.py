"""Where the values of settings come from: variables, the file of `--env-file`, files that `NAME_FILE` names, flags.

Text files are read in the encodings that editors and shells write, so that a file made on Windows works as it is.
"""

from __future__ import annotations

import codecs
import io
import os
import shlex
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

MAX_FILE_BYTES: Final = 1_000_000
"""Longest file of settings or of a secret."""

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


@dataclass(frozen=True, slots=True)
class Origin:
    """Which variable a setting has its value from, and where that was set."""

    variable: str
    place: str

    def __str__(self) -> str:
        return f"{self.variable} ({self.place})"


IN_ENVIRONMENT: Final = "from the environment"


@dataclass(frozen=True, slots=True)
class Environment:
    """Variables of the process, and below them those of a file; names are found in capitals and small letters."""

    process: Mapping[str, str] = field(repr=False)
    file: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    path: Path | None = None

    @property
    def values(self) -> dict[str, str]:
        """Every variable as one process would have it."""
        return {**self.file, **self.process}

    def get(self, name: str) -> tuple[str, Origin] | None:
        """The value of a variable that is not empty, and where it came from."""
        for values, place in ((self.process, IN_ENVIRONMENT), (self.file, f"from {self.path}")):
            for spelled in (name, name.lower()):
                value = values.get(spelled)
                if value:
                    return value, Origin(spelled, place)
        return None

    def named(self, name: str) -> str:
        """A variable's name with where its value came from."""
        found = self.get(name)
        return name if found is None else str(found[1])


def read_environment(env_file: Path | None = None) -> Environment:
    """The variables of this process and those of `env_file`.

    Raises:
        ValueError: the file cannot be read; the message names it.
    """
    process = dict(os.environ)
    if env_file is None:
        return Environment(process)
    from dotenv import dotenv_values

    text = read_text(env_file, legacy="cp1252")
    values = dotenv_values(stream=io.StringIO(text.replace("\r\n", "\n").replace("\r", "\n")))
    return Environment(process, {name: value for name, value in values.items() if value}, env_file)


def read_text(path: Path, *, legacy: str | None = None) -> str:
    """The text of a small file: UTF-8, or UTF-16 or UTF-32 where a mark or its zero bytes say so.

    `legacy` is the encoding of a file that is none of them (Windows writes cp1252 in western Europe).

    Raises:
        ValueError: it is missing, unreadable, too long or no text; the message fits behind the file's name.
    """
    try:
        if path.is_dir():
            raise ValueError("is a folder")
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError as error:
        raise ValueError("does not exist") from error
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
    if len(data) > MAX_FILE_BYTES:
        raise ValueError(f"is longer than {MAX_FILE_BYTES:,} bytes")
    for encoding in _encodings(data, legacy):
        try:
            text = data.decode(encoding).removeprefix("\ufeff")
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise ValueError("is not UTF-8 text")


def _encodings(data: bytes, legacy: str | None) -> list[str]:
    marked = next((encoding for mark, encoding in _MARKS if data.startswith(mark)), None)
    if marked is not None:
        return [marked]
    if b"\0" in data[:2]:
        return ["utf-16-le" if data[1:2] == b"\0" else "utf-16-be"]
    return ["utf-8", *([legacy] if legacy else [])]


@dataclass(frozen=True, slots=True)
class ExposedFile:
    """A file that users other than its owner can read or write, and the command that corrects it."""

    path: Path
    others: str
    command: str

    def __str__(self) -> str:
        return f"{self.path} can be {self.others}. Run `{self.command}`."


def exposed_file(path: Path) -> ExposedFile | None:
    """How far a private file is open to other users of the machine; None where it is not, or where nothing shows it.

    Windows keeps rights in access lists, which the mode does not tell. On a file system that is mounted read-only, such
    as the secrets of a container, nothing can be mended from here.
    """
    found = _writable_mode(path)
    if found is None or not stat.S_ISREG(found.st_mode):
        return None
    mode = found.st_mode
    readers = [name for bit, name in ((stat.S_IRGRP, "its group"), (stat.S_IROTH, "all users")) if mode & bit]
    writers = [name for bit, name in ((stat.S_IWGRP, "its group"), (stat.S_IWOTH, "all users")) if mode & bit]
    said = [f"{verb} by {who[-1]}" for verb, who in (("read", readers), ("changed", writers)) if who]
    if not said:
        return None
    return ExposedFile(path, " and ".join(said), f"chmod 600 {shlex.quote(str(path))}")


def exposed_folder(path: Path) -> ExposedFile | None:
    """A folder in which other users can replace files; None where they cannot, or where nothing shows it.

    In a folder with the sticky bit, such as /tmp, they can replace their own alone. A group of the owner's own, with
    the owner's number, has nobody else in it.
    """
    found = _writable_mode(path)
    if found is None or not stat.S_ISDIR(found.st_mode) or found.st_mode & stat.S_ISVTX:
        return None
    groups = stat.S_IWGRP if found.st_gid != found.st_uid else 0
    if not found.st_mode & (groups | stat.S_IWOTH):
        return None
    who = "all users" if found.st_mode & stat.S_IWOTH else "its group"
    said = f"changed by {who}, who can put other files in the place of those with secrets"
    return ExposedFile(path, said, f"chmod go-w {shlex.quote(str(path))}")


def _writable_mode(path: Path) -> os.stat_result | None:
    """The rights of what can be mended from here; None on Windows, read-only file systems and where nothing is."""
    if os.name != "posix":
        return None
    try:
        return None if os.statvfs(path).f_flag & os.ST_RDONLY else path.stat()
    except OSError:
        return None
