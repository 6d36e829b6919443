"""Time limits of many connections, held by one thread: `io.clock.Clock` starts a thread for each."""

from __future__ import annotations

import os
import socket
import threading
import time

from verbatim.io.clock import Clock


class Deadlines:
    """Gives clocks, and ends the connection of each whose time is over. May be used from many threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running: set[SharedClock] = set()
        self._next = float("inf")  # when the thread looks again, on time.monotonic
        self._thread: threading.Thread | None = None
        self._closed = False

    def clock(self, seconds: float) -> Clock:
        """A clock of so many seconds from this moment; its connection is ended only within its `with` block."""
        return SharedClock(seconds, self)

    def add(self, clock: SharedClock) -> None:
        with self._changed:
            self._running.add(clock)
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, daemon=True, name="deadlines")
                self._thread.start()
            if clock.end < self._next:
                self._changed.notify()

    def remove(self, clock: SharedClock) -> None:
        with self._changed:
            self._running.discard(clock)

    def close(self) -> None:
        """End the thread; clocks that still run end no connection after it."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _watch(self) -> None:
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                over = [clock for clock in self._running if clock.end <= now]
                for clock in over:
                    self._running.discard(clock)
                    clock.stop()
                self._next = min((clock.end for clock in self._running), default=float("inf"))
                left = self._next - now
                self._changed.wait(min(left, threading.TIMEOUT_MAX))


class SharedClock(Clock):
    """A `Clock` without a thread of its own."""

    def __init__(self, seconds: float, deadlines: Deadlines):
        self.end = time.monotonic() + seconds
        self.over = False
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._deadlines = deadlines

    def watch(self, sock: socket.socket) -> None:
        """End this connection when the time is over; one with TLS too."""
        held = socket.socket(fileno=os.dup(sock.fileno()))
        with self._lock:
            if self._socket is not None:  # a further try within the same time
                self._socket.close()
            self._socket = held
        self.left()

    def stop(self) -> None:
        self._stop()

    def __enter__(self) -> SharedClock:
        self._deadlines.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._deadlines.remove(self)
        with self._lock:
            if self._socket is not None:
                self._socket.close()
                self._socket = None
