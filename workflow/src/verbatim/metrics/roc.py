"""Scores as detectors: area under the ROC curve, true positives at a false positive rate, thresholds.

Scores are high where a positive is expected; scores that tie pass together. Shares of draws of a bootstrap are
computed from weights: how often each prompt is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from verbatim.metrics.intervals import (
    NAN,
    Draws,
    Interval,
    Statistic,
    bootstrap_interval,
    count_units,
    group_units,
)


def least_negatives(fpr: float) -> int:
    """Fewest negatives that a threshold at a false positive rate `fpr`, in (0, 1), can be read from."""
    return max(1, int(np.ceil(1 / fpr - 1 - 1e-9)))


def allowed_alarms(n: ArrayLike, fpr: float) -> np.ndarray:
    """How many of `n` negatives, (...) counts, may be above their own threshold at `fpr`: (...) int; -1 if there is none.

    With the negative of index floor(fpr (n + 1)) - 1 in falling order as the threshold, a further negative that is
    exchangeable with the n lies above it with a chance of at most fpr: of n + 1 such scores at most floor(fpr (n + 1))
    are among the highest (Vovk et al. 2005, "Algorithmic Learning in a Random World", proposition 2.4). Index
    floor(fpr n) lets (floor(fpr n) + 1) / (n + 1) through, twice the rate for 100 negatives and 1 %.
    """
    return np.floor(fpr * (np.asarray(n, float) + 1) + 1e-9) - 1


def find_threshold(negatives: ArrayLike, fpr: float) -> float:
    """The score that must be exceeded for a false positive rate of at most `fpr`; NaN for too few negatives.

    See `allowed_alarms`. negatives : (n,) finite scores.
    """
    ordered = np.sort(np.asarray(negatives, float))[::-1]
    place = int(allowed_alarms(len(ordered), fpr))
    return float(ordered[place]) if place >= 0 else NAN


def weighted_auc(
    scores: np.ndarray, positive: np.ndarray, weight: np.ndarray, strata: np.ndarray | None = None
) -> np.ndarray:
    """Area under the ROC curve of each draw (draws,): share of pairs in order, ties count half; NaN without pairs or scores.

    Parameters
    ----------
    scores : (n,). positive : bool (n,). weight : (draws, n), not negative
    strata : (n,) only pairs of one stratum are compared; None: all
    """
    above, total = np.zeros(len(weight)), np.zeros(len(weight))
    if np.isnan(scores).all():
        return np.full(len(weight), NAN)
    parts = [slice(None)] if strata is None else [strata == one for one in np.unique(strata)]
    for part in parts:
        x, m, w = scores[part], positive[part], weight[:, part]
        order = np.argsort(x, kind="stable")
        first = np.append(0, np.flatnonzero(np.diff(x[order])) + 1)
        w, m = w[:, order], m[order]
        pos = np.add.reduceat(w * m, first, axis=1)
        neg = np.add.reduceat(w * ~m, first, axis=1)
        below = np.cumsum(neg, axis=1) - neg / 2
        above += (pos * below).sum(1)
        total += pos.sum(1) * neg.sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0, above / total, np.nan)


def weighted_tpr(
    scores: np.ndarray, positive: np.ndarray, weight: np.ndarray, fpr: float
) -> np.ndarray:
    """True positive rate of each draw (draws,) above its own threshold at `fpr` (`allowed_alarms`).

    NaN for a draw without positives or with too few negatives. Parameters as for `weighted_auc`.
    """
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    w, m = weight[:, order], positive[order]
    false, true = np.cumsum(w * ~m, axis=1)[:, last], np.cumsum(w * m, axis=1)[:, last]
    allowed = allowed_alarms(false[:, -1:], fpr)
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = np.where(false <= allowed, true, 0.0).max(1) / true[:, -1]
    return np.where(allowed[:, 0] >= 0, rate, np.nan)


def auc_interval(
    scores: ArrayLike,
    is_positive: ArrayLike,
    groups: ArrayLike,
    draws: Draws,
    strata: ArrayLike | None = None,
) -> Interval:
    """Area under the ROC curve and its bootstrap interval over groups.

    Draws are of whole groups, because near-duplicate captions are not independent evidence; the
    interval has no width where every pair is in order.

    Parameters
    ----------
    scores : (n,) finite, or all NaN: nobody has a score
    is_positive : bool (n,)
    groups : (n,) prompts that depend on each other
    draws : of the bootstrap
    strata : (n,) compare only pairs of one stratum. For out-of-fold predictions: scores of two
        folds come from two fits and have no common zero.

    Returns
    -------
    auc, low, high : in [0, 1]; NaN where there is nothing to compare or nobody has a score; low and high also where one
        side has a single group

    Raises
    ------
    ValueError : a score is not finite
    """
    x, positive = np.asarray(scores, float), np.asarray(is_positive, bool)
    if not np.isfinite(x).all() and not np.isnan(x).all():
        raise ValueError(f"{int((~np.isfinite(x)).sum())} of {len(x)} scores are not finite")
    if np.isnan(x).all():  # also of no prompt
        return Interval(NAN, NAN, NAN)
    parts = None if strata is None else pd.factorize(np.asarray(strata))[0]
    of_group, n = group_units(groups)

    def statistic(positions: np.ndarray) -> np.ndarray:
        return weighted_auc(x, positive, count_units(positions, n)[:, of_group], parts)

    if min(len(set(of_group[side])) for side in (positive, ~positive)) < 2:
        return Interval(float(statistic(np.arange(n)[None])[0]), NAN, NAN)
    return bootstrap_interval(statistic, n, *draws)


def pass_threshold(
    scores: ArrayLike, is_positive: ArrayLike, part: np.ndarray, fpr: float
) -> tuple[np.ndarray | None, str]:
    """Which prompts lie above the threshold that lets at most a share `fpr` of negatives pass.

    Carlini 2022 (LiRA) reads a detector on the right tail. The threshold comes from one half of the
    groups and is judged on the other, both ways round, so the false positive rate that is reached
    is a measurement of its own.

    part : (n,) half of each prompt, 0 or 1 (`split_groups`)

    Returns
    -------
    passed (n,) bool, or None where a half has too few negatives (`least_negatives`) or no positive, or nobody has a score
    (all NaN); and why, "" if nothing is wrong
    """
    x, positive = np.asarray(scores, float), np.asarray(is_positive, bool)
    passed = np.zeros(len(x), bool)
    for half in (0, 1):
        negatives = x[~positive & (part != half)]
        threshold = find_threshold(negatives, fpr)
        if np.isnan(threshold):
            need = least_negatives(fpr)
            if len(negatives) >= need:
                return None, "no prompt has a score"
            return None, f"FPR {fpr:g}: {len(negatives)} negatives in a half, {need} needed"
        if not (positive & (part == half)).any():
            return None, f"FPR {fpr:g}: no positive in a half"
        passed[part == half] = x[part == half] > threshold
    return passed, ""


def roc_points(scores: ArrayLike, is_positive: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """False and true positive rate at every threshold, from (0, 0) to (1, 1).

    Ties are slopes. Points on a straight line between their neighbours along an axis are left out.
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


@dataclass(frozen=True)
class Share:
    """A number with its bootstrap interval; NaN and a note where it has no value.

    n : negatives. statistic, units : what the interval was drawn from, so that two shares can be compared on the
    same draws (`difference`).
    """

    value: float
    low: float
    high: float
    n: int
    note: str = ""
    statistic: Statistic | None = None
    units: int = 0


@dataclass(frozen=True)
class Attack:
    """Scores of pairs of an image and a model, and which of them are members.

    scores : (n,) high for members; NaN: not attacked. member : bool (n,). images : (n,) the image of each pair: an
    image's pairs are drawn together.
    """

    scores: np.ndarray
    member: np.ndarray
    images: np.ndarray

    @property
    def negatives(self) -> int:
        """Pairs that are attacked and no members."""
        return int((np.isfinite(self.scores) & ~self.member).sum())

    def measure(self, fpr: float | None, resamples: int, confidence: float, seed: int) -> Share:
        """Area under the curve (fpr None) or true positive rate at `fpr`, with its interval over images.

        Carlini 2022, section III: read on the right tail. The threshold is found again in each draw. There is no value
        where fewer different images than `least_negatives` are negatives.
        """
        of, n = group_units(self.images)  # of all images, so that two attacks share their draws
        known = np.isfinite(self.scores)
        x, inside, at = self.scores[known], self.member[known], of[known]
        if not inside.any() or inside.all():
            return Share(NAN, NAN, NAN, self.negatives, "no members or no others")
        if fpr is not None and (distinct := len(set(at[~inside]))) < least_negatives(fpr):
            need = least_negatives(fpr)
            note = f"FPR {fpr:g}: {distinct} different negatives, {need} needed"
            return Share(NAN, NAN, NAN, self.negatives, note)

        def statistic(positions: np.ndarray) -> np.ndarray:
            weight = count_units(positions, n)[:, at]
            if fpr is None:
                return weighted_auc(x, inside, weight)
            return weighted_tpr(x, inside, weight, fpr)

        found = bootstrap_interval(statistic, n, resamples, confidence, seed)
        return Share(*found, self.negatives, statistic=statistic, units=n)


def difference(a: Share, b: Share, resamples: int, confidence: float, seed: int) -> Share:
    """a - b on the same draws of images, so that what both have in common cancels."""
    n = min(a.n, b.n)
    if a.statistic is None or b.statistic is None:
        return Share(NAN, NAN, NAN, n, a.note or b.note)
    first, second = a.statistic, b.statistic
    found = bootstrap_interval(
        lambda positions: first(positions) - second(positions), a.units, resamples, confidence, seed
    )
    return Share(*found, n)
