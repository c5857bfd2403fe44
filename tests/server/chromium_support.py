"""A real Chromium, driven over its debugging pipe (Chrome DevTools Protocol); used from a worker thread."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from typing import Any

_FLAGS = "--headless --no-sandbox --disable-gpu --no-first-run --remote-debugging-pipe --window-size=390,844"
_TRIES = 400


def find_chromium() -> str | None:
    """The browser's path: `CHROMIUM`, else `/usr/bin/chromium`."""
    return shutil.which(os.environ.get("CHROMIUM") or "/usr/bin/chromium")


class Chromium:
    """One tab. `wait_for` polls inside the page, so that nothing here sleeps.

    `events` are what the browser has told unasked: its method and parameters, in order.
    """

    def __init__(self, path: str, *flags: str) -> None:
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        # Chromium reads its commands from descriptor 3 and answers on 4; both are moved up first, so that none is lost
        launch = (
            "import fcntl, os, sys; path, profile, r, w, *flags = sys.argv[1:];"
            "r, w = (fcntl.fcntl(int(fd), fcntl.F_DUPFD, 50) for fd in (r, w));"
            "os.dup2(r, 3); os.dup2(w, 4); os.execv(path, [path, *flags, f'--user-data-dir={profile}', 'about:blank'])"
        )
        arguments = [path, self._profile.name, str(theirs_in), str(theirs_out), *_FLAGS.split(), *flags]
        self._process = subprocess.Popen(
            [sys.executable, "-c", launch, *arguments],
            pass_fds=(theirs_in, theirs_out),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._rest = b""
        self._last = 0
        self.events: list[tuple[str, dict[str, Any]]] = []
        self._session: str | None = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Page.enable")

    def __enter__(self) -> Chromium:
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._in)
        os.close(self._out)
        self._profile.cleanup()

    def open(self, url: str) -> None:
        self.call("Page.navigate", url=url)

    def evaluate(self, expression: str) -> Any:
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        return answer.get("result", {}).get("value")

    def wait_for(self, text: str) -> str:
        """Wait until the page shows `text`; the page's text."""
        shown = ""
        for _ in range(_TRIES):
            shown = str(self.evaluate("new Promise(r => setTimeout(() => r(document.body?.innerText ?? ''), 50))"))
            if text in shown:
                return shown
        raise AssertionError(f"'{text}' never came; the page says: {shown[:400]}")

    def press(self, text: str) -> None:
        """Press the button whose text contains `text`."""
        wanted = json.dumps(text)
        found = f"[...document.querySelectorAll('button')].find(b => b.innerText.includes({wanted}))"
        assert self.evaluate(f"Boolean({found})"), f"there is no button '{text}'"
        self.evaluate(f"{found}.click()")

    def follow(self, text: str) -> None:
        """Follow the link whose text contains `text`."""
        wanted = json.dumps(text)
        found = f"[...document.querySelectorAll('a')].find(a => a.innerText.includes({wanted}))"
        assert self.evaluate(f"Boolean({found})"), f"there is no link '{text}'"
        self.evaluate(f"{found}.click()")

    def reload(self) -> None:
        """Load the page again, and wait until it is another document."""
        self.evaluate("document.isTheOldOne = true")
        self.call("Page.reload")
        for _ in range(_TRIES):
            if self.evaluate("new Promise(r => setTimeout(() => r(document.isTheOldOne !== true), 50))"):
                return
        raise AssertionError("the page never came again")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Have the browser do something, and wait for its answer."""
        self._last += 1
        message: dict[str, Any] = {"id": self._last, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._last:
                return answer.get("result", {})  # a page that goes away answers with an error: no result
            if "method" in answer:
                self.events.append((answer["method"], answer.get("params", {})))

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            chunk = os.read(self._in, 65_536)
            assert chunk, "Chromium has ended"
            self._rest += chunk
        first, _, self._rest = self._rest.partition(b"\0")
        return json.loads(first)
