"""Fetch one image by its URL: http and https, public addresses, within limits of time and size.

Each hop of a redirect is resolved, checked and connected to by itself (`addresses`); a transfer has a time
limit as a whole, and each wait in it; nothing larger than the limit is ever held; and what comes back is a
status with a reason, never an exception and never a stand-in.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from http.client import BadStatusLine, HTTPException
from typing import Any, NamedTuple
from urllib.parse import urljoin

from urllib3.exceptions import HTTPError
from urllib3.util import Url, parse_url
from urllib3.util.response import is_fp_closed

from verbatim.inputs.addresses import RefusedAddressError, Resolver
from verbatim.inputs.connections import Connector
from verbatim.inputs.contents import ContentError, check_image, unpack
from verbatim.inputs.deadlines import Deadlines
from verbatim.io.clock import Clock

AGENT = "verbatim/0.1 (memorisation research; fetches images of a public data set once)"
CHUNK = 65536
LONGEST_URL = 8192
LONGEST_WAIT = 30.0  # seconds that a server may ask for before the next try
TRANSIENT = {408, 425, 429, 500, 502, 503, 504}  # HTTP statuses that may be others a moment later
REDIRECTS = {301, 302, 303, 307, 308}


@dataclass(frozen=True)
class Limits:
    """timeout, deadline: seconds of one wait and of a whole try; disallowed: directives of X-Robots-Tag."""

    timeout: float = 10.0
    deadline: float = 60.0
    max_bytes: int = 20_000_000
    max_redirects: int = 5
    retries: int = 2
    disallowed: tuple[str, ...] = ()
    backoff: float = 1.0  # seconds before the first further try, doubled for each


@dataclass(frozen=True)
class Download:
    """What came of a url.

    status : ok; bad_url; refused_address; failed_to_download (no connection, HTTP error, cut short, too many
        redirects); timeout; too_large (bytes or pixels); wrong_type; broken (cannot be decoded); disallowed
        (by the site).
    url : the last one, after redirects.
    answered : whether a server said anything.
    """

    status: str
    reason: str = ""
    data: bytes = b""
    url: str = ""
    answered: bool = False


class _Failed(Exception):
    """Ends a try. again: another may do better; wait: seconds before it, if the server says."""

    def __init__(self, status: str, reason: str, again: bool = False, wait: float = 0.0):
        super().__init__(reason)
        self.status, self.again, self.wait = status, again, wait


class _Body(NamedTuple):
    """What a server sent: its bytes as they came, and what the headers say of them."""

    data: bytes
    encoding: str
    kind: str


def read_url(text: str) -> Url:
    """A url that may be asked for. Raises _Failed if it is none, or not http or https."""
    if len(text) > LONGEST_URL:
        raise _Failed("bad_url", f"{len(text)} characters, more than {LONGEST_URL}")
    try:
        url = parse_url(text.strip())
    except (HTTPError, ValueError) as err:
        raise _Failed("bad_url", str(err)[:200]) from err
    if url.scheme not in ("http", "https"):
        raise _Failed("bad_url", f"scheme {str(url.scheme)[:20]!r}, not http or https")
    if not url.host or url.auth:
        raise _Failed("bad_url", "a user name in it" if url.auth else "no host")
    if not 0 < (url.port or 80) < 65536:
        raise _Failed("bad_url", f"port {url.port}")
    return url


def forbidden(values: list[str], disallowed: tuple[str, ...]) -> str:
    """The directive of X-Robots-Tag headers that forbids the use to everyone or to us, "" if none does."""
    for value in values:
        agent = ""
        for item in value.split(","):
            name, colon, rest = item.strip().lower().partition(":")
            valued = name == "unavailable_after" or name.startswith("max-")
            if colon and not valued:  # `agent: directive, directive`
                agent, name = name.strip(), rest.strip()
            if agent in ("", "verbatim") and name in disallowed:
                return name
    return ""


class Downloader:
    """Fetches images; may be used from many threads. Use as a context manager.

    Parameters
    ----------
    per_host
        Connections to one host at a time, redirects to it included.
    resolver
        Decides which addresses may be asked; None for one that takes public ones only.
    lookups
        Names that are looked up at a time, and connections that are kept: as many as threads fetch.
    """

    def __init__(
        self,
        limits: Limits,
        per_host: int = 2,
        resolver: Resolver | None = None,
        lookups: int = 32,
    ):
        self.limits = limits
        self.resolver = resolver or Resolver(threads=lookups)
        self._slots: defaultdict[str, threading.Semaphore] = defaultdict(
            lambda: threading.Semaphore(per_host)
        )
        self._lock = threading.Lock()
        self._connect = Connector(self.resolver, limits.timeout, lookups)
        self._deadlines = Deadlines()

    def fetch(self, url: str) -> Download:
        """The image at this url, or why there is none."""
        answered = False
        for further in range(self.limits.retries, -1, -1):
            seen: list[str] = []
            try:
                data, last = self._try(url, seen)
                return Download("ok", "", data, last, True)
            except (_Failed, ContentError) as err:
                answered = answered or bool(seen)
                got = Download(err.status, str(err), b"", seen[-1] if seen else url, answered)
                if not (isinstance(err, _Failed) and err.again and further):
                    return got
                pause = self.limits.backoff * 2 ** (self.limits.retries - further)
                time.sleep(max(pause, err.wait))
        raise AssertionError("not reached")

    def _try(self, url: str, seen: list[str]) -> tuple[bytes, str]:
        """Follow redirects to the end; `seen` gets each url that answered."""
        left = self.limits.deadline
        for _ in range(self.limits.max_redirects + 1):
            parsed = read_url(url)
            with self._lock:
                slot = self._slots[str(parsed.host)]
            with slot:  # waiting for others is not the server's time
                start = time.monotonic()
                found = self._ask(parsed, left, seen)
                left -= time.monotonic() - start
            if isinstance(found, _Body):
                data = unpack(found.data, found.encoding, self.limits.max_bytes)
                check_image(data, found.kind)
                return data, url
            try:
                url = urljoin(parsed.url, found)
            except ValueError as err:
                raise _Failed("bad_url", f"a redirect to {found[:100]!r}") from err
        raise _Failed("failed_to_download", f"more than {self.limits.max_redirects} redirects")

    def _ask(self, url: Url, seconds: float, seen: list[str]) -> _Body | str:
        """One request: what came, or where it is redirected to."""
        with self._deadlines.clock(seconds) as clock:
            try:
                return self._exchange(url, clock, seen)
            except RefusedAddressError as err:
                raise _Failed("refused_address", str(err)) from err
            except (TimeoutError, HTTPError, HTTPException, OSError, ValueError) as err:
                raise self._explain(err, clock) from err

    def _exchange(self, url: Url, clock: Clock, seen: list[str]) -> _Body | str:
        before = len(seen)
        try:
            with self._connect.to(url, clock) as connection:
                return self._answer(connection, url, clock, seen)
        except (ConnectionError, ssl.SSLError, BadStatusLine):
            # one that was kept may be closed in the moment in which it is used, or hold what was left of the last answer
            if not connection.reused or len(seen) > before:
                raise
        with self._connect.to(url, clock, kept=False) as connection:
            return self._answer(connection, url, clock, seen)

    def _explain(self, err: Exception, clock: Clock) -> _Failed:
        if clock.over or clock.end <= time.monotonic():
            return _Failed("timeout", f"not done within {self.limits.deadline:g} s")
        causes = [err, err.__cause__, err.__context__]
        if any(isinstance(c, TimeoutError) for c in causes) or "timed out" in str(err).lower():
            return _Failed("timeout", f"no answer for {self.limits.timeout:g} s", again=True)
        if isinstance(err, socket.gaierror):
            again = err.errno == socket.EAI_AGAIN
            return _Failed("failed_to_download", f"host not found ({err.strerror})", again)
        if isinstance(err, (ssl.SSLError, UnicodeError, ValueError)):
            return _Failed("failed_to_download", f"{type(err).__name__}: {err}"[:200])
        return _Failed("failed_to_download", f"{type(err).__name__}: {err}"[:200], again=True)

    def _answer(self, connection: Any, url: Url, clock: Clock, seen: list[str]) -> _Body | str:
        headers = {
            "User-Agent": AGENT,
            "Accept": "image/webp,image/png,image/jpeg,image/*;q=0.8",
            "Accept-Encoding": "identity",
        }
        connection.request("GET", url.request_uri, headers=headers, preload_content=False)
        response = connection.getresponse()
        seen.append(url.url)
        status, sent = response.status, response.headers
        if response.length_remaining == 0:  # as a redirect's may be: there is nothing to wait for
            response.read(decode_content=False)
        connection.whole = is_fp_closed(response)
        if status in REDIRECTS and sent.get("Location"):
            return sent["Location"]
        if status != 200:
            wait = sent.get("Retry-After", "")
            seconds = float(wait) if wait.isascii() and wait.isdigit() else 0.0
            again = status in TRANSIENT and seconds <= LONGEST_WAIT
            raise _Failed("failed_to_download", f"HTTP {status}", again, min(seconds, LONGEST_WAIT))
        word = forbidden(sent.getlist("X-Robots-Tag"), self.limits.disallowed)
        if word:
            raise _Failed("disallowed", f"the site says {word} (X-Robots-Tag)")
        data = self._body(response, clock)
        connection.whole = is_fp_closed(response)
        return _Body(data, sent.get("Content-Encoding", ""), sent.get("Content-Type", ""))

    def _body(self, response: Any, clock: Clock) -> bytes:
        most = self.limits.max_bytes
        length = response.headers.get("Content-Length", "")
        if length.isascii() and length.isdigit() and int(length) > most:
            raise _Failed("too_large", f"{length[:20]} bytes announced, more than {most}")
        parts: list[bytes] = []
        size = 0
        while part := response.read1(CHUNK, decode_content=False):
            parts.append(part)
            size += len(part)
            if size > most:
                raise _Failed("too_large", f"more than {most} bytes")
            clock.left()
        if clock.over:
            raise TimeoutError("time is over")
        return b"".join(parts)

    def close(self) -> None:
        self._connect.close()
        self._deadlines.close()
        self.resolver.close()

    def __enter__(self) -> Downloader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
