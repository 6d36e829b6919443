import ipaddress
import socket
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verbatim.inputs.addresses import RefusedAddressError, Resolver, connect, refusal

PRIVATE = [
    "127.0.0.1", "127.8.9.10", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "100.100.100.200", "192.0.0.192", "168.63.129.16", "198.18.0.1", "224.0.0.1", "239.1.1.1",
    "240.0.0.1", "255.255.255.255", "192.0.2.1",
    "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1",
    "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1", "::127.0.0.1", "2002:7f00:1::",
    "2002:a00:1::1", "64:ff9b::7f00:1", "64:ff9b::169.254.169.254", "64:ff9b:1::1",
    "2001:0:53aa:64c:0:0:80ff:fffe", "2001:0:101:101:0:0:fefe:fefe", "fec0::1", "feff::1", "::ffff:1.1.1.1", "::1.1.1.1",
    "100::1", "3fff::1", "5f00::1", "4000::1", "8000::1", "2001:2::1", "2001:20::1", "192.88.99.1", "198.51.100.1",
    "203.0.113.1", "::ffff:0:127.0.0.1", "::ffff:0:1.1.1.1", "2002:a9fe:a9fe::1", "64:ff9b::a9fe:a9fe", "64:ff9b::a00:1",
    "fe80::5efe:10.0.0.1",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_no_address_but_a_public_one_may_be_asked(address):
    assert refusal(address)


@pytest.mark.parametrize(
    "address",
    [
        "93.184.216.34",
        "1.1.1.1",
        "223.255.255.254",
        "100.128.0.1",
        "2606:4700::1111",
        "2a00:1450:4001::1",
        "64:ff9b::1.1.1.1",
        "2002:101:101::",
    ],
)
def test_public_addresses_may_be_asked(address):
    assert refusal(address) == ""


def answers(*addresses: str):
    def lookup(host, port, family, kind):
        return [
            (socket.AF_INET6 if ":" in a else socket.AF_INET, kind, 6, "", (a, port))
            for a in addresses
        ]

    return lookup


def test_one_private_address_among_public_ones_refuses_the_host():
    resolver = Resolver(answers("1.1.1.1", "127.0.0.1"))
    with pytest.raises(RefusedAddressError, match=r"x\.invalid: 127\.0\.0\.1 is loopback"):
        resolver.resolve("x.invalid", 80, 1)


@pytest.mark.parametrize(
    "host", ["localhost", "2130706433", "0x7f.1", "127.1", "0177.0.0.1", "::1"]
)
def test_other_spellings_of_this_machine_are_refused(host):
    with pytest.raises(RefusedAddressError, match="is loopback"):
        Resolver().resolve(host, 80, 5)


@pytest.mark.parametrize("port", [22, 25, 53, 445])
def test_ports_of_other_services_are_refused_before_anything_is_looked_up(port):
    def lookup(*_):
        raise AssertionError("looked up")

    with pytest.raises(RefusedAddressError, match=f"port {port}"):
        Resolver(lookup).resolve("x.invalid", port, 1)


def test_a_lookup_that_hangs_is_given_up():
    resolver = Resolver(lambda *_: time.sleep(0.5) or [])
    with pytest.raises(TimeoutError, match=r"no address of x\.invalid"):
        resolver.resolve("x.invalid", 80, 0.02)


def test_the_connection_goes_to_the_checked_address_and_the_name_is_not_asked_again():
    asked = []
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]

    def rebinding(host, port, family, kind):
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "127.0.0.9"
        return [(socket.AF_INET, kind, 6, "", (address, port))]

    resolver = Resolver(rebinding, allow_private=["127.0.0.1"])
    with server, connect(resolver.resolve("x.invalid", port, 1), lambda: 1.0) as sock:
        assert sock.getpeername() == ("127.0.0.1", port)
    assert asked == ["x.invalid"]
    with pytest.raises(RefusedAddressError):
        resolver.resolve("x.invalid", port, 1)


def test_the_next_address_is_tried_where_the_first_does_not_answer():
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    addresses = [(socket.AF_INET, ("127.0.0.3", port)), (socket.AF_INET, ("127.0.0.1", port))]
    with server, connect(addresses, lambda: 1.0) as sock:
        assert sock.getpeername()[0] == "127.0.0.1"


@pytest.mark.parametrize("version", [4, 6])
def test_no_special_purpose_network_that_python_knows_is_let_through(version):
    """Python's own list of IANA's registry: each network's first, middle and last address."""
    constants = {4: ipaddress._IPv4Constants, 6: ipaddress._IPv6Constants}[version]
    for network in constants._private_networks:
        first, last = int(network[0]), int(network[-1])
        for number in (first, (first + last) // 2, last):
            assert refusal(str(type(network[0])(number))), number


@given(st.integers(0, 2**128 - 1))
def test_an_ipv6_address_outside_of_global_unicast_and_nat64_is_refused(number):
    address = ipaddress.IPv6Address(number)
    if number >> 125 != 1 and number >> 32 != 0x64FF9B << 64:
        assert refusal(str(address))
