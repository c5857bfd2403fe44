"""Printing to whatever stdout is: a terminal, a pipe in UTF-8, a pipe in an encoding of one country."""

from __future__ import annotations

import codecs
import io
import json
import shutil
import sys
from collections.abc import Sequence
from typing import Any

import click

READABLE = "scalekit_mcp.readable"
"""The name of the error handler of stdout and stderr."""

_SPELLED = {
    **dict.fromkeys("…", "..."),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2500\u2501", "-"),
    **dict.fromkeys("\u2018\u2019\u201c\u201d", "'"),
    "→": "->",
    "•": "*",
    "✓": "ok",
    "✗": "x",
}
"""How typographic characters are written where an encoding has none of them."""


def prepare_streams() -> None:
    """Never fail for a character that stdout or stderr cannot encode: spell it, or escape it as JSON does."""
    codecs.register_error(READABLE, _spell)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=READABLE)


def print_json(value: Any, *, indent: int | None = 2) -> None:
    """Print JSON for a program: in ASCII unless stdout is UTF-8, so that it reads back as it was."""
    encoding = (getattr(sys.stdout, "encoding", None) or "ascii").lower().replace("-", "")
    click.echo(json.dumps(value, indent=indent, ensure_ascii=encoding != "utf8"))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, needed: int) -> None:
    """Print rows under their columns, every value whole.

    On a terminal that is too narrow, columns behind the first `needed` are left out from the last one on, and stderr
    says so. Elsewhere (a pipe, a file) all of them stand there, so that any row can be searched for.
    """
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    lines, left_out = table_lines(columns, rows, needed=needed, width=width)
    for line in lines:
        click.echo(line)
    if left_out:
        click.echo(f"Left out, as the window is narrow: {', '.join(left_out)}. --json shows everything.", err=True)


def table_lines(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, needed: int, width: int | None
) -> tuple[list[str], list[str]]:
    """The lines of a table of at most `width` cells if that can be, and the names of columns that were left out."""
    from rich.cells import cell_len, set_cell_size

    widths = [max(map(cell_len, column)) for column in zip(columns, *rows, strict=True)]
    shown = len(columns)
    while width is not None and shown > needed and sum(widths[:shown]) + 2 * (shown - 1) > width:
        shown -= 1
    lines = [
        "  ".join(set_cell_size(value, size) for value, size in zip(row[:shown], widths, strict=False)).rstrip()
        for row in (columns, *rows)
    ]
    return lines, list(columns[shown:])


def _spell(error: UnicodeError) -> tuple[str | bytes, int]:
    """Replacements for characters that an encoding lacks; an error handler for `codecs.register_error`."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    spelled = [_SPELLED.get(character) or _escaped(character) for character in error.object[error.start : error.end]]
    return "".join(spelled), error.end


def _escaped(character: str) -> str:
    """As JSON escapes it: two halves for what lies above U+FFFF (RFC 8259 section 7)."""
    return json.dumps(character)[1:-1]
