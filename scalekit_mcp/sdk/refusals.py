"""Names of Scalekit's SDK that are not offered here: they are there, and using them raises `NotOffered`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from scalekit_mcp.errors import NotOffered
from scalekit_mcp.sdk.names import SDK_NAMES, Standing


def refused_name(path: str) -> Any:
    """What stands under the path of a name that is refused, or of an object that has such names.

    Raises `AttributeError` for a name that Scalekit's SDK does not have either.
    """
    entry = SDK_NAMES.get(path)
    if entry is not None and entry.standing is Standing.REFUSED:
        return _RefusedObject(path)
    if any(name.startswith(f"{path}.") for name in SDK_NAMES):
        return _RefusedObject(path)
    raise AttributeError(f"There is no {path}.")


class _RefusedObject:
    """A method, or an object whose methods, are refused when they are called."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __call__(self, *_: object, **__: object) -> NoReturn:
        raise _refusal(self._path)

    def __getattr__(self, name: str) -> Callable[..., NoReturn]:
        if name.startswith("__"):
            raise AttributeError(name)
        return _RefusedObject(f"{self._path}.{name}")

    def __repr__(self) -> str:
        return f"<{self._path}, not offered>"


def _refusal(path: str) -> NotOffered:
    """The error of a name; a name below a refused one, or one that the table does not know, has that one's reason."""
    known = path
    while known not in SDK_NAMES and "." in known:
        known = known.rpartition(".")[0]
    entry = SDK_NAMES.get(known)
    if entry is None:
        return NotOffered(f"{path} is not offered.", instead="use a name of the table")
    return NotOffered(f"{path} is not offered: {entry.note}.", instead=entry.instead)
