"""A server that misbehaves costs its own image and a limited time, and says why in a word."""

import shutil
import socket
import ssl
import subprocess
import threading
import time
from dataclasses import replace

import pytest
from image_server import Imageserver
from made_inputs import png

from verbatim.inputs.addresses import Resolver
from verbatim.inputs.download import Downloader, Limits, forbidden

# a busy machine may be slow: time is short only for what must run out of it
LIMITS = Limits(
    timeout=60, deadline=120, max_bytes=1_000_000, max_redirects=3, retries=0, disallowed=("noai",)
)


@pytest.fixture(scope="module")
def server():
    with Imageserver() as running:
        yield running


def downloader(limits: Limits = LIMITS, **more) -> Downloader:
    return Downloader(limits, resolver=Resolver(allow_private=["127.0.0.1"]), **more)


@pytest.fixture(scope="module")
def fetch(server):
    with downloader() as one:
        yield lambda path: one.fetch(server.url + path)


@pytest.mark.parametrize("path", ["/good", "/ways/chunks", "/ways/packed", "/ways/redirects_well"])
def test_a_good_image_comes_back_as_it_was_sent(fetch, path):
    got = fetch(path)
    assert (got.status, got.reason, got.data) == ("ok", "", png(100))
    assert got.answered
    assert got.url.endswith("/good" if "redirects" in path else path)


@pytest.mark.filterwarnings("ignore:Image size")
@pytest.mark.parametrize(
    ("way", "status", "words"),
    [
        ("gone", "failed_to_download", "HTTP 410"),
        ("cut_short", "failed_to_download", "IncompleteRead"),
        ("cut_short_in_chunks", "failed_to_download", "IncompleteRead"),
        ("cut_short_without_a_length", "broken", "broken image"),
        ("endless", "too_large", "more than 1000000 bytes"),
        ("huge_length", "too_large", "1000000000000000 bytes announced"),
        ("a_page", "wrong_type", "an HTML page, sent as 'image/png'"),
        ("a_gif", "wrong_type", "GIF"),
        ("nothing", "wrong_type", "no bytes"),
        ("a_broken_image", "broken", "broken image"),
        ("a_hundred_megapixels", "too_large", "10000x10000 pixels"),
        ("ten_gigapixels", "too_large", "decompression bomb"),
        ("a_bomb", "too_large", "unpacks to more than 1000000 bytes"),
        ("packed_and_cut_short", "broken", "cut short"),
        ("a_strange_packing", "wrong_type", "content encoding 'br'"),
        ("forbids_it_to_all", "disallowed", "noai"),
        ("fails_twice", "failed_to_download", "HTTP 503"),
        ("breaks_off_once", "failed_to_download", "RemoteDisconnected"),
        ("garbage", "failed_to_download", "BadStatusLine"),
        ("many_headers", "failed_to_download", "headers"),
        ("redirects_to_itself", "failed_to_download", "more than 3 redirects"),
        ("redirects_to_loopback", "refused_address", "127.0.0.2 is loopback"),
        ("redirects_to_metadata", "refused_address", "169.254.169.254 is link-local"),
        ("redirects_to_a_file", "bad_url", "scheme 'file'"),
        ("redirects_to_nonsense", "bad_url", ""),
    ],
)
def test_what_goes_wrong_is_a_status_with_its_reason(fetch, way, status, words):
    got = fetch(f"/ways/{way}")
    assert (got.status, got.data) == (status, b"")
    assert words in got.reason


@pytest.mark.parametrize(
    ("way", "limit", "words"),
    [
        ("hangs_before_answering", {"timeout": 0.4}, "no answer for 0.4 s"),
        ("hangs_in_the_middle", {"timeout": 0.4}, "no answer for 0.4 s"),
        ("drips_its_body", {"deadline": 1.0}, "not done within 1 s"),
        ("drips_its_headers", {"deadline": 1.0}, "not done within 1 s"),
    ],
)
def test_a_server_that_takes_its_time_is_left(server, way, limit, words):
    start = time.monotonic()
    with downloader(replace(LIMITS, **limit)) as one:
        got = one.fetch(f"{server.url}/ways/{way}")
    assert (got.status, got.data) == ("timeout", b"")
    assert words in got.reason
    assert time.monotonic() - start < 15, "the server gives up after 20 s; it was waited for"


def test_what_is_forbidden_to_another_is_not_forbidden(fetch):
    assert fetch("/ways/forbids_it").status == "ok"


@pytest.mark.parametrize(
    ("values", "word"),
    [
        (["noai"], "noai"), (["none", "foo, NOAI"], "noai"), (["verbatim: noai"], "noai"),
        (["googlebot: noai, noindex"], ""), (["unavailable_after: 25 Jun 2010, noai"], "noai"), ([], ""),
    ],
)  # fmt: skip
def test_directives_are_read_for_everyone_and_for_us(values, word):
    assert forbidden(values, ("noai",)) == word


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("", "bad_url"), ("file:///etc/passwd", "bad_url"), ("ftp://x.invalid/a", "bad_url"),
        ("//x.invalid/a", "bad_url"), ("http://", "bad_url"), ("http://[::1/a", "bad_url"),
        ("http://user:word@x.invalid/", "bad_url"), ("javascript:alert(1)", "bad_url"),
        ("data:image/png;base64,AAAA", "bad_url"), ("http://x.invalid:99999/", "bad_url"),
        ("http://x.invalid/" + "a" * 9000, "bad_url"), ("http://a..b/", "failed_to_download"),
        ("http://127.0.0.2/", "refused_address"), ("http://localhost:80/", "refused_address"),
        ("http://[::1]/", "refused_address"), ("http://[::ffff:127.0.0.2]/", "refused_address"),
        ("http://169.254.169.254/latest/", "refused_address"), ("https://10.0.0.1/", "refused_address"),
        ("http://127.0.0.1:22/", "refused_address"),
    ],
)  # fmt: skip
def test_a_url_that_must_not_be_asked_is_refused(url, status):
    with Downloader(LIMITS) as one:
        assert one.fetch(url).status == status


def test_by_default_this_machine_is_refused(server):
    asked = len(server.asked)
    with Downloader(LIMITS) as one:
        got = one.fetch(f"{server.url}/good")
    assert got.status == "refused_address"
    assert len(server.asked) == asked


def test_every_hop_is_resolved_and_checked_anew(server):
    answers = ["127.0.0.1", "127.0.0.2"]
    port = int(server.url.rpartition(":")[2])

    def rebinding(host, port, family, kind):
        return [(socket.AF_INET, kind, 6, "", (answers.pop(0), port))]

    resolver = Resolver(rebinding, allow_private=["127.0.0.1"])
    with Downloader(LIMITS, resolver=resolver) as one:
        got = one.fetch(f"http://images.invalid:{port}/ways/redirects_well")
    assert (got.status, got.reason) == (
        "refused_address",
        "images.invalid: 127.0.0.2 is loopback",
    )
    assert answers == []


def test_no_proxy_of_the_environment_is_asked(fetch, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.9:1")
    assert fetch("/good").status == "ok"


def test_a_line_break_in_a_url_makes_no_header(server, fetch):
    got = fetch("/x\r\nX-Evil: 1\r\n\r\nGET /good")
    assert got.reason == "HTTP 404"
    assert server.asked[-1].startswith("/x%0D%0AX-Evil:%201%0D%0A")


@pytest.mark.parametrize("way", ["fails_twice", "breaks_off_once"])
def test_what_may_be_better_a_moment_later_is_tried_again(way):
    limits = Limits(timeout=60, deadline=120, retries=2, backoff=0.01)
    with Imageserver() as server, downloader(limits) as one:
        assert one.fetch(f"{server.url}/ways/{way}").status == "ok"
        assert server.tries[f"/ways/{way}"] == (3 if way == "fails_twice" else 2)
        assert one.fetch(f"{server.url}/ways/gone").status == "failed_to_download"
        assert server.tries["/ways/gone"] == 1


def test_one_host_never_sees_more_connections_than_allowed():
    with Imageserver() as server, downloader(per_host=2) as one:
        server.delay = 0.05
        threads = [
            threading.Thread(target=one.fetch, args=(f"{server.url}/ways/redirects_well",))
            for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert server.busiest == 2
        assert len(server.asked) == 18


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
         "-keyout", key, "-out", certificate, "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with Imageserver() as server, downloader() as one:
        server.secure(context)
        url = server.url.replace("http:", "https:")
        got = one.fetch(f"{url}/good")
        assert (got.status, "certificate verify failed" in got.reason) == (
            "failed_to_download",
            True,
        )
        one._connect._tls.load_verify_locations(certificate)
        assert one.fetch(f"{url}/good").status == "ok"
