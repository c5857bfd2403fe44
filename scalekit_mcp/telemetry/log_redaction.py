"""Shortens the addresses in the HTTP library's own log to the host, without path and query.

`httpx2` logs the whole address of every request at INFO. Ours carry event ids, search words and page tokens, and an
application that embeds the calls may well log at INFO.
"""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import urlsplit

import httpx2 as httpx

HTTP_LOGGER = "httpx2"


class RedactUrls(logging.Filter):
    """A filter that shortens URLs of the given hosts to scheme and host; every record passes, other URLs stay.

    Between `attach` and `detach` it is a filter of the library's logger, so it runs before every handler.
    """

    def __init__(self, *base_urls: str) -> None:
        super().__init__()
        self._hosts = frozenset(urlsplit(url).netloc.casefold() for url in base_urls)

    def attach(self) -> RedactUrls:
        """Add this filter to the library's logger; returns itself."""
        logging.getLogger(HTTP_LOGGER).addFilter(self)
        return self

    def detach(self) -> None:
        """Remove this filter from the library's logger; does nothing if it is not there."""
        logging.getLogger(HTTP_LOGGER).removeFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        """Shorten the URLs among the arguments of the record; always True."""
        if isinstance(record.args, tuple):
            record.args = tuple(self._cut(value) for value in record.args)
        return True

    def _cut(self, value: Any) -> Any:
        if isinstance(value, httpx.URL) and value.netloc.decode("ascii", "replace").casefold() in self._hosts:
            return f"{value.scheme}://{value.netloc.decode('ascii', 'replace')}/..."
        return value
