"""The names of time zones, and the message for an unknown name.

The table between IANA and Windows names is Unicode CLDR's (shipped by `tzlocal`). A hint names a place only if what was
written is all but that place: an invented place books a meeting at the wrong hour.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from functools import cache

from tzlocal.windows_tz import tz_win, win_tz

_CORRECTIONS: Mapping[str, str] = {
    # Names that the table leaves out.
    "GMT": "UTC",
    "CST6CDT": "Central Standard Time",
    "EST5EDT": "Eastern Standard Time",
    "MST7MDT": "Mountain Standard Time",
    "PST8PDT": "Pacific Standard Time",
    "Europe/Uzhgorod": "FLE Standard Time",
    "Europe/Zaporozhye": "FLE Standard Time",
    "US/East-Indiana": "US Eastern Standard Time",
    # Places that changed their clocks after the table was made.
    "America/Scoresbysund": "Greenland Standard Time",
    "Antarctica/Casey": "W. Australia Standard Time",
    "Antarctica/Vostok": "West Asia Standard Time",
}

_REGIONS = frozenset(
    {
        "Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific",
    }
)  # fmt: skip
_DIRECTIONS = frozenset({"north", "south", "west"})
_CLOSE, _CLOSE_WHOLE = 0.85, 0.93
"""How like a known name a misspelling must be (difflib's ratio): one wrong letter in seven, or one in a whole name."""

_SHORTEST_GUESS = 5
"""Letters of the shortest word that is taken for a misspelling; with fewer, every word is like some place."""

_OFFSET = re.compile(
    r"[\s(]*(?:(?:[a-z/]{1,7}\s*)?[+\-\N{MINUS SIGN}\N{EN DASH}]\s*|(?:utc|gmt|z)\s*)(?P<digits>\d[\d:.]*)",
    re.IGNORECASE,
)
_FILLING = frozenset({"standard", "time", "daylight", "summer", "mean", "zone", "us", "usa"})
_ASK = (
    "write the zone of a place, as Region/City (IANA) or by its Windows name, and ask the user for their city if you "
    "do not know it"
)


@cache
def zone_names() -> Mapping[str, tuple[str, str, str]]:
    """Folded name -> (canonical spelling, IANA name, Windows name)."""
    names = {w.casefold(): (w, i, w) for w, i in win_tz.items()}
    names |= {i.casefold(): (i, i, w) for i, w in (dict(tz_win) | dict(_CORRECTIONS)).items() if i}
    return names


def folded(name: str) -> str:
    """A name without regard to letter case and blanks, as the table has it."""
    return " ".join(name.split()).casefold()


def refusal(name: str) -> str:
    """What is wrong with `name`, which is in no table, and what to write instead."""
    offset = _OFFSET.match(name)
    if offset is not None:
        utc = "" if offset["digits"].strip("0:.") else "write UTC if that is meant, else "
        return f"an offset, which does not tell when the clock changes; {utc}{_ASK}"
    near = _nearest(name[:80])
    return f"which is not a time zone that Microsoft knows; {_ASK if near is None else f'did you mean {near}?'}"


def _nearest(name: str) -> str | None:
    region, slash, tail = name.rpartition("/")
    cities = _cities()
    if slash and region.strip().casefold() in {r.casefold() for r in _REGIONS}:
        inside = {c: s for c, s in cities.items() if s.casefold().startswith(f"{region.strip().casefold()}/")}
        found = _alike(_core(tail), inside)
        if found is not None:
            return inside[found]
    whole = None if slash else _alike(folded(name), zone_names(), _CLOSE_WHOLE)
    if whole is not None:
        return zone_names()[whole][0]
    for known in (cities, _cores()):
        for part in (name, *re.split(r"[/,;()]", name)):
            if _core(part) in known:
                return known[_core(part)]
    known = cities | _cores()
    found = None if slash else _alike(_core(name), known)
    return None if found is None else known[found]


def _alike(name: str, known: Iterable[str], cutoff: float = _CLOSE) -> str | None:
    if len(name) < _SHORTEST_GUESS:
        return None
    near = difflib.get_close_matches(name, known, n=1, cutoff=cutoff)
    return near[0] if near and near[0][:1] == name[:1] else None


def _core(text: str) -> str:
    """The words that tell one zone from another, without case, blanks and underscores."""
    words = [word for word in re.split(r"[\s_\-]+", text.strip().casefold()) if word]
    return "".join(word for word in words if word not in _FILLING) or "".join(words)


@cache
def _cities() -> dict[str, str]:
    """The last part of an IANA name -> that name; the shortest where several end alike."""
    found: dict[str, str] = {}
    for spelling, iana, _ in sorted(zone_names().values(), key=lambda names: (-len(names[0]), names[0])):
        region, _, city = spelling.rpartition("/")
        if spelling == iana and region.partition("/")[0] in _REGIONS and city.casefold() not in _DIRECTIONS:
            found[_core(city)] = spelling
    return found


@cache
def _cores() -> dict[str, str]:
    """What tells the other names apart -> the name. `GMT Standard Time` is London's and is left out: it has summer."""
    found: dict[str, str] = {}
    for spelling, iana, windows in zone_names().values():
        if "/" not in spelling and spelling in (windows, iana) and spelling != "GMT Standard Time":
            found.setdefault(_core(spelling), spelling)
    return found
