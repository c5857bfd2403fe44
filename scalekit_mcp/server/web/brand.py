"""The product that asks, as the pages show it: name, logo, color, and where its users find help and its policy."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from scalekit_mcp.errors import ConfigurationError
from scalekit_mcp.settings import Settings

MOST_LOGO_BYTES: Final = 256 * 1024
LOGO_PATH: Final = "/oauth/logo"

_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)
_GROUNDS: Final = {
    "light": ((255, 255, 255), (243, 245, 248), _BLACK),
    "dark": ((26, 32, 41), (17, 21, 27), _WHITE),
}
"""For each scheme the card and the ground of `page.css`, and what a color is mixed with until it can be read there."""
_TEXT_CONTRAST: Final = 4.5
_STEPS: Final = 50

Rgb = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Logo:
    """A picture, served under an address that changes with it, so that browsers may keep it for good."""

    content: bytes = field(repr=False)
    media_type: str

    @property
    def path(self) -> str:
        """Its address on this server."""
        return f"{LOGO_PATH}/{hashlib.sha256(self.content).hexdigest()[:32]}.{_ENDINGS[self.media_type]}"

    async def show(self, request: Request) -> Response:
        """The picture alone: an SVG that is opened by itself runs no script and loads nothing."""
        del request
        headers = {
            "cache-control": "public, max-age=31536000, immutable",
            "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
            "x-content-type-options": "nosniff",
            "cross-origin-resource-policy": "same-origin",
        }
        return Response(self.content, media_type=self.media_type, headers=headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Brand:
    """What the pages show as the product that asks; nothing set shows ourselves. `color` is `#rrggbb`."""

    name: str = ""
    logo: Logo | None = None
    color: str = ""
    support_url: str = ""
    privacy_url: str = ""

    @property
    def style(self) -> str:
        """The color for the style sheet, so that text in it and on it has a contrast of 4.5 to 1 in both schemes."""
        if not self.color:
            return ""
        light, dark = (_variables(self.color, scheme) for scheme in ("light", "dark"))
        return f":root{{{light}}}@media (prefers-color-scheme:dark){{:root{{{dark}}}}}"


def brand_of(settings: Settings) -> Brand:
    """The product that the settings name; raises `ConfigurationError` for a logo that cannot be shown."""
    logo = None
    if settings.product_logo is not None:
        with settings.naming("product_logo"):
            logo = read_logo(settings.product_logo)
    return Brand(
        name=settings.product_name,
        logo=logo,
        color=settings.product_color,
        support_url=settings.support_url,
        privacy_url=settings.privacy_url,
    )


def read_logo(path: Path) -> Logo:
    """Read a picture, its type by its content; raises `ConfigurationError` with the rest of a sentence."""
    try:
        if not path.is_file():
            raise ConfigurationError(f"{path} is no file")
        with path.open("rb") as file:
            content = file.read(MOST_LOGO_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read ({error.strerror})") from error
    if len(content) > MOST_LOGO_BYTES:
        raise ConfigurationError(f"{path} is larger than {MOST_LOGO_BYTES // 1024} KiB")
    media_type = _media_type(content)
    if media_type is None:
        raise ConfigurationError(f"{path} is no PNG, JPEG, WebP or SVG picture")
    return Logo(content, media_type)


_ENDINGS: Final = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "image/svg+xml": "svg"}
_SVG: Final = re.compile(rb"\s*+(?:<\?xml[^>]*+>\s*+)?(?:(?><!--.*?-->)\s*+)*+<svg[\s>]", re.DOTALL)


def _media_type(content: bytes) -> str | None:
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "image/webp"
    return "image/svg+xml" if _SVG.match(content.removeprefix(b"\xef\xbb\xbf")) else None


def _variables(color: str, scheme: str) -> str:
    """Fill, text on it, and the color itself as text: mixed towards black or white until it can be read."""
    card, ground, towards = _GROUNDS[scheme]
    fill = _rgb(color)
    on_fill = max((_WHITE, _BLACK), key=lambda text: contrast(text, fill))
    text = fill
    for step in range(_STEPS + 1):
        text = _mixed(fill, towards, step / _STEPS)
        if min(contrast(text, card), contrast(text, ground)) >= _TEXT_CONTRAST:
            break
    return f"--fill:{color};--on-fill:{_hex(on_fill)};--accent:{_hex(text)}"


def contrast(one: Rgb, other: Rgb) -> float:
    """The contrast ratio of two colors, 1 to 21 (WCAG 2.2, "contrast ratio")."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: Rgb) -> float:
    red, green, blue = (
        value / 255 / 12.92 if value <= 10 else ((value / 255 + 0.055) / 1.055) ** 2.4 for value in color
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _mixed(one: Rgb, other: Rgb, share: float) -> Rgb:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _rgb(color: str) -> Rgb:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def _hex(color: Rgb) -> str:
    return "#{:02x}{:02x}{:02x}".format(*color)
