"""Find the img2dataset archive that holds the image of a key.

img2dataset writes `00007.tar` beside `00007.parquet`; a key is the shard's number and a number within it,
how wide depends on its settings. So it is read off: from the table beside the archive (the range of its
column `key`, which stands in the footer), or, without one, from the first name in the archive. Which member of the
archive it is, is looked up when the image is read (`members`).
"""

from __future__ import annotations

import itertools
import os
import re
import tarfile
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from verbatim.inputs.layouts import MOST_NAMED, InputError, named
from verbatim.io.archive_members import KEY, is_image, key_of
from verbatim.io.formats import IMAGES
from verbatim.io.missing import check_missing
from verbatim.io.parquet_text import UserTableError, read_texts
from verbatim.io.seals import checked
from verbatim.io.stand_ins import stand_in_at
from verbatim.io.training_images import TrainingImages

COLUMNS = ["archive", "first_key", "last_key"]
LOOKED_AT = 3  # images at the start of an archive that are compared with its table
READERS = 16  # archives looked at together: on a shared file system each read is a wait


def first_images(archive: str | os.PathLike, count: int = LOOKED_AT) -> list[str]:
    """Names of the first images in an archive, `count` at most.

    Raises InputError if there is none or the archive cannot be read.
    """
    try:
        with tarfile.open(archive, "r:") as tar:
            names = (info.name for info in tar if info.isreg() and is_image(info.name))
            found = list(itertools.islice(names, count))
    except (tarfile.TarError, OSError, ValueError) as err:
        why = stand_in_at(archive) or err
        raise InputError(f"{archive}: cannot be read as a tar ({why}); fetch it again") from err
    if not found:
        raise InputError(
            f"{archive}: holds no image ({', '.join(IMAGES)}); fetch it again or take it away"
        )
    return found


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
            # text is in the order of its numbers only where it is of one width; bytes and others are read as text
            if all(isinstance(end, int) for end in ends):
                return [str(end) for end in ends]
            if all(isinstance(end, str) for end in ends) and len({len(end) for end in ends}) == 1:
                return ends
        keys = read_texts(path, ["key"])["key"]
        return [str(key) for key in keys if key is not None]
    except (pa.ArrowInvalid, OSError, UserTableError) as err:
        raise InputError(f"{path}: cannot be read as Parquet ({err}); fetch it again") from err


def _keys_of_archive(archive: str, images: list[str] | InputError) -> list[int]:
    """Keys of an archive, its lowest and its highest among them; none if its table is empty.

    images : the first in it, or why it cannot be read: with a table that is recorded row by row later.

    Raises InputError if its keys cannot be told, are no numbers, or are not those of its table.
    """
    table = Path(archive).with_suffix(".parquet")
    if not table.exists():
        if isinstance(images, InputError):
            raise images
        name, stem = Path(archive).stem, PurePosixPath(images[0]).stem
        if not stem.startswith(name) or not re.fullmatch(KEY, stem):
            raise InputError(
                f"{archive}: its first image is {stem!r}, and no {table.name} beside it tells "
                "its keys; bring that table"
            )
        width = len(stem) - len(name)
        return [int(name + "0" * width), int(name + "9" * width)]
    keys = [key_of(key) for key in _keys_of_table(table)]
    odd = [key for key in keys if not re.fullmatch(KEY, key)]
    if odd:
        raise InputError(f"{archive}: key {odd[0]!r}; img2dataset's are numbers")
    numbers = [int(key) for key in keys]
    if numbers and not isinstance(images, InputError):
        of_images = [key_of(name) for name in images]
        low, high = min(numbers), max(numbers)
        if not any(re.fullmatch(KEY, key) and low <= int(key) <= high for key in of_images):
            raise InputError(
                f"{archive}: its first images are {named(map(repr, images))}, but the keys of {table.name} "
                f"are {low} to {high}: they were not written together; bring the table of this archive"
            )
    return numbers


def key_ranges(archives: Iterable[str], most: float = 0.5) -> pd.DataFrame:
    """The keys that each archive holds.

    The first images of each archive are compared with the table beside it.

    Parameters
    ----------
    most
        Largest share of archives beside their tables, 0 to 1, that may have no image or be unreadable (see
        `io.missing`).

    Returns
    -------
    archive (path), first_key, last_key (int64), sorted by key.

    Raises
    ------
    InputError
        Naming archives whose keys cannot be told, are no numbers, are not those of the table beside it, or are
        claimed by another one too; with examples of both sides.
    MissingError
        If most archives cannot be used.
    """
    paths = list(archives)
    unusable: Counter[str] = Counter()

    def look(archive: str) -> list[int] | InputError:
        try:
            images: list[str] | InputError
            try:
                images = first_images(archive)
            except InputError as err:
                images = err
                unusable[str(err)] += 1
            return _keys_of_archive(archive, images)
        except InputError as err:
            return err

    with ThreadPoolExecutor(READERS) as pool:
        looked = list(pool.map(look, paths))
    problems = [str(one) for one in looked if isinstance(one, InputError)]
    records = [
        (archive, min(one), max(one))
        for archive, one in zip(paths, looked, strict=True)
        if not isinstance(one, InputError) and one
    ]
    found = pd.DataFrame(records, columns=COLUMNS).sort_values("first_key", ignore_index=True)
    for i in np.flatnonzero(found["first_key"].to_numpy()[1:] <= found["last_key"].to_numpy()[:-1]):
        problems.append(
            f"{found['archive'][i]} and {found['archive'][i + 1]} both claim key "
            f"{found['first_key'][i + 1]}; they are not of one run of img2dataset"
        )
    if problems:
        more = len(problems) - MOST_NAMED
        raise InputError(
            f"{len(problems)} problems with the image archives:\n"
            + "\n".join(problems[:MOST_NAMED])
            + (f"\nand {more} more" if more > 0 else "")
        )
    check_missing(unusable, len(paths), most, "image archives")
    return found.astype({"first_key": "int64", "last_key": "int64"})


def find_archives(keys: pd.Series, ranges: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Archive of the image with each key and the key in it, "" and "" where no archive can hold it.

    A key is data from outside: it only ever selects one of the archives that were listed, and in it the image
    whose name has this key (`members.Members`).

    Parameters
    ----------
    keys
        (n,) text or None; also with a folder, a suffix, or the `.0` of a number that was a float.
    ranges
        From `key_ranges`.
    """
    archive = np.full(len(keys), "", dtype=object)
    member = np.full(len(keys), "", dtype=object)
    filled = keys.fillna("").to_numpy(dtype=object)
    plain = pd.Series(filled, dtype=object).str.fullmatch(KEY).to_numpy(dtype=bool)
    texts = filled.copy()
    texts[~plain] = [key_of(text) for text in filled[~plain]]
    sound = np.flatnonzero(pd.Series(texts, dtype=object).str.fullmatch(KEY).astype(bool))
    if len(sound) == 0 or ranges.empty:
        return archive, member
    numbers = texts[sound].astype(np.int64)
    at = np.searchsorted(ranges["first_key"].to_numpy(), numbers, side="right") - 1
    held = (at >= 0) & (numbers <= ranges["last_key"].to_numpy()[np.maximum(at, 0)])
    at, sound = at[held], sound[held]
    archive[sound] = ranges["archive"].to_numpy(dtype=object)[at]
    member[sound] = texts[sound]
    return archive, member


def are_held(archives: Iterable[str], members: Iterable[str]) -> np.ndarray:
    """Whether each archive has a file for that key, (n,) bool; what is damaged or missing has none.

    Only headers are read; asked in order of rows, each archive is opened once.
    """
    with TrainingImages() as reader:
        held = [
            reader.holds(archive, member) for archive, member in zip(archives, members, strict=True)
        ]
    return np.array(held, dtype=bool)


def format_ranges(ranges: pd.DataFrame) -> str:
    """The ranges as the text of a TSV file."""
    return ranges[COLUMNS].to_csv(sep="\t", index=False, lineterminator="\n")


def read_ranges(path: str | os.PathLike) -> pd.DataFrame:
    """Read archives.tsv."""
    return pd.read_csv(checked(path), sep="\t", dtype={"archive": str})
