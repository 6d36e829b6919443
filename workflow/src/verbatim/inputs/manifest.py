"""The manifest of the inputs: how many rows each shard has, where they start, and whether that is sound.

Only the headers of the arrays and the footers of the tables are read, so that 2,314 shards of LAION
take seconds, and a wrong shard is named before any work is done on the right ones.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from verbatim.inputs.layouts import MOST_NAMED, InputError, ShardFiles
from verbatim.records import MANIFEST

KINDS = ("float16", "float32")


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
        raise InputError(f"{path}: not a .npy file ({err}); {cure}") from err
    if len(shape) != 2 or dtype.name not in KINDS or fortran or not dtype.isnative:
        raise InputError(
            f"{path}: an array {shape} of {dtype}{' in Fortran order' if fortran else ''}; "
            f"embeddings are (rows, dimensions) of {' or '.join(KINDS)} in C order"
        )
    expected, size = start + shape[0] * shape[1] * dtype.itemsize, os.path.getsize(path)
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
        raise InputError(f"{path}: not a Parquet file ({err}); fetch it again") from err
    with open(path, "rb") as file:
        file.seek(-8, os.SEEK_END)
        length = int.from_bytes(file.read(4), "little")
        file.seek(-8 - length, os.SEEK_END)
        return rows, hashlib.sha256(file.read(length)).hexdigest()


def build_manifest(files: Iterable[ShardFiles], archive: str) -> pd.DataFrame:
    """One row a shard: its files, its rows and where they start, in order of the global row.

    Parameters
    ----------
    files
        The shards in order, as `layouts.match_files` pairs them.
    archive
        Folder of img2dataset's archives, "" if there is none: then pictures cannot be compared, only
        embeddings.

    Raises
    ------
    InputError
        Naming every file that cannot be read and every shard whose embeddings and metadata differ
        in rows, or that differs from the first in dimensions.
    """
    records: list[tuple[str, str, str, int, int, int, str, str]] = []
    problems: list[str] = []
    first_row = 0
    for shard in files:
        try:
            rows, dim, _ = read_header(shard.embeddings)
            n_metadata, digest = read_footer(shard.metadata)
        except InputError as err:
            problems.append(str(err))
            continue
        if rows != n_metadata:
            problems.append(
                f"{shard.embeddings} has {rows} rows and {shard.metadata} {n_metadata}: row i of one "
                "must be row i of the other; fetch the pair again from one release"
            )
        if dim == 0 or (records and dim != records[0][5]):
            of_first = f", {records[0][1]} has {records[0][5]}" if records else ""
            problems.append(
                f"{shard.embeddings} has {dim} dimensions{of_first}: all shards must come from one model"
            )
        for path in (shard.embeddings, shard.metadata, archive):
            if any(c in path for c in '\t\n\r"'):
                problems.append(
                    f"{path!r}: a tab, quote or line break in a path; rename the folder"
                )
        records.append(
            (shard.shard, shard.embeddings, shard.metadata, rows, first_row, dim, archive, digest)
        )
        first_row += rows
    if problems:
        more = len(problems) - MOST_NAMED
        raise InputError(
            f"{len(problems)} problems with the inputs:\n"
            + "\n".join(problems[:MOST_NAMED])
            + (f"\nand {more} more" if more > 0 else "")
        )
    if first_row == 0:
        raise InputError("the inputs have no rows; bring at least one shard that is not empty")
    return pd.DataFrame(records, columns=list(MANIFEST))


def format_manifest(manifest: pd.DataFrame) -> str:
    """The manifest as the text of a TSV file."""
    return manifest[list(MANIFEST)].to_csv(sep="\t", index=False, lineterminator="\n")
