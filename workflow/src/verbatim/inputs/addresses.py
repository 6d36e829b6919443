"""Addresses from which images may be fetched: public ones only, and exactly the one that was checked.

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
SIX_TO_FOUR = ipaddress.ip_network("2002::/16")  # RFC 3056: bits 16 to 47 are an IPv4 address
# The only addresses that may be asked: global unicast of IPv4 and IPv6 (RFC 4291, section 2.4; IANA has assigned
# 2000::/3 alone). Whatever else there is or will be (fec0::/10, fc00::/7, mapped and compatible ones) is outside.
UNICAST = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("2000::/3"))
# ... but for these: IANA's special-purpose registries (RFC 6890), and what clouds serve inside them
NOT_GLOBAL = {
    ipaddress.ip_network(net): word
    for net, word in (
        ("0.0.0.0/8", "this network"), ("10.0.0.0/8", "private"), ("100.64.0.0/10", "shared (RFC 6598)"),
        ("127.0.0.0/8", "loopback"), ("168.63.129.16/32", "a service of Azure's"), ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"), ("192.0.0.0/24", "for protocols (RFC 6890)"), ("192.0.2.0/24", "documentation"),
        ("192.88.99.0/24", "a 6to4 relay (RFC 7526)"), ("192.168.0.0/16", "private"), ("198.18.0.0/15", "for benchmarks"),
        ("198.51.100.0/24", "documentation"), ("203.0.113.0/24", "documentation"), ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"), ("2001::/23", "for protocols (RFC 2928; Teredo among them)"),
        ("2001:db8::/32", "documentation"), ("3fff::/20", "documentation"),
    )
}  # fmt: skip
PORTS = (80, 443)  # below 1024; others there speak no HTTP

Address = tuple[int, tuple]  # family, and what connect() takes


class RefusedAddressError(OSError):
    """A host or port that must not be asked; the message says why."""


def refusal(text: str) -> str:
    """Why an address must not be connected to, "" for a public one.

    Public is global unicast. An address that stands for an IPv4 address (NAT64's, as a network without IPv4 gives them,
    and 6to4's) is public where that is. A network's own NAT64 prefix (RFC 6052, section 2.2) cannot be told from others.
    """
    if "%" in text:
        return f"{text} is of one interface"
    address = ipaddress.ip_address(text)
    if address in NAT64:
        why = refusal(str(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)))
        return f"{text}: {why}" if why else ""
    if address in SIX_TO_FOUR:
        why = refusal(str(ipaddress.IPv4Address(int(address) >> 80 & 0xFFFFFFFF)))
        return f"{text}: {why}" if why else ""
    if not any(address in net for net in UNICAST):
        return f"{text} is {'loopback' if address.is_loopback else 'no global unicast address'}"
    word = next((word for net, word in NOT_GLOBAL.items() if address in net), "")
    return f"{text} is {word}" if word else ""


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
