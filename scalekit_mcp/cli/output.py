"""Printing to whatever stdout is: a terminal, a pipe in UTF-8, a pipe in an encoding of one country."""

from __future__ import annotations

import codecs
import io
import json
import sys
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


def _spell(error: UnicodeError) -> tuple[str | bytes, int]:
    """Replacements for characters that an encoding lacks; an error handler for `codecs.register_error`."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    spelled = [_SPELLED.get(character) or _escaped(character) for character in error.object[error.start : error.end]]
    return "".join(spelled), error.end


def _escaped(character: str) -> str:
    """As JSON escapes it: two halves for what lies above U+FFFF (RFC 8259 section 7)."""
    return json.dumps(character)[1:-1]
