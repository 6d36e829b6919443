"""Differences between runs of the study, with intervals that hold over trainings.

A point is trained once a study seed, two or three times in all, which is too few to tell from its own
values how far a training scatters. So the scatter is estimated from all runs of a measure together, as
in an analysis of variance of a randomized block design (Montgomery, "Design and Analysis of Experiments",
chapter 4): value = run + seed + residual, residuals of one variance. ASSUME that one variance: runs whose
values all lie at an end of the scale scatter less than it says. Pictures and captions are the same for all
seeds, so an interval is over trainings, not over data sets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtri, stdtrit

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

    n : seeds that all its runs have. df : degrees of freedom of the residual variance, 0 where it is
    not known; then low and high are of the sampling within the runs alone. high < low never; NaN: unknown.
    """

    value: float
    low: float
    high: float
    n: int
    df: int


def values_of(measures: pd.DataFrame, measure: str, confidence: float) -> Values:
    """One measure of a `study_measures` table; a run without a finite value is not there."""
    some = measures[measures["measure"].eq(measure) & np.isfinite(measures["value"])]
    keys = ["point", "defence", "seed"]
    some = some.drop_duplicates(keys, keep="last").set_index(keys)
    z = ndtri(0.5 + confidence / 2)
    errors = (some["high"] - some["low"]) / (2 * z)
    return Values(some["value"].unstack("seed"), errors.unstack("seed"))


def residual_variance(table: pd.DataFrame, blocks: bool) -> tuple[float, int]:
    """Variance of what neither the run nor (`blocks`) the seed explains, and its degrees of freedom.

    Of runs that have all seeds. A contrast (weights that sum to 0) is free of the seeds' own effects; a
    plain value is not, so there they count as scatter. NaN and 0 where there is nothing to estimate from.
    """
    x = table.dropna().to_numpy(float)
    runs, seeds = x.shape
    if seeds < 2 or runs < (2 if blocks else 1):
        return float("nan"), 0
    rest = x - x.mean(1, keepdims=True)
    if blocks:
        rest = rest - rest.mean(0, keepdims=True)
    df = (runs - 1) * (seeds - 1) if blocks else runs * (seeds - 1)
    return float((rest**2).sum() / df), df


def _within_models(table: pd.DataFrame, weights: Mapping[Run, float]) -> bool:
    """Whether a contrast compares defences of the same models, each model with itself."""
    sums: dict[str, float] = {}
    for (point, _), weight in weights.items():
        sums[point] = sums.get(point, 0.0) + weight
    return len({defence for _, defence in weights}) > 1 and all(
        abs(total) < 1e-9 and (point, "none") in table.index for point, total in sums.items()
    )


def _spread(table: pd.DataFrame, weights: Mapping[Run, float]) -> tuple[float, int, float]:
    """Residual variance that a contrast is judged by, its degrees of freedom, and sum of weight^2.

    Between models: of the runs with the same defences as its own. Within models (a defence against none): of
    the differences to the same model without a defence, whose own scatter cancels.
    """
    if _within_models(table, weights):
        bare = table.xs("none", level="defence")
        rest = table[table.index.get_level_values("defence") != "none"]
        base = bare.reindex(rest.index.get_level_values("point")).to_numpy(float)
        squares = sum(w**2 for (_, defence), w in weights.items() if defence != "none")
        return *residual_variance(rest - base, blocks=False), squares
    asked = {defence for _, defence in weights}
    some = table[table.index.get_level_values("defence").isin(asked)]
    blocks = abs(sum(weights.values())) < 1e-9
    return *residual_variance(some, blocks), sum(w**2 for w in weights.values())


def estimate(values: Values, weights: Mapping[Run, float], confidence: float) -> Estimate | None:
    """sum of weight * value over runs, averaged over the seeds that all of them have; None if there are none.

    Its standard error is the larger of two: s * sqrt(sum of weight^2 / seeds), with s^2 the residual
    variance, and that of the sampling within the runs (their bootstrap intervals), which a chance
    agreement of seeds cannot hide. The interval is Student's t.
    """
    runs = [run for run in weights if run in values.table.index]
    if len(runs) < len(weights) or not runs:
        return None
    w = np.array([weights[run] for run in runs])
    x = values.table.loc[runs].dropna(axis=1)
    if x.shape[1] == 0:
        return None
    n, value = x.shape[1], float((w @ x.to_numpy(float)).mean())
    within = values.errors.loc[runs, x.columns].to_numpy(float)
    inside = np.sqrt(((w[:, None] * within) ** 2).sum() / n**2)  # NaN if a run has no interval
    variance, df, squares = _spread(values.table, weights)
    between = np.sqrt(variance * squares / n) if n > 1 else np.nan
    known = [error for error in (inside, between) if np.isfinite(error)]
    if not known:
        return Estimate(value, float("nan"), float("nan"), n, 0)
    df = df if np.isfinite(between) else 0
    times = stdtrit(df, 0.5 + confidence / 2) if df else ndtri(0.5 + confidence / 2)
    half = float(times * max(known))
    return Estimate(value, value - half, value + half, n, df)


def trend_weights(x: np.ndarray) -> np.ndarray:
    """Weights that turn a series into its change from the lowest x to the highest, along the fitted line."""
    centred = np.asarray(x, float) - np.mean(x)
    return centred / (centred**2).sum() * (np.max(x) - np.min(x))
