"""The grouping and sorting of deduplication beside pandas: processor seconds, peak memory and disk, and that results agree.

Three tasks, each a job of its own with one thread:
  sizes       row, cluster -> and the cluster's size, by row (rule cluster_rows)
  firsts      row, cluster -> the lowest row of each cluster, by row (rule select_kept_rows)
  captions    caption key, row, cluster, size -> the most frequent captions (rule select_prompts)

Ours goes through the contracts and checksums of the tables, as the rules do, and keeps to a bound on memory. Pandas is
what a user would write: whole tables in memory, without checks.

    python tests/benchmarks/grouping.py --rows 10000000
    python tests/benchmarks/grouping.py --rows 100000000 --sides ours --folder /scratch

It writes a line for each task and side into the CSV of `--out`: processor seconds, seconds, the most memory that the
job had of its own, the most disk for what did not fit, and whether both results are equal.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
import threading
import time
from pathlib import Path

SRC = Path(__file__).resolve().parents[2] / "workflow/src"
TASKS = ("sizes", "firsts", "captions")
COLUMNS = (
    "rows", "memory_mb", "task", "side", "cpu_seconds", "seconds", "own_mb", "disk_mb", "equal", "failed",
)  # fmt: skip
PIECE = 1_000_000  # rows made, written and compared together
INPUTS = {"sizes": "clusters", "firsts": "clusters", "captions": "captions"}
SIDES = ("ours", "pandas")


def make_inputs(folder: Path, n: int, wanted: set[str]) -> None:
    """Tables of n rows: clusters of Zipf sizes, rows shuffled, and captions."""
    import numpy as np
    import pandas as pd

    from verbatim.io.records import TableWriter

    rng = np.random.default_rng(0)
    drawn = np.minimum(1 + rng.zipf(2.0, n // 2), 1000)  # the sizes of tests/benchmarks/dedup.py
    ends = np.cumsum(drawn)
    sizes = drawn[: int(np.searchsorted(ends, n, side="right"))]
    sizes = np.append(sizes, n - sizes.sum()) if sizes.sum() < n - 1 else sizes
    n = int(sizes.sum())
    rows = rng.permutation(np.arange(n, dtype=np.int64))
    starts = np.cumsum(sizes) - sizes
    cluster = np.empty(n, np.int64)
    cluster[rows] = np.repeat(np.minimum.reduceat(rows, starts), sizes)
    del rows
    if "clusters" in wanted:
        with TableWriter(folder / "clusters.parquet", "clusters") as out:
            for start in range(0, n, PIECE):
                row = np.arange(start, min(n, start + PIECE))
                out.write(pd.DataFrame({"row": row, "cluster": cluster[row]}))
    if "captions" in wanted:
        size = np.bincount(cluster, minlength=n)[cluster].astype(np.int32)
        _write_captions(folder / "captions.parquet", cluster, size)


def _write_captions(path, cluster, size) -> None:
    """Four of five rows in no cluster; half of a cluster's rows have its caption, one in ten of all a common one."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    from verbatim.dedup.prompts import ROW_COLUMNS

    n, rng, writer = len(cluster), np.random.default_rng(1), None
    for start in range(0, n, PIECE):
        row = np.arange(start, min(n, start + PIECE))
        own, its = cluster[row], size[row]
        alone = own % 5 != 0
        code = np.where(~alone & (rng.random(len(row)) < 0.5), own, n + row)
        common = rng.random(len(row)) < 0.1
        code[common] = 2 * n + rng.zipf(1.5, int(common.sum())) % (n // 10)
        key = code.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)  # odd: no two codes share one
        table = pa.table(
            {"key": key, "row": row, "cluster": np.where(alone, -1, own),
             "cluster_size": np.where(alone, 1, its).astype(np.int32)}
        )  # fmt: skip
        assert [str(t) for t in table.schema.types] == list(ROW_COLUMNS.values())
        writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
        writer.write_table(table)
    writer.close()


def run_ours(task: str, given: Path, result: Path, scratch: Path, args: argparse.Namespace) -> None:
    """A task as the stage does it."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    from verbatim.dedup.clusters import cluster_sizes, first_rows
    from verbatim.dedup.prompts import rank_captions
    from verbatim.io.records import TableWriter, iter_table

    memory = args.memory_mb << 20
    if task == "captions":
        file = pq.ParquetFile(given)
        # a row group at a time, as the stage reads its tables: iter_batches keeps what it has read
        groups = range(file.num_row_groups)
        pieces = (file.read_row_group(number).to_pandas() for number in groups)
        asked = np.empty(0, np.uint64)
        ranked = rank_captions(pieces, args.prompts, asked, scratch, memory).ranked
        pq.write_table(pa.Table.from_pandas(ranked, preserve_index=False), result)
        return
    make, kind = {
        "sizes": (cluster_sizes, "cluster_sizes"), "firsts": (first_rows, "kept_rows"),
    }[task]  # fmt: skip
    with TableWriter(result, kind) as out:
        for piece in make(iter_table(given, "clusters"), scratch, memory):
            out.write(piece)


def run_pandas(
    task: str, given: Path, result: Path, scratch: Path, args: argparse.Namespace
) -> None:
    """The same in memory."""
    import pandas as pd

    table = pd.read_parquet(given)
    if task == "sizes":
        size = table.groupby("cluster")["row"].transform("size").astype("int32")
        found = table.assign(size=size).sort_values("row")
    elif task == "firsts":
        found = table.groupby("cluster", as_index=False)["row"].min()[["row"]].sort_values("row")
    else:
        group = table["cluster"].where(table["cluster"] != -1, -1 - table["row"])
        met = table.assign(group=group).groupby(["key", "group"], sort=False)
        met = met.agg(
            row=("row", "min"), cluster=("cluster", "first"), cluster_size=("cluster_size", "first"),
            own_count=("row", "size"),
        ).reset_index()  # fmt: skip
        best = met.sort_values(["cluster_size", "row"], ascending=[False, True])
        best = best.drop_duplicates("key")
        best = best.join(table.groupby("key").size().rename("caption_count"), on="key")
        best["met"] = best[["cluster_size", "caption_count"]].max(axis=1)
        best = best.sort_values(["met", "own_count", "row"], ascending=[False, False, True])
        columns = ["key", "row", "cluster", "cluster_size", "caption_count", "own_count"]
        found = best.head(args.prompts)[columns]
    found.to_parquet(result, index=False)


def watch_disk(folder: Path, most: list[int], done: threading.Event) -> None:
    """Keep the largest sum of the files of a folder, in bytes, in most[0]."""
    while not done.wait(0.2):
        total = 0
        for file in folder.rglob("*"):
            try:
                total += file.stat().st_blocks * 512
            except FileNotFoundError:
                continue
        most[0] = max(most[0], total)


def same(one: Path, other: Path) -> bool:
    """Whether two Parquet files hold the same values in the same order, whatever their row groups."""
    import pyarrow.parquet as pq

    a, b = pq.ParquetFile(one), pq.ParquetFile(other)
    if a.metadata.num_rows != b.metadata.num_rows:
        return False
    batches = (file.iter_batches(batch_size=1 << 16) for file in (a, b))
    return all(
        x.column(name).to_numpy().tolist() == y.column(name).to_numpy().tolist()
        for x, y in zip(*batches, strict=True)
        for name in x.schema.names
    )


def measure_side(task: str, side: str, folder: Path, args: argparse.Namespace) -> dict[str, object]:
    """What one side's job cost: a line of the CSV, but for `equal`."""
    from jobs import measure

    scratch = folder / f"{task}-{side}"
    scratch.mkdir()
    most, done = [0], threading.Event()
    watcher = threading.Thread(target=watch_disk, args=(scratch, most, done))
    watcher.start()
    job = json.dumps({"task": task, "side": side, "folder": str(folder), "scratch": str(scratch)})
    numbers = [f"--rows={args.rows}", f"--memory-mb={args.memory_mb}", f"--prompts={args.prompts}"]
    line = {"rows": args.rows, "memory_mb": args.memory_mb, "task": task, "side": side}
    try:
        cost = measure([sys.executable, __file__, "--job", job, *numbers])
    except SystemExit as err:  # the limit on memory is too low for it, say
        return line | {"failed": str(err).strip().splitlines()[-1]}
    finally:
        done.set()
        watcher.join()
        for file in scratch.rglob("*"):
            file.unlink()
    return line | {
        "cpu_seconds": round(cost.cpu, 1), "seconds": round(cost.seconds, 1),
        "own_mb": round(cost.own_mb), "disk_mb": most[0] >> 20,
    }  # fmt: skip


def run_job(args: argparse.Namespace) -> None:
    """In the measured process: one task of one side."""
    job = json.loads(args.job)
    folder, task, side = Path(job["folder"]), job["task"], job["side"]
    given, result = folder / f"{INPUTS[task]}.parquet", folder / f"{task}-{side}.parquet"
    run = run_ours if side == "ours" else run_pandas
    run(task, given, result, Path(job["scratch"]), args)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--prompts", type=int, default=100_000, help="captions that are ranked")
    parser.add_argument(
        "--memory-mb", type=int, default=1000, help="dedup.memory_mb: the bound of ours"
    )
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=SIDES)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=TASKS)
    parser.add_argument("--folder", help="where to work (default: the temporary folder)")
    parser.add_argument("--out", type=Path, default=Path("grouping.csv"))
    parser.add_argument("--job", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.job:
        run_job(args)
        return
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        folder, start = Path(name), time.monotonic()
        make_inputs(folder, args.rows, {INPUTS[task] for task in args.tasks})
        print(f"{args.rows} rows made in {time.monotonic() - start:.0f} s", flush=True)
        args.out.parent.mkdir(parents=True, exist_ok=True)
        new = not args.out.exists()
        with args.out.open("a", newline="") as file:
            lines = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
            if new:
                lines.writeheader()
            for task in args.tasks:
                made = [measure_side(task, side, folder, args) for side in args.sides]
                results = [folder / f"{task}-{line['side']}.parquet" for line in made]
                both = len(results) == 2 and all(result.exists() for result in results)
                equal = same(*results) if both else ""
                for line in made:
                    lines.writerow(line | {"equal": equal})
                    print({**line, "equal": equal}, flush=True)
                file.flush()
                for result in results:
                    result.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.path.insert(0, str(SRC))
    main()
