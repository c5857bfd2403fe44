"""Time zones by Windows and IANA name (Graph pages "dateTimeTimeZone resource type", "supportedTimeZones")."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tzlocal.windows_tz import tz_win, win_tz

DOCUMENTED_IANA = frozenset(
    [
        "Etc/GMT+12",
        "Etc/GMT+11",
        "Pacific/Honolulu",
        "America/Anchorage",
        "America/Santa_Isabel",
        "America/Los_Angeles",
        "America/Phoenix",
        "America/Chihuahua",
        "America/Denver",
        "America/Guatemala",
        "America/Chicago",
        "America/Mexico_City",
        "America/Regina",
        "America/Bogota",
        "America/New_York",
        "America/Indiana/Indianapolis",
        "America/Caracas",
        "America/Asuncion",
        "America/Halifax",
        "America/Cuiaba",
        "America/La_Paz",
        "America/Santiago",
        "America/St_Johns",
        "America/Sao_Paulo",
        "America/Argentina/Buenos_Aires",
        "America/Cayenne",
        "America/Godthab",
        "America/Montevideo",
        "America/Bahia",
        "Etc/GMT+2",
        "Atlantic/Azores",
        "Atlantic/Cape_Verde",
        "Africa/Casablanca",
        "Etc/GMT",
        "Europe/London",
        "Atlantic/Reykjavik",
        "Europe/Berlin",
        "Europe/Budapest",
        "Europe/Paris",
        "Europe/Warsaw",
        "Africa/Lagos",
        "Africa/Windhoek",
        "Europe/Bucharest",
        "Asia/Beirut",
        "Africa/Cairo",
        "Asia/Damascus",
        "Africa/Johannesburg",
        "Europe/Kyiv",
        "Europe/Kiev",
        "Europe/Istanbul",
        "Asia/Jerusalem",
        "Asia/Amman",
        "Asia/Baghdad",
        "Europe/Kaliningrad",
        "Asia/Riyadh",
        "Africa/Nairobi",
        "Asia/Tehran",
        "Asia/Dubai",
        "Asia/Baku",
        "Europe/Moscow",
        "Indian/Mauritius",
        "Asia/Tbilisi",
        "Asia/Yerevan",
        "Asia/Kabul",
        "Asia/Karachi",
        "Asia/Tashkent",
        "Asia/Kolkata",
        "Asia/Colombo",
        "Asia/Kathmandu",
        "Asia/Astana",
        "Asia/Almaty",
        "Asia/Dhaka",
        "Asia/Yekaterinburg",
        "Asia/Yangon",
        "Asia/Rangoon",
        "Asia/Bangkok",
        "Asia/Novosibirsk",
        "Asia/Shanghai",
        "Asia/Krasnoyarsk",
        "Asia/Singapore",
        "Australia/Perth",
        "Asia/Taipei",
        "Asia/Ulaanbaatar",
        "Asia/Irkutsk",
        "Asia/Tokyo",
        "Asia/Seoul",
        "Australia/Adelaide",
        "Australia/Darwin",
        "Australia/Brisbane",
        "Australia/Sydney",
        "Pacific/Port_Moresby",
        "Australia/Hobart",
        "Asia/Yakutsk",
        "Pacific/Guadalcanal",
        "Asia/Vladivostok",
        "Pacific/Auckland",
        "Etc/GMT-12",
        "Pacific/Fiji",
        "Asia/Magadan",
        "Pacific/Tongatapu",
        "Pacific/Apia",
        "Pacific/Kiritimati",
        "UTC",
    ]
)
_NOT_IN_THE_DATABASE = {"Asia/Astana": "Asia/Almaty"}
_WINDOWS_BY_LOWER_NAME = {name.lower(): iana for name, iana in win_tz.items()}


class UnknownZoneError(Exception):
    """No Windows zone and no accepted IANA zone has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


@lru_cache(maxsize=1024)
def zone_named(name: str, *, documented_only: bool = False) -> ZoneInfo:
    """The zone of a Windows name (any case) or an IANA name.

    Args:
        name: what the caller wrote.
        documented_only: accept only the IANA names that Microsoft lists, not every name it can map.

    Raises:
        UnknownZoneError: the name is neither.
    """
    windows = _WINDOWS_BY_LOWER_NAME.get(name.lower())
    if windows is not None:
        return ZoneInfo(windows)
    if name in DOCUMENTED_IANA or (not documented_only and name in tz_win):
        try:
            return ZoneInfo(_NOT_IN_THE_DATABASE.get(name, name))
        except (ZoneInfoNotFoundError, ValueError) as exc:
            raise UnknownZoneError(name) from exc
    raise UnknownZoneError(name)


def to_utc(local: datetime, zone: ZoneInfo) -> datetime:
    """The instant of a naive wall-clock time; the first of two in a fold, moved forward in a gap."""
    return local.replace(tzinfo=zone).astimezone(UTC)


def in_gap(local: datetime, zone: ZoneInfo) -> bool:
    """Whether this wall-clock time is skipped by a change to daylight saving time."""
    return to_utc(local, zone).astimezone(zone).replace(tzinfo=None) != local


def supported(standard: str, at: datetime) -> list[dict[str, str]]:
    """The `timeZoneInformation` list for `standard`, `windows` or `iana`, offsets as of `at`, ordered by offset."""
    names = sorted(win_tz) if standard == "windows" else sorted(DOCUMENTED_IANA)
    rows: list[tuple[timedelta, str]] = []
    for name in names:
        offset = at.astimezone(zone_named(name)).utcoffset() or timedelta()
        rows.append((offset, name))
    return [{"alias": name, "displayName": f"({_offset_text(offset)}) {name}"} for offset, name in sorted(rows)]


def _offset_text(offset: timedelta) -> str:
    minutes = int(offset.total_seconds() // 60)
    if minutes == 0:
        return "UTC"
    sign = "-" if minutes < 0 else "+"
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{sign}{hours:02d}:{rest:02d}"


def windows_name(name: str) -> str:
    """The Windows name of a zone, or the name itself where there is none."""
    return tz_win.get(name, name)
