"""Connections to checked addresses, kept for the next request to their host, which end after a time limit for every behaviour of the server."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Any

import certifi
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util import Url
from urllib3.util.ssl_ import create_urllib3_context

from verbatim.inputs.addresses import Resolver, connect
from verbatim.inputs.kept import KeptConnections
from verbatim.io.clock import Clock


class _Plain(HTTPConnection):
    dial: Callable[[str, int], socket.socket]
    reused = whole = False

    def _new_conn(self) -> socket.socket:
        return self.dial(self._dns_host, self.port)


class _Secure(HTTPSConnection):
    dial: Callable[[str, int], socket.socket]
    reused = whole = False

    def _new_conn(self) -> socket.socket:
        return self.dial(self._dns_host, self.port)


class Connector:
    """Opens connections: urllib3's, but for the socket, which goes to an address that was checked.

    Certificates are checked against the host's name and certifi's authorities. No proxy is used: it would choose the
    address itself, and what was checked here would say nothing (`fetching.proxy_notice`).

    Parameters
    ----------
    timeout
        Seconds of one wait: for an address, a connection, or the next bytes.
    most_kept
        Connections that are kept for the next request to their host. What they lead to is the address that was
        checked when they were opened.
    """

    def __init__(self, resolver: Resolver, timeout: float, most_kept: int = 32):
        self.resolver, self.timeout = resolver, timeout
        self._kept = KeptConnections(most_kept)
        self._tls = create_urllib3_context()
        self._tls.load_verify_locations(certifi.where())

    @contextlib.contextmanager
    def to(self, url: Url, clock: Clock, kept: bool = True) -> Iterator[Any]:
        """A connection for one request: one that was kept (its `reused` is true), or opened when the request is sent.

        It is kept afterwards if its `whole` was made true, closed otherwise. kept : whether it may be one that was kept.

        What goes wrong is raised as it comes: RefusedAddressError, TimeoutError, OSError, urllib3's errors.
        """

        def wait() -> float:
            return min(self.timeout, clock.left())

        def dial(host: str, port: int) -> socket.socket:
            sock = connect(self.resolver.resolve(host, port, wait()), wait)
            try:
                clock.watch(sock)
                sock.settimeout(wait())  # also of the TLS handshake
            except BaseException:
                sock.close()
                raise
            return sock

        host, secure = str(url.host).strip("[]"), url.scheme == "https"
        service = (str(url.scheme), url.port or (443 if secure else 80))
        connection: Any = self._kept.take(host, service if kept else None)
        reused = connection is not None
        if connection is None and secure:
            connection = _Secure(host, service[1], timeout=self.timeout, ssl_context=self._tls)
        elif connection is None:
            connection = _Plain(host, service[1], timeout=self.timeout)
        connection.dial, connection.reused, connection.whole = dial, reused, False
        try:
            if reused:
                clock.watch(connection.sock)
            yield connection
        except BaseException:
            connection.whole = False
            raise
        finally:
            if connection.whole and connection.sock is not None:
                self._kept.give(host, service, connection)
            else:
                connection.close()

    def close(self) -> None:
        """Close what is kept."""
        self._kept.close()
