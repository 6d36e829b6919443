"""Similarities that say how much nearer an image is than others are: score normalization (Pizzi 2022, section 4.4)."""

from __future__ import annotations

import numpy as np

from verbatim.metrics.similarity import nearest


def normalize_scores(
    similarities: np.ndarray, queries: np.ndarray, background: np.ndarray, neighbours: int
) -> np.ndarray:
    """Similarities (n,) less the mean similarity of each query to its nearest background vectors, (n,).

    A query that is near to many images needs more to be called a copy. Thresholds of raw similarities mean nothing for
    it.

    Parameters
    ----------
    queries
        Vector of the query of each pair, (n, d), unit length.
    background
        (m, d), unit length: images that no pair has.
    neighbours
        Background vectors whose mean is taken, at most m.
    """
    return similarities - nearest(queries, background, neighbours)[0].mean(1)
