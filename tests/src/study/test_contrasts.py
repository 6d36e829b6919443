"""Contrasts over seeds against the textbook's analysis of variance and a naive loop."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import stdtrit
from scipy.stats import t as student

from verbatim.study.contrasts import (
    estimate,
    mean_squares,
    sum_scatter,
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


def test_mean_squares_are_those_of_a_loop_over_runs_and_seeds():
    x = np.array(list(made(runs=5, seeds=3).values()))
    rest = of_seeds = 0.0
    for i in range(5):
        for j in range(3):
            rest += (x[i, j] - (x[i].mean() + x[:, j].mean() - x.mean())) ** 2
            of_seeds += (x[:, j].mean() - x.mean()) ** 2
    found = mean_squares(np.vstack([x, [9.0, np.nan, 1.0]]))  # the last is incomplete
    assert found == (pytest.approx(rest / (4 * 2)), pytest.approx(of_seeds / 2), 5, 3)


def test_a_difference_is_the_mean_over_seeds_with_students_interval():
    values = made()
    x = np.array(list(values.values()))
    found = estimate(
        values_of(measures(values), "similarity:p95", 0.95),
        {("p0", "none"): 1, ("p1", "none"): -1},
        0.95,
    )
    half = student.ppf(0.975, 11) * np.sqrt(mean_squares(x)[0] * 2 / 2)
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
    variance, df, _ = sum_scatter(d, -1, 4 / 16, 2)
    assert found.value == pytest.approx(-d.mean())
    assert found.high - found.value == pytest.approx(student.ppf(0.975, df) * np.sqrt(variance))
    assert found.df == df


def test_the_mean_of_runs_has_two_components_of_variance():
    rng = np.random.default_rng(1)
    x = rng.normal(0, 0.01, (12, 3)) + rng.normal(0, 1, 3)  # seeds differ much more than runs
    values = {(f"p{i}", "none"): list(x[i]) for i in range(12)}
    weights = {(f"p{i}", "none"): 1 / 4 for i in range(4)}
    found = estimate(values_of(measures(values), "similarity:p95", 0.95), weights, 0.95)
    residual, of_seeds, *_ = mean_squares(x)
    of_seeds /= 2 * np.log(2) / 2  # the median of chi^2 of 2 degrees of freedom, over these
    variance = (of_seeds - residual) / 12 / 3 + residual / 4 / 3
    parts = np.array([of_seeds / 12 / 3, (1 / 4 - 1 / 12) * residual / 3])
    df = variance**2 / (parts**2 / [2, 22]).sum()
    assert parts.sum() == pytest.approx(variance)
    assert found.df == pytest.approx(df)
    assert 2 <= df < 2.01
    assert found.high - found.value == pytest.approx(student.ppf(0.975, df) * np.sqrt(variance))


def test_seeds_that_do_not_differ_leave_the_residuals_alone():
    x = np.array([[0.1, 0.3], [0.5, 0.3], [0.2, 0.2]])  # both seeds have one mean
    assert sum_scatter(x, 1, 1 / 3, 2) == pytest.approx((0.02 / 3 / 2, 2, 2))
    assert sum_scatter(x + np.array([0, 9]), 0, 2, 2) == pytest.approx((0.02, 2, 2))


def test_one_run_alone_scatters_as_its_own_seeds_do():
    assert sum_scatter(np.array([[0.1, 0.3]]), 1, 1, 2) == pytest.approx((0.01, 1, 1))
    assert sum_scatter(np.array([[0.1, 0.3]]), 0, 2, 2).df == 0


def coverage(runs, summed, total, sd, draws=1000):
    """Share of simulated tables (two seeds of standard deviation `sd`, residuals of 1) whose 95 % interval of a sum of
    the first `summed` runs, of equal weights and no true value, holds 0."""
    rng, covered = np.random.default_rng(0), 0
    for _ in range(draws):
        x = rng.normal(0, 1, (runs, 2)) + rng.normal(0, sd, 2)
        found = sum_scatter(x, total, total**2 / summed, 2)
        half = stdtrit(found.df, 0.975) * np.sqrt(found.variance)
        covered += abs(total * x[:summed].mean()) <= half
    return covered / draws


@pytest.mark.parametrize("sd", [0, 1, 3])
@pytest.mark.parametrize("runs", [9, 44])
def test_the_interval_of_a_mean_of_nine_runs_covers_whatever_seeds_do(sd, runs):
    assert coverage(runs, 9, 1, sd) >= 0.9


@pytest.mark.parametrize("sd", [0, 1, 3])
@pytest.mark.parametrize("differences", [3, 15])  # of one defence at three points, or of five
def test_the_interval_of_a_defence_of_three_points_covers_whatever_seeds_do(sd, differences):
    assert coverage(differences, 3, -1, sd) >= 0.9


def test_sampling_of_the_same_captions_is_not_averaged_away_over_runs_and_seeds():
    values = {(f"p{i}", "none"): [0.5, 0.5] for i in range(9)}
    some = values_of(measures(values, width=0.2), "similarity:p95", 0.95)
    mean = estimate(some, {run: 1 / 9 for run in values}, 0.95)
    one = estimate(some, {("p0", "none"): 1.0}, 0.95)
    assert mean.high - mean.low == pytest.approx(one.high - one.low)
    half = student.ppf(0.975, 8) * 0.2 / 1.959964
    assert one.high - one.value == pytest.approx(half)


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
