"""Connected components of random pairs in bounded memory: time, peak memory and disk.

python tests/benchmarks/components.py --rows 100000000 --pairs 100000000
python tests/benchmarks/components.py --rows 1000000 --pairs 1000000 --check
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from jobs import ROOT, measure

sys.path.insert(0, str(ROOT / "workflow/src"))


def chunks(args: argparse.Namespace):
    """Random pairs; all rows are in one giant component and small ones at as many pairs as rows."""
    rng = np.random.default_rng(0)
    for start in range(0, args.pairs, args.chunk):
        yield tuple(rng.integers(0, args.rows, (2, min(args.chunk, args.pairs - start))))


def run(args: argparse.Namespace) -> None:
    """The job that is measured."""
    from verbatim.dedup.components import find_clusters, plan_blocks

    memory = args.memory_mb << 20
    plan, start = plan_blocks(args.rows, memory), time.monotonic()
    print(
        f"{-(-args.rows // plan.block)} blocks of {plan.block} rows, chunks of {plan.chunk} pairs"
    )
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        folder, most, done = Path(name), [0], threading.Event()

        def watch() -> None:
            while not done.wait(0.2):
                sizes = []
                for file in folder.iterdir():
                    with contextlib.suppress(FileNotFoundError):
                        sizes.append(file.stat().st_size)
                most[0] = max(most[0], sum(sizes))

        watcher = threading.Thread(target=watch)
        watcher.start()
        rows = clusters = largest = 0
        lowest = np.arange(args.rows) if args.check else None
        counts = np.zeros(args.rows, np.int32) if args.check else None
        for piece in find_clusters(chunks(args), args.rows, folder, memory):
            rows += len(piece)
            clusters += int((piece["row"] == piece["cluster"]).sum())
            if args.check:
                lowest[piece["row"]] = piece["cluster"]
                np.add.at(counts, piece["cluster"], 1)
        done.set()
        watcher.join()
    print(
        f"{rows} rows in {clusters} clusters, {time.monotonic() - start:.1f} s, {most[0] >> 20} MB on disk"
    )
    if args.check:
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        largest = int(counts.max())
        a, b = (np.concatenate(side) for side in zip(*chunks(args), strict=True))
        start = time.monotonic()
        graph = coo_array((np.ones(len(a), dtype=bool), (a, b)), shape=(args.rows, args.rows))
        _, label = connected_components(graph, directed=False)
        want = np.full(label.max() + 1, args.rows)
        np.minimum.at(want, label, np.arange(args.rows))
        print(
            f"equal to scipy's: {np.array_equal(want[label], lowest)} "
            f"({time.monotonic() - start:.1f} s in one go); the largest has {largest} rows"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=100_000_000)
    parser.add_argument("--pairs", type=int, default=100_000_000)
    parser.add_argument("--chunk", type=int, default=1_000_000, help="pairs that come together")
    parser.add_argument("--memory-mb", type=int, default=1000)
    parser.add_argument("--folder", help="for the buckets (default: the temporary folder)")
    parser.add_argument(
        "--check", action="store_true", help="compare with scipy; memory is then scipy's"
    )
    parser.add_argument("--job", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.job:
        run(args)
        return
    with tempfile.NamedTemporaryFile("r") as out:
        command = " ".join([sys.executable, __file__, "--job", *sys.argv[1:], ">", out.name])
        cost = measure(["/bin/sh", "-c", f"exec {command}"])
        print(out.read(), end="")
    print(
        f"whole job {cost.seconds:.1f} s ({cost.cpu:.1f} of a processor), peak {cost.peak_mb:.0f} MB"
    )


if __name__ == "__main__":
    main()
