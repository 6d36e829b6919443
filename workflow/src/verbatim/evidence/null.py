"""p- and q-values: how often unrelated images are as near as a pair.

Phipson and Smyth 2010 (the +1: an empirical p-value is never 0); Benjamini and Hochberg 1995.
Carlini 2023, section 5.1, for the idea of a relative distance: it is measured in units of the
distances of unrelated images.
"""

from __future__ import annotations

import numpy as np


def relative_residuals(null: np.ndarray, quantile: float, tested: np.ndarray) -> np.ndarray:
    """Residuals of one training image over a low quantile of its null; (len(tested),).

    null : (m,) residuals of unrelated generations, m > 0. A plain image is matched by many, and its
    quantile says so. inf where the tested residual is inf.
    """
    ordered = np.sort(null)
    scale = ordered[int(quantile * (len(ordered) - 1))]
    return _ratio(tested, np.full(len(tested), scale))


def relative_null(null: np.ndarray, quantile: float) -> np.ndarray:
    """The same of the null pairs themselves, each over the quantile of the others; (m,), m > 1.

    Leaving a pair out of its own measure makes it one of the tested kind.
    """
    order = np.argsort(null, kind="stable")
    at = int(quantile * (len(null) - 2))
    rank = np.empty(len(null), dtype=int)
    rank[order] = np.arange(len(null))
    scale = null[order][at + (rank <= at)]
    return _ratio(null, scale)


def _ratio(residual: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """residual / scale, both (n,) and at least 0; inf where the scale is inf or 0 (every unrelated image is as near)."""
    good = np.isfinite(residual) & np.isfinite(scale) & (scale > 0)
    return np.where(good, residual / np.where(good, scale, 1.0), np.inf)


def empirical_p(tested: np.ndarray, null: np.ndarray) -> np.ndarray:
    """(1 + number of null values as small) / (1 + size of the null), in (0, 1]; 1 for inf.

    Phipson and Smyth 2010. tested : (n,). null : (m,). Returns (n,).
    """
    ordered = np.sort(null)
    below = np.searchsorted(ordered, tested, side="right")
    p = (1.0 + below) / (1.0 + len(ordered))
    return np.where(np.isfinite(tested), p, 1.0)


def has_null(count: int, least: int) -> bool:
    """Whether `count` unrelated generations are enough for a training image to be tested; `least` as of `NullSettings`."""
    return count >= max(2, least)


def adjust_for_prompts(p: np.ndarray) -> np.ndarray:
    """q-values of p-values that rise, as `benjamini_hochberg` gives them, by NumPy alone: who replays a bundle has no scipy.

    p : (m,) in (0, 1], rising. Returns (m,): the least of p m / rank from each rank on, at most 1.
    """
    ratio = p * len(p) / np.arange(1, len(p) + 1)
    return np.minimum(1.0, np.minimum.accumulate(ratio[::-1])[::-1])


def adjust_for_tries(p: np.ndarray, tries: np.ndarray) -> np.ndarray:
    """Bonferroni: p-value of the least p of `tries` pairs, at most 1. It holds for any dependence of the pairs.

    p : (n,) in [0, 1]. tries : (n,) counts. Returns (n,).
    """
    return np.minimum(1.0, p * tries)
