"""The training images that a copy descriptor finds nearest to each generation.

Somepalli 2022, section 4: a generation is a copy if its dot product with the nearest training image is above a
threshold. The training images are those that the labels of the model are compared with.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import faiss
import numpy as np
import pandas as pd

from verbatim.io.images import ImageError
from verbatim.io.search import search_rows
from verbatim.labels.neighbours import neighbour_table

Key = TypeVar("Key")
log = logging.getLogger(__name__)
# images of any sizes, in [0, 1] -> unit vectors (n, d)
Describe = Callable[[Sequence[np.ndarray]], np.ndarray]


def list_originals(fetched: pd.DataFrame, read_bytes: Callable[[str], bytes]) -> dict[int, str]:
    """Row -> member of each different file among the training images that were read; of equal files the lowest row."""
    first: dict[bytes, int] = {}
    members: dict[int, str] = {}
    known = fetched[fetched["status"].eq("ok")].sort_values("row")
    for row, member in zip(known["row"].tolist(), known["member"].tolist(), strict=True):
        digest = hashlib.sha256(read_bytes(member)).digest()
        if first.setdefault(digest, row) == row:
            members[row] = member
    return members


def describe_named(
    named: Iterable[tuple[Key, str]],
    read: Callable[[str], np.ndarray],
    describe: Describe,
    batch: int,
) -> tuple[list[Key], np.ndarray]:
    """Keys and unit vectors (n, d) of the images of these member names, `batch` in memory at a time.

    An image that cannot be read is left out and named in the log.
    """
    keys: list[Key] = []
    vectors: list[np.ndarray] = []
    waiting: list[np.ndarray] = []
    for key, name in named:
        try:
            waiting.append(read(name))
            keys.append(key)
        except (KeyError, ImageError) as err:
            log.warning("%s is not described: %s", name, err)
        if len(waiting) == batch:
            vectors.append(describe(waiting))
            waiting = []
    if waiting:
        vectors.append(describe(waiting))
    return keys, np.concatenate(vectors) if vectors else np.zeros((0, 0), np.float32)


def nearest_images(
    queries: Sequence[tuple[int, int]],
    vectors: np.ndarray,
    rows: Sequence[int],
    training: np.ndarray,
    k: int,
) -> pd.DataFrame:
    """The `k` training images that are most similar to each generation, as a `copy_neighbours` table.

    Parameters
    ----------
    queries
        (prompt_id, seed) of each generation.
    vectors
        Theirs, (len(queries), d), unit length.
    rows
        Training row of each vector of `training`, (len(rows), d), unit length.
    """
    if not len(queries) or not len(rows):
        empty = np.zeros((0, k), np.int64)
        return neighbour_table([], empty, empty.astype(np.float32))
    index = faiss.IndexIDMap2(faiss.IndexFlatIP(training.shape[1]))
    index.add_with_ids(np.ascontiguousarray(training, np.float32), np.asarray(rows, np.int64))
    similarities, found = search_rows(index, vectors, k)
    return neighbour_table(queries, found, np.clip(similarities, -1, 1))
