"""Was this picture in the training set? The loss-threshold attack and LiRA, with shadow models.

Carlini et al. 2022, "Membership Inference Attacks From First Principles" (arXiv 2112.03570); Carlini
et al. 2023, section 5.2, on diffusion models: the loss at one timestep, averaged over noises and flips.
Every shadow model is the target once, with the others as its shadows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from verbatim.tables.statistics import draw_groups


def lira_scores(losses: ArrayLike, member: ArrayLike) -> np.ndarray:
    """log N(loss | in) - log N(loss | out) of each picture in each model: high means a member.

    Carlini 2022, algorithm 1 (online). Mean losses are a picture's own, over the other models that have
    seen it and over those that have not; variances are one number each for all pictures, as there for
    few shadow models (section VI-A, "global variance").

    Parameters
    ----------
    losses : (models, pictures), finite
    member : bool (models, pictures)

    Returns
    -------
    (models, pictures); NaN where no other model has seen the picture, or all have
    """
    x, inside = np.asarray(losses, float), np.asarray(member, bool)
    if x.shape != inside.shape or x.ndim != 2:
        raise ValueError(f"losses {x.shape} and member {inside.shape} must be (models, pictures)")
    if not np.isfinite(x).all():
        raise ValueError(f"{int((~np.isfinite(x)).sum())} of {x.size} losses are not finite")
    scores = np.full(x.shape, np.nan)
    for target in range(len(x)):
        others = np.arange(len(x)) != target
        means, spreads = [], []
        for side in (inside[others], ~inside[others]):
            n = side.sum(0)
            with np.errstate(invalid="ignore", divide="ignore"):
                mean = np.where(side, x[others], 0.0).sum(0) / n
            free = np.maximum(n - 1, 0).sum()
            squares = np.where(side, (x[others] - mean) ** 2, 0.0).sum()
            means.append(mean)
            spreads.append(squares / free if free and squares > 0 else np.nan)
        # one side alone says how losses vary; none: equal spreads, of which any gives the same order
        known = [spread for spread in spreads if np.isfinite(spread)]
        fill = known[0] if known else 1.0
        (mu_in, mu_out), (v_in, v_out) = (
            means,
            [v if np.isfinite(v) else fill for v in spreads],
        )
        scores[target] = 0.5 * (
            np.log(v_out / v_in)
            + (x[target] - mu_out) ** 2 / v_out
            - (x[target] - mu_in) ** 2 / v_in
        )
    return scores


@dataclass(frozen=True)
class Share:
    """A number with its bootstrap interval; NaN and a note where it cannot be said."""

    value: float
    low: float
    high: float
    n: int
    note: str = ""
    draws: np.ndarray | None = None  # of the bootstrap, the same pictures for every score


def _tpr(scores: np.ndarray, member: np.ndarray, weight: np.ndarray, fpr: float) -> np.ndarray:
    """Weighted true positive rate at the lowest threshold whose false positive rate is <= fpr.

    weight : (draws, n). Scores that tie pass together.
    """
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    w, m = weight[:, order], member[order]
    false, true = np.cumsum(w * ~m, axis=1)[:, last], np.cumsum(w * m, axis=1)[:, last]
    with np.errstate(invalid="ignore", divide="ignore"):
        allowed = false <= fpr * false[:, -1:] * (1 + 1e-12)
        rate = np.where(allowed, true, 0.0).max(1) / true[:, -1]
    return np.where(false[:, -1] > 0, rate, np.nan)


def _auc(scores: np.ndarray, member: np.ndarray, weight: np.ndarray, _: float) -> np.ndarray:
    """Weighted area under the ROC curve of each draw; ties count half."""
    order = np.argsort(scores, kind="stable")
    first = np.append(0, np.flatnonzero(np.diff(scores[order])) + 1)
    w, m = weight[:, order], member[order]
    pos = np.add.reduceat(w * m, first, axis=1)
    neg = np.add.reduceat(w * ~m, first, axis=1)
    below = np.cumsum(neg, axis=1) - neg / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return (pos * below).sum(1) / (pos.sum(1) * neg.sum(1))


def _interval(
    measure: Callable[..., np.ndarray],
    scores: ArrayLike,
    member: ArrayLike,
    groups: ArrayLike,
    fpr: float,
    resamples: int,
    confidence: float,
    seed: int,
) -> Share:
    x, inside, of = np.asarray(scores, float), np.asarray(member, bool), np.asarray(groups)
    names, at = np.unique(of, return_inverse=True)
    known = np.isfinite(x)  # draws are of all pictures, so that two scores share them
    x, inside, at = x[known], inside[known], at[known]
    n = int((~inside).sum())
    if not inside.any() or inside.all():
        return Share(np.nan, np.nan, np.nan, n, "no members or no others")
    weight = draw_groups(len(names), resamples, seed)[:, at]
    value = float(measure(x, inside, np.ones((1, len(x))), fpr)[0])
    draws = np.concatenate(
        [measure(x, inside, weight[i : i + 50], fpr) for i in range(0, resamples, 50)]
    )
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(draws, [tail, 1 - tail])
    return Share(value, float(low), float(high), n, draws=draws)


def tpr_interval(
    scores: ArrayLike,
    member: ArrayLike,
    pictures: ArrayLike,
    fpr: float,
    resamples: int,
    confidence: float,
    seed: int,
) -> Share:
    """True positive rate at a low false positive rate, with a bootstrap over pictures.

    Carlini 2022, section III: read on the right tail. The threshold is found anew in each draw.

    Parameters
    ----------
    scores : (n,) high for members; NaN: not attacked
    member : bool (n,)
    pictures : (n,) the picture of each pair of picture and model; a picture's pairs are drawn together
    fpr : no value where fewer than 1 / fpr different pictures are negatives

    Returns
    -------
    Share; n : pairs that are negatives
    """
    x, inside = np.asarray(scores, float), np.asarray(member, bool)
    distinct = len(np.unique(np.asarray(pictures)[np.isfinite(x) & ~inside]))
    if distinct < 1 / fpr - 1e-9:
        need = int(np.ceil(1 / fpr - 1e-9))
        note = f"FPR {fpr:g}: {distinct} different negatives, {need} needed"
        n = int((np.isfinite(x) & ~inside).sum())
        return Share(np.nan, np.nan, np.nan, n, note)
    return _interval(_tpr, x, inside, pictures, fpr, resamples, confidence, seed)


def auc_share(
    scores: ArrayLike,
    member: ArrayLike,
    pictures: ArrayLike,
    resamples: int,
    confidence: float,
    seed: int,
) -> Share:
    """Area under the ROC curve with a bootstrap over pictures; parameters as for `tpr_interval`."""
    return _interval(_auc, scores, member, pictures, 0.0, resamples, confidence, seed)


def roc_band(
    scores: np.ndarray,
    member: np.ndarray,
    pictures: np.ndarray,
    fprs: np.ndarray,
    resamples: int,
    confidence: float,
    seed: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True positive rate at each false positive rate, and its pointwise bootstrap band over pictures."""
    shares = [
        _interval(_tpr, scores, member, pictures, float(fpr), resamples, confidence, seed)
        for fpr in fprs
    ]
    value, low, high = np.array([(s.value, s.low, s.high) for s in shares]).T
    return value, low, high


def difference(a: Share, b: Share, confidence: float) -> Share:
    """a - b on the same draws of pictures, so that what both have in common cancels."""
    if a.draws is None or b.draws is None:
        return Share(np.nan, np.nan, np.nan, min(a.n, b.n), a.note or b.note)
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(a.draws - b.draws, [tail, 1 - tail])
    return Share(a.value - b.value, float(low), float(high), min(a.n, b.n))
