from datetime import UTC, datetime, timedelta, timezone

from scalekit_mcp.clock import rfc3339


def test_an_instant_is_written_in_utc_with_z_whatever_its_offset():
    assert rfc3339(datetime(2026, 4, 1, 10, 0, tzinfo=timezone(timedelta(hours=2)))) == "2026-04-01T08:00:00Z"


def test_a_fraction_of_a_second_is_written_unless_whole_seconds_are_asked_for():
    instant = datetime(2026, 4, 1, 10, 0, 59, 999_999, tzinfo=UTC)
    assert rfc3339(instant) == "2026-04-01T10:00:59.999999Z"
    assert rfc3339(instant, timespec="seconds") == "2026-04-01T10:00:59Z"
