"""Sorting, grouping and joining of tables larger than memory, by DuckDB.

The database lies in a job's own scratch folder, and whatever does not fit into memory goes there. It loads no extension,
reads no file by itself and opens no connection: rows come in as pieces of checked tables, and leave as pieces.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import pandas as pd
import pyarrow as pa

from verbatim.dedup import DedupError
from verbatim.io.atomic import WriteError

PIECE = 1 << 17  # rows handed out together
# a write that fails, and rows beyond the share of the free disk that DuckDB takes: the latter it calls out of memory
NO_ROOM = re.compile(r"No space left|quota exceeded|File too large|max_temp_directory_size")


class Database:
    """A database of one job in `folder`, which keeps to `memory` bytes; use as a context manager.

    Every query must order its rows wholly: no order of insertion is kept. A query fails with a DedupError, or with a
    WriteError where the disk is full.
    """

    def __init__(self, folder: Path, memory: int):
        import duckdb  # here: most jobs of this stage do without it

        self._errors = duckdb
        # ASSUME: below some 64 MB DuckDB has no room for its own buffers
        limit = max(memory, 64 << 20)
        self._memory, self._path = limit, Path(folder) / "dedup.duckdb"
        self._base = duckdb.connect(
            str(self._path),
            config={
                "memory_limit": f"{limit}B",
                "temp_directory": str(folder),
                "threads": "1",
                "preserve_insertion_order": "false",
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
            },
        )
        self._base.execute("set enable_external_access = false")  # no file but its own
        self._base.execute("set lock_configuration = true")
        self._failed: Exception | None = None

    def load(
        self, name: str, pieces: Iterable[pd.DataFrame], types: dict[str, str], how: str = ""
    ) -> None:
        """Make a table of all rows of `pieces`, or of a query over them.

        Parameters
        ----------
        name : of the new table.
        pieces : frames with at least the columns of `types`.
        types : column -> Arrow type, e.g. `int64`.
        how : a query that reads the rows once, as `given`; empty: all of them.
        """
        schema = pa.schema([(column, pa.type_for_alias(kind)) for column, kind in types.items()])

        def batches() -> Iterator[pa.RecordBatch]:
            try:
                for piece in pieces:
                    # long texts come in several chunks, which a table cuts into batches
                    table = pa.Table.from_pandas(
                        piece[list(types)], schema=schema, preserve_index=False
                    )
                    yield from table.to_batches()
            except Exception as err:
                self._failed = err  # DuckDB keeps only its text
                raise

        self._failed = None
        self._base.register("given", pa.RecordBatchReader.from_batches(schema, batches()))
        try:
            self._run(f"create table {name} as {how or 'select * from given'}")
        finally:
            self._failed = None
            self._base.unregister("given")

    def frame(self, query: str) -> pd.DataFrame:
        """All rows of a query, which must fit into memory."""
        found: pd.DataFrame = self._run(query).df()
        return found

    def pieces(self, query: str) -> Iterator[pd.DataFrame]:
        """The rows of a query in frames of about PIECE rows."""
        reader = None
        while True:
            try:
                # the relation is run at its first piece, which is where memory or the disk may end
                reader = reader or self._base.sql(query).to_arrow_reader(PIECE)
                batch = reader.read_next_batch()
            except StopIteration:
                return
            except (self._errors.Error, pa.ArrowException, OSError) as err:
                raise self._told(err) from err
            if batch.num_rows:
                yield batch.to_pandas()

    def _run(self, query: str) -> Any:
        try:
            return self._base.execute(query)
        except self._errors.Error as err:
            if self._failed is not None:
                raise self._failed from None
            raise self._told(err) from err

    def _told(self, err: Exception) -> DedupError | WriteError:
        """What a user can do about a failure of the database."""
        what = str(err).strip().splitlines()[0]
        if NO_ROOM.search(str(err)):
            return WriteError(
                errno.ENOSPC,
                f"{self._path.parent}: the disk is full, rows to sort and group do not fit ({what}); make room and "
                "run the same command again",
            )
        if "Out of Memory" in str(err) or "could not allocate" in str(err):
            return DedupError(
                f"{self._memory >> 20} MB are too few to sort and group the rows ({what}); raise dedup.memory_mb"
            )
        return DedupError(f"sorting and grouping in {self._path.parent} failed: {what}")

    def __enter__(self) -> Database:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, at: TracebackType | None
    ) -> None:
        self._base.close()
        for file in self._path.parent.glob(f"{self._path.name}*"):
            file.unlink(missing_ok=True)
