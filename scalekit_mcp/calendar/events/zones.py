"""The zone names that Microsoft Graph takes in a request."""

from __future__ import annotations

from scalekit_mcp.tools import Zone, resolve_zone

_ACCEPTED = """
Etc/GMT+12 Etc/GMT+11 Pacific/Honolulu America/Anchorage America/Los_Angeles America/Phoenix America/Denver
America/Guatemala America/Chicago America/Mexico_City America/Regina America/Bogota America/New_York
America/Indiana/Indianapolis America/Caracas America/Asuncion America/Halifax America/Cuiaba America/La_Paz
America/Santiago America/St_Johns America/Sao_Paulo America/Argentina/Buenos_Aires America/Cayenne America/Montevideo
America/Bahia Etc/GMT+2 Atlantic/Azores Atlantic/Cape_Verde Etc/GMT Europe/London Atlantic/Reykjavik Europe/Berlin
Europe/Budapest Europe/Paris Europe/Warsaw Africa/Lagos Africa/Windhoek Europe/Bucharest Asia/Beirut Africa/Cairo
Asia/Damascus Africa/Johannesburg Europe/Istanbul Asia/Jerusalem Asia/Amman Asia/Baghdad Europe/Kaliningrad
Asia/Riyadh Africa/Nairobi Asia/Tehran Asia/Dubai Asia/Baku Europe/Moscow Indian/Mauritius Asia/Tbilisi Asia/Yerevan
Asia/Kabul Asia/Karachi Asia/Tashkent Asia/Kolkata Asia/Colombo Asia/Kathmandu Asia/Dhaka Asia/Yekaterinburg
Asia/Bangkok Asia/Novosibirsk Asia/Shanghai Asia/Krasnoyarsk Asia/Singapore Australia/Perth Asia/Taipei
Asia/Ulaanbaatar Asia/Irkutsk Asia/Tokyo Asia/Seoul Australia/Adelaide Australia/Darwin Australia/Brisbane
Australia/Sydney Pacific/Port_Moresby Australia/Hobart Asia/Yakutsk Pacific/Guadalcanal Asia/Vladivostok
Pacific/Auckland Etc/GMT-12 Pacific/Fiji Asia/Magadan Pacific/Tongatapu Pacific/Apia Pacific/Kiritimati UTC
"""

GRAPH_IANA_NAMES = frozenset(_ACCEPTED.split())
"""IANA names that the page "dateTimeTimeZone resource type" promises.

Left out although listed: Africa/Casablanca, which the service has refused; America/Chihuahua, America/Santa_Isabel and
America/Godthab, whose clocks have changed since the list was made; and those that were renamed. Their Windows names
are safe.
"""


def graph_zone(zone: Zone | str) -> str:
    """The name under which Graph takes `zone`: its IANA name if that is promised to work, else its Windows name."""
    known = resolve_zone(zone) if isinstance(zone, str) else zone
    return known.given if known.given in GRAPH_IANA_NAMES else known.windows
