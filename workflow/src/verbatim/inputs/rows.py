"""The canonical table of training rows, for any column names of the source.

Every row of the source has a row here, in the source's order; what cannot take part is recorded as
such, with its reason, and never left out: a row's number is its position.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from verbatim.inputs.archives import find_archives
from verbatim.inputs.layouts import InputError, named
from verbatim.io.columns import find_columns
from verbatim.io.parquet_text import (
    LONGEST_CELL,
    TextColumn,
    UserTableError,
    iter_columns,
    open_parquet,
    read_numbers,
)

# our column: what releases call it (lower case; exact case differs too), the likeliest first
NAMES = {
    "url": ("url",),
    "caption": ("caption", "text"),
    "width": ("width",),
    "height": ("height",),
    "key": ("key", "image_path"),
    "outcome": ("status",),
    "error": ("error_message",),
    "nsfw": ("nsfw",),
}
REQUIRED = ("caption",)
BATCH = 65536  # rows whose embeddings are looked at together: 100 MB at 768 dimensions in float16


TEXTS = ("url", "caption", "key", "outcome", "error", "nsfw")
NUMBERS = ("width", "height")
MOST_TEXT = 2**31  # ASSUME: bytes of one column of a shard; a million captions of LAION are 6e7


def read_metadata(
    path: str | os.PathLike, start: int = 0, count: int | None = None
) -> pd.DataFrame:
    """A table's metadata with our names, of `count` rows from `start` on.

    Returns
    -------
    url, caption, key, outcome (of the download), error, nsfw (text or None), width, height (-1: unknown).

    Raises
    ------
    InputError
        If the file cannot be read or has no captions.
    """
    try:
        names = open_parquet(path).schema_arrow.names
        columns = find_columns(names, NAMES, REQUIRED, str(path))
        texts = {
            ours: TextColumn(f"{path}: column {columns[ours]!r}", True, MOST_TEXT)
            for ours in TEXTS
            if ours in columns
        }
        numbers: dict[str, list[np.ndarray]] = {ours: [] for ours in NUMBERS if ours in columns}
        n_rows = 0
        for first, batch in iter_columns(path, list(columns.values()), start, count):
            n_rows += len(batch)
            for ours, column in texts.items():
                column.add(first, batch.column(columns[ours]))
            for ours, parts in numbers.items():
                where = f"{path}: column {columns[ours]!r}"
                parts.append(read_numbers(batch.column(columns[ours]), where))
    except UserTableError as err:
        raise InputError(str(err)) from err
    data: dict[str, Any] = {}
    for ours in TEXTS:
        values = texts[ours].result() if ours in texts else np.full(n_rows, None, dtype=object)
        data[ours] = pd.Series(values, dtype=object)
    for ours in NUMBERS:
        side = np.concatenate(numbers[ours]) if numbers.get(ours) else np.full(n_rows, -1.0)
        data[ours] = np.where((side >= 0) & (side < 2**31), side, -1).astype(np.int32)
    return pd.DataFrame(data)


def check_keys(
    tables: Sequence[str], ranges: pd.DataFrame, most: float, sample: int = 64, rows: int = 100
) -> None:
    """Whether the tables' keys lead to the archives at all, by the first rows of some tables.

    Parameters
    ----------
    tables
        Of metadata.
    ranges
        Of the archives (`archives.key_ranges`); none is no fault.
    most
        `inputs.most_missing`; 1 looks at nothing.
    sample, rows
        How many tables, evenly spaced, and how many rows of each.

    Raises
    ------
    InputError
        If not one of these rows has an image in an archive, with examples of both sides.
    """
    if ranges.empty or most >= 1:
        return
    some: list[str] = []
    for place in np.unique(np.linspace(0, len(tables) - 1, sample).astype(int)):
        path = tables[place]
        keys = read_metadata(path, 0, rows)["key"]
        if (find_archives(keys, ranges)[0] != "").any():
            return
        some += keys.dropna().head(2).tolist()
    have = f"such as {named(map(repr, some[:4]))}" if some else f"none (no column {NAMES['key']})"
    first = ranges.iloc[0]
    raise InputError(
        f"no key of the tables leads to an archive: {tables[0]}, ... have {have}, {first['archive']}, ... the keys "
        f"{first['first_key']} to {ranges['last_key'].iloc[-1]}. Every image would be missing: bring the tables or "
        "the archives (inputs.images) that belong to the others, or set inputs.most_missing to 1"
    )


def read_shard(tables: list[str], first: int, count: int) -> pd.DataFrame:
    """`count` rows of metadata that start at row `first` of the first table and go on over the others.

    Raises InputError as `read_metadata` does, or if there are fewer rows.
    """
    parts: list[pd.DataFrame] = []
    start, left = first, count
    for path in tables:
        part = read_metadata(path, start, left)
        parts.append(part)
        start, left = 0, left - len(part)
    if left:
        raise InputError(
            f"{', '.join(tables)}: {count - left} rows from row {first} on, but the manifest has {count}; "
            "run check_inputs again"
        )
    return pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]


def outcome_problems(outcome: pd.Series, error: pd.Series) -> np.ndarray:
    """Why the source could not download an image, (n,) str; "" if it could or says nothing."""
    said = outcome.fillna("success").to_numpy(dtype=object)
    reasons: np.ndarray = np.full(len(said), "", dtype=object)
    for i in np.flatnonzero(~np.isin(said, ("success", ""))):
        more = f": {error.iloc[i]}" if error.iloc[i] else ""
        reasons[i] = f"{said[i]}{more}"
    return reasons


def embedding_problems(embeddings: np.ndarray, tolerance: float) -> np.ndarray:
    """Why a row's embedding (n, d) cannot be used, "" where it can.

    It must be finite and of length 1 within `tolerance`: cosines are taken as inner products.
    """
    reasons: np.ndarray = np.full(len(embeddings), "", dtype=object)
    for start in range(0, len(embeddings), BATCH):
        part = np.asarray(embeddings[start : start + BATCH], dtype=np.float32)
        finite = np.isfinite(part)
        part = np.where(finite, part, 0)
        length = np.sqrt(np.einsum("ij,ij->i", part, part))
        n_bad = (~finite).sum(axis=1)
        for i in np.flatnonzero((n_bad > 0) | ~(np.abs(length - 1) <= tolerance)):
            if n_bad[i]:
                reason = f"embedding has {n_bad[i]} values that are not finite"
            elif length[i] == 0:
                reason = "embedding is all zero"
            else:
                reason = f"embedding has length {length[i]:.4g}, not 1"
            reasons[start + i] = reason
    return reasons


def caption_problems(captions: pd.Series, shortest: int, longest: int) -> np.ndarray:
    """Why a caption cannot be a prompt, (n,) str; "" if it can.

    Its length in characters, without white space around it, must be in [shortest, longest]. Anything else
    (line breaks, emoji, paths, quotes) is a caption like any other.
    """
    fewest = max(1, shortest)
    missing = captions.isna().to_numpy()
    length = captions.fillna("").str.strip().str.len().to_numpy(dtype=np.int64)
    reasons: np.ndarray = np.full(len(captions), "", dtype=object)
    for i in np.flatnonzero((length < fewest) | (length > longest)):
        if missing[i]:
            reasons[i] = f"caption is missing, not UTF-8 or longer than {LONGEST_CELL} bytes"
        elif length[i] == 0:
            reasons[i] = "caption is empty"
        elif length[i] < fewest:
            reasons[i] = f"caption has {length[i]} characters, fewer than {fewest}"
        else:
            reasons[i] = f"caption has {length[i]} characters, more than {longest}"
    return reasons


def build_rows(
    metadata: pd.DataFrame,
    embeddings: np.ndarray | None,
    first_row: int,
    archives: pd.DataFrame,
    caption_chars: tuple[int, int],
    norm_tolerance: float,
) -> pd.DataFrame:
    """The `rows` table of one shard.

    Parameters
    ----------
    metadata
        As `read_metadata` gives it, n rows.
    embeddings
        (n, d) float16 or float32, may be a memory map; None for a source that has none.
    first_row
        Global row of the shard's first.
    archives
        Which archive holds which keys (`archives.key_ranges`).
    caption_chars
        Fewest and most characters of a caption.
    norm_tolerance
        Most that an embedding's length may differ from 1.

    Returns
    -------
    One line for each training row. status: `ok`; `bad_embedding` (takes no part at all); `bad_caption` (its image takes
    part in the search for duplicates, its caption is never a prompt).

    Raises
    ------
    InputError
        If there are not as many embeddings as rows of metadata.
    """
    if embeddings is not None and len(metadata) != len(embeddings):
        raise InputError(f"{len(embeddings)} embeddings for {len(metadata)} rows of metadata")
    metadata = metadata.reset_index(drop=True)
    if embeddings is None:
        of_embedding = np.full(len(metadata), "", dtype=object)
    else:
        of_embedding = embedding_problems(embeddings, norm_tolerance)
    if "outcome" in metadata:
        said = outcome_problems(metadata["outcome"], metadata["error"])
        why = (of_embedding != "") & (said != "")  # no image, so no embedding
        of_embedding[why] = "no image (" + said[why] + ")"
    of_caption = caption_problems(metadata["caption"], *caption_chars)
    status = np.where(
        of_embedding != "", "bad_embedding", np.where(of_caption != "", "bad_caption", "ok")
    )
    both = (of_embedding != "") & (of_caption != "")
    archive, member = find_archives(metadata["key"], archives)
    return pd.DataFrame(
        {
            "row": np.arange(first_row, first_row + len(metadata), dtype=np.int64),
            "url": metadata["url"].fillna(""),
            "caption": metadata["caption"].fillna(""),
            "width": metadata["width"],
            "height": metadata["height"],
            "archive": archive,
            "member": member,
            "status": status,
            "reason": of_embedding + np.where(both, "; ", "") + of_caption,
        }
    )
