"""Images a second that the downloader fetches from a server on this machine, beside a plain loop.

The server answers after a delay, as one far away does; both are threads of this process and share its cores.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "workflow" / "src"), str(ROOT / "tests")]

import urllib3  # noqa: E402
from image_server import Imageserver  # noqa: E402
from made_inputs import png  # noqa: E402

from verbatim.inputs.addresses import Resolver  # noqa: E402
from verbatim.inputs.download import Downloader, Limits  # noqa: E402
from verbatim.inputs.fetching import fetch_all  # noqa: E402
from verbatim.inputs.url_cache import UrlCache  # noqa: E402
from verbatim.io.images import decode_image  # noqa: E402

HOSTS = [f"127.0.0.{i}" for i in range(1, 33)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--loop", type=int, default=50, help="of them for the plain loop")
    parser.add_argument("--size", type=int, default=256, help="pixels of a side")
    parser.add_argument("--delay", type=float, default=0.1, help="seconds before an answer")
    parser.add_argument("--workers", type=int, default=32)
    args = parser.parse_args()
    print(f"{args.images} images of {args.size} pixels, {args.delay} s before each answer")
    with Imageserver("0.0.0.0") as server, tempfile.TemporaryDirectory() as folder:
        port = server.url.rpartition(":")[2]
        server.delay = args.delay
        server.images = {f"/{i}": png(i % 256, (args.size, args.size)) for i in range(args.images)}
        urls = [f"http://{HOSTS[i % len(HOSTS)]}:{port}/{i}" for i in range(args.images)]
        start = time.perf_counter()
        pool = urllib3.PoolManager()
        for url in urls[: args.loop]:
            decode_image(pool.request("GET", url).data)
        loop = args.loop / (time.perf_counter() - start)
        print(f"plain loop                 {loop:8.1f} a second")
        cache = UrlCache(folder)
        resolver = Resolver(allow_private=HOSTS)
        with Downloader(Limits(), 2, resolver) as downloader:
            for what in ("fetch_all", "fetch_all, all in the cache"):
                start, cpu = time.perf_counter(), time.process_time()
                found = list(fetch_all(urls, downloader, cache, args.workers, 2))
                rate = len(found) / (time.perf_counter() - start)
                assert {entry.status for entry in found} == {"ok"}
                busy = (time.process_time() - cpu) / len(found)
                print(
                    f"{what:26} {rate:8.1f} a second, {rate / loop:6.1f} x, {1e3 * busy:.1f} ms of CPU each"
                )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{args.workers} workers, {os.cpu_count()} cores, peak {peak:.0f} MB")


if __name__ == "__main__":
    main()
