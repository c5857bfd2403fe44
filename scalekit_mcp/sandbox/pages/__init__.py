"""Pages of the sandbox: small templates, no script, no external resource; each says that it is not Microsoft."""

from __future__ import annotations

from functools import cache
from typing import Any

from starlette.responses import HTMLResponse

_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "frame-ancestors 'none'",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


@cache
def _templates() -> Any:
    """The compiled templates; jinja2 is loaded with the first page of the process."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("scalekit_mcp.sandbox", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


class Pages:
    """Renders templates."""

    def render(self, template: str, variables: dict[str, Any], status: int = 200) -> HTMLResponse:
        """One page. Every variable is escaped."""
        html: str = _templates().get_template(template).render(**variables)
        return HTMLResponse(html, status_code=status, headers=dict(_HEADERS))

    def message(self, title: str, text: str, status: int = 200) -> HTMLResponse:
        """A page with a heading and a sentence."""
        return self.render("message.html", {"title": title, "text": text}, status)
