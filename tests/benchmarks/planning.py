"""What it takes Snakemake to plan a run at the paper's scale: jobs, seconds, memory.

Makes a folder in LAION's layout (clip-retrieval's embeddings and metadata, img2dataset's archives) with
the paper's number of shards, a row each, and checkpoint folders that hold nothing but an index; plans
2 million prompts, 30,000 of them for the black box, 1,000 for 500 generations each, for six models; and
runs a dry run of it. Nothing is computed: what is measured is the workflow itself.

    python tests/benchmarks/planning.py
    python tests/benchmarks/planning.py --shards 100 --target attacks --profile
"""

from __future__ import annotations

import argparse
import io
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

ROOT = Path(__file__).resolve().parents[2]
# key, name, candidates, attacked: the rows of the paper's Table 1
MODELS = [
    ("sd1", "SD V1", "own", "yes"),
    ("sd2", "SD V2", "own", "yes"),
    ("if", "Deep Image Floyd", "top:sd1", "no"),
    ("midjourney", "Midjourney v4", "top:sd1", "no"),
    ("openjourney", "OpenJourney", "found:sd1,sd2", "no"),
    ("realisticvision", "RealisticVision", "found:sd1,sd2", "no"),
]


def make_source(folder: Path, shards: int, archives: int) -> None:
    """LAION's layout, a row a shard."""
    array, table = io.BytesIO(), io.BytesIO()
    np.save(array, np.full((1, 768), 768**-0.5, np.float16))
    pq.write_table(pa.table({"url": ["u"], "caption": ["c"], "key": ["000000000"]}), table)
    for kind in ("img_emb", "metadata", "data"):
        (folder / kind).mkdir(parents=True)
    for i in range(shards):
        (folder / f"img_emb/img_emb_{i:04d}.npy").write_bytes(array.getvalue())
        (folder / f"metadata/metadata_{i:04d}.parquet").write_bytes(table.getvalue())
    for i in range(archives):
        (folder / f"data/{i:05d}.tar").write_bytes(b"\0" * 10240)  # an empty tar
    (folder / "clip").mkdir()
    for name in ("open_clip_config.json", "open_clip_model.safetensors"):
        (folder / "clip" / name).touch()


def make_config(folder: Path, prompts: int) -> Path:
    """The overlay and its models sheet, beside a workflow to run there; returns the overlay's path."""
    for name in ("Snakefile", "config", "workflow", "envs", "tests"):
        (folder / name).symlink_to(
            ROOT / name
        )  # so that Snakemake's records are not the real run's
    rows = []
    for model, name, candidates, attacked in MODELS:
        index = folder / "models" / model / "model_index.json"
        index.parent.mkdir(parents=True)
        index.write_text("{}")
        rows.append({
            "model": model, "name": name, "family": "sd", "source": str(index.parent), "revision": "",
            "dtype": "float16", "init": "", "training": "", "deduplicated": "no",
            "candidates": candidates, "whitebox": attacked, "reference": "",
        })  # fmt: skip
    pd.DataFrame(rows).to_csv(folder / "models.tsv", sep="\t", index=False)
    source = folder / "laion"
    config = {
        "results": str(folder / "results"),
        "models": str(folder / "models.tsv"),
        "inputs": {"source": str(source), "clip": str(source / "clip"), "extra_prompts": ""},
        "dedup": {"n_prompts": prompts},
        "whitebox": {"prompts_a_shard": 20000},
        "blackbox": {"n_prompts": 30000, "prompts_a_shard": 1000},
        "postfilter": {"n_prompts": 1000, "n_images": 500, "prompts_a_shard": 20},
        "labels": {"n_prompts": 500, "n_transfer": 500, "prompts_a_shard": 250},
    }
    path = folder / "overlay.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def snakemake(
    overlay: Path, target: str, *options: str, profile: Path | None = None
) -> tuple[str, float, float]:
    """(what snakemake said, seconds, peak memory in GB so far) of one call."""
    start = ["-m", "cProfile", "-o", str(profile)] if profile else []
    command = [
        sys.executable, *start, "-m", "snakemake", *options, "--cores", "2",
        "--configfile", "config/config.yaml", str(overlay), "--", target,
    ]  # fmt: skip
    began = time.monotonic()
    done = subprocess.run(
        command, cwd=overlay.parent, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    seconds = time.monotonic() - began
    if done.returncode:
        sys.exit(f"snakemake failed:\n{done.stdout[-3000:]}")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6  # kilobytes on Linux
    return done.stdout, seconds, peak


def plan(overlay: Path, target: str, profile: Path | None = None) -> tuple[str, float, float]:
    """A dry run."""
    return snakemake(overlay, target, "--dry-run", "--quiet", "rules", profile=profile)


def finish(overlay: Path, target: str) -> None:
    """Empty files in place of every output, and Snakemake's records of them."""
    said, _, _ = snakemake(overlay, target, "--summary")
    files = [line.split("\t")[0] for line in said.splitlines() if line.count("\t") >= 4]
    for file in files[1:]:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).touch()
    snakemake(overlay, target, "--touch", "--quiet", "all")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--shards", type=int, default=2314, help="embedding shards (LAION-2B: 2314)"
    )
    parser.add_argument("--archives", type=int, default=2314, help="img2dataset archives")
    parser.add_argument("--prompts", type=int, default=2_000_000)
    parser.add_argument("--target", default="all", help="what is asked for")
    parser.add_argument("--rules", action="store_true", help="print the jobs of every rule")
    parser.add_argument("--again", action="store_true", help="plan again when all outputs exist")
    parser.add_argument("--profile", type=Path, help="write a cProfile file; slows the run down")
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="planning-"))
    try:
        make_source(folder / "laion", args.shards, args.archives)
        overlay = make_config(folder, args.prompts)
        said, seconds, peak = plan(overlay, args.target, args.profile)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = used.ru_utime + used.ru_stime
        if args.again:
            finish(overlay, args.target)
            _, again, _ = plan(overlay, args.target)
    finally:
        shutil.rmtree(folder)
    jobs = {rule: int(n) for rule, n in re.findall(r"^(\w+) +(\d+)$", said, flags=re.M)}
    if args.rules:
        print(*(f"{rule:24} {n:8,}" for rule, n in jobs.items() if rule != "total"), sep="\n")
    print(f"{'embedding shards':24} {args.shards:8,}")
    print(f"{'prompts':24} {args.prompts:8,}")
    print(f"{'jobs':24} {jobs['total']:8,}")
    print(f"{'seconds':24} {seconds:8.1f}")
    print(f"{'of a processor':24} {cpu:8.1f}")  # does not count what others take
    print(f"{'peak memory, GB':24} {peak:8.2f}")
    if args.again:
        print(f"{'seconds, all there':24} {again:8.1f}")


if __name__ == "__main__":
    main()
