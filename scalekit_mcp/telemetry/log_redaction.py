"""What the HTTP library's own log may say about our requests: the host, never the path or the query.

`httpx2` logs the whole address of every request at INFO. Ours carry event ids, search words and page tokens, and an
application that embeds the calls may well log at INFO.
"""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import urlsplit

import httpx2 as httpx

HTTP_LOGGER = "httpx2"


class HostOnly(logging.Filter):
    """Cuts addresses at these hosts down to scheme and host; every record passes, those of other clients as they are.

    It stands on the library's logger, in front of every handler, from `attach` to `detach`.
    """

    def __init__(self, *base_urls: str) -> None:
        super().__init__()
        self._hosts = frozenset(urlsplit(url).netloc.casefold() for url in base_urls)

    def attach(self) -> HostOnly:
        """Begin; returns itself."""
        logging.getLogger(HTTP_LOGGER).addFilter(self)
        return self

    def detach(self) -> None:
        """End; without effect where it has ended."""
        logging.getLogger(HTTP_LOGGER).removeFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        """Let the record pass, its addresses cut."""
        if isinstance(record.args, tuple):
            record.args = tuple(self._cut(value) for value in record.args)
        return True

    def _cut(self, value: Any) -> Any:
        if isinstance(value, httpx.URL) and value.netloc.decode("ascii", "replace").casefold() in self._hosts:
            return f"{value.scheme}://{value.netloc.decode('ascii', 'replace')}/..."
        return value
