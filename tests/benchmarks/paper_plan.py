"""What Snakemake needs to plan the paper's run: jobs, seconds, memory.

A dry run of config/paper.yaml on stand-in files: planning looks at names alone, so that empty ones do.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import psutil
import yaml

ROOT = Path(__file__).resolve().parents[2]


def make_layout(base: Path, shards: int) -> list[str]:
    """Empty shards and a model cache of empty snapshots; returns the `--config` entries that name them."""
    for i in range(shards):
        for file in (
            f"img_emb/img_emb_{i:04d}.npy",
            f"metadata/metadata_{i:04d}.parquet",
            f"data/{i:05d}.tar",
        ):
            path = base / "laion" / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    config = yaml.safe_load((ROOT / "config/paper.yaml").read_text())
    sheet = pd.read_csv(ROOT / config["models"], sep="\t", dtype=str, keep_default_na=False)
    sheet = sheet[sheet["family"] != "images"]
    sheet.loc[sheet["revision"] == "", "revision"] = "0" * 40
    sheet.to_csv(base / "models.tsv", sep="\t", index=False)
    name, commit = config["inputs"]["clip"].split("@")
    clip = base / "hub" / f"models--{name.replace('/', '--')}" / "snapshots" / commit
    clip.mkdir(parents=True)
    for file in ("open_clip_config.json", "open_clip_model.safetensors"):
        (clip / file).touch()
    return [
        f"results={base / 'results'}", f"models={base / 'models.tsv'}", f"hub_cache={base / 'hub'}",
        f"inputs={{source: {base / 'laion'}}}",
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shards", type=int, nargs="+", default=[2314], help="embedding shards")
    parser.add_argument("--target", default="all")
    args = parser.parse_args()
    print(f"{'shards':>8} {'jobs':>8} {'seconds':>8} {'peak GB':>8}")
    for shards in args.shards:
        with tempfile.TemporaryDirectory() as folder:
            entries = make_layout(Path(folder), shards)
            command = [
                sys.executable, "-m", "snakemake", "--dry-run", "--quiet", "rules", "--cores", "1",
                args.target, "--configfile", "config/config.yaml", "config/paper.yaml", "--config", *entries,
            ]  # fmt: skip
            log = Path(folder) / "log"
            start, peak = time.monotonic(), 0
            with log.open("w") as out:
                run = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT)
                while run.poll() is None:
                    try:
                        peak = max(peak, psutil.Process(run.pid).memory_info().rss)
                    except psutil.NoSuchProcess:
                        break
                    time.sleep(0.05)
            seconds = time.monotonic() - start
            text = log.read_text()
            found = re.findall(r"^total +(\d+)", text, re.M)
            if run.returncode or not found:
                sys.exit(text[-3000:])
            print(f"{shards:8d} {int(found[-1]):8d} {seconds:8.1f} {peak / 1e9:8.2f}", flush=True)


if __name__ == "__main__":
    main()
