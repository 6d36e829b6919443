"""The manifest of the inputs: the rows of each shard, where they start, and checks on both.

Only the headers of the arrays, a sample of their blocks and the footers of the tables are read, so that
2,314 shards of LAION take seconds, and a wrong shard is named before any work is done on the right ones.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from verbatim.inputs.layouts import JOIN, MOST_NAMED, InputError, Source
from verbatim.io.records import MANIFEST
from verbatim.io.seals import Seal
from verbatim.io.stand_ins import stand_in_at

KINDS = ("float16", "float32")
BLOCK = 65536  # bytes of a sampled block
BLOCKS = 16  # sampled blocks of an array: a megabyte of the 1.5 gigabytes of a LAION shard
READERS = 16  # files looked at together: on a shared file system each read is a wait
NOT_IN_PATHS = '\t\n\r"' + JOIN


def read_header(path: str | os.PathLike) -> tuple[int, int, str]:
    """Rows, dimensions and type of a .npy file of embeddings, without reading the embeddings.

    Raises InputError if it is no .npy file, holds anything but rows of float16 or float32 (a pickled
    object array included), or is shorter or longer than its header says.
    """
    cure = "write it again, or fetch it again"
    try:
        with open(path, "rb") as file:
            version = np.lib.format.read_magic(file)
            if version == (1, 0):
                shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
            elif version == (2, 0):
                shape, fortran, dtype = np.lib.format.read_array_header_2_0(file)
            else:
                raise InputError(f"{path}: .npy of version {version}, 1 or 2 can be read; {cure}")
            start = file.tell()
    except FileNotFoundError as err:
        raise InputError(f"{path}: no such file") from err
    except InputError:
        raise
    except (ValueError, OSError) as err:
        raise InputError(f"{path}: not a .npy file ({stand_in_at(path) or err}); {cure}") from err
    if len(shape) != 2 or dtype.name not in KINDS or fortran or not dtype.isnative:
        raise InputError(
            f"{path}: an array {shape} of {dtype}{' in Fortran order' if fortran else ''}; "
            f"embeddings are (rows, dimensions) of {' or '.join(KINDS)} in C order"
        )
    expected, size = start + shape[0] * shape[1] * dtype.itemsize, Seal(path).size
    if size != expected:
        raise InputError(
            f"{path}: {size} bytes, but its header promises {expected} "
            f"({shape[0]} rows of {shape[1]}); {cure}"
        )
    return int(shape[0]), int(shape[1]), dtype.name


def read_footer(path: str | os.PathLike) -> tuple[int, str]:
    """Rows of a Parquet file, and the sha256 of its footer.

    The footer holds place, size, row count and range of values of every column chunk: it changes with the
    data, and takes no time to read where hashing all of LAION's metadata would take hours.
    """
    try:
        rows = pq.read_metadata(path).num_rows
    except FileNotFoundError as err:
        raise InputError(f"{path}: no such file") from err
    except (pa.ArrowInvalid, OSError) as err:
        raise InputError(
            f"{path}: not a Parquet file ({stand_in_at(path) or err}); fetch it again"
        ) from err
    with open(path, "rb") as file:
        file.seek(-8, os.SEEK_END)
        length = int.from_bytes(file.read(4), "little")
        file.seek(-8 - length, os.SEEK_END)
        return rows, hashlib.sha256(file.read(length)).hexdigest()


def sample_digest(path: str | os.PathLike) -> str:
    """Digest of a large file without reading it: "sampled:" and the sha256 of its size and of 16 blocks.

    The blocks of 64 KiB are spread evenly, the first and the last among them. A file cut short, written again or
    of another release has another digest; one that differs in a few bytes may not (the rule
    check_digests reads every byte).
    """
    size = os.path.getsize(path)
    digest = hashlib.sha256(f"{size}\0".encode())
    with open(path, "rb") as file:
        for start in np.unique(np.linspace(0, max(0, size - BLOCK), BLOCKS).astype(np.int64)):
            file.seek(int(start))
            digest.update(file.read(BLOCK))
    return f"sampled:{digest.hexdigest()}"


def full_digest(path: str | os.PathLike) -> str:
    """The sha256 of every byte of a file, as sha256sum prints it."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _look(paths: Iterable[str], read: Callable[[str], Any], problems: list[str]) -> list[Any]:
    """`read` of each path, None where it cannot be read; paths that a TSV cannot hold are problems too."""
    paths = list(paths)

    def attempt(path: str) -> Any:
        try:
            return read(path)
        except InputError as err:
            return err

    with ThreadPoolExecutor(READERS) as pool:
        found = list(pool.map(attempt, paths))
    problems += [str(one) for one in found if isinstance(one, InputError)]
    problems += [
        f"{path!r}: a tab, quote, bar or line break in a path; rename the folder"
        for path in paths
        if any(c in path for c in NOT_IN_PATHS)
    ]
    return [None if isinstance(one, InputError) else one for one in found]


def _fail(problems: list[str]) -> None:
    if problems:
        more = len(problems) - MOST_NAMED
        raise InputError(
            f"{len(problems)} problems with the inputs:\n"
            + "\n".join(problems[:MOST_NAMED])
            + (f"\nand {more} more" if more > 0 else "")
        )


def _total_problem(source: Source, n_rows: int, tables: list[tuple[int, str]]) -> list[str]:
    n_metadata = sum(rows for rows, _ in tables)
    if n_rows == n_metadata:
        return []
    return [
        f"{len(source.embeddings)} files of embeddings ({source.embeddings[0]}, ...) have {n_rows} rows, the "
        f"{len(source.metadata)} tables ({source.metadata[0]}, ...) {n_metadata}: they cannot be matched by "
        "position. laion2B-en's tables list what was to be downloaded, the embeddings what was: bring "
        "the metadata/metadata_N.parquet of the embeddings' own release"
    ]


def covering(first: int, rows: int, starts: np.ndarray) -> tuple[int, int, int]:
    """Which tables hold the rows [first, first + rows): first table, end table, row in the first.

    starts : (t + 1,) global row at which each table starts, and the total.
    """
    begin = int(np.searchsorted(starts, first, side="right")) - 1
    end = int(np.searchsorted(starts, first + max(rows, 1), side="left"))
    begin = min(begin, len(starts) - 2)  # a shard without rows at the end
    return begin, max(end, begin + 1), first - int(starts[begin])


def build_manifest(source: Source, archive: str) -> pd.DataFrame:
    """One row for each shard: its files, its rows and where they start, in order of the global row.

    Parameters
    ----------
    source
        The files, as `layouts.match_files` found them.
    archive
        Folder of img2dataset's archives, "" if there is none: then images cannot be compared, only
        embeddings.

    Returns
    -------
    Columns of `records.MANIFEST`. Where tables are cut differently than the embeddings, `metadata` names
    all that hold rows of the shard, joined by "|", and `metadata_row` says which row of the first is the
    shard's first. Without embeddings their columns are "" and 0.

    Raises
    ------
    InputError
        Naming every file that cannot be read and every shard whose embeddings and metadata differ
        in rows, or that differs from the first in dimensions.
    """
    problems: list[str] = []
    headers = _look(source.embeddings, read_header, problems)
    tables = _look(source.metadata, read_footer, problems)
    _look([archive], str, problems)
    dims = [header[1] for header in headers if header is not None]
    for path, header in zip(source.embeddings, headers, strict=True):
        if header is not None and (header[1] == 0 or header[1] != dims[0]):
            of_first = f", {source.embeddings[0]} has {dims[0]}" if header[1] != dims[0] else ""
            problems.append(
                f"{path} has {header[1]} dimensions{of_first}: all shards must come from one model"
            )
    if source.embeddings and not source.by_position:
        for array, table, header, footer in zip(
            source.embeddings, source.metadata, headers, tables, strict=True
        ):
            if header is not None and footer is not None and header[0] != footer[0]:
                problems.append(
                    f"{array} has {header[0]} rows and {table} {footer[0]}: row i of one "
                    "must be row i of the other; fetch the pair again from one release"
                )
    _fail(problems)
    counts = np.array([n for n, *_ in (headers or tables)], dtype=np.int64)
    if counts.sum() == 0:
        raise InputError("the inputs have no rows; bring at least one shard that is not empty")
    if source.by_position:
        _fail(_total_problem(source, int(counts.sum()), tables))
    first_rows = np.concatenate([[0], np.cumsum(counts)])
    starts = np.concatenate([[0], np.cumsum([n for n, _ in tables])])
    digests = _look(source.embeddings, sample_digest, problems)
    records = []
    for i, shard in enumerate(source.shards):
        begin, end, offset = (
            covering(int(first_rows[i]), int(counts[i]), starts)
            if source.by_position
            else (i, i + 1, 0)
        )
        records.append(
            {
                "shard": shard,
                "embeddings": source.embeddings[i] if headers else "",
                "metadata": JOIN.join(source.metadata[begin:end]),
                "rows": counts[i],
                "first_row": first_rows[i],
                "dim": dims[0] if headers else 0,
                "archive": archive,
                "footer_sha256": JOIN.join(digest for _, digest in tables[begin:end]),
                "metadata_row": offset,
                "embeddings_digest": digests[i] if digests else "",
            }
        )
    return pd.DataFrame(records, columns=list(MANIFEST))


def format_manifest(manifest: pd.DataFrame) -> str:
    """The manifest as the text of a TSV file."""
    return manifest[list(MANIFEST)].to_csv(sep="\t", index=False, lineterminator="\n")
