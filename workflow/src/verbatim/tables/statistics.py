"""Counts, curves and intervals that the evaluation prints.

Every number stands beside an interval: Wilson's for shares, a bootstrap over groups for the area
under the curve, Student's t over repetitions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import ndtri, stdtrit


@dataclass(frozen=True)
class EvaluationSettings:
    """How detectors are judged; the keys of the config block `tables`.

    fpr : false positive rate at which the true positive rate is read; fpr_strict : further ones.
    resamples, confidence, seed : of the bootstrap over groups; the seed also splits the groups.
    folds : of the bag of words.
    """

    fpr: float
    fpr_strict: tuple[float, ...]
    resamples: int
    folds: int
    confidence: float
    seed: int


CHUNK = 100  # ASSUME: bootstrap draws worked on at once; bounds memory, changes no number


def wilson(found: ArrayLike, n: ArrayLike, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Interval of a share, Wilson's score without continuity correction.

    Wilson 1927; the same as `scipy.stats.binomtest(found, n).proportion_ci(method="wilson")`,
    for whole arrays.

    Parameters
    ----------
    found, n : counts of any one shape; found <= n
    confidence : in (0, 1)

    Returns
    -------
    low, high : in [0, 1]; NaN where n is 0
    """
    k, m = np.asarray(found, float), np.asarray(n, float)
    if np.any(k > m) or np.any(k < 0):
        raise ValueError("found must lie between 0 and n")
    z = ndtri(0.5 + confidence / 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        p = k / m
        centre = (p + z**2 / (2 * m)) / (1 + z**2 / m)
        half = z / (1 + z**2 / m) * np.sqrt(p * (1 - p) / m + z**2 / (4 * m**2))
        low = np.where(k == 0, 0.0, centre - half)
        high = np.where(k == m, 1.0, centre + half)
    return np.where(m > 0, low, np.nan), np.where(m > 0, high, np.nan)


def t_interval(values: ArrayLike, confidence: float) -> tuple[float, float]:
    """Interval of a mean over repetitions, Student's t; NaN for fewer than two values."""
    x = np.asarray(values, float)
    if len(x) < 2:
        return float("nan"), float("nan")
    half = stdtrit(len(x) - 1, 0.5 + confidence / 2) * x.std(ddof=1) / np.sqrt(len(x))
    return float(x.mean() - half), float(x.mean() + half)


@lru_cache(maxsize=8)
def draw_groups(n_groups: int, resamples: int, seed: int) -> np.ndarray:
    """How often each group is drawn: (resamples, n_groups) whole numbers, each row sums to n_groups.

    The same for every score of one comparison, so detectors are compared on the same draws.
    """
    rng = np.random.default_rng(seed)
    draws = rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=resamples)
    draws = draws.astype(np.float64)
    draws.setflags(write=False)
    return draws


def compare_pairs(positives: np.ndarray, negatives: np.ndarray) -> np.ndarray:
    """1 where a positive (row) scores above a negative (column), 0.5 where they tie, else 0."""
    p, n = np.asarray(positives, float)[:, None], np.asarray(negatives, float)[None]
    return (p > n) + 0.5 * (p == n)


def auc_interval(
    scores: ArrayLike,
    is_positive: ArrayLike,
    groups: ArrayLike,
    resamples: int,
    confidence: float,
    seed: int,
    strata: ArrayLike | None = None,
) -> tuple[float, float, float]:
    """Area under the ROC curve and its bootstrap interval over groups.

    The share of pairs of a positive and a negative that the score puts in order (ties count half).
    Draws are of whole groups, because near-duplicate captions are not independent evidence; the
    interval is the percentile interval and has no width where every pair is in order.

    Parameters
    ----------
    scores : (n,) finite, high where a copy is expected
    is_positive : bool (n,)
    groups : (n,) prompts that stand or fall together
    resamples : bootstrap draws
    confidence : in (0, 1)
    seed : decides the draws
    strata : (n,) compare only pairs of one stratum. For out-of-fold predictions: scores of two
        folds come from two fits and have no common zero.

    Returns
    -------
    auc, low, high : in [0, 1]; NaN where there is nothing to compare; low and high also where one
        side has a single group
    """
    x, positive = np.asarray(scores, float), np.asarray(is_positive, bool)
    if not np.isfinite(x).all():
        raise ValueError(f"{int((~np.isfinite(x)).sum())} of {len(x)} scores are not finite")
    weights = np.ones((positive.sum(), (~positive).sum()))
    if strata is not None:
        codes = pd.factorize(np.asarray(strata))[0]
        weights = (codes[positive][:, None] == codes[~positive][None]).astype(float)
    pairs = compare_pairs(x[positive], x[~positive]) * weights
    if weights.sum() == 0:
        return float("nan"), float("nan"), float("nan")
    auc = float(pairs.sum() / weights.sum())
    of_group, names = pd.factorize(np.asarray(groups, dtype=object))
    (some, at_positive), (others, at_negative) = (
        np.unique(of_group[side], return_inverse=True) for side in (positive, ~positive)
    )
    if len(some) < 2 or len(others) < 2:
        return auc, float("nan"), float("nan")
    # pairs of two groups are drawn together, so their sums are all that a draw needs
    shape, at = (len(some), len(others)), (at_positive[:, None], at_negative[None])
    above, total = np.zeros(shape), np.zeros(shape)
    np.add.at(above, at, pairs)
    np.add.at(total, at, weights)
    draws = draw_groups(len(names), resamples, seed)
    drawn = []
    for start in range(0, resamples, CHUNK):
        times = draws[start : start + CHUNK]
        p, q = times[:, some], times[:, others]
        with np.errstate(invalid="ignore"):
            drawn.append(((p @ above) * q).sum(1) / ((p @ total) * q).sum(1))
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(np.concatenate(drawn), [tail, 1 - tail])
    return auc, float(low), float(high)


def split_groups(groups: ArrayLike, is_positive: ArrayLike, parts: int, seed: int) -> np.ndarray:
    """Part 0 to `parts` - 1 of each prompt: whole groups, positives and negatives spread evenly."""
    frame = pd.DataFrame({"group": groups, "positive": np.asarray(is_positive, bool)})
    kinds = frame.groupby("group")["positive"].agg(
        ["mean", "size"]
    )  # sorted by name: no order to depend on
    kinds["draw"] = np.random.default_rng(seed).permutation(len(kinds))
    ordered = kinds.sort_values(["mean", "size", "draw"]).index
    part = pd.Series(np.arange(len(ordered)) % parts, index=ordered)
    return part.reindex(frame["group"]).to_numpy()


def pass_threshold(
    scores: ArrayLike, is_positive: ArrayLike, part: np.ndarray, fpr: float
) -> tuple[np.ndarray | None, str]:
    """Which prompts lie above the threshold that lets a share `fpr` of negatives pass.

    Carlini 2022 (LiRA) reads a detector on the right tail. The threshold comes from one half of the
    groups and is judged on the other, both ways round, so the false positive rate that is reached
    is a measurement of its own.

    part : (n,) half of each prompt, 0 or 1 (`split_groups`)

    Returns
    -------
    passed (n,) bool, or None where a half has fewer than 1 / fpr negatives or no positive; and why,
    "" if nothing is wrong
    """
    x, positive = np.asarray(scores, float), np.asarray(is_positive, bool)
    passed = np.zeros(len(x), bool)
    for half in (0, 1):
        negatives = np.sort(x[~positive & (part != half)])[::-1]
        if len(negatives) < 1 / fpr:
            need = int(np.ceil(1 / fpr - 1e-9))
            return None, f"FPR {fpr:g}: {len(negatives)} negatives in a half, {need} needed"
        if not (positive & (part == half)).any():
            return None, f"FPR {fpr:g}: no positive in a half"
        threshold = negatives[int(np.floor(fpr * len(negatives) + 1e-9))]
        passed[part == half] = x[part == half] > threshold
    return passed, ""


def share_interval(
    hits: ArrayLike, groups: ArrayLike, resamples: int, confidence: float, seed: int
) -> tuple[float, float, float]:
    """A share and its bootstrap interval over groups: prompts of one picture are drawn together.

    Where all hits are equal every draw is too; then it is Wilson's interval with the groups as the
    unit.

    Parameters
    ----------
    hits : bool (n,)
    groups : (n,) prompts that stand or fall together

    Returns
    -------
    share, low, high : NaN of nothing
    """
    hit = np.asarray(hits, float)
    if not hit.size:
        return float("nan"), float("nan"), float("nan")
    of_group, names = pd.factorize(np.asarray(groups, dtype=object))
    share, n = float(hit.mean()), len(names)
    if share in (0.0, 1.0) or n < 2:
        low, high = wilson(round(share * n), n, confidence)
        return share, float(low), float(high)
    found, size = np.bincount(of_group, hit), np.bincount(of_group)
    times = draw_groups(n, resamples, seed)
    tail = (1 - confidence) / 2
    low, high = np.quantile((times @ found) / (times @ size), [tail, 1 - tail])
    return share, float(low), float(high)


def roc_points(scores: ArrayLike, is_positive: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """False and true positive rate at every threshold, from (0, 0) to (1, 1).

    Prompts with one score pass together, so ties are slopes. Points on a straight line between
    their neighbours along an axis are left out.
    """
    x, positive = np.asarray(scores, float), np.asarray(is_positive, bool)
    order = np.argsort(-x, kind="stable")
    last = np.append(np.flatnonzero(np.diff(x[order])), len(x) - 1)
    true = np.append(0, np.cumsum(positive[order])[last])
    false = np.append(0, np.cumsum(~positive[order])[last])
    flat = np.zeros(len(true), bool)
    for axis in (true, false):
        flat[1:-1] |= (axis[1:-1] == axis[:-2]) & (axis[1:-1] == axis[2:])
    return false[~flat] / max(1, false[-1]), true[~flat] / max(1, true[-1])
