"""Contrasts over seeds against the textbook's analysis of variance and a naive loop."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student

from verbatim.study.contrasts import (
    estimate,
    residual_variance,
    trend_weights,
    values_of,
)


def measures(values, width=np.nan, measure="similarity:p95"):
    """values: {(point, defence): [of each seed]}."""
    rows = [
        {
            "point": point, "defence": defence, "seed": seed, "measure": measure, "value": value,
            "n": 10, "low": value - width, "high": value + width, "note": "",
        }
        for (point, defence), of_seeds in values.items()
        for seed, value in enumerate(of_seeds)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def made(runs=12, seeds=2, seed=0):
    rng = np.random.default_rng(seed)
    level, block = rng.normal(0.5, 0.2, runs), rng.normal(0, 0.05, seeds)
    x = level[:, None] + block + rng.normal(0, 0.01, (runs, seeds))
    return {(f"p{i}", "none"): list(x[i]) for i in range(runs)}


def test_the_residual_variance_is_that_of_a_loop_over_runs_and_seeds():
    x = pd.DataFrame(list(made(runs=5, seeds=3).values()))
    total = 0.0
    for i in range(5):
        for j in range(3):
            fitted = x.iloc[i].mean() + x[j].mean() - x.to_numpy().mean()
            total += (x.iloc[i, j] - fitted) ** 2
    variance, df = residual_variance(x, blocks=True)
    assert df == 4 * 2
    assert variance == pytest.approx(total / df)


def test_a_difference_is_the_mean_over_seeds_with_students_interval():
    values = made()
    x = np.array(list(values.values()))
    found = estimate(
        values_of(measures(values), "similarity:p95", 0.95),
        {("p0", "none"): 1, ("p1", "none"): -1},
        0.95,
    )
    variance, df = residual_variance(pd.DataFrame(x), blocks=True)
    half = student.ppf(0.975, df) * np.sqrt(variance * 2 / 2)
    assert found.value == pytest.approx((x[0] - x[1]).mean())
    assert (found.low, found.high) == pytest.approx((found.value - half, found.value + half))
    assert (found.n, found.df) == (2, 11)


def test_intervals_cover_the_truth_as_often_as_they_say():
    covered = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        x = rng.normal(0, 1, (6, 2)) + rng.normal(0, 3, 2)  # no run differs; seeds do
        values = {(f"p{i}", "none"): list(x[i]) for i in range(6)}
        found = estimate(
            values_of(measures(values), "similarity:p95", 0.9),
            {("p0", "none"): 1, ("p1", "none"): -1},
            0.9,
        )
        covered += found.low <= 0 <= found.high
    assert 0.85 <= covered / 300 <= 0.95


def test_sampling_within_runs_widens_an_interval_that_seeds_make_too_narrow():
    values = {("a", "none"): [0.5, 0.5], ("b", "none"): [0.4, 0.4], ("c", "none"): [0.1, 0.1]}
    found = estimate(
        values_of(measures(values, width=0.2), "similarity:p95", 0.95),
        {("a", "none"): 1, ("b", "none"): -1},
        0.95,
    )
    assert found.low < 0 < found.high


def test_a_defence_against_none_is_judged_by_the_scatter_of_its_differences():
    rng = np.random.default_rng(3)
    bare = rng.normal(0.5, 0.2, (4, 2))
    d = rng.normal(-0.1, 0.01, (4, 2))
    values = {(f"p{i}", "none"): list(bare[i]) for i in range(4)}
    values |= {(f"p{i}", "gni"): list(bare[i] + d[i]) for i in range(4)}
    weights = {(f"p{i}", name): w / 4 for i in range(4) for name, w in (("none", 1), ("gni", -1))}
    found = estimate(values_of(measures(values), "similarity:p95", 0.95), weights, 0.95)
    rest = d - d.mean(1, keepdims=True)
    half = student.ppf(0.975, 4) * np.sqrt((rest**2).sum() / 4 * (4 / 16) / 2)
    assert found.value == pytest.approx(-d.mean())
    assert found.high - found.value == pytest.approx(half)
    assert found.df == 4


def test_one_seed_has_no_interval_but_that_of_the_runs():
    values = {("a", "none"): [0.5], ("b", "none"): [0.4], ("c", "none"): [0.1]}
    weights = {("a", "none"): 1, ("b", "none"): -1}
    bare = estimate(values_of(measures(values), "similarity:p95", 0.95), weights, 0.95)
    assert (bare.n, bare.df) == (1, 0)
    assert np.isnan(bare.low)
    wide = estimate(values_of(measures(values, 0.1), "similarity:p95", 0.95), weights, 0.95)
    assert wide.high - wide.low == pytest.approx(2 * np.sqrt(2) * 0.1)


def test_seeds_count_only_where_all_runs_have_them():
    values = {("a", "none"): [0.5, 0.7], ("b", "none"): [0.4, np.nan], ("c", "none"): [0.1, 0.3]}
    found = estimate(
        values_of(measures(values), "similarity:p95", 0.95),
        {("a", "none"): 1, ("b", "none"): -1},
        0.95,
    )
    assert found.n == 1
    assert found.value == pytest.approx(0.1)


def test_a_run_that_is_not_there_gives_no_estimate():
    values = values_of(measures(made()), "similarity:p95", 0.95)
    assert estimate(values, {("p0", "none"): 1, ("absent", "none"): -1}, 0.95) is None
    assert estimate(values_of(measures(made()), "fid", 0.95), {("p0", "none"): 1}, 0.95) is None


def test_trend_weights_give_the_change_along_the_fitted_line():
    x, y = np.log2([1, 2, 5, 10, 20]), np.array([0.1, 0.15, 0.3, 0.28, 0.5])
    slope = np.polyfit(x, y, 1)[0]
    assert trend_weights(x) @ y == pytest.approx(slope * (x[-1] - x[0]))
