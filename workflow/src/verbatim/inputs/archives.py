"""Which img2dataset archive holds the picture with a key.

img2dataset writes `00007.tar` beside `00007.parquet`; a key is the shard's number and a number within it,
how wide depends on its settings. So it is read off: from the table beside the archive (the range of its
column `key`, which stands in the footer), or, without one, from the first name in the archive.
"""

from __future__ import annotations

import os
import re
import tarfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from verbatim.inputs.layouts import MOST_NAMED, InputError
from verbatim.inputs.pictures import SUFFIXES
from verbatim.io.parquet_text import UserTableError, read_texts

COLUMNS = ["archive", "first_key", "last_key", "suffix"]
KEY = r"[0-9]{1,18}"  # a key is compared as an int64


def first_picture(archive: str | os.PathLike) -> tuple[str, str]:
    """Stem and suffix of the first picture's name in an archive.

    Raises InputError if there is none or the archive cannot be read.
    """
    try:
        with tarfile.open(archive, "r:") as tar:
            for info in tar:
                name = PurePosixPath(info.name)
                if name.suffix.lower() in SUFFIXES:
                    return name.stem, name.suffix
    except (tarfile.TarError, OSError, ValueError) as err:
        raise InputError(f"{archive}: cannot be read as a tar ({err}); fetch it again") from err
    raise InputError(
        f"{archive}: holds no picture ({', '.join(SUFFIXES)}); fetch it again or take it away"
    )


def _keys_of_table(path: Path) -> list[str]:
    """Keys in img2dataset's table, the lowest and the highest among them; none if the table is empty."""
    try:
        file = pq.ParquetFile(path)
        if "key" not in file.schema_arrow.names:
            raise InputError(f"{path}: has no column `key`; it is not a table of img2dataset's")
        column = file.schema_arrow.names.index("key")
        groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
        stats = [g.column(column).statistics for g in groups if g.num_rows]
        if all(s is not None and s.has_min_max for s in stats):
            ends = [end for s in stats for end in (s.min, s.max)]
            # text is in the order of its numbers only where it is of one width
            if all(isinstance(end, int) for end in ends) or len({len(str(e)) for e in ends}) == 1:
                return [str(end) for end in ends]
        keys = read_texts(path, ["key"])["key"]
        return [str(key) for key in keys if key is not None]
    except (pa.ArrowInvalid, OSError, UserTableError) as err:
        raise InputError(f"{path}: cannot be read as Parquet ({err}); fetch it again") from err


def key_ranges(archives: Iterable[str]) -> pd.DataFrame:
    """The keys that each archive holds.

    Returns
    -------
    archive (path), first_key, last_key (int64), suffix (of its pictures, with the dot: that of the first
    archive that can be read, as img2dataset has one format a run); sorted by key.

    Raises
    ------
    InputError
        Naming archives whose keys cannot be told, are no numbers, or are claimed by another one too.
    """
    records, problems, suffix = [], [], ""
    for archive in archives:
        table = Path(archive).with_suffix(".parquet")
        try:
            if not suffix or not table.exists():
                try:
                    stem, suffix_here = first_picture(archive)
                    suffix = suffix or suffix_here
                except InputError:
                    if not table.exists():
                        raise
                    # the reader of pictures records it, row by row
            if table.exists():
                keys = _keys_of_table(table)
                if not keys:
                    continue
            else:
                name = Path(archive).stem
                if not stem.startswith(name):
                    raise InputError(
                        f"{archive}: its first picture is {stem!r}, and no {table.name} beside it tells "
                        "its keys; bring that table"
                    )
                width = len(stem) - len(name)
                keys = [name + "0" * width, name + "9" * width]
            odd = [key for key in keys if not re.fullmatch(KEY, key)]
            if odd:
                raise InputError(f"{archive}: key {odd[0]!r}; img2dataset's are numbers")
            numbers = [int(key) for key in keys]
            records.append((archive, min(numbers), max(numbers)))
        except InputError as err:
            problems.append(str(err))
    found = pd.DataFrame(records, columns=COLUMNS[:3]).sort_values("first_key", ignore_index=True)
    for i in np.flatnonzero(found["first_key"].to_numpy()[1:] <= found["last_key"].to_numpy()[:-1]):
        problems.append(
            f"{found['archive'][i]} and {found['archive'][i + 1]} both claim key "
            f"{found['first_key'][i + 1]}; they are not of one run of img2dataset"
        )
    if problems:
        more = len(problems) - MOST_NAMED
        raise InputError(
            f"{len(problems)} problems with the picture archives:\n"
            + "\n".join(problems[:MOST_NAMED])
            + (f"\nand {more} more" if more > 0 else "")
        )
    return found.assign(suffix=suffix or ".jpg").astype({"first_key": "int64", "last_key": "int64"})


def find_archives(keys: pd.Series, ranges: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Archive and member name of the picture with each key, "" and "" where no archive can hold it.

    A key is data from outside: it only ever selects one of the archives that were listed.

    Parameters
    ----------
    keys
        (n,) text or None.
    ranges
        From `key_ranges`.
    """
    archive = np.full(len(keys), "", dtype=object)
    member = np.full(len(keys), "", dtype=object)
    filled = keys.fillna("").to_numpy(dtype=object)
    sound = np.flatnonzero(pd.Series(filled, dtype=object).str.fullmatch(KEY).astype(bool))
    if len(sound) == 0 or ranges.empty:
        return archive, member
    numbers = filled[sound].astype(np.int64)
    at = np.searchsorted(ranges["first_key"].to_numpy(), numbers, side="right") - 1
    held = (at >= 0) & (numbers <= ranges["last_key"].to_numpy()[np.maximum(at, 0)])
    at, sound = at[held], sound[held]
    archive[sound] = ranges["archive"].to_numpy(dtype=object)[at]
    member[sound] = filled[sound] + ranges["suffix"].to_numpy(dtype=object)[at]
    return archive, member


def are_held(archives: Iterable[str], members: Iterable[str]) -> np.ndarray:
    """Whether each archive has a plain file of that name, (n,) bool; what is damaged or missing has none.

    Only headers are read; asked in order of rows, each archive is opened once.
    """
    held: list[bool] = []
    path: str | None = None
    names: set[str] = set()
    for archive, member in zip(archives, members, strict=True):
        if archive != path:
            path, names = archive, set()
            try:
                with tarfile.open(archive, "r:") as tar:
                    for info in tar:
                        if info.isreg():
                            names.add(info.name)
            except (tarfile.TarError, OSError, ValueError):
                pass  # what stands before the damage can be used
        held.append(member in names)
    return np.array(held, dtype=bool)


def format_ranges(ranges: pd.DataFrame) -> str:
    """The ranges as the text of a TSV file."""
    return ranges[COLUMNS].to_csv(sep="\t", index=False, lineterminator="\n")


def read_ranges(path: str | os.PathLike) -> pd.DataFrame:
    """Read archives.tsv."""
    return pd.read_csv(Path(path), sep="\t", dtype={"archive": str, "suffix": str})
