"""Finds invisible characters in text, and removes those that no script and no emoji needs.

A reader of text is a model or a person. Characters without a glyph carry instructions that only the model reads, and
make two names that look alike differ. Taken out are the default-ignorable characters (Unicode Character Database,
DerivedCoreProperties) and the format characters without a glyph. Kept are joiners where they shape what is seen:
between letters of scripts that join (Arabic, Indic and their kin), inside emoji sequences, the emoji presentation after
an emoji, and the three flags that are spelled with tag characters (Unicode Technical Standard 51).
"""

from __future__ import annotations

import re
import unicodedata

_HIDDEN = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff"
)
"""Default-ignorable characters, interlinear annotation and the format controls of hieroglyphs and shorthand."""

_JOINING = (
    "\u0620-\u065f\u066e-\u06d3\u06d5-\u06dc\u06df-\u06e8\u06ea-\u06ef\u06fa-\u06ff\u0710-\u074a\u074d-\u07b1"
    "\u07ca-\u07f5\u0840-\u085b\u0860-\u086a\u0870-\u0887\u0889-\u088e\u0898-\u08e1\u08e3-\u0963\u0971-\u0de5"
    "\u0df2\u0df3\u0f40-\u0fbc\u1000-\u103f\u1050-\u108f\u1780-\u17b3\u17b6-\u17d3\u1820-\u1878\u1880-\u18aa"
    "\u1900-\u193b\u1a20-\u1a7c\u1b00-\u1b4c\u1b80-\u1baf\u1bba-\u1bf3\u1c00-\u1c37\ua800-\ua827\ua840-\ua873"
    "\ua880-\ua8c5\ua8e0-\ua8f1\ua980-\ua9c0\uaa00-\uaa4d\uaa60-\uaa7f\uabc0-\uabed\ufb50-\ufdc7\ufdf0-\ufdff"
    "\ufe70-\ufefc\U00010a00-\U00010a4f\U00010d00-\U00010d27\U00010f30-\U00010f54\U00011000-\U00011046"
    "\U00011070-\U000110ba\U00011100-\U00011134\U00011150-\U000111c4\U00011200-\U00011237\U00011280-\U000112ea"
    "\U00011300-\U00011374\U00011400-\U00011446\U00011480-\U000114c5\U00011580-\U000115b5\U00011600-\U00011640"
    "\U00011680-\U000116b8\U00011700-\U0001172b\U00011800-\U0001183a\U000119a0-\U000119e4\U00011a00-\U00011a99"
    "\U00011c00-\U00011c40\U00011d00-\U00011d97\U0001e900-\U0001e94b"
)
"""Letters and marks of the scripts in which a joiner changes what is seen."""

_PICTURES = (
    "\u00a9\u00ae\u203c\u2049\u2122\u2139\u2194-\u2199\u21a9\u21aa\u231a\u231b\u2328\u23cf\u23e9-\u23fa\u24c2"
    "\u25aa\u25ab\u25b6\u25c0\u25fb-\u25fe\u2600-\u27bf\u2934\u2935\u2b05-\u2b07\u2b1b\u2b1c\u2b50\u2b55\u3030\u303d"
    "\u3297\u3299\U0001f000-\U0001f1e5\U0001f200-\U0001f3fa\U0001f400-\U0001faff"
)
"""Characters that an emoji begins with (Extended_Pictographic, in whole blocks where the rest has a glyph, too)."""

_SKIN_TONES = "\U0001f3fb-\U0001f3ff"


def _tags(letters: str) -> str:
    return "".join(chr(0xE0000 + ord(letter)) for letter in letters) + "\U000e007f"


_KEPT = "|".join(
    (
        f"(?<=[{_PICTURES}])\ufe0f",
        "(?<=[0-9#*])\ufe0f(?=\u20e3)",
        f"(?<=[{_PICTURES}{_SKIN_TONES}])\u200d(?=[{_PICTURES}])",
        f"(?<=[{_PICTURES}]\ufe0f)\u200d(?=[{_PICTURES}])",
        f"(?<=[{_JOINING}])\u200c(?=[{_JOINING}])",
        f"(?<=[{_JOINING}])\u200d",
        f"(?<=\U0001f3f4)(?:{_tags('gbeng')}|{_tags('gbsct')}|{_tags('gbwls')})",
    )
)
LONGEST_NAME = 1024
"""Characters of a name that are compared; putting accents into one form takes the square of their number."""

_ANY = re.compile(f"[{_HIDDEN}]")
_EACH = re.compile(f"(?P<kept>{_KEPT})|[{_HIDDEN}]")


def has_hidden(text: str) -> bool:
    """Whether the text has a character without a glyph of its own, needed or not."""
    return not text.isascii() and _ANY.search(text) is not None


def without_hidden(text: str) -> str:
    """The text without the characters that nobody sees; what is left means to a model what it shows to a person."""
    if not has_hidden(text):
        return text
    return _EACH.sub(lambda match: match["kept"] or "", text)


def comparable(text: str) -> str:
    """The text for a comparison of names: no letter case, one form of accents, no character that nobody sees."""
    text = text[:LONGEST_NAME]
    seen = text if text.isascii() else unicodedata.normalize("NFC", _ANY.sub("", text))
    return " ".join(seen.split()).casefold()
