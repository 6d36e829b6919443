"""Parquet files of ours, with a checksum over every byte that decides what is read.

Parquet has a CRC-32 of each page's data, which pyarrow writes and compares when it is asked to. Its footer, which says
how many rows there are, where each page lies and between which values its rows are, has none. Here it gets one, under
the key `verbatim.crc32` of the footer itself: of its bytes with eight zeros in that place.
"""

from __future__ import annotations

import contextlib
import os
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from verbatim.io.atomic import new_file
from verbatim.io.seals import DamagedError

_KEY = b"verbatim.crc32"
# in the footer: the key, the Thrift header of the value (a field of eight bytes), the value
_PLACE = re.compile(re.escape(_KEY) + rb"(\x18\x08)([0-9a-f]{8})")


@contextlib.contextmanager
def new_parquet(path: str | os.PathLike, schema: pa.Schema) -> Iterator[Callable[[pa.Table], None]]:
    """Give a function that adds a table of the schema, as row groups of its own; see `atomic.new_file`."""
    with new_file(path) as temporary:
        writer = pq.ParquetWriter(temporary, schema, compression="zstd", write_page_checksum=True)
        try:
            yield writer.write_table
            writer.add_key_value_metadata({_KEY.decode(): "0" * 8})
            writer.close()
        except BaseException:
            writer.is_open = (
                False  # what could not be written is not closed either: the file is deleted
            )
            raise
        _seal_footer(temporary)


def write_parquet(path: str | os.PathLike, table: pa.Table) -> None:
    """Write a table."""
    with new_parquet(path, table.schema) as write:
        write(table)


def _footer(path: str | os.PathLike) -> tuple[int, bytes]:
    """Where the footer starts, and its bytes with what follows it."""
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 8))
        tail = file.read(8)
        length = int.from_bytes(tail[:4], "little")
        if size < 12 or tail[4:] != b"PAR1" or length > size - 12:
            raise DamagedError(path, f"not a Parquet file of {size} bytes")
        file.seek(size - 8 - length)
        return size - 8 - length, file.read()


def _seal_footer(path: Path) -> None:
    start, footer = _footer(path)
    place = _last_place(footer)
    assert place is not None
    with open(path, "r+b") as file:
        file.seek(start + place.start(2))
        file.write(b"%08x" % zlib.crc32(footer))


def _last_place(footer: bytes) -> re.Match[bytes] | None:
    places = list(_PLACE.finditer(footer))
    return places[-1] if places else None


def check_footer(path: str | os.PathLike) -> None:
    """Compare a file's footer with its checksum, if it has one.

    Raises
    ------
    DamagedError
        If it is not what was written, or there is none.
    FileNotFoundError
        If there is no file.
    """
    _, footer = _footer(path)
    place = _last_place(footer)
    if place is None:  # written without a checksum, as by another program
        return
    zeroed = footer[: place.start(2)] + b"0" * 8 + footer[place.end(2) :]
    if b"%08x" % zlib.crc32(zeroed) != place[2]:
        raise DamagedError(path, "its footer has another checksum")


def open_parquet(path: str | os.PathLike) -> pq.ParquetFile:
    """Open a file of ours, its footer checked; pages are checked as they are read.

    Raises
    ------
    DamagedError, FileNotFoundError
        As `check_footer` does.
    """
    check_footer(path)
    try:
        return pq.ParquetFile(path, page_checksum_verification=True)
    except (pa.ArrowInvalid, OSError) as err:
        raise DamagedError(path, err) from err


def read_parquet(
    path: str | os.PathLike,
    columns: list[str],
    filters: list[tuple[str, str, Any]] | None = None,
) -> pa.Table:
    """Read columns of a file of ours, of some rows only where there are `filters` (as pyarrow takes them).

    Raises
    ------
    DamagedError, FileNotFoundError
        As `check_footer` does, and if a page that is read is damaged.
    """
    check_footer(path)
    try:
        return pq.read_table(
            path, columns=columns, filters=filters, partitioning=None, page_checksum_verification=True
        )  # fmt: skip
    except (pa.ArrowException, OSError) as err:
        raise DamagedError(path, err) from err


def iter_parquet(path: str | os.PathLike, columns: list[str]) -> Iterator[pa.Table]:
    """Read a file of ours in pieces, a row group each; raises as `read_parquet` does."""
    with open_parquet(path) as file:
        for group in range(file.num_row_groups):
            try:
                yield file.read_row_group(group, columns)
            except (pa.ArrowException, OSError) as err:
                raise DamagedError(path, err) from err
