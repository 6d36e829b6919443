"""Equal vectors: rows whose embedding is, to the bit, that of a lower row.

LAION has some images thousands of times. A search for k neighbours would find only equal rows for each of them, in an
arbitrary order, so their cluster could fall apart, and rows near them would find nothing else. Equal vectors are
therefore found first, by fingerprints, and only the lowest row of a group enters the index.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from verbatim.dedup.spill import Buckets, count_buckets
from verbatim.io.search import Embeddings


def indexed_rows(table: pd.DataFrame) -> np.ndarray:
    """Rows of a `rows` table that take part in the search, (n,) int64: all with a valid embedding.

    A row with a bad caption takes part, because its image can be a copy.
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


def fingerprints(embeddings: Embeddings, rows: np.ndarray, batch: int = 16384) -> np.ndarray:
    """Fingerprint and row of each of these rows, uint64 (2, n), sorted: 16 bytes a row.

    rows: those of one shard that take part, ascending. batch: rows read together.
    """
    keys = np.empty(len(rows), np.uint64)
    for start in range(0, len(rows), batch):
        keys[start : start + batch] = fingerprint(embeddings.take(rows[start : start + batch]))
    order = np.argsort(keys, kind="stable")  # stable: rows of one hash stay ascending
    return np.stack([keys[order], rows[order].astype(np.uint64)])


def _equal_keys(parts: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """(row, lowest row with its key) of the rows that are not the lowest themselves."""
    key = np.concatenate([part[0] for part in parts])
    row = np.concatenate([part[1] for part in parts]).astype(np.int64)
    order = np.lexsort((row, key))
    row, key = row[order], key[order]
    starts = np.flatnonzero(np.append(True, key[1:] != key[:-1])[: len(key)])
    first = np.repeat(row[starts], np.diff(np.append(starts, len(row))))
    again = row != first
    return row[again], first[again]


def find_copies(
    embeddings: Embeddings,
    shards: Sequence[np.ndarray],
    folder: Path,
    memory: int,
    batch: int = 16384,
) -> Iterator[pd.DataFrame]:
    """`copies` table (row, first) in pieces, ascending: `first` is the lowest row with this vector.

    The fingerprints are compared range by range; a hash may err, so what shares one is then compared as it
    is stored.

    Parameters
    ----------
    embeddings
        The raw vectors.
    shards
        `fingerprints` of each shard, all rows that take part; may be mapped from disk, few at a time.
    folder
        For the rows found, 16 bytes each.
    memory
        Bytes of a range of fingerprints, and of the rows found that are sorted together.
    batch
        Pairs of vectors compared together.
    """
    n_rows = sum(part.shape[1] for part in shards)
    n_ranges = max(1, -(-n_rows * 80 // memory))
    edges = [(i << 64) // n_ranges for i in range(1, n_ranges)]
    bounds = np.array(edges, dtype=np.uint64)
    cuts = [np.searchsorted(part[0], bounds).tolist() for part in shards]
    n_buckets = count_buckets(n_rows, 64, memory)
    width = max(1, -(-embeddings.n_rows // n_buckets))
    with Buckets(folder, "copies", n_buckets) as found:
        for i in range(n_ranges):
            slices = []
            for part, cut in zip(shards, cuts, strict=True):
                ends = [0, *cut, part.shape[1]]
                # copied: a view would keep the shard's file open
                slices.append(np.array(part[:, ends[i] : ends[i + 1]]))
            row, first = _equal_keys(slices) if slices else (np.empty(0, np.int64),) * 2
            found.add(row // width, {"row": row, "first": first})
        for bucket in range(n_buckets):
            copies = found.frame(bucket)
            if copies is None:
                continue
            copies = copies.sort_values("row", ignore_index=True)
            same = np.empty(len(copies), dtype=bool)
            for start in range(0, len(copies), batch):
                some = copies.iloc[start : start + batch]
                a = embeddings.take(some["row"].to_numpy())
                b = embeddings.take(some["first"].to_numpy())
                same[start : start + batch] = (a.view(np.uint8) == b.view(np.uint8)).all(axis=1)
            if same.any():
                yield copies[same].reset_index(drop=True)
