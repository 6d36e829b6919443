"""Intervals of shares, means and other statistics, by statsmodels and scipy.

`tests/benchmarks/coverage.py` prints how often each of them holds the true value.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

NAN = float("nan")
CHUNK = 100  # ASSUME: bootstrap draws worked on at once; bounds memory, changes no number
# positions (draws, n) of the units that each draw has -> the statistic of each draw (draws,)
Statistic = Callable[[np.ndarray], np.ndarray]


class Interval(NamedTuple):
    """A value and its interval; NaN where there is none."""

    value: float
    low: float
    high: float


NOTHING = Interval(NAN, NAN, NAN)


class Draws(NamedTuple):
    """How a bootstrap draws: `resamples` times, for an interval of `confidence` in (0, 1), from `seed`."""

    resamples: int
    confidence: float
    seed: int


def wilson(found: ArrayLike, n: ArrayLike, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Interval of a share: Wilson's score without continuity correction (Wilson 1927), by statsmodels.

    Parameters
    ----------
    found, n : counts of any one shape; found <= n
    confidence : in (0, 1)

    Returns
    -------
    low, high : in [0, 1]; NaN where n is 0

    Raises
    ------
    ValueError : found is below 0 or above n
    """
    from statsmodels.stats.proportion import proportion_confint

    k, m = np.broadcast_arrays(np.asarray(found, float), np.asarray(n, float))
    if np.any(k > m) or np.any(k < 0):
        raise ValueError("found must lie between 0 and n")
    some = np.maximum(m, 1.0)
    low, high = proportion_confint(np.minimum(k, some), some, 1 - confidence, method="wilson")
    low, high = np.where(k == 0, 0.0, low), np.where(k == m, 1.0, high)  # without rounding
    return np.where(m > 0, low, np.nan), np.where(m > 0, high, np.nan)


def clopper_pearson(found: int, n: int, confidence: float) -> tuple[float, float]:
    """Exact interval of a rate: Clopper and Pearson 1934, by statsmodels.

    For found = 0, and for found = n, the whole error lies at the one end that is open: 0 of n at 95 % gives the upper
    bound 1 - 0.05^(1/n).

    Returns
    -------
    low, high : in [0, 1]; NaN for n = 0

    Raises
    ------
    ValueError : found is below 0 or above n
    """
    from statsmodels.stats.proportion import proportion_confint

    if not 0 <= found <= n:
        raise ValueError(f"found is {found}; it must lie between 0 and n, {n}")
    if n == 0:
        return NAN, NAN
    one_sided = found in (0, n)
    alpha = (2 if one_sided else 1) * (1 - confidence)
    low, high = proportion_confint(found, n, alpha, method="beta")
    return (0.0 if found == 0 else float(low)), (1.0 if found == n else float(high))


def newcombe(a: ArrayLike, b: ArrayLike, confidence: float) -> Interval:
    """Share of `a` minus share of `b`, both bool (n,) and (m,), of independent samples; NaN where one is empty.

    Newcombe 1998, "Interval estimation for the difference between independent proportions", Statistics in
    Medicine 17:873, method 10, by statsmodels.
    """
    from statsmodels.stats.proportion import confint_proportions_2indep

    x, y = np.asarray(a, bool), np.asarray(b, bool)
    if not x.size or not y.size:
        return NOTHING
    low, high = confint_proportions_2indep(
        x.sum(), x.size, y.sum(), y.size, method="newcomb", compare="diff", alpha=1 - confidence
    )
    return Interval(float(x.mean() - y.mean()), float(low), float(high))


def t_interval(values: ArrayLike, confidence: float) -> tuple[float, float]:
    """Interval of a mean over repetitions, Student's t, by scipy; NaN for fewer than two values."""
    from scipy.stats import ttest_1samp

    x = np.asarray(values, float)
    if len(x) < 2:
        return NAN, NAN
    if np.ptp(x) == 0:  # the test's statistic would be 0 / 0
        return float(x[0]), float(x[0])
    found = ttest_1samp(x, 0.0).confidence_interval(confidence)
    return float(found.low), float(found.high)


def bootstrap_interval(
    statistic: Statistic, units: int, resamples: int, confidence: float, seed: int
) -> Interval:
    """A statistic of all units and its bootstrap interval over them: scipy's bias-corrected and accelerated one.

    Efron 1987 (BCa), `scipy.stats.bootstrap`. Where that is not defined (every draw gives one value, or some
    draw gives none) it is the percentile interval of the draws that have a value.

    Parameters
    ----------
    statistic : positions (draws, n) of the drawn units, n at most `units` -> (draws,), NaN where a draw has no value
    units : what is drawn: prompts, or groups of prompts that depend on each other
    resamples : draws
    confidence : in (0, 1)
    seed : decides the draws: statistics of as many units share them

    Returns
    -------
    value, low, high; low and high NaN for fewer than two units
    """
    from scipy.stats import bootstrap

    def of_draws(positions: np.ndarray, axis: int = -1) -> np.ndarray:
        flat = positions.reshape(-1, positions.shape[axis])
        return statistic(flat).reshape(positions.shape[:-1])

    every = np.arange(units)
    value = float(statistic(every[None])[0]) if units else NAN
    if units < 2 or np.isnan(value):
        return Interval(value, NAN, NAN)
    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        warnings.simplefilter("ignore")  # of degenerate draws, which are looked for below
        found = bootstrap(
            (every,), of_draws, n_resamples=resamples, batch=CHUNK, vectorized=True, axis=-1,
            confidence_level=confidence, method="BCa", rng=np.random.default_rng(seed),
        )  # fmt: skip
    low, high = found.confidence_interval
    if np.isnan(low) or np.isnan(high):
        drawn = found.bootstrap_distribution[np.isfinite(found.bootstrap_distribution)]
        tail = (1 - confidence) / 2
        low, high = np.quantile(drawn, [tail, 1 - tail]) if drawn.size else (NAN, NAN)
    return Interval(value, float(low), float(high))


def count_units(positions: np.ndarray, units: int) -> np.ndarray:
    """How often each unit is drawn: positions (draws, n) -> (draws, units) float64."""
    draws = len(positions)
    flat = (positions + units * np.arange(draws)[:, None]).ravel()
    return np.bincount(flat, minlength=draws * units).reshape(draws, units).astype(np.float64)


def group_units(groups: ArrayLike) -> tuple[np.ndarray, int]:
    """The unit of each prompt, (n,) int, in order of appearance, and how many there are."""
    of_group, names = pd.factorize(np.asarray(groups, dtype=object))
    return of_group, len(names)


def share_interval(
    hits: ArrayLike, groups: ArrayLike, resamples: int, confidence: float, seed: int
) -> Interval:
    """A share and its bootstrap interval over groups: prompts of one group are drawn together.

    Where all hits are equal every draw is too; then it is Wilson's interval with the groups as the
    unit.

    Parameters
    ----------
    hits : bool (n,)
    groups : (n,) prompts that depend on each other
    resamples, confidence, seed : as for `bootstrap_interval`

    Returns
    -------
    share, low, high : NaN where there are no hits to count
    """
    hit = np.asarray(hits, float)
    if not hit.size:
        return NOTHING
    of_group, n = group_units(groups)
    share = float(hit.mean())
    if share in (0.0, 1.0) or n < 2:
        low, high = wilson(round(share * n), n, confidence)
        return Interval(share, float(low), float(high))
    found, size = np.bincount(of_group, hit), np.bincount(of_group)

    def statistic(positions: np.ndarray) -> np.ndarray:
        return found[positions].sum(1) / size[positions].sum(1)

    return bootstrap_interval(statistic, n, resamples, confidence, seed)


def percentile_interval(
    values: ArrayLike, percent: float, resamples: int, confidence: float, seed: int
) -> Interval:
    """A percentile (linear between order statistics) of values (n,) and its bootstrap interval over them."""
    x = np.asarray(values, np.float64)
    return bootstrap_interval(
        lambda positions: np.percentile(x[positions], percent, axis=1),
        x.size, resamples, confidence, seed,
    )  # fmt: skip


def rank_correlation(
    a: ArrayLike, b: ArrayLike, resamples: int, confidence: float, seed: int
) -> Interval:
    """Spearman's rank correlation of a and b (n,) and its bootstrap interval over pairs.

    Pairs that are not finite are left out. NaN for fewer than four pairs, or values that do not vary.
    """
    from scipy.stats import rankdata

    known = np.isfinite(np.asarray(a, float)) & np.isfinite(np.asarray(b, float))
    x, y = np.asarray(a, float)[known], np.asarray(b, float)[known]
    if len(x) < 4 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return NOTHING

    def statistic(positions: np.ndarray) -> np.ndarray:
        u, v = (rankdata(values[positions], axis=1) for values in (x, y))
        u, v = u - u.mean(1, keepdims=True), v - v.mean(1, keepdims=True)
        with np.errstate(invalid="ignore", divide="ignore"):
            return (u * v).sum(1) / np.sqrt((u**2).sum(1) * (v**2).sum(1))

    return bootstrap_interval(statistic, len(x), resamples, confidence, seed)
