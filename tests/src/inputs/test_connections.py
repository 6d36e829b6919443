"""Connections that are kept lead to the address that was checked, and are never more than a host may have."""

import socket
import threading
from dataclasses import replace

import pytest
from image_server import Imageserver
from made_inputs import png

from verbatim.inputs.addresses import Resolver
from verbatim.inputs.deadlines import Deadlines
from verbatim.inputs.download import Downloader, Limits

LIMITS = Limits(timeout=60, deadline=120, max_bytes=1_000_000, retries=0)


class Names:
    """Names of hosts: the answers to look-ups, one after another, the last again and again."""

    def __init__(self, *answers: str):
        self.answers, self.asked = list(answers), 0

    def __call__(self, host, port, family, kind):
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [(socket.AF_INET, kind, 6, "", (answer, port))]


@pytest.fixture
def server():
    with Imageserver(keeps=True) as running:
        yield running


def downloader(names: Names, limits: Limits = LIMITS, **more) -> Downloader:
    return Downloader(limits, resolver=Resolver(names, allow_private=["127.0.0.1"]), **more)


def url_of(server: Imageserver, path: str, host: str = "images.invalid") -> str:
    return f"http://{host}:{server.url.rpartition(':')[2]}{path}"


def test_one_connection_serves_a_host_and_its_name_is_looked_up_once(server):
    names = Names("127.0.0.1")
    server.images = {f"/{i}": png(i) for i in range(10)}
    with downloader(names) as one:
        got = [one.fetch(url_of(server, f"/{i}")).data for i in range(10)]
        assert one.fetch(url_of(server, "/gone")).reason == "HTTP 404"
    assert got == [png(i) for i in range(10)]
    assert (server.opened, names.asked) == (1, 1)


def test_a_name_that_points_elsewhere_later_does_not_move_a_connection_and_opens_none(server):
    names = Names("127.0.0.1", "127.0.0.2")
    with downloader(names) as one:
        assert one.fetch(url_of(server, "/good")).status == "ok"
        assert one.fetch(url_of(server, "/ways/closes_without_a_word")).status == "ok"
        got = one.fetch(url_of(server, "/good"))
    assert (got.status, got.reason) == ("refused_address", "images.invalid: 127.0.0.2 is loopback")
    assert (server.opened, names.asked, len(server.asked)) == (1, 2, 2)


def test_a_connection_is_not_used_for_another_name_at_the_same_address(server):
    names = Names("127.0.0.1", "127.0.0.2")
    with downloader(names) as one:
        assert one.fetch(url_of(server, "/good")).status == "ok"
        assert one.fetch(url_of(server, "/good", "other.invalid")).status == "refused_address"


@pytest.mark.parametrize("way", ["closes_without_a_word", "more_than_it_says", "gone"])
def test_what_a_server_does_with_one_answer_does_not_reach_the_next(server, way):
    with downloader(Names("127.0.0.1")) as one:
        for _ in range(5):
            one.fetch(url_of(server, f"/ways/{way}"))
            got = one.fetch(url_of(server, "/good"))
            assert (got.status, got.data) == ("ok", png(100))
    assert server.tries["/good"] == 5


@pytest.mark.parametrize(
    ("way", "limit"),
    [("hangs_before_answering", {"timeout": 0.4}), ("drips_its_body", {"deadline": 0.6}), ("drips_its_headers", {"deadline": 0.6})],
)  # fmt: skip
def test_time_limits_hold_on_a_connection_that_was_kept(server, way, limit):
    with downloader(Names("127.0.0.1"), replace(LIMITS, **limit)) as one:
        assert one.fetch(url_of(server, "/good")).status == "ok"
        assert one.fetch(url_of(server, f"/ways/{way}")).status == "timeout"
    assert server.opened == 1


def test_a_host_has_never_more_connections_than_allowed_those_that_wait_among_them(server):
    server.delay = 0.01
    server.images = {f"/{i}": png(i) for i in range(60)}

    def ask(first: int) -> None:
        for i in range(first, 60, 6):
            one.fetch(url_of(server, f"/{i}" if i % 3 else "/ways/redirects_well"))

    with downloader(Names("127.0.0.1"), per_host=2) as one:
        threads = [threading.Thread(target=ask, args=(first,)) for first in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    # a redirect goes to the server by its address, another host
    assert server.most_open <= 4
    assert server.opened < len(server.asked) / 2


@pytest.mark.parametrize("most", [1, 3])
def test_no_more_connections_wait_than_are_to_be_kept(server, most):
    with downloader(Names("127.0.0.1"), lookups=most) as one:
        for i in range(6):
            one.fetch(url_of(server, "/good", f"h{i}.invalid"))
        opened = server.opened
        for i in range(6 - most, 6):
            one.fetch(url_of(server, "/good", f"h{i}.invalid"))
        assert server.opened == opened == 6
        one.fetch(url_of(server, "/good", "h0.invalid"))
        assert server.opened == 7


def test_each_clock_ends_its_own_connection_when_its_time_is_over():
    deadlines = Deadlines()
    pairs = [socket.socketpair() for _ in range(4)]
    clocks = [deadlines.clock(seconds) for seconds in (60, 0.2, 60, 0.05)]
    for clock, (ours, theirs) in zip(clocks, pairs, strict=True):
        theirs.settimeout(20)
        clock.__enter__()
        clock.watch(ours)
    assert [pairs[i][1].recv(1) for i in (3, 1)] == [b"", b""]
    assert [clock.over for clock in clocks] == [False, True, False, True]
    pairs[0][0].send(b"a")
    assert pairs[0][1].recv(1) == b"a"
    with pytest.raises(TimeoutError):
        clocks[3].left()
    for clock in clocks:
        clock.__exit__()
    deadlines.close()
    for pair in pairs:
        for sock in pair:
            sock.close()
