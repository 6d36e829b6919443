"""The index of all embeddings: equal vectors collapsed to their first row, then trained and filled.

Webster et al. 2023, "On the De-duplication of LAION-2B" (arXiv 2303.12733), with the index that the config's
factory string names: the default `Flat` is exact; `OPQ32,IVF65536,PQ32` and the like hold billions of rows.

Why equal vectors are collapsed: LAION holds single pictures thousands of times. With k neighbours a row,
more than k equal ones would see only each other, in an order left to chance, and fall into pieces; and
no row near them would see anything else.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import faiss
import numpy as np
import pandas as pd

from verbatim.dedup import DedupError
from verbatim.search import Embeddings


def indexed_rows(table: pd.DataFrame) -> np.ndarray:
    """Rows of a `rows` table that take part in the search: all whose embedding is sound.

    A row with a bad caption takes part: its picture is a copy like any other.
    """
    return table.loc[table["status"] != "bad_embedding", "row"].to_numpy(np.int64)


def fingerprint(vectors: np.ndarray) -> np.ndarray:
    """64-bit hash of each vector's bytes: (n, d) of any float type to uint64 (n,).

    Multilinear over 64-bit words with fixed random odd factors; equal bytes, equal hash.
    """
    raw = np.ascontiguousarray(vectors).view(np.uint8).reshape(len(vectors), -1)
    pad = -raw.shape[1] % 8
    if pad:
        raw = np.pad(raw, ((0, 0), (0, pad)))
    words = raw.view(np.uint64)
    factors = np.random.default_rng(0).integers(0, 2**64, words.shape[1], dtype=np.uint64)
    # high bits of a word would reach only high bits of the product: fold them down first
    return ((words ^ (words >> np.uint64(29))) * (factors | np.uint64(1))).sum(
        axis=1, dtype=np.uint64
    )


def find_copies(
    embeddings: Embeddings, parts: Iterable[np.ndarray], batch: int = 65536
) -> pd.DataFrame:
    """Rows whose vector equals that of a lower row to the bit.

    Parameters
    ----------
    embeddings
        The raw vectors.
    parts
        The rows that take part, ascending, in any number of pieces.
    batch
        Rows read together.

    Returns
    -------
    `copies` table (row, first), ascending: `first` is the lowest row with this vector. 16 bytes of
    memory a row that takes part.
    """
    all_rows, hashes = [np.empty(0, np.int64)], [np.empty(0, np.uint64)]
    for rows in parts:
        for start in range(0, len(rows), batch):
            some = rows[start : start + batch]
            all_rows.append(some)
            hashes.append(fingerprint(embeddings.take(some)))
    row, key = np.concatenate(all_rows), np.concatenate(hashes)
    order = np.argsort(key, kind="stable")  # stable: rows of one hash stay ascending
    row, key = row[order], key[order]
    starts = np.flatnonzero(np.append(True, key[1:] != key[:-1])) if len(row) else np.empty(0, int)
    first = np.repeat(row[starts], np.diff(np.append(starts, len(row))))
    copies = pd.DataFrame({"row": row, "first": first})[row != first].sort_values("row")
    same = np.empty(len(copies), dtype=bool)
    for start in range(0, len(copies), batch):  # a hash may err, a comparison doesn't
        some = copies.iloc[start : start + batch]
        a, b = embeddings.take(some["row"].to_numpy()), embeddings.take(some["first"].to_numpy())
        same[start : start + batch] = (a.view(np.uint8) == b.view(np.uint8)).all(axis=1)
    return copies[same].reset_index(drop=True)


def build_index(
    embeddings: Embeddings,
    rows: np.ndarray,
    factory: str,
    nprobe: int,
    train_rows: int,
    seed: int,
    batch: int,
) -> Any:
    """A faiss index of these rows' vectors by inner product; its ids are the global rows.

    Parameters
    ----------
    embeddings
        The raw vectors.
    rows
        Rows to hold, ascending.
    factory
        faiss factory string.
    nprobe
        Lists that a search visits, where the index has inverted lists; stored in it.
    train_rows, seed
        A compressed index is trained on so many rows, drawn with this seed.
    batch
        Vectors added together; no number depends on it.

    Raises
    ------
    DedupError
        If no row takes part, the factory string is unknown or does not fit the dimensions, or there are too
        few rows to train it.
    """
    if len(rows) == 0:
        raise DedupError(
            "no row has a usable embedding: see the `reason` column in inputs/rows, and bring L2-normalised "
            "embeddings"
        )
    try:
        index = faiss.index_factory(embeddings.dim, factory, faiss.METRIC_INNER_PRODUCT)
    except RuntimeError as err:
        raise DedupError(
            f"dedup.factory: faiss cannot make {factory!r} for {embeddings.dim} dimensions: {err}"
        ) from err
    try:
        faiss.extract_index_ivf(index).nprobe = nprobe
    except RuntimeError:
        # no inverted lists: such an index knows vectors by position alone, unless it is wrapped
        index = faiss.IndexIDMap(index)
    if not index.is_trained:
        rng = np.random.default_rng(seed)
        sample = np.sort(rng.choice(rows, size=min(train_rows, len(rows)), replace=False))
        try:
            index.train(embeddings.take(sample).astype(np.float32))
        except RuntimeError as err:
            raise DedupError(
                f"dedup.factory: {factory!r} cannot be trained on {len(sample)} rows; "
                f"take a coarser one, or Flat ({err})"
            ) from err
    for start in range(0, len(rows), batch):
        some = rows[start : start + batch]
        index.add_with_ids(embeddings.take(some).astype(np.float32), some)
    return index


def write_index(index: Any, path: str) -> None:
    """Write a faiss index, to a temporary name first, then moved into place."""
    faiss.write_index(index, path + ".part")
    os.replace(path + ".part", path)
