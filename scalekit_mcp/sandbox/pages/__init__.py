"""Pages of the sandbox: small templates, nothing external, one script; each says that it is not Microsoft."""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from hashlib import sha256
from typing import Any

from starlette.responses import HTMLResponse

_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "frame-ancestors 'none'",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
_SUBMIT = "document.forms[0].submit()"
_SUBMIT_HASH = b64encode(sha256(_SUBMIT.encode()).digest()).decode()


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

    def form_post(self, url: str, fields: dict[str, str]) -> HTMLResponse:
        """A form that sends itself ("OAuth 2.0 Form Post Response Mode"); the one page with a script."""
        response = self.render("form_post.html", {"url": url, "fields": fields, "script": _SUBMIT})
        response.headers["content-security-policy"] += f"; script-src 'sha256-{_SUBMIT_HASH}'"
        return response

    def message(self, title: str, text: str, status: int = 200) -> HTMLResponse:
        """A page with a heading and a sentence."""
        return self.render("message.html", {"title": title, "text": text}, status)
