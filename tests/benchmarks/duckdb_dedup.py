"""The out-of-core work of deduplication beside DuckDB: processor seconds, peak memory and disk, and that results agree.

Four tasks, each a job of its own with one thread and the same bound on memory:
  components  pairs -> the lowest row of each row's connected component (rule cluster_rows)
  sizes       row, cluster -> and the cluster's size, by row (rule cluster_rows)
  firsts      row, cluster -> the lowest row of each cluster, by row (rule select_kept_rows)
  captions    caption key, row, cluster, size -> the most frequent captions (rule select_prompts)

DuckDB reads and writes Parquet itself. Ours goes through the contracts and checksums of the tables, as the rules do.
DuckDB has no connected components: rounds of joins give each node its lowest neighbour and merge the two, until no
pair is left (cf. Bogeholz, Brand, Todor 2020, "In-database connected component analysis").

DuckDB is no dependency. Install it into an environment of its own and name its Python:

    python -m venv duckdb && duckdb/bin/pip install duckdb
    python tests/benchmarks/duckdb_dedup.py --python duckdb/bin/python --rows 10000000
    python tests/benchmarks/duckdb_dedup.py --python duckdb/bin/python --rows 100000000 --folder /scratch

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
TASKS = ("components", "sizes", "firsts", "captions")
COLUMNS = (
    "rows", "memory_mb", "task", "side", "cpu_seconds", "seconds", "own_mb", "disk_mb", "equal", "version", "failed",
)  # fmt: skip
PIECE = 1_000_000  # rows made, written and compared together
INPUTS = {
    "components": "pairs", "sizes": "clusters", "firsts": "clusters", "captions": "captions",
}  # fmt: skip
SIZES = """
copy (
  select row, cluster, size::int as size
  from read_parquet('{given}') join (
    select cluster, count(*) as size from read_parquet('{given}') group by cluster
  ) using (cluster)
  order by row
) to '{result}' (format parquet, compression zstd)
"""
FIRSTS = """
copy (select min(row) as row from read_parquet('{given}') group by cluster order by row)
to '{result}' (format parquet, compression zstd)
"""
# of a caption's clusters the largest counts, of these the one met at the lowest row; rows tell all of them apart
CAPTIONS = """
copy (
  with met as (
    select key, case when cluster = -1 then -1 - row else cluster end as grp, min(row) as row,
      any_value(cluster) as cluster, any_value(cluster_size) as cluster_size, count(*) as own_count
    from read_parquet('{given}') group by key, grp
  ), best as (
    select key, sum(own_count) as caption_count, max(cluster_size) as cluster_size,
      arg_max(row, cluster_size::hugeint * 4611686018427387904 - row) as row,
      arg_max(cluster, cluster_size::hugeint * 4611686018427387904 - row) as cluster,
      arg_max(own_count, cluster_size::hugeint * 4611686018427387904 - row) as own_count
    from met group by key
  )
  select key, row, cluster, cluster_size, caption_count::bigint as caption_count, own_count
  from best
  order by greatest(cluster_size, caption_count) desc, own_count desc, row
  limit {n}
) to '{result}' (format parquet, compression zstd)
"""


def make_inputs(folder: Path, n: int, wanted: set[str]) -> None:
    """Tables of n rows: clusters of Zipf sizes, their pairs (a chain each, rows shuffled), and captions."""
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
    if "pairs" in wanted:
        linked = np.ones(n - 1, dtype=bool)
        linked[starts[1:] - 1] = False
        with TableWriter(folder / "pairs.parquet", "pairs") as out:
            for start in range(0, n - 1, PIECE):
                here = start + np.flatnonzero(linked[start : start + PIECE])
                a, b = rows[here], rows[here + 1]
                out.write(
                    pd.DataFrame(
                        {"row_a": np.minimum(a, b), "row_b": np.maximum(a, b),
                         "similarity": np.ones(len(a), np.float32)}
                    )
                )  # fmt: skip
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
    import pyarrow as pa
    import pyarrow.parquet as pq

    from verbatim.dedup.clusters import cluster_sizes, first_rows
    from verbatim.dedup.components import find_clusters
    from verbatim.dedup.prompts import rank_all_captions
    from verbatim.io.records import TableWriter, count_rows, iter_table

    memory, n_rows = args.memory_mb << 20, count_rows(given)
    if task == "captions":
        import numpy as np

        pieces = (
            batch.to_pandas() for batch in pq.ParquetFile(given).iter_batches(batch_size=PIECE)
        )
        asked = np.empty(0, np.uint64)
        ranked = rank_all_captions(pieces, n_rows, args.prompts, asked, scratch, memory).ranked
        pq.write_table(pa.Table.from_pandas(ranked, preserve_index=False), result)
        return
    if task == "components":
        chunks = (
            (p["row_a"].to_numpy(), p["row_b"].to_numpy()) for p in iter_table(given, "pairs")
        )
        made, kind = find_clusters(chunks, args.rows, scratch, memory), "clusters"
    elif task == "sizes":
        made = cluster_sizes(iter_table(given, "clusters"), n_rows, scratch, memory)
        kind = "cluster_sizes"
    else:
        made = first_rows(iter_table(given, "clusters"), n_rows, scratch, memory)
        kind = "kept_rows"
    with TableWriter(result, kind) as out:
        for piece in made:
            out.write(piece)


def run_duckdb(
    task: str, given: Path, result: Path, scratch: Path, args: argparse.Namespace
) -> None:
    """The same by SQL; the tables of the rounds of `components` lie in a database file, bounded as the rest."""
    import duckdb

    base = duckdb.connect(str(scratch / "base.duckdb"))
    base.execute(f"set memory_limit = '{args.memory_mb}MB'")
    base.execute("set threads = 1")
    base.execute("set preserve_insertion_order = false")
    base.execute(f"set temp_directory = '{scratch}'")
    if task != "components":
        sql = {"sizes": SIZES, "firsts": FIRSTS, "captions": CAPTIONS}[task]
        base.execute(sql.format(given=given, result=result, n=args.prompts))
        return
    base.execute(
        f"create table pairs as select row_a as a, row_b as b from read_parquet('{given}')"
    )
    base.execute(
        "create table root as select distinct unnest([a, b]) as row, 0::bigint as lowest from pairs"
    )
    base.execute("update root set lowest = row")
    while base.execute("select count(*) from pairs").fetchone()[0]:
        base.execute(
            "create or replace table low as select v, least(v, min(u)) as to_v from ("
            "select a as v, b as u from pairs union all select b, a from pairs) group by v"
        )
        base.execute(
            "create or replace table merged as select row, coalesce(to_v, lowest) as lowest "
            "from root left join low on root.lowest = low.v"
        )
        base.execute("drop table root")
        base.execute("alter table merged rename to root")
        base.execute(
            "create or replace table fewer as select distinct least(x.to_v, y.to_v) as a, greatest(x.to_v, y.to_v) as b "
            "from pairs join low x on pairs.a = x.v join low y on pairs.b = y.v where x.to_v <> y.to_v"
        )
        base.execute("drop table pairs")
        base.execute("alter table fewer rename to pairs")
    base.execute(
        f"copy (select row, lowest as cluster from root order by row) to '{result}' (format parquet, compression zstd)"
    )


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
    python = args.python if side == "duckdb" else sys.executable
    job = json.dumps({"task": task, "side": side, "folder": str(folder), "scratch": str(scratch)})
    numbers = [f"--rows={args.rows}", f"--memory-mb={args.memory_mb}", f"--prompts={args.prompts}"]
    line = {"rows": args.rows, "memory_mb": args.memory_mb, "task": task, "side": side}
    try:
        cost = measure([python, __file__, "--job", job, *numbers])
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
    run = run_ours if side == "ours" else run_duckdb
    run(task, given, result, Path(job["scratch"]), args)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--prompts", type=int, default=100_000, help="captions that are ranked")
    parser.add_argument(
        "--memory-mb", type=int, default=1000, help="dedup.memory_mb; DuckDB's limit"
    )
    parser.add_argument("--python", help="an interpreter that has duckdb; without, ours alone")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=TASKS)
    parser.add_argument("--folder", help="where to work (default: the temporary folder)")
    parser.add_argument("--out", type=Path, default=Path("duckdb_dedup.csv"))
    parser.add_argument("--job", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.job:
        run_job(args)
        return
    version = ""
    if args.python:
        import subprocess

        ask = [args.python, "-c", "import duckdb; print(duckdb.__version__)"]
        version = subprocess.run(ask, check=True, capture_output=True, text=True).stdout.strip()
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
                made = [measure_side(task, side, folder, args)
                        for side in (("ours", "duckdb") if args.python else ("ours",))]  # fmt: skip
                results = [folder / f"{task}-{line['side']}.parquet" for line in made]
                both = len(results) == 2 and all(result.exists() for result in results)
                equal = same(*results) if both else ""
                for line in made:
                    lines.writerow(line | {"equal": equal, "version": version})
                    print({**line, "equal": equal}, flush=True)
                file.flush()
                for result in results:
                    result.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.path.insert(0, str(SRC))
    main()
