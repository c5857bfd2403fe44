"""Whether the edges of a page's controls can be seen (WCAG 2.2, 1.4.11), in a real Chromium."""

from __future__ import annotations

import re

from scalekit_mcp.server.web.brand import contrast
from tests.server.chromium_support import Chromium

CONTROLS = """(() => {
  const painted = color => !['transparent', 'rgba(0, 0, 0, 0)'].includes(color)
  const ground = element => {
    for (let each = element; each; each = each.parentElement)
      if (painted(getComputedStyle(each).backgroundColor)) return getComputedStyle(each).backgroundColor
    return 'rgb(255, 255, 255)'
  }
  return [...document.querySelectorAll('button, .button, textarea, select, input:not([type=hidden])')]
    .filter(each => each.checkVisibility())
    .map(each => {
      const style = getComputedStyle(each)
      const edge = parseFloat(style.borderTopWidth) > 0 ? style.borderTopColor : style.backgroundColor
      return {name: each.textContent.trim() || each.name || each.tagName, edge, around: ground(each.parentElement)}
    })
})()"""
"""The color of each control's edge, and the one around it."""


def rgb(color: str) -> tuple[int, int, int]:
    red, green, blue = (int(part) for part in re.findall(r"\d+", color)[:3])
    return red, green, blue


def faint_controls(chromium: Chromium) -> list[str]:
    """Controls whose edge has less than 3:1 against what is around it (WCAG 2.2, 1.4.11)."""
    controls: list[dict[str, str]] = chromium.evaluate(CONTROLS)
    return [
        f"the edge of {control['name']!r} is too faint: {control['edge']} on {control['around']}"
        for control in controls
        if contrast(rgb(control["edge"]), rgb(control["around"])) < 3
    ]
