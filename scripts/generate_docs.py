"""Write the generated blocks of README.md and docs/: tools, commands, error codes, statuses, the sandbox's tables.

    python scripts/generate_docs.py           writes
    python scripts/generate_docs.py --check   exit 1 and names the files that are not up to date

A block begins with `<!-- generated: NAME -->` and ends with `<!-- end generated -->`.
"""

import argparse
import inspect
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from sandbox_tables import TABLES

from scalekit_mcp import errors
from scalekit_mcp.accounts.model import texts
from scalekit_mcp.accounts.model.records import AccountStatus
from scalekit_mcp.accounts.model.statuses import STATUS_REASONS, WHO_ACTS
from scalekit_mcp.actions.catalogue.calls import carried_catalogue_tools
from scalekit_mcp.cli import cli
from scalekit_mcp.cli.doctor.findings import CHECKS
from scalekit_mcp.cli.doctor.mistakes import MISTAKES
from scalekit_mcp.sdk.names import SDK_NAMES, Standing
from scalekit_mcp.server.rest.app import NOT_OFFERED
from scalekit_mcp.server.rest.wire import openapi_document
from scalekit_mcp.tools import (
    HOSTED_LIMITS,
    NO_COUNTERPART_REASON,
    TOOLS,
    Carrier,
    has_counterpart,
    markdown_table,
)

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"(<!-- generated: ([\w-]+) -->\n).*?(<!-- end generated -->)", re.DOTALL)
ACTORS = {
    "user": "the user",
    "it_admin": "the customer's IT administrator",
    "operator": "the operator of the server",
    "nobody": "nobody",
}


def help_of(command: click.Command, *names: str) -> str:
    """What `--help` prints on a terminal of 80 columns, two of which click leaves free."""
    settings: dict[str, Any] = {**cli.context_settings, "terminal_width": 78}
    context = click.Context(command, info_name=" ".join(("scalekit-mcp", *names)), **settings)
    return command.get_help(context).rstrip()


def commands(group: Any, *names: str) -> list[tuple[tuple[str, ...], click.Command]]:
    """Every command with its name, those of groups after the group."""
    found: list[tuple[tuple[str, ...], click.Command]] = []
    for name, command in sorted(group.commands.items()):
        found.append(((*names, name), command))
        if isinstance(command, click.Group):
            found += commands(command, *names, name)
    return found


def all_commands() -> str:
    """A section for each command."""
    return "\n\n".join(
        f"## `{' '.join(names)}`\n\n```text\n{help_of(command, *names)}\n```" for names, command in commands(cli)
    )


def error_classes() -> list[type[errors.ScalekitMCPError]]:
    """One class for each code, in the order of the module."""
    found: dict[str, type[errors.ScalekitMCPError]] = {}
    for _, kind in inspect.getmembers(errors, inspect.isclass):
        if issubclass(kind, errors.ScalekitMCPError) and "code" in vars(kind) and kind is not errors.ScalekitMCPError:
            found[kind.code] = kind
    order = inspect.getsource(errors)
    return sorted(found.values(), key=lambda kind: order.index(f"\nclass {kind.__name__}("))


def error_table() -> str:
    """code, meaning, who acts, what next, whether repeating can help."""
    lines = ["| code | what happened | who acts | what next | repeat? |", "|---|---|---|---|---|"]
    for kind in error_classes():
        meaning = (inspect.getdoc(kind) or "").split("\n")[0].split(" Details:")[0].replace("`", "")
        lines.append(
            f"| `{kind.code}` | {meaning} | {ACTORS[kind.default_who_acts]} | {kind.default_next_step} | "
            f"{'yes' if kind.default_retryable else 'no'} |"
        )
    return "\n".join(lines)


def reason_table() -> str:
    """status, reason, what happened, who acts, what next."""
    lines = ["| status | reason | what happened | who acts | what next |", "|---|---|---|---|---|"]
    for status in AccountStatus:
        for reason in sorted(STATUS_REASONS[status], key=lambda reason: list(WHO_ACTS).index(reason)):
            if reason is None:
                lines.append(f"| `{status.value}` | | Connected; calls are made. | nobody | Nothing. |")
                continue
            happened = texts.sentence(reason, "USER").replace("'USER'", "the user")
            happened = happened[0].upper() + happened[1:]
            lines.append(
                f"| `{status.value}` | `{reason.value}` | {happened} | {ACTORS[WHO_ACTS[reason]]} | "
                f"{texts.next_step(reason)} |"
            )
    return "\n".join(lines)


def sdk_table() -> str:
    """Every name of Scalekit's SDK: what becomes of it, and what is different, or what to do instead."""
    lines = ["| Scalekit's name | here | what is different, or why not and what instead |", "|---|---|---|"]
    told: dict[tuple[Standing, str], list[str]] = {}
    for name in SDK_NAMES.values():
        keywords = ", ".join(f"`{keyword}`" for keyword in name.keywords)
        words = [name.note] if name.note else []
        words += [f"instead, {name.instead}"] if name.instead else []
        words += [f"refused: {keywords}"] if keywords else []
        told.setdefault((name.standing, "; ".join(words)), []).append(f"`{name.path}`")
    lines += [f"| {', '.join(names)} | {standing.value} | {words} |" for (standing, words), names in told.items()]
    return "\n".join(lines)


def rest_table() -> str:
    """Every route of REST, and every path of Scalekit's that is not offered."""
    lines = ["| request | here | what it does, or what to do instead |", "|---|---|---|"]
    document = openapi_document(public_url="", base_path="", version="", proxy=True)
    for path, item in document["paths"].items():
        shown = path if "servers" in item else f"/api/v1{path}"
        verbs = [verb for verb in ("get", "post", "put", "patch", "delete") if verb in item]
        if path.startswith("/proxy/"):
            verbs, item = ["proxy"], {"proxy": {"summary": "Call Microsoft Graph as a user; off unless turned on"}}
        for verb in verbs:
            method = "" if verb == "proxy" else f"{verb.upper()} "
            lines.append(f"| `{method}{shown}` | works | {item[verb]['summary']} |")
    lines += [f"| `/api/v1{path}` | refused (501) | {instead} |" for path, instead in NOT_OFFERED.items()]
    return "\n".join(lines)


def limits_table() -> str:
    """What Scalekit's tools cannot carry, as Markdown."""
    lines = ["| tool | parameter | refused | why |", "|---|---|---|---|"]
    for limit in HOSTED_LIMITS:
        tools = ", ".join(f"`{name}`" for name in limit.tools)
        left_out = "" if limit.listed is None or limit.listed.description else " (not listed)"
        lines.append(f"| {tools} | `{limit.parameter}`{left_out} | {limit.what} | {limit.reason} |")
    lacking = [name for name, spec in TOOLS.items() if not has_counterpart(spec)]
    lines += [f"| `{name}` (not listed) | | the whole tool | {NO_COUNTERPART_REASON} |" for name in lacking]
    gone = carried_catalogue_tools(Carrier.GRAPH).keys() - carried_catalogue_tools(Carrier.HOSTED_TOOLS).keys()
    why = "it is made of `outlook_respond_to_event`"
    lines += [f"| `{name}` (Python, REST) | | the whole tool | {why} |" for name in sorted(gone)]
    return "\n".join(lines)


def checks_table() -> str:
    """What each check of `doctor` looks at."""
    lines = ["| `check` | what it looks at |", "|---|---|"]
    return "\n".join([*lines, *(f"| `{check}` | {about} |" for check, about in CHECKS.items())])


def mistakes_table() -> str:
    """Every mistake that `doctor` names: what it is, who acts, what next."""
    lines = ["| `mistake` | what is wrong | who acts | what next |", "|---|---|---|---|"]
    return "\n".join(
        [
            *lines,
            *(f"| `{name}` | {one.title} | {ACTORS[one.who_acts]} | {one.fix} |" for name, one in MISTAKES.items()),
        ]
    )


BLOCKS: dict[str, Callable[[], str]] = {
    "tools": markdown_table,
    "command": lambda: f"```text\n{help_of(cli)}\n```",
    "commands": all_commands,
    "checks": checks_table,
    "mistakes": mistakes_table,
    "errors": error_table,
    "reasons": reason_table,
    "sdk": sdk_table,
    "rest": rest_table,
    "hosted-limits": limits_table,
    **TABLES,
}


def rendered(text: str) -> str:
    """The text with every generated block written anew; raises KeyError for an unknown block."""
    return BLOCK.sub(lambda found: f"{found[1]}\n{BLOCKS[found[2]]().strip()}\n\n{found[3]}", text)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description="Write the generated blocks of the documentation.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if something is out of date")
    given = parser.parse_args()
    stale: list[str] = []
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        text = path.read_text("utf-8")
        new = rendered(text)
        if new != text:
            stale.append(path.relative_to(ROOT).as_posix())
            if not given.check:
                path.write_text(new, "utf-8")
    if stale:
        print(("Out of date: " if given.check else "Wrote ") + ", ".join(stale))
    return 1 if stale and given.check else 0


if __name__ == "__main__":
    sys.exit(main())
