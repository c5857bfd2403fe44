"""Finds what the product defines and does not use; what only the tests use is found too, for they are not read.

    python -m scripts.check_unused

Some names are used from outside where no reader of the code can see it: by Python, by a library that calls what it is
given, by name over HTTP. `USED_FROM_OUTSIDE` lists them with the reason; everything else that is found fails the check,
and so does an entry that excuses nothing any more.
"""

from __future__ import annotations

import sys
from fnmatch import fnmatch
from pathlib import Path

from vulture.core import Vulture

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "scalekit_mcp"

USED_FROM_OUTSIDE = (
    # file, kind, name, reason
    ("*", "function", "__*__", "Python asks modules for it"),
    ("*", "variable", "exc_*", "the parameters of __exit__ have these names"),
    ("*", "variable", "model_config", "pydantic reads it"),
    ("client.py", "method", "use_by_default", "docs/python.md offers it"),
    ("sdk/*.py", "method", "*", "docs/coming-from-scalekit.md offers it"),
    ("sdk/*.py", "property", "*", "code written for Scalekit's SDK reads it"),
    ("sdk/*.py", "variable", "*", "code written for Scalekit's SDK reads it"),
    ("actions/models.py", "variable", "post_user_verify_redirect_url", "code written for Scalekit's SDK reads it"),
    ("tools/calendar/arguments.py", "variable", "*", "fields are read by the names of the catalogue"),
    ("sandbox/control/*.py", "method", "*", "called by name over HTTP"),
    (
        "sandbox/scalekit/app.py",
        "method",
        "expire_machine_tokens",
        "a failure that tests of clients switch on",
    ),
    ("sandbox/control/week_picture.py", "variable", "last_hour", "a template reads it"),
    ("accounts/authorization/outcomes.py", "variable", "account_name", "a template reads it"),
    ("sandbox/pytest_plugin.py", "function", "outlook_sandbox", "a fixture of pytest"),
    ("accounts/vault/migrations/versions/*", "variable", "*revision", "Alembic reads it"),
    ("accounts/vault/database/database.py", "attribute", "isolation_level", "the driver reads it"),
    ("accounts/vault/database/database.py", "attribute", "text_factory", "the driver reads it"),
    ("*", "method", "handle_*", "html.parser calls it"),
    ("*", "method", "format[EM]*", "logging calls it"),
    ("*", "method", "capture_signals", "uvicorn calls it"),
    ("*", "attribute", "should_exit", "uvicorn reads it"),
    ("server/http/protocol.py", "method", "data_received", "asyncio calls it"),
    ("server/http/protocol.py", "method", "on_chunk_header", "the parser calls it"),
    ("server/http/protocol.py", "attribute", "timeout_keep_alive_task", "uvicorn reads it"),
    ("server/http/protocol.py", "attribute", "keep_alive", "uvicorn reads it"),
    ("server/http/protocol.py", "attribute", "disconnected", "uvicorn reads it"),
    ("server/*", "attribute", "redirect_slashes", "Starlette reads it"),
    ("server/web/consent_page.py", "variable", "*", "a template reads it"),
    ("settings/model.py", "method", "_*", "pydantic calls validators"),
    ("cli/__init__.py", "function", "*", "click calls commands"),
    ("cli/doctor/findings.py", "variable", "CHECKS", "the generated documentation lists it"),
    ("cli/groups.py", "method", "get_short_help_str", "click calls it"),
    ("cli/groups.py", "method", "format_options", "click calls it"),
    ("cli/groups.py", "variable", "*_class", "click reads it"),
    ("demo/remote_host.py", "method", "?et_*", "the SDK's OAuth client calls it"),
    ("demo/remote_host.py", "attribute", "token_expiry_time", "the SDK's OAuth client reads it"),
    ("telemetry/*", "attribute", "exc_text", "logging reads it"),
    ("telemetry/*", "attribute", "stack_info", "logging reads it"),
    ("telemetry/logs.py", "attribute", "*hook", "the interpreter calls it"),
    ("telemetry/logs.py", "attribute", "showwarning", "warnings calls it"),
    ("telemetry/stderr.py", "method", "writable", "every stream has it"),
    ("accounts/vault/database/statements.py", "import", "CursorResult", "named in a cast, as text"),
)


def main() -> int:
    """Print what is unused, and which entries of the list excuse nothing any more; 1 if there is anything."""
    vulture = Vulture()
    vulture.scavenge([str(PACKAGE)])
    excuses: set[tuple[str, str, str]] = set()
    found: list[str] = []
    for item in vulture.get_unused_code(min_confidence=60):
        path = Path(item.filename)
        excuse = _excuse(path.relative_to(PACKAGE).as_posix(), item.typ, item.name)
        if excuse is None:
            found.append(f"{path.relative_to(ROOT)}:{item.first_lineno}: unused {item.typ} {item.name}")
        else:
            excuses.add(excuse)
    for *entry, _ in USED_FROM_OUTSIDE:
        if tuple(entry) not in excuses:
            found.append(f"USED_FROM_OUTSIDE: nothing is excused by {', '.join(entry)}")
    print("\n".join(found) or "Nothing unused.")
    return 1 if found else 0


def _excuse(file: str, kind: str, name: str) -> tuple[str, str, str] | None:
    for files, kinds, names, _ in USED_FROM_OUTSIDE:
        if fnmatch(file, files) and kind == kinds and fnmatch(name, names):
            return files, kinds, names
    return None


if __name__ == "__main__":
    sys.exit(main())
