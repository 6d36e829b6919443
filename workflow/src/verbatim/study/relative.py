"""Copies of models without captions: how near is the nearest training picture, for what is usual there?

Carlini et al. 2023, section 5.1. A plain background is near everything, so the distance to the nearest
training picture is told in units of the distance to the fifty nearest.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from verbatim.study.measures import Measures


def pixel_distances(a: np.ndarray, b: np.ndarray, batch: int = 256) -> np.ndarray:
    """l2(x, y) = sqrt(mean((x - y)^2)) of pictures in [0, 1], all pairs: (len(a), len(b)) float64.

    Carlini 2023, section 2.
    """
    x, y = (np.asarray(p, np.float64).reshape(len(p), -1) for p in (a, b))
    out = np.empty((len(x), len(y)))
    norms = (y**2).sum(1)
    for start in range(0, len(x), batch):
        part = x[start : start + batch]
        squares = (part**2).sum(1)[:, None] + norms - 2 * part @ y.T
        out[start : start + batch] = np.sqrt(np.maximum(squares, 0) / max(1, x.shape[1]))
    return out


def relative_distances(
    distances: np.ndarray, nearest: int, alpha: float
) -> tuple[np.ndarray, np.ndarray]:
    """l2(x^, x) / (alpha * mean l2(x^, y) over the `nearest` training pictures y) of each generation.

    Carlini 2023, section 5.1: alpha 0.5, 50 nearest; below 1 a generation is called a copy.

    Parameters
    ----------
    distances : (generations, training pictures), each picture of the training set once
    nearest : how many; all where there are fewer

    Returns
    -------
    relative (generations,), and the position of the nearest training picture of each
    """
    if distances.shape[1] == 0:
        raise ValueError("there are no training pictures to be near to")
    k = min(nearest, distances.shape[1])
    closest = np.partition(distances, k - 1, axis=1)[:, :k]
    usual = alpha * closest.mean(1)
    least = distances.min(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        relative = np.where(usual > 0, least / usual, 0.0)  # all of them copies of one picture
    return relative, distances.argmin(1)


def outlier_distances(distances: np.ndarray, nearest: int) -> np.ndarray:
    """Mean distance of each picture to its `nearest` neighbours: large for an outlier. (n,)

    distances : (n, n) of the pictures to each other; a picture is no neighbour of itself.
    """
    others = distances.copy()
    np.fill_diagonal(others, np.inf)
    k = min(nearest, len(others) - 1)
    if k < 1:
        raise ValueError("an outlier needs at least one other picture")
    return np.partition(others, k - 1, axis=1)[:, :k].mean(1)


def rank_correlation(
    a: np.ndarray, b: np.ndarray, resamples: int, confidence: float, seed: int
) -> tuple[float, float, float]:
    """Spearman's rank correlation and its bootstrap interval over pairs; NaN for fewer than four."""
    from scipy.stats import rankdata

    known = np.isfinite(a) & np.isfinite(b)
    x, y = np.asarray(a, float)[known], np.asarray(b, float)[known]
    if len(x) < 4 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan"), float("nan"), float("nan")

    def rho(index: np.ndarray) -> float:
        u, v = rankdata(x[index]), rankdata(y[index])
        u, v = u - u.mean(), v - v.mean()
        size = np.sqrt((u @ u) * (v @ v))
        return float(u @ v / size) if size > 0 else float("nan")

    rng = np.random.default_rng(seed)
    drawn = [rho(rng.integers(len(x), size=len(x))) for _ in range(resamples)]
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(drawn, [tail, 1 - tail])
    return rho(np.arange(len(x))), float(low), float(high)


def relative_table(
    point: str, seed: int, generations: pd.DataFrame, ratio: np.ndarray, nearest: np.ndarray
) -> pd.DataFrame:
    """`study_relative` of one run: a row a generation; nearest : picture_id."""
    return pd.DataFrame(
        {"point": point, "seed": int(seed), "generation": generations["generation"].to_numpy(),
         "nearest": nearest, "relative": ratio}
    )  # fmt: skip


def relative_measures(
    table: pd.DataFrame, training: np.ndarray, nearest: int, confidence: float, out: Measures
) -> None:
    """relative:flagged, the share of generations below 1, and relative:pictures, the share of the training pictures
    that some generation is below 1 of.

    table : from `relative_table`. training : picture_id of each training picture. nearest : neighbours asked for.
    """
    flagged = table["relative"].to_numpy() < 1
    used = f"by the {min(nearest, len(training))} nearest of {len(training)} training pictures"
    out.add_share("relative:flagged", flagged, confidence, used)
    given_back = np.isin(training, table["nearest"][flagged])
    note = f"{int(given_back.sum())} of them, {used}"
    out.add_share("relative:pictures", given_back, confidence, note)
