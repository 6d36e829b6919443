"""Connections to checked addresses, which end after a time limit for every behaviour of the server."""

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
from verbatim.io.clock import Clock


class _Plain(HTTPConnection):
    dial: Callable[[str, int], socket.socket]

    def _new_conn(self) -> socket.socket:
        return self.dial(self._dns_host, self.port)


class _Secure(HTTPSConnection):
    dial: Callable[[str, int], socket.socket]

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
    """

    def __init__(self, resolver: Resolver, timeout: float):
        self.resolver, self.timeout = resolver, timeout
        self._tls = create_urllib3_context()
        self._tls.load_verify_locations(certifi.where())

    @contextlib.contextmanager
    def to(self, url: Url, clock: Clock) -> Iterator[HTTPConnection]:
        """A connection for one request, closed afterwards; opened when the request is sent.

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

        host = str(url.host).strip("[]")
        connection: Any
        if url.scheme == "https":
            connection = _Secure(host, url.port or 443, timeout=self.timeout, ssl_context=self._tls)
        else:
            connection = _Plain(host, url.port or 80, timeout=self.timeout)
        connection.dial = dial
        try:
            yield connection
        finally:
            connection.close()
