"""A time limit for a connection as a whole, whatever the other side does."""

from __future__ import annotations

import contextlib
import socket
import threading
import time


class Clock:
    """Ends a connection after so many seconds: a server that sends a byte now and then never times out."""

    def __init__(self, seconds: float):
        self.end = time.monotonic() + seconds
        self.over = False
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(max(0.0, seconds), self._stop)
        self._timer.daemon = True

    def left(self) -> float:
        """Seconds left; raises TimeoutError if there are none."""
        left = self.end - time.monotonic()
        if left <= 0 or self.over:
            self.over = True
            raise TimeoutError("time is over")
        return left

    def watch(self, sock: socket.socket) -> None:
        """End this connection when the time is over."""
        with self._lock:
            self._socket = sock.dup()  # a descriptor of our own: TLS takes the socket's away
        self.left()

    def _stop(self) -> None:
        with self._lock:
            self.over = True
            if self._socket is not None:
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Clock:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            if self._socket is not None:
                self._socket.close()
                self._socket = None
