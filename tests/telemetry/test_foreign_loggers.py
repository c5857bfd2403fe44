"""Loggers of other people's code: from WARNING on whatever the level, and never with what they worked on."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
import warnings

import pytest

from scalekit_mcp.telemetry import JsonFormatter, LineWriter, ServerLog, TextFormatter

FOREIGN = [
    "sse_starlette.sse",
    "mcp.server.sse",
    "mcp.server.lowlevel",
    "uvicorn.access",
    "uvicorn.error",
    "asyncio",
    "sqlalchemy.engine.Engine",
    "httpcore2.http11",
    "httpx2",
    "aiosqlite",
    "unheard_of_library",
    "scalekit_mcp_lookalike",
    "root",
]
CONTENT = "Planted-subject Zanzibar"


@pytest.fixture
def log():
    lines: list[str] = []
    writer = LineWriter(lines.append)
    handler = ServerLog(writer, TextFormatter())

    def heard() -> str:
        assert writer.close(30)
        return "".join(lines)

    return handler, heard


@pytest.fixture
def logger(request, log):
    """The logger of the test's parameter, its records going to the server's log alone."""
    found = logging.getLogger(request.param)
    before = found.level, found.propagate, found.handlers[:]
    found.setLevel(logging.DEBUG)
    found.propagate = False
    found.handlers[:] = [log[0]]
    yield found
    found.setLevel(before[0])
    found.propagate, found.handlers[:] = before[1], before[2]


@pytest.mark.parametrize("logger", FOREIGN, indirect=True)
def test_below_warning_nothing_of_a_foreign_logger_is_shown_also_where_it_raised_its_own_level(logger, log):
    logger.debug("chunk: %s", CONTENT)
    logger.info(f"Sending {CONTENT}")  # noqa: G004 - as libraries do
    assert log[1]() == ""


@pytest.mark.parametrize("logger", FOREIGN, indirect=True)
def test_a_warning_of_a_foreign_logger_shows_its_constants_and_its_place_but_no_content(logger, log):
    logger.warning("Invalid HTTP request received.")
    logger.warning("Refusing to open: %d sessions are open", 10_000)
    logger.warning("Rejecting %s for %r", CONTENT, {"subject": CONTENT})
    logger.error("Failed to validate request: " + CONTENT)  # noqa: G003 - as libraries do
    logger.error(f"Session {CONTENT} crashed")  # noqa: G004 - as libraries do
    logger.error(CONTENT.upper())
    logger.error(ValueError(CONTENT))
    logger.error("%(subject)s", {"subject": CONTENT})
    try:
        int(CONTENT)
    except ValueError:
        logger.exception(f"It failed: {CONTENT}", stack_info=True)  # noqa: G004 - as libraries do
    told = log[1]()
    assert "zanzibar" not in told.lower()
    assert "Invalid HTTP request received. (test_foreign_loggers.py:" in told
    assert "Refusing to open: 10000 sessions are open (" in told
    assert "Rejecting ... for ... (" in told
    assert "Failed to validate request: ... (test_foreign_loggers.py:" in told
    assert "builtins.ValueError (test_foreign_loggers.py:" in told
    assert "It failed: ... (" in told
    assert f"{__file__}:" in told  # where the exception came from


@pytest.mark.parametrize("logger", ["asyncio"], indirect=True)
def test_a_failure_in_a_forgotten_task_shows_its_kind_and_place_but_not_its_message(logger, log):
    async def fails() -> None:
        raise ValueError(CONTENT)

    async def main() -> None:
        asyncio.get_running_loop().call_exception_handler(
            {"message": f"Task failed on {CONTENT}", "exception": ValueError(CONTENT), "payload": CONTENT}
        )

    asyncio.run(main())
    told = log[1]()
    assert "builtins.ValueError" in told
    assert "default_exception_handler" in told
    assert "Zanzibar" not in told


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()], ids=["text", "json"])
def test_our_own_lines_stay_whole(formatter):
    lines: list[str] = []
    writer = LineWriter(lines.append)
    record = logging.LogRecord("scalekit_mcp.x", logging.DEBUG, "f.py", 1, "'%s' became %s", ("ana", "ACTIVE"), None)
    ServerLog(writer, formatter).handle(record)
    assert writer.close(30)
    assert "'ana' became ACTIVE" in lines[0]


PROGRAM = f"""
import logging, sys, threading, warnings
from scalekit_mcp.telemetry import configure_logging
configure_logging(level=sys.argv[1], log_format=sys.argv[2])
for name in {FOREIGN!r}:
    found = logging.getLogger(name)
    found.debug("one {CONTENT}"); found.info("two {CONTENT}"); found.warning("three %s", "{CONTENT}")
    found.critical("%d and %s", "{CONTENT}")
logging.getLogger("scalekit_mcp.x").debug("our own word at debug")
logging.getLogger("scalekit_mcp.audit").info("our own audit")
warnings.warn("four {CONTENT}", RuntimeWarning)
thread = threading.Thread(target=lambda: int("five {CONTENT}"), name="helper"); thread.start(); thread.join()
class Odd:
    def __del__(self): raise RuntimeError("six {CONTENT}")
Odd()
raise SystemExit(int("seven {CONTENT}"))
"""


@pytest.mark.parametrize("level", ["DEBUG", "INFO", "WARNING", "ERROR"])
@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_process_tells_warnings_and_uncaught_errors_without_their_text(level, log_format):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, level, log_format], capture_output=True, text=True, timeout=60, check=False
    )
    told = done.stderr
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Zanzibar" not in told
    assert ("our own word at debug" in told) is (level == "DEBUG")
    assert "our own audit" in told
    assert told.count("three ...") == (0 if level == "ERROR" else len(FOREIGN))
    assert told.count("%d and %s") == len(FOREIGN)
    assert ("RuntimeWarning at" in told) is (level != "ERROR")
    for words in ("The thread helper ended", "An error could not be raised", "The process ends", "builtins.ValueError"):
        assert words in told
    if log_format == "json":
        assert all(json.loads(line) for line in told.splitlines())


def test_the_suite_itself_has_no_changed_hooks():
    assert sys.excepthook is sys.__excepthook__
    assert not warnings.showwarning.__module__.startswith("scalekit_mcp")
