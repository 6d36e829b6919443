"""How long listing and checking a source of LAION's size takes: 2,314 shards, small ones, made here.

A real shard's header, footer and sixteen sampled blocks are as large as these read; its 1.5 GB are not read.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "workflow" / "src"))

from verbatim.inputs.layouts import list_files  # noqa: E402
from verbatim.inputs.manifest import build_manifest, format_manifest  # noqa: E402


def make_source(folder: Path, shards: int, rows: int) -> None:
    """Shards in clip-retrieval's layout, every one a copy of the first."""
    vectors = np.random.default_rng(0).normal(size=(rows, 768)).astype(np.float16)
    table = pd.DataFrame(
        {"url": "https://x.invalid/", "caption": [f"caption {i}" for i in range(rows)]}
    )
    for name in ("img_emb", "metadata"):
        (folder / name).mkdir()
    np.save(folder / "img_emb" / "img_emb_0000.npy", vectors)
    table.to_parquet(folder / "metadata" / "metadata_0000.parquet")
    for kind, end in (("img_emb", "npy"), ("metadata", "parquet")):
        first = (folder / kind / f"{kind}_0000.{end}").read_bytes()
        for number in range(1, shards):
            (folder / kind / f"{kind}_{number:04d}.{end}").write_bytes(first)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", type=int, default=2314)
    parser.add_argument("--rows", type=int, default=300, help="of a shard; 300 are 0.5 MB")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_source(folder, args.shards, args.rows)
        steps = []
        start = time.perf_counter()
        source = list_files(folder)
        steps.append(("list (at every start of snakemake)", time.perf_counter() - start))
        start = time.perf_counter()
        manifest = build_manifest(source, "")
        format_manifest(manifest)
        steps.append(("check and manifest (once)", time.perf_counter() - start))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{len(manifest)} shards, {manifest['rows'].sum()} rows, peak {peak:.0f} MB")
    for step, seconds in steps:
        print(f"{step:38} {seconds:8.3f} s {1e3 * seconds / args.shards:8.3f} ms a shard")


if __name__ == "__main__":
    main()
