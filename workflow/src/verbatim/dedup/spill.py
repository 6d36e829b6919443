"""Tables larger than memory: split into buckets on disk, or sorted in runs.

Two shapes of external work (Vitter 2001, "External memory algorithms and data structures") are all that
this stage needs: rows of one group are put into one bucket, and rows that must be in order are sorted in runs, which
are merged block by block.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType

import numpy as np
import pandas as pd
import pyarrow as pa

MOST_BUCKETS = 500  # files open at a time
MB = 1 << 20


def count_buckets(n_rows: int, bytes_a_row: int, memory: int) -> int:
    """Buckets among which `n_rows` are divided so that one, at `bytes_a_row`, fits into `memory` bytes."""
    return int(np.clip(-(-n_rows * bytes_a_row // max(1, memory)), 1, MOST_BUCKETS))


def count_run_rows(n_rows: int, bytes_a_row: int, memory: int) -> int:
    """Rows of a sorted run that, at `bytes_a_row`, fit into `memory` bytes; more where there would be too many runs."""
    return max(1, memory // bytes_a_row, -(-n_rows // MOST_BUCKETS))


def spread(keys: np.ndarray, n: int) -> np.ndarray:
    """A bucket in [0, n) for each key: (m,) uint64 -> (m,) int64. Equal keys share one, neighbours do not (splitmix64)."""
    mixed = np.ascontiguousarray(keys).view(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((mixed ^ (mixed >> np.uint64(31))) % np.uint64(n)).astype(np.int64)


class Buckets:
    """Rows in `n` files of a folder, one a bucket; use as a context manager, which deletes them.

    Rows of a bucket are read in the order in which they were added. A bucket that was read can not be added
    to any more; the others can.
    """

    _count = itertools.count()

    def __init__(self, folder: Path, name: str, n: int):
        self.folder, self.name, self.n = Path(folder), f"{name}-{next(self._count)}", n
        self._writers: dict[int, pa.ipc.RecordBatchStreamWriter] = {}

    def _path(self, bucket: int) -> Path:
        return self.folder / f"{self.name}-{bucket}.arrow"

    def add(self, bucket: np.ndarray, columns: dict[str, np.ndarray] | pd.DataFrame) -> None:
        """Put each row into its bucket: `bucket` (n,) in [0, self.n), `columns` of n values each."""
        if len(bucket) == 0:
            return
        if self.n == 1:
            self.put(0, columns)
            return
        table = _table(columns)
        order = np.argsort(bucket, kind="stable")
        ends = np.cumsum(np.bincount(bucket, minlength=self.n))
        table = table.take(pa.array(order))
        for b in np.flatnonzero(np.diff(ends, prepend=0)):
            low = int(ends[b - 1]) if b else 0
            self._write(int(b), table.slice(low, int(ends[b]) - low))

    def put(self, bucket: int, columns: dict[str, np.ndarray] | pd.DataFrame) -> None:
        """Put all rows, columns of shape (n,), into one bucket."""
        self._write(bucket, _table(columns))

    def close(self, bucket: int) -> None:
        """Nothing more is added to a bucket: its file needn't stay open."""
        self._writers[bucket].close()

    def _write(self, bucket: int, table: pa.Table) -> None:
        if bucket not in self._writers:
            self._writers[bucket] = pa.ipc.new_stream(str(self._path(bucket)), table.schema)
        self._writers[bucket].write_table(table)

    def blocks(self, bucket: int, rows: int) -> Iterator[dict[str, np.ndarray]]:
        """A bucket in blocks of about `rows` rows, each column (n,); the file is deleted afterwards."""
        if bucket not in self._writers:
            return
        self._writers.pop(bucket).close()
        held: list[pa.RecordBatch] = []
        n_held = 0
        path = str(self._path(bucket))
        try:
            with pa.OSFile(path) as file, pa.ipc.open_stream(file) as reader:
                for batch in reader:
                    held.append(batch)
                    n_held += batch.num_rows
                    if n_held >= rows:
                        yield _arrays(pa.Table.from_batches(held))
                        held, n_held = [], 0
            if held:
                yield _arrays(pa.Table.from_batches(held))
        finally:
            self._path(bucket).unlink()

    def frame(self, bucket: int) -> pd.DataFrame | None:
        """A whole bucket; None if nothing is in it."""
        for block in self.blocks(bucket, 1 << 62):
            return pd.DataFrame(block)
        return None

    def __enter__(self) -> Buckets:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, at: TracebackType | None
    ) -> None:
        for bucket in list(self._writers):
            self._writers.pop(bucket).close()
            self._path(bucket).unlink(missing_ok=True)


def _table(columns: dict[str, np.ndarray] | pd.DataFrame) -> pa.Table:
    return pa.table({str(name): pa.array(values) for name, values in columns.items()})


def _arrays(table: pa.Table) -> dict[str, np.ndarray]:
    return {name: table.column(name).to_numpy() for name in table.column_names}


def _not_after(keys: list[np.ndarray], bound: tuple[int, ...]) -> np.ndarray:
    """Whether each row's keys come, compared in order, not after `bound`."""
    result = np.ones(len(keys[0]), dtype=bool)
    for key, value in zip(reversed(keys), reversed(bound), strict=True):
        result = (key < value) | ((key == value) & result)
    return result


def sort_frames(
    frames: Iterable[pd.DataFrame],
    by: dict[str, bool],
    folder: Path,
    rows: int,
    block: int = 16384,
) -> Iterator[pd.DataFrame]:
    """All rows of `frames` in order, in pieces; `rows` rows and one block of each run are in memory.

    Parameters
    ----------
    frames
        Frames of one schema.
    by
        Column (of integers) -> whether it ascends, the most important first; together they tell any two
        rows apart, so that there is one order.
    folder
        For the sorted runs.
    rows
        Rows of a run (see `count_run_rows`), but for its last frame.
    block
        Rows of a run that are held while runs are merged.
    """
    columns, up = list(by), list(by.values())

    def in_order(parts: list[pd.DataFrame]) -> pd.DataFrame:
        whole = pd.concat(parts, ignore_index=True)
        return whole.sort_values(columns, ascending=up, ignore_index=True)

    def keys(frame: pd.DataFrame) -> list[np.ndarray]:
        values = [frame[name].to_numpy(np.int64) for name in columns]
        return [v if ascends else -v for v, ascends in zip(values, up, strict=True)]

    runs, held, n_held = 0, [], 0
    with Buckets(folder, "run", MOST_BUCKETS) as store:
        for frame in frames:
            held.append(frame)
            n_held += len(frame)
            if n_held >= rows:
                run = in_order(held)
                for start in range(0, len(run), block):
                    store.put(runs, run[start : start + block])
                store.close(runs)
                runs, held, n_held = runs + 1, [], 0
        rest = in_order(held) if held else None
        if runs == 0:
            if rest is not None:
                yield rest
            return
        sources = [_frames(store, i, block) for i in range(runs)]
        if rest is not None:
            sources.append(
                iter([rest[i : i + block] for i in range(0, len(rest), block)])  # views
            )
        heads = {
            i: first
            for i, source in enumerate(sources)
            if (first := next(source, None)) is not None
        }
        ready: list[pd.DataFrame] = []
        while heads:
            at = {i: keys(head) for i, head in heads.items()}
            # the lowest of the last keys: up to there nothing more can come from any run
            bound = min(tuple(int(k[-1]) for k in key) for key in at.values())
            for i, key in at.items():
                upto = int(_not_after(key, bound).sum())
                ready.append(heads[i][:upto])
                heads[i] = heads[i][upto:]
            if sum(len(part) for part in ready) >= 8 * block:
                yield in_order(ready)
                ready = []
            for i in [i for i, head in heads.items() if head.empty]:
                following = next(sources[i], None)
                if following is None:
                    del heads[i]
                else:
                    heads[i] = following
        if ready:
            yield in_order(ready)


def _frames(store: Buckets, bucket: int, rows: int) -> Iterator[pd.DataFrame]:
    for block in store.blocks(bucket, rows):
        yield pd.DataFrame(block)


class RowStream:
    """Frames in ascending order of their column `row`, taken in steps: a join with what comes by shards."""

    def __init__(self, frames: Iterable[pd.DataFrame]):
        self._frames = iter(frames)
        self._held: pd.DataFrame | None = next(self._frames, None)

    def upto(self, row: int) -> pd.DataFrame:
        """All rows up to this one that were not taken yet."""
        taken = []
        while self._held is not None:
            n = int(np.searchsorted(self._held["row"].to_numpy(), row, side="right"))
            taken.append(self._held[:n])
            if n < len(self._held):
                self._held = self._held[n:]
                break
            self._held = next(self._frames, None)
        return pd.concat(taken, ignore_index=True) if taken else pd.DataFrame({"row": []})

    def rest(self) -> pd.DataFrame:
        """All rows that were not taken yet."""
        return self.upto(np.iinfo(np.int64).max)
