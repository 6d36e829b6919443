"""Contrasts over seeds against the textbook's analysis of variance, pairs, and simulated trainings."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student
from scipy.stats import ttest_1samp

from verbatim.claims.contrasts import Values, estimate, fit_contrast, trend_weights, values_of

SCORE = "similarity:p95"
NAMES = ["point", "defence"]


def measures(values, width=np.nan, measure=SCORE):
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


def found(values, weights, confidence=0.95, width=np.nan):
    return estimate(values_of(measures(values, width), SCORE, confidence), weights, confidence)


def residual_square(x):
    """Mean square of the residuals of runs and seeds, a value at a time."""
    total = 0.0
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            total += (x[i, j] - x[i].mean() - x[:, j].mean() + x.mean()) ** 2
    return total / ((x.shape[0] - 1) * (x.shape[1] - 1))


def test_a_difference_has_the_textbooks_interval_of_a_block_design():
    values = made(runs=5, seeds=3)
    x = np.array(list(values.values()))
    got = found(values | {("q", "none"): [9.0]}, {("p0", "none"): 1, ("p1", "none"): -1})
    half = student.ppf(0.975, 4 * 2) * np.sqrt(residual_square(x) * 2 / 3)
    assert got.value == pytest.approx((x[0] - x[1]).mean())
    assert (got.low, got.high) == pytest.approx((got.value - half, got.value + half))
    assert (got.n, got.df) == (3, 8)  # q lacks two seeds and is left out


def test_a_defence_of_one_point_is_a_paired_t_test_over_its_models():
    rng = np.random.default_rng(3)
    bare, gni = rng.normal(0.5, 0.2, (2, 4))
    values = {("p", "none"): list(bare), ("p", "gni"): list(gni)}
    got = found(values, {("p", "none"): 1, ("p", "gni"): -1})
    theirs = ttest_1samp(bare - gni, 0.0).confidence_interval(0.95)
    assert (got.low, got.high) == pytest.approx((theirs.low, theirs.high))
    assert got.df == 3


def test_a_models_own_level_does_not_widen_the_interval_of_its_defences():
    rng = np.random.default_rng(3)
    bare = rng.normal(0.5, 0.2, (4, 2))
    d = rng.normal(-0.1, 0.01, (4, 2))
    values = {(f"p{i}", "none"): list(bare[i]) for i in range(4)}
    values |= {(f"p{i}", "gni"): list(bare[i] + d[i]) for i in range(4)}
    weights = {(f"p{i}", name): w / 4 for i in range(4) for name, w in (("none", 1), ("gni", -1))}
    got = found(values, weights)
    assert got.value == pytest.approx(-d.mean())
    assert got.high - got.low < 0.05
    lifted = {key: [v[0] + 5, v[1] - 3] if key[0] == "p1" else v for key, v in values.items()}
    assert found(lifted, weights).high == pytest.approx(got.high)


def test_the_mean_of_runs_is_judged_by_students_t_over_the_seeds_means():
    rng = np.random.default_rng(1)
    x = rng.normal(0, 0.01, (12, 3)) + rng.normal(0, 1, 3)  # seeds differ much more than runs
    values = {(f"p{i}", "none"): list(x[i]) for i in range(12)}
    got = found(values, {(f"p{i}", "none"): 1 / 4 for i in range(4)})
    theirs = ttest_1samp(x[:4].mean(0), 0.0).confidence_interval(0.95)
    assert (got.low, got.high) == pytest.approx((theirs.low, theirs.high))
    assert got.df == 2


def test_sampling_within_runs_widens_an_interval_that_seeds_make_too_narrow():
    values = {("a", "none"): [0.5, 0.5], ("b", "none"): [0.4, 0.4], ("c", "none"): [0.1, 0.1]}
    got = found(values, {("a", "none"): 1, ("b", "none"): -1}, width=0.2)
    assert got.low < 0 < got.high


def test_sampling_of_the_same_captions_is_not_averaged_away_over_runs_and_seeds():
    values = {(f"p{i}", "none"): [0.5, 0.5] for i in range(9)}
    mean = found(values, {run: 1 / 9 for run in values}, width=0.2)
    one = found(values, {("p0", "none"): 1.0}, width=0.2)
    assert mean.high - mean.low == pytest.approx(one.high - one.low)
    assert one.high - one.value == pytest.approx(0.2)


def coverage(draw, weights, confidence, draws=150):
    """Share of simulated tables of runs, of which no sum has a true value, whose interval holds 0."""
    covered = 0
    for seed in range(draws):
        x = draw(np.random.default_rng(seed))
        table = pd.DataFrame(x.values(), index=pd.MultiIndex.from_tuples(x, names=NAMES))
        got = estimate(Values(table, table * np.nan), weights, confidence)
        covered += got.low <= 0 <= got.high
    return covered / draws


def names(runs, defence="none"):
    return [(f"p{i}", defence) for i in range(runs)]


@pytest.mark.slow
def test_intervals_cover_the_truth_as_often_as_they_say():
    """Nominal 90 %; within three standard errors of 150 simulated studies."""

    def trained(rng):
        x = rng.normal(0, 1, (6, 2)) + rng.normal(0, 3, 2)
        return dict(zip(names(6), x.tolist(), strict=True))

    def defended(rng):
        models = rng.normal(0, 3, (3, 2))
        x = [models + rng.normal(0, 1, (3, 2)) for _ in range(3)]
        return {
            run: row
            for of, name in zip(x, ("none", "gni", "rt"), strict=True)
            for run, row in zip(names(3, name), of.tolist(), strict=True)
        }

    difference = {("p0", "none"): 1, ("p1", "none"): -1}
    defence = {run: w / 3 for name, w in (("none", 1), ("gni", -1)) for run in names(3, name)}
    for draw, weights in (
        (trained, difference),
        (trained, {("p0", "none"): 0.5, ("p1", "none"): 0.5}),
        (defended, defence),
    ):
        assert coverage(draw, weights, 0.9) == pytest.approx(0.9, abs=0.074)


def test_one_seed_has_no_interval_but_that_of_the_runs():
    values = {("a", "none"): [0.5], ("b", "none"): [0.4], ("c", "none"): [0.1]}
    weights = {("a", "none"): 1, ("b", "none"): -1}
    bare = found(values, weights)
    assert (bare.n, bare.df) == (1, 0)
    assert np.isnan(bare.low)
    wide = found(values, weights, width=0.1)
    assert wide.high - wide.low == pytest.approx(2 * np.sqrt(2) * 0.1)


def test_seeds_count_only_where_all_runs_have_them():
    values = {("a", "none"): [0.5, 0.7], ("b", "none"): [0.4, np.nan], ("c", "none"): [0.1, 0.3]}
    got = found(values, {("a", "none"): 1, ("b", "none"): -1})
    assert got.n == 1
    assert got.value == pytest.approx(0.1)


def test_two_runs_of_one_seed_each_say_nothing_of_trainings():
    table = pd.DataFrame({0: [0.1, 0.2]}, index=pd.MultiIndex.from_tuples(names(2), names=NAMES))
    half, df = fit_contrast(table, {("p0", "none"): 1, ("p1", "none"): -1}, 0.95)
    assert np.isnan(half)
    assert df == 0


def test_a_run_that_is_not_there_gives_no_estimate():
    values = values_of(measures(made()), SCORE, 0.95)
    assert estimate(values, {("p0", "none"): 1, ("absent", "none"): -1}, 0.95) is None
    assert estimate(values_of(measures(made()), "fid", 0.95), {("p0", "none"): 1}, 0.95) is None


def test_trend_weights_give_the_change_along_the_fitted_line():
    x, y = np.log2([1, 2, 5, 10, 20]), np.array([0.1, 0.15, 0.3, 0.28, 0.5])
    slope = np.polyfit(x, y, 1)[0]
    assert trend_weights(x) @ y == pytest.approx(slope * (x[-1] - x[0]))
