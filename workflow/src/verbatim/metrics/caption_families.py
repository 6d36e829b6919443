"""Families of captions that are near-duplicates of each other by their words.

Two captions are near-duplicates if the Jaccard index of their sets of words is high: the words that both have, of the
words that either has. Case, order, punctuation and repetition of words do not count.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

WORD = r"(?u)\b\w+\b"
BLOCK = 4_000_000  # ASSUME: pairs that are compared at once; bounds memory (32 MB an array), changes no number
ROUNDING = 1e-9  # a Jaccard index that equals the threshold passes


class NearPairs(NamedTuple):
    """Pairs of captions: `first` and `second` are positions, int64 (n,); `jaccard` (n,) is in (0, 1]."""

    first: np.ndarray
    second: np.ndarray
    jaccard: np.ndarray


def words_of(caption: str) -> frozenset[str]:
    """The words of a caption, in small letters."""
    return frozenset(re.findall(WORD, caption.lower()))


def _vectorizer() -> Any:
    from sklearn.feature_extraction.text import CountVectorizer

    return CountVectorizer(binary=True, token_pattern=WORD, dtype=np.int32)


def near_pairs(first: Sequence[str], second: Sequence[str], least: float) -> NearPairs:
    """All pairs of a caption of `first` and one of `second` whose words have a Jaccard index of `least` or more.

    The search is exact; captions without words are in no pair.

    Parameters
    ----------
    first, second : n and m captions
    least : in (0, 1]

    Returns
    -------
    NearPairs, in order of `first`, then of `second`
    """
    if not first or not second:
        return _none()
    counter = _vectorizer()
    try:
        every = counter.fit_transform([*first, *second])
    except ValueError:  # no caption has a word
        return _none()
    a, b = every[: len(first)], every[len(first) :]
    size_a, size_b = (np.asarray(x.sum(axis=1)).ravel() for x in (a, b))
    step = max(1, BLOCK // len(second))
    found: list[NearPairs] = []
    for begin in range(0, len(first), step):
        common = (a[begin : begin + step] @ b.T).toarray()
        either = size_a[begin : begin + step, None] + size_b[None] - common
        jaccard = common / np.maximum(either, 1)
        i, j = np.nonzero(jaccard >= least - ROUNDING)
        found.append(NearPairs(i + begin, j, jaccard[i, j]))
    return NearPairs(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def _none() -> NearPairs:
    return NearPairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))


def caption_families(
    captions: Sequence[str], least: float, keys: Sequence[Collection[str]] = ()
) -> np.ndarray:
    """Family of each caption, int64 (n,): connected components of near-duplicates.

    Parameters
    ----------
    captions : n texts
    least : Jaccard index from which two captions are near-duplicates, in (0, 1]
    keys : of each caption, texts that tie it to every caption with one of them, such as addresses of images; empty:
        nothing but words counts

    Returns
    -------
    Families are numbered from 0 in the order of their first captions.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = len(captions)
    pairs = near_pairs(captions, captions, least)
    tied = pd.DataFrame(
        [(row, key) for row, some in enumerate(keys) for key in some], columns=["row", "key"]
    )
    leader = tied.groupby("key")["row"].transform("min")
    rows = np.concatenate([pairs.first, tied["row"].to_numpy(np.int64)])
    others = np.concatenate([pairs.second, leader.to_numpy(np.int64)])
    graph = coo_array((np.ones(len(rows), bool), (rows, others)), shape=(n, n))
    _, label = connected_components(graph, directed=False)
    return pd.factorize(label)[0].astype(np.int64)
