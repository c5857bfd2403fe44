"""Log lines: one line an event, identifiers but no content, in text and in JSON."""

from __future__ import annotations

import json
import logging
import sys

import pytest
from telemetry_support import CONTENT, a_day, observed

from scalekit_mcp.telemetry import AUDIT_LOGGER, JsonFormatter, TextFormatter, noting, target_id


def record(name="scalekit_mcp.test", message="%s happened", arguments=("It",), exc_info=None, **extra):
    made = logging.LogRecord(name, logging.INFO, "file.py", 1, message, arguments, exc_info)
    made.__dict__.update(extra)
    return made


def failure():
    try:
        try:
            int("planted Zanzibar")
        except ValueError as inner:
            raise RuntimeError("planted Timbuktu") from inner
    except RuntimeError:
        return sys.exc_info()


def test_a_json_line_has_the_fixed_members_and_only_allowed_extras():
    line = json.loads(JsonFormatter().format(record(identifier="ana", subject="Zanzibar", password="x")))
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "INFO",
        "logger": "scalekit_mcp.test",
        "message": "It happened",
        "identifier": "ana",
    }


@pytest.mark.parametrize("formatter", [JsonFormatter(), TextFormatter()], ids=["json", "text"])
def test_an_exception_shows_its_kinds_and_places_but_no_message(formatter):
    text = formatter.format(record(exc_info=failure()))
    assert "RuntimeError" in text
    assert "ValueError" in text
    assert "in failure" in text
    assert "Zanzibar" not in text
    assert "Timbuktu" not in text


def test_an_identifier_cannot_begin_a_line_of_its_own():
    text = TextFormatter().format(record(arguments=("ana\n2026 ERROR forged\u2028line",)))
    assert len(text.splitlines()) == 1


def test_the_audit_log_is_json_also_where_the_rest_is_text():
    assert json.loads(TextFormatter().format(record(name=AUDIT_LOGGER, outcome="ok")))["outcome"] == "ok"


@pytest.mark.parametrize("value", ["Lunch with Bob at noon", "bob@company.com", "x" * 600, "short", None, 7])
def test_what_does_not_look_like_an_id_is_not_repeated(value):
    assert target_id({"event_id": value}) is None


def test_a_result_names_the_target_before_the_arguments_do():
    assert target_id({"id": "A" * 20}, {"event_id": "B" * 20}) == "A" * 20


def test_notes_of_one_call_do_not_reach_another():
    with noting("outer") as outer, noting("inner") as inner:
        assert inner.request_ids is not outer.request_ids


async def test_a_day_of_calls_at_debug_level_shows_no_content_and_no_secret(caplog):
    caplog.set_level(logging.DEBUG)
    for name in ("httpx2", "httpcore2", "aiosqlite"):
        logging.getLogger(name).setLevel(logging.WARNING)
    async with observed() as seen:
        await a_day(seen)
        secrets = seen.secrets()
    lines = [formatter.format(entry) for entry in caplog.records for formatter in (JsonFormatter(), TextFormatter())]
    assert len(secrets) > 8
    for text in lines:
        for planted in (*CONTENT, *secrets):
            assert planted not in text


async def test_every_change_of_status_is_one_line_that_names_old_and_new(caplog):
    caplog.set_level(logging.INFO)
    async with observed() as seen:
        await a_day(seen)
    changes = [entry for entry in caplog.records if getattr(entry, "event", None) == "status_changed"]
    moves = [(str(entry.old_status), str(entry.new_status), entry.cause) for entry in changes]
    assert moves[0] == ("None", "PENDING", "created")
    assert ("PENDING", "ACTIVE", "consented") in moves
    assert moves[-1] == ("ACTIVE", "REVOKED", "refresh_refused")
    assert changes[-1].code == "AADSTS50173"
    assert {entry.identifier for entry in changes} == {"ana"}
