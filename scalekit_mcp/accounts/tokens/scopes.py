"""Comparing scopes as sets of names: without case, without the resource in front, without OpenID Connect's own."""

from __future__ import annotations

from collections.abc import Iterable

_NOT_COMPARED = frozenset({"openid", "profile", "email", "offline_access"})


def scope_name(scope: str) -> str:
    """The bare name in lower case: `https://graph.example/Calendars.Read` is `calendars.read`."""
    return scope.rsplit("/", 1)[-1].lower()


def missing_scopes(granted: Iterable[str], required: Iterable[str]) -> tuple[str, ...]:
    """The required scopes that the granted ones do not cover, as they were written.

    Writing covers reading: `X.ReadWrite` covers `X.Read`, and both cover `X.ReadBasic`.
    """
    have = {scope_name(scope) for scope in granted}
    return tuple(
        scope
        for scope in required
        if scope_name(scope) not in _NOT_COMPARED and not have.intersection(_covering(scope_name(scope)))
    )


def united(first: Iterable[str], second: Iterable[str]) -> tuple[str, ...]:
    """The scopes of both sequences in order, without duplicates."""
    found: dict[str, str] = {}
    for scope in (*first, *second):
        found.setdefault(scope_name(scope), scope)
    return tuple(found.values())


def identity_scopes(scopes: Iterable[str]) -> tuple[str, ...]:
    """The scopes of OpenID Connect among these; every request needs them."""
    return tuple(scope for scope in scopes if scope_name(scope) in _NOT_COMPARED)


def _covering(name: str) -> frozenset[str]:
    for end, stronger in ((".readbasic", (".read", ".readwrite")), (".read", (".readwrite",))):
        if name.endswith(end):
            return frozenset({name, *(name.removesuffix(end) + other for other in stronger)})
    return frozenset({name})
