"""Differences between runs of the study, with intervals that hold over trainings.

A point is trained once a study seed, two or three times in all, which is too few to tell from its own
values how far a training scatters. So a contrast (weights that sum to 0) is judged by the scatter of all runs of a
measure, as in a randomized block design (Montgomery, "Design and Analysis of Experiments", chapter 4): ordinary least
squares of run and block effects by statsmodels, and its t-test of the weights. ASSUME residuals of one variance that are
independent: runs whose values all lie at an end of the scale scatter less than it says, and what a seed does to one
defence at all points alike is not in it.

What a seed does to all its runs alike cancels in a contrast. In a sum whose weights do not cancel (the mean of some
runs, say) it stays, and more runs do not lessen it: such a sum is judged by Student's t over the sums of each seed.

Images and captions are the same for all seeds, so an interval is over trainings, not over data sets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtri

from verbatim.metrics.intervals import NAN, t_interval

Run = tuple[str, str]  # point, defence


@dataclass(frozen=True)
class Values:
    """One measure of all runs.

    table : value, index (point, defence), columns the study seeds; NaN: not there.
    errors : standard errors within a run (its low and high), alike; NaN where it has no interval.
    """

    table: pd.DataFrame
    errors: pd.DataFrame


@dataclass(frozen=True)
class Estimate:
    """A weighted sum of runs, averaged over seeds, and its interval.

    n : seeds that all its runs have. df : degrees of freedom of its variance over trainings, 0 where that is
    not known; then low and high are of the sampling within the runs alone. high < low never; NaN: unknown.
    """

    value: float
    low: float
    high: float
    n: int
    df: float


def values_of(measures: pd.DataFrame, measure: str, confidence: float) -> Values:
    """One measure of a `run_measures` table; a run without a finite value is not there."""
    some = measures[measures["measure"].eq(measure) & np.isfinite(measures["value"])]
    keys = ["point", "defence", "seed"]
    some = some.drop_duplicates(keys, keep="last").set_index(keys)
    z = ndtri(0.5 + confidence / 2)
    errors = (some["high"] - some["low"]) / (2 * z)
    return Values(some["value"].unstack("seed"), errors.unstack("seed"))


def _within_models(table: pd.DataFrame, weights: Mapping[Run, float]) -> bool:
    """Whether a contrast compares defences of the same models, each model with itself."""
    sums: dict[str, float] = {}
    for (point, _), weight in weights.items():
        sums[point] = sums.get(point, 0.0) + weight
    return len({defence for _, defence in weights}) > 1 and all(
        abs(total) < 1e-9 and (point, "none") in table.index for point, total in sums.items()
    )


def fit_contrast(
    table: pd.DataFrame, weights: Mapping[Run, float], confidence: float
) -> tuple[float, float]:
    """How far a contrast's interval over trainings reaches each way, and its degrees of freedom; NaN and 0: unknown.

    Between models the blocks are the seeds, and the runs that say how trainings scatter are those with the contrast's own
    defences. Within models (a defence against none) each trained model, a point with a seed, is a block of its own,
    and the runs are those of the points that have a defence.

    Parameters
    ----------
    table : value, index (point, defence), columns the seeds that all runs of `weights` have; runs that lack one are left out
    weights : of runs, summing to 0
    """
    from statsmodels.regression.linear_model import OLS

    some = table.dropna()
    point, defence = (some.index.get_level_values(name) for name in ("point", "defence"))
    within = _within_models(some, weights)
    some = some[
        point.isin(point[defence != "none"]) if within else defence.isin({d for _, d in weights})
    ]
    if some.shape[0] < 2 or some.shape[1] < 2:
        return NAN, 0
    run, seed = (places.ravel() for places in np.indices(some.shape))
    each, models = np.eye(some.shape[0])[run], pd.factorize(some.index.get_level_values("point"))[0]
    if within:  # a model's level is its block's, so its run without a defence needs no term
        blocks = pd.get_dummies(models[run] * some.shape[1] + seed).to_numpy(float)
        each = each[:, some.index.get_level_values("defence") != "none"]
    else:  # the first seed's level is in the runs' terms
        blocks = np.eye(some.shape[1])[seed][:, 1:]
    terms = np.hstack([each, blocks])
    fit = OLS(some.to_numpy(float).ravel(), terms).fit()
    if fit.df_resid < 1:
        return NAN, 0
    w = np.array([weights.get(one, 0.0) for one in some.index])[run] / some.shape[1]
    low, high = fit.t_test(w @ terms).conf_int(1 - confidence)[0]
    return float(high - low) / 2, float(fit.df_resid)


def _between(
    table: pd.DataFrame, weights: Mapping[Run, float], confidence: float
) -> tuple[float, float]:
    """As `fit_contrast`, also for weights that do not sum to 0: Student's t over the seeds' own sums."""
    if table.shape[1] < 2:
        return NAN, 0
    if abs(sum(weights.values())) < 1e-9:
        return fit_contrast(table, weights, confidence)
    sums = np.array(list(weights.values())) @ table.loc[list(weights)].to_numpy(float)
    low, high = t_interval(sums, confidence)
    return (high - low) / 2, len(sums) - 1


def _within(w: np.ndarray, errors: np.ndarray) -> float:
    """Standard error of the sampling within runs; w (runs,), errors (runs, seeds); NaN if a run has no interval.

    All runs draw images of the same captions, so their errors go together. A mean of runs has them in full: it is no
    surer than one run. A contrast loses some of them, and counting them as independent is on the safe side.
    """
    if (w > 0).all():
        return float((w @ errors).mean())
    return float(np.sqrt(((w[:, None] * errors) ** 2).sum() / errors.shape[1] ** 2))


def estimate(values: Values, weights: Mapping[Run, float], confidence: float) -> Estimate | None:
    """sum of weight * value over runs, averaged over the seeds that all of them have; None if there are none.

    Its interval is the wider of two: that over trainings (`fit_contrast`, or Student's t over seeds), and the normal
    one of the sampling within the runs (from their own intervals), which a chance agreement of seeds cannot hide.
    """
    if not weights or any(run not in values.table.index for run in weights):
        return None
    runs, w = list(weights), np.array(list(weights.values()))
    x = values.table.loc[runs].dropna(axis=1)
    if x.shape[1] == 0:
        return None
    n, value = x.shape[1], float((w @ x.to_numpy(float)).mean())
    inside = _within(w, values.errors.loc[runs, x.columns].to_numpy(float))
    between, df = _between(values.table[x.columns], weights, confidence)
    halves = [between, float(ndtri(0.5 + confidence / 2)) * inside]
    known = [half for half in halves if np.isfinite(half)]
    if not known:
        return Estimate(value, NAN, NAN, n, 0)
    return Estimate(value, value - max(known), value + max(known), n, df)


def trend_weights(x: np.ndarray) -> np.ndarray:
    """Weights (n,) of a series at x (n,): its change from the lowest x to the highest along the fitted line."""
    centred = np.asarray(x, float) - np.mean(x)
    return centred / (centred**2).sum() * (np.max(x) - np.min(x))
