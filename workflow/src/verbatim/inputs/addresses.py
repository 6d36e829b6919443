"""Which addresses may be asked for a picture: public ones only, and the one that was checked.

A url of a data set is data from outside: it may name this machine, the network that it stands in, or a cloud's
metadata service. So a host is resolved once, every address that it has is checked, and the connection is made
to one of these addresses and not to the name (which may have another answer a moment later).
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as LateError

NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address
# what `ipaddress` takes for public, in some versions of Python, and is not: special purposes (RFC 6890,
# 8215; Oracle's metadata among them), and Azure's own services
SPECIAL = [
    ipaddress.ip_network(net)
    for net in ("192.0.0.0/24", "168.63.129.16/32", "64:ff9b:1::/48", "2001::/23")
]
PORTS = (80, 443)  # below 1024; others there speak no HTTP

Address = tuple[int, tuple]  # family, and what connect() takes


class RefusedAddressError(OSError):
    """A host or port that must not be asked; the message says why."""


def embedded(address: ipaddress.IPv6Address) -> list[ipaddress.IPv4Address]:
    """The IPv4 addresses that an IPv6 address stands for: mapped, compatible, 6to4, Teredo."""
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if int(address) >> 32 == 0:
        found.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return [one for one in found if one is not None]


def refusal(text: str) -> str:
    """Why an address must not be connected to, "" for a public one."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if "%" in text:
        return f"{text} is of one interface"
    if address in NAT64:  # how a network without IPv4 names its addresses
        why = refusal(str(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)))
        return f"{text}: {why}" if why else ""
    for word in ("loopback", "link_local", "multicast", "unspecified", "private", "reserved"):
        if getattr(address, f"is_{word}"):
            return f"{text} is {word.replace('_', '-')}"
    if not address.is_global or any(address in net for net in SPECIAL):
        return f"{text} is not public"
    if isinstance(address, ipaddress.IPv6Address):
        for inner in embedded(address):
            why = refusal(str(inner))
            if why:
                return f"{text}: {why}"
    return ""


class Resolver:
    """Host and port to addresses that may be connected to.

    Parameters
    ----------
    lookup
        As socket.getaddrinfo; tests give another.
    allow_private
        Addresses that may be asked though they are not public: for tests against a server on this machine. No
        setting of a run reaches it.
    threads
        Look-ups at a time: the system's cannot be given a time limit, so each waits in a thread.
    """

    def __init__(
        self,
        lookup: Callable[..., list] = socket.getaddrinfo,
        allow_private: Collection[str] = (),
        threads: int = 32,
    ):
        self.lookup, self.allow_private = lookup, allow_private
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="resolver")

    def resolve(self, host: str, port: int, timeout: float) -> list[Address]:
        """Every address of a host.

        Raises RefusedAddressError if one of them is not public, or the port is another service's; TimeoutError;
        socket.gaierror if the host has none.
        """
        if port < 1024 and port not in PORTS:
            raise RefusedAddressError(f"port {port} is not the web's")
        waiting: Future = self._pool.submit(self.lookup, host, port, 0, socket.SOCK_STREAM)
        try:
            answers = waiting.result(timeout)
        except LateError as err:
            waiting.cancel()
            raise TimeoutError(f"no address of {host} within {timeout:.0f} s") from err
        found = {(family, address): None for family, _, _, _, address in answers}
        for _, address in found:
            why = refusal(str(address[0]))
            if why and address[0] not in self.allow_private:
                raise RefusedAddressError(f"{host}: {why}")
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, f"{host} has no address")
        return list(found)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


def connect(addresses: list[Address], seconds_left: Callable[[], float]) -> socket.socket:
    """A connection to the first of these addresses that takes one.

    seconds_left : how long may still be waited, asked before each.
    """
    last: OSError = OSError("no address")
    for family, address in addresses:
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(seconds_left())
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock
        except OSError as err:
            sock.close()
            last = err
    raise last
