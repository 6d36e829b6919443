"""Differences between runs of the study, with intervals that hold over trainings.

A point is trained once a study seed, two or three times in all, which is too few to tell from its own
values how far a training scatters. So the scatter is estimated from all runs of a measure together, as
in an analysis of variance of a randomized block design (Montgomery, "Design and Analysis of Experiments",
chapter 4): value = run + seed + residual, residuals of one variance. ASSUME that one variance: runs whose
values all lie at an end of the scale scatter less than it says. Pictures and captions are the same for all
seeds, so an interval is over trainings, not over data sets.

What a seed does to all its runs alike cancels in a difference of runs. In a sum whose weights do not cancel (the
mean of some runs, say) it stays, and more runs do not lessen it: there it is a variance component of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import chdtri, ndtri, stdtrit

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
    """One measure of a `study_measures` table; a run without a finite value is not there."""
    some = measures[measures["measure"].eq(measure) & np.isfinite(measures["value"])]
    keys = ["point", "defence", "seed"]
    some = some.drop_duplicates(keys, keep="last").set_index(keys)
    z = ndtri(0.5 + confidence / 2)
    errors = (some["high"] - some["low"]) / (2 * z)
    return Values(some["value"].unstack("seed"), errors.unstack("seed"))


def mean_squares(table: np.ndarray) -> tuple[float, float, int, int]:
    """Mean squares of residuals and of seeds, of the runs that have all seeds; how many runs and seeds these are.

    table : (runs, seeds). NaN where there is nothing to estimate from: residuals need two runs and two seeds.
    """
    x = table[~np.isnan(table).any(axis=1)]
    runs, seeds = x.shape
    if seeds < 2 or runs < 1:
        return float("nan"), float("nan"), runs, seeds
    blocks = x.mean(0) - x.mean()
    of_seeds = runs * float((blocks**2).sum()) / (seeds - 1)
    if runs < 2:
        return float("nan"), of_seeds, runs, seeds
    rest = x - x.mean(1, keepdims=True) - blocks
    return float((rest**2).sum()) / ((runs - 1) * (seeds - 1)), of_seeds, runs, seeds


class Scatter(NamedTuple):
    """Variance over trainings, its degrees of freedom, and those of the residuals; NaN and 0: unknown."""

    variance: float
    df: float
    residual_df: int


def sum_scatter(table: np.ndarray, total: float, squares: float, n: int) -> Scatter:
    """Scatter of a weighted sum of runs, averaged over n seeds.

    Two components: total^2 * seeds / n + squares * residual / n, with Satterthwaite's degrees of freedom (Montgomery,
    chapter 13). A contrast (total 0) is free of the first.

    Parameters
    ----------
    table : (runs, seeds), what the components are estimated from: perhaps more runs than are summed
    total, squares : sum of the weights, and of their squares
    """
    residual, of_seeds, runs, seeds = mean_squares(table)
    total = 0.0 if abs(total) < 1e-9 else total
    if seeds < 2 or runs < (1 if total else 2):
        return Scatter(float("nan"), 0, 0)
    df_seeds, df = seeds - 1, (runs - 1) * (seeds - 1)
    if runs == 1:  # a run's own scatter over seeds holds both components
        return Scatter(total**2 * of_seeds / n, df_seeds, df_seeds)
    # Of two seeds a mean square has one degree of freedom: it is below its mean in two studies of three, and intervals that
    # trust it cover down to 87 % for 95. Over its median it is too high as often as too low: 91 % at least.
    of_seeds *= df_seeds / chdtri(df_seeds, 0.5)
    variance = (total**2 * max(0.0, of_seeds - residual) / runs + squares * residual) / n
    if not total or of_seeds <= residual:
        return Scatter(variance, df, df)
    parts = total**2 / runs * of_seeds / n, (squares - total**2 / runs) * residual / n
    satterthwaite = variance**2 / (parts[0] ** 2 / df_seeds + parts[1] ** 2 / df)
    return Scatter(variance, max(satterthwaite, df_seeds), df)


def _within_models(table: pd.DataFrame, weights: Mapping[Run, float]) -> bool:
    """Whether a contrast compares defences of the same models, each model with itself."""
    sums: dict[str, float] = {}
    for (point, _), weight in weights.items():
        sums[point] = sums.get(point, 0.0) + weight
    return len({defence for _, defence in weights}) > 1 and all(
        abs(total) < 1e-9 and (point, "none") in table.index for point, total in sums.items()
    )


def _between(table: pd.DataFrame, weights: Mapping[Run, float], n: int) -> Scatter:
    """Scatter over trainings of a weighted sum, averaged over n seeds.

    Between models: judged by the runs with the same defences as its own. Within models (a defence against none):
    by the differences to the same model without a defence, whose own scatter cancels.
    """
    if _within_models(table, weights):
        bare = table.xs("none", level="defence")
        some = table[table.index.get_level_values("defence") != "none"]
        some = some - bare.reindex(some.index.get_level_values("point")).to_numpy(float)
        used = [w for (_, defence), w in weights.items() if defence != "none"]
    else:
        asked = {defence for _, defence in weights}
        some = table[table.index.get_level_values("defence").isin(asked)]
        used = list(weights.values())
    return sum_scatter(some.to_numpy(float), sum(used), sum(w**2 for w in used), n)


def _within(w: np.ndarray, errors: np.ndarray) -> float:
    """Standard error of the sampling within runs; w (runs,), errors (runs, seeds); NaN if a run has no interval.

    All runs draw pictures of the same captions, so their errors go together. A mean of runs has them in full: it is no
    surer than one run. A contrast loses some of them, and counting them as independent is on the safe side.
    """
    if (w > 0).all():
        return float((w @ errors).mean())
    return float(np.sqrt(((w[:, None] * errors) ** 2).sum() / errors.shape[1] ** 2))


def estimate(values: Values, weights: Mapping[Run, float], confidence: float) -> Estimate | None:
    """sum of weight * value over runs, averaged over the seeds that all of them have; None if there are none.

    Its interval is the wider of two: that over trainings (`sum_scatter`), and that of the sampling within the runs
    (their bootstrap intervals), which a chance agreement of seeds cannot hide. Both are Student's t, the second with
    the residuals' degrees of freedom: how few seeds there are says nothing of the sampling.
    """
    runs = [run for run in weights if run in values.table.index]
    if len(runs) < len(weights) or not runs:
        return None
    w = np.array([weights[run] for run in runs])
    x = values.table.loc[runs].dropna(axis=1)
    if x.shape[1] == 0:
        return None
    n, value = x.shape[1], float((w @ x.to_numpy(float)).mean())
    inside = _within(w, values.errors.loc[runs, x.columns].to_numpy(float))
    over = _between(values.table, weights, n) if n > 1 else Scatter(float("nan"), 0, 0)
    between = np.sqrt(over.variance)
    parts = ((between, over.df), (inside, over.residual_df))
    known = [_times(df, confidence) * error for error, df in parts if np.isfinite(error)]
    if not known:
        return Estimate(value, float("nan"), float("nan"), n, 0)
    half = float(max(known))
    return Estimate(value, value - half, value + half, n, over.df)


def _times(df: float, confidence: float) -> float:
    """Standard errors each way: of Student's t, of the normal distribution for df 0."""
    p = 0.5 + confidence / 2
    return float(stdtrit(df, p) if df else ndtri(p))


def trend_weights(x: np.ndarray) -> np.ndarray:
    """Weights that turn a series into its change from the lowest x to the highest, along the fitted line."""
    centred = np.asarray(x, float) - np.mean(x)
    return centred / (centred**2).sum() * (np.max(x) - np.min(x))
