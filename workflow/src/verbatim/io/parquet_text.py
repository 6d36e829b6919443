"""Columns of a Parquet file as text, for any type, in bounded memory.

A Parquet file of some kilobytes can hold gigabytes: a page repeats one long value, or is compressed a thousandfold. So
the sizes that the footer states are checked first, texts are read as dictionaries (a value that is repeated is held
once), in batches, and what the batches hold in all is counted as they come.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from verbatim.io.stand_ins import stand_in_at

MOST_ROWS = (
    50_000_000  # ASSUME: of one reading; DiffusionDB has 14 million, a file of LAION 18 million
)
MOST_BYTES = (
    2**33
)  # ASSUME: of the texts of one column in one reading; DiffusionDB's prompts are 2e9 bytes
HELD_BYTES = 2**31  # ASSUME: of them in memory, where rows of a batch share a text that they repeat
CHUNK_BYTES = (
    2**31
)  # ASSUME: of one column in one row group, unpacked; what one Parquet page may hold
LONGEST_CELL = (
    2**20
)  # ASSUME: bytes of one text of a user's table; a model reads some hundred characters of a prompt
BATCH_BYTES = 2**26  # bytes that a batch should hold
BATCH_ROWS = 65536
_IN_DICTIONARY = re.compile(
    r"dictionary<values=([^,<]+), indices=\w+, ordered=\d>"
)  # as we read it
_NOT_TEXT = "write it as a column of text"


class UserTableError(ValueError):
    """A table cannot be used as it is; the message names the file, the line or row, and the cure."""


def open_parquet(path: str | os.PathLike, columns: Sequence[str] | None = None) -> pq.ParquetFile:
    """A Parquet file whose texts in `columns` come as dictionaries; without `columns` only its footer is of use.

    Raises
    ------
    UserTableError
        If the file is not there or is no Parquet file.
    """
    try:
        file = pq.ParquetFile(path)
        if columns is not None:
            leaves = [
                leaf.path for leaf in _leaves(file, columns) if leaf.physical_type == "BYTE_ARRAY"
            ]
            file = pq.ParquetFile(path, read_dictionary=leaves, buffer_size=1 << 20)
        return file
    except FileNotFoundError as err:
        raise UserTableError(f"{path}: no such file") from err
    except (pa.ArrowException, OSError, ValueError) as err:
        if stand_in := stand_in_at(path):
            raise UserTableError(f"{path}: this is {stand_in}") from err
        raise UserTableError(
            f"{path}: cannot be read as Parquet ({_first_line(err)}); write or fetch it again"
        ) from err


def _first_line(err: BaseException) -> str:
    return (str(err).strip().splitlines() or [type(err).__name__])[0][:300]


def _leaves(file: pq.ParquetFile, columns: Sequence[str]) -> list[Any]:
    """The leaf columns under the columns of these names."""
    every = [file.schema.column(i) for i in range(len(file.schema))]
    return [leaf for leaf in every for name in columns if f"{leaf.path}.".startswith(f"{name}.")]


def _check_footer(file: pq.ParquetFile, path: str, columns: Sequence[str]) -> int:
    """Refuse what the footer says is too large; the bytes of a row of these columns, at least 1."""
    rows = file.metadata.num_rows
    largest = 1
    for leaf in _leaves(file, columns):
        at = next(i for i in range(len(file.schema)) if file.schema.column(i).path == leaf.path)
        for group in range(file.metadata.num_row_groups):
            chunk = file.metadata.row_group(group).column(at)
            if chunk.total_uncompressed_size > CHUNK_BYTES or chunk.num_values > MOST_ROWS:
                raise UserTableError(
                    f"{path}: column {leaf.path!r} of row group {group} holds {chunk.num_values} values in "
                    f"{chunk.total_uncompressed_size} bytes when it is unpacked, more than {CHUNK_BYTES} bytes "
                    f"or {MOST_ROWS} values; write it in smaller row groups"
                )
            group_rows = max(1, file.metadata.row_group(group).num_rows)
            largest = max(largest, chunk.total_uncompressed_size // group_rows)
    if rows < 0:
        raise UserTableError(f"{path}: states {rows} rows; write or fetch it again")
    return largest


def iter_columns(
    path: str | os.PathLike, columns: Sequence[str], start: int = 0, count: int | None = None
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """`count` rows of some columns from row `start` on (to the end for None), batch by batch.

    Yields
    ------
    Number of the batch's first row in the file, from 0, and the batch. Only row groups that hold a row are read.

    Raises
    ------
    UserTableError
        Naming the file and the column: no Parquet, damaged, or larger than `MOST_ROWS` and `CHUNK_BYTES`.
    """
    file = open_parquet(path, columns)
    row_bytes = _check_footer(file, str(path), columns)
    stop = file.metadata.num_rows if count is None else min(start + count, file.metadata.num_rows)
    if stop - start > MOST_ROWS:
        raise UserTableError(
            f"{path}: {stop - start} rows, more than {MOST_ROWS}; split the file, or bring fewer rows"
        )
    batch_rows = int(np.clip(BATCH_BYTES // row_bytes, 1, BATCH_ROWS))
    at = 0
    try:
        for group in range(file.metadata.num_row_groups):
            size = file.metadata.row_group(group).num_rows
            if at + size > start and at < stop:
                here = at
                for batch in file.iter_batches(
                    batch_rows, row_groups=[group], columns=list(columns), use_threads=False
                ):
                    low, high = max(start - here, 0), min(stop - here, len(batch))
                    if high > low:
                        yield here + low, batch.slice(low, high - low)
                    here += len(batch)
            at += size
    except (pa.ArrowException, OSError) as err:
        raise UserTableError(
            f"{path}: cannot be read as Parquet ({_first_line(err)}); write or fetch it again"
        ) from err


class _BadCellError(Exception):
    """A cell that is no text."""

    def __init__(self, index: int, problem: str):
        super().__init__(problem)
        self.index = index


class TextColumn:
    """Gathers a column's batches as text.

    Parameters
    ----------
    where
        File and column, for messages.
    lenient
        A text that is no UTF-8 or too long, and a list of several, become None; otherwise they are refused.
    most_bytes
        Of all texts, a repeated one counted each time.
    """

    def __init__(self, where: str, lenient: bool = False, most_bytes: int = MOST_BYTES):
        self.where, self.lenient, self.most_bytes = where, lenient, most_bytes
        self._parts: list[npt.NDArray[np.object_]] = []
        self._bytes = self._held = 0

    def add(self, first: int, array: pa.Array) -> None:
        """The next batch, whose first row is row `first` of the file; raises UserTableError."""
        try:
            values, sizes, held = _texts(array, self.lenient)
        except _BadCellError as err:
            raise UserTableError(f"{self.where}, row {first + err.index}: {err}") from err
        except (pa.ArrowException, TypeError) as err:
            kind = _IN_DICTIONARY.sub(r"\1", str(array.type))
            raise UserTableError(f"{self.where} is {kind}, not text; {_NOT_TEXT}") from err
        self._bytes += int(sizes.sum())
        self._held += held
        if self._bytes > self.most_bytes or self._held > HELD_BYTES:
            most = min(self.most_bytes, self._bytes - 1)
            raise UserTableError(
                f"{self.where} holds more than {most} bytes of text when it is unpacked (rows up to "
                f"{first + len(values) - 1}); bring fewer rows, or shorter texts"
            )
        self._parts.append(values)

    def result(self) -> npt.NDArray[np.object_]:
        """(n,) str or None."""
        return np.concatenate(self._parts) if self._parts else np.empty(0, dtype=object)


def read_texts(
    path: str | os.PathLike,
    columns: Sequence[str],
    start: int = 0,
    count: int | None = None,
) -> dict[str, npt.NDArray[np.object_]]:
    """Columns of a Parquet file as text: name -> (n,) str, or None where a row has none.

    Text of every kind (dictionaries and categories, large, view, bytes in UTF-8) comes as it is; numbers as they are
    usually written (12.0 as "12"), truth values as "true" and "false", dates and times in ISO 8601; NaN is None; a
    list of one text is that text, an empty list None.

    Parameters
    ----------
    start, count
        First row and number of rows; None reads to the end.

    Raises
    ------
    UserTableError
        Naming file, column and row (from 0): a type that is no text (struct, map, a list of more), bytes that are
        no UTF-8, a text above `LONGEST_CELL`, or more than the limits of this module.
    """
    gathered = {name: TextColumn(f"{path}: column {name!r}") for name in columns}
    for first, batch in iter_columns(path, columns, start, count):
        for name, column in gathered.items():
            column.add(first, batch.column(name))
    return {name: column.result() for name, column in gathered.items()}


# str or None, bytes of each, and bytes that they hold together
Texts = tuple[npt.NDArray[np.object_], npt.NDArray[np.int64], int]


def _texts(array: pa.Array, lenient: bool) -> Texts:
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        return _texts(array.storage, lenient)
    if pa.types.is_null(kind):
        return np.full(len(array), None, dtype=object), np.zeros(len(array), np.int64), 0
    if pa.types.is_dictionary(kind):
        return _of_dictionary(array, lenient)
    if is_list(kind):
        return _of_lists(array, lenient)
    if is_text(kind) or is_bytes(kind):
        return _decoded(array, lenient)
    if pa.types.is_floating(kind):  # NaN is how pandas writes what is missing
        array = pc.if_else(pc.is_nan(array), pa.scalar(None, kind), array)
    if not (pa.types.is_primitive(kind) or pa.types.is_decimal(kind)):
        raise TypeError(f"{kind} is no text")
    texts = array.cast(pa.string()).to_pylist()
    return np.array(texts, dtype=object), np.full(len(texts), 8, np.int64), 8 * len(texts)


def is_text(kind: pa.DataType) -> bool:
    """Whether an Arrow type is text, of any of its kinds."""
    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return any(test(kind) for test in tests)


def is_bytes(kind: pa.DataType) -> bool:
    """Whether an Arrow type is bytes, of any of its kinds."""
    tests = (
        pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view,
        pa.types.is_fixed_size_binary,
    )  # fmt: skip
    return any(test(kind) for test in tests)


def is_list(kind: pa.DataType) -> bool:
    """Whether an Arrow type is a list, of any of its kinds."""
    tests = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(test(kind) for test in tests)


def _of_dictionary(array: pa.DictionaryArray, lenient: bool) -> Texts:
    """Each value that a row has is decoded and held once; a batch's dictionary may be that of a whole row group."""
    n = len(array.dictionary)
    at = array.indices.cast(pa.int64()).fill_null(n).to_numpy(zero_copy_only=False)
    used, place = np.unique(at, return_inverse=True)
    some = used[used < n]
    try:
        values, sizes, held = _texts(array.dictionary.take(pa.array(some)), lenient)
    except _BadCellError as err:
        raise _BadCellError(int(np.flatnonzero(place == err.index)[0]), str(err)) from err
    none = np.array([None], dtype=object)  # what a null stands for
    return np.concatenate([values, none])[place], np.append(sizes, 0)[place], held


def _of_lists(array: pa.Array, lenient: bool) -> Texts:
    """Of lists of one text the text."""
    lengths = pc.list_value_length(array).fill_null(0).to_numpy(zero_copy_only=False)
    many = np.flatnonzero(lengths > 1)
    if len(many) and not lenient:
        raise _BadCellError(
            int(many[0]),
            f"a list of {lengths[many[0]]} where one text is needed; write a row for each",
        )
    values: npt.NDArray[np.object_] = np.full(len(array), None, dtype=object)
    sizes = np.zeros(len(array), np.int64)
    one = np.flatnonzero(lengths == 1)
    flat = array.flatten()
    if len(many):
        firsts = np.repeat(lengths == 1, lengths)
        flat = flat.filter(pa.array(firsts))
    try:
        values[one], sizes[one], held = _texts(flat, lenient)
    except _BadCellError as err:
        raise _BadCellError(int(one[err.index]), str(err)) from err
    return values, sizes, held


def _decoded(array: pa.Array, lenient: bool) -> Texts:
    """Text or bytes as str; Parquet does not check that what is called text is UTF-8."""
    fixed = pa.types.is_fixed_size_binary(array.type)
    whole = array if fixed else array.cast(pa.large_binary())
    values: npt.NDArray[np.object_] = np.full(len(array), None, dtype=object)
    sizes = pc.binary_length(whole).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    if is_text(array.type) and sizes.max(initial=0) <= LONGEST_CELL:
        with contextlib.suppress(UnicodeDecodeError):
            values[:] = array.to_pylist()
            return values, sizes, int(sizes.sum())
    for i, value in enumerate(whole.to_pylist()):
        if value is None:
            continue
        try:
            if len(value) <= LONGEST_CELL:
                values[i] = value.decode("utf-8")
                continue
            problem = f"a text of {len(value)} bytes, more than {LONGEST_CELL}; shorten it"
        except UnicodeDecodeError as err:
            problem = f"no UTF-8 (byte {value[err.start]:#04x}); {_NOT_TEXT}"
        if not lenient:
            raise _BadCellError(i, problem)
        sizes[i] = 0
    return values, sizes, int(sizes.sum())


def read_numbers(array: pa.Array, where: str) -> npt.NDArray[np.float64]:
    """A column as numbers, (n,), whatever its type; NaN for what is missing or no number.

    where : file and column, for messages. Raises UserTableError for a type that cannot be said as text.
    """
    kind = array.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        values = array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        return np.asarray(values, dtype=np.float64)
    column = TextColumn(where, lenient=True)
    column.add(0, array)
    texts = pd.Series(column.result(), dtype=object)
    return pd.to_numeric(texts, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)


def read_lists(array: pa.Array, where: str) -> list[Any]:
    """A column of lists, of any depth, or of numbers, as Python values: an absent list is an empty one, an absent number None.

    Texts in lists are str. Raises UserTableError for one that is no UTF-8 or too long.
    """
    kind = array.type
    if is_list(kind):
        lengths = pc.list_value_length(array).fill_null(0).to_numpy(zero_copy_only=False)
        flat = read_lists(array.flatten(), where)
        ends = np.cumsum(lengths, dtype=np.int64).tolist()
        starts = [0, *ends][: len(ends)]
        return [flat[start:end] for start, end in zip(starts, ends, strict=True)]
    if pa.types.is_dictionary(kind) or is_text(kind) or is_bytes(kind):
        column = TextColumn(where)
        column.add(0, array)
        return list(column.result())
    return list(array.to_pylist())
