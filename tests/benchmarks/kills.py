"""Kill a run of the smoke world at random moments and compare its tables: python tests/benchmarks/kills.py FOLDER [KILLS] [SEED].

Snakemake and all its jobs are killed (SIGKILL) after 5 to 40 seconds, unlocked and started again, KILLS (70) times; a
run that ends before its moment starts from nothing again. Then to the end, and every table must equal that of a run without a
kill. FOLDER keeps the copies of the tree and their results. Between kills no file may be damaged.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [
    str(ROOT / "workflow" / "src"),
    str(ROOT / "tests"),
    str(ROOT / "tests" / "workflow"),
]
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pandas as pd  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
from snakemake_runs import Tree  # noqa: E402

from verbatim.io.atomic import is_temporary  # noqa: E402
from verbatim.io.images import ImageArchive  # noqa: E402
from verbatim.io.parquet import read_parquet  # noqa: E402
from verbatim.io.seals import checked  # noqa: E402

SECONDS = ("seconds",)  # columns that say how long it took


def check_files(results: Path) -> int:
    """Read every table and archive; how many there are. Raises DamagedError."""
    n = 0
    for path in sorted(results.rglob("*")):
        if any(is_temporary(part) for part in path.parts):
            continue
        if path.suffix == ".parquet":
            read_parquet(path, pq.read_schema(path).names)
        elif path.suffix == ".zip":
            with ImageArchive(path) as archive:
                archive.check()
        elif path.suffix in (".csv", ".tsv") and "benchmarks" not in path.parts:
            checked(path)
        else:
            continue
        n += 1
    return n


def compare(expected: Path, found: Path) -> int:
    """Compare all CSV tables and the tables of scores and labels; how many. Raises AssertionError."""
    names = [p.relative_to(expected) for p in sorted(expected.rglob("*.csv"))]
    names += [
        p.relative_to(expected)
        for p in sorted(expected.rglob("*.parquet"))
        if p.name in ("scores.parquet", "labels.parquet")
    ]
    for name in names:
        read = pd.read_csv if name.suffix == ".csv" else pd.read_parquet
        one, two = (read(folder / name) for folder in (expected, found))
        pd.testing.assert_frame_equal(
            one.drop(columns=[c for c in one if c in SECONDS]),
            two.drop(columns=[c for c in two if c in SECONDS]),
        )
    return len(names)


def kill(run: subprocess.Popen[bytes]) -> None:
    """Snakemake and its jobs, at once."""
    jobs = psutil.Process(run.pid).children(recursive=True)
    os.killpg(run.pid, signal.SIGKILL)
    for job in jobs:
        with contextlib.suppress(psutil.NoSuchProcess):
            job.kill()
    run.wait()
    psutil.wait_procs(jobs, timeout=10)


def make_tree(folder: Path) -> Tree:
    """A copy of the tree as it is, with the results that an earlier one left in the folder."""
    old, kept = folder / "tree", folder / "results"
    if (old / "results").exists():
        (old / "results").rename(kept)
    shutil.rmtree(old, ignore_errors=True)
    tree = Tree(old, ("config/smoke.yaml",))
    if kept.exists():
        shutil.rmtree(tree.folder / "results", ignore_errors=True)
        kept.rename(tree.folder / "results")
    return tree


def main() -> None:
    folder = Path(sys.argv[1]).resolve()
    kills = int(sys.argv[2]) if len(sys.argv) > 2 else 70
    moments = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 0)
    tree = make_tree(folder)
    expected, killed = tree.folder / "results/expected", tree.folder / "results/killed"
    if not (expected / "checks.txt").exists():
        done = tree.run("all", "--rerun-incomplete", results="results/expected")
        assert done.code == 0, done.text[-3000:]
    n = 0
    while n < kills:
        command = tree.command("all", "--rerun-incomplete", results="results/killed")
        run = subprocess.Popen(
            command, cwd=tree.folder, env=tree.environment, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            code = run.wait(timeout=moments.uniform(5, 40))
        except subprocess.TimeoutExpired:
            kill(run)
            n += 1
            print(f"kill {n}: {check_files(killed)} files, all whole", flush=True)
            assert tree.run("--unlock", results="results/killed").code == 0
            continue
        assert code == 0
        print(f"ended: {compare(expected, killed)} tables equal; from nothing again", flush=True)
        shutil.rmtree(killed)
    done = tree.run("all", "--rerun-incomplete", results="results/killed")
    assert done.code == 0, done.text[-3000:]
    left = [str(path) for path in killed.rglob("*") if is_temporary(path.name)]
    print(
        f"{n} kills: {compare(expected, killed)} tables equal; temporary files left: {left or 'none'}"
    )


if __name__ == "__main__":
    main()
