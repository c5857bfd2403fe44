"""What in the package meets text, found by looking at the package: patterns, and functions of one text."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import scalekit_mcp

METHODS = ("search", "match", "fullmatch", "sub", "split", "findall", "finditer")
_LOOKALIKES = (
    "scalekit_mcp.sandbox",
    "scalekit_mcp.demo",
    "scalekit_mcp.__main__",
    "scalekit_mcp.accounts.vault.migrations",
)
"""Not the product: Microsoft's look-alike and the tour through it."""


@dataclass(frozen=True)
class Expression:
    """A regular expression and how the package uses it; `where` is the module and a name or line."""

    where: str
    pattern: re.Pattern[str]
    methods: tuple[str, ...]


def modules() -> list[str]:
    """The product's modules."""
    names = [info.name for info in pkgutil.walk_packages(scalekit_mcp.__path__, "scalekit_mcp.")]
    return [name for name in names if not name.startswith(_LOOKALIKES)]


def _trees() -> dict[str, ast.Module]:
    found: dict[str, ast.Module] = {}
    for name in modules():
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin is not None and spec.origin.endswith(".py"):
            found[name] = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    return found


def _is_re(call: ast.Call) -> bool:
    function = call.func
    return isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.value.id == "re"


def _is_installed(module: str) -> bool:
    """Whether what the module needs is there; what comes with an extra may be missing."""
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as missing:
        if "with its extra" not in str(missing):
            raise
        return False
    return True


def expressions() -> tuple[list[Expression], list[str]]:
    """All regular expressions of the product, and the places of those that are made of what is not known before."""
    trees = {name: tree for name, tree in _trees().items() if _is_installed(name)}
    used: dict[str, set[str]] = {}
    for module_name, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in METHODS:
                name = getattr(node.value, "id", None) or getattr(node.value, "attr", None)
                if name is not None:
                    used.setdefault(f"{module_name}.{name}", set()).add(node.attr)
    found: list[Expression] = []
    dynamic: list[str] = []
    for module_name, tree in trees.items():
        module = importlib.import_module(module_name)
        compiled = {name: value for name, value in vars(module).items() if isinstance(value, re.Pattern)}
        at_top = {id(node) for statement in tree.body for node in ast.walk(statement) if not _has_body(statement)}
        for name, value in compiled.items():
            if any(_assigns(statement, name) for statement in tree.body):
                methods = tuple(sorted(used.get(f"{module_name}.{name}", set()) - {"split"} or {"search", "fullmatch"}))
                found.append(Expression(f"{module_name}.{name}", _of_text(value), methods))
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not _is_re(node) or id(node) in at_top:
                continue
            method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            where = f"{module_name}:{node.lineno}"
            if method not in (*METHODS, "compile"):
                continue
            if isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str):
                methods = ("search", "fullmatch") if method == "compile" else (method,)
                found.append(Expression(where, re.compile(node.args[0].value), methods))
            else:
                dynamic.append(module_name)
    return found, dynamic


def _of_text(pattern: re.Pattern[Any]) -> re.Pattern[str]:
    """The same expression over text, where it is one over bytes."""
    if isinstance(pattern.pattern, str):
        return pattern
    return re.compile(pattern.pattern.decode("latin-1"), pattern.flags | re.ASCII)


def _has_body(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)


def _assigns(statement: ast.stmt, name: str) -> bool:
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    if isinstance(statement, ast.AnnAssign):
        targets = [statement.target]
    return any(isinstance(target, ast.Name) and target.id == name for target in targets)


def functions_of_text(packages: tuple[str, ...]) -> Iterator[tuple[str, Callable[[str], Any]]]:
    """Functions of these modules that need one argument and take text for it."""
    for name in modules():
        if not name.startswith(packages) or not _is_installed(name):
            continue
        module = importlib.import_module(name)
        for function_name, function in vars(module).items():
            plain = inspect.unwrap(function) if callable(function) else function
            if not inspect.isfunction(plain) or plain.__module__ != name or inspect.iscoroutinefunction(plain):
                continue
            needed = [
                parameter
                for parameter in inspect.signature(plain).parameters.values()
                if parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD
            ]
            if len(needed) != 1 or needed[0].kind not in (needed[0].POSITIONAL_ONLY, needed[0].POSITIONAL_OR_KEYWORD):
                continue
            kind = str(needed[0].annotation)
            if kind in ("str", "object", "Any", "str | None"):
                yield f"{name}.{function_name}", plain
            elif kind in ("bytes", "bytes | None"):
                yield f"{name}.{function_name}", lambda text, plain=plain: plain(text.encode("utf-8", "replace"))
