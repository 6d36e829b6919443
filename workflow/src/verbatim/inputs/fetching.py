"""Fetch many URLs at a time: many hosts in parallel, few connections to each host."""

from __future__ import annotations

import hashlib
import itertools
import os
import queue
import threading
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

from urllib3.exceptions import HTTPError
from urllib3.util import parse_url

from verbatim.inputs.download import Download, Downloader
from verbatim.inputs.url_cache import Entry, UrlCache

# urls without any answer in the whole run, beside one a worker: then it is this machine. Many urls of LAION are
# dead and say so at once, so the first 20 results of a healthy run can all be failures
MOST_UNANSWERED = 20


class NoInternetError(RuntimeError):
    """No server answers; the message says what to do."""


def host_of(url: str) -> str:
    """The host that a url is asked of, "" if it has none."""
    try:
        return str(parse_url(url).host or "")
    except (HTTPError, ValueError):
        return ""


def proxy_notice(environment: Mapping[str, str]) -> str:
    """Why the proxies that environment variables name are not used, "" where none is named.

    Their values are not told: they may hold passwords.
    """
    wanted = ("http_proxy", "https_proxy", "all_proxy")
    names = sorted(name for name, value in environment.items() if name.lower() in wanted and value)
    if not names:
        return ""
    return (
        f"{' and '.join(names)}: set, but images are fetched without a proxy, because each address is checked before "
        "it is connected to and a proxy chooses its own. Fetch where the web is reached directly "
        "(inputs.download.local), or bring the images: img2dataset writes archives that inputs.images can name"
    )


class HostQueue:
    """Hands out urls in turn of their hosts, never more than `per_host` of one at a time."""

    def __init__(self, urls: Iterable[str], per_host: int):
        self._waiting: dict[str, deque[str]] = {}
        self._active: defaultdict[str, int] = defaultdict(int)
        self._per_host, self._lock = per_host, threading.Condition()
        for url in urls:
            self._waiting.setdefault(host_of(url), deque()).append(url)
        self._ready = deque(self._waiting)

    def take(self) -> str | None:
        """The next url, waited for; None when there is none left."""
        with self._lock:
            while not self._ready:
                if not self._waiting:
                    return None
                self._lock.wait()
            host = self._ready.popleft()
            url = self._waiting[host].popleft()
            self._active[host] += 1
            if not self._waiting[host]:
                del self._waiting[host]
                if not self._waiting:  # whoever waits has nothing to wait for
                    self._lock.notify_all()
            elif self._active[host] < self._per_host:
                self._ready.append(host)
                self._lock.notify()
            return url

    def done(self, url: str) -> None:
        """Gives the place of a url that was taken to the next of its host."""
        host = host_of(url)
        with self._lock:
            full = self._active[host] == self._per_host
            self._active[host] -= 1
            if full and host in self._waiting:
                self._ready.append(host)
                self._lock.notify()

    def stop(self) -> None:
        """Hand out no more."""
        with self._lock:
            self._waiting.clear()
            self._ready.clear()
            self._lock.notify_all()


def _entry(url: str, got: Download) -> Entry:
    digest = hashlib.sha256(got.data).hexdigest()
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Entry(url, got.status, got.reason, digest, len(got.data), got.url, now)


def _download(
    urls: list[str], downloader: Downloader, workers: int, per_host: int
) -> Iterator[tuple[int, str, Download]]:
    """Each url with what came of it, as it comes; and in which turn it was asked, from 0."""
    waiting, turns = HostQueue(urls, per_host), itertools.count()
    results: queue.Queue[tuple[int, str, Download | BaseException]] = queue.Queue(maxsize=workers)

    def work() -> None:
        while (url := waiting.take()) is not None:
            turn = next(turns)
            got: Download | BaseException
            try:
                got = downloader.fetch(url)
            except BaseException as err:  # a defect of ours, told by the thread that can
                got = err
            waiting.done(url)
            results.put((turn, url, got))

    for _ in range(min(workers, len(urls))):
        threading.Thread(target=work, daemon=True).start()
    try:
        for _ in range(len(urls)):
            turn, url, got = results.get()
            if isinstance(got, BaseException):
                raise got
            yield turn, url, got
    finally:
        waiting.stop()


def fetch_all(
    urls: Iterable[str],
    downloader: Downloader,
    cache: UrlCache,
    workers: int,
    per_host: int,
    retry_failed: bool = False,
) -> Iterator[Entry]:
    """What came of each url, those that the cache has first; everything new is in the cache when it is yielded,
    and on the disk when the last is.

    Parameters
    ----------
    retry_failed
        Ask again for what the cache knows as a failure.

    Raises
    ------
    NoInternetError
        If none of the first urls gets any answer, and none of these is still waited for: it is then this
        machine that has no way out, and that is not kept as if the images were gone.
    """
    asked: list[str] = []
    for url in dict.fromkeys(urls):
        known = cache.read(url)
        if known is not None and (known[0].status == "ok" or not retry_failed):
            yield known[0]
        else:
            asked.append(url)
    try:
        yield from _fetch_new(asked, downloader, cache, workers, per_host)
    finally:
        cache.close()


def _fetch_new(
    asked: list[str], downloader: Downloader, cache: UrlCache, workers: int, per_host: int
) -> Iterator[Entry]:
    first = workers + MOST_UNANSWERED
    awaited = set(range(min(first, len(asked))))  # a slow answer to one of these may still come
    unanswered: list[Entry] = []
    reached = False
    for turn, url, got in _download(asked, downloader, workers, per_host):
        entry = _entry(url, got)
        reached = reached or got.answered
        awaited.discard(turn)
        if not reached and got.status in ("failed_to_download", "timeout"):
            unanswered.append(entry)
            if not awaited and len(unanswered) >= first:
                raise _no_internet(unanswered)
            continue
        if reached:
            for failed in unanswered:
                cache.write(failed, b"")
                yield failed
            unanswered.clear()
        cache.write(entry, got.data)
        yield entry
    if len(unanswered) >= MOST_UNANSWERED:  # of a short list; nothing is waited for any more
        raise _no_internet(unanswered)
    for failed in unanswered:
        cache.write(failed, b"")
        yield failed


def _no_internet(unanswered: list[Entry]) -> NoInternetError:
    last = unanswered[-1]
    notice = proxy_notice(os.environ)
    return NoInternetError(
        f"none of {len(unanswered)} urls got an answer ({last.url}: {last.reason}): this machine seems "
        "to have no internet. Set inputs.download.local to true to fetch where snakemake runs, "
        f"or inputs.fetch_urls to false; nothing was kept of these{'. ' if notice else ''}{notice}"
    )
