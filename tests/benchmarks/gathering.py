"""Seconds and peak memory of the rules that see every prompt at once, at the paper's 2 million.

Makes prompts and shards of white-box scores (4 seeds each) of random numbers, and runs the scripts that
gather them as jobs of their own: score_whitebox, select_blackbox, select_candidates; and the last shard
of denoise_whitebox, all of whose prompts are kept from before, so that it calls no network.

    python tests/benchmarks/gathering.py
    python tests/benchmarks/gathering.py --prompts 200000 --shard 20000
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "workflow" / "src"), str(ROOT / "tests")]

from script_files import run_job  # noqa: E402

from verbatim.io.records import write_table  # noqa: E402
from verbatim.io.result_cache import Kept, fingerprint  # noqa: E402

SEEDS = [0, 1, 2, 3]
MODEL = {"family": "sd", "source": "nowhere"}


def make_prompts(path: Path, n: int) -> np.ndarray:
    """The prompts table; returns its prompt_ids, (n,) int64."""
    rng = np.random.default_rng(0)
    ids = np.unique(rng.integers(0, 2**62, n))
    rng.shuffle(ids)
    # 66 characters: the mean of LAION's captions
    captions = [f"a photograph of thing {i:016d} and what stood beside it in a shop" for i in ids]
    table = pd.DataFrame({"prompt_id": ids, "caption": captions, "row": np.arange(len(ids))})
    table = table.assign(
        cluster=1, cluster_size=2, caption_count=1, share_equal_captions=1.0, extra=False,
        rank=np.arange(len(ids)),
    )  # fmt: skip
    write_table(path, "prompts", table)
    return ids


def scores_of(ids: np.ndarray) -> pd.DataFrame:
    """Random white-box scores, a line a prompt and seed."""
    table = pd.DataFrame(
        {"prompt_id": np.repeat(ids, len(SEEDS)), "seed": np.tile(SEEDS, len(ids))}
    )
    rng = np.random.default_rng(len(ids))
    names = ("dcs_reference", "dcs_paper", "wen_first_step", "guidance_cosine")
    return table.assign(**{name: rng.random(len(table)) for name in names})


def job(path: str, folder: Path, **given: Any) -> None:
    """Run a script as Snakemake does."""
    files = (given["input"], given["output"])
    run_job(path, folder / "job.log", files, given["params"], wildcards=given["wildcards"])


def measured(path: str, folder: Path, given: dict[str, Any]) -> tuple[float, float]:
    """Seconds and peak memory (GB) of one job, imports included."""
    job(path, folder, **given)
    return time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--prompts", type=int, default=2_000_000)
    parser.add_argument("--shard", type=int, default=20_000, help="prompts a shard")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gathering-") as name:
        folder = Path(name)
        ids = make_prompts(folder / "prompts.parquet", args.prompts)
        shards, costs = [], []
        stamp = {"model": MODEL, "guidance": 7.5, "seeds": SEEDS, "files": fingerprint(["nowhere"])}
        empty = pd.DataFrame({"prompt_id": ids[:0]})
        for first in range(0, len(ids), args.shard):
            own = ids[first : first + args.shard]
            shards.append(folder / f"shards/{first:09d}.parquet")
            costs.append(folder / f"shards/{first:09d}.cost.parquet")
            write_table(shards[-1], "whitebox_seeds", scores_of(own))
            kept = Kept(folder / "kept", empty, **stamp)
            write_table(costs[-1], "costs", kept.cost("whitebox", "sd1", "all"))
            for i in range(0, len(own), 2000):
                part = own[i : i + 2000]
                kept.write(
                    pd.DataFrame({"prompt_id": part}), {"whitebox": (8000, 1.0)},
                    {"whitebox_seeds": scores_of(part)},
                )  # fmt: skip
        prompts, scores = folder / "prompts.parquet", folder / "scores.parquet"
        shard = f"{len(shards) - 1:05d}"
        jobs = {
            "whitebox/denoise_whitebox.py": {
                "input": {"prompts": prompts},
                "output": {"scores": folder / "one.parquet", "cost": folder / "one.cost.parquet"},
                "params": {
                    **stamp, "batch": 64, "prompts_a_shard": args.shard, "prompts_a_part": 2000,
                    "last": True, "kept": folder / "kept",
                },
                "wildcards": {"model": "sd1", "shard": shard},
            },
            "whitebox/score_whitebox.py": {
                "input": {"prompts": prompts, "scores": shards, "costs": costs},
                "output": {
                    "seeds": folder / "seeds.parquet", "scores": scores,
                    "cost": folder / "cost.parquet",
                },
                "params": {"preset": "reference", "kept": folder / "none"},
                "wildcards": {"model": "sd1"},
            },
            "blackbox/select_blackbox.py": {
                "input": {"prompts": prompts, "scores": scores},
                "output": {"selection": folder / "selection.parquet"},
                "params": {"n_prompts": 30_000},
                "wildcards": {"model": "sd1"},
            },
            "labels/select_candidates.py": {
                "input": {"prompts": prompts, "dcs": scores},
                "output": {"selection": folder / "candidates.parquet"},
                "params": {"n_prompts": 500, "candidates": "own", "found_in": []},
                "wildcards": {"model": "sd1"},
            },
        }  # fmt: skip
        print(
            f"{len(ids):,} prompts, {len(shards)} shards\n{'job':28} {'seconds':>8} {'peak GB':>8}"
        )
        for path, given in jobs.items():
            began = time.monotonic()
            with get_context("spawn").Pool(1) as pool:  # a process of its own, with its own peak
                ended, peak = pool.apply(measured, (path, folder, given))
            print(f"{Path(path).stem:28} {ended - began:8.1f} {peak:8.2f}", flush=True)


if __name__ == "__main__":
    main()
