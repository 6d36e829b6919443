"""Images a second, and CPU an image, that the downloader fetches from a server in another process, beside other clients.

The server answers after a delay, as one far away does. What it costs is told apart, so that the CPU of a line is that
of the client alone; on a machine with other work that is the figure to compare. The other clients check nothing of
the address or of the image, and keep nothing:

- a plain loop: one image at a time, decoded;
- a pool of threads with `urllib.request`, a connection for each image: how img2dataset fetches;
- a pool of threads with urllib3, connections kept: the least that such a client in Python takes.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "workflow" / "src"), str(ROOT / "tests")]

import urllib3  # noqa: E402
from far_server import Far, far_server  # noqa: E402

from verbatim.inputs.addresses import Resolver  # noqa: E402
from verbatim.inputs.download import Downloader, Limits  # noqa: E402
from verbatim.inputs.fetching import fetch_all  # noqa: E402
from verbatim.inputs.url_cache import UrlCache  # noqa: E402
from verbatim.io.images import decode_image  # noqa: E402


class Report:
    """Runs clients one after another; prints a line of each, with its ratio to the first."""

    def __init__(self, far: Far):
        self.far, self.first = far, 0.0
        print(f"{'client':34} {'images/s':>9} {'ratio':>7} {'CPU ms':>7} {'of server':>9}")

    def line(self, what: str, images: int, work: Callable[[], object]) -> None:
        theirs, ours, start = self.far.cpu(), time.process_time(), time.perf_counter()
        work()
        seconds, ours = time.perf_counter() - start, time.process_time() - ours
        theirs = self.far.cpu() - theirs
        rate = images / seconds
        self.first = self.first or rate
        each = (1e3 * ours / images, 1e3 * theirs / images)
        print(f"{what:34} {rate:9.1f} {rate / self.first:7.1f} {each[0]:7.2f} {each[1]:9.2f}")


def certificate(folder: str, hosts: list[str]) -> Path:
    """A certificate for these addresses and its key, in one file."""
    path, names = Path(folder, "both.pem"), ",".join(f"IP:{host}" for host in hosts)
    openssl = shutil.which("openssl")
    assert openssl, "--tls needs openssl, which makes the certificate"
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
         "-keyout", path, "-out", f"{path}.cert", "-subj", "/CN=far", "-addext", f"subjectAltName={names}"],
        check=True, capture_output=True,
    )  # fmt: skip
    path.write_bytes(path.read_bytes() + Path(f"{path}.cert").read_bytes())
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=3000)
    parser.add_argument("--loop", type=int, default=50, help="of them for the plain loop")
    parser.add_argument("--size", type=int, default=256, help="pixels of a side")
    parser.add_argument("--delay", type=float, default=0.1, help="seconds before an answer")
    parser.add_argument(
        "--hosts", type=int, default=32, help="addresses of this machine, each a host"
    )
    parser.add_argument("--per-host", type=int, default=2)
    parser.add_argument("--workers", type=int, default=64)
    parser.add_argument("--tls", action="store_true", help="https")
    args = parser.parse_args()
    hosts = [f"127.0.0.{i + 1}" for i in range(args.hosts)]
    what = "https" if args.tls else "http"
    print(
        f"{args.images} images of {args.size} pixels, {args.hosts} hosts, {what}, {args.delay} s before each answer"
    )
    with tempfile.TemporaryDirectory() as folder:
        pem = certificate(folder, hosts) if args.tls else None
        with far_server(args.size, args.delay, pem) as far:
            urls = [f"{what}://{hosts[i % len(hosts)]}:{far.port}/{i}" for i in range(args.images)]
            measure(urls, far, Path(folder), args)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{args.workers} workers, {os.cpu_count()} cores, peak {peak:.0f} MB")


def measure(urls: list[str], far: Far, folder: Path, args: argparse.Namespace) -> None:
    context = ssl.create_default_context(cafile=str(folder / "both.pem") if args.tls else None)
    report, count = Report(far), len(urls)
    pool = urllib3.PoolManager(num_pools=args.hosts, maxsize=args.per_host, ssl_context=context)

    def plain(url: str) -> bytes:
        with urllib.request.urlopen(url, timeout=10, context=context) as answer:
            return answer.read()

    def loop() -> None:
        for url in urls[: args.loop]:
            decode_image(pool.request("GET", url).data)

    def threads(fetch: Callable[[str], object]) -> None:
        with ThreadPoolExecutor(args.workers) as executor:
            assert all(executor.map(fetch, urls))

    report.line("plain loop", args.loop, loop)
    report.line("threads, urllib.request", count, lambda: threads(plain))
    report.line(
        "threads, urllib3, kept connections",
        count,
        lambda: threads(lambda u: pool.request("GET", u).data),
    )
    hosts = {url.split("/")[2].split(":")[0] for url in urls}
    resolver, cache = Resolver(allow_private=hosts), UrlCache(folder / "cache")
    with Downloader(Limits(), args.per_host, resolver, args.workers) as downloader:
        if args.tls:
            downloader._connect._tls.load_verify_locations(folder / "both.pem")

        def fetch() -> None:
            found = list(fetch_all(urls, downloader, cache, args.workers, args.per_host))
            assert [entry.status for entry in found] == ["ok"] * count

        report.line("fetch_all", count, fetch)
        report.line("fetch_all, all in the cache", count, fetch)


if __name__ == "__main__":
    main()
