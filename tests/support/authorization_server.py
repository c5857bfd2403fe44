"""An authorization server's documents on a loopback port, and tokens that it signs."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class PublishedDocuments:
    """What stands at which path, and which paths were asked for."""

    base: str
    documents: dict[str, Any] = field(default_factory=dict[str, Any])
    asked: list[str] = field(default_factory=list[str])

    def token(self, *, kid: str, **claims: Any) -> str:
        """An access token that lives for ten minutes."""
        now = time.time()
        given = {"iat": now, "nbf": now, "exp": now + 600, **claims}
        return jwt.encode(given, KEY, algorithm="RS256", headers={"kid": kid})


def public_key(**members: Any) -> dict[str, Any]:
    """The signing key as a JWK with these members beside its numbers."""
    jwk = RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
    return {"kty": "RSA", "use": "sig", "n": jwk["n"], "e": jwk["e"], **members}


@contextlib.contextmanager
def published(documents: Callable[[str], dict[str, Any]]) -> Generator[PublishedDocuments]:
    """Serve what `documents` makes of the server's own address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.asked.append(self.path)
            document = server.documents.get(self.path)
            self.send_response(404 if document is None else 200)
            self.send_header("content-type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(document).encode())

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that the base class has
            """Nothing: the test's own output stays readable."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        server = PublishedDocuments(f"http://127.0.0.1:{http.server_address[1]}")
        server.documents = documents(server.base)
        threading.Thread(target=http.serve_forever, daemon=True).start()
        try:
            yield server
        finally:
            http.shutdown()
