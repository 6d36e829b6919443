"""What atomic writes and checksums cost: python tests/benchmarks/checksums.py [ROUNDS].

The fastest of ROUNDS (7) of each way to write and to read, ours against the bare library's: milliseconds, and their ratio.
Without fsync the ratio of writing says what checksums cost; with it, what waiting for this disk costs.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "workflow" / "src")]
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402

from verbatim.io.images import ImageArchive, encode_png, write_archive  # noqa: E402
from verbatim.io.records import SCHEMAS, read_table, to_table, write_table  # noqa: E402
from verbatim.io.seals import read_array, write_array  # noqa: E402


def fastest(rounds: int, *ways: Callable[[], object]) -> list[float]:
    """Milliseconds of each way, in turn, so that a disturbance meets all of them."""
    best = [float("inf")] * len(ways)
    for _ in range(rounds):
        for i, way in enumerate(ways):
            start = time.perf_counter()
            way()
            best[i] = min(best[i], 1e3 * (time.perf_counter() - start))
    return best


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    rng = np.random.default_rng(0)
    fsync = os.fsync
    with tempfile.TemporaryDirectory() as base:
        a, b = Path(base, "ours"), Path(base, "bare")

        def bare(write: Callable[[Path], object]) -> Callable[[], object]:
            """To a temporary name, then moved: what a rename costs on this file system is no cost of ours."""
            return lambda: (write(b.with_name("part")), os.replace(b.with_name("part"), b))

        def compare(what: str, ours: Callable[[], object], other: Callable[[], object]) -> None:
            synced, plain = fastest(rounds, ours, other)
            os.fsync = lambda fd: None  # type: ignore[assignment]
            without, _ = fastest(rounds, ours, other)
            os.fsync = fsync
            print(
                f"{what:32s} {synced:9.2f} {without:9.2f} {plain:9.2f} ms   {synced / plain:5.2f} {without / plain:5.2f}"
            )

        print(f"{'':32s} {'ours':>9s} {'no fsync':>9s} {'bare':>9s}      ratio  no fsync")
        for n in (100, 2_000_000):
            frame = pd.DataFrame({"row_a": rng.integers(0, 2**40, n), "row_b": np.arange(n)})
            frame = frame.assign(similarity=rng.random(n).astype(np.float32))
            compare(
                f"write a table of {n:,} rows",
                lambda frame=frame: write_table(a, "pairs", frame),
                bare(
                    lambda path, frame=frame: pq.write_table(
                        to_table("pairs", frame), path, compression="zstd"
                    )
                ),
            )
            names = SCHEMAS["pairs"].names
            compare(
                f"read a table of {n:,} rows",
                lambda: read_table(a, "pairs"),
                lambda names=names: (
                    pq.read_schema(b),
                    pq.read_table(b, columns=names).to_pandas(),
                ),
            )
        images = [(f"{i}.png", rng.integers(0, 255, (256, 256, 3), np.uint8)) for i in range(50)]

        def write_zip(path: Path) -> None:
            with zipfile.ZipFile(path, "w") as archive:
                for name, image in images:
                    archive.writestr(zipfile.ZipInfo(name), encode_png(image))

        def read_archive(path: Path) -> None:
            with ImageArchive(path) as archive:
                for name, _ in images:
                    archive.read(name)

        compare("write 50 images", lambda: write_archive(a, images), bare(write_zip))
        compare("read 50 images", lambda: read_archive(a), lambda: read_archive(b))
        array = rng.random((20_000, 768)).astype(np.float16)

        def save(path: Path) -> None:
            with open(path, "wb") as file:
                np.save(file, array)

        compare("write an array of 31 MB", lambda: write_array(a, array), bare(save))
        np.save(b.with_suffix(".npy"), array)
        compare(
            "read an array of 31 MB", lambda: read_array(a), lambda: np.load(b.with_suffix(".npy"))
        )


if __name__ == "__main__":
    main()
