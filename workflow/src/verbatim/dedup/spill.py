"""Tables larger than memory, split into buckets on disk: rows that are worked on together are put into one bucket.

Vitter 2001, "External memory algorithms and data structures". Connected components and the comparison of equal vectors
work so, because a database has no such operation; for what is sorted, grouped or joined there is `database`.
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
        table = _table(columns)
        if self.n == 1:
            self._write(0, table)
            return
        order = np.argsort(bucket, kind="stable")
        ends = np.cumsum(np.bincount(bucket, minlength=self.n))
        table = table.take(pa.array(order))
        for b in np.flatnonzero(np.diff(ends, prepend=0)):
            low = int(ends[b - 1]) if b else 0
            self._write(int(b), table.slice(low, int(ends[b]) - low))

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
