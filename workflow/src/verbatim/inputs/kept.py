"""Connections that wait for the next request to their host."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import NamedTuple

from urllib3.connection import HTTPConnection

LONGEST_IDLE = 10.0  # seconds; many servers close after 5 to 75, and what they closed is seen before it is used


class _Idle(NamedTuple):
    service: tuple[str, int]
    connection: HTTPConnection
    since: float


class KeptConnections:
    """Open connections without a request; may be used from many threads.

    A host has never more connections than requests at a time: one that is opened takes the place of one that waits.
    One on which a server sent more than its answer is not used again. What arrives only after the next request was
    sent cannot be told from the next answer, as for every client of HTTP/1.1; the same service of the host sent it.

    Parameters
    ----------
    most
        That wait at a time, over all hosts; of more, those of the host that waits longest are closed.
    """

    def __init__(self, most: int):
        self.most = most
        self._idle: OrderedDict[str, list[_Idle]] = OrderedDict()
        self._count, self._lock = 0, threading.Lock()

    def take(self, host: str, service: tuple[str, int] | None) -> HTTPConnection | None:
        """A connection to this service of the host, None if none waits that still stands.

        service : scheme and port; None for none of them, so that another can be opened.
        """
        with self._lock:
            idle = self._idle.pop(host, [])
            if not idle:
                return None
            place = next((i for i, one in enumerate(idle) if one.service == service), 0)
            found = idle.pop(place)
            self._count -= 1
            if idle:
                self._idle[host] = idle
        fresh = time.monotonic() - found.since < LONGEST_IDLE
        # anything that can be read before a request is sent is an end, or no answer to it
        if found.service == service and fresh and found.connection.is_connected:
            return found.connection
        found.connection.close()
        return None

    def give(self, host: str, service: tuple[str, int], connection: HTTPConnection) -> None:
        """Keep a connection whose last answer was read to its end."""
        surplus: list[_Idle] = []
        with self._lock:
            self._idle.setdefault(host, []).append(_Idle(service, connection, time.monotonic()))
            self._idle.move_to_end(host)
            self._count += 1
            while self._count > self.most:
                oldest = self._idle.popitem(last=False)[1]
                self._count -= len(oldest)
                surplus += oldest
        for one in surplus:
            one.connection.close()

    def close(self) -> None:
        with self._lock:
            idle = [one for of_host in self._idle.values() for one in of_host]
            self._idle.clear()
            self._count = 0
        for one in idle:
            one.connection.close()
