"""Drive a headless Chromium over its debugging pipe, with the standard library alone.

`find_chromium` answers None where there is none; `make browser` installs it on Debian.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_chromium() -> str | None:
    return os.environ.get("VERBATIM_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


class Page:
    """One page without a network. `events`: what the browser told, oldest first."""

    def __init__(self, timeout: float = 60.0, width: int = 1300, height: int = 1000):
        self.timeout, self.events, self._next = timeout, [], 0
        self._buffer = b""
        self._profile = tempfile.TemporaryDirectory(prefix="chromium-")
        to_read, self._write = os.pipe()
        self._read, to_write = os.pipe()
        moved = [os.dup(fd) for fd in (to_read, to_write)]  # may be 3 or 4 themselves

        def become() -> None:
            high = [os.dup2(fd, 50 + i) for i, fd in enumerate(moved)]
            for i, fd in enumerate(high):
                os.dup2(fd, 3 + i)

        self._process = subprocess.Popen(
            [
                str(find_chromium()), "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
                "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update",
                "--host-resolver-rules=MAP * ~NOTFOUND", "--remote-debugging-pipe",
                f"--window-size={width},{height}", f"--user-data-dir={self._profile.name}", "about:blank",
            ],
            close_fds=False, preexec_fn=become, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        for fd in (to_read, to_write, *moved):
            os.close(fd)
        self._session = ""
        targets = self.call("Target.getTargets")["targetInfos"]
        target = next(one["targetId"] for one in targets if one["type"] == "page")
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def _message(self) -> dict[str, Any]:
        end = time.monotonic() + self.timeout
        while b"\0" not in self._buffer:
            if not select.select([self._read], [], [], max(0.0, end - time.monotonic()))[0]:
                raise TimeoutError("Chromium did not answer")
            chunk = os.read(self._read, 1 << 20)
            if not chunk:
                raise RuntimeError("Chromium went away")
            self._buffer += chunk
        text, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        return message

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        self._next += 1
        sent = {"id": self._next, "method": method, "params": params}
        sent |= {"sessionId": self._session} if self._session else {}
        os.write(self._write, json.dumps(sent).encode() + b"\0")
        while True:
            message = self._message()
            if message.get("id") == self._next:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                result: dict[str, Any] = message["result"]
                return result
            self.events.append(message)

    def open(self, url: str) -> None:
        """Load a page from nothing and wait until it and its visible images are there."""
        self.call("Page.navigate", url="about:blank")
        self.events.clear()
        self.call("Page.navigate", url=url)
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")

    def run(self, expression: str) -> Any:
        """Value of a JavaScript expression, awaited."""
        done = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in done:
            raise RuntimeError(f"{expression}: {done['exceptionDetails']}")
        return done["result"].get("value")

    def wait(self, expression: str) -> None:
        end = time.monotonic() + self.timeout
        while not self.run(expression):
            if time.monotonic() > end:
                raise TimeoutError(expression)
            time.sleep(0.05)

    def told(self, *methods: str) -> list[dict[str, Any]]:
        """Events of these methods so far."""
        self.run("1")  # what was under way is read now
        return [event["params"] for event in self.events if event.get("method") in methods]

    def errors(self) -> list[str]:
        """Errors and warnings of the console, and exceptions."""
        found = [
            str(event["entry"]["text"])
            for event in self.told("Log.entryAdded")
            if event["entry"]["level"] in ("error", "warning")
        ]
        found += [str(event) for event in self.told("Runtime.exceptionThrown")]
        calls = self.told("Runtime.consoleAPICalled")
        return found + [str(event) for event in calls if event["type"] in ("error", "warning")]

    def screenshot(self, path: Path) -> None:
        shot = self.call("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(shot["data"]))

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(30)
        for fd in (self._read, self._write):
            os.close(fd)
        shutil.rmtree(self._profile.name, ignore_errors=True)
        self._profile._finalizer.detach()  # type: ignore[attr-defined]  # is deleted above
