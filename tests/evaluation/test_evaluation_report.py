"""What a run prints and keeps."""

from __future__ import annotations

import json
from pathlib import Path

from evaluation.report import as_json, table, write
from evaluation.runner import Grade, Result


def result(task: str, repeat: int, grade: Grade, *problems: str, tokens: int | None = None) -> Result:
    return Result(task, repeat, grade, problems, ("outlook_list_calendar_events",), 1000, tokens, tokens, 1.5, "Done.")


RESULTS = [
    result("last-week", 1, "passed", tokens=1200),
    result("book-planning", 2, "failed", "nobody mailed bob@company.com", tokens=800),
    result("book-planning", 1, "passed"),
    result("last-week", 2, "not graded", "the endpoint: it answered 500"),
]


def test_the_table_has_a_line_for_each_task_its_reasons_and_the_sums() -> None:
    lines = table(RESULTS).splitlines()
    assert lines[0].split() == ["task", "passed", "calls", "tokens", "in", "out", "answer", "bytes", "seconds"]
    assert lines[1].split() == ["book-planning", "1/2", "2", "800", "800", "2,000", "3.0"]
    assert lines[2] == "    2: nobody mailed bob@company.com"
    assert lines[3].split() == ["last-week", "1/1", "2", "1,200", "1,200", "2,000", "3.0"]
    assert lines[4] == "    2: not graded: the endpoint: it answered 500"
    assert lines[5].split() == ["all", "2/3", "4", "2,000", "2,000", "4,000", "6.0"]
    assert lines[6] == "1 could not be graded and count neither way."


def test_tokens_that_no_endpoint_told_are_not_zero() -> None:
    assert table([result("last-week", 1, "passed")]).splitlines()[-1].split()[3:5] == ["-", "-"]


def test_the_report_is_replaced_at_once(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    for whole in (False, True):
        write(file, as_json({"model": "m"}, RESULTS, whole=whole))
    told = json.loads(file.read_text("utf-8"))
    assert told["about"] == {"model": "m"}
    assert told["whole"] is True
    assert told["totals"] == {
        "plays": 4,
        "passed": 2,
        "failed": 1,
        "not_graded": 1,
        "calls": 4,
        "answer_bytes": 4000,
        "input_tokens": 2000,
        "output_tokens": 2000,
    }
    assert told["results"][1]["problems"] == ["nobody mailed bob@company.com"]
    assert list(tmp_path.iterdir()) == [file]
